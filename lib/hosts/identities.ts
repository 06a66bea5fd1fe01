/**
 * What the database would give out as the next id, against the largest id that is there. Rows inserted with ids of
 * their own leave an identity behind (I-21); from then on every insert fails with a primary key that is taken.
 */
import type { Reader, Writer } from '../engines/database';
import { numberOf, textOf, textOrNull, type Row } from '../engines/rows';
import { faults } from '../errors';

/** Tables whose ids the database makes. */
const IDENTITIES = { Sessions: 'SessionId', HostSessions: 'HostSessionId', HostSessionEvents: 'EventId' } as const;

export type IdentityTable = keyof typeof IDENTITIES;

export interface IdentityState {
  readonly table: IdentityTable;
  /** The largest id there is; 0 in an empty table. */
  readonly largest: number;
  /** The id the next row would get. */
  readonly next: number;
}

/** Ask, don't insist: is the next id one that may be taken, or none at all? */
export function isBehind({ largest, next }: IdentityState): boolean {
  return next <= largest || next < 1;
}

/**
 * Reads the catalogue only: no identity value is used up.
 * @throws ToolkitError SCHEMA_UNSUPPORTED for a table whose ids the database does not make
 */
export async function readIdentities(reader: Reader): Promise<IdentityState[]> {
  const states: IdentityState[] = [];
  for (const table of Object.keys(IDENTITIES) as IdentityTable[]) states.push(await readIdentity(reader, table));
  return states;
}

async function readIdentity(reader: Reader, table: IdentityTable): Promise<IdentityState> {
  const column = IDENTITIES[table];
  const largest = `(SELECT MAX("${column}") FROM canvas."${table}") AS "largest"`;
  const sql =
    reader.dialect === 'mssql'
      ? // Of a table that never had a row it is the seed itself; nothing is behind there.
        `SELECT ${largest}, IDENT_CURRENT('canvas.${table}') + IDENT_INCR('canvas.${table}') AS "next"`
      : `SELECT ${largest}, last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS "next" FROM ${await sequenceOf(reader, table)}`;
  const [row] = await reader.ask<Row>(sql);
  if (row?.['next'] == null) throw faults.idsNotMade(table, column);
  const next = Number(row['next']);
  if (!Number.isSafeInteger(next)) throw faults.idBeyond(`The identity of canvas.${table}`, textOf(row, 'next'));
  return { table, largest: numberOf(row, 'largest', 0), next };
}

/** The sequence behind an identity column, qualified and quoted by the server. */
async function sequenceOf(reader: Reader, table: IdentityTable): Promise<string> {
  const [row] = await reader.ask<Row>('SELECT pg_get_serial_sequence(?, ?) AS "name"', [
    `canvas."${table}"`,
    IDENTITIES[table],
  ]);
  const name = row === undefined ? null : textOrNull(row, 'name');
  if (name === null) throw faults.idsNotMade(table, IDENTITIES[table]);
  return name;
}

/**
 * Moves an identity to the largest id, or where that is below 1 to the first one, never back. Writers wait meanwhile: the largest id must not grow between the
 * look and the move.
 */
export async function advanceIdentity(writer: Writer, table: IdentityTable): Promise<void> {
  if (writer.dialect === 'mssql') {
    // Without a value it only ever moves forward, to the largest id.
    await writer.sql.raw(`DBCC CHECKIDENT ('canvas.${table}', RESEED) WITH NO_INFOMSGS`);
    const { next } = await readIdentity(writer, table);
    if (next < 1) await writer.sql.raw(`DBCC CHECKIDENT ('canvas.${table}', RESEED, 1) WITH NO_INFOMSGS`);
    return;
  }
  await writer.sql.raw(`LOCK TABLE canvas."${table}" IN SHARE ROW EXCLUSIVE MODE`);
  const state = await readIdentity(writer, table);
  if (isBehind(state)) {
    const last = Math.max(state.largest, 1);
    await writer.sql.raw('SELECT setval(?::regclass, ?, ?)', [await sequenceOf(writer, table), last, state.largest >= 1]);
  }
}
