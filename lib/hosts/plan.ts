/** What is to be done about credentials, as values: a dry run prints them, `change.ts` carries them out. Pure. */
import type { Reader } from '../engines/database';
import type { ToolkitError } from '../errors';
import type { SourceSession } from '../source';
import type { HostSession } from './store';

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

/** The lock of a session: by KSESSIONS id, under which it may yet be made, else by its canvas session id. */
export function lockOf(canvasSessionId: number | null, ksessionsId: number | null): string {
  return ksessionsId === null ? `canvas/${canvasSessionId}` : `ksessions/${ksessionsId}`;
}
