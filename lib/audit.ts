/**
 * The trail: appends an event in the caller's transaction, reads the chain and checks it. Each event is sealed with a
 * keyed hash over itself and its predecessor; the head stands in the host session, so a removed tail shows too.
 */
import { createHash } from 'node:crypto';
import { equalSecrets, keyById, type HmacKey, type KeyRing } from './config/keys';
import type { Reader, Writer } from './engines/database';
import { collated, insertSet, rowset, rowsetOf, type Columns } from './engines/rowset';
import { dateOf, dateOrNull, idOf, textOf, textOrNull, uuidOf, type Row } from './engines/rows';

const TABLE = 'HostSessionEvents';

export type Action = 'provisioned' | 'rotated' | 'revoked' | 'expired' | 'adopted' | 'consolidated' | 'linked';

/** The head of a chain: sequence and hash of its newest event; sequence 0 before the first. */
export interface ChainHead {
  readonly sequence: number;
  readonly hash: string | null;
}

/** What an event says; who appends it adds sequence, predecessor, clock and key. */
export interface EventFacts {
  readonly operationId: string;
  readonly hostSessionId: number;
  readonly canvasSessionId: number;
  readonly ksessionsId: number | null;
  readonly action: Action;
  readonly actor: string;
  readonly reason: string | null;
  readonly oldFingerprint: string | null;
  readonly newFingerprint: string | null;
  readonly expiresAt: Date | null;
}

/** Where in its chain an event stands. */
interface Place {
  readonly sequence: number;
  readonly occurredAt: Date;
  readonly hashKeyId: string;
  readonly previousHash: string | null;
}

/** An event as stored. */
export interface HostSessionEvent extends EventFacts, Place {
  readonly eventHash: string;
}

/**
 * What the hash covers: every column but EventId, in this order, as JSON. The order is part of the stored format.
 */
function sealOf(key: HmacKey, facts: EventFacts, place: Place): string {
  const covered = [
    facts.operationId, facts.hostSessionId, facts.canvasSessionId, facts.ksessionsId, place.sequence, facts.action,
    facts.actor, facts.reason, facts.oldFingerprint, facts.newFingerprint, facts.expiresAt?.toISOString() ?? null,
    place.occurredAt.toISOString(), place.hashKeyId, place.previousHash,
  ];
  return key.seal('event', JSON.stringify(covered));
}

// --- events that a script makes ------------------------------------------------------------------------------------

/**
 * A script for a database that this toolkit must not connect to makes events without the key, and with ids and times
 * that nobody knows beforehand. What is decided beforehand is sealed beforehand: the warrant, a keyed hash of it, is the
 * key of one event's seal over the rest. Whoever has neither key nor script can change nothing unseen; whoever has the
 * script can change only what was not known when it was made.
 */
export interface WarrantFacts
  extends Pick<EventFacts, 'operationId' | 'ksessionsId' | 'action' | 'actor' | 'reason' | 'newFingerprint'> {
  /** `kept`: the date that the row has when the script runs. */
  readonly expiresAt: Date | null | 'kept';
}

/** What is known only when the script runs. */
type RunFacts = Pick<
  HostSessionEvent,
  'hostSessionId' | 'canvasSessionId' | 'sequence' | 'action' | 'oldFingerprint' | 'expiresAt' | 'occurredAt' | 'previousHash'
>;

/** Each half of a warrant is the Base64 of 32 bytes. */
export const WARRANT_HALF = 44;

/** Stands as the HashKeyId of events made under a warrant of that key. */
export function warrantIdOf(key: HmacKey): string {
  return key.fingerprint('warrant', '');
}

/** The warrant for one event: two independent keys, one after the other. The order of its facts is part of the stored format. */
export function warrantFor(key: HmacKey, facts: WarrantFacts): string {
  const expiry = facts.expiresAt instanceof Date ? facts.expiresAt.toISOString() : facts.expiresAt;
  const decided = JSON.stringify([
    facts.operationId, facts.ksessionsId, facts.action, facts.actor, facts.reason, facts.newFingerprint, expiry,
  ]);
  return key.seal('warrant-inner', decided) + key.seal('warrant-outer', decided);
}

/**
 * What the seal under a warrant covers beside it: ASCII, times in milliseconds since 1970, so that T-SQL can write the
 * same bytes (hosts/handoff-batch.ts does). The order is part of the stored format.
 */
function runFactsText(facts: RunFacts): string {
  return JSON.stringify([
    facts.hostSessionId, facts.canvasSessionId, facts.sequence, facts.action, facts.oldFingerprint,
    facts.expiresAt?.getTime() ?? null, facts.occurredAt.getTime(), facts.previousHash,
  ]);
}

/** Nested, as NMAC is (Bellare, Canetti, Krawczyk 1996): SHA-256(outer + Base64(SHA-256(inner + facts))), Base64. */
export function sealUnder(warrant: string, facts: RunFacts): string {
  const hash = (text: string) => createHash('sha256').update(text, 'utf8').digest('base64');
  return hash(warrant.slice(WARRANT_HALF) + hash(warrant.slice(0, WARRANT_HALF) + runFactsText(facts)));
}

/** What may have been decided about the date of an event, where the event alone does not tell. */
function expiriesOf({ action, expiresAt }: HostSessionEvent): readonly WarrantFacts['expiresAt'][] {
  if (action === 'provisioned') return [expiresAt];
  if (action === 'rotated') return [expiresAt, 'kept'];
  return action === 'expired' || action === 'consolidated' ? ['kept'] : [];
}

function isSealedUnderWarrant(key: HmacKey, event: HostSessionEvent): boolean {
  return expiriesOf(event).some((expiresAt) =>
    equalSecrets(sealUnder(warrantFor(key, { ...event, expiresAt }), event), event.eventHash),
  );
}

// --- appending -----------------------------------------------------------------------------------------------------

/** One event to append, and the newest event before it, as its host session's row says. */
export interface NewEvent {
  readonly head: ChainHead;
  readonly facts: EventFacts;
}

/**
 * Appends one event each to the chains of several host sessions.
 * @returns the new heads, in the order given, which the caller stores in the host sessions in the same transaction
 */
export async function appendEvents(writer: Writer, key: HmacKey, events: readonly NewEvent[]): Promise<ChainHead[]> {
  const sealed = events.map(({ facts, head }) => {
    const place = { sequence: head.sequence + 1, occurredAt: writer.now, hashKeyId: key.id, previousHash: head.hash };
    return { facts, place, hash: sealOf(key, facts, place) };
  });
  await insertSet(writer, TABLE, COLUMNS, sealed.map(({ facts, hash, place }) => toRow(facts, place, hash)));
  return sealed.map(({ hash, place }) => ({ sequence: place.sequence, hash }));
}

/** Appends one event. @returns the new head, as `appendEvents` */
export async function appendEvent(writer: Writer, key: HmacKey, head: ChainHead, facts: EventFacts): Promise<ChainHead> {
  const [appended = head] = await appendEvents(writer, key, [{ head, facts }]);
  return appended;
}

const COLUMNS = {
  OperationId: 'uuid', HostSessionId: 'id', SessionId: 'id', KSessionsId: 'id', Sequence: 'integer', Action: 'text',
  Actor: 'text', Reason: 'text', OldFingerprint: 'text', NewFingerprint: 'text', ExpiresAt: 'time', OccurredAt: 'time',
  HashKeyId: 'text', PreviousHash: 'text', EventHash: 'text',
} as const satisfies Columns;

function toRow(facts: EventFacts, place: Place, eventHash: string) {
  return {
    OperationId: facts.operationId,
    HostSessionId: facts.hostSessionId,
    SessionId: facts.canvasSessionId,
    KSessionsId: facts.ksessionsId,
    Sequence: place.sequence,
    Action: facts.action,
    Actor: facts.actor,
    Reason: facts.reason,
    OldFingerprint: facts.oldFingerprint,
    NewFingerprint: facts.newFingerprint,
    ExpiresAt: facts.expiresAt,
    OccurredAt: place.occurredAt,
    HashKeyId: place.hashKeyId,
    PreviousHash: place.previousHash,
    EventHash: eventHash,
  };
}

/** The events of one host session, oldest first. */
export async function readEvents(reader: Reader, hostSessionId: number): Promise<HostSessionEvent[]> {
  const rows = await reader.from('canvas', TABLE).where({ HostSessionId: hostSessionId }).orderBy('Sequence');
  return rows.map(toEvent);
}

/** A GUID that may have been issued, by its fingerprint. */
export interface Claim {
  readonly ksessionsId: number;
  readonly fingerprint: string;
}

/** @returns those claims of which an event tells: they were committed, whatever became of them since */
export async function findIssued(reader: Reader, claims: readonly Claim[]): Promise<Claim[]> {
  const rows = await reader.ask<Row>(
    `SELECT r."id" AS "id", r."fingerprint" AS "fingerprint" FROM ${rowset(reader.dialect, 'r', { id: 'id', fingerprint: 'text' })}
     WHERE EXISTS (SELECT 1 FROM canvas."${TABLE}" e WHERE e."KSessionsId" = r."id" AND e."NewFingerprint" = ${collated(reader.dialect, 'r."fingerprint"', 'exact')})`,
    [rowsetOf(claims.map(({ fingerprint, ksessionsId }) => ({ id: ksessionsId, fingerprint })))],
  );
  return rows.map((row) => ({ ksessionsId: idOf(row, 'id'), fingerprint: textOf(row, 'fingerprint') }));
}

/** The event of one operation, if it was committed. @param operationId as printed */
export async function findEvent(reader: Reader, operationId: string): Promise<HostSessionEvent | undefined> {
  const rows = await reader.from('canvas', TABLE).where({ OperationId: operationId }).orderBy('EventId', 'desc').limit(1);
  return rows[0] === undefined ? undefined : toEvent(rows[0]);
}

/** A row of canvas.HostSessionEvents. */
export function toEvent(row: Row): HostSessionEvent {
  return {
    operationId: uuidOf(row, 'OperationId'),
    hostSessionId: idOf(row, 'HostSessionId'),
    canvasSessionId: idOf(row, 'SessionId'),
    ksessionsId: row['KSessionsId'] === null ? null : idOf(row, 'KSessionsId'),
    sequence: idOf(row, 'Sequence'),
    action: textOf(row, 'Action') as Action,
    actor: textOf(row, 'Actor'),
    reason: textOrNull(row, 'Reason'),
    oldFingerprint: textOrNull(row, 'OldFingerprint'),
    newFingerprint: textOrNull(row, 'NewFingerprint'),
    expiresAt: dateOrNull(row, 'ExpiresAt'),
    occurredAt: dateOf(row, 'OccurredAt'),
    hashKeyId: textOf(row, 'HashKeyId'),
    previousHash: textOrNull(row, 'PreviousHash'),
    eventHash: textOf(row, 'EventHash'),
  };
}

/** The first place where a chain does not hold. */
interface ChainFault {
  readonly holds: false;
  readonly sequence: number;
  readonly why: string;
  /** The id of the key without which nobody can say more: that is no sign of an edit. */
  readonly missingKey?: string;
}

/** A chain that holds, or the first place where it does not. */
export type ChainState = { readonly holds: true; readonly events: number } | ChainFault;

/** Checks a chain event by event, oldest first: what was checked need not be kept. */
export class ChainCheck {
  readonly #keys: KeyRing;
  #events = 0;
  #newest: HostSessionEvent | undefined;
  #fault: ChainFault | undefined;

  constructor(keys: KeyRing) {
    this.#keys = keys;
  }

  /** The next event: no gap, its predecessor, its seal. */
  add(event: HostSessionEvent): void {
    this.#events += 1;
    const fault = this.#fault === undefined ? faultOf(event, this.#events, this.#newest?.eventHash ?? null, this.#keys) : undefined;
    if (fault !== undefined) this.#fault = { holds: false, sequence: event.sequence, ...fault };
    this.#newest = event;
  }

  /** Whether one of the events themselves is not as it should be. */
  get isBroken(): boolean {
    return this.#fault !== undefined;
  }

  /** @param head what the host session's row says is the newest event; undefined when that row is gone */
  end(head: ChainHead | undefined): ChainState {
    if (this.#fault !== undefined) return this.#fault;
    const isNewest = head === undefined || (head.sequence === this.#events && head.hash === (this.#newest?.eventHash ?? null));
    if (isNewest) return { holds: true, events: this.#events };
    return { holds: false, sequence: head.sequence, why: 'the host session points to another newest event' };
  }
}

/** Checks a whole chain. @param head as `ChainCheck.end` */
export function checkChain(events: readonly HostSessionEvent[], head: ChainHead | undefined, keys: KeyRing): ChainState {
  const check = new ChainCheck(keys);
  for (const event of events) check.add(event);
  return check.end(head);
}

function faultOf(
  event: HostSessionEvent,
  sequence: number,
  previous: string | null,
  keys: KeyRing,
): Pick<ChainFault, 'why' | 'missingKey'> | undefined {
  if (event.sequence !== sequence) return { why: `event ${sequence} is missing` };
  if (event.previousHash !== previous) return { why: 'it does not follow the event before it' };
  const isSealed = isSealedBy(keys, event);
  if (isSealed === undefined) return { why: `its key ${event.hashKeyId} is not configured`, missingKey: event.hashKeyId };
  return isSealed ? undefined : { why: 'its seal does not match what it says' };
}

/** Does an event say what its seal says? The key's id tells which kind of seal that is. @returns undefined without the key */
function isSealedBy(keys: KeyRing, event: HostSessionEvent): boolean | undefined {
  const key = keyById(keys, event.hashKeyId);
  if (key !== undefined) return equalSecrets(sealOf(key, event, event), event.eventHash);
  const warranting = keys.all.find((one) => warrantIdOf(one) === event.hashKeyId);
  return warranting === undefined ? undefined : isSealedUnderWarrant(warranting, event);
}
