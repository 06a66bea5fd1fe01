/**
 * What a check is: a question with an id, the answer as data, and the command that mends what it finds. A check reads;
 * it writes nothing, identity values included.
 *
 * To write another check:
 *   1. Put it beside its kind in `lib/checks/GROUP.ts`; the id is `group.what`, and never changes: people skip by it.
 *   2. The title says what holds when it passes.
 *   3. `look` asks by sets, so that it costs the same for ten rows and for a hundred thousand, and gives an `Observation`.
 *      What it cannot find out it throws: a check that could not run is no pass.
 *   4. Evidence names rows by both of their ids, labelled, and holds no secret and no hash.
 *   5. A test makes the fault by hand and sees exactly this check fail.
 */
import type { KeyRing } from '../config/keys';
import type { Settings } from '../config/settings';
import type { Target } from '../config/targets';
import type { Database } from '../engines/database';
import type { LiveSchema } from '../migrations/live-schema';

/** Groups in the order of a report, with their titles. */
export const GROUPS = {
  configuration: 'Configuration',
  guard: 'Connection and guard',
  migrations: 'Migrations and ledger',
  schema: 'Schema',
  data: 'Data',
  credentials: 'Credentials',
  source: 'KSESSIONS',
  audit: 'Audit trail',
  security: 'Security',
  canary: 'Canary',
} as const;

export type Group = keyof typeof GROUPS;

/**
 * How bad it is when a check does not hold, worst first.
 * critical  a host is locked out, somebody gets in who should not, or a write goes to the wrong place
 * major     a rule of the database, of the books or of the configuration does not hold
 * minor     nothing is wrong yet; somebody should look
 */
export const SEVERITIES = ['critical', 'major', 'minor'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * pass     it was looked at, and it holds
 * fail     it does not hold
 * warn     it does not hold, and that alone does not stop a release
 * error    it could not be found out; that is no pass
 * skipped  somebody chose not to look
 */
export type Status = 'pass' | 'fail' | 'warn' | 'error' | 'skipped';

/** What a check saw. */
export interface Observation {
  /** How many things are not as they should be; none: the check passes. */
  readonly found: number;
  /** A sentence for each of the first ones, or, where nothing was found, what was looked at. */
  readonly evidence: readonly string[];
  /** The command, or the step, that mends it; null where nothing was found. */
  readonly remedy: string | null;
}

/** What can be looked at before anything is dialled. */
export interface Circumstances {
  readonly settings: Settings;
  readonly target: Target;
}

/** What can be looked at once the target is open, for reading. */
export interface Subject extends Circumstances {
  readonly database: Database;
  /** The HMAC keys. @throws ToolkitError CONFIG where they cannot be read, or none is configured */
  readonly keys: () => KeyRing;
  /** The database's clock when the run began. */
  readonly now: Date;
  /** Schema canvas as it is; read once. */
  readonly schema: () => Promise<LiveSchema>;
  /** Told how far a check is that looks at very many rows. */
  readonly progress: (done: number, what: string) => void;
}

export interface Check<On = Subject> {
  readonly id: `${Group}.${string}`;
  readonly title: string;
  readonly severity: Severity;
  readonly look: (on: On) => Promise<Observation> | Observation;
}

/** A number and what it counts. */
export const many = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** How many findings of one check are told by a sentence of their own. */
export const MOST_TOLD = 20;

/** It holds. @param evidence what was looked at */
export const holds = (...evidence: readonly string[]): Observation => ({ found: 0, evidence, remedy: null });

/**
 * It does not hold, or, where there is nothing to tell, it does.
 * @param sentences one for each finding, or for the first ones
 * @param found how many there are in all
 * @param otherwise what was looked at, for the case that nothing was found
 */
export function observed(sentences: readonly string[], remedy: string, otherwise: string, found = sentences.length): Observation {
  if (found === 0) return holds(otherwise);
  const told = sentences.slice(0, MOST_TOLD);
  const rest = found - told.length;
  return { found, evidence: rest === 0 ? told : [...told, `and ${rest} more`], remedy };
}

/** The group of a check, by its id. */
export const groupOf = (id: Check['id']) => id.slice(0, id.indexOf('.')) as Group;
