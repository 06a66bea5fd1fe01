/**
 * The line of the release checklist: configuration, migrations and the gate, one after the other. It stops at nothing, so
 * that one run tells all there is to mend, and ends with one verdict and the worst of the exit codes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from 'yargs';
import { requireTarget, withOpenTarget } from '../access';
import { many, SEVERITIES, type Severity } from '../checks/check';
import type { CheckRecord, Verdict } from '../checks/gate';
import { EXIT_OF, faults, redacted, ToolkitError } from '../errors';
import { firstRefusal, migrationStatus } from '../migrations/preview';
import { FORMATS, type Format } from '../reports/formats';
import { verdictSentence, type Report, type Step } from '../reports/report';
import { compareConfiguration } from './check-config';
import { readingRequest, type Run } from './command';
import { faultOf, lookAt, readSelection } from './gate';
import { errorText } from './render';
import { requireRoomFor } from './streams';

export const RELEASE_OPTIONS = {
  config: { type: 'string', describe: 'Configuration of a component: a file or its folder; may be repeated' },
  skip: { type: 'string', describe: 'Leave this check or group of the gate out; the report says so; may be repeated' },
  'fail-on': { type: 'string', choices: SEVERITIES, default: 'major', describe: 'The least severity that stops a release, in every step' },
  out: { type: 'string', describe: 'Write release-check.html, .xml (JUnit) and .json to this folder' },
} as const satisfies Record<string, Options>;

/** What a folder of reports holds, by format. */
const FILES = { html: 'release-check.html', junit: 'release-check.xml', json: 'release-check.json' } as const satisfies Partial<Record<Format, string>>;

/** What came of a step. */
interface Done {
  readonly step: Step;
  /** Why it did not pass. */
  readonly fault: ToolkitError | undefined;
  /** What it looked at one by one. */
  readonly checks: readonly CheckRecord[];
}

/** Goes through all steps, prints the report, writes its files, and sets the exit code. */
export async function releaseCheck(run: Run): Promise<void> {
  const { notice, print, words } = run;
  requireReleaseTarget(run);
  const selection = readSelection(words);
  const out = words.text('out');
  if (out !== undefined) prepareFolder(out);
  const [startedAt, start] = [new Date().toISOString(), performance.now()];
  const before = [await configurationStep(run), await statusStep(run)];
  const gate = await lookAt(run, selection, true);
  const done = [...before, gateStep(gate)];
  const report = { ...toReport(gate, done), startedAt, durationMs: Math.round(performance.now() - start) };
  await print(words.flag('json') ? FORMATS.json(report) : FORMATS.text(report));
  if (out !== undefined) writeFiles(run, out, report);
  const worst = worstOf(done);
  if (worst === undefined) return;
  const fault = faults.releaseStopped(worst.code, verdictSentence(report));
  notice(errorText(fault));
  process.exitCode = fault.exit;
}

/** @throws ToolkitError USAGE where none is named, or an embedded one; CONFIG and GUARD_ codes where the guard refuses it undialled */
function requireReleaseTarget({ settings }: Run): void {
  if (settings.targetName === undefined) throw faults.releaseUnnamed();
  const target = requireTarget(settings);
  if (target.engine === 'pglite') throw faults.releaseEmbedded(target.name);
}

// --- the steps -----------------------------------------------------------------------------------------------------

async function configurationStep(run: Run): Promise<Done> {
  const name = 'check-config';
  const paths = run.words.texts('config');
  if (paths.length === 0) {
    const told = 'Which files the components read was not said: give --config for each. What was not looked at is no pass.';
    return { ...ended(name, 'not-run', told, faults.configurationDiffers(told)), checks: [] };
  }
  try {
    const { report } = await compareConfiguration(run, paths, run.words.text('fail-on') as Severity);
    const told = verdictSentence(report);
    return { ...ended(name, report.verdict, told, report.verdict === 'pass' ? undefined : faults.configurationDiffers(told)), checks: report.checks };
  } catch (error) {
    return stopped(run, name, error);
  }
}

async function statusStep(run: Run): Promise<Done> {
  const name = 'migrate status';
  try {
    return await withOpenTarget({ ...readingRequest(run), purpose: 'migrate' }, async (database) => {
      const found = await migrationStatus(database);
      const refusal = firstRefusal(database, found);
      if (refusal !== undefined) throw refusal;
      if (found.pending.length > 0) throw faults.migrationsPending(database.target.name, found.pending.map((file) => file.name));
      return ended(name, 'pass', `${many(found.applied.length, 'migration')} applied, none pending.`);
    });
  } catch (error) {
    return stopped(run, name, error);
  }
}

function gateStep(gate: Report): Done {
  const told = gate.refusal === null ? verdictSentence(gate) : `${gate.refusal.what} ${gate.refusal.why}`;
  return { ...ended('verify', gate.verdict, told, faultOf(gate)), checks: gate.checks };
}

/** A conflict is something that was found; everything else that stops a step leaves it not known. */
function stopped({ notice }: Run, name: string, error: unknown): Done {
  const fault = error instanceof ToolkitError ? error : faults.internal(error);
  notice(errorText(fault));
  return ended(name, fault.exit === CONFLICT ? 'fail' : 'error', `${fault.message} ${fault.why}`, fault);
}

const CONFLICT = EXIT_OF.CONFLICT;

function ended(name: string, outcome: Step['outcome'], told: string, fault?: ToolkitError): Done {
  return { step: { name, outcome, exit: fault?.exit ?? 0, told: redacted(told) }, fault, checks: [] };
}

// --- the verdict ---------------------------------------------------------------------------------------------------

/** One report of all: the gate's, with what the other steps looked at before its checks. */
function toReport(gate: Report, done: readonly Done[]): Report {
  return { ...gate, verdict: verdictOf(done.map(({ step }) => step)), checks: done.flatMap(({ checks }) => checks), steps: done.map(({ step }) => step) };
}

function verdictOf(steps: readonly Step[]): Verdict {
  if (steps.some(({ outcome }) => outcome === 'fail')) return 'fail';
  return steps.every(({ outcome }) => outcome === 'pass') ? 'pass' : 'error';
}

/** The fault with the highest exit code: to be refused, or in conflict, is worse than to have found something. */
function worstOf(done: readonly Done[]): ToolkitError | undefined {
  return done.flatMap(({ fault }) => fault ?? []).toSorted((a, b) => b.exit - a.exit).at(0);
}

// --- files ---------------------------------------------------------------------------------------------------------

/** @throws ToolkitError USAGE where a report is there, CONFIG where none can be written */
function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw faults.fileUnwritable(folder, error);
  }
  for (const name of Object.values(FILES)) requireRoomFor(join(folder, name));
}

function writeFiles({ notice }: Run, folder: string, report: Report): void {
  for (const [format, name] of Object.entries(FILES)) {
    const path = join(folder, name);
    try {
      writeFileSync(path, FORMATS[format as keyof typeof FILES](report), { flag: 'wx' });
    } catch (error) {
      throw faults.fileUnwritable(path, error);
    }
    notice(`Written: ${path}\n`);
  }
}
