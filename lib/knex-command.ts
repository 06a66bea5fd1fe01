/**
 * The `knex` command through the same guard, history, ledger and lock. What only `npm run migrate` gives: the check
 * of edited, missing and late files before anything runs.
 */
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { requireTarget, withOpenTarget } from './access';
import { readLogins } from './config/credentials';
import { PACKAGE_ROOT, readSettings } from './config/settings';
import { engineOf, knexConfigFor } from './engines/database';
import type { Engine } from './engines/engine';
import { faults } from './errors';
import { assertUnmoved, type Permit } from './guard/guard';
import { requirePermit } from './migrations/enrol';
import { loadMigration, readMigrations, type MigrationFile } from './migrations/files';
import { HISTORY_TABLE, isInLedger } from './migrations/ledger';
import { applyAndRecord, MIGRATION_LOCK } from './migrations/run';
import { SCHEMA } from './migrations/sql';

const WAIT_MS = 30_000;

/**
 * The configuration knexfile.ts exports.
 * @throws ToolkitError what the guard refuses, before Knex has opened anything
 */
export async function knexCommandConfig(env: NodeJS.ProcessEnv): Promise<Knex.Config & { userParams: object }> {
  const settings = readSettings(env);
  const target = requireTarget(settings);
  const purpose = 'migrate';
  const quiet = { onOpen: () => undefined, onNotice: () => undefined };
  const permit = await withOpenTarget({ settings, purpose, waitMs: WAIT_MS, ...quiet }, requirePermit);
  const request = { target, logins: readLogins(settings, target, purpose), waitMs: WAIT_MS };
  return {
    ...(await knexConfigFor(request, permit)),
    migrations: {
      // No directory and no extension: with either, Knex falls back to its own source and names.
      schemaName: SCHEMA,
      tableName: HISTORY_TABLE,
      migrationSource: migrationSource(permit, engineOf(target), request.waitMs),
    },
    seeds: { directory: join(PACKAGE_ROOT, 'seeds'), extension: 'ts' },
    userParams: { engine: target.engine, environment: target.environment },
  };
}

/** Names without extension, as the runner records them; each migration asserts the database and takes the lock. */
function migrationSource(permit: Permit, engine: Engine, waitMs: number): Knex.MigrationSource<MigrationFile> {
  return {
    getMigrations: () => Promise.resolve(readMigrations()),
    getMigrationName: ({ name }) => name,
    getMigration: (file) => Promise.resolve({ up: (trx) => up(trx, file), down: (trx) => loadMigration(file).down(trx) }),
  };

  async function up(knex: Knex, file: MigrationFile): Promise<void> {
    const trx = knex as Knex.Transaction;
    const { identity, now } = await engine.beginWriting(trx, permit.identity, { name: MIGRATION_LOCK, waitMs });
    assertUnmoved(permit, identity);
    // Knex read its pending list before it had any lock.
    if (await isInLedger(trx, file.name)) throw faults.appliedMeanwhile(file.name);
    await engine.prepareSchemaChange(trx);
    await applyAndRecord(trx, file, { actor: userInfo().username, now });
  }
}
