import test from 'ava';
import { spawn } from 'node:child_process';
import stringWidth from 'string-width';
import { access, execute, pgliteLane, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { commandOf, jsonLines, runHere, type Finished } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { provisionHere } from '../helpers/state';

const shared = shareScratch(pgliteLane);

long('on a bare machine it makes the embedded database and lists what is in it', async (t) => {
  const { code, stderr, stdout } = await runHere(await pgliteLane.empty(t), 'list', []);
  t.is(code, 0, stderr);
  t.is(stdout.split('\n')[0], 'KSESSIONS id  canvas session  host session  state         title');
  t.regex(stdout, /^15 +- +- +none +Review of the word ISLAM$/m);
  t.regex(stderr, /^8 listed: 8 none\.\n$/m);
});

test.serial('the table is at most 100 columns wide, whatever the titles hold', async (t) => {
  const scratch = shared();
  await access(scratch, async (open) => {
    const titles = ['x'.repeat(300), 'سورة الفاتحة '.repeat(12), '漢字'.repeat(60), `e\u0301`.repeat(60), 'a\nb\u001b[2J'];
    await execute(open, ...titles.map((title, index) => `INSERT INTO dbo."Sessions" ("SessionID", "SessionName") VALUES (${3000 + index}, '${title.slice(0, 255)}')`));
    await provisionHere(open, { ksessionsId: 15, actor: 'Zaynab الكاتبة '.repeat(8).trim() });
  });
  const { code, stderr, stdout } = await runHere(scratch, 'list', []);
  t.is(code, 0, stderr);
  const lines = stdout.split('\n');
  for (const line of lines) t.true(stringWidth(line) <= 100, `${stringWidth(line)}: ${line}`);
  t.true(lines.some((line) => line.startsWith('3002') && stringWidth(line) >= 99 && line.endsWith('字…') || line.endsWith('漢…')));
  t.true(lines.some((line) => line.startsWith('3003') && stringWidth(line) === 100), 'marks over letters take no column');
  t.regex(stdout, /^3004 .+ a b \[2J$/m);
  t.regex(stdout, /^15 +1 +1 +live +Review of the word ISLAM\n {4}\d{4}-\d\d-\d\d {4}never {7}never {7}current {2}[0-9a-f]{16} {2}Zaynab .+…$/m);
  t.regex(stderr, /^13 listed: 12 none, 1 live\. By key: 1 current\.$/m);
});

test.serial('--json: one object per session, with both ids and the state', async (t) => {
  const lines = jsonLines(await runHere(shared(), 'list', ['15', '218', '--json']));
  t.deepEqual(Object.keys(lines[0] ?? {}), [
    'schema', 'status', 'target', 'ksessionsId', 'canvasSessionId', 'hostSessionId', 'title', 'inKSessions', 'state', 'madeBy',
    'inUseSince', 'expiresAt', 'lastUsedAt', 'revokedAt', 'fingerprint', 'hashKeyId', 'key',
  ]);
  t.like(lines[0], { schema: 'canvas-host/1', status: 'listed', ksessionsId: 15, canvasSessionId: 1, hostSessionId: 1, state: 'live', key: 'current' });
  t.like(lines[1], { ksessionsId: 218, canvasSessionId: null, hostSessionId: null, title: 'معنى كلمة الإسلام', state: 'none', key: null });
});

test.serial('--quiet: only KSESSIONS ids; a canvas session without one is not taken for one', async (t) => {
  const scratch = shared();
  const canvas = `INSERT INTO canvas."Sessions" ("GroupId", "Title", "HostGuid", "CreatedAt", "ModifiedAt")`;
  await access(scratch, (open) => execute(open, `${canvas} VALUES (gen_random_uuid(), 'alone', 'hash', now(), now())`));
  const quiet = await runHere(scratch, 'list', ['--search', 'A', '--state', 'live', '--state', 'copy-differs', '--quiet']);
  t.is(quiet.stdout, '15\n', quiet.stderr);
  t.regex(quiet.stderr, /^2 listed: 1 live, 1 copy-differs\. By key: 1 current\.\n1 of them are canvas sessions that stand for no session of KSESSIONS\.$/m);
  t.regex((await runHere(scratch, 'list', [])).stdout, /\n- +2 +- +copy-differs {2}alone\n$/);
});

test.serial('ids that are nowhere are not found; what is mistyped is refused', async (t) => {
  const scratch = shared();
  const none = await runHere(scratch, 'list', ['99999', '--json']);
  t.is(none.code, 5);
  t.like(jsonLines(none)[0], { status: 'error', code: 'SESSION_NOT_FOUND', ksessionsId: 99999 });
  t.is((await runHere(scratch, 'list', ['15', '99999'])).code, 0);
  t.is((await runHere(scratch, 'list', ['--search', 'nowhere to be found'])).code, 0);
  for (const words of [['--state', 'alive'], ['--key', 'new'], ['0x0f'], ['--search', ''], ['--search', 'a', '--search', 'b']]) {
    t.is((await runHere(scratch, 'list', words)).code, 2, words.join(' '));
  }
});

long('a key that is in use and not configured is told aloud, with what to do', async (t) => {
  const scratch = await pgliteLane.ready(t);
  await access(scratch, (open) => provisionHere(open, { ksessionsId: 15 }));
  const env = { CANVAS_HMAC_KEY: 'another-key-0123456789-abcdefghijklmnop' };
  const { code, stderr, stdout } = await runHere(scratch, 'list', ['--key', 'missing'], env);
  t.is(code, 0);
  t.regex(stdout, /^ {4}.+ missing {2}[0-9a-f]{16} {2}suite$/m);
  t.regex(stderr, /^Warning: key [0-9a-f]{16} is not configured\. 1 live credential and 1 event of the trail were made with it /m);
  t.regex(stderr, /CANVAS_HMAC_KEY_FILE[^]+list\.mjs --key missing --state live --target scratch\n.+rotate\.mjs --key-older/);
  const known = await runHere(scratch, 'list', ['--key', 'missing']);
  t.is(known.stdout, '');
  t.notRegex(known.stderr, /Warning/);
});

/** Runs `list` at the beginning of a shell line. */
function shell(scratch: Scratch, line: string): Promise<Pick<Finished, 'code' | 'stdout' | 'stderr'>> {
  const setup = `list() { "${commandOf('list').join('" "')}" "$@"; }; set -o pipefail; `;
  const child = spawn('bash', ['-c', setup + line], { cwd: scratch.folder, env: scratch.env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

(process.platform === 'win32' ? test.skip : long)('a pager may take its time, and may leave', async (t) => {
  t.timeout(120_000);
  const scratch = await pgliteLane.ready(t);
  await access(scratch, (open) =>
    execute(open, `INSERT INTO dbo."Sessions" ("SessionID", "SessionName") SELECT g, 'Session ' || g FROM generate_series(10001, 14000) g`),
  );
  // Longer than a reader of a GUID may take, with more than any pipe holds.
  const slow = await shell(scratch, `list --json | (sleep 8; tail -n 1)`);
  t.is(slow.code, 0, slow.stderr);
  t.regex(slow.stdout, /"ksessionsId":14000,/);
  t.regex(slow.stderr, /^4008 listed/m);
  const left = await shell(scratch, 'list --json | head -n 1');
  t.is(left.code, 0, left.stderr);
  t.notRegex(left.stderr, /INTERNAL|EPIPE/);
  const full = await shell(scratch, 'list --json > /dev/full');
  t.is(full.code, 2);
  t.regex(full.stderr, /^CONFIG: The output could not be written\.\n {2}.+ENOSPC/m);
});
