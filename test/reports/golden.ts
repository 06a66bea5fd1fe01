/** Golden files of reports. After a wanted change: delete the old ones, run the tests once, read the new ones. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { PACKAGE_ROOT } from '../../lib/config/settings';

/** Compares a text with its golden file. */
export function matchesGolden(t: ExecutionContext, name: string, text: string): void {
  const golden = join(PACKAGE_ROOT, 'test', 'golden', 'reports', name);
  if (!existsSync(golden) && process.env['CI'] === undefined) writeFileSync(golden, text);
  t.is(text, readFileSync(golden, 'utf8'), name);
}
