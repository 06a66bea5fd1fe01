/** Rotation: a new host GUID in place of a live one. A session without one is refused: that would be a first GUID. */
import type { Database } from '../engines/database';
import { faults } from '../errors';
import { findSourceSessions, type SourceSession } from '../source';
import type { RotatePlan, Verb } from './plan';
import { assertFuture, canvasesOf, decideEach, locksOf, planReplacement } from './provision';
import { whyOver, type CanvasState } from './store';

/** What is asked of each session. */
export interface RotateTerms {
  readonly actor: string;
  readonly reason: string | null;
  /** undefined: the date that the credential has. */
  readonly expiresAt: Date | undefined;
}

/**
 * Pure.
 * @param now the database's clock
 * @throws ToolkitError HOST_SESSION_NOT_FOUND where no credential is live; USAGE for a date that has passed
 */
export function planRotation(
  session: SourceSession,
  canvas: CanvasState | undefined,
  { expiresAt }: RotateTerms,
  now: Date,
): RotatePlan {
  assertFuture(expiresAt, now);
  const live = canvas?.live;
  if (canvas === undefined || live === undefined || whyOver(live, now) !== undefined) throw faults.nothingToRotate(session.ksessionsId);
  return planReplacement(session, canvas.canvasSessionId, live, expiresAt);
}

/** The verb of rotation. KSESSIONS is asked here, before anything is locked. */
export async function rotating(database: Database, ksessionsIds: readonly number[], terms: RotateTerms): Promise<Verb> {
  const sources = await findSourceSessions(database.source, ksessionsIds);
  return {
    actor: terms.actor,
    reason: terms.reason,
    locks: locksOf(ksessionsIds),
    async decide(reader, now) {
      const canvases = await canvasesOf(reader, ksessionsIds);
      return decideEach(database, ksessionsIds, sources, canvases, ({ canvas, session }) => planRotation(session, canvas, terms, now));
    },
  };
}
