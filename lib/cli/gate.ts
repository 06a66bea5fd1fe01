/** The command of the release gate: which checks, the report in its format, and the exit code. */
import { existsSync, writeFileSync } from 'node:fs';
import type { Options } from 'yargs';
import { withReading, type AccessRequest } from '../access';
import { groupOf, GROUPS, SEVERITIES, type Check, type Severity } from '../checks/check';
import { CANARY, isMeant, runGate, type Checks, type Selection } from '../checks/gate';
import { readOverview, type Overview } from '../checks/overview';
import { CHECKS, knownWords } from '../checks/registry';
import { chooseTarget, nearest } from '../config/targets';
import type { Database } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import { FORMATS, SHOW_OVERVIEW, type Format } from '../reports/formats';
import { toReport, verdictSentence, type Report } from '../reports/report';
import { checksOfFiles } from './check-config';
import { readingRequest, type Run, type Words } from './command';
import { errorText, jsonLine } from './render';
import { requireRoomFor } from './streams';

export const GATE_OPTIONS = {
  list: { type: 'boolean', describe: 'Print the checks, and look at nothing' },
  only: { type: 'string', describe: 'Look at this check or group alone; may be repeated' },
  skip: { type: 'string', describe: 'Leave this check or group out; the report says so; may be repeated' },
  canary: { type: 'boolean', describe: 'Attempt what the database must refuse, too, each rolled back; uses up identity values' },
  'fail-on': { type: 'string', choices: SEVERITIES, default: 'major', describe: 'The least severity that stops a release' },
  format: { type: 'string', choices: Object.keys(FORMATS), default: 'text', describe: 'Of the report; --json is --format json' },
  config: { type: 'string', describe: 'Look at this configuration file or folder too, as check-config.mjs does; may be repeated' },
  out: { type: 'string', describe: 'Write the report to this new file; the verdict is told on stdout' },
} as const satisfies Record<string, Options>;

const SIGN_OF_LIFE_MS = 5_000;

/** Looks, prints the report, and sets the exit code: 1 for what does not hold, that of the refusal where nothing could be opened. */
export async function verify(run: Run): Promise<void> {
  const { words } = run;
  const checks = readChecks(run);
  const selection = readSelection(words, checks);
  if (words.flag('list')) return run.print(listText(words, selection, checks));
  const out = words.text('out');
  if (out !== undefined) requireRoomFor(out);
  const report = await lookAt(run, selection, SHOW_OVERVIEW.includes(formatOf(words)), checks);
  await deliver(run, report, out);
  const fault = faultOf(report);
  if (fault === undefined) return;
  run.notice(errorText(fault));
  process.exitCode = fault.exit;
}

/** What a report comes to, as an error; undefined where the gate is open. */
export function faultOf(report: Report): ToolkitError | undefined {
  if (report.verdict === 'pass') return undefined;
  return report.refusal === null ? faults.checksFailed(verdictSentence(report)) : new ToolkitError(report.refusal.code, report.refusal);
}

const formatOf = (words: Words): Format => (words.flag('json') ? 'json' : (words.text('format') as Format));

/** Runs the gate. @param withOverview whether to read what a report shows beside the checks */
export async function lookAt(run: Run, selection: Selection, withOverview: boolean, checks: Checks = CHECKS): Promise<Report> {
  const startedAt = new Date();
  const start = performance.now();
  let opened: Database | undefined;
  let overview: Overview | undefined;
  const request = readingRequest(run);
  const access: AccessRequest = {
    ...request,
    onOpen(database) {
      opened = database;
      request.onOpen(database);
    },
  };
  await makeEmbedded(request);
  const life = new SignOfLife(run);
  const gate = {
    access,
    checks,
    selection,
    onCheck: ({ id }: Check<never>, number: number, total: number) => life.at(`${id} (${number} of ${total})`),
    onProgress: (_check: Check<never>, done: number, what: string) => life.done(`${done} ${what}`),
  };
  const outcome = await runGate(gate, async (subject) => {
    if (withOverview) overview = await readOverview(subject);
  }).finally(() => life.end());
  const durationMs = Math.round(performance.now() - start);
  // As the list has it, whatever the guard says of it.
  return toReport(outcome, { target: chooseTarget(run.settings), database: opened, overview, startedAt, durationMs });
}

/** On its first use the embedded target makes itself; later nothing here writes to it. */
async function makeEmbedded(request: AccessRequest): Promise<void> {
  const target = chooseTarget(request.settings);
  if (target.engine === 'pglite' && !existsSync(target.folder)) await withReading(request, () => Promise.resolve());
}

/** Says from time to time where a long run is: most checks are over before there is anything to say. */
class SignOfLife {
  readonly #timer: NodeJS.Timeout;
  #check = '';
  #done = '';

  constructor({ notice, words }: Run) {
    const tell = () => notice(`Still at ${this.#check}${this.#done}\n`);
    this.#timer = setInterval(() => !words.flag('quiet') && tell(), SIGN_OF_LIFE_MS);
  }

  at(check: string): void {
    [this.#check, this.#done] = [check, ''];
  }

  done(what: string): void {
    this.#done = `: ${what}`;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

async function deliver({ print, words }: Run, report: Report, out: string | undefined): Promise<void> {
  const format = formatOf(words);
  const text = FORMATS[format](report);
  // A person who was refused has the refusal to read, on stderr; that nothing was looked at goes without saying.
  if (out === undefined) return format === 'text' && report.refusal !== null ? undefined : print(text);
  try {
    writeFileSync(out, text, { flag: 'wx' });
  } catch (error) {
    throw faults.fileUnwritable(out, error);
  }
  await print(`${verdictSentence(report)}\n`);
}

// --- which checks --------------------------------------------------------------------------------------------------

/** Configuration files are looked at where some are named: which ones a component reads cannot be known from here. */
function readChecks({ settings, words }: Run): Checks {
  const paths = words.texts('config');
  return paths.length === 0 ? CHECKS : { ...CHECKS, beforehand: [...checksOfFiles(paths, settings), ...CHECKS.beforehand] };
}

/** @throws ToolkitError USAGE for a word that is no check and no group */
export function readSelection(words: Words, checks: Checks = CHECKS): Selection {
  const [only, skip] = [words.texts('only'), words.texts('skip')];
  const known = knownWords(checks);
  for (const word of [...only, ...skip]) {
    if (!known.includes(word)) throw faults.unknownCheck(word, nearest(word, known));
  }
  const canary = words.flag('canary');
  if (!canary && only.some((word) => isMeant(word, CANARY))) throw faults.usage('What --only names is attempted with --canary only.', 'Nothing was done.');
  return { only, skip, canary, failOn: words.text('fail-on') as Severity };
}

function listText(words: Words, { only }: Selection, { beforehand, there }: Checks): string {
  const all: readonly Check<never>[] = [...beforehand, ...there];
  const wanted = all.filter(({ id }) => only.length === 0 || only.some((word) => isMeant(id, word)));
  if (words.flag('json')) return wanted.map(({ id, severity, title }) => jsonLine({ id, group: GROUPS[groupOf(id)], title, severity })).join('');
  return wanted.map(({ id, severity, title }) => `${id.padEnd(30)}${severity.padEnd(10)}${title}\n`).join('');
}
