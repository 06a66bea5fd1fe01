/** What the database says was applied: Knex's history, and the ledger with checksums beside it. */
import type { Knex } from 'knex';
import type { Reader, Writer } from '../engines/database';
import { dateOf, numberOf, textOf, textOrNull, type Row } from '../engines/rows';
import { hasShape, type MigrationFile } from './files';
import { createSchema, createTable, insertFirstRow, namesFor, SCHEMA, typesFor } from './sql';

export const HISTORY_TABLE = 'knex_migrations';
export const LOCK_TABLE = 'knex_migrations_lock';
export const LEDGER_TABLE = 'MigrationLedger';

/** Objects of schema canvas by kind and name (`index HostSessions.UX_HostSessions_OneActive`). */
export interface Objects {
  /** Those a migration made: all that a rollback may take away. */
  readonly made: readonly string[];
  /** Those of its shape that stood there before it. */
  readonly found: readonly string[];
}

/** That a migration was applied: all that a plan needs, which is read before everything a run does. */
export interface Entry {
  readonly name: string;
  /** Undefined where only Knex's history knows it. */
  readonly checksum: string | undefined;
  /** Undefined where only the ledger knows it. */
  readonly batch: number | undefined;
}

/** One applied migration, as ledger and history have it. */
export interface Applied extends Entry {
  readonly appliedAt: Date | undefined;
  readonly appliedBy: string | undefined;
  readonly durationMs: number | undefined;
  readonly toolVersion: string | undefined;
  readonly objects: Objects;
  /** The cell of `objects` is none that a run records: what it made is not known. */
  readonly isDamaged: boolean;
}

/** What a ledger row records. */
export interface LedgerRecord {
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: Date;
  readonly durationMs: number;
  readonly appliedBy: string;
  readonly toolVersion: string;
  readonly objects: Objects;
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
  // Two rows, as two first runs of Knex make them, would lock it for ever.
  await insertFirstRow(knex, LOCK_TABLE, 'is_locked', 0);
  await createTable(knex, LEDGER_TABLE, (table) => {
    table.specificType('Name', type.exact(200)).notNullable();
    table.specificType('Checksum', type.exact(64)).notNullable();
    table.specificType('AppliedAt', type.instant).notNullable();
    table.specificType('DurationMs', type.integer).notNullable();
    table.specificType('AppliedBy', type.text(128)).notNullable();
    table.specificType('ToolVersion', type.text(20)).notNullable();
    table.specificType('Objects', type.long).notNullable();
    table.primary(['Name'], { constraintName: 'PK_MigrationLedger' });
  });
}

/**
 * What was applied, first to last: history joined with the ledger, so that a row of which the other knows nothing shows.
 */
export async function readLedger(reader: Reader): Promise<Applied[]> {
  return join(reader, LEDGER_COLUMNS, (name, row, batch) => {
    const objects = row && objectsOf(row);
    return {
      ...toEntry(name, row, batch),
      appliedAt: row && dateOf(row, 'AppliedAt'),
      appliedBy: row && textOf(row, 'AppliedBy'),
      durationMs: row && numberOf(row, 'DurationMs', 0),
      toolVersion: row && textOf(row, 'ToolVersion'),
      objects: objects ?? { made: [], found: [] },
      isDamaged: row !== undefined && objects === undefined,
    };
  });
}

/** @returns undefined where the cell is none that a run records */
function objectsOf(row: Row): Objects | undefined {
  try {
    const { made, found } = JSON.parse(textOrNull(row, 'Objects') ?? '') as Partial<Record<keyof Objects, unknown>>;
    return isObjectList(made) && isObjectList(found) ? { made, found } : undefined;
  } catch {
    return undefined;
  }
}

/** A kind and a name each. */
const isObjectList = (list: unknown): list is string[] =>
  Array.isArray(list) && list.every((object) => typeof object === 'string' && /^\S+ \S/.test(object));

/** The same, and rows marked that somebody emptied: a migration with a shape makes or finds at least its tables. */
export async function readBooks(reader: Reader, files: readonly MigrationFile[]): Promise<Applied[]> {
  const isEmpty = ({ checksum, objects: { made, found } }: Applied) => checksum !== undefined && made.length + found.length === 0;
  const applied = await readLedger(reader);
  return applied.map((one) => (isEmpty(one) && hasShape(files, one.name) ? { ...one, isDamaged: true } : one));
}

/** The same, with no more than a plan needs. */
export function readEntries(reader: Reader): Promise<Entry[]> {
  return join(reader, ENTRY_COLUMNS, toEntry);
}

const ENTRY_COLUMNS = ['Name', 'Checksum'];
const LEDGER_COLUMNS = [...ENTRY_COLUMNS, 'AppliedAt', 'DurationMs', 'AppliedBy', 'ToolVersion', 'Objects'];

/** Both in one statement: between two, a run that commits would make them disagree. */
async function join<T>(
  reader: Reader,
  columns: readonly string[],
  to: (name: string, row: Row | undefined, batch: number | undefined) => T,
): Promise<T[]> {
  const { name: quoted, table } = namesFor(reader.dialect);
  const rows = await reader.ask<Row>(
    `SELECT ${columns.map(quoted).join(', ')}, NULL AS "historyName", NULL AS "batch", NULL AS "id" FROM ${table(LEDGER_TABLE)}
     UNION ALL
     SELECT ${columns.map(() => 'NULL').join(', ')}, ${['name', 'batch', 'id'].map(quoted).join(', ')} FROM ${table(HISTORY_TABLE)}
     ORDER BY "id"`,
  );
  const ledger = rows.filter((row) => row['historyName'] === null);
  const history = rows.filter((row) => row['historyName'] !== null);
  const records = new Map(ledger.map((row) => [textOf(row, 'Name'), row]));
  const batches = new Map(history.map((row) => [textOf(row, 'historyName'), numberOf(row, 'batch', 0)]));
  const unrecorded = [...records.keys()].filter((name) => !batches.has(name)).sort();
  return [...batches.keys(), ...unrecorded].map((name) => to(name, records.get(name), batches.get(name)));
}

const toEntry = (name: string, row: Row | undefined, batch: number | undefined): Entry => ({
  name,
  batch,
  checksum: row && textOf(row, 'Checksum'),
});

/** The number of the batch a new run begins. */
export function nextBatch(applied: readonly Entry[]): number {
  return applied.reduce((latest, { batch = 0 }) => Math.max(latest, batch), 0) + 1;
}

/** Records one migration in Knex's history, in the transaction that applied it. */
export async function recordHistory(writer: Writer, name: string, batch: number): Promise<void> {
  await writer.table(HISTORY_TABLE).insert({ name, batch, migration_time: writer.now });
}

/** Records one migration in the ledger, in the transaction that applied it. */
export async function recordInLedger(writer: Writer, record: LedgerRecord): Promise<void> {
  await writer.table(LEDGER_TABLE).insert({
    Name: record.name,
    Checksum: record.checksum,
    AppliedAt: record.appliedAt,
    DurationMs: record.durationMs,
    AppliedBy: record.appliedBy,
    ToolVersion: record.toolVersion,
    Objects: JSON.stringify(record.objects),
  });
}

/** Strikes one migration out of both books, in the transaction that took it back. */
export async function strikeOut(writer: Writer, name: string): Promise<void> {
  await writer.table(LEDGER_TABLE).where({ Name: name }).delete();
  await writer.table(HISTORY_TABLE).where({ name }).delete();
}

/**
 * Knex's own lock is a row, which stays locked when its owner is killed, and two rows lock it for ever. Here it guards
 * nothing: every migration, whoever runs it, is applied under a lock that ends with its transaction. So the row is
 * simply put right.
 */
export async function resetLockRow(writer: Writer): Promise<void> {
  await writer.table(LOCK_TABLE).delete();
  await writer.table(LOCK_TABLE).insert({ is_locked: 0 });
}

/** @returns whether Knex's lock row is as it should be between runs */
export async function isLockRowFree(reader: Reader): Promise<boolean> {
  const rows = await reader.from(SCHEMA, LOCK_TABLE).select('is_locked');
  return rows.length === 1 && numberOf(rows[0], 'is_locked', 1) === 0;
}
