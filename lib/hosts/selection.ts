/** Which sessions a command is about, when it was not given their ids: found by sets, in pages, so that memory stays flat. */
import type { Reader } from '../engines/database';
import { idOf, numberOf, type Row } from '../engines/rows';

/** Ids of one kind, to be changed together or in part. */
export interface Page {
  readonly by: 'KSessionsId' | 'SessionId';
  readonly ids: readonly number[];
}

/** Which active credentials; all that is given must hold. */
export interface LiveFilter {
  /** In use since then or longer. */
  readonly olderThan?: Date | undefined;
  /** Live until then at most, by the database's clock `now`. */
  readonly expiringBy?: Date | undefined;
  /** Not made under this key. */
  readonly otherKeyThan?: string | undefined;
  /** true: only those past their date; false: only those that are not, and were not revoked before. */
  readonly isOver?: boolean | undefined;
  readonly now: Date;
}

/** Rows looked at for a page. */
const PAGE = 5000;

type Binding = string | number | boolean | Date;

interface Condition {
  readonly where: string;
  readonly bindings: readonly Binding[];
}

function conditionOf({ expiringBy, isOver, now, olderThan, otherKeyThan }: LiveFilter): Condition {
  const parts: Condition[] = [{ where: 'h."IsActive" = ?', bindings: [true] }];
  if (olderThan !== undefined) parts.push({ where: 'COALESCE(h."UpdatedAt", h."CreatedAt") <= ?', bindings: [olderThan] });
  if (expiringBy !== undefined) parts.push({ where: 'h."ExpiresAt" > ? AND h."ExpiresAt" <= ?', bindings: [now, expiringBy] });
  if (otherKeyThan !== undefined) parts.push({ where: '(h."HashKeyId" IS NULL OR h."HashKeyId" <> ?)', bindings: [otherKeyThan] });
  if (isOver === true) parts.push({ where: 'h."ExpiresAt" <= ?', bindings: [now] });
  if (isOver === false) parts.push({ where: 'h."RevokedAt" IS NULL AND (h."ExpiresAt" IS NULL OR h."ExpiresAt" > ?)', bindings: [now] });
  return { where: parts.map(({ where }) => where).join(' AND '), bindings: parts.flatMap(({ bindings }) => bindings) };
}

const LIVE = 'canvas."Sessions" s JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId"';

/** @returns how many credentials of the filter belong to KSESSIONS sessions, and how many to canvas sessions without a link */
export async function countLive(reader: Reader, filter: LiveFilter): Promise<{ linked: number; unlinked: number }> {
  const { bindings, where } = conditionOf(filter);
  const [row] = await reader.ask<Row>(
    `SELECT COUNT(s."KSessionsId") AS "linked", COUNT(*) AS "all" FROM ${LIVE} WHERE ${where}`,
    [...bindings],
  );
  const linked = numberOf(row, 'linked', 0);
  return { linked, unlinked: numberOf(row, 'all', 0) - linked };
}

/** The KSESSIONS ids of credentials of the filter, ascending. */
export function pagesOfLive(reader: Reader, filter: LiveFilter): AsyncGenerator<Page> {
  return inPages(reader, 'KSessionsId', canvasSessions('KSessionsId', filter));
}

/** The canvas ids of credentials of the filter whose canvas session has no link, ascending. */
export function pagesOfUnlinked(reader: Reader, filter: LiveFilter): AsyncGenerator<Page> {
  return inPages(reader, 'SessionId', { ...canvasSessions('SessionId', filter), where: 's."KSessionsId" IS NULL' });
}

/**
 * Canvas sessions, of which each is asked for its credential by itself. A join would be quicker where few are meant, and
 * is planned by what the server believes of the credentials: of a table that grew just now it believes nothing, and
 * goes through all of it for every page.
 */
function canvasSessions(id: Page['by'], filter: LiveFilter): Scan {
  const { bindings, where } = conditionOf(filter);
  const count = `(SELECT COUNT(*) FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId" AND ${where})`;
  // What hands made may have any id.
  return { from: 'canvas."Sessions" s', id: `s."${id}"`, above: Number.MIN_SAFE_INTEGER, count, bindings };
}

/** Sessions of KSESSIONS that have a transcript: what can be provisioned. */
const PROVISIONABLE = 's."SessionID" IN (SELECT t."SessionID" FROM dbo."SessionTranscripts" t)';

/** @returns how many sessions of KSESSIONS can be provisioned, and how many lack a transcript */
export async function countProvisionable(source: Reader): Promise<{ sessions: number; withoutTranscripts: number }> {
  const [all] = await source.ask<Row>('SELECT COUNT(*) AS "n" FROM dbo."Sessions"');
  const [row] = await source.ask<Row>(`SELECT COUNT(*) AS "n" FROM dbo."Sessions" s WHERE ${PROVISIONABLE}`);
  const sessions = numberOf(row, 'n', 0);
  return { sessions, withoutTranscripts: numberOf(all, 'n', 0) - sessions };
}

/** The ids of the sessions that can be provisioned, ascending. */
export function pagesOfProvisionable(source: Reader): AsyncGenerator<Page> {
  const sessions = { from: 'dbo."Sessions" s', id: 's."SessionID"', above: 0, where: PROVISIONABLE };
  return inPages(source, 'KSessionsId', { ...sessions, count: '1', bindings: [] });
}

/** Rows to go through by their ids. */
interface Scan {
  readonly from: string;
  readonly id: string;
  /** Ids of no interest end here. */
  readonly above: number;
  readonly where?: string;
  /** SQL for a number: a row is meant where it is not 0. */
  readonly count: string;
  /** Of `count`. */
  readonly bindings: readonly Binding[];
}

/** By keyset: a row that is changed while the pages are read is neither missed nor met twice. */
async function* inPages(reader: Reader, by: Page['by'], { above, bindings, count, from, id, where }: Scan): AsyncGenerator<Page> {
  const condition = where === undefined ? '' : `AND ${where} `;
  for (let last = above; ; ) {
    const rows = await reader.ask<Row>(
      `SELECT ${id} AS "id", ${count} AS "n" FROM ${from} WHERE ${id} > ? ${condition}ORDER BY ${id} OFFSET 0 ROWS FETCH NEXT ${PAGE} ROWS ONLY`,
      [...bindings, last],
    );
    const ids = rows.flatMap((row) => (numberOf(row, 'n', 0) > 0 ? [idOf(row, 'id')] : []));
    if (ids.length > 0) yield { by, ids };
    if (rows.length < PAGE) return;
    last = idOf(rows.at(-1), 'id');
  }
}

/** Ids that were given. */
export function pagesOfIds(ksessionsIds: readonly number[]): readonly Page[] {
  return ksessionsIds.length === 0 ? [] : [{ by: 'KSessionsId', ids: ksessionsIds }];
}
