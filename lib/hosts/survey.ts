/**
 * What stands in the canvas tables across all sessions: found by sets, read in batches, so that memory stays flat
 * however many rows there are. Reads only.
 */
import type { Reader } from '../engines/database';
import { idOf, numberOf, textOf, textOrNull, type Row } from '../engines/rows';
import { collated, rowset, rowsetOf } from '../engines/rowset';
import { faults } from '../errors';
import { MAX_KSESSIONS_ID } from '../source';
import { toHostSession, type HostSession } from './store';

/** Rows read at once. */
const BATCH = 200;

/** One canvas session with every credential it ever had. */
export interface CanvasCredentials {
  readonly canvasSessionId: number;
  /** null where nobody has said which KSESSIONS session it is. */
  readonly ksessionsId: number | null;
  readonly title: string | null;
  readonly hashCopy: string;
  /** Live and ended, by id. */
  readonly hostSessions: readonly HostSession[];
}

/** What only a person can decide. */
export interface Finding {
  readonly kind: 'two-canvas-rows' | 'impossible-link' | 'unlinked' | 'copy-alone' | 'orphan' | 'same-hash';
  readonly ksessionsId: number | null;
  readonly canvasSessionIds: readonly number[];
  readonly hostSessionIds: readonly number[];
  readonly title: string | null;
}

/** The part of LIMIT that both kinds of server know. */
const NEXT_BATCH = `OFFSET 0 ROWS FETCH NEXT ${BATCH} ROWS ONLY`;

const isActive = (row: string) => `${row}."IsActive" = ?`;

// --- conditions, for whoever looks at the same -----------------------------------------------------------------------

/**
 * A host session that opens: active, not revoked, not past its date. Its bindings are `true` and the database's clock.
 * @param now SQL for that clock, where it is not bound
 */
export const isLive = (row: string, now = '?') =>
  `${isActive(row)} AND ${row}."RevokedAt" IS NULL AND (${row}."ExpiresAt" IS NULL OR ${row}."ExpiresAt" > ${now})`;

/** A canvas session whose KSESSIONS id no session can have. */
export const IMPOSSIBLE_LINK = `s."KSessionsId" NOT BETWEEN 1 AND ${MAX_KSESSIONS_ID}`;

/** A hash that opens canvas session `s`, which never had a host session. */
export const COPY_ALONE = `s."HostGuid" <> ''
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId")`;

/** Host session `h` belongs to a canvas session that is not there (I-14). */
export const ORPHAN = 'NOT EXISTS (SELECT 1 FROM canvas."Sessions" s WHERE s."SessionId" = h."SessionId")';

/** KSESSIONS ids of several canvas sessions, to follow a condition on `s`. */
export const TWO_CANVAS_ROWS = `s."KSessionsId" BETWEEN 1 AND ${MAX_KSESSIONS_ID} GROUP BY s."KSessionsId" HAVING COUNT(*) > 1`;

/** Canvas session `s` opens and is linked to no KSESSIONS session, and `h` is its newest live host session. Bindings as `isLive`. */
export const OPEN_WITHOUT_LINK = `s."KSessionsId" IS NULL AND h."HostSessionId" = (
    SELECT MAX(l."HostSessionId") FROM canvas."HostSessions" l WHERE l."SessionId" = s."SessionId" AND ${isLive('l')})
  AND NOT EXISTS (${declaredAlone('s."SessionId"')})`;

/** Hand-made rows have ids of zero and below: reading begins before all of them. */
const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

/** Columns whose ids are read as numbers. */
const ID_COLUMNS = [
  ['Sessions', 'SessionId'], ['Sessions', 'KSessionsId'], ['HostSessions', 'HostSessionId'], ['HostSessions', 'SessionId'],
  ['HostSessionEvents', 'EventId'],
] as const;

/**
 * Insists that every id can be told from its neighbours: JavaScript would round one beyond 2^53 to another (I-37).
 * @throws ToolkitError DATA_NOT_READY, with the first one
 */
export async function requireReadableIds(reader: Reader): Promise<void> {
  for await (const { column, id } of findUnreadableIds(reader)) throw faults.idBeyond(column, id);
}

/** Of each column of ids the first one that cannot be told from its neighbours. */
export async function* findUnreadableIds(reader: Reader): AsyncGenerator<{ readonly column: string; readonly id: string }> {
  for (const [table, column] of ID_COLUMNS) {
    const [row] = await reader.ask<Row>(
      `SELECT "${column}" AS "id" FROM canvas."${table}"
       WHERE "${column}" >= ${Number.MAX_SAFE_INTEGER} OR "${column}" <= ${BEFORE_ALL}
       ORDER BY "${column}" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY`,
    );
    if (row !== undefined) yield { column: `canvas.${table}.${column}`, id: textOf(row, 'id') };
  }
}

/**
 * Rows of a query in batches. Its first binding is the last id seen; it is ordered by "id", which is greater.
 * @param bindings what follows that id
 */
async function* inBatches(reader: Reader, sql: string, bindings: readonly (boolean | Date)[]): AsyncGenerator<Row[]> {
  for (let last = BEFORE_ALL; ; ) {
    const rows = await reader.ask<Row>(`${sql} ORDER BY "id" ${NEXT_BATCH}`, [last, ...bindings]);
    if (rows.length > 0) yield rows;
    if (rows.length < BATCH) return;
    last = idOf(rows.at(-1), 'id');
  }
}

/**
 * Canvas sessions whose credentials are not as they should be: more than one live row, one that was revoked or is
 * past its date, one without a trail, or a hash copy that is not that of the live row.
 */
export async function* findDisorder(reader: Reader, now: Date): AsyncGenerator<CanvasCredentials> {
  // A case-insensitive collation must not make two hashes equal.
  const hash = collated(reader.dialect, 'h."HostGuidHash"', 'exact');
  const sql = `
    SELECT s."SessionId" AS "id" FROM canvas."Sessions" s WHERE s."SessionId" > ? AND (
      EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId" AND ${isActive('h')} AND (
        h."LastSequence" IS NULL OR h."RevokedAt" IS NOT NULL OR h."ExpiresAt" <= ? OR ${hash} <> s."HostGuid"
        OR EXISTS (SELECT 1 FROM canvas."HostSessions" o WHERE o."SessionId" = h."SessionId" AND ${isActive('o')}
          AND o."HostSessionId" <> h."HostSessionId")))
      OR (s."HostGuid" <> '' AND EXISTS (SELECT 1 FROM canvas."HostSessions" e WHERE e."SessionId" = s."SessionId")
        AND NOT EXISTS (SELECT 1 FROM canvas."HostSessions" a WHERE a."SessionId" = s."SessionId" AND ${isActive('a')})))`;
  for await (const rows of inBatches(reader, sql, [true, now, true, true])) {
    yield* await readCredentials(reader, rows.map((row) => idOf(row, 'id')));
  }
}

/** The canvas sessions of those ids, in order, with all their host sessions. */
export async function readCredentials(reader: Reader, canvasSessionIds: readonly number[]): Promise<CanvasCredentials[]> {
  const sessions = await reader
    .from('canvas', 'Sessions')
    .select('SessionId', 'KSessionsId', 'Title', 'HostGuid')
    .whereIn('SessionId', canvasSessionIds)
    .orderBy('SessionId');
  const hosts = await reader
    .from('canvas', 'HostSessions')
    .whereIn('SessionId', canvasSessionIds)
    .orderBy('HostSessionId');
  const bySession = groupBySession(hosts);
  return sessions.map((row) => {
    const canvasSessionId = idOf(row, 'SessionId');
    return {
      canvasSessionId,
      ksessionsId: idOrNull(row, 'KSessionsId'),
      title: textOrNull(row, 'Title'),
      hashCopy: textOf(row, 'HostGuid'),
      hostSessions: bySession.get(canvasSessionId) ?? [],
    };
  });
}

function groupBySession(rows: readonly Row[]): Map<number, HostSession[]> {
  const groups = new Map<number, HostSession[]>();
  for (const row of rows) {
    const canvasSessionId = idOf(row, 'SessionId');
    const group = groups.get(canvasSessionId);
    if (group === undefined) groups.set(canvasSessionId, [toHostSession(row)]);
    else group.push(toHostSession(row));
  }
  return groups;
}

function idOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : idOf(row, column);
}

/** Everything a person must decide, kind by kind. */
export async function* findUndecided(reader: Reader, now: Date): AsyncGenerator<Finding> {
  yield* findTwoCanvasRows(reader);
  yield* findImpossibleLinks(reader);
  yield* findOpenWithoutLink(reader, now);
  yield* findCopiesAlone(reader);
  yield* findOrphans(reader);
  yield* findSameHashes(reader);
}

/** Could a KSESSIONS session have that id? */
export const isPossibleLink = (ksessionsId: number) => ksessionsId >= 1 && ksessionsId <= MAX_KSESSIONS_ID;

/** Which of them the application's users meant cannot be read from the rows. */
async function* findTwoCanvasRows(reader: Reader): AsyncGenerator<Finding> {
  const sql = `
    SELECT s."KSessionsId" AS "id" FROM canvas."Sessions" s WHERE s."KSessionsId" > ? AND ${TWO_CANVAS_ROWS}`;
  for await (const rows of inBatches(reader, sql, [])) {
    for (const row of rows) yield await readTwoCanvasRows(reader, idOf(row, 'id'));
  }
}

async function readTwoCanvasRows(reader: Reader, ksessionsId: number): Promise<Finding> {
  const rows = await reader.from('canvas', 'Sessions').where({ KSessionsId: ksessionsId }).orderBy('SessionId');
  const canvasSessionIds = rows.map((row) => idOf(row, 'SessionId'));
  const hosts = await reader
    .from('canvas', 'HostSessions')
    .where({ IsActive: true })
    .whereIn('SessionId', canvasSessionIds)
    .orderBy('HostSessionId');
  return {
    kind: 'two-canvas-rows',
    ksessionsId,
    canvasSessionIds,
    hostSessionIds: hosts.map((row) => idOf(row, 'HostSessionId')),
    title: rows[0] === undefined ? null : textOrNull(rows[0], 'Title'),
  };
}

/** Links that no session can be meant by: provisioning never finds them again, and their number says nothing. */
async function* findImpossibleLinks(reader: Reader): AsyncGenerator<Finding> {
  const sql = `
    SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title" FROM canvas."Sessions" s
    WHERE s."SessionId" > ? AND ${IMPOSSIBLE_LINK}`;
  yield* findingsOf(reader, 'impossible-link', sql, []);
}

/** Somebody has said of a canvas session that it stands for no KSESSIONS session: that word stands in the trail. */
function declaredAlone(canvasSessionId: string): string {
  return `
  SELECT 1 AS "one" FROM canvas."HostSessions" b JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = b."HostSessionId"
  WHERE b."SessionId" = ${canvasSessionId} AND e."Action" = 'linked' AND e."KSessionsId" IS NULL`;
}

/**
 * The id and the title of such a session are no proof: canvas 215 was not KSESSIONS 215 (I-21), and provisioning the
 * session it does stand for would make a second row (I-20).
 */
async function* findOpenWithoutLink(reader: Reader, now: Date): AsyncGenerator<Finding> {
  const sql = `
    SELECT s."SessionId" AS "id", s."Title" AS "Title", h."HostSessionId" AS "HostSessionId"
    FROM canvas."Sessions" s JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId"
    WHERE s."SessionId" > ? AND ${OPEN_WITHOUT_LINK}`;
  yield* findingsOf(reader, 'unlinked', sql, [true, now]);
}

/**
 * A condition on canvas session `s`: it is linked to none, and it opens, or the application's login would open it.
 * @param active the flag of an active row, as the dialect writes it
 * @param now the database's clock
 */
export const opensUnlinked = (active: string, now: string) =>
  `s."KSessionsId" IS NULL AND (s."HostGuid" <> '' OR EXISTS (
      SELECT 1 FROM canvas."HostSessions" l WHERE l."SessionId" = s."SessionId" AND l."IsActive" = ${active}
        AND l."RevokedAt" IS NULL AND (l."ExpiresAt" IS NULL OR l."ExpiresAt" > ${now})))
      AND NOT EXISTS (${declaredAlone('s."SessionId"')})`;

/**
 * The canvas ids of unlinked sessions that have one of the titles and open, or that the application's login would open:
 * it looks at the hash copy and at nothing else. Case and blanks at the ends do not make another title.
 * @returns canvas ids by title as it was given; only titles that have some
 */
export async function findNamesakes(reader: Reader, titles: readonly string[], now: Date): Promise<Map<string, number[]>> {
  if (titles.length === 0) return new Map();
  const sql = `
    SELECT s."SessionId" AS "id", r."title" AS "title" FROM canvas."Sessions" s
    JOIN ${rowset(reader.dialect, 'r', { title: 'text', trimmed: 'text' })}
      ON LOWER(LTRIM(RTRIM(s."Title"))) = ${collated(reader.dialect, 'LOWER(r."trimmed")', 'usual')}
    WHERE ${opensUnlinked('?', '?')}
    ORDER BY s."SessionId"`;
  const distinct = [...new Set(titles)].map((title) => ({ title, trimmed: title.trim() }));
  const namesakes = new Map<string, number[]>();
  for (const row of await reader.ask<Row>(sql, [rowsetOf(distinct), true, now])) {
    const title = textOf(row, 'title');
    namesakes.set(title, [...(namesakes.get(title) ?? []), idOf(row, 'id')]);
  }
  return namesakes;
}

/** The canvas ids linked to a KSESSIONS id. */
export async function findLinked(reader: Reader, ksessionsId: number): Promise<number[]> {
  const rows = await reader.from('canvas', 'Sessions').where({ KSessionsId: ksessionsId }).orderBy('SessionId');
  return rows.map((row) => idOf(row, 'SessionId'));
}

/** Has somebody said of a canvas session that it stands for no KSESSIONS session? */
export async function isDeclaredAlone(reader: Reader, canvasSessionId: number): Promise<boolean> {
  return (await reader.ask(declaredAlone('?'), [canvasSessionId])).length > 0;
}

/** A hash that opens a session and belongs to no host session, past or present: no trail could say what ended it. */
async function* findCopiesAlone(reader: Reader): AsyncGenerator<Finding> {
  const sql = `
    SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title" FROM canvas."Sessions" s
    WHERE s."SessionId" > ? AND ${COPY_ALONE}`;
  yield* findingsOf(reader, 'copy-alone', sql, []);
}

async function* findingsOf(
  reader: Reader,
  kind: Finding['kind'],
  sql: string,
  bindings: readonly (boolean | Date)[],
): AsyncGenerator<Finding> {
  for await (const rows of inBatches(reader, sql, bindings)) {
    yield* rows.map((row) => ({
      kind,
      ksessionsId: row['KSessionsId'] == null ? null : idOf(row, 'KSessionsId'),
      canvasSessionIds: [idOf(row, 'id')],
      hostSessionIds: row['HostSessionId'] == null ? [] : [idOf(row, 'HostSessionId')],
      title: textOrNull(row, 'Title'),
    }));
  }
}

/** Host sessions of canvas sessions that are not there (I-14). */
async function* findOrphans(reader: Reader): AsyncGenerator<Finding> {
  const sql = `
    SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId" FROM canvas."HostSessions" h
    WHERE h."HostSessionId" > ? AND ${ORPHAN}`;
  for await (const rows of inBatches(reader, sql, [])) {
    yield* rows.map((row) => ({
      kind: 'orphan' as const,
      ksessionsId: null,
      canvasSessionIds: [idOf(row, 'SessionId')],
      hostSessionIds: [idOf(row, 'id')],
      title: null,
    }));
  }
}

/** The same hash twice in one session: possible only where the application's own unique index is gone. */
async function* findSameHashes(reader: Reader): AsyncGenerator<Finding> {
  const sql = `
    SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId", MIN(o."HostSessionId") AS "other"
    FROM canvas."HostSessions" h JOIN canvas."HostSessions" o ON o."SessionId" = h."SessionId"
      AND o."HostGuidHash" = h."HostGuidHash" AND o."HostSessionId" < h."HostSessionId"
    WHERE h."HostSessionId" > ? GROUP BY h."HostSessionId", h."SessionId"`;
  for await (const rows of inBatches(reader, sql, [])) {
    yield* rows.map((row) => ({
      kind: 'same-hash' as const,
      ksessionsId: null,
      canvasSessionIds: [idOf(row, 'SessionId')],
      hostSessionIds: [idOf(row, 'other'), idOf(row, 'id')],
      title: null,
    }));
  }
}

/** How many rows each table of schema canvas has, the application's own tables included. */
export async function countRows(reader: Reader): Promise<Record<string, number>> {
  const tables = await reader.ask<{ name: string }>(
    // In capitals: under a case-sensitive collation SQL Server knows no other spelling.
    `SELECT t.TABLE_NAME AS "name" FROM INFORMATION_SCHEMA.TABLES t
     WHERE t.TABLE_SCHEMA = 'canvas' AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY t.TABLE_NAME`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    // In a name too, Knex takes a question mark for a value.
    const quoted = name.replaceAll('"', '""').replaceAll('?', '\\?');
    const [row] = await reader.ask<Row>(`SELECT COUNT(*) AS "n" FROM canvas."${quoted}"`);
    counts[name] = numberOf(row, 'n', 0);
  }
  return counts;
}
