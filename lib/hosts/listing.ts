/**
 * All sessions and the state of their credential, page by page, so that memory stays flat however many there are.
 * KSESSIONS and canvas may be two databases, so their pages are joined here. Reads only.
 */
import type { KeyRing } from '../config/keys';
import { readClock, type Database, type Reader } from '../engines/database';
import { dateOf, dateOrNull, idOf, textOf, textOrNull, type Row } from '../engines/rows';
import { ID, rowset, rowsetOfIds } from '../engines/rowset';
import { standingOf, type KeyStanding } from './key-use';
import { leadingOf, stateOf, type CredentialState } from './state';
import { toHostSession, type HostSession } from './store';

export interface ListRequest {
  /** KSESSIONS ids; none given: all sessions, and after them the canvas sessions that stand for none. */
  readonly ids: readonly number[];
  /** What the title contains, whatever the case. */
  readonly search: string | undefined;
  /** Only these; none given: all. */
  readonly states: readonly CredentialState[];
  readonly keys: readonly KeyStanding[];
}

/** One session: a KSESSIONS session with its canvas session, where it has one, or a canvas session alone. */
export interface ListedSession {
  /** null where nobody has said which KSESSIONS session the canvas session is. */
  readonly ksessionsId: number | null;
  /** KSESSIONS has it; false for a canvas session that stands for none, or for one that is gone there. */
  readonly isInKSessions: boolean;
  readonly canvasSessionId: number | null;
  readonly title: string;
  readonly state: CredentialState;
  readonly credential: ListedCredential | undefined;
}

/** The credential that a session goes by. */
export interface ListedCredential {
  readonly hostSessionId: number;
  /** Who made this very credential; of one without a trail, who made its row. */
  readonly madeBy: string | null;
  readonly inUseSince: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly fingerprint: string | null;
  readonly hashKeyId: string | null;
  readonly key: KeyStanding;
}

/** Rows read at once. */
const PAGE = 1000;

const ONE_PAGE = `OFFSET 0 ROWS FETCH NEXT ${PAGE} ROWS ONLY`;

/** Canvas ids made by hand may be zero or below. */
const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

interface SourceTitle {
  readonly ksessionsId: number;
  readonly title: string;
}

/** A canvas session with the host session it goes by. */
interface CanvasEntry {
  readonly canvasSessionId: number;
  readonly ksessionsId: number | null;
  readonly title: string;
  readonly hashCopy: string;
  readonly host: HostWithMaker | undefined;
}

interface HostWithMaker extends HostSession {
  readonly lastUsedAt: Date | null;
  /** From the event that tells of this credential; null where there is none. */
  readonly madeBy: string | null;
  readonly madeAt: Date | null;
}

/**
 * Pages of sessions by KSESSIONS id; after them, where no ids are given, the canvas sessions with a credential that
 * stand for no session of KSESSIONS, by canvas session id. A page may be empty.
 * @param keys undefined where none is configured
 */
export async function* listSessions(
  database: Database,
  keys: KeyRing | undefined,
  request: ListRequest,
): AsyncGenerator<ListedSession[]> {
  const { canvas } = database;
  const now = await readClock(database);
  const isWanted = filterOf(request);
  for await (const { ids, sessions } of sourcePages(database.source, request.ids)) {
    const entries = await readEntries(canvas, 'KSessionsId', ids, now);
    yield joinPage(sessions, entries)
      .map((pair) => toListed(pair, keys, now))
      .filter(isWanted);
  }
  if (request.ids.length > 0) return;
  for await (const ids of pagesWithoutSession(database)) {
    const entries = await readEntries(canvas, 'SessionId', ids, now);
    yield entries.map((entry) => toListed({ entry }, keys, now)).filter(isWanted);
  }
}

/**
 * What is wanted, decided here and not by the server: its LOWER and LIKE follow a collation, which may know no letter
 * beyond ASCII, and take `%` and `_` for more than they say.
 */
function filterOf({ keys, search, states }: ListRequest): (session: ListedSession) => boolean {
  const needle = search === undefined ? undefined : folded(search);
  return ({ credential, state, title }) =>
    (needle === undefined || folded(title).includes(needle)) &&
    (states.length === 0 || states.includes(state)) &&
    (keys.length === 0 || (credential !== undefined && keys.includes(credential.key)));
}

/** One form for an accent written as one character or as two, and for both cases. */
const folded = (text: string) => text.normalize('NFC').toLowerCase();

/** Ids of one page that are asked for, and those of them that KSESSIONS has. */
interface SourcePage {
  readonly ids: readonly number[];
  readonly sessions: readonly SourceTitle[];
}

const TITLES = 'SELECT s."SessionID" AS "id", s."SessionName" AS "title" FROM dbo."Sessions" s';

async function* sourcePages(source: Reader, wanted: readonly number[]): AsyncGenerator<SourcePage> {
  const sorted = wanted.toSorted((a, b) => a - b);
  for (let start = 0; start < sorted.length; start += PAGE) {
    const ids = sorted.slice(start, start + PAGE);
    const sql = `${TITLES} JOIN ${wantedIds(source)} ON s."SessionID" = r."id" ORDER BY s."SessionID"`;
    const rows = await source.ask<Row>(sql, [rowsetOfIds(ids)]);
    yield { ids, sessions: rows.map(toTitle) };
  }
  if (sorted.length > 0) return;
  for (let last = 0; ; ) {
    const rows = await source.ask<Row>(`${TITLES} WHERE s."SessionID" > ? ORDER BY s."SessionID" ${ONE_PAGE}`, [last]);
    const sessions = rows.map(toTitle);
    yield { ids: sessions.map(({ ksessionsId }) => ksessionsId), sessions };
    if (rows.length < PAGE) return;
    last = idOf(rows.at(-1), 'id');
  }
}

function toTitle(row: Row): SourceTitle {
  return { ksessionsId: idOf(row, 'id'), title: textOrNull(row, 'title') ?? '' };
}

/** To follow FROM: the ids that are bound as a rowset, as `r`, each once; what is joined to them is found along an index. */
const wantedIds = ({ dialect }: Reader) => rowset(dialect, 'r', ID);

/** Canvas sessions with a credential whose KSESSIONS id is not said, or not one that KSESSIONS has. */
async function* pagesWithoutSession({ canvas, source }: Database): AsyncGenerator<number[]> {
  const sql = `
    SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId" FROM canvas."Sessions" s
    WHERE s."SessionId" > ? AND (s."HostGuid" <> ''
      OR EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId"))
    ORDER BY s."SessionId" ${ONE_PAGE}`;
  for (let last = BEFORE_ALL; ; ) {
    const rows = await canvas.ask<Row>(sql, [last]);
    const there = await whichExist(source, rows.map(linkOf).filter((id) => id !== null));
    yield rows.filter((row) => !there.has(linkOf(row))).map((row) => idOf(row, 'id'));
    if (rows.length < PAGE) return;
    last = idOf(rows.at(-1), 'id');
  }
}

const linkOf = (row: Row) => (row['KSessionsId'] === null ? null : idOf(row, 'KSessionsId'));

async function whichExist(source: Reader, ksessionsIds: readonly number[]): Promise<Set<number | null>> {
  if (ksessionsIds.length === 0) return new Set();
  const rows = await source.ask<Row>(
    `SELECT s."SessionID" AS "id" FROM ${wantedIds(source)} JOIN dbo."Sessions" s ON s."SessionID" = r."id"`,
    [rowsetOfIds(ksessionsIds)],
  );
  return new Set(rows.map((row) => idOf(row, 'id')));
}

/** Which rows of canvas.Sessions. */
type SessionColumn = 'KSessionsId' | 'SessionId';

/**
 * The canvas sessions whose column holds one of these ids, by their own id. Three statements without a question of its own
 * for each row: for such ones PostgreSQL compiles every page anew, which takes it longer than all the rest.
 */
async function readEntries(reader: Reader, column: SessionColumn, ids: readonly number[], now: Date): Promise<CanvasEntry[]> {
  if (ids.length === 0) return [];
  const sessions = await reader.ask<Row>(
    `SELECT s."SessionId", s."KSessionsId", s."Title", s."HostGuid" FROM ${wantedIds(reader)}
     JOIN canvas."Sessions" s ON s."${column}" = r."id" ORDER BY s."SessionId"`,
    [rowsetOfIds(ids)],
  );
  const hosts = await readHosts(reader, sessions.map((row) => idOf(row, 'SessionId')));
  return sessions.map((row) => ({
    canvasSessionId: idOf(row, 'SessionId'),
    ksessionsId: linkOf(row),
    title: textOrNull(row, 'Title') ?? '',
    hashCopy: textOf(row, 'HostGuid'),
    host: leadingOf(hosts.get(idOf(row, 'SessionId')) ?? [], now),
  }));
}

/**
 * Host sessions that are active, and the last one of each canvas session: those that ended long ago are left out, so
 * that a session with a long history does not weigh more than another.
 */
async function readHosts(reader: Reader, canvasSessionIds: readonly number[]): Promise<Map<number, HostWithMaker[]>> {
  if (canvasSessionIds.length === 0) return new Map();
  const rows = await reader.ask<Row>(
    `SELECT h.* FROM canvas."HostSessions" h JOIN (
       SELECT r."id", MAX(n."HostSessionId") AS "Newest" FROM ${wantedIds(reader)}
       JOIN canvas."HostSessions" n ON n."SessionId" = r."id" GROUP BY r."id") l ON l."id" = h."SessionId"
     WHERE h."IsActive" = ? OR h."HostSessionId" = l."Newest"`,
    [rowsetOfIds(canvasSessionIds), true],
  );
  const makers = await readMakers(reader, rows.map((row) => idOf(row, 'HostSessionId')));
  const hosts = rows.map((row) => ({ ...toHost(row, makers), canvasSessionId: idOf(row, 'SessionId') }));
  return groupBy(hosts, ({ canvasSessionId }) => canvasSessionId);
}

/** Of each host session the last event that made a credential. */
async function readMakers(reader: Reader, hostSessionIds: readonly number[]): Promise<Map<number, Row>> {
  if (hostSessionIds.length === 0) return new Map();
  const rows = await reader.ask<Row>(
    `SELECT e."HostSessionId", e."Actor", e."OccurredAt" FROM canvas."HostSessionEvents" e JOIN (
       SELECT r."id", MAX(m."Sequence") AS "Newest" FROM ${wantedIds(reader)}
       JOIN canvas."HostSessionEvents" m ON m."HostSessionId" = r."id" AND m."Action" IN ('provisioned', 'rotated')
       GROUP BY r."id") l ON l."id" = e."HostSessionId" AND l."Newest" = e."Sequence"`,
    [rowsetOfIds(hostSessionIds)],
  );
  return new Map(rows.map((row) => [idOf(row, 'HostSessionId'), row]));
}

function toHost(row: Row, makers: ReadonlyMap<number, Row>): HostWithMaker {
  const maker = makers.get(idOf(row, 'HostSessionId'));
  return {
    ...toHostSession(row),
    lastUsedAt: dateOrNull(row, 'LastUsedAt'),
    madeBy: maker === undefined ? null : textOf(maker, 'Actor'),
    madeAt: maker === undefined ? null : dateOf(maker, 'OccurredAt'),
  };
}

/** Map.groupBy, which Node 20 has not. */
function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

interface Pair {
  readonly session?: SourceTitle;
  readonly entry?: CanvasEntry;
}

/** Every session once for each canvas session it has, or once without; a link to a session that is gone stays in its place. */
function joinPage(sessions: readonly SourceTitle[], entries: readonly CanvasEntry[]): Pair[] {
  const byId = groupBy(entries, ({ ksessionsId }) => ksessionsId);
  const pairs = sessions.flatMap((session): Pair[] => {
    const own = byId.get(session.ksessionsId) ?? [undefined];
    byId.delete(session.ksessionsId);
    return own.map((entry) => (entry === undefined ? { session } : { session, entry }));
  });
  const gone = [...byId.values()].flat().map((entry): Pair => ({ entry }));
  const idOfPair = ({ entry, session }: Pair) => session?.ksessionsId ?? entry?.ksessionsId ?? 0;
  return gone.length === 0 ? pairs : [...pairs, ...gone].toSorted((a, b) => idOfPair(a) - idOfPair(b));
}

function toListed({ entry, session }: Pair, keys: KeyRing | undefined, now: Date): ListedSession {
  return {
    ksessionsId: session?.ksessionsId ?? entry?.ksessionsId ?? null,
    isInKSessions: session !== undefined,
    canvasSessionId: entry?.canvasSessionId ?? null,
    title: session?.title ?? entry?.title ?? '',
    state: stateOf(entry?.host, entry?.hashCopy ?? '', now),
    credential: entry?.host === undefined ? undefined : toCredential(entry.host, keys),
  };
}

function toCredential(host: HostWithMaker, keys: KeyRing | undefined): ListedCredential {
  return {
    hostSessionId: host.hostSessionId,
    madeBy: host.madeBy ?? host.createdBy,
    inUseSince: host.madeAt ?? host.createdAt,
    expiresAt: host.expiresAt,
    lastUsedAt: host.lastUsedAt,
    revokedAt: host.revokedAt,
    fingerprint: host.fingerprint,
    hashKeyId: host.hashKeyId,
    key: standingOf(keys, host.hashKeyId),
  };
}
