/** Where the suite runs: each lane makes scratch targets of its engine and takes them away again. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import pg from 'pg';
import * as tedious from 'tedious';
import { withAccess, withOpenTarget, type Access } from '../../lib/access';
import { PACKAGE_ROOT, readSettings, type Settings } from '../../lib/config/settings';
import { withTransaction, type Database } from '../../lib/engines/database';
import type { Dialect } from '../../lib/engines/engine';
import { askRaw, close, connect } from '../../lib/engines/mssql-client';
import { withFolderLock } from '../../lib/engines/folder-lock';
import { enrol, requirePermit } from '../../lib/migrations/enrol';
import { migrateLatest } from '../../lib/migrations/run';
import { seed } from '../../seeds/ksessions_samples';

/** One scratch target. */
export interface Scratch {
  /** Variables that lead a script, or `settings`, to it. */
  readonly env: NodeJS.ProcessEnv;
  readonly settings: Settings;
  /** Its folder: targets.json and what a test puts there. */
  readonly folder: string;
}

/** Who a scratch target lives for: a test, or a whole file. */
export type Owner = Pick<ExecutionContext, 'teardown'>;

export interface Lane {
  readonly name: 'pglite' | 'postgres' | 'mssql';
  readonly dialect: Dialect;
  /** A fresh target: enrolled, migrated, with the sample rows; gone when the test ends. */
  ready(t: Owner): Promise<Scratch>;
  /** A fresh target in which nothing was done yet; the embedded engine has yet to make its database. */
  empty(t: Owner): Promise<Scratch>;
  /** A fresh target with a database in which nothing was done yet. */
  bare(t: Owner): Promise<Scratch>;
}

export const TEST_KEY = 'test-key-0123456789-abcdefghijklmnopqrstuvwxyz';
const ACTOR = 'suite';

/** Of the process's own variables, what a child needs to run at all: none that could lead it anywhere. */
const SYSTEM_VARIABLES = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'USER', 'TZ'];

function systemEnv(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const name of SYSTEM_VARIABLES) if (process.env[name] !== undefined) env[name] = process.env[name];
  return env;
}

/** A folder that is gone when the test ends. */
export function scratchFolder(t: Owner): string {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file with a GUID of nobody's, which only the user can read; it lasts as long as the process. */
export function guidFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'guid.txt');
  writeFileSync(path, '11111111-1111-4111-8111-111111111111\n', { mode: 0o600 });
  return path;
}

/** Writes a list of targets with one entry, and gives the variables that choose it. */
export function writeTargets(folder: string, entry: object, env: NodeJS.ProcessEnv = {}): Scratch {
  const targetsFile = join(folder, 'targets.json');
  writeFileSync(targetsFile, JSON.stringify({ default: 'scratch', targets: { scratch: entry } }));
  const all = { ...systemEnv(), CANVAS_TARGETS_FILE: targetsFile, CANVAS_HMAC_KEY: TEST_KEY, ...env };
  return { env: all, settings: readSettings(all), folder };
}

/** Waits long: a loaded machine is no failure. */
function accessRequest(settings: Settings) {
  return { settings, waitMs: 120_000, actor: ACTOR, onOpen: () => undefined, onNotice: () => undefined };
}

/** Opens a scratch target through the toolkit's own path. */
export function access<T>(scratch: Scratch, work: (access: Access) => Promise<T>): Promise<T> {
  return withAccess(accessRequest(scratch.settings), work);
}

/** Opens a scratch target as it is. */
export function open<T>(scratch: Scratch, work: (database: Database) => Promise<T>): Promise<T> {
  return withOpenTarget(accessRequest(scratch.settings), work);
}

/** Statements in one permitted transaction: what a hand that may write could do. */
export function execute({ database, permit }: Access, ...statements: string[]): Promise<void> {
  return withTransaction(database, permit, undefined, async (writer) => {
    for (const statement of statements) await writer.sql.raw(statement);
  });
}

// --- embedded ------------------------------------------------------------------------------------------------------

const EMBEDDED = { engine: 'pglite', environment: 'test', path: 'embedded' };

export const pgliteLane: Lane = {
  name: 'pglite',
  dialect: 'postgres',
  ready: (t) => copyOf(t, 'ready', (scratch) => access(scratch, () => Promise.resolve())),
  bare: (t) => copyOf(t, 'bare', (scratch) => open(scratch, () => Promise.resolve())),
  empty: (t) => Promise.resolve(writeTargets(scratchFolder(t), EMBEDDED)),
};

type Make = (scratch: Scratch) => Promise<void>;

async function copyOf(t: Owner, kind: string, make: Make): Promise<Scratch> {
  const folder = scratchFolder(t);
  copyFolder(await template(kind, make), join(folder, 'embedded'));
  return writeTargets(folder, EMBEDDED);
}

/** A thousand files, in a third of the time that Node takes. */
function copyFolder(from: string, to: string): void {
  if (process.platform === 'win32') cpSync(from, to, { recursive: true });
  else execFileSync('cp', ['-R', from, to]);
}

/** Making a database takes seconds, copying one does not: each kind is made once for what it is made from. */
async function template(kind: string, make: Make): Promise<string> {
  const parent = join(tmpdir(), 'canvas-host-templates');
  const folder = join(parent, `${kind}-${fingerprintOfSchema()}`);
  mkdirSync(parent, { recursive: true });
  await withFolderLock(parent, { waitMs: 60_000 }, async () => {
    if (existsSync(folder)) return;
    const making = mkdtempSync(join(parent, 'making-'));
    await make(writeTargets(making, EMBEDDED));
    renameSync(join(making, 'embedded'), folder);
    rmSync(making, { recursive: true, force: true });
  });
  return folder;
}

function fingerprintOfSchema(): string {
  const hash = createHash('sha256').update(readFileSync(join(PACKAGE_ROOT, 'package-lock.json')));
  for (const folder of ['migrations', 'seeds', 'lib/migrations', 'lib/guard', 'lib/engines']) {
    for (const file of readdirSync(join(PACKAGE_ROOT, folder)).sort()) {
      hash.update(file).update(readFileSync(join(PACKAGE_ROOT, folder, file)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

// --- PostgreSQL ----------------------------------------------------------------------------------------------------

/** The server of the lane, or undefined: then the lane is skipped, by name. */
export const postgresUrl = process.env['TEST_POSTGRES_URL'];

export const postgresLane: Lane = {
  name: 'postgres',
  dialect: 'postgres',
  async ready(t) {
    const scratch = await this.empty(t);
    await open(scratch, prepare);
    return scratch;
  },
  empty: (t) => postgresLane.bare(t),
  async bare(t) {
    const server = new URL(postgresUrl ?? '');
    const database = `canvas_test_${randomBytes(6).toString('hex')}`;
    await asAdmin(`CREATE DATABASE ${database}`);
    t.teardown(() => asAdmin(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`));
    return writeTargets(scratchFolder(t), entryFor(server.hostname, Number(server.port || 5432), database), loginOf(server));
  },
};

/** The variables that carry the login of a server's URL. */
function loginOf(server: URL): NodeJS.ProcessEnv {
  return {
    SCRATCH_USER: decodeURIComponent(server.username) || 'postgres',
    ...(server.password === '' ? {} : { SCRATCH_PASSWORD: decodeURIComponent(server.password) }),
  };
}

/** A target on a server of the loopback. */
export function entryFor(server: string, port: number, database: string, engine = 'postgres'): object {
  return { engine, environment: 'test', server, port, database, credentials: 'SCRATCH', encrypt: false };
}

/** A target at a port of the loopback, where something pretends to be a server. */
export function targetAt(t: Owner, port: number, engine: 'postgres' | 'mssql'): Scratch {
  const login = { SCRATCH_USER: 'suite', SCRATCH_PASSWORD: 'canary-PASSWORD' };
  return writeTargets(scratchFolder(t), entryFor('127.0.0.1', port, 'canvas', engine), login);
}

// --- SQL Server ----------------------------------------------------------------------------------------------------

/** The TDS server of the lane, or undefined: then the lane is skipped, by name. */
export const mssqlUrl = process.env['TEST_MSSQL_URL'];

export const mssqlLane: Lane = {
  name: 'mssql',
  dialect: 'mssql',
  async ready(t) {
    const scratch = await this.empty(t);
    await open(scratch, prepare);
    return scratch;
  },
  empty: (t) => mssqlLane.bare(t),
  async bare(t) {
    const server = new URL(mssqlUrl ?? '');
    const database = `canvas_test_${randomBytes(6).toString('hex')}`;
    await onMssqlServer(`CREATE DATABASE ${database}`);
    t.teardown(() => onMssqlServer(`DROP DATABASE IF EXISTS ${database}`));
    return writeTargets(
      scratchFolder(t),
      entryFor(server.hostname, Number(server.port || 1433), database, 'mssql'),
      loginOf(server),
    );
  },
};

/** One batch as the server's administrator. @param database master unless told otherwise */
export async function asMssqlAdmin(batch: string, database?: string): Promise<Record<string, unknown>[]> {
  const connection = await openMssql(database);
  try {
    return await askRaw(connection, batch, 60_000);
  } finally {
    await close(connection);
  }
}

/** Makes or drops a database. One at a time, of all who use the server: Babelfish fails where two are at it. */
export async function onMssqlServer(statement: string): Promise<void> {
  const connection = await openMssql();
  try {
    const turn = `DECLARE @code int; EXEC @code = sp_getapplock @Resource = N'canvas-suite', @LockMode = 'Exclusive',
      @LockOwner = 'Session', @LockTimeout = 120000; IF @code < 0 THROW 50000, N'Other runs keep making databases.', 1`;
    await askRaw(connection, turn, 150_000);
    await askRaw(connection, statement, 60_000);
  } finally {
    // The lock ends with its session.
    await close(connection);
  }
}

/** A session of the server's administrator. @param encrypt with TLS, whatever its certificate */
export function openMssql(database?: string, encrypt = false): Promise<tedious.Connection> {
  const server = new URL(mssqlUrl ?? '');
  return connect(
    new tedious.Connection({
      server: server.hostname,
      authentication: {
        type: 'default',
        options: { userName: decodeURIComponent(server.username), password: decodeURIComponent(server.password) },
      },
      options: {
        port: Number(server.port || 1433),
        database: database ?? (server.pathname.slice(1) || 'master'),
        encrypt,
        trustServerCertificate: true,
      },
    }),
  );
}

async function prepare(database: Database): Promise<void> {
  await enrol(database, database.canvas.admission.identity.database, ACTOR);
  const permit = await requirePermit(database);
  await migrateLatest(database, permit, { actor: ACTOR });
  await withTransaction(database, permit, 'seed', (writer) => seed(writer.sql));
}

/** The name of a scratch target's database on the server. */
export function databaseOf(scratch: Scratch): string {
  const { targets } = JSON.parse(readFileSync(join(scratch.folder, 'targets.json'), 'utf8')) as {
    targets: { scratch: { database: string } };
  };
  return targets.scratch.database;
}

/** The same target, its entry changed. */
export function retarget(scratch: Scratch, changes: object): Scratch {
  const file = JSON.parse(readFileSync(join(scratch.folder, 'targets.json'), 'utf8')) as { targets: { scratch: object } };
  const folder = mkdtempSync(join(scratch.folder, 'changed-'));
  const env = { ...scratch.env, CANVAS_TARGETS_FILE: join(folder, 'targets.json') };
  return writeTargets(folder, { ...file.targets.scratch, ...changes }, env);
}

/** The same target, in a list that protects one more database. */
export function protecting(scratch: Scratch, database: string): Scratch {
  const copy = retarget(scratch, {});
  const path = join(copy.folder, 'targets.json');
  const list = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...list, protected: { databases: [database] } }));
  return copy;
}

/** One statement as the server's administrator. */
export async function asAdmin(statement: string, database?: string): Promise<void> {
  const url = new URL(postgresUrl ?? '');
  if (database !== undefined) url.pathname = database;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Every lane that can run here, with those that cannot named aloud. */
export function lanes(): Lane[] {
  return [
    pgliteLane,
    ...(postgresUrl === undefined ? [] : [postgresLane]),
    ...(mssqlUrl === undefined ? [] : [mssqlLane]),
  ];
}
