/** A narrow, read-only window on KSESSIONS (schema dbo): no function here could write. */
import type { Reader } from './engines/database';

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

/** NULL IsActive counts as active, so IsActive is not looked at. */
const SESSION = `
  SELECT s."SessionID" AS "id", s."SessionName" AS "title", s."Description" AS "description",
    (SELECT COUNT(*) FROM dbo."SessionTranscripts" t WHERE t."SessionID" = s."SessionID") AS "transcripts"
  FROM dbo."Sessions" s WHERE s."SessionID" = ?`;

/** @returns the session, or undefined where KSESSIONS has none of that id */
export async function findSourceSession(source: Reader, ksessionsId: number): Promise<SourceSession | undefined> {
  const [row] = await source.ask<{ title: string | null; description: string | null; transcripts: string }>(SESSION, [
    ksessionsId,
  ]);
  if (row === undefined) return undefined;
  return {
    ksessionsId,
    title: row.title ?? '',
    description: row.description,
    transcripts: Number(row.transcripts),
  };
}
