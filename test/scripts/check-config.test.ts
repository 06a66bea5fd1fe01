import test from 'ava';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { scratchFolder } from '../helpers/lanes';
import { jsonLines, run, runHere, type Finished } from '../helpers/script';

const FIXTURES = join(PACKAGE_ROOT, 'test', 'fixtures', 'config');
const fixture = (...names: string[]) => join(FIXTURES, ...names);

const env = { CANVAS_TARGETS_FILE: fixture('targets.json') };

const check = (words: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Finished> => {
  const folder = FIXTURES;
  return runHere({ folder, env, settings: undefined as never }, 'check-config', words, more);
};

test.serial('files that agree end with 0, and stderr names what was read and compared', async (t) => {
  const { code, stderr, stdout } = await check(['clean/web', 'clean/provisioner', '--target', 'dev']);
  t.is(code, 0, stderr);
  t.regex(stdout, /\nPASS: 15 passed, 0 failed\.\n$/);
  t.regex(stderr, /^target {5}dev \(development\): KSESSIONS_DEV on AHHOME,1433\n/);
  t.true(stderr.includes(`reads      ${join('clean', 'web', 'appsettings.Production.json')} (production)\n`));
  t.true(stderr.endsWith('reads      environment variables\n'));
});

test.serial('a finding ends with 1, names file and key and what mends it, and says that production was in reach', async (t) => {
  const { code, stderr, stdout } = await check(['production-in-base', '--target', 'dev']);
  t.is(code, 1);
  t.regex(stderr, /^CHECKS_FAILED: .+\n {2}FAIL: 13 passed, 2 failed\.\n {2}.+\n$/m);
  t.regex(stdout, /FAIL {2}configuration\.production .+\n +\S+appsettings\.json: ConnectionStrings:DefaultConnection: it leads to KSESSIONS on AHHOME/);
  t.regex(stdout, /To mend it: Move it to appsettings\.Production\.json/);
});

test.serial('without a target that has a server the files are compared with each other only, and that is said', async (t) => {
  const { code, stderr, stdout } = await check(['other-than-target']);
  t.is(code, 0, stdout);
  t.regex(stderr, /^target {5}none has no server: the files are compared with each other only \(--target NAME names one\)\n/);
  t.notRegex(stdout, /configuration\.target/);
});

test.serial('--json is one object with the records of the gate', async (t) => {
  const finished = await check(['two-passwords/web', 'two-passwords/provisioner', '--target', 'dev', '--json']);
  t.is(finished.code, 1);
  const [report, ...more] = jsonLines(finished);
  t.deepEqual(more, []);
  const { checks, comparedWith, files, schema, verdict } = report as {
    checks: { id: string; status: string; evidence: string[] }[]; comparedWith: object; files: object[]; schema: string; verdict: string;
  };
  t.deepEqual([schema, verdict], ['canvas-config/1', 'fail']);
  t.deepEqual(checks.filter(({ status }) => status !== 'pass').map(({ id }) => id), ['configuration.same-password']);
  t.deepEqual(Object.keys(checks[0] ?? {}), ['id', 'title', 'severity', 'status', 'evidence', 'remedy', 'durationMs']);
  t.deepEqual(comparedWith, {
    canvas: { server: 'AHHOME', port: 1433, database: 'KSESSIONS_DEV' },
    source: { server: 'AHHOME', port: 1433, database: 'KSESSIONS_DEV' },
  });
  t.deepEqual(files[0], { path: join('two-passwords', 'web', 'appsettings.json'), layer: 'base', environment: null });
});

test.serial('a warning ends with 1 too, unless --fail-on says otherwise', async (t) => {
  t.is((await check(['environment-override'])).code, 1);
  const { code, stdout } = await check(['environment-override', '--fail-on', 'major']);
  t.is(code, 0);
  t.regex(stdout, /warn {2}configuration\.layers/);
});

test.serial('what cannot be read is CONFIG, naming the file and nothing that stands in it', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['broken-json', /appsettings\.json is no JSON that \.NET would read\.\n {2}.*in line \d/],
    ['array-at-the-top', /its top level is no object/],
    ['not-utf8', /appsettings\.json is not UTF-8 text/],
    ['no-configuration', /no-configuration is no configuration file/],
    ['no-configuration/notes.txt', /notes\.txt is no configuration file/],
    ['nowhere', /nowhere cannot be read\.\n {2}The system says ENOENT/],
  ];
  for (const [name, says] of cases) {
    const { code, stderr, stdout } = await check([name]);
    t.is(code, 2, name);
    t.regex(stderr, /^CONFIG: /m);
    t.regex(stderr, says);
    t.notRegex(stdout + stderr, /canary/i, name);
  }
});

test.serial('no file is a usage error, and so is a target that nobody listed exit 3', async (t) => {
  const none = await check([]);
  t.is(none.code, 2);
  t.regex(none.stderr, /^USAGE: No file was named\./m);
  const unknown = await check(['clean/web', '--target', 'prod']);
  t.is(unknown.code, 3);
  t.regex(unknown.stderr, /^GUARD_TARGET_UNKNOWN/m);
});

test.serial('no password of any fixture leaves, in whatever form', async (t) => {
  for (const name of readdirSync(FIXTURES)) {
    for (const form of [[], ['--json'], ['--verbose']]) {
      const { stderr, stdout } = await check([name, '--target', 'dev', ...form]);
      t.notRegex(stdout + stderr, /canary/i, name);
    }
  }
});

test.serial('as a process it ends with the code of what it found', async (t) => {
  const folder = scratchFolder(t);
  const finished = await run({ folder, env: { ...process.env, ...env }, settings: undefined as never }, 'check-config', [fixture('sa')]);
  t.is(finished.code, 1, finished.stderr);
  t.regex(finished.stdout, /FAIL {2}configuration\.login/);
});
