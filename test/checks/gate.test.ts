/** The gate as a whole: verdict, exit code, what is left out, and that nothing is written. */
import test from 'ava';
import { FORMATS } from '../../lib/reports/formats';
import { CHECKS } from '../../lib/checks/registry';
import { runGate, type Checks, type Outcome } from '../../lib/checks/gate';
import { verdictSentence } from '../../lib/reports/report';
import { grantedLogin } from '../helpers/grants';
import { access, execute, open, pgliteLane, postgresLane, postgresUrl, retarget, type Lane, type Owner, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { jsonLines, runHere } from '../helpers/script';
import { snapshot } from '../helpers/state';
import { fill } from './faults';
import { REFUSED } from './faults.table';

interface Told {
  readonly id: string;
  readonly status: string;
  readonly evidence: readonly string[];
}

async function verify(scratch: Scratch, ...words: readonly string[]) {
  const finished = await runHere(scratch, 'verify', ['--json', ...words]);
  const [report] = jsonLines(finished) as unknown as { verdict: string; target: object; checks: Told[]; skip: string[]; only: string[] }[];
  const statusOf = (id: string) => report?.checks.find((check) => check.id === id)?.status;
  const otherThan = (...statuses: string[]) => report?.checks.filter(({ status }) => !statuses.includes(status)) ?? [];
  return { ...finished, report, statusOf, otherThan };
}

/** A target where all is well, and a login that may not more than the guide says. */
async function filled(t: Owner, lane: Lane): Promise<Scratch> {
  const scratch = await lane.ready(t);
  await access(scratch, fill);
  if (lane.name === 'pglite') return scratch;
  const password = 'a word that nobody keeps in a file';
  const login = await grantedLogin(t, scratch, password);
  return retarget({ ...scratch, env: { ...scratch.env, SCRATCH_USER: login, SCRATCH_PASSWORD: password } }, { strict: true });
}

for (const lane of [pgliteLane, ...(postgresUrl === undefined ? [] : [postgresLane])]) {
  test.serial(`${lane.name}: a clean database passes every check, and every row and identity is as it was`, async (t) => {
    const scratch = await filled(t, lane);
    const before = await open(scratch, snapshot);
    const { code, otherThan, report, stderr } = await verify(scratch);
    t.deepEqual([code, report?.verdict], [0, 'pass'], stderr + JSON.stringify(otherThan('pass', 'skipped'), null, 2));
    t.true(otherThan('pass').every(({ id, status }) => id.startsWith('canary.') && status === 'skipped'));
    t.true((report?.checks.length ?? 0) >= 48);
    t.deepEqual(await open(scratch, snapshot), before);
  });
}

long('--canary attempts, tells, and leaves every row as it was; without it nobody attempts', async (t) => {
  const scratch = await filled(t, pgliteLane);
  const rows = async () => ({ ...(await open(scratch, snapshot)), identities: undefined });
  const before = await rows();
  const { code, report } = await verify(scratch, '--canary', '--only', 'canary', '--only', 'guard');
  t.is(code, 0, JSON.stringify(report));
  t.is(report?.checks.filter(({ id, status }) => id.startsWith('canary.') && status === 'pass').length, 8);
  t.deepEqual(await rows(), before);
  const usage = await runHere(scratch, 'verify', ['--only', 'canary.orphan']);
  t.is(usage.code, 2);
  t.regex(usage.stderr, /^USAGE: .*--canary/m);
});

long('what is left out stands in the report with the reason, in every format', async (t) => {
  const scratch = await pgliteLane.ready(t);
  const { code, report, statusOf } = await verify(scratch, '--skip', 'schema', '--skip', 'data.orphans', '--only', 'schema', '--only', 'data');
  t.is(code, 0);
  t.deepEqual([report?.skip, report?.only], [['schema', 'data.orphans'], ['schema', 'data']]);
  t.deepEqual([statusOf('schema.types'), statusOf('data.orphans'), statusOf('data.times'), statusOf('guard.marker')], ['skipped', 'skipped', 'pass', 'skipped']);
  const reasonOf = (id: string) => report?.checks.find((check) => check.id === id)?.evidence.join();
  t.deepEqual([reasonOf('data.orphans'), reasonOf('guard.marker')], ['Left out by --skip.', 'Left out by --only.']);
  for (const format of Object.keys(FORMATS).filter((name) => name !== 'json')) {
    const { stdout } = await runHere(scratch, 'verify', ['--skip', 'data', '--format', format]);
    t.regex(stdout, /data\.orphans/, format);
  }
});

test.serial('what does not hold is exit 1; --fail-on decides from which severity on', async (t) => {
  const scratch = await filled(t, pgliteLane);
  await access(scratch, (opened) => execute(opened, 'UPDATE canvas."knex_migrations_lock" SET "is_locked" = 1'));
  const minor = await verify(scratch, '--only', 'migrations');
  t.deepEqual([minor.code, minor.report?.verdict, minor.statusOf('migrations.lock-row')], [0, 'pass', 'warn']);
  const strict = await verify(scratch, '--only', 'migrations', '--fail-on', 'minor');
  t.deepEqual([strict.code, strict.report?.verdict], [1, 'fail']);
  t.regex(strict.stderr, /^CHECKS_FAILED/m);
});

// --- what could not be found out ---------------------------------------------------------------------------------------

const never: Checks['there'][number] = {
  id: 'data.never',
  title: 'It can be looked at',
  severity: 'minor',
  look: () => Promise.reject(new Error('nobody knows')),
};

const gateOf = (scratch: Scratch, checks: Checks): Promise<Outcome> =>
  runGate({
    access: { settings: scratch.settings, waitMs: 60_000, onOpen: () => undefined, onNotice: () => undefined },
    checks,
    selection: { only: [], skip: [], failOn: 'critical' },
    onCheck: () => undefined,
    onProgress: () => undefined,
  });

test.serial('a check that throws is an error whatever its severity, the others are looked at, and the verdict is no pass', async (t) => {
  const scratch = await pgliteLane.ready(t);
  const [first] = CHECKS.there;
  const outcome = await gateOf(scratch, { beforehand: [], there: [never, ...(first === undefined ? [] : [first])] });
  t.deepEqual([outcome.verdict, outcome.checks.map(({ status }) => status)], ['error', ['error', 'pass']]);
  t.regex(verdictSentence({ ...outcome, steps: [] }), /^NOT KNOWN, which is no pass/);
});

test.serial('by the command, such a run is exit 1', async (t) => {
  const scratch = await pgliteLane.ready(t);
  await access(scratch, fill);
  const env = { ...scratch.env, CANVAS_HMAC_KEY: 'another-key for the same rows, of some length' };
  const { code, report, statusOf } = await verify({ ...scratch, env }, '--only', 'audit');
  t.deepEqual([code, report?.verdict, statusOf('audit.chains'), statusOf('audit.trails')], [1, 'error', 'error', 'pass']);
});

test.serial('a target that the guard does not let be dialled is named in the report all the same', async (t) => {
  const entry = { path: undefined, engine: 'postgres', environment: 'staging', server: '127.0.0.1', port: 1, database: 'KSESSIONS', credentials: 'SCRATCH', encrypt: false };
  const { code, report } = await verify(retarget(await pgliteLane.empty(t), entry));
  t.is(code, 3);
  t.like(report?.target, { name: 'scratch', engine: 'postgres', environment: 'staging', server: null, database: null });
});

(postgresUrl === undefined ? test.skip : test.serial)('postgres: what the guard refuses is told as that, and no check is a pass but those that need no connection', async (t) => {
  const scratch = await postgresLane.ready(t);
  for (const [id, changes] of Object.entries(REFUSED) as [string, object][]) {
    const { code, report, statusOf } = await verify(retarget(scratch, changes));
    t.deepEqual([code, report?.verdict, statusOf(id)], [3, 'error', 'error'], id);
    const passed = report?.checks.filter(({ status }) => status === 'pass').map(({ id: one }) => one) ?? [];
    t.deepEqual(passed, CHECKS.beforehand.map(({ id: one }) => one), id);
  }
});
