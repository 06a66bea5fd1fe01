/**
 * The `knex` command through the same guard, history, ledger and lock: `migrate:make`, `list`, `latest`, `rollback`.
 * docs/migrations.md says what only `npm run migrate` gives.
 */
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { requireTarget, withOpenTarget } from './access';
import { readLogins } from './config/credentials';
import { PACKAGE_ROOT, readSettings } from './config/settings';
import { engineOf, knexConfigFor, Reader, withTransaction, Writer, type Database } from './engines/database';
import type { Engine } from './engines/engine';
import { faults } from './errors';
import { assertUnmoved, type Permit } from './guard/guard';
import { applyMigration, revertMigration } from './migrations/apply';
import { requirePermit } from './migrations/enrol';
import { readMigrations, type MigrationFile } from './migrations/files';
import { HISTORY_TABLE, isLockRowFree, readBooks, readEntries, resetLockRow } from './migrations/ledger';
import { planLatest } from './migrations/plan';
import { MIGRATION_LOCK, requireLast, requireNext } from './migrations/run';
import { SCHEMA } from './migrations/sql';

const WAIT_MS = 30_000;

/**
 * The configuration knexfile.ts exports.
 * @param words the command line after `knex`
 * @throws ToolkitError what the guard refuses, before Knex has opened anything; USAGE for what would override it
 */
export async function knexCommandConfig(env: NodeJS.ProcessEnv, words: readonly string[]): Promise<CommandConfig> {
  refuseOverrides(words);
  const settings = readSettings(env);
  const target = requireTarget(settings);
  const purpose = 'migrate';
  const quiet = { onOpen: () => undefined, onNotice: () => undefined };
  const permit = await withOpenTarget({ settings, purpose, waitMs: WAIT_MS, ...quiet }, prepare);
  const request = { target, logins: readLogins(settings, target, purpose), waitMs: WAIT_MS };
  const config = {
    ...(await knexConfigFor(request, permit)),
    migrations: {
      // No directory: with one, Knex falls back to its own source and names.
      schemaName: SCHEMA,
      tableName: HISTORY_TABLE,
      migrationSource: migrationSource(permit, engineOf(target), request.waitMs),
      stub: STUB,
      extension: 'ts',
    },
    seeds: { directory: join(PACKAGE_ROOT, 'seeds'), extension: 'ts' },
    userParams: { engine: target.engine, environment: target.environment },
  };
  return assertWhole(config, env);
}

type CommandConfig = Knex.Config & { userParams: object };

/** Options that Knex lays over the configuration, or by which it takes another part of it. */
const OVERRIDES = ['client', 'connection', 'env', 'migrations-directory', 'migrations-table-name'];

function refuseOverrides(words: readonly string[]): void {
  const names = words.map((word) => /^--([^=]+)/.exec(word)?.[1] ?? '');
  const override = names.find((name) => OVERRIDES.includes(name));
  if (override !== undefined) throw faults.knexOverride(`--${override}`);
}

/** Knex takes the member of the configuration that is called like NODE_ENV, if there is one, for the whole of it. */
function assertWhole(config: CommandConfig, { NODE_ENV: environment = '' }: NodeJS.ProcessEnv): CommandConfig {
  if (environment in config) throw faults.knexOverride(`NODE_ENV=${environment}`);
  return config;
}

/** What `migrate:make` begins with: our helpers, and a shape to be filled in. */
const STUB = join(PACKAGE_ROOT, 'lib', 'migrations', 'migration.stub');

/** The Permit; and Knex's lock row, which a killed command leaves locked, is put right (see `resetLockRow`). */
async function prepare(database: Database): Promise<Permit> {
  const permit = await requirePermit(database);
  // Knex itself would say "up to date" over an edited file. A late one is refused where it would be applied.
  planLatest(readMigrations(), await readEntries(database.canvas), true);
  if (!(await isLockRowFree(database.canvas))) {
    await withTransaction(database, permit, MIGRATION_LOCK, resetLockRow);
  }
  return permit;
}

/** Names without extension, as the runner records them; each migration asserts the database and takes the lock. */
function migrationSource(permit: Permit, engine: Engine, waitMs: number): Knex.MigrationSource<MigrationFile> {
  return {
    // `migrate:list` prints a pending one by its `file`, whatever the source calls it.
    getMigrations: () => Promise.resolve(readMigrations().map((file) => ({ ...file, file: file.name }))),
    getMigrationName: ({ name }) => name,
    getMigration: (file) => Promise.resolve({ up: (knex) => up(knex, file), down: (knex) => down(knex, file) }),
  };

  /** Knex read its lists before it had any lock; they are read again under it. */
  async function up(knex: Knex, { name }: MigrationFile): Promise<void> {
    const writer = await writerIn(knex, name);
    const file = requireNext(readMigrations(), await readEntries(writer), name);
    await applyMigration({ engine, writer }, file, userInfo().username);
  }

  async function down(knex: Knex, { name }: MigrationFile): Promise<void> {
    const writer = await writerIn(knex, name);
    const files = readMigrations();
    const step = requireLast(files, await readBooks(writer, files), name);
    await revertMigration({ engine, writer }, step);
  }

  async function writerIn(knex: Knex, name: string): Promise<Writer> {
    // With --disable-transactions there is none to hold the lock.
    if (knex.isTransaction !== true) throw faults.withoutTransaction(name);
    const trx = knex as Knex.Transaction;
    const { identity, ...head } = await engine.beginWriting(trx, permit.identity, { names: [MIGRATION_LOCK], waitMs });
    assertUnmoved(permit, identity);
    const admission = { target: permit.target, role: 'canvas' as const, identity };
    return new Writer(trx, permit, new Reader(trx, admission, engine.dialect), head);
  }
}
