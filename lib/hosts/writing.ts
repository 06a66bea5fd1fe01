/** Plans to rows and events, by sets, inside the transaction of whoever calls. */
import { appendEvents, type Action, type ChainHead, type EventFacts } from '../audit';
import type { HmacKey } from '../config/keys';
import type { Writer } from '../engines/database';
import { HostGuid } from './credential';
import type { FirstPlan, Plan, RevokePlan, RotatePlan, Subject, Verb } from './plan';
import {
  endHostSessions,
  insertCanvasSessions,
  insertHostSessions,
  replaceCredentials,
  setChainHeads,
  setHashCopies,
  whyOver,
  type HostSession,
  type StoredCredential,
} from './store';

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

/** A new GUID and what is stored of it. */
interface Minted {
  readonly guid: HostGuid;
  readonly hash: string;
  readonly fingerprint: string;
}

/** One GUID per session and operation, kept across retries; told apart by its id whatever becomes of the connection. */
export interface Operation {
  readonly id: string;
  readonly key: HmacKey;
  /** By KSESSIONS id. */
  readonly minted: Map<number, Minted>;
}

/** The GUID of a session: the same in every try of an operation. */
export function mintedFor({ key, minted }: Operation, { ksessionsId }: Subject): Minted {
  if (ksessionsId === null) throw new TypeError('Only a KSESSIONS session gets a GUID.');
  const known = minted.get(ksessionsId);
  if (known !== undefined) return known;
  const guid = HostGuid.make();
  const made = { guid, hash: guid.hash(key), fingerprint: guid.fingerprint(key) };
  minted.set(ksessionsId, made);
  return made;
}

/** One try of an operation. */
export interface Work {
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

/**
 * Writes the rows and events of a set of plans.
 * @returns what each plan that writes made; one that keeps makes nothing
 */
export async function writePlans(work: Work, plans: readonly Plan[]): Promise<Map<Plan, Receipt>> {
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

async function endOver(work: Work, plans: readonly FirstPlan[]): Promise<void> {
  const { operation, verb, writer } = work;
  const overs = plans.flatMap((plan) => (plan.over === undefined ? [] : [{ plan, over: plan.over }]));
  const heads = await appendEvents(writer, operation.key, overs.map(({ over, plan }) => ({
    head: over.head,
    facts: factsOf(work, { plan, canvasSessionId: requireId(plan.canvasSessionId), hostSessionId: over.hostSessionId }, {
      action: whyOver(over, writer.now) === 'revived' ? 'consolidated' : 'expired',
      oldFingerprint: over.fingerprint,
      newFingerprint: null,
      expiresAt: over.expiresAt,
    }),
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

function append<P extends Plan>(work: Work, entries: readonly Entry<P>[], say: (plan: P) => Said): Promise<ChainHead[]> {
  const { operation, writer } = work;
  return appendEvents(writer, operation.key, entries.map((entry) => {
    const { action, expiresAt, session } = entry.plan;
    const said = say(entry.plan);
    const newFingerprint = action === 'revoke' ? null : mintedFor(operation, session).fingerprint;
    const what = { action: said.action, oldFingerprint: said.oldFingerprint, newFingerprint, expiresAt };
    return { head: said.head, facts: factsOf(work, entry, what) };
  }));
}

function factsOf(
  { operation, verb }: Work,
  { canvasSessionId, hostSessionId, plan }: Entry<Plan>,
  { action, expiresAt, newFingerprint, oldFingerprint }: Pick<EventFacts, 'action' | 'oldFingerprint' | 'newFingerprint' | 'expiresAt'>,
): EventFacts {
  const { id: operationId } = operation;
  const { actor, reason } = verb;
  const { ksessionsId } = plan.session;
  return { operationId, hostSessionId, canvasSessionId, ksessionsId, action, actor, reason, oldFingerprint, newFingerprint, expiresAt };
}

function receiptsOf<P extends Plan>(
  { operation, verb, writer }: Work,
  entries: readonly Entry<P>[],
  heads: readonly ChainHead[],
  say: (plan: P) => Pick<Receipt, 'status' | 'createdBy' | 'replaced'>,
): Map<Plan, Receipt> {
  const { id: operationId } = operation;
  const { now } = writer;
  const { reason } = verb;
  return new Map(entries.map(({ canvasSessionId, hostSessionId, plan }, place) => {
    const { createdBy, replaced, status } = say(plan);
    const { expiresAt, session } = plan;
    const fingerprint = status === 'revoked' ? (replaced?.fingerprint ?? null) : mintedFor(operation, session).fingerprint;
    const head = at(heads, place);
    return [
      plan,
      { status, session, canvasSessionId, hostSessionId, fingerprint, createdBy, reason, expiresAt, operationId, at: now, head, replaced },
    ];
  }));
}

/** Of a plan that writes nothing. */
export function keptReceipt(writer: Writer, { canvasSessionId, expiresAt, live, session }: Plan): Receipt {
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
