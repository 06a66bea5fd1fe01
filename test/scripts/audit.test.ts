import test from 'ava';
import { spawn } from 'node:child_process';
import { access, execute, pgliteLane, type Scratch } from '../helpers/lanes';
import { migratedLegacy } from '../helpers/legacy';
import { long } from '../helpers/long';
import { PHRASES } from '../helpers/phrases';
import { commandOf, jsonLines, runHere } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { provisionHere } from '../helpers/state';

const shared = shareScratch(pgliteLane);
const { unprotectTrail } = PHRASES.postgres;

/** KSESSIONS 15, rotated once, and 212. */
const fill = (scratch: Scratch) =>
  access(scratch, async (open) => {
    await provisionHere(open, { ksessionsId: 15, actor: 'Ada', reason: 'first' });
    await provisionHere(open, { ksessionsId: 15, actor: 'Zaynab الكاتبة', reason: 'the host lost it' });
    await provisionHere(open, { ksessionsId: 212, actor: 'Ada' });
  });

test.serial('the trail of one session: who, when, what and why, and that it holds', async (t) => {
  const scratch = shared();
  await fill(scratch);
  const { code, stderr, stdout } = await runHere(scratch, 'audit', ['15']);
  t.is(code, 0, stderr);
  t.regex(stdout, /^Host session 1 \(KSESSIONS 15, canvas session 1\)\n {4}1 {2}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}provisioned {3}by Ada\n/);
  t.regex(stdout, /\n {4}2 .+ {2}rotated {7}by Zaynab الكاتبة\n {7}fingerprint [0-9a-f]{16} -> [0-9a-f]{16} {2}expires never\n {7}because: the host lost it\n {7}operation [0-9a-f-]{36}\n {2}The chain holds: 2 events\.\n\n$/);
  for (const line of stdout.split('\n')) t.true(line.length <= 100, line);
  t.notRegex(stdout, /[A-Za-z0-9+/]{43}=/, 'no hash');
  t.regex(stderr, /^2 events in 1 chain: all hold\.$/m);
  t.regex((await runHere(scratch, 'audit', [])).stderr, /^3 events in 2 chains: all hold\.$/m);
});

test.serial('--json: one event a line with its action, and one last line on the chains', async (t) => {
  const lines = jsonLines(await runHere(shared(), 'audit', ['15', '--json']));
  t.deepEqual(lines.map(({ action, status }) => [status, action]), [['event', 'provisioned'], ['event', 'rotated'], ['trail', undefined]]);
  t.deepEqual(Object.keys(lines[0] ?? {}), [
    'schema', 'status', 'target', 'action', 'ksessionsId', 'canvasSessionId', 'hostSessionId', 'sequence', 'actor', 'reason',
    'oldFingerprint', 'newFingerprint', 'expiresAt', 'hashKeyId', 'operationId', 'at',
  ]);
  t.like(lines[1], { schema: 'canvas-host/1', ksessionsId: 15, canvasSessionId: 1, hostSessionId: 1, sequence: 2, reason: 'the host lost it' });
  t.like(lines[2], { schema: 'canvas-host/1', holds: true, chains: 1, events: 2, broken: 0, withoutHead: 0, withoutTrail: 0 });
});

test.serial('an id without a trail is not found, two ids are refused', async (t) => {
  const scratch = shared();
  const none = await runHere(scratch, 'audit', ['213', '--json']);
  t.is(none.code, 5);
  t.like(jsonLines(none)[0], { status: 'error', code: 'HOST_SESSION_NOT_FOUND', ksessionsId: 213 });
  t.is((await runHere(scratch, 'audit', ['15', '212'])).code, 2);
});

long('a key that is not configured, and the host session it is about', async (t) => {
  const scratch = await pgliteLane.ready(t);
  await access(scratch, (open) => provisionHere(open, { ksessionsId: 15 }));
  const { code, stderr } = await runHere(scratch, 'audit', [], { CANVAS_HMAC_KEY: 'another-key-0123456789-abcdefghijklmnop' });
  t.is(code, 1);
  t.regex(stderr, /^CHECKS_FAILED: 1 of 1 chains of the trail do not hold\.\n {2}The first: host session 1, event 1: its key [0-9a-f]{16} is not configured\.\n {2}.+CANVAS_HMAC_KEY_FILE/m);
});

long('a broken chain ends with 1 and is named, in every form, also where nobody reads on', async (t) => {
  t.timeout(120_000);
  const scratch = shared();
  await access(scratch, (open) =>
    execute(open, unprotectTrail, `UPDATE canvas."HostSessionEvents" SET "Reason" = 'forged' WHERE "HostSessionId" = 2`),
  );
  const text = await runHere(scratch, 'audit', []);
  t.is(text.code, 1);
  t.regex(text.stdout, /\n {2}The chain holds: 2 events\.\n[^]+\n {2}DOES NOT HOLD at event 1 \(host session 2, KSESSIONS 212, canvas session 2\): its seal does not match what it says\.\n/);
  t.regex(text.stderr, /^3 events in 2 chains: 1 of them broken\.\nCHECKS_FAILED: 1 of 2 chains .+\n {2}The first: host session 2, event 1: its seal /m);
  const quiet = await runHere(scratch, 'audit', ['--quiet']);
  t.regex(quiet.stdout, /^ {2}DOES NOT HOLD at event 1 .+\n\n$/);
  const json = jsonLines(await runHere(scratch, 'audit', ['--json']));
  t.deepEqual(json.map(({ status }) => status), ['event', 'event', 'event', 'broken', 'trail', 'error']);
  t.like(json[3], { ksessionsId: 212, canvasSessionId: 2, hostSessionId: 2, sequence: 1, why: 'its seal does not match what it says' });
  t.like(json[4], { holds: false, chains: 2, broken: 1 });
  t.is((await runHere(scratch, 'audit', ['15'])).code, 0, 'the other session is as it was');
  if (process.platform === 'win32') return;
  const line = `"${commandOf('audit').join('" "')}" --json | true; exit "\${PIPESTATUS[0]}"`;
  const child = spawn('bash', ['-c', line], { cwd: scratch.folder, env: scratch.env, stdio: 'ignore' });
  t.is(await new Promise((resolve) => child.on('close', resolve)), 1, 'the exit code tells of what was not read');
});

long('what the old tool left has no trail yet: it is counted, and where constraints are pending too', async (t) => {
  const scratch = await migratedLegacy(t, pgliteLane, 'd');
  const { code, stderr, stdout } = await runHere(scratch, 'audit', []);
  t.is(stdout, '');
  t.is(code, 0, stderr);
  t.regex(stderr, /^0 events in 0 chains: all hold\.\n\d+ host sessions without a trail: consolidate/m);
});
