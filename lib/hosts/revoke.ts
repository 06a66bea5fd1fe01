/**
 * Revocation: a credential ends, and the hash copy that the application's login reads is emptied with it. KSESSIONS is
 * not asked: a host must be shut out whatever became of the session there.
 */
import type { Reader } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import { lockOf, type Decision, type KeepPlan, type RevokePlan, type Verb } from './plan';
import { findCanvasStates, type CanvasState } from './store';
import { readCredentials, type CanvasCredentials } from './survey';

export interface RevokeTerms {
  readonly actor: string;
  readonly reason: string | null;
}

/** Canvas sessions by one of their ids. */
export interface RevokeOf {
  readonly by: 'KSessionsId' | 'SessionId';
  readonly ids: readonly number[];
}

/**
 * Pure. What has ended is left as it is, so that the same command can be run again.
 * @param past every credential the session ever had, where none is active
 * @throws ToolkitError CONFLICT where a hash opens the session that belongs to no host session: no trail could tell of its end
 */
export function planRevocation(canvas: CanvasState, past: CanvasCredentials | undefined): RevokePlan | KeepPlan | undefined {
  const { canvasSessionId, hashCopy, ksessionsId, live, title } = canvas;
  const session = { ksessionsId, title: title ?? '', transcripts: null };
  if (live !== undefined) return { action: 'revoke', session, canvasSessionId, live, expiresAt: live.expiresAt };
  const last = past?.hostSessions.findLast(({ hash }) => hash === hashCopy) ?? past?.hostSessions.at(-1);
  if (last === undefined && hashCopy !== '') throw faults.copyAlone(canvasSessionId, ksessionsId);
  if (last === undefined) return undefined;
  return { action: hashCopy === '' ? 'keep' : 'revoke', session, canvasSessionId, live: last, expiresAt: last.expiresAt };
}

/** The verb of revocation. @param of may hold ids that canvas does not know: those are refused */
export function revoking(of: RevokeOf, terms: RevokeTerms): Verb {
  const lock = (id: number) => (of.by === 'SessionId' ? lockOf(id, null) : lockOf(null, id));
  return { actor: terms.actor, reason: terms.reason, locks: of.ids.map(lock), decide: (reader) => decide(reader, of) };
}

async function decide(reader: Reader, { by, ids }: RevokeOf): Promise<Decision[]> {
  const states = await findCanvasStates(reader, by, ids);
  const stateOf = new Map(states.map((state) => [by === 'SessionId' ? state.canvasSessionId : state.ksessionsId, state]));
  const ended = states.filter(({ live }) => live === undefined).map(({ canvasSessionId }) => canvasSessionId);
  const credentials = ended.length === 0 ? [] : await readCredentials(reader, ended);
  const pastOf = new Map(credentials.map((past) => [past.canvasSessionId, past]));
  return ids.map((id) => {
    const state = stateOf.get(id);
    // Linked meanwhile: its lock is another one now.
    if (by === 'SessionId' && state !== undefined && state.ksessionsId !== null) return faults.relinked(id);
    return (state === undefined ? undefined : planOrRefusal(state, pastOf.get(state.canvasSessionId))) ?? faults.nothingToRevoke(by, id);
  });
}

function planOrRefusal(state: CanvasState, past: CanvasCredentials | undefined): Decision | undefined {
  try {
    return planRevocation(state, past);
  } catch (error) {
    if (error instanceof ToolkitError) return error;
    throw error;
  }
}
