/** A copy of the package whose files a test may change; it shares the installed packages. */
import type { ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import type { Scratch } from './lanes';
import type { Finished, Running } from './script';

const PARTS = ['lib', 'migrations', 'seeds', 'scripts', 'knexfile.ts', 'package.json', 'tsconfig.json', 'targets.json'];

/** @returns the folder of the copy, gone when the test ends */
export function copyPackage(t: Pick<ExecutionContext, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-copy-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const part of PARTS) cpSync(join(PACKAGE_ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(PACKAGE_ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return folder;
}

/** Starts `knex WORDS…` in a package. */
export function startKnex(folder: string, scratch: Scratch, words: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const cli = join(folder, 'node_modules', 'knex', 'bin', 'cli.js');
  const child = spawn(process.execPath, [cli, ...words], {
    cwd: folder,
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
