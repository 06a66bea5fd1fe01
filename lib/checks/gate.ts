/**
 * The gate: every check looked at in order, each outcome kept to the end of the list, and a verdict over them. What could
 * not be opened or found out counts against it (I-25).
 */
import { withOpenTarget, requireTarget, type AccessRequest } from '../access';
import { readKeys } from '../config/keys';
import { explain, readClock, type Database } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import { readSchema, type LiveSchema } from '../migrations/live-schema';
import { SEVERITIES, type Check, type Circumstances, type Group, type Observation, type Severity, type Status, type Subject } from './check';

/** What became of one check: the record that every format is made from. */
export interface CheckRecord {
  readonly id: Check['id'];
  readonly title: string;
  readonly severity: Severity;
  readonly status: Status;
  readonly evidence: readonly string[];
  /** The command that mends it, or null. */
  readonly remedy: string | null;
  readonly durationMs: number;
}

/** The checks of a run: those that need no connection, and those that do. */
export interface Checks {
  readonly beforehand: readonly Check<Circumstances>[];
  readonly there: readonly Check[];
}

/** Which checks, and what stops a release. */
export interface Selection {
  /** Ids or groups; none: all. */
  readonly only: readonly string[];
  readonly skip: readonly string[];
  /** Attempt what the database must refuse, too. */
  readonly canary?: boolean;
  /** The least severity that makes the gate fail. */
  readonly failOn: Severity;
}

/**
 * pass   every check that was looked at holds, or is below what stops a release
 * fail   one does not hold
 * error  none fails, and one could not be found out
 */
export type Verdict = 'pass' | 'fail' | 'error';

export interface Outcome {
  readonly verdict: Verdict;
  readonly selection: Selection;
  readonly checks: readonly CheckRecord[];
  /** Why the target could not be opened, where it could not. */
  readonly refusal: ToolkitError | undefined;
}

export interface GateRequest {
  readonly access: Omit<AccessRequest, 'actor'>;
  readonly checks: Checks;
  readonly selection: Selection;
  /** Told before each check. */
  readonly onCheck: (check: Check<never>, number: number, total: number) => void;
  readonly onProgress: (check: Check<never>, done: number, what: string) => void;
}

/**
 * Looks at everything that is selected.
 * @param also what else is read of the open target, for a report; not called where it could not be opened
 * @throws nothing that a check or the opening throws: both stand in the outcome
 */
export async function runGate(request: GateRequest, also: (subject: Subject) => Promise<void> = () => Promise.resolve()): Promise<Outcome> {
  const { access, checks, selection } = request;
  const { settings } = access;
  const runner = new Runner(request);
  const refusal = await refusalOf(async () => {
    const target = requireTarget(settings);
    for (const check of checks.beforehand) await runner.look(check, { settings, target });
    await withOpenTarget(access, async (database) => {
      const subjectFor = await subjects(request, database);
      for (const check of checks.there) await runner.look(check, subjectFor(check));
      await also(subjectFor(undefined));
    });
  });
  runner.giveUpRest(refusal);
  return { verdict: verdictOf(runner.records, selection.failOn), selection, checks: runner.records, refusal };
}

/** The same of checks that need no connection: nothing is opened. */
export async function runUnopened(checks: readonly Check<Circumstances>[], on: Circumstances, selection: Selection): Promise<Outcome> {
  const runner = new Runner({ checks: { beforehand: checks, there: [] }, selection, onCheck: () => undefined });
  for (const check of checks) await runner.look(check, on);
  return { verdict: verdictOf(runner.records, selection.failOn), selection, checks: runner.records, refusal: undefined };
}

async function refusalOf(work: () => Promise<void>): Promise<ToolkitError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof ToolkitError) return error;
    throw error;
  }
}

/** The subject as one check gets it; undefined: as what comes after the checks does. */
type SubjectFor = (check: Check | undefined) => Subject;

async function subjects({ access: { settings }, onProgress }: GateRequest, database: Database): Promise<SubjectFor> {
  const { target } = database;
  const now = await readClock(database);
  let schema: Promise<LiveSchema> | undefined;
  return (check) => ({
    settings,
    target,
    database,
    now,
    keys: () => readKeys(settings, target),
    schema: () => (schema ??= readSchema(database.canvas)),
    progress: (done, what) => check !== undefined && onProgress(check, done, what),
  });
}

type RunnerRequest = Pick<GateRequest, 'checks' | 'selection' | 'onCheck'>;

class Runner {
  readonly records: CheckRecord[] = [];
  readonly #request: RunnerRequest;
  readonly #all: readonly Check<never>[];

  constructor(request: RunnerRequest) {
    this.#request = request;
    this.#all = [...request.checks.beforehand, ...request.checks.there];
  }

  async look<On extends Circumstances>(check: Check<On>, on: On): Promise<void> {
    const leftOut = whyLeftOut(check.id, this.#request.selection);
    if (leftOut !== undefined) return void this.records.push(recordOf(check, { status: 'skipped', evidence: [leftOut] }));
    this.#request.onCheck(check, this.records.length + 1, this.#all.length);
    const start = performance.now();
    const seen = await lookTwice(check, on).catch((error: unknown) => couldNot(on, error));
    this.records.push({ ...recordOf(check, seen), durationMs: Math.round(performance.now() - start) });
  }

  /** Those that nobody came to. */
  giveUpRest(refusal: ToolkitError | undefined): void {
    for (const check of this.#all.slice(this.records.length)) {
      const leftOut = whyLeftOut(check.id, this.#request.selection);
      const why = `Not looked at: ${refusal?.message ?? 'the run ended before.'}`;
      this.records.push(
        leftOut === undefined
          ? recordOf(check, { status: 'error', evidence: [why], remedy: refusal?.hint ?? null })
          : recordOf(check, { status: 'skipped', evidence: [leftOut] }),
      );
    }
  }
}

type Seen = Pick<CheckRecord, 'status' | 'evidence'> & { readonly remedy?: string | null };

/** What shows once may have been a change on its way, seen between two of its rows; what shows twice is there. */
async function lookTwice<On>(check: Check<On>, on: On): Promise<Seen> {
  const first = await check.look(on);
  const seen = first.found === 0 ? first : await check.look(on);
  return { status: statusOf(check.severity, seen), evidence: seen.evidence, remedy: seen.remedy };
}

function statusOf(severity: Severity, { found }: Observation): Status {
  if (found === 0) return 'pass';
  return severity === 'minor' ? 'warn' : 'fail';
}

/** What could not be found out. A driver's error is told in our words. */
function couldNot(on: Circumstances & Partial<Subject>, error: unknown): Seen {
  const known = on.database === undefined ? error : explain(on.database, error);
  const { hint, message, why } = known instanceof ToolkitError ? known : faults.internal(known);
  return { status: 'error', evidence: [message, why], remedy: hint };
}

function recordOf({ id, severity, title }: Check<never>, { evidence, remedy = null, status }: Seen): CheckRecord {
  return { id, title, severity, status, evidence, remedy, durationMs: 0 };
}

function whyLeftOut(id: string, { canary = false, only, skip }: Selection): string | undefined {
  if (isMeant(id, CANARY) && !canary) return 'Attempted with --canary only.';
  if (skip.some((word) => isMeant(id, word))) return 'Left out by --skip.';
  return only.length === 0 || only.some((word) => isMeant(id, word)) ? undefined : 'Left out by --only.';
}

/** Whoever looks, writes nothing; this group does. */
export const CANARY = 'canary' satisfies Group;

/** A group means all of its checks. */
export const isMeant = (id: string, word: string) => id === word || id.startsWith(`${word}.`);

function verdictOf(records: readonly CheckRecord[], failOn: Severity): Verdict {
  if (records.some((record) => stops(record, failOn))) return 'fail';
  return records.some(({ status }) => status === 'error') ? 'error' : 'pass';
}

/** Does what was seen stop a release? What could not be found out lets none pass either, and is told apart. */
export const stops = ({ severity, status }: CheckRecord, failOn: Severity) =>
  (status === 'fail' || status === 'warn') && SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(failOn);
