/**
 * Provisioning: the first host GUID of a session, or a new one in place of the live one.
 *
 * The order is the promise: one transaction writes the rows and the event; the GUID is handed over; the transaction
 * commits; another statement reads it back. A crash leaves the old credential working and the new GUID void, or the
 * new one working and already in the operator's hands.
 */
import pRetry from 'p-retry';
import { v4 as uuidV4 } from 'uuid';
import { appendEvent, findEvent, readNewestEvents, type ChainHead } from '../audit';
import type { HmacKey, KeyRing } from '../config/keys';
import { CommitUnknown, explain, readClock, withTransaction, type Database, type Reader, type Writer } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Permit } from '../guard/guard';
import { findSourceSession, type SourceSession } from '../source';
import { HostGuid } from './credential';
import {
  canvasTitleOf,
  endHostSession,
  findCanvasState,
  findWithHashCopy,
  insertCanvasSession,
  insertHostSession,
  replaceCredential,
  setChainHead,
  setHashCopy,
  whyOver,
  type CanvasState,
  type HostSession,
} from './store';
import { findNamesakes } from './survey';

export interface ProvisionRequest {
  readonly ksessionsId: number;
  readonly actor: string;
  readonly reason: string | null;
  /** undefined: none for a new credential, the existing date for a rotated one. */
  readonly expiresAt: Date | undefined;
  /** What to do where a live credential exists. */
  readonly ifExists: 'rotate' | 'keep' | 'fail';
  /** The fingerprint of the live credential a person agreed to replace; another one is a conflict. */
  readonly confirmed?: string | null;
}

/** What provisioning would do, as a value. Dry run prints it; apply carries it out. */
export interface ProvisionPlan {
  readonly action: 'provision' | 'rotate' | 'keep';
  readonly session: SourceSession;
  readonly canvasSessionId: number | null;
  /** The live host session that is replaced in place, or kept. */
  readonly live: HostSession | undefined;
  /** An active host session past its date, or revoked before: it is ended first and never revived. */
  readonly over: HostSession | undefined;
  readonly expiresAt: Date | null;
}

/** What was done, without the GUID. */
export interface Receipt {
  readonly status: 'provisioned' | 'rotated' | 'kept';
  readonly session: SourceSession;
  readonly canvasSessionId: number;
  readonly hostSessionId: number;
  readonly fingerprint: string | null;
  readonly createdBy: string | null;
  readonly reason: string | null;
  readonly expiresAt: Date | null;
  readonly operationId: string | null;
  readonly at: Date;
  /** The newest event of the host session when this was committed; undefined where nothing was written. */
  readonly head: ChainHead | undefined;
  /** The credential that ended with this one's beginning. */
  readonly replaced: { readonly fingerprint: string | null; readonly since: Date } | undefined;
}

/** What only the look back after the commit knows. */
export interface Outcome extends Receipt {
  /** Who had made the credential that was replaced. */
  readonly replacedActor: string | null;
  /** Another run rotated again meanwhile: this GUID is void already. */
  readonly isSuperseded: boolean;
}

/** How the GUID reaches whoever asked for it. */
export interface Delivery {
  /** Written and flushed, or an error. Called once, inside the transaction, before its commit. */
  handOver(receipt: Receipt, guid: HostGuid): Promise<void>;
  /** The GUID that was handed over is void for certain: where it can be taken back, it is. */
  withdraw(): void;
}

/**
 * Pure: what is there and what is asked → what to do.
 * @param now the database's clock
 * @throws ToolkitError CONFLICT with `ifExists: fail` or when what a person confirmed is no longer there; USAGE for a
 *   date that has passed
 */
export function planProvision(
  session: SourceSession,
  canvas: CanvasState | undefined,
  request: ProvisionRequest,
  now: Date,
): ProvisionPlan {
  const { expiresAt, ifExists, ksessionsId } = request;
  if (expiresAt !== undefined && expiresAt <= now) {
    throw faults.badExpiry(expiresAt.toISOString(), `The database's clock says ${now.toISOString()}.`);
  }
  const current = canvas?.live;
  const isOver = current !== undefined && whyOver(current, now) !== undefined;
  const live = isOver ? undefined : current;
  const common = { session, canvasSessionId: canvas?.canvasSessionId ?? null, live };
  if (request.confirmed !== undefined && request.confirmed !== (live?.fingerprint ?? null)) {
    throw faults.changedMeanwhile(ksessionsId);
  }
  if (live === undefined) {
    return { ...common, action: 'provision', over: current, expiresAt: expiresAt ?? null };
  }
  if (ifExists === 'fail') throw faults.alreadyThere(ksessionsId, live.fingerprint ?? 'not recorded');
  if (ifExists === 'keep' && canvas?.hashCopy !== live.hash) throw faults.hashCopyDiffers(ksessionsId);
  if (ifExists === 'keep') return { ...common, action: 'keep', over: undefined, expiresAt: live.expiresAt };
  return { ...common, action: 'rotate', over: undefined, expiresAt: expiresAt ?? live.expiresAt };
}

/** The plan from reads alone: writes nothing and uses up no identity value. @throws as `planProvision` */
export async function previewProvision(database: Database, request: ProvisionRequest): Promise<ProvisionPlan> {
  const session = await requireSourceSession(database, request.ksessionsId);
  const now = await readClock(database);
  return planProvision(session, await readCanvas(database.canvas, session, now), request, now);
}

/**
 * The canvas side of a session. Rows from before KSessionsId have NULL there; one of the same title that is open may
 * be the very session, and a second canvas row must not be made silently (I-20). Nor is it taken for it (I-21).
 * @throws ToolkitError CONFLICT
 */
async function readCanvas(reader: Reader, session: SourceSession, now: Date): Promise<CanvasState | undefined> {
  const canvas = await findCanvasState(reader, session.ksessionsId);
  if (canvas !== undefined) return canvas;
  const namesakes = await findNamesakes(reader, canvasTitleOf(session), now);
  if (namesakes.length === 0) return undefined;
  throw faults.unlinkedNamesake(reader.admission.target.name, session.ksessionsId, session.title, namesakes);
}

/** @throws ToolkitError SESSION_NOT_FOUND, NO_TRANSCRIPTS */
async function requireSourceSession(database: Database, ksessionsId: number): Promise<SourceSession> {
  const session = await findSourceSession(database.source, ksessionsId);
  if (session === undefined) {
    throw faults.sessionNotFound(ksessionsId, database.source.admission.identity.database);
  }
  if (session.transcripts === 0) throw faults.noTranscripts(ksessionsId, session.title);
  return session;
}

/** One GUID per operation, kept across retries; told apart by its id whatever becomes of the connection. */
interface Operation {
  readonly id: string;
  readonly guid: HostGuid;
  readonly key: HmacKey;
  readonly lock: string;
  handedOver: Receipt | undefined;
}

/** Deadlocks are rare and short; more tries would hide a real one. */
const RETRIES = 3;

/**
 * Provisions or rotates one session.
 * @throws ToolkitError SESSION_NOT_FOUND, NO_TRANSCRIPTS, CONFLICT, LOCKED, USAGE, TIMEOUT (not handed over),
 *   OUTCOME_UNKNOWN, INTERNAL and the guard's. Whatever is thrown says what became of a GUID that was handed over.
 */
export async function provision(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  request: ProvisionRequest,
  delivery: Delivery,
): Promise<Outcome> {
  const { ksessionsId } = request;
  const session = await requireSourceSession(database, ksessionsId);
  const operation: Operation = {
    id: uuidV4(),
    guid: HostGuid.make(),
    key: keys.signing,
    lock: `ksessions/${ksessionsId}`,
    handedOver: undefined,
  };
  const attempt = () =>
    withTransaction(database, permit, operation.lock, (writer) =>
      applyOnce(writer, operation, session, request, delivery),
    );
  const receipt = await pRetry(attempt, {
    retries: RETRIES,
    minTimeout: 50,
    randomize: true,
    shouldRetry: ({ error }) => operation.handedOver === undefined && database.engine.mayRetry(error),
  }).catch((error: unknown) => settle(database, permit, operation, delivery, ksessionsId, error));
  return lookBack(database, receipt, operation).catch((error: unknown) => {
    if (error instanceof ToolkitError && error.operationId !== undefined) throw error;
    throw faults.lookBackFailed(ksessionsId, operation.id, inWords(explain(database, error)));
  });
}

/** Everything inside the transaction. */
async function applyOnce(
  writer: Writer,
  operation: Operation,
  session: SourceSession,
  request: ProvisionRequest,
  delivery: Delivery,
): Promise<Receipt> {
  const canvas = await readCanvas(writer, session, writer.now);
  const plan = planProvision(session, canvas, request, writer.now);
  if (plan.action === 'keep' && plan.live !== undefined) return keptReceipt(writer, plan, plan.live);
  if (plan.over !== undefined) await endOver(writer, operation, plan, plan.over, request);
  const receipt =
    plan.live === undefined
      ? await writeNew(writer, operation, plan, request)
      : await writeReplacement(writer, operation, plan, plan.live, request);
  await delivery.handOver(receipt, operation.guid).catch((cause: unknown) => {
    delivery.withdraw();
    throw faults.notDelivered(request.ksessionsId, operation.id, cause);
  });
  operation.handedOver = receipt;
  return receipt;
}

async function writeNew(
  writer: Writer,
  operation: Operation,
  plan: ProvisionPlan,
  request: ProvisionRequest,
): Promise<Receipt> {
  const credential = credentialOf(operation, plan.expiresAt);
  const canvasSessionId =
    plan.canvasSessionId ?? (await insertCanvasSession(writer, plan.session, credential.hash));
  const hostSessionId = await insertHostSession(writer, canvasSessionId, credential, request.actor);
  const facts = { ...eventFacts(operation, plan, request), hostSessionId, canvasSessionId, oldFingerprint: null };
  const head = await appendEvent(writer, operation.key, { sequence: 0, hash: null }, {
    ...facts,
    action: 'provisioned',
  });
  await setChainHead(writer, hostSessionId, head);
  if (plan.canvasSessionId !== null) await setHashCopy(writer, canvasSessionId, credential.hash);
  return {
    ...receiptOf(writer, operation, plan, request),
    status: 'provisioned',
    canvasSessionId,
    hostSessionId,
    createdBy: request.actor,
    head,
    replaced: undefined,
  };
}

async function writeReplacement(
  writer: Writer,
  operation: Operation,
  plan: ProvisionPlan,
  live: HostSession,
  request: ProvisionRequest,
): Promise<Receipt> {
  const canvasSessionId = requireId(plan.canvasSessionId);
  const { hostSessionId } = live;
  const credential = credentialOf(operation, request.expiresAt);
  const facts = { ...eventFacts(operation, plan, request), hostSessionId, canvasSessionId };
  const head = await appendEvent(writer, operation.key, live.head, {
    ...facts,
    action: 'rotated',
    oldFingerprint: live.fingerprint,
  });
  await replaceCredential(writer, hostSessionId, credential, head);
  await setHashCopy(writer, canvasSessionId, credential.hash);
  return {
    ...receiptOf(writer, operation, plan, request),
    status: 'rotated',
    canvasSessionId,
    hostSessionId,
    createdBy: live.createdBy,
    head,
    replaced: { fingerprint: live.fingerprint, since: live.updatedAt ?? live.createdAt },
  };
}

async function endOver(
  writer: Writer,
  operation: Operation,
  plan: ProvisionPlan,
  over: HostSession,
  request: ProvisionRequest,
): Promise<void> {
  const head: ChainHead = await appendEvent(writer, operation.key, over.head, {
    ...eventFacts(operation, plan, request),
    hostSessionId: over.hostSessionId,
    canvasSessionId: requireId(plan.canvasSessionId),
    action: whyOver(over, writer.now) === 'revived' ? 'consolidated' : 'expired',
    oldFingerprint: over.fingerprint,
    newFingerprint: null,
    expiresAt: over.expiresAt,
  });
  await endHostSession(writer, over, request.actor, head);
}

function credentialOf({ guid, key }: Operation, expiresAt: Date | null | undefined) {
  return { hash: guid.hash(key), hashKeyId: key.id, fingerprint: guid.fingerprint(key), expiresAt };
}

function eventFacts({ id, guid, key }: Operation, plan: ProvisionPlan, request: ProvisionRequest) {
  return {
    operationId: id,
    ksessionsId: request.ksessionsId,
    actor: request.actor,
    reason: request.reason,
    newFingerprint: guid.fingerprint(key),
    expiresAt: plan.expiresAt,
  };
}

function receiptOf(writer: Writer, { id, guid, key }: Operation, plan: ProvisionPlan, request: ProvisionRequest) {
  return {
    session: plan.session,
    fingerprint: guid.fingerprint(key),
    reason: request.reason,
    expiresAt: plan.expiresAt,
    operationId: id,
    at: writer.now,
  };
}

function keptReceipt(writer: Writer, plan: ProvisionPlan, live: HostSession): Receipt {
  return {
    status: 'kept',
    session: plan.session,
    canvasSessionId: requireId(plan.canvasSessionId),
    hostSessionId: live.hostSessionId,
    fingerprint: live.fingerprint,
    createdBy: live.createdBy,
    reason: null,
    expiresAt: live.expiresAt,
    operationId: null,
    at: writer.now,
    head: undefined,
    replaced: undefined,
  };
}

/** A live host session hangs on a canvas session, so a plan that has the one has the other. */
function requireId(id: number | null): number {
  if (id === null) throw new Error('A plan with a live host session has no canvas session.');
  return id;
}

/**
 * After an error: says what became of the GUID. An unknown outcome of COMMIT is looked up by the operation's id,
 * under the operation's lock: whoever gets the lock knows that the lost transaction has ended.
 * @returns the receipt, where the transaction was committed after all
 */
async function settle(
  database: Database,
  permit: Permit,
  operation: Operation,
  delivery: Delivery,
  ksessionsId: number,
  error: unknown,
): Promise<Receipt> {
  const receipt = operation.handedOver;
  const cause = explain(database, error);
  if (receipt === undefined) throw cause;
  if (!(error instanceof CommitUnknown)) {
    delivery.withdraw();
    throw faults.notCommitted(ksessionsId, operation.id, inWords(cause));
  }
  const event = await withTransaction(database, permit, operation.lock, (writer) =>
    findEvent(writer, operation.id),
  ).catch((lookUpError: unknown) => {
    throw faults.outcomeUnknown(ksessionsId, operation.id, lookUpError);
  });
  if (event === undefined) {
    delivery.withdraw();
    throw faults.notCommitted(ksessionsId, operation.id, inWords(explain(database, error.cause)));
  }
  return receipt;
}

function inWords(error: unknown): ToolkitError {
  return error instanceof ToolkitError ? error : faults.internal(error);
}

/**
 * Reads back what was committed, over another statement. Another run may have rotated since: then the newest event
 * is not ours, and the outcome says so.
 */
async function lookBack(database: Database, receipt: Receipt, operation: Operation): Promise<Outcome> {
  const { head, hostSessionId, session } = receipt;
  if (head === undefined) return { ...receipt, replacedActor: null, isSuperseded: false };
  const state = await findWithHashCopy(database.canvas, hostSessionId);
  const [ours, before] = await readNewestEvents(database.canvas, hostSessionId, head.sequence, 2);
  const isSuperseded = state?.head.hash !== head.hash;
  const isLive =
    state?.isActive === true && state.hashCopy === state.hash && operation.guid.matches(operation.key, state.hash);
  if (ours?.eventHash !== head.hash || !(isLive || isSuperseded)) {
    throw faults.notReadBack(session.ksessionsId, operation.id);
  }
  return { ...receipt, replacedActor: before?.actor ?? receipt.createdBy, isSuperseded };
}
