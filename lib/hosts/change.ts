/**
 * How credentials change: the order that is the promise, for one session and for a set of them alike.
 *
 * One transaction takes the locks, reads what is there, plans, and writes rows and events; the GUIDs are handed over; the
 * transaction commits; another statement reads it back. A crash leaves the old credentials working and the new GUIDs
 * void, or the new ones working and already in the operator's hands.
 */
import pRetry from 'p-retry';
import { v4 as uuidV4 } from 'uuid';
import { findEvent, type ChainHead } from '../audit';
import type { KeyRing } from '../config/keys';
import { CommitUnknown, explain, readClock, withTransaction, type Database, type Writer } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Permit } from '../guard/guard';
import type { HostGuid } from './credential';
import type { Decision, Plan, Verb } from './plan';
import { RETRIES } from './retries';
import { readBack, type ReadBack } from './store';
import { keptReceipt, mintedFor, writePlans, type Operation, type Receipt } from './writing';

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

/** The plans from reads alone: writes nothing and uses up no identity value. */
export async function previewChanges(database: Database, verb: Verb): Promise<readonly Decision[]> {
  return verb.decide(database.canvas, await readClock(database));
}

/** An operation under way. */
interface Attempts extends Operation {
  /** What the newest try of the transaction made, once it had nothing left to do but to commit. */
  written: Written | undefined;
  isHandedOver: boolean;
}

interface Written {
  readonly receipts: readonly Receipt[];
  /** By place among the decisions. */
  readonly refusals: ReadonlyMap<number, ToolkitError>;
}

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
  const operation: Attempts = { id: uuidV4(), key: keys.signing, minted: new Map(), written: undefined, isHandedOver: false };
  const attempt = () =>
    withTransaction(database, permit, verb.locks, (writer) => applyOnce(writer, operation, verb, delivery));
  const { receipts, refusals } = await pRetry(attempt, {
    ...RETRIES,
    shouldRetry: ({ error }) => !operation.isHandedOver && database.engine.mayRetry(error),
  }).catch((error: unknown) => settle(database, permit, operation, verb, delivery, error));
  const outcomes = await looking(database, () => lookBack(database, receipts, operation)).catch((error: unknown) => {
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
async function applyOnce(writer: Writer, operation: Attempts, verb: Verb, delivery: Delivery): Promise<Written> {
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

async function handOver(operation: Attempts, receipts: readonly Receipt[], delivery: Delivery): Promise<void> {
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

/**
 * After an error: says what became of the GUIDs. An unknown outcome of COMMIT is looked up by the operation's id,
 * under the operation's locks: whoever gets them knows that the lost transaction has ended.
 * @returns what was written, where the transaction was committed after all
 */
async function settle(
  database: Database,
  permit: Permit,
  operation: Attempts,
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
  const lookUp = () => withTransaction(database, permit, verb.locks, (writer) => findEvent(writer, operation.id));
  const event = await looking(database, lookUp).catch((lookUpError: unknown) => {
    throw faults.outcomeUnknown(ids, operation.id, lookUpError);
  });
  if (event === undefined) throw isNotCommitted(explain(database, error.cause));
  return written;
}

/** Where the network lost one connection it may lose the next; looking changes nothing, so it is tried on another. */
function looking<T>(database: Database, look: () => Promise<T>): Promise<T> {
  const isLost = (error: unknown) => error instanceof CommitUnknown || inWords(explain(database, error)).code === 'UNREACHABLE';
  return pRetry(look, { ...RETRIES, shouldRetry: ({ error }) => isLost(error) });
}

function inWords(error: unknown): ToolkitError {
  return error instanceof ToolkitError ? error : faults.internal(error);
}

/** Reads back what was committed, over another statement. */
async function lookBack(database: Database, receipts: readonly Receipt[], operation: Attempts): Promise<Result[]> {
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
function judge(receipt: Receipt, head: ChainHead, operation: Attempts, state: ReadBack | undefined): Result {
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
