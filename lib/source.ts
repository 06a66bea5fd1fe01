/** A narrow, read-only window on KSESSIONS (schema dbo): no function here could write. */
import type { Reader } from './engines/database';
import type { Dialect } from './engines/engine';
import { idOf, numberOf, textOf, textOrNull, type Row } from './engines/rows';
import { ID, rowset, rowsetOfIds } from './engines/rowset';

/** dbo.Sessions.SessionID is INT and starts at 1: above this the old tool wrapped to another session (I-37). */
export const MAX_KSESSIONS_ID = 2_147_483_647;

/** A session as KSESSIONS has it. */
export interface SourceSession {
  /** dbo.Sessions.SessionID: what operators type. */
  readonly ksessionsId: number;
  readonly title: string;
  readonly description: string | null;
  /** Transcripts are 20-30 kB of HTML each: counted, never fetched. */
  readonly transcripts: number;
}

/**
 * NULL IsActive counts as active, so IsActive is not looked at. Transcripts are counted by sets: nothing says that their
 * table has an index by session.
 */
const sessionsOf = (dialect: Dialect) => `
  SELECT s."SessionID" AS "id", s."SessionName" AS "title", s."Description" AS "description", COALESCE(c."n", 0) AS "transcripts"
  FROM dbo."Sessions" s LEFT JOIN (
    SELECT t."SessionID", COUNT(*) AS "n" FROM dbo."SessionTranscripts" t
    WHERE t."SessionID" IN (SELECT w."id" FROM ${rowset(dialect, 'w', ID)}) GROUP BY t."SessionID") c ON c."SessionID" = s."SessionID"
  WHERE s."SessionID" IN (SELECT r."id" FROM ${rowset(dialect, 'r', ID)})`;

/** @returns those sessions that KSESSIONS has, by id */
export async function findSourceSessions(source: Reader, ksessionsIds: readonly number[]): Promise<Map<number, SourceSession>> {
  const ids = rowsetOfIds(ksessionsIds);
  const rows = await source.ask<Row>(sessionsOf(source.dialect), [ids, ids]);
  return new Map(rows.map((row) => [idOf(row, 'id'), toSession(row)]));
}

/** @returns the session, or undefined where KSESSIONS has none of that id */
export async function findSourceSession(source: Reader, ksessionsId: number): Promise<SourceSession | undefined> {
  return (await findSourceSessions(source, [ksessionsId])).get(ksessionsId);
}

function toSession(row: Row): SourceSession {
  return {
    ksessionsId: idOf(row, 'id'),
    title: textOrNull(row, 'title') ?? '',
    description: textOrNull(row, 'description'),
    transcripts: numberOf(row, 'transcripts', 0),
  };
}

/** @returns those of the ids that KSESSIONS has no session of */
export function findGone(source: Reader, ksessionsIds: readonly number[]): Promise<number[]> {
  return pick(source, ksessionsIds, (id) => `NOT EXISTS (SELECT 1 FROM dbo."Sessions" s WHERE s."SessionID" = ${id})`);
}

/** @returns those of the ids that are a session without a transcript: there is nothing to show */
export function findWithoutTranscripts(source: Reader, ksessionsIds: readonly number[]): Promise<number[]> {
  return pick(
    source,
    ksessionsIds,
    (id) => `EXISTS (SELECT 1 FROM dbo."Sessions" s WHERE s."SessionID" = ${id})
     AND NOT EXISTS (SELECT 1 FROM dbo."SessionTranscripts" t WHERE t."SessionID" = ${id})`,
  );
}

async function pick(source: Reader, ids: readonly number[], condition: (id: string) => string): Promise<number[]> {
  const rows = await source.ask<Row>(
    `SELECT r."id" AS "id" FROM ${rowset(source.dialect, 'r', ID)} WHERE ${condition('r."id"')} ORDER BY r."id"`,
    [rowsetOfIds(ids)],
  );
  return rows.map((row) => idOf(row, 'id'));
}

/** What is read of each table of KSESSIONS. */
const READ = { Sessions: ['SessionID', 'SessionName', 'Description'], SessionTranscripts: ['SessionID'] } as const;

/** Columns that are read of KSESSIONS and are not there, or not for this login, as `dbo.TABLE.COLUMN`. */
export async function findMissingColumns(source: Reader): Promise<string[]> {
  const rows = await source.ask<Row>(
    `SELECT c.TABLE_NAME AS "table", c.COLUMN_NAME AS "column" FROM INFORMATION_SCHEMA.COLUMNS c WHERE c.TABLE_SCHEMA = 'dbo'`,
  );
  // SQL Server finds a name whatever its case; PostgreSQL does not.
  const spelt = (name: string) => (source.dialect === 'mssql' ? name.toLowerCase() : name);
  const there = new Set(rows.map((row) => spelt(`${textOf(row, 'table')}.${textOf(row, 'column')}`)));
  const read = Object.entries(READ).flatMap(([table, columns]) => columns.map((column) => `${table}.${column}`));
  return read.filter((name) => !there.has(spelt(name))).map((name) => `dbo.${name}`);
}
