/**
 * The runner: each migration in one transaction with its history and ledger rows. The pending list is read under a
 * lock that ends with the transaction, so that nothing can stay locked and a killed run is simply continued.
 */
import type { Knex } from 'knex';
import { packageVersion } from '../config/settings';
import { explain, withTransaction, type Database, type Reader, type Writer } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Permit } from '../guard/guard';
import { loadMigration, MIGRATIONS_FOLDER, readMigrations, type MigrationFile } from './files';
import { nextBatch, readLedger, recordHistory, recordInLedger } from './ledger';
import { planLatest } from './plan';
import { listObjects } from './schema';

/** Every runner takes this lock, the `knex` command too. */
export const MIGRATION_LOCK = 'migrate';

export interface RunRequest {
  readonly folder?: string;
  readonly actor: string;
  /** Told after each migration was committed. */
  readonly onApplied?: (name: string, durationMs: number) => void;
}

/** Names of the migrations still to apply. Creates nothing and needs no write permission. */
export async function pendingMigrations(reader: Reader, folder = MIGRATIONS_FOLDER): Promise<string[]> {
  return planLatest(readMigrations(folder), await readLedger(reader)).map(({ name }) => name);
}

/**
 * Applies what is pending. Runners at the same time take turns; each migration is applied once.
 * @returns the names this run applied
 * @throws ToolkitError MIGRATION_EDITED, DATA_NOT_READY, LOCKED and the guard's
 */
export async function migrateLatest(database: Database, permit: Permit, request: RunRequest): Promise<string[]> {
  const applied: string[] = [];
  let batch: number | undefined;
  for (;;) {
    const step = await withTransaction(database, permit, MIGRATION_LOCK, async (writer) => {
      const [next] = planLatest(readMigrations(request.folder), await readLedger(writer));
      if (next === undefined) return undefined;
      batch ??= await nextBatch(writer);
      const durationMs = await applyOne(database, writer, next, request.actor);
      await recordHistory(writer, next.name, batch);
      return { name: next.name, durationMs };
    });
    if (step === undefined) return applied;
    applied.push(step.name);
    request.onApplied?.(step.name, step.durationMs);
  }
}

async function applyOne(database: Database, writer: Writer, file: MigrationFile, actor: string): Promise<number> {
  await database.engine.prepareSchemaChange(writer.sql);
  return applyAndRecord(writer.sql, file, { actor, now: writer.now }).catch((error: unknown) => {
    throw inMigration(file.name, explain(database, error));
  });
}

/**
 * Runs one migration and records it in the ledger, in the transaction it is given. The `knex` command comes here
 * too: the ledger does not depend on who ran.
 * @returns how long the migration took, in milliseconds
 */
export async function applyAndRecord(
  trx: Knex,
  file: MigrationFile,
  { actor, now }: { readonly actor: string; readonly now: Date },
): Promise<number> {
  const before = await listObjects(trx);
  const start = performance.now();
  await loadMigration(file).up(trx);
  const durationMs = Math.round(performance.now() - start);
  const made = [...(await listObjects(trx))].filter((object) => !before.has(object)).sort();
  await recordInLedger(trx, {
    name: file.name,
    checksum: file.checksum,
    appliedAt: now,
    durationMs,
    appliedBy: actor,
    toolVersion: packageVersion(),
    made,
  });
  return durationMs;
}

/** A time-out or a lost connection says so itself; everything else is about the data or the schema. */
function inMigration(name: string, error: unknown): unknown {
  if (error instanceof ToolkitError && error.code !== 'CONFLICT') return error;
  const cause = error instanceof ToolkitError ? error.cause : error;
  return faults.migrationFailed(name, cause);
}
