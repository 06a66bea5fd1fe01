/**
 * The whole trail, chain by chain, checked while it is read: memory stays flat however long it is. A chain belongs to one
 * host session, and stays when the application deletes that. Reads only.
 */
import { ChainCheck, toEvent, type ChainHead, type ChainState, type HostSessionEvent } from '../audit';
import type { KeyRing } from '../config/keys';
import type { Reader } from '../engines/database';
import { idOf, numberOf, textOrNull, type Row } from '../engines/rows';
import { ID, rowset, rowsetOfIds } from '../engines/rowset';

/** An event, or the end of a chain. */
export type TrailStep =
  | { readonly kind: 'event'; readonly event: HostSessionEvent; readonly isFirst: boolean }
  | { readonly kind: 'chain'; readonly chain: Chain };

export interface Chain {
  readonly hostSessionId: number;
  readonly canvasSessionId: number;
  /** As its newest event says. */
  readonly ksessionsId: number | null;
  readonly state: ChainState;
  /** The row of the host session is there, and says which event is the newest: without it a removed end does not show. */
  readonly hasHead: boolean;
}

/** Events read at once. */
const PAGE = 1000;

const ONE_PAGE = `OFFSET 0 ROWS FETCH NEXT ${PAGE} ROWS ONLY`;

/** Before every id, and before every number of an event. */
const BEFORE_ALL = { id: Number.MIN_SAFE_INTEGER, sequence: -2_147_483_648 } as const;

/** Which chains: those of some host sessions, or all. */
type Wanted = readonly number[] | undefined;

const isWanted = ({ dialect }: Reader, column: string, wanted: Wanted) =>
  wanted === undefined ? '' : ` AND ${column} IN (SELECT r."id" FROM ${rowset(dialect, 'r', ID)})`;

const bindingsOf = (wanted: Wanted) => (wanted === undefined ? [] : [rowsetOfIds(wanted)]);

/**
 * Every event and, after the last of each chain, whether the chain holds; by host session id, then by number. At the end
 * come the chains of which nothing is left but their head.
 * @param ksessionsId every chain that was ever of this session; undefined: all chains
 */
export async function* readTrail(
  reader: Reader,
  keys: KeyRing,
  ksessionsId: number | undefined,
): AsyncGenerator<TrailStep[]> {
  const wanted = ksessionsId === undefined ? undefined : await chainsOf(reader, ksessionsId);
  if (wanted?.length === 0) return;
  let open: OpenChain | undefined;
  for await (const rows of pagesOfEvents(reader, wanted)) {
    const steps: TrailStep[] = [];
    for (const row of rows) {
      const event = toEvent(row);
      if (open !== undefined && open.newest.hostSessionId !== event.hostSessionId) {
        steps.push(...(await endChain(reader, open)));
        open = undefined;
      }
      steps.push({ kind: 'event', event, isFirst: open === undefined });
      open = { check: open?.check ?? new ChainCheck(keys), newest: event, head: headOf(row) };
      open.check.add(event);
    }
    yield steps;
  }
  if (open !== undefined) yield await endChain(reader, open);
  yield* headsAlone(reader, wanted);
}

/** A chain of which the last event is not read yet. */
interface OpenChain {
  readonly check: ChainCheck;
  readonly newest: HostSessionEvent;
  /** As it stood when its newest event was read: one statement brings both, for other runs go on writing. */
  readonly head: ChainHead | undefined;
}

/** Host sessions of which an event names this session, and those of its canvas session as it is now. */
async function chainsOf(reader: Reader, ksessionsId: number): Promise<number[]> {
  const rows = await reader.ask<Row>(
    `SELECT e."HostSessionId" AS "id" FROM canvas."HostSessionEvents" e WHERE e."KSessionsId" = ?
     UNION SELECT h."HostSessionId" AS "id" FROM canvas."HostSessions" h
     JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId" WHERE s."KSessionsId" = ?`,
    [ksessionsId, ksessionsId],
  );
  return rows.map((row) => idOf(row, 'id'));
}

const HEAD = 'h."HostSessionId" AS "RowId", h."LastSequence" AS "LastSequence", h."LastEventHash" AS "LastEventHash"';

function headOf(row: Row): ChainHead | undefined {
  if (row['RowId'] === null) return undefined;
  return { sequence: numberOf(row, 'LastSequence', 0), hash: textOrNull(row, 'LastEventHash') };
}

async function* pagesOfEvents(reader: Reader, wanted: Wanted): AsyncGenerator<Row[]> {
  const sql = `
    SELECT e.*, ${HEAD} FROM canvas."HostSessionEvents" e
    LEFT JOIN canvas."HostSessions" h ON h."HostSessionId" = e."HostSessionId"
    WHERE e."HostSessionId" >= ? AND (e."HostSessionId" > ? OR e."Sequence" > ?)${isWanted(reader, 'e."HostSessionId"', wanted)}
    ORDER BY e."HostSessionId", e."Sequence" ${ONE_PAGE}`;
  for (let { id, sequence }: { id: number; sequence: number } = BEFORE_ALL; ; ) {
    const rows = await reader.ask<Row>(sql, [id, id, sequence, ...bindingsOf(wanted)]);
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE) return;
    [id, sequence] = [idOf(rows.at(-1), 'HostSessionId'), numberOf(rows.at(-1), 'Sequence', 0)];
  }
}

/** A server that does not read from one moment may bring a head that is newer than the events beside it. */
const LOOKS = 3;

async function endChain(reader: Reader, open: OpenChain): Promise<TrailStep[]> {
  const steps: TrailStep[] = [];
  const { check } = open;
  let { head, newest } = open;
  for (let look = 0; look < LOOKS && !check.isBroken && !check.end(head).holds; look += 1) {
    const rows = await readOn(reader, newest);
    head = rows[0] === undefined ? undefined : headOf(rows[0]);
    for (const row of rows.filter(({ EventId }) => EventId !== null)) {
      newest = toEvent(row);
      check.add(newest);
      steps.push({ kind: 'event', event: newest, isFirst: false });
    }
  }
  const { canvasSessionId, hostSessionId, ksessionsId } = newest;
  const chain = { hostSessionId, canvasSessionId, ksessionsId, state: check.end(head), hasHead: head !== undefined };
  return [...steps, { kind: 'chain', chain }];
}

/** The head of a chain as it is now, with the events that came since; no row where the host session is gone. */
function readOn(reader: Reader, { hostSessionId, sequence }: HostSessionEvent): Promise<Row[]> {
  return reader.ask<Row>(
    `SELECT e.*, ${HEAD} FROM canvas."HostSessions" h
     LEFT JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = h."HostSessionId" AND e."Sequence" > ?
     WHERE h."HostSessionId" = ? ORDER BY e."Sequence"`,
    [sequence, hostSessionId],
  );
}

/** Host sessions whose row tells of events, and that have none. */
async function* headsAlone(reader: Reader, wanted: Wanted): AsyncGenerator<TrailStep[]> {
  const sql = `
    SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId", h."LastSequence" AS "LastSequence", s."KSessionsId" AS "KSessionsId"
    FROM canvas."HostSessions" h LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
    WHERE h."HostSessionId" > ? AND h."LastSequence" > 0
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessionEvents" e WHERE e."HostSessionId" = h."HostSessionId")
      ${isWanted(reader, 'h."HostSessionId"', wanted)}
    ORDER BY h."HostSessionId" ${ONE_PAGE}`;
  for (let last: number = BEFORE_ALL.id; ; ) {
    const rows = await reader.ask<Row>(sql, [last, ...bindingsOf(wanted)]);
    yield rows.map((row) => ({ kind: 'chain', chain: emptyChain(row) }));
    if (rows.length < PAGE) return;
    last = idOf(rows.at(-1), 'id');
  }
}

function emptyChain(row: Row): Chain {
  return {
    hostSessionId: idOf(row, 'id'),
    canvasSessionId: idOf(row, 'SessionId'),
    ksessionsId: row['KSessionsId'] === null ? null : idOf(row, 'KSessionsId'),
    state: { holds: false, sequence: numberOf(row, 'LastSequence', 0), why: 'all its events are gone' },
    hasHead: true,
  };
}

/** How many host sessions have no trail: the old tool made them, and nobody has adopted them yet. */
export async function countWithoutTrail(reader: Reader): Promise<number> {
  const [row] = await reader.ask<Row>(
    `SELECT COUNT(*) AS "n" FROM canvas."HostSessions" h WHERE (h."LastSequence" IS NULL OR h."LastSequence" = 0)
     AND NOT EXISTS (SELECT 1 FROM canvas."HostSessionEvents" e WHERE e."HostSessionId" = h."HostSessionId")`,
  );
  return numberOf(row, 'n', 0);
}
