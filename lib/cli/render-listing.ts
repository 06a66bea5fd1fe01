/** Sessions and the state of their credential, as people and programs read them. */
import type { Database } from '../engines/database';
import { CREDENTIAL_STATES } from '../hosts/state';
import { KEY_STANDINGS, type KeyStanding, type KeyUse } from '../hosts/key-use';
import type { ListedSession } from '../hosts/listing';
import { many, plain, rows, SCHEMA, targetJson } from './render';

/** Terminals that people paste from are this wide. */
const COLUMNS = 100;

/** A session, one line of JSON. */
export function listedJson(database: Database, session: ListedSession): object {
  const { credential } = session;
  return {
    schema: SCHEMA,
    status: 'listed',
    target: targetJson(database),
    ksessionsId: session.ksessionsId,
    canvasSessionId: session.canvasSessionId,
    hostSessionId: credential?.hostSessionId ?? null,
    title: session.title,
    inKSessions: session.isInKSessions,
    state: session.state,
    madeBy: credential?.madeBy ?? null,
    inUseSince: isoOrNull(credential?.inUseSince),
    expiresAt: isoOrNull(credential?.expiresAt),
    lastUsedAt: isoOrNull(credential?.lastUsedAt),
    revokedAt: isoOrNull(credential?.revokedAt),
    fingerprint: credential?.fingerprint ?? null,
    hashKeyId: credential?.hashKeyId ?? null,
    key: credential?.key ?? null,
  };
}

const isoOrNull = (date: Date | null | undefined) => date?.toISOString() ?? null;

/** One session in full. */
export function listedText({ canvasSessionId, credential, ksessionsId, state, title }: ListedSession): string {
  const ids = [['KSESSIONS id', ksessionsId], ['Title', title], ['Canvas session id', canvasSessionId]] as const;
  if (credential === undefined) return rows([...ids, ['Host GUID', state]]);
  return rows([
    ...ids,
    ['Host session id', credential.hostSessionId],
    ['Host GUID', state],
    ['Made by', credential.madeBy],
    ['In use since', credential.inUseSince.toISOString()],
    ['Expires', credential.expiresAt?.toISOString() ?? 'never'],
    ['Last used', credential.lastUsedAt?.toISOString() ?? 'never'],
    ['Fingerprint', credential.fingerprint],
    ['Key', credential.key],
  ]);
}

/** Only the ids that the other commands take: a canvas session id is none of them. */
export function listedId({ ksessionsId }: ListedSession): string {
  return ksessionsId === null ? '' : `${ksessionsId}\n`;
}

/** The table: two lines at its head, one for a session, and a second one for its credential. */
export interface ListingTable {
  readonly head: string;
  row(session: ListedSession): string;
}

/** Widths of the columns; the last one of each line has the room that is left. */
const UPPER = [12, 14, 12, 12];
const LOWER = [12, 10, 10, 7, 16];

/** Cuts a text so that it takes no more than so many columns. */
type Fit = (text: string, columns: number) => string;

/** What measures the width of a text is loaded by who needs it. */
export async function openTable(): Promise<ListingTable> {
  const { default: widthOf } = await import('string-width');
  const fit: Fit = (text, columns) => fitWith(widthOf, text, columns);
  return { head: HEAD, row: (session) => rowText(session, fit) };
}

/** Letters of some scripts take two columns, marks over a letter none; a letter is not cut off from its marks. */
function fitWith(widthOf: (text: string) => number, text: string, columns: number): string {
  const clean = plain(text);
  if (widthOf(clean) <= columns) return clean;
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(clean)) {
    if (widthOf(kept + segment) > columns - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

const line = (widths: readonly number[], texts: readonly string[]) =>
  texts.map((text, place) => text.padEnd(widths[place] ?? 0)).join('  ');
const upper = (...texts: readonly string[]) => line(UPPER, texts);
const lower = (...texts: readonly string[]) => `    ${line(LOWER, texts)}`;

const HEAD =
  `${upper('KSESSIONS id', 'canvas session', 'host session', 'state', 'title')}\n` +
  `${lower('in use since', 'expires', 'last used', 'key', 'fingerprint', 'made by')}\n`;

const TITLE_ROOM = COLUMNS - upper('', '', '', '', '').length;
const MAKER_ROOM = COLUMNS - lower('', '', '', '', '', '').length;

function rowText({ canvasSessionId, credential, ksessionsId, state, title }: ListedSession, fit: Fit): string {
  const ids = [ksessionsId, canvasSessionId, credential?.hostSessionId ?? null];
  const first = upper(...ids.map((id) => String(id ?? '-')), state, fit(title, TITLE_ROOM));
  if (credential === undefined) return `${first}\n`;
  const second = lower(
    dayOf(credential.inUseSince),
    credential.expiresAt === null ? 'never' : dayOf(credential.expiresAt),
    credential.lastUsedAt === null ? 'never' : dayOf(credential.lastUsedAt),
    credential.key,
    credential.fingerprint ?? '-',
    fit(credential.madeBy ?? '-', MAKER_ROOM),
  );
  return `${first}\n${second}\n`;
}

/** Days are UTC, as all times. */
const dayOf = (date: Date) => date.toISOString().slice(0, 10);

/** Counts what goes by, so that the end can say how much it was. */
export class ListingTally {
  readonly #states = new Map<string, number>();
  readonly #keys = new Map<string, number>();
  #withoutSession = 0;
  /** How many sessions there were. */
  total = 0;

  count(sessions: readonly ListedSession[]): void {
    this.total += sessions.length;
    for (const { credential, isInKSessions, state } of sessions) {
      add(this.#states, state);
      if (credential !== undefined) add(this.#keys, credential.key);
      if (!isInKSessions) this.#withoutSession += 1;
    }
  }

  /** The last line of a listing. */
  text(): string {
    const states = sayCounts(this.#states, CREDENTIAL_STATES);
    const keys = sayCounts(this.#keys, KEY_STANDINGS);
    return (
      `${this.total} listed${states === '' ? '' : `: ${states}`}.${keys === '' ? '' : ` By key: ${keys}.`}\n` +
      (this.#withoutSession === 0
        ? ''
        : `${this.#withoutSession} of them are canvas sessions that stand for no session of KSESSIONS.\n`)
    );
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function sayCounts(counts: ReadonlyMap<string, number>, order: readonly string[]): string {
  return order.flatMap((name) => (counts.has(name) ? [`${counts.get(name)} ${name}`] : [])).join(', ');
}

/**
 * Keys that rows need: an older one, so that it is not dropped too early, and, aloud, one that is not there, for nothing
 * made with it can be verified.
 */
export function keyUseText(uses: readonly KeyUse[], target: string): string {
  const told = (standing: KeyStanding, say: (use: KeyUse) => string) => uses.filter((use) => use.standing === standing).map(say).join('');
  return told('older', olderText) + told('missing', (use) => missingText(use, target));
}

const usesOf = ({ events, live }: KeyUse) => `${many(live, 'live credential')} and ${many(events, 'event')} of the trail`;

const olderText = (use: KeyUse) => `Key ${use.keyId} is an older one and still needed: ${usesOf(use)} were made with it.\n`;

const missingText = (use: KeyUse, target: string) =>
  `Warning: key ${use.keyId} is not configured. ${usesOf(use)} were made with it and cannot be verified.\n` +
  '  Bring it back as a further line of CANVAS_HMAC_KEY_FILE. To see whose those credentials are, and to replace them:\n' +
  `  npx zx scripts/list.mjs --key missing --state live --target ${target}\n` +
  `  npx zx scripts/rotate.mjs --key-older --out FILE --target ${target}\n`;
