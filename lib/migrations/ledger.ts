/** What the database says was applied: Knex's history, and the ledger with checksums beside it. */
import type { Knex } from 'knex';
import type { Reader, Writer } from '../engines/database';
import { createSchema, createTable, SCHEMA, typesFor } from './sql';

export const HISTORY_TABLE = 'knex_migrations';
export const LOCK_TABLE = 'knex_migrations_lock';
const LEDGER_TABLE = 'MigrationLedger';

export interface Applied {
  readonly name: string;
  readonly checksum: string;
}

/** What a ledger row records beside the file's name and checksum. */
export interface LedgerRecord extends Applied {
  readonly appliedAt: Date;
  readonly durationMs: number;
  readonly appliedBy: string;
  readonly toolVersion: string;
  /** Names of the objects this migration made. */
  readonly made: readonly string[];
}

/** The tables that enrolment makes: bookkeeping, in the schema they keep the books of. */
export async function createBookkeeping(knex: Knex): Promise<void> {
  const type = typesFor(knex);
  await createSchema(knex);
  // As Knex itself makes them, so that `npx knex` finds its own.
  await createTable(knex, HISTORY_TABLE, (table) => {
    table.increments('id');
    table.string('name');
    table.integer('batch');
    table.specificType('migration_time', type.time);
  });
  await createTable(knex, LOCK_TABLE, (table) => {
    table.increments('index');
    table.integer('is_locked');
  });
  await createTable(knex, LEDGER_TABLE, (table) => {
    table.specificType('Name', type.exact(200)).notNullable();
    table.specificType('Checksum', type.exact(64)).notNullable();
    table.specificType('AppliedAt', type.instant).notNullable();
    table.specificType('DurationMs', type.integer).notNullable();
    table.specificType('AppliedBy', type.text(128)).notNullable();
    table.specificType('ToolVersion', type.text(20)).notNullable();
    table.specificType('Objects', type.text(4000)).notNullable();
    table.primary(['Name'], { constraintName: 'PK_MigrationLedger' });
  });
}

/** What was applied, oldest first. */
export async function readLedger(reader: Reader): Promise<Applied[]> {
  const rows = await reader.from(SCHEMA, LEDGER_TABLE).select('Name', 'Checksum').orderBy('Name');
  return rows.map((row) => ({ name: String(row['Name']), checksum: String(row['Checksum']) }));
}

/** @returns whether a migration was applied already */
export async function isInLedger(trx: Knex, name: string): Promise<boolean> {
  const rows: unknown[] = await trx.withSchema(SCHEMA).from(LEDGER_TABLE).select('Name').where({ Name: name });
  return rows.length > 0;
}

/** The number of the batch a new run begins. */
export async function nextBatch(reader: Reader): Promise<number> {
  const rows = await reader.from(SCHEMA, HISTORY_TABLE).select('batch').orderBy('batch', 'desc').limit(1);
  return Number(rows[0]?.['batch'] ?? 0) + 1;
}

/** Records one migration in Knex's history, in the transaction that applied it. */
export async function recordHistory(writer: Writer, name: string, batch: number): Promise<void> {
  await writer.table(HISTORY_TABLE).insert({ name, batch, migration_time: writer.now });
}

/** Records one migration in the ledger, in the transaction that applied it. */
export async function recordInLedger(trx: Knex, record: LedgerRecord): Promise<void> {
  await trx.withSchema(SCHEMA).table(LEDGER_TABLE).insert({
    Name: record.name,
    Checksum: record.checksum,
    AppliedAt: record.appliedAt,
    DurationMs: record.durationMs,
    AppliedBy: record.appliedBy,
    ToolVersion: record.toolVersion,
    Objects: JSON.stringify({ made: record.made }),
  });
}
