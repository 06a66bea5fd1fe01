import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeManual } from '../../lib/cli/manual';
import { composeVerifyGuide } from '../../lib/cli/verify-guide';
import { PACKAGE_ROOT } from '../../lib/config/settings';

test.serial('docs/cli.md is what the commands say of themselves', async (t) => {
  const written = readFileSync(join(PACKAGE_ROOT, 'docs', 'cli.md'), 'utf8').replaceAll('\r\n', '\n');
  t.is(written, await composeManual(), 'write it anew: npm run docs');
});

test.serial('docs/verify.md is what the checks say of themselves', (t) => {
  const written = readFileSync(join(PACKAGE_ROOT, 'docs', 'verify.md'), 'utf8').replaceAll('\r\n', '\n');
  t.is(written, composeVerifyGuide(), 'write it anew: npm run docs');
});

test.serial('it has every script, with its options, choices and defaults', async (t) => {
  const text = await composeManual();
  for (const file of readdirSync(join(PACKAGE_ROOT, 'scripts'))) t.true(text.includes(`npx zx scripts/${file}`), file);
  t.regex(text, /## provision\n[^#]*\| `--if-exists` \| rotate, keep, fail \|[^#]*npx zx scripts\/provision\.mjs 15 {3}# /);
  t.regex(text, /\| `--wait` \| text \| 30 \|/);
  t.regex(text, /\| 3 \| the guard refused \| GUARD_TARGET_UNKNOWN, /);
  t.is(process.exitCode, undefined, 'no command was run');
});
