import test from 'ava';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withOpenTarget } from '../../lib/access';
import type { Report } from '../../lib/reports/report';
import { databaseOf, pgliteLane, postgresLane, postgresUrl, retarget, type Scratch } from '../helpers/lanes';
import { runHere } from '../helpers/script';
import { rowsOf } from '../helpers/state';

const NAMED = ['--target', 'scratch'];

const check = (scratch: Scratch, ...words: string[]) => runHere(scratch, 'release-check', words);

test.serial('it demands a target that is named and not embedded, and says why', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const unnamed = await check(scratch);
  t.is(unnamed.code, 2);
  t.regex(unnamed.stderr, /^USAGE: No target was named\.\n {2}A release is checked on the database it is for, and never on a default\.\n {2}.+CANVAS_TARGET/);
  for (const embedded of [await check(scratch, ...NAMED), await runHere(scratch, 'release-check', [], { CANVAS_TARGET: 'scratch' })]) {
    t.is(embedded.code, 2);
    t.regex(embedded.stderr, /^USAGE: Target scratch is embedded\.\n {2}It holds sample data .+\n {2}Name the target/);
  }
  t.is((await check(scratch, '--target', 'nowhere')).code, 3);
  t.false(existsSync(join(scratch.folder, 'embedded')), 'nothing was made');
});

const atAServer = { engine: 'postgres', path: undefined, server: '127.0.0.1', port: 1, database: 'canvas', credentials: 'SCRATCH', encrypt: false };

test.serial('a server that does not answer: every step is told, and the exit code is the worst of theirs', async (t) => {
  const scratch = retarget(await pgliteLane.empty(t), atAServer);
  const env = { SCRATCH_USER: 'x', SCRATCH_PASSWORD: 'x' };
  const { code, stderr, stdout } = await runHere(scratch, 'release-check', [...NAMED, '--config', 'no-such-file'], env);
  t.is(code, 2, stderr);
  t.regex(stdout, /\nSteps\n {2}ERROR check-config .+\n {2}ERROR migrate status .+\n {2}ERROR verify .+\n\nNOT KNOWN, which is no pass: .+\n$/);
  t.regex(stderr, /\n(CONFIG|UNREACHABLE): The release check does not pass\.\n {2}.+check-config, migrate status, verify did not pass\.\n {2}.+\n$/);
});

test.serial('--out refuses a folder that holds a report, before anything is dialled', async (t) => {
  const scratch = retarget(await pgliteLane.empty(t), atAServer);
  const out = join(scratch.folder, 'release');
  mkdirSync(out);
  writeFileSync(join(out, 'release-check.xml'), 'mine');
  const { code, stderr } = await check(scratch, ...NAMED, '--out', out);
  t.is(code, 2);
  t.regex(stderr, /^USAGE: The file .+release-check\.xml exists\.\n/);
  t.deepEqual(readdirSync(out), ['release-check.xml']);
});

test.serial('--out refuses a place where no folder can be, before anything is dialled', async (t) => {
  const scratch = retarget(await pgliteLane.empty(t), atAServer);
  writeFileSync(join(scratch.folder, 'file'), '');
  const { code, stderr, stdout } = await check(scratch, ...NAMED, '--out', join(scratch.folder, 'file', 'release'));
  t.is(code, 2);
  t.regex(stderr, /^CONFIG: The file .+release cannot be made\.\n.+ENOTDIR/);
  t.is(stdout, '');
});

// --- on a server ---------------------------------------------------------------------------------------------------

const server = postgresUrl === undefined ? test.skip : test.serial;

/** The suite's login is the server's administrator, which no release may use: test/guard/least-privilege.test.ts has another. */
const AS_ADMIN = ['--skip', 'security'];

/** The configuration of a component that leads to a target, as it should be. */
function component(scratch: Scratch, database = databaseOf(scratch)): string {
  const folder = join(scratch.folder, `web-${database}`);
  mkdirSync(folder);
  const { port } = new URL(postgresUrl ?? '');
  const ConnectionStrings = { DefaultConnection: `postgres://web:p8Qz-kk21-rr0V@127.0.0.1:${port || 5432}/${database}` };
  writeFileSync(join(folder, 'appsettings.json'), JSON.stringify({ ConnectionStrings }));
  return folder;
}

server('postgres: all is well: 0, three steps, one verdict, and the report in three files; nothing was written to the database', async (t) => {
  const scratch = await postgresLane.ready(t);
  const open = { settings: scratch.settings, waitMs: 30_000, onOpen: () => undefined, onNotice: () => undefined };
  const before = await withOpenTarget(open, rowsOf);
  const out = join(scratch.folder, 'made', 'release');
  const { code, stderr, stdout } = await check(scratch, ...NAMED, ...AS_ADMIN, '--config', component(scratch), '--out', out);
  t.is(code, 0, stdout + stderr);
  t.regex(stdout, /\nSteps\n {2}ok {4}check-config .+\n {2}ok {4}migrate status +4 migrations applied, none pending\.\n {2}ok {4}verify .+\n\nPASS: [^\n]+\n$/);
  t.is(stdout.match(/^(PASS|FAIL|NOT KNOWN)/gm)?.length, 1, 'one verdict');
  t.deepEqual(readdirSync(out).sort(), ['release-check.html', 'release-check.json', 'release-check.xml']);
  const report = JSON.parse(readFileSync(join(out, 'release-check.json'), 'utf8')) as Report;
  t.deepEqual(report.steps.map(({ exit, name, outcome }) => [name, outcome, exit]), [
    ['check-config', 'pass', 0], ['migrate status', 'pass', 0], ['verify', 'pass', 0],
  ]);
  t.true(report.checks.some(({ id }) => id.startsWith('configuration.')) && report.checks.some(({ id }) => id === 'guard.marker'));
  t.regex(readFileSync(join(out, 'release-check.xml'), 'utf8'), /<testsuite name="Steps" package="release" tests="3" failures="0" errors="0"/);
  t.regex(readFileSync(join(out, 'release-check.html'), 'utf8'), /<h1>PASS<\/h1>/);
  t.deepEqual(await withOpenTarget(open, rowsOf), before);
});

server('postgres: without --config the first step was not run, which is no pass', async (t) => {
  const scratch = await postgresLane.ready(t);
  const { code, stdout } = await check(scratch, ...NAMED, ...AS_ADMIN, '--json');
  t.is(code, 1);
  const report = JSON.parse(stdout) as Report;
  t.is(report.verdict, 'error');
  t.deepEqual(report.steps.map(({ exit, outcome }) => [outcome, exit]), [['not-run', 1], ['pass', 0], ['pass', 0]]);
  t.true(report.checks.every(({ status }) => ['pass', 'warn', 'skipped'].includes(status)));
});

server('postgres: a component that leads elsewhere, a database that was never migrated: all is told, and the worst code ends it', async (t) => {
  const scratch = await postgresLane.ready(t);
  const elsewhere = await check(scratch, ...NAMED, '--config', component(scratch, 'another'));
  t.is(elsewhere.code, 1, elsewhere.stdout);
  t.regex(elsewhere.stdout, /^Configuration\n[^]+\bFAIL +configuration\.target[^]+\nSteps\n {2}FAIL {2}check-config .+\n {2}ok {4}migrate status/m);
  const bare = await postgresLane.bare(t);
  t.is((await runHere(bare, 'enrol', [...NAMED, '--confirm', databaseOf(bare)])).code, 0);
  const { code, stderr, stdout } = await check(bare, ...NAMED, '--config', component(bare));
  t.is(code, 4, stdout + stderr);
  t.regex(stdout, /\nSteps\n {2}ok {4}check-config .+\n {2}FAIL {2}migrate status .+\n {2}FAIL {2}verify .+\n\nFAIL: /);
  t.regex(stderr, /\nMIGRATIONS_PENDING: The release check does not pass\.\n/);
});

server('postgres: what is left out of the gate is told, and what no check is called is refused', async (t) => {
  const scratch = await postgresLane.ready(t);
  const { stdout } = await check(scratch, ...NAMED, '--config', component(scratch), '--skip', 'data.times', '--skip', 'schema', '--json');
  const { checks, skip } = JSON.parse(stdout) as Report;
  t.deepEqual(skip, ['data.times', 'schema']);
  t.true(checks.filter(({ id }) => id.startsWith('schema.')).every(({ status }) => status === 'skipped'));
  t.is((await check(scratch, ...NAMED, '--skip', 'shema')).code, 2);
});
