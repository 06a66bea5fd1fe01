/**
 * Runs a script: as its users do, as a process, or within this one. A process costs half a second of the machine, and
 * two with the embedded engine, so it runs where only a process shows what is asked: how it starts, how it ends, what
 * happens beside it. For everything that is said and done in between, `runHere` is the same code.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import type { Scratch } from './lanes';

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

const ZX = join(PACKAGE_ROOT, 'node_modules', 'zx', 'build', 'cli.js');

const pathOf = (script: string) => join(PACKAGE_ROOT, 'scripts', `${script}.mjs`);

/** The words that begin the command line of a script: a child gets the options that AVA gave this process. */
export function commandOf(script: string, words: readonly string[] = []): string[] {
  return [process.execPath, ...process.execArgv, ZX, pathOf(script), ...words];
}

/** Starts `zx scripts/NAME.mjs WORDS…` without a terminal. @param env variables beside the target's */
export function start(scratch: Scratch, script: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  return launch(commandOf(script, words), scratch.folder, { ...scratch.env, ...env });
}

/** Runs `knex WORDS…` with the knexfile of a package, this one unless told otherwise, to its end. */
export function runKnex(
  scratch: Scratch,
  words: readonly string[],
  { env = {}, folder = PACKAGE_ROOT }: { readonly env?: NodeJS.ProcessEnv; readonly folder?: string } = {},
): Promise<Finished> {
  const command = [process.execPath, ...process.execArgv, join(PACKAGE_ROOT, 'node_modules', 'knex', 'bin', 'cli.js')];
  return launch([...command, ...words], folder, { ...scratch.env, ...env }).finished;
}

function launch([file = '', ...words]: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Running {
  const child = spawn(file, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, finished };
}

/** Runs a script to its end. */
export function run(
  scratch: Scratch,
  script: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  return start(scratch, script, words, env).finished;
}

let isRunningHere = false;
let runs = 0;

/** Runs a script to its end in this process: its argv, environment, folder, streams and exit code are put in place. */
export async function runHere(
  scratch: Scratch,
  script: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  if (isRunningHere) throw new Error('Two scripts in one process would share its streams: make the test serial.');
  isRunningHere = true;
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const told = Promise.all([text(stdout), text(stderr)]);
  const putBack = standIn({ stdout, stderr, words: [process.execPath, pathOf(script), ...words], scratch, env });
  try {
    // A module is evaluated once; another query makes it another module.
    await import(`${pathToFileURL(pathOf(script)).href}?run=${(runs += 1)}`);
    const code = (process.exitCode as number | undefined) ?? null;
    [stdout, stderr].forEach((stream) => stream.end());
    const [out, err] = await told;
    return { code, signal: null, stdout: out, stderr: err };
  } finally {
    putBack();
    isRunningHere = false;
  }
}

interface StandIn {
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly words: string[];
  readonly scratch: Scratch;
  readonly env: NodeJS.ProcessEnv;
}

/** Makes this process look like one that was started for a script. @returns a function that undoes it */
function standIn({ stdout, stderr, words, scratch, env }: StandIn): () => void {
  const { argv, env: environment, exitCode } = process;
  const folder = process.cwd();
  const streams = (['stdout', 'stderr'] as const).map((name) => [name, Object.getOwnPropertyDescriptor(process, name)] as const);
  const set = Object.entries({ ...scratch.env, ...env }).filter(([, value]) => value !== undefined);
  process.argv = words;
  process.env = Object.fromEntries(set);
  process.exitCode = undefined;
  process.chdir(scratch.folder);
  Object.defineProperty(process, 'stdout', { value: stdout, configurable: true });
  Object.defineProperty(process, 'stderr', { value: stderr, configurable: true });
  return () => {
    for (const [name, descriptor] of streams) Object.defineProperty(process, name, descriptor ?? {});
    process.chdir(folder);
    process.argv = argv;
    process.env = environment;
    process.exitCode = exitCode;
  };
}

/** The JSON lines of stdout. */
export function jsonLines(finished: Finished): Record<string, unknown>[] {
  return finished.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
