/** Runs a script as its users do: as a process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
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

/** Starts `zx scripts/NAME.mjs WORDS…` without a terminal. @param env variables beside the target's */
export function start(scratch: Scratch, script: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const path = join(PACKAGE_ROOT, 'scripts', `${script}.mjs`);
  const child = spawn(process.execPath, [ZX, path, ...words], {
    cwd: scratch.folder,
    env: { ...scratch.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
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

/** The JSON lines of stdout. */
export function jsonLines(finished: Finished): Record<string, unknown>[] {
  return finished.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
