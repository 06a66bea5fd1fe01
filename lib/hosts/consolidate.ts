/**
 * Repair of what the old application left. What the rows themselves decide is mended, each canvas session in a
 * transaction of its own; what they do not decide is named and left to a person: nothing is guessed, merged or deleted.
 *
 * Afterwards at most one host session of a canvas session is active, it is neither revoked nor past its date, it has a
 * trail, and the hash copy is its hash, or empty where none is live. A run that was killed is continued by the next.
 */
import pRetry from 'p-retry';
import { v4 as uuidV4 } from 'uuid';
import { appendEvent, type Action, type ChainHead } from '../audit';
import type { HmacKey, KeyRing } from '../config/keys';
import { CommitUnknown, readClock, withTransaction, type Database, type Reader, type Writer } from '../engines/database';
import { faults } from '../errors';
import type { Permit } from '../guard/guard';
import { findSourceSession } from '../source';
import { advanceIdentity, isBehind, readIdentities, type IdentityState } from './identities';
import { lockOf } from './plan';
import { RETRIES } from './retries';
import { newest } from './state';
import { endHostSessions, setChainHeads, setHashCopies, setLink, whyOver, type HostSession } from './store';
import {
  countRows,
  findDisorder,
  findLinked,
  findUndecided,
  isDeclaredAlone,
  isPossibleLink,
  readCredentials,
  requireReadableIds,
  type CanvasCredentials,
  type Finding,
} from './survey';

/** What makes the columns and the events that a repair writes. What comes after it may be what the repair is for. */
export const CONSOLIDATE_NEEDS = '20261122000300_nullable_columns';

/** HostSessionEvents.Reason holds 1000 characters; the rest is for the words of the repair itself. */
export const MAX_REASON = 900;

/** Why a host session that is active ends. */
export type EndReason = 'superseded' | 'revived' | 'expired';

/** What one canvas session needs. */
export interface Repair {
  readonly session: CanvasCredentials;
  /** The credential that goes on: the newest that is neither revoked nor past its date. */
  readonly stays: HostSession | undefined;
  /** It has no trail yet: it was made by the old tool. */
  readonly adopts: boolean;
  readonly ends: readonly { readonly hostSession: HostSession; readonly why: EndReason }[];
  /** undefined where the hash copy is right. */
  readonly copy: CopyChange | undefined;
}

export interface CopyChange {
  /** The host session whose hash stands there, where it is one of this canvas session. */
  readonly was: number | 'empty' | 'unknown';
  readonly becomes: string;
}

/** One thing that a run does or tells. */
export type Step =
  | { readonly kind: 'repair'; readonly repair: Repair }
  | { readonly kind: 'identity'; readonly identity: IdentityState }
  | { readonly kind: 'finding'; readonly finding: Finding };

/** When and by which operation a step was done. */
export interface Done {
  readonly operationId: string;
  readonly at: Date;
}

export interface ConsolidateRequest {
  readonly actor: string;
  /** Stands after the reason of each event, which has its own words: at most MAX_REASON characters. */
  readonly reason: string | null;
  readonly apply: boolean;
}

export interface Summary {
  readonly isApplied: boolean;
  /** Done, or with a plan alone: to do. */
  readonly repairs: number;
  /** Left for a person. */
  readonly findings: number;
  /** Rows of every table of schema canvas. */
  readonly rowsBefore: Readonly<Record<string, number>>;
  readonly rowsAfter: Readonly<Record<string, number>>;
}

/**
 * Pure: the credentials of one canvas session → what to do, or undefined where all is well.
 * @param now the database's clock
 */
export function planRepair(session: CanvasCredentials, now: Date): Repair | undefined {
  const { hashCopy, hostSessions } = session;
  const active = hostSessions.filter(({ isActive }) => isActive);
  const stays = newest(active.filter((host) => whyOver(host, now) === undefined));
  const ends = active
    .filter((host) => host !== stays)
    .map((hostSession) => ({ hostSession, why: whyOver(hostSession, now) ?? ('superseded' as const) }));
  const becomes = stays?.hash ?? '';
  // A copy without any host session is left to a person: no trail could say what became of it.
  const copy =
    hashCopy === becomes || hostSessions.length === 0 ? undefined : { was: ownerOf(hashCopy, hostSessions), becomes };
  const adopts = stays?.head.sequence === 0;
  if (ends.length === 0 && copy === undefined && !adopts) return undefined;
  return { session, stays, adopts, ends, copy };
}

function ownerOf(hash: string, hosts: readonly HostSession[]): CopyChange['was'] {
  if (hash === '') return 'empty';
  return hosts.findLast((host) => host.hash === hash)?.hostSessionId ?? 'unknown';
}

/**
 * The whole plan, one step at a time. Reads only; ids and the shape of the tables are looked at before anything else.
 * @throws ToolkitError SCHEMA_UNSUPPORTED, DATA_NOT_READY
 */
export async function* planConsolidation(reader: Reader, now: Date): AsyncGenerator<Step> {
  await requireReadableIds(reader);
  for (const identity of await readIdentities(reader)) if (isBehind(identity)) yield { kind: 'identity', identity };
  for await (const session of findDisorder(reader, now)) {
    const repair = planRepair(session, now);
    if (repair !== undefined) yield { kind: 'repair', repair };
  }
  for await (const finding of findUndecided(reader, now)) yield { kind: 'finding', finding };
}

/**
 * Tells the plan, and with `apply` carries it out.
 * @param tell told each step: planned, or once it is committed; findings always
 * @throws ToolkitError SCHEMA_UNSUPPORTED, LOCKED, CONFLICT and the guard's. What was told as done is done.
 */
export async function consolidate(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  request: ConsolidateRequest,
  tell: (step: Step, done: Done | undefined) => Promise<void>,
): Promise<Summary> {
  const { canvas } = database;
  const rowsBefore = await countRows(canvas);
  let repairs = 0;
  let findings = 0;
  for await (const step of planConsolidation(canvas, await readClock(database))) {
    const isRepair = step.kind !== 'finding';
    const done = isRepair && request.apply ? await applyStep(database, permit, keys.signing, request, step) : undefined;
    if (isRepair) repairs += 1;
    else findings += 1;
    await tell(step, done);
  }
  const rowsAfter = request.apply ? await countRows(canvas) : rowsBefore;
  return { isApplied: request.apply, repairs, findings, rowsBefore, rowsAfter };
}

function applyStep(
  database: Database,
  permit: Permit,
  key: HmacKey,
  request: ConsolidateRequest,
  step: Exclude<Step, { kind: 'finding' }>,
): Promise<Done> {
  const operationId = uuidV4();
  if (step.kind === 'repair') {
    const { canvasSessionId, ksessionsId } = step.repair.session;
    return inOneTransaction(database, permit, lockOf(canvasSessionId, ksessionsId), (writer) =>
      repairAsFound(writer, { key, operationId, ...request }, step.repair),
    );
  }
  const { table } = step.identity;
  return inOneTransaction(database, permit, `identity/${table}`, async (writer) => {
    await advanceIdentity(writer, table);
    return { operationId, at: writer.now };
  });
}

/**
 * A transaction that may be run again whatever became of it: it looks at what is there before it writes. After a
 * COMMIT whose answer was lost, the lock makes the next try wait until the lost transaction has ended.
 */
function inOneTransaction<T>(
  database: Database,
  permit: Permit,
  lock: string,
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  return pRetry(() => withTransaction(database, permit, lock, work), {
    ...RETRIES,
    shouldRetry: ({ error }) => error instanceof CommitUnknown || database.engine.mayRetry(error),
  });
}

/** What every event of one operation says. */
interface Work {
  readonly key: HmacKey;
  readonly operationId: string;
  readonly actor: string;
  readonly reason: string | null;
}

/** Plans again from what is there under the lock: another run may have come first. */
async function repairAsFound(writer: Writer, work: Work, planned: Repair): Promise<Done> {
  const { canvasSessionId, ksessionsId } = planned.session;
  const [session] = await readCredentials(writer, [canvasSessionId]);
  // The application may have deleted it meanwhile: then there is nothing left to mend.
  if (session !== undefined && session.ksessionsId !== ksessionsId) throw faults.relinked(canvasSessionId);
  const repair = session === undefined ? undefined : planRepair(session, writer.now);
  if (repair !== undefined) await writeRepair(writer, work, repair);
  return { operationId: work.operationId, at: writer.now };
}

async function writeRepair(writer: Writer, work: Work, repair: Repair): Promise<void> {
  const { copy, ends, session } = repair;
  for (const { hostSession, why } of ends) {
    const action = why === 'expired' ? 'expired' : 'consolidated';
    const head = await append(writer, work, session, hostSession, hostSession.head, action, reasonOf(why, repair.stays));
    await endHostSessions(writer, [{ hostSession, head }], work.actor);
  }
  if (copy !== undefined) await setHashCopies(writer, new Map([[session.canvasSessionId, copy.becomes]]));
  await writeTrail(writer, work, repair);
}

/** What happened to a host session that goes on, or to a hash copy that no ended one accounts for. */
async function writeTrail(writer: Writer, work: Work, { adopts, copy, ends, session, stays }: Repair): Promise<void> {
  const bearer = stays ?? (ends.length === 0 ? session.hostSessions.at(-1) : undefined);
  if (bearer === undefined) return;
  let { head } = bearer;
  if (adopts) head = await append(writer, work, session, bearer, head, 'adopted', 'Made by the old tool.');
  if (copy !== undefined) {
    const why = stays === undefined ? 'Hash copy emptied: no credential is live.' : 'Hash copy set to this credential.';
    head = await append(writer, work, session, bearer, head, 'consolidated', why);
  }
  if (head !== bearer.head) await setChainHeads(writer, new Map([[bearer.hostSessionId, head]]));
}

function reasonOf(why: EndReason, stays: HostSession | undefined): string {
  if (why === 'superseded') return `Host session ${stays?.hostSessionId} is newer.`;
  return why === 'revived' ? 'Was active although it had been revoked.' : 'Past its date.';
}

function append(
  writer: Writer,
  work: Work,
  session: CanvasCredentials,
  host: HostSession,
  head: ChainHead,
  action: Action,
  why: string,
): Promise<ChainHead> {
  return appendEvent(writer, work.key, head, {
    operationId: work.operationId,
    hostSessionId: host.hostSessionId,
    canvasSessionId: session.canvasSessionId,
    ksessionsId: session.ksessionsId,
    action,
    actor: work.actor,
    reason: work.reason === null ? why : `${why} ${work.reason}`,
    oldFingerprint: host.fingerprint,
    newFingerprint: action === 'adopted' || action === 'linked' ? host.fingerprint : null,
    expiresAt: host.expiresAt,
  });
}

// --- links -------------------------------------------------------------------------------------------------------

export interface LinkRequest extends ConsolidateRequest {
  readonly canvasSessionId: number;
  /** null: it stands for no KSESSIONS session. */
  readonly ksessionsId: number | null;
}

/** What a person's word about one canvas session changes. */
export interface LinkPlan {
  readonly action: 'link' | 'unlink' | 'declare' | 'nothing';
  readonly session: CanvasCredentials;
  readonly ksessionsId: number | null;
}

/** What stands in the database about a link. */
interface LinkFacts {
  readonly session: CanvasCredentials;
  /** Canvas ids linked to the KSESSIONS id that is given, or to the one that would be taken away. */
  readonly linked: readonly number[];
  readonly isDeclared: boolean;
}

/**
 * Pure. A link is made where there is none, and taken away only where two canvas sessions have the same one, or where no
 * session can be meant by it.
 * @throws ToolkitError CONFLICT
 */
export function planLink({ isDeclared, linked, session }: LinkFacts, ksessionsId: number | null): LinkPlan {
  const { canvasSessionId, ksessionsId: current } = session;
  const plan = (action: LinkPlan['action']): LinkPlan => ({ action, session, ksessionsId });
  if (current !== null && current !== ksessionsId) {
    const isDoubled = ksessionsId === null && linked.some((other) => other !== canvasSessionId);
    const isImpossible = ksessionsId === null && !isPossibleLink(current);
    if (!isDoubled && !isImpossible) throw faults.linkedOtherwise(canvasSessionId, current);
    return plan('unlink');
  }
  if (ksessionsId === null) return plan(isDeclared || bearerOf(session) === undefined ? 'nothing' : 'declare');
  if (current === ksessionsId) return plan('nothing');
  const [taken] = linked;
  if (taken !== undefined) throw faults.linkTaken(ksessionsId, taken);
  return plan('link');
}

/** The host session whose trail tells of the link: the newest active one, else the last one there was. */
function bearerOf({ hostSessions }: CanvasCredentials): HostSession | undefined {
  return hostSessions.findLast(({ isActive }) => isActive) ?? hostSessions.at(-1);
}

/**
 * A person's word on which KSESSIONS session a canvas session is.
 * @throws ToolkitError HOST_SESSION_NOT_FOUND, SESSION_NOT_FOUND, CONFLICT, LOCKED and the guard's
 */
export async function link(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  request: LinkRequest,
): Promise<{ readonly plan: LinkPlan; readonly done: Done | undefined }> {
  const { canvasSessionId, ksessionsId } = request;
  if (ksessionsId !== null && (await findSourceSession(database.source, ksessionsId)) === undefined) {
    throw faults.sessionNotFound(ksessionsId, database.source.admission.identity.database);
  }
  const facts = await readLinkFacts(database.canvas, canvasSessionId, ksessionsId);
  const plan = planLink(facts, ksessionsId);
  if (!request.apply || plan.action === 'nothing') return { plan, done: undefined };
  const work: Work = { key: keys.signing, operationId: uuidV4(), ...request };
  const lock = lockOf(canvasSessionId, ksessionsId ?? facts.session.ksessionsId);
  const done = await inOneTransaction(database, permit, lock, async (writer) => {
    const found = planLink(await readLinkFacts(writer, canvasSessionId, ksessionsId), ksessionsId);
    if (found.action !== 'nothing') await writeLink(writer, work, found);
    return { operationId: work.operationId, at: writer.now };
  });
  return { plan, done };
}

/** @throws ToolkitError HOST_SESSION_NOT_FOUND */
async function readLinkFacts(reader: Reader, canvasSessionId: number, ksessionsId: number | null): Promise<LinkFacts> {
  const [session] = await readCredentials(reader, [canvasSessionId]);
  if (session === undefined) throw faults.canvasSessionNotFound(canvasSessionId);
  const id = ksessionsId ?? session.ksessionsId;
  return {
    session,
    linked: id === null ? [] : await findLinked(reader, id),
    isDeclared: await isDeclaredAlone(reader, canvasSessionId),
  };
}

const LINK_REASON = {
  link: (to: number | null) => `A person linked it to KSESSIONS ${to}.`,
  unlink: (_to: number | null, from: number | null) => `A person said that it is not KSESSIONS ${from}.`,
  declare: () => 'A person said that it stands for no KSESSIONS session.',
} as const;

async function writeLink(writer: Writer, work: Work, { action, ksessionsId, session }: LinkPlan): Promise<void> {
  if (action === 'nothing') return;
  if (session.ksessionsId !== ksessionsId) await setLink(writer, session.canvasSessionId, ksessionsId);
  const bearer = bearerOf(session);
  if (bearer === undefined) return;
  const why = LINK_REASON[action](ksessionsId, session.ksessionsId);
  const head = await append(writer, work, { ...session, ksessionsId }, bearer, bearer.head, 'linked', why);
  await setChainHeads(writer, new Map([[bearer.hostSessionId, head]]));
}
