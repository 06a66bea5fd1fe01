/** The way of every command that changes credentials: which sessions, is it meant, dry run or done in batches, told. */
import { statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Options } from 'yargs';
import type { Access } from '../access';
import { explain } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import { changeMany, previewMany, type Tally } from '../hosts/bulk';
import type { Result } from '../hosts/change';
import type { Decision, Plan, Verb } from '../hosts/plan';
import { wereCommitted } from '../hosts/resume';
import type { Page } from '../hosts/selection';
import { WRITING_OPTIONS, type Run, type Words } from './command';
import { confirm, isTerminal } from './confirm';
import { finishBatchFirst } from './interrupts';
import { newOutFile, openOutput, type OutFile } from './output';
import { showProgress } from './progress';
import { DRY_RUN, jsonLine, liveSetText, liveText, planJson, planText, tallyText } from './render';
import { FILE_FORMATS, readEarlier, type FileFormat } from './results';
import { continueSecretFile, createSecretFile } from './streams';
import { actorOf, parseCount, parseExpiry, parseText } from './words';

/** Options of every command that changes credentials. */
export const CHANGE_OPTIONS = {
  ...WRITING_OPTIONS,
  'max-failures': { type: 'string', describe: 'End after more failures than this' },
  out: { type: 'string', describe: 'Write results, GUIDs among them, to this new file, which only you can read' },
  format: { type: 'string', choices: FILE_FORMATS, default: 'lines', describe: 'Of that file: lines are "ID GUID"' },
} as const satisfies Record<string, Options>;

/** Options of those that make GUIDs. */
export const GUID_OPTIONS = {
  expires: { type: 'string', describe: 'ISO 8601 time or duration (90d, 12h); it must be in the future' },
  resume: { type: 'string', describe: 'The --out file of a run that was ended: go on, and do nothing again that is done' },
} as const satisfies Record<string, Options>;

/** What HostSessionEvents.Reason holds. */
const REASON_LENGTH = 1000;

/** GUIDs that may go to stdout at once. */
const MOST_ON_STDOUT = 100;

/** Sessions in one transaction, when GUIDs go to a file. */
const BATCH = 1000;

/** The sessions of a command from which on its memory is kept small. */
const LONG_RUN = 2 * BATCH;

/**
 * What a batch leaves behind is garbage, and V8 lets tens of megabytes of it lie before it collects, more with every
 * collection that some of it survived. Both flags are read at each collection, so they may be set while the process
 * runs; the collection at once makes them count from the beginning.
 * https://nodejs.org/docs/latest-v20.x/api/v8.html#v8setflagsfromstringflags
 */
function keepHeapSmall(): void {
  for (const flag of ['--semi-space-growth-factor=1', '--heap-growing-percent=100', '--expose-gc']) setFlagsFromString(flag);
  const collect = runInNewContext('gc') as () => void;
  collect();
}

/** The sessions a command is about. */
export interface Sessions {
  readonly pages: () => Iterable<Page> | AsyncIterable<Page>;
  readonly total: number;
  /** Chosen by something else than their ids. */
  readonly isSet: boolean;
}

/** What is to be done about them. */
export interface Task {
  readonly run: Run;
  readonly access: Access;
  readonly sessions: Sessions;
  readonly verbFor: (batch: Page) => Promise<Verb> | Verb;
  readonly makesGuids: boolean;
}

/** Who, why, and until when. @throws ToolkitError USAGE */
export function readTerms(words: Words): { actor: string; reason: string | null; expiresAt: Date | undefined } {
  const [reason, expires] = [words.text('reason'), words.text('expires')];
  return {
    actor: actorOf(words.text('created-by')),
    reason: reason === undefined ? null : parseText('--reason', reason, REASON_LENGTH),
    expiresAt: expires === undefined ? undefined : parseExpiry(expires),
  };
}

/**
 * Before anything is opened: can the words be meant, and where would the GUIDs go?
 * @param ids undefined where sessions are chosen by something else
 * @throws ToolkitError USAGE
 */
export function assertChange(words: Words, ids: readonly number[] | undefined, makesGuids: boolean): void {
  maxFailuresOf(words);
  if (!makesGuids) return;
  const [out, resume] = [words.text('out'), words.text('resume')];
  if (out !== undefined && resume !== undefined) {
    throw faults.usage('--out and --resume exclude each other.', '--resume goes on with the file it names.', 'Give one of them.');
  }
  const isMany = ids === undefined || ids.length > MOST_ON_STDOUT;
  if (isMany && out === undefined && resume === undefined && !words.flag('dry-run')) throw faults.outNeeded(ids?.length, MOST_ON_STDOUT);
}

function maxFailuresOf(words: Words): number {
  const limit = words.text('max-failures');
  return limit === undefined ? Number.POSITIVE_INFINITY : parseCount('--max-failures', limit);
}

/**
 * Changes the sessions of a task, or shows with --dry-run what would be changed.
 * @throws ToolkitError of one session, its failure; of many, PARTIAL; INTERRUPTED, and as `changeMany`
 */
export async function changeSessions(task: Task): Promise<void> {
  const { access, run, sessions } = task;
  if (run.words.flag('dry-run')) return preview(task);
  const { done, file } = await openFile(run, access);
  try {
    const pages = done.size === 0 ? sessions.pages() : without(sessions.pages(), done);
    await apply(task, pages, Math.max(0, sessions.total - done.size), file);
  } finally {
    file?.file.close();
  }
}

// --- is it meant -------------------------------------------------------------------------------------------------

/**
 * On a terminal, replacing live credentials is asked first; elsewhere it is done, as the old tool did.
 * @returns the hashes that a person agreed to replace, by KSESSIONS id, or undefined where nobody was asked
 * @throws ToolkitError CONFLICT for a No
 */
export async function agreeToReplace({ access, run, sessions, verbFor }: Omit<Task, 'makesGuids'>): Promise<Map<number, string> | undefined> {
  if (!isTerminal() || run.words.flag('dry-run')) return undefined;
  const plans: Plan[] = [];
  for await (const decisions of previewMany(access.database, { pages: sessions.pages(), batchSize: BATCH, verbFor })) {
    plans.push(...decisions.filter((decision): decision is Plan => !(decision instanceof ToolkitError) && decision.action === 'rotate'));
  }
  const [first] = plans;
  if (first !== undefined) {
    run.notice(sessions.total === 1 ? liveText(first) : liveSetText(plans, sessions.total));
    if (!(await confirm('Replace it?', '--if-exists'))) throw faults.notConfirmed(plans.map(({ session }) => session.ksessionsId ?? 0));
  }
  return new Map(plans.map(({ live, session }) => [session.ksessionsId ?? 0, live?.hash ?? '']));
}

/**
 * On a terminal, a change of a whole set is asked first.
 * @param what what happens to each, to follow "This "
 * @throws ToolkitError CONFLICT for a No
 */
export async function agreeToSet({ run, sessions }: Pick<Task, 'run' | 'sessions'>, what: string): Promise<void> {
  if (!sessions.isSet || sessions.total === 0 || !isTerminal() || run.words.flag('dry-run')) return;
  run.notice(`This ${what} the live host GUIDs of ${sessions.total} sessions; hosts who use one will be locked out.\n`);
  if (!(await confirm('Go on?', 'ids'))) throw faults.notConfirmed([]);
}

// --- dry run -----------------------------------------------------------------------------------------------------

async function preview({ access, run, sessions, verbFor }: Task): Promise<void> {
  let failed = 0;
  for await (const decisions of previewMany(access.database, { pages: sessions.pages(), batchSize: BATCH, verbFor })) {
    for (const decision of decisions) failed += await tellDecision(run, access, decision, sessions.total === 1);
  }
  if (!run.words.flag('json') && !run.words.flag('quiet')) await run.print(DRY_RUN);
  if (failed > 0) throw faults.partial(failed, sessions.total);
}

/** @returns how many failed: one or none */
async function tellDecision({ print, report, words }: Run, { database }: Access, decision: Decision, isOne: boolean): Promise<number> {
  if (decision instanceof ToolkitError) {
    if (isOne) throw decision;
    await report(decision);
    return 1;
  }
  if (words.flag('json')) await print(jsonLine(planJson(database, decision)));
  else if (!words.flag('quiet')) await print(planText(decision));
  return 0;
}

// --- done --------------------------------------------------------------------------------------------------------

async function apply(task: Task, pages: Iterable<Page> | AsyncIterable<Page>, total: number, file: OutFile | undefined): Promise<void> {
  const { access, makesGuids, run, verbFor } = task;
  const { database, keys, permit } = access;
  if (total > LONG_RUN) keepHeapSmall();
  const format = run.words.flag('json') ? 'json' : run.words.flag('quiet') ? 'quiet' : 'text';
  const isOne = total === 1 && !task.sessions.isSet;
  const tellsEach = isOne || (file === undefined && !task.sessions.isSet);
  const output = openOutput({ ...run, database, format, file, isOne, tellsEach, makesGuids });
  const progress = await showProgress(process.stderr, run.words.flag('quiet') ? 0 : total);
  const counts: Record<string, number> = {};
  const tell = async (results: readonly Result[], batch: Page) => {
    for (const result of results) {
      const what = result instanceof ToolkitError ? 'failed' : result.status;
      counts[what] = (counts[what] ?? 0) + 1;
      await output.conclude(result);
    }
    progress.advance(batch.ids.length);
  };
  // An empty file is taken away again; and what is revoked stays so, whoever revokes it again.
  const hint = () => resumeHint(file !== undefined && makesGuids && statSync(file.path).size > 0 ? file.path : undefined);
  let isStopped = false;
  const release = total === 1 ? () => undefined : finishBatchFirst(() => {
    isStopped = true;
    run.notice('\nEnding after the current batch; interrupt again to end at once.\n');
  });
  const maxFailures = maxFailuresOf(run.words);
  const batchSize = file === undefined && makesGuids ? 1 : BATCH;
  const request = { pages, batchSize, verbFor, tell, isStopped: () => isStopped, maxFailures };
  const tally = await changeMany(database, permit, keys, request, output.delivery)
    .catch((error: unknown) => {
      const told = Object.keys(counts).length === 0 ? 'None was told as done.\n' : tallyText(counts, makesGuids ? file?.path : undefined);
      if (total > 1) run.notice(`\n${told}${hint()}\n`);
      throw explain(database, error);
    })
    .finally(() => {
      progress.stop();
      release();
    });
  if (format === 'text' && !isOne) await run.print(tallyText(counts, makesGuids ? file?.path : undefined));
  conclude(tally, total, hint());
}

function conclude({ done, end, failed }: Tally, total: number, hint: string): void {
  const left = total - done - failed;
  if (end !== 'complete') throw faults.stoppedEarly(end === 'stopped' ? 'interrupted' : 'failures', hint, done, left);
  if (failed > 0) throw faults.partial(failed, total);
}

function resumeHint(path: string | undefined): string {
  return path === undefined ? 'Run the command again for what is left.' : `To go on, give the same command --resume ${path} in place of --out.`;
}

// --- the file ----------------------------------------------------------------------------------------------------

interface Opened {
  readonly file: OutFile | undefined;
  /** What an earlier run did already, by KSESSIONS id. */
  readonly done: ReadonlySet<number>;
}

async function openFile({ notice, words }: Run, access: Access): Promise<Opened> {
  const format = (words.text('format') ?? 'lines') as FileFormat;
  const [out, resume] = [words.text('out'), words.text('resume')];
  if (resume !== undefined) return continueFile(resume, format, access, notice);
  return { file: out === undefined ? undefined : newOutFile(out, format), done: new Set() };
}

/** What of the file was never committed is put aside, so that nothing that looks like a GUID stays among those that hold. */
async function continueFile(path: string, format: FileFormat, { database, keys, permit }: Access, notice: Run['notice']): Promise<Opened> {
  const { content, ids, size, tail } = readEarlier(path, format, BATCH + 1);
  const committed = await wereCommitted(database, permit, keys, tail);
  const firstVoid = committed.indexOf(false);
  const voids = firstVoid < 0 ? 0 : committed.length - firstVoid;
  // One transaction at most can have been cut off, and it was the last.
  if (voids > BATCH || committed.slice(firstVoid < 0 ? committed.length : firstVoid).includes(true)) {
    throw faults.resumeOfAnother(path, database.target.name);
  }
  const end = tail[firstVoid]?.offset ?? size;
  if (end < content.length) {
    const aside = `${path}.void-${Date.now()}`;
    const file = createSecretFile(aside);
    file.write(content.toString('utf8', end));
    file.close();
    notice(`${voids} GUIDs at the end of ${path} were never committed; they are void and were moved to ${aside}.\n`);
  }
  const done = ids.slice(0, ids.length - voids);
  notice(`Going on behind ${done.length} sessions that are done.\n`);
  return { file: { path, format, file: continueSecretFile(path, end) }, done: new Set(done) };
}

async function* without(pages: Iterable<Page> | AsyncIterable<Page>, done: ReadonlySet<number>): AsyncGenerator<Page> {
  for await (const { by, ids } of pages) {
    const left = by === 'KSessionsId' ? ids.filter((id) => !done.has(id)) : ids;
    if (left.length > 0) yield { by, ids: left };
  }
}
