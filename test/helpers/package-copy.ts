/** A copy of the package whose files a test may change; it shares the installed packages. */
import type { ExecutionContext } from 'ava';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';

const PARTS = ['lib', 'migrations', 'seeds', 'scripts', 'knexfile.ts', 'package.json', 'tsconfig.json', 'targets.json'];

/** @returns the folder of the copy, gone when the test ends */
export function copyPackage(t: Pick<ExecutionContext, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-copy-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const part of PARTS) cpSync(join(PACKAGE_ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(PACKAGE_ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return folder;
}
