/** The report of one run of the gate, as a value: every format is made from it and from nothing else. */
import { packageVersion } from '../config/settings';
import type { Target } from '../config/targets';
import { groupOf, GROUPS, SEVERITIES, type Group, type Severity, type Status } from '../checks/check';
import type { CheckRecord, Outcome, Verdict } from '../checks/gate';
import type { Overview } from '../checks/overview';
import type { Database } from '../engines/database';
import type { Code, Words } from '../errors';

/** Version of the JSON object; a field that changes its meaning changes it. */
export const REPORT_SCHEMA = 'canvas-verify/1';

/** The target as it named itself; what nobody could ask is null. */
export interface ReportedTarget {
  readonly name: string;
  readonly engine: string;
  readonly environment: string;
  readonly server: string | null;
  readonly database: string | null;
  /** The KSESSIONS connection. */
  readonly source: { readonly server: string; readonly database: string } | null;
  /** The embedded target: what it says is about sample data. */
  readonly sampleData: boolean;
}

/**
 * One step of a release check, which the gate is the last of.
 * pass     it found nothing
 * fail     it found something
 * error    it could not be done
 * not-run  nobody said what it should look at; that is no pass
 */
export interface Step {
  readonly name: string;
  readonly outcome: Verdict | 'not-run';
  /** The exit code of the command that does the same. */
  readonly exit: number;
  /** One sentence: what came of it. */
  readonly told: string;
}

export interface Report {
  readonly schema: typeof REPORT_SCHEMA;
  readonly verdict: Verdict;
  readonly target: ReportedTarget;
  /** ISO 8601, UTC, by this machine's clock. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly toolVersion: string;
  readonly failOn: Severity;
  readonly only: readonly string[];
  readonly skip: readonly string[];
  /** Why the target could not be opened, where it could not: what, why, what to do. */
  readonly refusal: (Words & { readonly code: Code }) | null;
  readonly checks: readonly CheckRecord[];
  /** What stands there beside the checks; null where nobody asked for it, or the target could not be opened. */
  readonly overview: Overview | null;
  /** Of a release check; none where the gate stands alone. */
  readonly steps: readonly Step[];
}

/** What a report is made from, beside the outcome. */
export interface Frame {
  readonly target: Target;
  /** Undefined where it could not be opened. */
  readonly database: Database | undefined;
  readonly overview?: Overview | undefined;
  readonly startedAt: Date;
  readonly durationMs: number;
}

/** Puts a report together. */
export function toReport({ checks, refusal, selection, verdict }: Outcome, frame: Frame): Report {
  return {
    schema: REPORT_SCHEMA,
    verdict,
    target: toReportedTarget(frame.target, frame.database),
    startedAt: frame.startedAt.toISOString(),
    durationMs: frame.durationMs,
    toolVersion: packageVersion(),
    failOn: selection.failOn,
    only: selection.only,
    skip: selection.skip,
    refusal: refusal === undefined ? null : { code: refusal.code, what: refusal.message, why: refusal.why, hint: refusal.hint },
    checks,
    overview: frame.overview ?? null,
    steps: [],
  };
}

function toReportedTarget({ engine, environment, name }: Target, database: Database | undefined): ReportedTarget {
  const of = (role: 'canvas' | 'source') => database?.[role].admission.identity;
  const [canvas, source] = [of('canvas'), of('source')];
  return {
    name,
    engine,
    environment,
    server: canvas?.server ?? null,
    database: canvas?.database ?? null,
    source: source === undefined ? null : { server: source.server, database: source.database },
    sampleData: engine === 'pglite',
  };
}

/** The records of each group that has some, in order. */
export function byGroup(checks: readonly CheckRecord[]): { group: Group; title: string; checks: CheckRecord[] }[] {
  return Object.entries(GROUPS)
    .map(([group, title]) => ({ group: group as Group, title, checks: checks.filter(({ id }) => groupOf(id) === group) }))
    .filter(({ checks: some }) => some.length > 0);
}

/**
 * What does not hold or could not be found out, the worst first; of what is as bad, in the order of the report. Where the
 * target could not be opened, that one reason stands for all that was not looked at.
 */
export function findingsOf({ checks, refusal }: Pick<Report, 'checks' | 'refusal'>): CheckRecord[] {
  const told: readonly Status[] = refusal === null ? ['fail', 'error', 'warn'] : ['fail', 'warn'];
  const badness = ({ severity, status }: CheckRecord) => told.indexOf(status) + told.length * SEVERITIES.indexOf(severity);
  return checks.filter(({ status }) => told.includes(status)).toSorted((a, b) => badness(a) - badness(b));
}

/** Where and when it was, labelled; what nobody could ask is said to be unknown. */
export function placesOf({ durationMs, failOn, startedAt, target, toolVersion }: Report): [label: string, value: string][] {
  const named = (place: { server: string | null; database: string | null } | null | undefined) =>
    place?.database == null ? 'not known: it was not opened' : `${place.database} on ${place.server}`;
  return [
    ['Target', `${target.name} (${target.environment}${target.sampleData ? ', sample data' : ''})`],
    ['Canvas', named(target)],
    ['KSESSIONS', named(target.source)],
    ['Looked at', `${startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}, in ${(durationMs / 1000).toFixed(1)} s`],
    ['Stops a release', `${failOn} and worse`],
    ['canvas-host-toolkit', toolVersion],
  ];
}

/** How many checks ended each way. */
export function tally(checks: readonly CheckRecord[]): Record<Status, number> {
  const counts: Record<Status, number> = { pass: 0, fail: 0, warn: 0, error: 0, skipped: 0 };
  for (const { status } of checks) counts[status] += 1;
  return counts;
}

/** The verdict in one sentence, with what was not looked at: a part of a gate is no gate. */
export function verdictSentence({ checks, steps, verdict }: Pick<Report, 'checks' | 'steps' | 'verdict'>): string {
  const { error, fail, pass, skipped, warn } = tally(checks);
  const counts = [`${pass} passed`, `${fail} failed`, `${warn} with a warning`, `${error} could not be found out`, `${skipped} left out`];
  const told = counts.filter((part, place) => place < 2 || !part.startsWith('0 '));
  return `${VERDICT_WORDS[verdict]}: ${told.join(', ')}.${stepsSentence(steps)}`;
}

/** The steps that did not pass, by their names; the empty text where all did. */
export function stepsSentence(steps: readonly Step[]): string {
  const open = steps.filter(({ outcome }) => outcome !== 'pass').map(({ name, outcome }) => (outcome === 'not-run' ? `${name} (not run)` : name));
  return open.length === 0 ? '' : ` Of the steps, ${open.join(', ')} did not pass.`;
}

/** The verdict in words. */
export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = { pass: 'PASS', fail: 'FAIL', error: 'NOT KNOWN, which is no pass' };
