/** Provisioning: the first host GUID of a session, or a new one in place of the live one. */
import type { KeyRing } from '../config/keys';
import type { Database, Reader } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Permit } from '../guard/guard';
import { findSourceSessions, type SourceSession } from '../source';
import { applyChanges, previewChanges, type Delivery, type Outcome } from './change';
import { lockOf, type Decision, type FirstPlan, type KeepPlan, type Plan, type RotatePlan, type Verb } from './plan';
import { canvasTitleOf, findCanvasStates, whyOver, type CanvasState } from './store';
import { findNamesakes } from './survey';

/** What is asked of each session. */
export interface ProvisionTerms {
  readonly actor: string;
  readonly reason: string | null;
  /** undefined: none for a new credential, the existing date for a rotated one. */
  readonly expiresAt: Date | undefined;
  /** What to do where a live credential exists. */
  readonly ifExists: 'rotate' | 'keep' | 'fail';
  /** The hashes of the live credentials that a person agreed to replace, by KSESSIONS id; another one is a conflict. */
  readonly confirmed?: ReadonlyMap<number, string> | undefined;
}

export type ProvisionPlan = FirstPlan | RotatePlan | KeepPlan;

/**
 * Pure: what is there and what is asked → what to do.
 * @param now the database's clock
 * @throws ToolkitError CONFLICT with `ifExists: fail` or when what a person confirmed is no longer there; USAGE for a
 *   date that has passed
 */
export function planProvision(
  session: SourceSession,
  canvas: CanvasState | undefined,
  terms: ProvisionTerms,
  now: Date,
): ProvisionPlan {
  assertFuture(terms.expiresAt, now);
  const { confirmed, ifExists } = terms;
  const current = canvas?.live;
  const isOver = current !== undefined && whyOver(current, now) !== undefined;
  if (canvas === undefined || current === undefined || isOver) {
    const canvasSessionId = canvas?.canvasSessionId ?? null;
    return { action: 'provision', session, canvasSessionId, live: undefined, over: current, expiresAt: terms.expiresAt ?? null };
  }
  const { ksessionsId } = session;
  if (confirmed !== undefined && confirmed.get(ksessionsId) !== current.hash) throw faults.changedMeanwhile(ksessionsId);
  if (ifExists === 'fail') throw faults.alreadyThere(ksessionsId, current.fingerprint ?? 'not recorded');
  if (ifExists === 'rotate') return planReplacement(session, canvas.canvasSessionId, current, terms.expiresAt);
  if (canvas.hashCopy !== current.hash) throw faults.hashCopyDiffers(ksessionsId);
  return { action: 'keep', session, canvasSessionId: canvas.canvasSessionId, live: current, expiresAt: current.expiresAt };
}

/** @throws ToolkitError USAGE */
export function assertFuture(expiresAt: Date | undefined, now: Date): void {
  if (expiresAt === undefined || expiresAt > now) return;
  throw faults.badExpiry(expiresAt.toISOString(), `The database's clock says ${now.toISOString()}.`);
}

/** @param expiresAt undefined leaves the row's date as it is, to the microsecond */
export function planReplacement(
  session: SourceSession,
  canvasSessionId: number,
  live: RotatePlan['live'],
  expiresAt: Date | undefined,
): RotatePlan {
  return { action: 'rotate', session, canvasSessionId, live, expiresAt: expiresAt ?? live.expiresAt, keepsExpiry: expiresAt === undefined };
}

/** What stands about one KSESSIONS id under the lock. */
export interface Standing {
  readonly session: SourceSession;
  readonly canvas: CanvasState | undefined;
}

/**
 * Decides for each KSESSIONS id of a set: what KSESSIONS lacks is refused, the rest is planned.
 * @param plan the plan of one session; what it throws is that session's refusal
 */
export function decideEach(
  database: Database,
  ksessionsIds: readonly number[],
  sources: ReadonlyMap<number, SourceSession>,
  canvases: ReadonlyMap<number, CanvasState>,
  plan: (standing: Standing) => Plan,
): Decision[] {
  return ksessionsIds.map((ksessionsId) =>
    planOrRefusal(() => plan({ session: requireSource(database, sources, ksessionsId), canvas: canvases.get(ksessionsId) })),
  );
}

/** A refusal of one session is a value; anything else is an error of the whole set. */
function planOrRefusal(plan: () => Plan): Decision {
  try {
    return plan();
  } catch (error) {
    if (error instanceof ToolkitError) return error;
    throw error;
  }
}

/** @throws ToolkitError SESSION_NOT_FOUND, NO_TRANSCRIPTS */
function requireSource({ source }: Database, sources: ReadonlyMap<number, SourceSession>, ksessionsId: number): SourceSession {
  const session = sources.get(ksessionsId);
  if (session === undefined) throw faults.sessionNotFound(ksessionsId, source.admission.identity.database);
  if (session.transcripts === 0) throw faults.noTranscripts(ksessionsId, session.title);
  return session;
}

/** The canvas sessions linked to KSESSIONS ids, by those. */
export async function canvasesOf(reader: Reader, ksessionsIds: readonly number[]): Promise<Map<number, CanvasState>> {
  const states = await findCanvasStates(reader, 'KSessionsId', ksessionsIds);
  return new Map(states.flatMap((state) => (state.ksessionsId === null ? [] : [[state.ksessionsId, state]])));
}

/** The locks of KSESSIONS ids. */
export const locksOf = (ksessionsIds: readonly number[]) => ksessionsIds.map((id) => lockOf(null, id));

/** The verb of provisioning. KSESSIONS is asked here, before anything is locked. */
export async function provisioning(database: Database, ksessionsIds: readonly number[], terms: ProvisionTerms): Promise<Verb> {
  const sources = await findSourceSessions(database.source, ksessionsIds);
  return {
    actor: terms.actor,
    reason: terms.reason,
    locks: locksOf(ksessionsIds),
    async decide(reader, now) {
      const canvases = await canvasesOf(reader, ksessionsIds);
      const namesakes = await namesakesOf(reader, sources, canvases, now);
      return decideEach(database, ksessionsIds, sources, canvases, ({ canvas, session }) => {
        const others = namesakes.get(canvasTitleOf(session)) ?? [];
        if (canvas === undefined && others.length > 0) {
          throw faults.unlinkedNamesake(database.target.name, session.ksessionsId, session.title, others);
        }
        return planProvision(session, canvas, terms, now);
      });
    },
  };
}

/**
 * Rows from before KSessionsId have NULL there; one of the same title that is open may be the very session, and a second
 * canvas row must not be made silently (I-20). Nor is it taken for it (I-21).
 * @returns canvas ids by title, for the sessions that have no canvas session
 */
function namesakesOf(
  reader: Reader,
  sources: ReadonlyMap<number, SourceSession>,
  canvases: ReadonlyMap<number, CanvasState>,
  now: Date,
): Promise<Map<string, number[]>> {
  const unmade = [...sources.values()].filter(({ ksessionsId, transcripts }) => transcripts > 0 && !canvases.has(ksessionsId));
  return findNamesakes(reader, unmade.map(canvasTitleOf), now);
}

export interface ProvisionRequest extends ProvisionTerms {
  readonly ksessionsId: number;
}

/** The plan of one session from reads alone. @throws as `planProvision`, and SESSION_NOT_FOUND, NO_TRANSCRIPTS */
export async function previewProvision(database: Database, request: ProvisionRequest): Promise<Plan> {
  const [decision] = await previewChanges(database, await provisioning(database, [request.ksessionsId], request));
  return insist(decision);
}

/**
 * Provisions or rotates one session.
 * @throws ToolkitError SESSION_NOT_FOUND, NO_TRANSCRIPTS, CONFLICT, USAGE and as `applyChanges`
 */
export async function provision(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  request: ProvisionRequest,
  delivery: Delivery,
): Promise<Outcome> {
  const verb = await provisioning(database, [request.ksessionsId], request);
  const [result] = await applyChanges(database, permit, keys, verb, delivery);
  return insist(result);
}

/** Of one session, a refusal is the error. @throws ToolkitError */
export function insist<T>(result: T | ToolkitError | undefined): T {
  if (result === undefined) throw new RangeError('A set of one has one result.');
  if (result instanceof ToolkitError) throw result;
  return result;
}
