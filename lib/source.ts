/** A narrow, read-only window on KSESSIONS (schema dbo): no function here could write. */
import type { Reader } from './engines/database';
import type { Dialect } from './engines/engine';
import { idOf, numberOf, textOrNull, type Row } from './engines/rows';
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
