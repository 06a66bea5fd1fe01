/**
 * The failures a caller may tell apart. Each has a code, an exit code and three lines: what happened,
 * why or where, what to do. Wordings stand here, away from the logic that raises them.
 */

/** The exit code of each failure code; the public table of docs and scripts. */
export const EXIT_OF = {
  CHECKS_FAILED: 1,
  GUID_REJECTED: 1,
  PARTIAL: 1,
  USAGE: 2,
  CONFIG: 2,
  UNREACHABLE: 2,
  TIMEOUT: 2,
  OUTCOME_UNKNOWN: 2,
  INTERNAL: 2,
  GUARD_TARGET_UNKNOWN: 3,
  GUARD_PRODUCTION: 3,
  GUARD_PROTECTED: 3,
  GUARD_DIFFERS: 3,
  GUARD_IDENTITY: 3,
  GUARD_NOT_ENROLLED: 3,
  GUARD_MARKER: 3,
  CONFLICT: 4,
  LOCKED: 4,
  MIGRATIONS_PENDING: 4,
  MIGRATION_EDITED: 4,
  DATA_NOT_READY: 4,
  SCHEMA_UNSUPPORTED: 4,
  SESSION_NOT_FOUND: 5,
  NO_TRANSCRIPTS: 5,
  HOST_SESSION_NOT_FOUND: 5,
  INTERRUPTED: 130,
} as const;

export type Code = keyof typeof EXIT_OF;

/** The three lines of every error: what, why or where, what to do. No secret in any of them. */
export interface Words {
  readonly what: string;
  readonly why: string;
  readonly hint: string;
}

/** What an error is about, where the caller knows it. */
export interface Facts {
  readonly cause?: unknown;
  readonly ksessionsId?: number;
  readonly operationId?: string;
}

/** A failure with a code the caller may branch on. `message` is the first line. */
export class ToolkitError extends Error {
  override readonly name = 'ToolkitError';
  readonly code: Code;
  readonly why: string;
  readonly hint: string;
  readonly ksessionsId: number | undefined;
  readonly operationId: string | undefined;

  constructor(code: Code, words: Words, facts: Facts = {}) {
    super(words.what, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.why = words.why;
    this.hint = words.hint;
    this.ksessionsId = facts.ksessionsId;
    this.operationId = facts.operationId;
  }

  get exit(): number {
    return EXIT_OF[this.code];
  }
}
