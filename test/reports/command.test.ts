import test from 'ava';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FORMATS } from '../../lib/reports/formats';
import type { Report } from '../../lib/reports/report';
import { pgliteLane } from '../helpers/lanes';
import { long } from '../helpers/long';
import { runHere } from '../helpers/script';
import { shareScratch } from '../helpers/shared';

const shared = shareScratch(pgliteLane);

const BEGINNINGS: Readonly<Record<keyof typeof FORMATS, RegExp>> = {
  text: /^Connection and guard\n/,
  json: /^\{"schema":"canvas-verify\/1","verdict":"pass",/,
  junit: /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites /,
  markdown: /^## Release gate: PASS: /,
  html: /^<!doctype html>\n/,
};

long('each format comes on stdout, and with --out in a new file, the verdict alone on stdout', async (t) => {
  const scratch = shared();
  for (const [format, beginning] of Object.entries(BEGINNINGS)) {
    const out = join(scratch.folder, `report.${format}`);
    const words = ['--only', 'guard', '--format', format];
    const printed = await runHere(scratch, 'verify', words);
    t.is(printed.code, 0, printed.stderr);
    t.regex(printed.stdout, beginning);
    const written = await runHere(scratch, 'verify', [...words, '--out', out]);
    t.is(written.code, 0, written.stderr);
    t.regex(written.stdout, /^PASS: 4 passed, 0 failed, \d+ left out\.\n$/);
    t.regex(readFileSync(out, 'utf8'), beginning);
  }
});

test.serial('--out refuses a file that exists, and looks at nothing', async (t) => {
  const scratch = shared();
  const out = join(scratch.folder, 'there.html');
  writeFileSync(out, 'mine');
  const { code, stderr, stdout } = await runHere(scratch, 'verify', ['--format', 'html', '--out', out]);
  t.is(code, 2);
  t.regex(stderr, /^USAGE: The file .+there\.html exists\.\n/);
  t.is(stdout, '');
  t.is(readFileSync(out, 'utf8'), 'mine');
  const nowhere = await runHere(scratch, 'verify', ['--only', 'guard', '--out', join(scratch.folder, 'no', 'such', 'folder')]);
  t.is(nowhere.code, 2);
  t.regex(nowhere.stderr, /^CONFIG: The file .+ cannot be made\.\n/, 'before anything is looked at');
  t.false(existsSync(join(scratch.folder, 'no')));
});

test.serial('--json is one object, with the pictures that only json and html ask for', async (t) => {
  const scratch = shared();
  const { code, stdout } = await runHere(scratch, 'verify', ['--json', '--only', 'guard']);
  t.is(code, 0);
  const report = JSON.parse(stdout) as Report;
  t.is(stdout, `${JSON.stringify(report)}\n`);
  t.deepEqual(report.overview?.gaps, []);
  t.true((report.overview?.schema?.tables.length ?? 0) > 2);
  t.is(report.overview?.credentials?.byState.live, 0);
});
