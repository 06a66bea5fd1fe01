/** Marks a database, once, as belonging to a target, and makes the bookkeeping tables. */
import type { Knex } from 'knex';
import { withEnrolment, type Database, type Reader } from '../engines/database';
import { permitEnrolment, permitWriting, type Permit } from '../guard/guard';
import { makeMarker, MARKER_COLUMNS, MARKER_TABLE, toMarker, toMarkerRow, type Marker } from '../guard/marker';
import { createBookkeeping, HISTORY_TABLE, LEDGER_TABLE, LOCK_TABLE } from './ledger';
import { hasTable, mayReadTable } from './live-schema';
import type { ExpectedSchema } from './schema';
import { createTable, SCHEMA, typesFor } from './sql';

/** The tables that enrolment makes. Nobody has an opinion of their columns; a trigger on one is as foreign as elsewhere. */
export const ENROLMENT_SHAPE: ExpectedSchema = { [MARKER_TABLE]: {}, [LEDGER_TABLE]: {}, [HISTORY_TABLE]: {}, [LOCK_TABLE]: {} };

/** The mark of a database, or undefined where there is none. Needs no write permission and creates nothing. */
export async function readMarker(reader: Reader): Promise<Marker | undefined> {
  return (await hasTable(reader, MARKER_TABLE)) ? markIn(reader) : undefined;
}

async function markIn(reader: Reader): Promise<Marker | undefined> {
  const [row] = await reader.from(SCHEMA, MARKER_TABLE).select(...MARKER_COLUMNS);
  return row === undefined ? undefined : toMarker(row);
}

/** The same of KSESSIONS, whose login need not know schema canvas there: a mark that it may not read is none. */
export async function readSourceMarker(source: Reader): Promise<Marker | undefined> {
  return (await mayReadTable(source, MARKER_TABLE)) ? markIn(source) : undefined;
}

/** The right to write to an open database, by its mark. @throws ToolkitError GUARD_NOT_ENROLLED, GUARD_MARKER */
export async function requirePermit(database: Database): Promise<Permit> {
  return permitWriting(database.canvas.admission, await readMarker(database.canvas));
}

/** What enrolment did. */
export interface Enrolment {
  readonly before: Marker | undefined;
  readonly after: Marker;
}

/**
 * Enrols an open database. Idempotent; a database that moved is enrolled anew.
 * @param confirmed the server-reported database name, as a person typed it
 * @param actor who enrols
 * @throws ToolkitError GUARD_MARKER when it is marked as production or the name is another
 */
export async function enrol(database: Database, confirmed: string, actor: string): Promise<Enrolment> {
  const { target, canvas } = database;
  const before = await readMarker(canvas);
  const permit = permitEnrolment(canvas.admission, before, confirmed);
  const after = makeMarker(target, permit.identity);
  await withEnrolment(database, permit, makeTables, async (enroller) => {
    // Under the lock the mark may be another than the one that was judged.
    permitEnrolment(canvas.admission, await readMarker(enroller), confirmed);
    await enroller.mark({ ...toMarkerRow(after), EnrolledAt: enroller.now, EnrolledBy: actor });
  });
  return { before, after };
}

async function makeTables(knex: Knex): Promise<void> {
  await createBookkeeping(knex);
  await createMarkerTable(knex);
}

/** One row: the primary key has one possible value. */
export async function createMarkerTable(knex: Knex): Promise<void> {
  const type = typesFor(knex);
  await createTable(knex, MARKER_TABLE, (table) => {
    table.integer('OnlyRow').notNullable().defaultTo(1);
    table.specificType('Target', type.exact(128)).notNullable();
    table.specificType('Environment', type.exact(20)).notNullable();
    table.specificType('ServerId', type.exact(128)).notNullable();
    table.specificType('DatabaseName', type.exact(128)).notNullable();
    table.specificType('DatabaseId', type.exact(64)).notNullable();
    table.specificType('EnrolledAt', type.instant).notNullable();
    table.specificType('EnrolledBy', type.text(128)).notNullable();
    table.primary(['OnlyRow'], { constraintName: 'PK_Environment' });
    table.check('"OnlyRow" = 1', {}, 'CK_Environment_OnlyRow');
  });
}
