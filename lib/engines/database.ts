/**
 * The only place anything is opened or closed: `withDatabase`, `withTransaction`. Every physical connection answers
 * who it is before its first use, and what is read and what is written are two types: a `Writer` exists only inside
 * `withTransaction` and `withSchemaChange`, which take a `Permit`, and an `Enroller` inside `withEnrolment`, which takes
 * an `EnrolmentPermit`.
 */
import { createRequire } from 'node:module';
import knexFactory, { type Knex } from 'knex';
import type { Login } from '../config/credentials';
import type { Target } from '../config/targets';
import { faults, ToolkitError } from '../errors';
import {
  admit,
  assertUnmoved,
  isEnrolmentPermit,
  isPermit,
  type Admission,
  type EnrolmentPermit,
  type Permit,
  type Role,
} from '../guard/guard';
import { MARKER_TABLE } from '../guard/marker';
import { withinTime } from './bound';
import { TRANSACTION_TIMEOUT_MS, type Dialect, type Dial, type Engine, type Head, type Lock, type Turn, type Where } from './engine';
import { mssql } from './mssql';
import { pglite } from './pglite';
import { postgres } from './postgres';

/** What a Knex query builder offers for reading, and nothing more. */
export interface Select extends PromiseLike<Record<string, unknown>[]> {
  select(...columns: (string | Knex.Raw)[]): Select;
  where(criteria: object): Select;
  where(column: string, operator: string, value: unknown): Select;
  whereIn(column: string, values: readonly unknown[]): Select;
  whereNull(column: string): Select;
  orderBy(column: string, order?: 'asc' | 'desc'): Select;
  limit(count: number): Select;
}

/** An admitted connection, for reading. */
export class Reader {
  readonly #knex: Knex;
  readonly admission: Admission;
  readonly dialect: Dialect;

  constructor(knex: Knex, admission: Admission, dialect: Dialect) {
    this.#knex = knex;
    this.admission = admission;
    this.dialect = dialect;
  }

  /** The same connection, admitted in another role. */
  withAdmission(admission: Admission): Reader {
    return new Reader(this.#knex, admission, this.dialect);
  }

  /** Rows of a table or view. @param schema `canvas`, `dbo` or a catalogue's */
  from(schema: string, table: string): Select {
    return this.#knex.withSchema(schema).from(table) as unknown as Select;
  }

  /**
   * Rows of one SELECT in the engine's own SQL.
   * @throws TypeError for anything but a SELECT: this class must not be a way to write
   */
  async ask<Row extends object>(sql: string, bindings: readonly Knex.RawBinding[] = []): Promise<Row[]> {
    if (!/^\s*select\b/i.test(sql) || (this.dialect === 'mssql' && mayWrite(sql))) {
      throw new TypeError('A Reader only reads.');
    }
    return runOne<Row>(this.#knex, sql, bindings);
  }
}

/** PostgreSQL's extended protocol takes one statement: nothing can ride behind it. */
async function runOne<Row>(knex: Knex, sql: string, bindings: readonly Knex.RawBinding[]): Promise<Row[]> {
  const result: unknown = await knex.raw(sql, [...bindings]).options({ queryMode: 'extended' });
  // PostgreSQL's driver wraps the rows, SQL Server's does not.
  return Array.isArray(result) ? (result as Row[]) : (result as { rows: Row[] }).rows;
}

/**
 * A T-SQL batch takes any number of statements without a mark between them, so words that could begin a writing one
 * count, outside of literals and quoted names. Comments could hide where a literal ends: none are taken. What stands
 * before the first one is read as it is meant.
 */
function mayWrite(sql: string): boolean {
  const bare = sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\]/g, ' ');
  const words =
    /[;'"[]|--|\/\*|\b(alter|backup|begin|bulk|commit|create|dbcc|delete|deny|drop|exec|execute|grant|insert|into|kill|merge|next\s+value|opendatasource|openquery|openrowset|reconfigure|restore|revoke|rollback|save|set|shutdown|truncate|update|updatetext|use|waitfor|writetext)\b/i;
  return words.test(bare);
}

/** One writing transaction: the database was asserted in its first statement. */
export class Writer extends Reader {
  /** Knex inside the transaction. */
  readonly sql: Knex.Transaction;
  readonly permit: Permit;
  /** The database's clock when the transaction began, UTC. */
  readonly now: Date;
  readonly #turn: Turn | undefined;

  constructor(trx: Knex.Transaction, permit: Permit, reader: Reader, { now, turn }: Pick<Head, 'now' | 'turn'>) {
    if (!isPermit(permit)) throw new TypeError('Writing needs a Permit of the guard.');
    super(trx, reader.admission, reader.dialect);
    this.sql = trx;
    this.permit = permit;
    this.now = now;
    this.#turn = turn;
  }

  /**
   * Did nothing that anybody else wrote take effect between the beginnings of an earlier transaction, which is over,
   * and of this one? Then what the earlier one left is what is there now. `false` where the engine cannot tell.
   *
   * The earlier one got the number it was to get, for it wrote and is the last one that is over; no other was over
   * since, because a greater number would have moved the count and a lesser one was not at work.
   */
  follows(earlier: Writer): boolean {
    const [before, now] = [earlier.#turn, this.#turn];
    return before !== undefined && now?.session === before.session && now.next === before.next + 1n;
  }

  /** One writing statement. @returns the rows that it brings back, by RETURNING or OUTPUT */
  write<Row extends object>(sql: string, bindings: readonly Knex.RawBinding[]): Promise<Row[]> {
    return runOne<Row>(this.sql, sql, bindings);
  }

  /** A table of schema canvas, for reading and writing. */
  table(name: string): Knex.QueryBuilder {
    const query: Knex.QueryBuilder = this.sql.withSchema('canvas').table(name);
    return query;
  }
}

/** One enrolling transaction: it reads, and writes the mark. It has no Knex that could do more. */
export class Enroller extends Reader {
  readonly #trx: Knex.Transaction;
  /** The database's clock when the transaction began, UTC. */
  readonly now: Date;

  constructor(trx: Knex.Transaction, permit: EnrolmentPermit, reader: Reader, now: Date) {
    if (!isEnrolmentPermit(permit)) throw new TypeError('Enrolling needs an EnrolmentPermit of the guard.');
    super(trx, reader.admission, reader.dialect);
    this.#trx = trx;
    this.now = now;
  }

  /** Puts one row in place of the mark that is there, if any. */
  async mark(row: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#trx.withSchema('canvas').table(MARKER_TABLE).delete();
    await this.#trx.withSchema('canvas').table(MARKER_TABLE).insert(row);
  }
}

/** An open target: both connections have said who they are. */
export interface Database {
  readonly target: Target;
  readonly engine: Engine;
  readonly canvas: Reader;
  /** KSESSIONS. The same connection as `canvas` where it is the same database with the same login. */
  readonly source: Reader;
}

/** What to open. */
export interface OpenRequest {
  readonly target: Target;
  readonly logins: Readonly<Record<Role, Login>>;
  /** How long to wait for a lock, in milliseconds. */
  readonly waitMs: number;
}

// With DEBUG set, Knex prints every statement with its values, and hashes are among them.
(createRequire(createRequire(__filename).resolve('knex'))('debug') as { disable(): void }).disable();

const ENGINES: Record<Target['engine'], Engine> = { pglite, postgres, mssql };

/** The Knex instances and waits of open databases; not reachable from outside this file. */
const opened = new WeakMap<Database, Handle>();

interface Handle {
  readonly knex: Knex;
  readonly waitMs: number;
  readonly where: Where;
}

/**
 * Opens both connections of a target, lets each say who it is, and closes them however `work` ends.
 * @throws ToolkitError a GUARD_ code when an answer is refused; UNREACHABLE, TIMEOUT, CONFIG, LOCKED
 */
export async function withDatabase<T>(request: OpenRequest, work: (database: Database) => Promise<T>): Promise<T> {
  const engine = engineOf(request.target);
  return withConnection(engine, request, 'canvas', (knex, canvas) =>
    withSource(engine, request, canvas, async (source) => {
      const database: Database = { target: request.target, engine, canvas, source };
      const where = whereOf({ ...request, role: 'canvas', login: request.logins.canvas }, 'reading');
      opened.set(database, { knex, waitMs: request.waitMs, where });
      return work(database).catch((error: unknown) => {
        throw explain(database, error);
      });
    }),
  );
}

/** The engine of a target. */
export function engineOf(target: Target): Engine {
  return ENGINES[target.engine];
}

async function withSource<T>(
  engine: Engine,
  request: OpenRequest,
  canvas: Reader,
  work: (source: Reader) => Promise<T>,
): Promise<T> {
  if (isOneConnection(request)) return work(sameConnection(canvas));
  return withConnection(engine, request, 'source', (_knex, source) => work(source));
}

function isOneConnection({ target, logins }: OpenRequest): boolean {
  if (target.engine === 'pglite') return true;
  const { canvas, source } = target;
  const samePlace =
    canvas.server === source.server && canvas.port === source.port && canvas.database === source.database;
  return samePlace && canvas.serverName === source.serverName && logins.canvas === logins.source;
}

/** The source is asked by the same connection; the guard still judges it in its own role. */
function sameConnection(canvas: Reader): Reader {
  const { target, identity } = canvas.admission;
  const admission = admit(target, 'source', { ...identity, isExpected: true });
  return canvas.withAdmission(admission);
}

async function withConnection<T>(
  engine: Engine,
  request: OpenRequest,
  role: Role,
  work: (knex: Knex, reader: Reader) => Promise<T>,
): Promise<T> {
  const dial: Dial = { target: request.target, role, login: request.logins[role], waitMs: request.waitMs };
  const gate = makeGate(engine, dial);
  const knex = knexFactory({
    ...(await engine.connect(dial)),
    ...WITHOUT_VALUES,
    pool: { min: 0, max: 1, afterCreate: gate.afterCreate, createTimeoutMillis: request.waitMs + 60_000 },
    acquireConnectionTimeout: request.waitMs + 60_000,
    log: SILENT,
  });
  // Seeds ask these: they refuse what is neither embedded nor a test target.
  knex.userParams = { engine: request.target.engine, environment: request.target.environment };
  knex.on('query-error', (error: Error) => setOrigin(error, whereOf(dial, 'reading')));
  try {
    const admission = await gate.firstAdmission(knex).catch((error: unknown) => {
      throw explained(engine, error, whereOf(dial, 'connecting'));
    });
    return await work(knex, new Reader(knex, admission, engine.dialect));
  } finally {
    await knex.destroy();
  }
}

/** Which connection a driver's error came from: one catch far away can then say where it happened. */
const origin = new WeakMap<Error, Where>();

function setOrigin(error: unknown, where: Where): void {
  if (error instanceof Error) origin.set(error, where);
}

/**
 * A Knex configuration for the `knex` command: its connections pass the same gate, and because Knex writes by itself,
 * each must be the very database the Permit is for.
 */
export async function knexConfigFor(request: OpenRequest, permit: Permit): Promise<Knex.Config> {
  const engine = engineOf(request.target);
  const dial: Dial = { target: request.target, role: 'canvas', login: request.logins.canvas, waitMs: request.waitMs };
  const gate = makeGate(engine, dial, async (raw, admission) => {
    assertUnmoved(permit, admission.identity);
    await engine.allowWrites(raw);
  });
  return { ...(await engine.connect(dial)), ...WITHOUT_VALUES, pool: { min: 0, max: 1, afterCreate: gate.afterCreate } };
}

/** Knex puts the statement into the message of an error, and by default the values into the statement: hashes. */
const WITHOUT_VALUES = { compileSqlOnError: false };

/** Knex prints its own warnings, of errors that are thrown as well; only cli/ prints. */
const SILENT = { warn() {}, error() {}, deprecate() {}, debug() {} };

/**
 * Every physical connection passes here before its first use (tarn's afterCreate rejects the query otherwise).
 * @param then what else a connection must stand, once the guard has admitted it
 */
function makeGate(
  engine: Engine,
  dial: Dial,
  then: (raw: unknown, admission: Admission) => Promise<void> = () => Promise.resolve(),
) {
  let admission: Admission | undefined;
  const judge = async (raw: unknown) => {
    const answer = await engine.identify(raw, dial).catch((error: unknown) => {
      setOrigin(error, whereOf(dial, 'asking who it is'));
      throw error;
    });
    const next = admit(dial.target, dial.role, answer);
    if (admission !== undefined) assertSameIdentity(admission, next);
    await then(raw, next);
    admission = next;
  };
  return {
    afterCreate: (raw: unknown, done: (error: Error | null, raw: unknown) => void) => {
      judge(raw).then(
        () => done(null, raw),
        (error: unknown) => {
          const refuse = () => done(error as Error, raw);
          engine.disconnect(raw).then(refuse, refuse);
        },
      );
    },
    firstAdmission: async (knex: Knex): Promise<Admission> => {
      const client = knex.client as Pick<Knex.Client, 'acquireConnection' | 'releaseConnection'>;
      await client.releaseConnection(await client.acquireConnection());
      if (admission === undefined) throw faults.noIdentity();
      return admission;
    },
  };
}

/** A reconnection may have reached another server (a failover, a moved name): never the same run on two databases. */
function assertSameIdentity(before: Admission, now: Admission): void {
  const same =
    before.identity.serverId === now.identity.serverId && before.identity.databaseId === now.identity.databaseId;
  if (!same) throw faults.movedUnderneath(before.identity, now.identity);
}

function whereOf(dial: Dial, stage: string): Where {
  const { login, role, target, waitMs } = dial;
  const address =
    target.engine === 'pglite'
      ? target.folder
      : `${target[role].server}:${target[role].port}/${target[role].database}`;
  return { target: target.name, role, address, waitMs, login: login.from, stage };
}

/**
 * What the login of each connection could do to protected databases and to the source.
 * @returns one sentence each; none is good
 */
export async function findHarm({ canvas, source, engine, target }: Database): Promise<string[]> {
  const asked = await Promise.all(
    [canvas, source].map((reader) =>
      engine.findHarm((sql, bindings) => reader.ask(sql, bindings), target.protectedDatabases),
    ),
  );
  return [...new Set(asked.flat())];
}

/** What the login of each connection is that it need not be. @returns one sentence each; none is good */
export async function findExcess({ canvas, source, engine }: Database): Promise<string[]> {
  const asked = await Promise.all([canvas, source].map((reader) => engine.findExcess((sql, bindings) => reader.ask(sql, bindings))));
  return [...new Set(asked.flat())];
}

/** Does the server see TLS on a connection? Undefined where the driver's word has to do. */
export function seesTls({ engine }: Database, reader: Reader): Promise<boolean | undefined> {
  return engine.seesTls((sql, bindings) => reader.ask(sql, bindings));
}

/** The database's clock, UTC, to the millisecond. */
export async function readClock(database: Database): Promise<Date> {
  const [row] = await database.canvas.ask<{ now: string }>(database.engine.clock);
  return new Date(row?.now ?? Number.NaN);
}

function explained(engine: Engine, error: unknown, where: Where): unknown {
  if (error instanceof ToolkitError || error instanceof CommitUnknown) return error;
  return engine.explain(error, (error instanceof Error && origin.get(error)) || where) ?? error;
}

/**
 * A driver's error in our words.
 * @returns the error itself where it is ours already or nobody knows it
 */
export function explain(database: Database, error: unknown): unknown {
  return explained(database.engine, error, handleOf(database).where);
}

/** Thrown when COMMIT was sent and its answer never came; the caller must look, not retry. */
export class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown';
}

/** The names of the locks that serialise a transaction's work with that of others; undefined for none. */
export type Locks = string | readonly string[] | undefined;

/**
 * One writing transaction. Its first statement asserts the database and reads the clock; then, where names are
 * given, the locks are taken; an error anywhere rolls back, as does the end of the time it may take as a whole.
 * @param locks taken in one order by whoever takes several, so that two runs cannot wait for each other
 * @throws CommitUnknown when the connection was lost between COMMIT and its answer
 * @throws ToolkitError GUARD_IDENTITY, LOCKED, CONFLICT, TIMEOUT and what `work` throws
 */
export async function withTransaction<T>(
  database: Database,
  permit: Permit,
  locks: Locks,
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  return asWriter(database, permit, locks, (writer) => inTime(database, writer.sql, () => work(writer)));
}

/**
 * The same for changes of the schema, which take as long as the tables need: only its single waits are bounded.
 * @throws as `withTransaction`
 */
export async function withSchemaChange<T>(
  database: Database,
  permit: Permit,
  locks: Locks,
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  return asWriter(database, permit, locks, work);
}

async function asWriter<T>(database: Database, permit: Permit, locks: Locks, work: (writer: Writer) => Promise<T>): Promise<T> {
  if (!isPermit(permit)) throw new TypeError('Writing needs a Permit of the guard.');
  return transact(database, permit, locks, (trx, head) => work(new Writer(trx, permit, database.canvas, head)));
}

/**
 * The one transaction that comes before there is a mark; enrolments of one database take turns.
 * @param makeTables makes the table of the mark and the bookkeeping tables where they are absent
 * @throws as `withTransaction`
 */
export async function withEnrolment<T>(
  database: Database,
  permit: EnrolmentPermit,
  makeTables: (knex: Knex) => Promise<void>,
  work: (enroller: Enroller) => Promise<T>,
): Promise<T> {
  if (!isEnrolmentPermit(permit)) throw new TypeError('Enrolling needs an EnrolmentPermit of the guard.');
  return transact(database, permit, 'enrol', (trx, { now }) =>
    inTime(database, trx, async () => {
      await makeTables(trx);
      return work(new Enroller(trx, permit, database.canvas, now));
    }),
  );
}

/** What both have in common: who it is asked first, an error anywhere rolls back, a lost COMMIT is told apart. */
async function transact<T>(
  database: Database,
  permit: Permit | EnrolmentPermit,
  locks: Locks,
  work: (trx: Knex.Transaction, head: Head) => Promise<T>,
): Promise<T> {
  const { knex, waitMs, where } = handleOf(database);
  const { engine } = database;
  let stage = 'taking the lock' as 'taking the lock' | 'writing' | 'committing';
  let failure: Error | undefined;
  const steps = async (trx: Knex.Transaction) => {
    const head = await engine.beginWriting(trx, permit.identity, lockOf(locks, waitMs));
    assertUnmoved(permit, head.identity);
    stage = 'writing';
    const result = await work(trx, head);
    stage = 'committing';
    return result;
  };
  try {
    return await knex.transaction((trx) =>
      steps(trx).catch((error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error));
        setOrigin(error, { ...where, stage });
        throw error;
      }),
    );
  } catch (error) {
    // Where ROLLBACK fails too, as on a lost connection, Knex gives that error in place of the one that matters.
    if (failure !== undefined) throw failure;
    setOrigin(error, { ...where, stage });
    if (stage === 'committing' && !engine.isVerdict(error)) {
      throw new CommitUnknown('The answer to COMMIT never came.', { cause: error });
    }
    throw error;
  }
}

/** A server that answers each statement, and each late, holds the locks of a transaction no longer than this. */
async function inTime<T>({ engine, target }: Database, trx: Knex.Transaction, work: () => Promise<T>): Promise<T> {
  // The embedded engine works in this process: there is nobody to wait for.
  if (target.engine === 'pglite') return work();
  const raw: unknown = await (trx.client as Pick<Knex.Client, 'acquireConnection'>).acquireConnection();
  return withinTime(TRANSACTION_TIMEOUT_MS, work, () => void engine.disconnect(raw).catch(() => undefined));
}

function lockOf(locks: Locks, waitMs: number): Lock | undefined {
  const names = typeof locks === 'string' ? [locks] : [...new Set(locks)].sort();
  return names.length === 0 ? undefined : { names, waitMs };
}

function handleOf(database: Database): Handle {
  const handle = opened.get(database);
  if (handle === undefined) throw new TypeError('This database is closed.');
  return handle;
}
