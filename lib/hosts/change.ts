/**
 * How credentials change: the order that is the promise, for one session and for a set of them alike.
 *
 * One transaction takes the locks, reads what is there, plans, and writes rows and events; the GUIDs are handed over; the
 * transaction commits; another statement reads it back. A crash leaves the old credentials working and the new GUIDs
 * void, or the new ones working and already in the operator's hands.
 */
import pRetry from 'p-retry';
import { v4 as uuidV4 } from 'uuid';
import { appendEvents, findEvent, type Action, type ChainHead, type EventFacts } from '../audit';
import type { HmacKey, KeyRing } from '../config/keys';
import { CommitUnknown, explain, readClock, withTransaction, type Database, type Reader, type Writer } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Permit } from '../guard/guard';
import type { SourceSession } from '../source';
import { HostGuid } from './credential';
import {
  endHostSessions,
  insertCanvasSessions,
  insertHostSessions,
  readBack,
  replaceCredentials,
  setChainHeads,
  setHashCopies,
  whyOver,
  type HostSession,
  type ReadBack,
  type StoredCredential,
} from './store';

/** Whose credential it is, as KSESSIONS knows it, or as far as canvas does. */
export interface Subject {
  /** null for a canvas session that is linked to none. */
  readonly ksessionsId: number | null;
  readonly title: string;
  /** null where KSESSIONS was not asked. */
  readonly transcripts: number | null;
}

/** What is to be done about one credential, as a value. Dry run prints it; apply carries it out. */
export type Plan = FirstPlan | RotatePlan | KeepPlan | RevokePlan;

/** A host session is made, and the canvas session where there is none. */
export interface FirstPlan {
  readonly action: 'provision';
  readonly session: SourceSession;
  readonly canvasSessionId: number | null;
  readonly live: undefined;
  /** An active host session past its date, or revoked before: it is ended first and never revived. */
  readonly over: HostSession | undefined;
  readonly expiresAt: Date | null;
}

/** The live credential is replaced in place. */
export interface RotatePlan {
  readonly action: 'rotate';
  readonly session: Subject;
  readonly canvasSessionId: number;
  readonly live: HostSession;
  readonly expiresAt: Date | null;
  /** The expiry is what the row has; it is not written. */
  readonly keepsExpiry: boolean;
}

/** Nothing is done; `live` is undefined where what was to end had ended. */
export interface KeepPlan {
  readonly action: 'keep';
  readonly session: Subject;
  readonly canvasSessionId: number;
  readonly live: HostSession | undefined;
  readonly expiresAt: Date | null;
}

/** The credential ends. */
export interface RevokePlan {
  readonly action: 'revoke';
  readonly session: Subject;
  readonly canvasSessionId: number;
  /** The active host session, or the one whose trail tells that a hash copy without a live one was emptied. */
  readonly live: HostSession;
  readonly expiresAt: Date | null;
}

/** A plan, or why there is none: one of many must not stop the others. */
export type Decision = Plan | ToolkitError;

/** What a verb does about a set of sessions. */
export interface Verb {
  readonly actor: string;
  readonly reason: string | null;
  /** The names of the locks that keep other runs away from these sessions. */
  readonly locks: readonly string[];
  /**
   * Reads what is there and plans. Writes nothing: a dry run asks the same.
   * @param now the database's clock
   */
  decide(reader: Reader, now: Date): Promise<readonly Decision[]>;
}

/** What was done, without the GUID. */
export interface Receipt {
  readonly status: 'provisioned' | 'rotated' | 'kept' | 'revoked';
  readonly session: Subject;
  readonly canvasSessionId: number;
  readonly hostSessionId: number | null;
  readonly fingerprint: string | null;
  readonly createdBy: string | null;
  readonly reason: string | null;
  readonly expiresAt: Date | null;
  readonly operationId: string | null;
  readonly at: Date;
  /** The newest event of the host session when this was committed; undefined where nothing was written. */
  readonly head: ChainHead | undefined;
  /** The credential that ended. */
  readonly replaced: { readonly fingerprint: string | null; readonly since: Date } | undefined;
}

/** What only the look back after the commit knows. */
export interface Outcome extends Receipt {
  /** Who had made the credential that ended. */
  readonly replacedActor: string | null;
  /** Another run changed it again meanwhile: a GUID handed over is void already. */
  readonly isSuperseded: boolean;
}

/** What came of one session. */
export type Result = Outcome | ToolkitError;

/** A receipt and the GUID that goes with it. */
export interface Issued {
  readonly receipt: Receipt;
  readonly guid: HostGuid;
}

/** How GUIDs reach whoever asked for them. */
export interface Delivery {
  /** All written and flushed, or an error. Called once per transaction, before its commit; never without a GUID. */
  handOver(issued: readonly Issued[]): Promise<void>;
  /** The GUIDs that were handed over last are void for certain: where they can be taken back, they are. */
  withdraw(): void;
}

/** The lock of a session: by KSESSIONS id, under which it may yet be made, else by its canvas session id. */
export function lockOf(canvasSessionId: number | null, ksessionsId: number | null): string {
  return ksessionsId === null ? `canvas/${canvasSessionId}` : `ksessions/${ksessionsId}`;
}

/** The plans from reads alone: writes nothing and uses up no identity value. */
export async function previewChanges(database: Database, verb: Verb): Promise<readonly Decision[]> {
  return verb.decide(database.canvas, await readClock(database));
}

/** A new GUID and what is stored of it. */
interface Minted {
  readonly guid: HostGuid;
  readonly hash: string;
  readonly fingerprint: string;
}

/** One GUID per session and operation, kept across retries; told apart by its id whatever becomes of the connection. */
interface Operation {
  readonly id: string;
  readonly key: HmacKey;
  /** By KSESSIONS id. */
  readonly minted: Map<number, Minted>;
  /** What the newest try of the transaction made, once it had nothing left to do but to commit. */
  written: Written | undefined;
  isHandedOver: boolean;
}

interface Written {
  readonly receipts: readonly Receipt[];
  /** By place among the decisions. */
  readonly refusals: ReadonlyMap<number, ToolkitError>;
}

/** Deadlocks are rare and short; more tries would hide a real one. */
const RETRIES = 3;

/**
 * Applies a verb in one transaction.
 * @returns what came of each session, in the order of the verb's decisions
 * @throws ToolkitError LOCKED, CONFLICT, TIMEOUT (not handed over), OUTCOME_UNKNOWN, INTERNAL and the guard's: nothing of
 *   the set was done, or it says what is not known. Whatever is thrown says what became of GUIDs that were handed over.
 */
export async function applyChanges(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  verb: Verb,
  delivery: Delivery,
): Promise<readonly Result[]> {
  const operation: Operation = { id: uuidV4(), key: keys.signing, minted: new Map(), written: undefined, isHandedOver: false };
  const attempt = () =>
    withTransaction(database, permit, verb.locks, (writer) => applyOnce(writer, operation, verb, delivery));
  const { receipts, refusals } = await pRetry(attempt, {
    retries: RETRIES,
    minTimeout: 50,
    randomize: true,
    shouldRetry: ({ error }) => !operation.isHandedOver && database.engine.mayRetry(error),
  }).catch((error: unknown) => settle(database, permit, operation, verb, delivery, error));
  const outcomes = await lookBack(database, receipts, operation).catch((error: unknown) => {
    throw faults.lookBackFailed(idsOf(receipts), operation.id, inWords(explain(database, error)));
  });
  return inOrder(outcomes, refusals);
}

function idsOf(receipts: readonly Receipt[]): number[] {
  return receipts.flatMap(({ session }) => session.ksessionsId ?? []);
}

/** Refusals stand at their places among the decisions, outcomes fill the rest. */
function inOrder(outcomes: readonly Result[], refusals: ReadonlyMap<number, ToolkitError>): Result[] {
  const rest = outcomes.values();
  return Array.from({ length: outcomes.length + refusals.size }, (_, place) => refusals.get(place) ?? (rest.next().value as Result));
}

/** Everything inside the transaction. */
async function applyOnce(writer: Writer, operation: Operation, verb: Verb, delivery: Delivery): Promise<Written> {
  const decisions = await verb.decide(writer, writer.now);
  const refusals = new Map<number, ToolkitError>();
  for (const [place, decision] of decisions.entries()) if (decision instanceof ToolkitError) refusals.set(place, decision);
  const plans = decisions.filter((decision): decision is Plan => !(decision instanceof ToolkitError));
  const written = await writePlans({ writer, operation, verb }, plans);
  const receipts = plans.map((plan) => written.get(plan) ?? keptReceipt(writer, plan));
  await handOver(operation, receipts, delivery);
  operation.written = { receipts, refusals };
  return operation.written;
}

async function handOver(operation: Operation, receipts: readonly Receipt[], delivery: Delivery): Promise<void> {
  const issued = receipts.filter(({ status }) => status === 'provisioned' || status === 'rotated').map((receipt) => ({
    receipt,
    guid: mintedFor(operation, receipt.session).guid,
  }));
  if (issued.length === 0) return;
  try {
    await delivery.handOver(issued);
  } catch (cause) {
    delivery.withdraw();
    throw faults.notDelivered(idsOf(receipts), operation.id, cause);
  }
  operation.isHandedOver = true;
}

function mintedFor({ key, minted }: Operation, { ksessionsId }: Subject): Minted {
  if (ksessionsId === null) throw new TypeError('Only a KSESSIONS session gets a GUID.');
  const known = minted.get(ksessionsId);
  if (known !== undefined) return known;
  const guid = HostGuid.make();
  const made = { guid, hash: guid.hash(key), fingerprint: guid.fingerprint(key) };
  minted.set(ksessionsId, made);
  return made;
}

// --- writing -----------------------------------------------------------------------------------------------------

interface Work {
  readonly writer: Writer;
  readonly operation: Operation;
  readonly verb: Verb;
}

/** A plan that writes, and the host session that carries its event. */
interface Entry<P extends Plan> {
  readonly plan: P;
  readonly canvasSessionId: number;
  readonly hostSessionId: number;
}

/** What each plan that writes made; one that keeps makes nothing. */
async function writePlans(work: Work, plans: readonly Plan[]): Promise<Map<Plan, Receipt>> {
  const firsts = plans.filter((plan) => plan.action === 'provision');
  await endOver(work, firsts);
  const receipts = new Map<Plan, Receipt>([
    ...(await writeFirsts(work, firsts)),
    ...(await writeRotations(work, plans.filter((plan) => plan.action === 'rotate'))),
    ...(await writeRevocations(work, plans.filter((plan) => plan.action === 'revoke'))),
  ]);
  await setHashCopies(work.writer, copiesOf(work, receipts));
  return receipts;
}

/** The copy that stands with a new canvas session is right already. */
function copiesOf({ operation }: Work, receipts: ReadonlyMap<Plan, Receipt>): Map<number, string> {
  const copies = new Map<number, string>();
  for (const [{ action, canvasSessionId, session }] of receipts) {
    if (canvasSessionId === null) continue;
    copies.set(canvasSessionId, action === 'revoke' ? '' : mintedFor(operation, session).hash);
  }
  return copies;
}

async function endOver({ operation, verb, writer }: Work, plans: readonly FirstPlan[]): Promise<void> {
  const overs = plans.flatMap((plan) => (plan.over === undefined ? [] : [{ plan, over: plan.over }]));
  const heads = await appendEvents(writer, operation.key, overs.map(({ over, plan }) => ({
    head: over.head,
    facts: {
      ...eventFacts(operation, verb, plan),
      canvasSessionId: requireId(plan.canvasSessionId),
      hostSessionId: over.hostSessionId,
      action: whyOver(over, writer.now) === 'revived' ? 'consolidated' : 'expired',
      oldFingerprint: over.fingerprint,
      newFingerprint: null,
      expiresAt: over.expiresAt,
    },
  })));
  await endHostSessions(writer, overs.map(({ over }, place) => ({ hostSession: over, head: at(heads, place) })), verb.actor);
}

async function writeFirsts(work: Work, plans: readonly FirstPlan[]): Promise<Map<Plan, Receipt>> {
  const { operation, verb, writer } = work;
  const credentials = plans.map((plan) => credentialOf(operation, plan, plan.expiresAt));
  const unmade = plans.flatMap(({ canvasSessionId, session }, place) =>
    canvasSessionId === null ? [{ session, hash: at(credentials, place).hash }] : [],
  );
  const made = await insertCanvasSessions(writer, unmade);
  const canvasIds = plans.map(({ canvasSessionId, session }) => canvasSessionId ?? requireId(made.get(session.ksessionsId)));
  const newRows = canvasIds.map((canvasSessionId, place) => ({ canvasSessionId, credential: at(credentials, place) }));
  const hostIds = await insertHostSessions(writer, newRows, verb.actor);
  const entries = plans.map((plan, place) => {
    const canvasSessionId = at(canvasIds, place);
    return { plan, canvasSessionId, hostSessionId: requireId(hostIds.get(canvasSessionId)) };
  });
  const heads = await append(work, entries, () => ({ action: 'provisioned', head: NO_EVENT, oldFingerprint: null }));
  await setChainHeads(writer, new Map(entries.map(({ hostSessionId }, place) => [hostSessionId, at(heads, place)])));
  return receiptsOf(work, entries, heads, () => ({ status: 'provisioned', createdBy: verb.actor, replaced: undefined }));
}

const NO_EVENT: ChainHead = { sequence: 0, hash: null };

async function writeRotations(work: Work, plans: readonly RotatePlan[]): Promise<Map<Plan, Receipt>> {
  const { operation, writer } = work;
  const entries = plans.map((plan) => ({ plan, canvasSessionId: plan.canvasSessionId, hostSessionId: plan.live.hostSessionId }));
  const heads = await append(work, entries, ({ live }) => ({ action: 'rotated', head: live.head, oldFingerprint: live.fingerprint }));
  await replaceCredentials(writer, entries.map(({ hostSessionId, plan }, place) => ({
    hostSessionId,
    credential: credentialOf(operation, plan, plan.keepsExpiry ? undefined : plan.expiresAt),
    head: at(heads, place),
  })));
  return receiptsOf(work, entries, heads, ({ live }) => ({ status: 'rotated', createdBy: live.createdBy, replaced: endOf(live) }));
}

async function writeRevocations(work: Work, plans: readonly RevokePlan[]): Promise<Map<Plan, Receipt>> {
  const { verb, writer } = work;
  const entries = plans.map((plan) => ({ plan, canvasSessionId: plan.canvasSessionId, hostSessionId: plan.live.hostSessionId }));
  const heads = await append(work, entries, ({ live }) => ({
    action: live.isActive && whyOver(live, writer.now) === 'expired' ? 'expired' : 'revoked',
    head: live.head,
    oldFingerprint: live.fingerprint,
  }));
  const ended = entries.map(({ plan }, place) => ({ hostSession: plan.live, head: at(heads, place) }));
  await endHostSessions(writer, ended.filter(({ hostSession }) => hostSession.isActive), verb.actor);
  const told = ended.filter(({ hostSession }) => !hostSession.isActive);
  await setChainHeads(writer, new Map(told.map(({ head, hostSession }) => [hostSession.hostSessionId, head])));
  return receiptsOf(work, entries, heads, ({ live }) => ({ status: 'revoked', createdBy: live.createdBy, replaced: endOf(live) }));
}

const endOf = (live: HostSession) => ({ fingerprint: live.fingerprint, since: live.updatedAt ?? live.createdAt });

function credentialOf(operation: Operation, { session }: FirstPlan | RotatePlan, expiresAt: Date | null | undefined): StoredCredential {
  const { fingerprint, hash } = mintedFor(operation, session);
  return { hash, hashKeyId: operation.key.id, fingerprint, expiresAt };
}

/** What an event says that depends on the verb. */
interface Said {
  readonly action: Action;
  readonly head: ChainHead;
  readonly oldFingerprint: string | null;
}

function append<P extends Plan>(
  { operation, verb, writer }: Work,
  entries: readonly Entry<P>[],
  say: (plan: P) => Said,
): Promise<ChainHead[]> {
  return appendEvents(writer, operation.key, entries.map(({ canvasSessionId, hostSessionId, plan }) => {
    const { action, head, oldFingerprint } = say(plan);
    return { head, facts: { ...eventFacts(operation, verb, plan), canvasSessionId, hostSessionId, action, oldFingerprint } };
  }));
}

function eventFacts(
  operation: Operation,
  { actor, reason }: Verb,
  { action, expiresAt, session }: Plan,
): Omit<EventFacts, 'hostSessionId' | 'canvasSessionId' | 'action' | 'oldFingerprint'> {
  const newFingerprint = action === 'revoke' ? null : mintedFor(operation, session).fingerprint;
  return { operationId: operation.id, ksessionsId: session.ksessionsId, actor, reason, newFingerprint, expiresAt };
}

function receiptsOf<P extends Plan>(
  { operation, verb, writer }: Work,
  entries: readonly Entry<P>[],
  heads: readonly ChainHead[],
  say: (plan: P) => Pick<Receipt, 'status' | 'createdBy' | 'replaced'>,
): Map<Plan, Receipt> {
  const { id } = operation;
  return new Map(entries.map(({ canvasSessionId, hostSessionId, plan }, place) => {
    const said = say(plan);
    const fingerprint = said.status === 'revoked' ? (said.replaced?.fingerprint ?? null) : mintedFor(operation, plan.session).fingerprint;
    const { expiresAt, session } = plan;
    const common = { session, canvasSessionId, hostSessionId, fingerprint, expiresAt, operationId: id, at: writer.now };
    return [plan, { ...common, ...said, reason: verb.reason, head: at(heads, place) }];
  }));
}

function keptReceipt(writer: Writer, { canvasSessionId, expiresAt, live, session }: Plan): Receipt {
  return {
    status: 'kept',
    session,
    canvasSessionId: requireId(canvasSessionId),
    hostSessionId: live?.hostSessionId ?? null,
    fingerprint: live?.fingerprint ?? null,
    createdBy: live?.createdBy ?? null,
    reason: null,
    expiresAt,
    operationId: null,
    at: writer.now,
    head: undefined,
    replaced: undefined,
  };
}

/** An id that must be there: the database made the row a statement ago. */
function requireId(id: number | null | undefined): number {
  if (id === null || id === undefined) throw new Error('A row that was made did not come back.');
  return id;
}

function at<T>(list: readonly T[], place: number): T {
  const value = list[place];
  if (value === undefined) throw new RangeError(`Nothing stands at ${place} of ${list.length}.`);
  return value;
}

// --- afterwards --------------------------------------------------------------------------------------------------

/**
 * After an error: says what became of the GUIDs. An unknown outcome of COMMIT is looked up by the operation's id,
 * under the operation's locks: whoever gets them knows that the lost transaction has ended.
 * @returns what was written, where the transaction was committed after all
 */
async function settle(
  database: Database,
  permit: Permit,
  operation: Operation,
  verb: Verb,
  delivery: Delivery,
  error: unknown,
): Promise<Written> {
  const { isHandedOver, written } = operation;
  const ids = idsOf(written?.receipts ?? []);
  const isNotCommitted = (cause: unknown) => {
    if (!isHandedOver) return cause;
    delivery.withdraw();
    return faults.notCommitted(ids, operation.id, inWords(cause));
  };
  if (written === undefined || !(error instanceof CommitUnknown)) throw isNotCommitted(explain(database, error));
  if (written.receipts.every(({ head }) => head === undefined)) return written;
  const event = await withTransaction(database, permit, verb.locks, (writer) => findEvent(writer, operation.id)).catch(
    (lookUpError: unknown) => {
      throw faults.outcomeUnknown(ids, operation.id, lookUpError);
    },
  );
  if (event === undefined) throw isNotCommitted(explain(database, error.cause));
  return written;
}

function inWords(error: unknown): ToolkitError {
  return error instanceof ToolkitError ? error : faults.internal(error);
}

/** Reads back what was committed, over another statement. */
async function lookBack(database: Database, receipts: readonly Receipt[], operation: Operation): Promise<Result[]> {
  const places = receipts.flatMap(({ head, hostSessionId }) =>
    head === undefined || hostSessionId === null ? [] : [{ hostSessionId, sequence: head.sequence }],
  );
  const states = places.length === 0 ? new Map<number, ReadBack>() : await readBack(database.canvas, places);
  return receipts.map((receipt) => {
    const { head, hostSessionId } = receipt;
    if (head === undefined || hostSessionId === null) return { ...receipt, replacedActor: null, isSuperseded: false };
    return judge(receipt, head, operation, states.get(hostSessionId));
  });
}

/** Another run may have changed it since: then the newest event is not ours, and the outcome says so. */
function judge(receipt: Receipt, head: ChainHead, operation: Operation, state: ReadBack | undefined): Result {
  const isSuperseded = state?.headHash !== head.hash;
  if (state?.eventHash !== head.hash || !(isSuperseded || isAsWritten(receipt, operation, state.stored))) {
    return faults.notReadBack(idsOf([receipt]), operation.id);
  }
  return { ...receipt, replacedActor: state.actorBefore ?? receipt.createdBy, isSuperseded };
}

function isAsWritten({ session, status }: Receipt, { minted }: Operation, stored: ReadBack['stored']): boolean {
  if (stored === undefined) return false;
  if (status === 'revoked') return !stored.isActive && stored.hashCopy !== stored.hash;
  const ours = session.ksessionsId === null ? undefined : minted.get(session.ksessionsId);
  return stored.isActive && stored.hashCopy === stored.hash && stored.hash === ours?.hash;
}
