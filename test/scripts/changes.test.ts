/** rotate, revoke and provisioning of many, as they are typed. */
import test, { type ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { access, execute, pgliteLane, postgresLane, postgresUrl, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { commandOf, jsonLines, run, runHere, start } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { count, hostSessions, rowsOf, snapshot, verifies } from '../helpers/state';

const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

/** One target for the file: its tests run in order and leave ids of their own behind. */
const shared = shareScratch(pgliteLane);

const rowOf = (scratch: Scratch, id: number) => access(scratch, async (open) => (await hostSessions(open, id)).at(-1));

function verifiesOn(scratch: Scratch, id: number, guid: string): Promise<boolean> {
  return access(scratch, async (open) => verifies(open, guid, (await hostSessions(open, id)).at(-1)));
}

const REFUSED: readonly (readonly [script: string, words: string[], why: RegExp])[] = [
  ['rotate', [], /No id was given/],
  ['revoke', [], /No id was given/],
  ['rotate', ['15', '--all'], /chosen in 2 ways: ids, --all/],
  ['revoke', ['--file', 'ids.txt', '--expired'], /chosen in 2 ways: --file, a filter/],
  ['rotate', ['--older-than', 'banana'], /--older-than "banana" cannot be used/],
  ['rotate', ['--older-than', '0d', '--out', 'x'], /--older-than "0d" cannot be used/],
  ['rotate', ['--older-than', '90d'], /All GUIDs of a kind do not go to the terminal/],
  ['provision', ['1-101'], /101 GUIDs do not go to the terminal/],
  ['provision', ['--all', '--out', 'x'], /--all needs --if-exists/],
  ['rotate', ['15', '--out', 'x', '--resume', 'y'], /--out and --resume exclude each other/],
  ['revoke', ['--expired', '--expiring-within', '7d'], /--expired and --expiring-within exclude each other/],
  ['revoke', ['--all', '--max-failures', '-1'], /USAGE/],
  ['revoke', ['15', '--expires', '90d'], /Unknown argument/],
  ['revoke', ['15', '--resume', 'x'], /Unknown argument/],
  ['rotate', ['15', '--if-exists', 'keep'], /Unknown argument/],
  ['rotate', ['--all', '--format', 'xml', '--out', 'x'], /Invalid values/],
];

for (const [script, words, why] of REFUSED) {
  test.serial(`refused with exit 2, nothing opened: ${script} ${words.join(' ')}`, async (t) => {
    const scratch = await pgliteLane.empty(t);
    const { code, stderr, stdout } = await runHere(scratch, script, words);
    t.is(code, 2, stderr);
    t.regex(stderr, why);
    t.is(stdout, '');
    t.deepEqual(readdirSync(scratch.folder), ['targets.json'], 'neither a database nor a file was made');
  });
}

test.serial('rotate: 5 where nothing is live; else a new GUID, and stderr says whose ended', async (t) => {
  const scratch = shared();
  const none = await runHere(scratch, 'rotate', ['15']);
  t.is(none.code, 5, none.stderr);
  t.regex(none.stderr, /HOST_SESSION_NOT_FOUND: KSESSIONS session 15 has no live host GUID to rotate[^]+provision\.mjs 15\. /);
  const named = await runHere(scratch, 'rotate', ['15', '--target', 'scratch', '--json']);
  t.regex(String(jsonLines(named)[0]?.['hint']), /provision\.mjs 15 --target scratch\. /, 'not to the default one');
  const first = (await runHere(scratch, 'provision', ['15', '--quiet', '--created-by', 'Ada'])).stdout.trim();
  const { code, stderr, stdout } = await runHere(scratch, 'rotate', ['15', '--reason', 'lost']);
  t.is(code, 0, stderr);
  t.regex(stdout, /KSESSIONS id +15[^]+Host GUID +[0-9a-f-]{36}\nRotated: committed and read back/);
  t.regex(stderr, /earlier host GUID of KSESSIONS 15 stopped working: made by Ada/);
  t.false(await verifiesOn(scratch, 15, first));
  t.true(await verifiesOn(scratch, 15, GUID.exec(stdout)?.[0] ?? 'none'));
});

test.serial('revoke: what it ended, in text and JSON; once more is no error and changes nothing; never had is 5', async (t) => {
  const scratch = shared();
  const { code, stderr, stdout } = await runHere(scratch, 'revoke', ['15', '--created-by', 'Grace', '--reason', 'the host left']);
  t.is(code, 0, stderr);
  t.regex(stdout, /KSESSIONS id +15\n[^]+Made by +Ada\n[^]+Revoked: committed and read back/);
  t.notRegex(stdout + stderr, GUID);
  t.like(await rowOf(scratch, 15), { isActive: false, hashCopy: '' });
  const before = await access(scratch, ({ database }) => snapshot(database));
  const again = await runHere(scratch, 'revoke', ['15', '--json']);
  t.is(again.code, 0, again.stderr);
  t.like(jsonLines(again)[0], { status: 'kept', ksessionsId: 15, canvasSessionId: 1, hostGuid: null, operationId: null, transcripts: null });
  t.regex(again.stderr, /^Nothing to end: it has no live host GUID\. Nothing was changed\.$/m);
  t.deepEqual(await access(scratch, ({ database }) => snapshot(database)), before);
  const never = await runHere(scratch, 'revoke', ['99999', '--json']);
  t.is(never.code, 5);
  t.like(jsonLines(never)[0], { status: 'error', code: 'HOST_SESSION_NOT_FOUND', exit: 5, ksessionsId: 99999 });
});

for (const format of ['--json', '--quiet']) {
  test.serial(`revoke ${format}: stderr tells of an end, not of a GUID that was made`, async (t) => {
    const scratch = shared();
    t.is((await runHere(scratch, 'provision', ['1', '--quiet'])).code, 0);
    const { code, stderr } = await runHere(scratch, 'revoke', ['1', format]);
    t.is(code, 0, stderr);
    t.regex(stderr, /^Revoked: committed and read back\. It ends at the application's next login\.$/m);
    t.notRegex(stderr, /Provisioned|shown this once/);
  });
}

test.serial('--dry-run of a set shows each plan, hands out nothing and writes nothing', async (t) => {
  const scratch = shared();
  const before = await access(scratch, ({ database }) => snapshot(database));
  const { code, stderr, stdout } = await runHere(scratch, 'provision', ['--all', '--if-exists', 'rotate', '--dry-run', '--json']);
  t.is(code, 0, stderr);
  const lines = jsonLines({ code, stderr, stdout, signal: null });
  t.true(lines.length > 5);
  t.true(lines.every((line) => line['status'] === 'dry-run' && line['hostGuid'] === null));
  t.regex(stderr, /Left out, for they have no transcript: \d+ of the sessions of KSESSIONS\./);
  t.deepEqual(await access(scratch, ({ database }) => snapshot(database)), before);
});

test.serial('--all with --out: GUIDs in a CSV that only the user reads, a summary on stdout, and each verifies', async (t) => {
  const scratch = shared();
  const out = join(scratch.folder, 'all.csv');
  const { code, stderr, stdout } = await runHere(scratch, 'provision', ['--all', '--if-exists', 'keep', '--out', out, '--format', 'csv']);
  t.is(code, 0, stderr);
  t.regex(stdout, /^\d+ provisioned\. GUIDs are in .+all\.csv, which only you can read\.\n$/);
  t.notRegex(stdout + stderr, GUID);
  if (process.platform !== 'win32') t.is(statSync(out).mode & 0o777, 0o600);
  const [head, ...lines] = readFileSync(out, 'utf8').trim().split('\n');
  t.is(head, 'ksessionsId,canvasSessionId,hostSessionId,status,hostGuid,fingerprint,expiresAt,operationId,at,code,message');
  for (const line of lines.slice(0, 3)) {
    const [id = '', , , status, guid = ''] = line.split(',');
    t.is(status, 'provisioned');
    t.true(await verifiesOn(scratch, Number(id), guid), line);
  }
});

test.serial('--file: ids and ranges from a file; what fails stands in the NDJSON too; --max-failures ends it', async (t) => {
  const scratch = shared();
  const file = join(scratch.folder, 'ids.txt');
  writeFileSync(file, '\uFEFF15 99998-99999\r\n212\n');
  const out = join(scratch.folder, 'some.ndjson');
  const { code, stderr } = await runHere(scratch, 'rotate', ['--file', file, '--out', out, '--format', 'ndjson']);
  t.is(code, 1, stderr);
  t.regex(stderr, /PARTIAL: 2 of 4 ids failed/);
  const lines = readFileSync(out, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  t.deepEqual(
    lines.map((line) => [line['ksessionsId'], line['status'], line['code']]),
    [[15, 'rotated', null], [212, 'rotated', null], [99998, 'error', 'SESSION_NOT_FOUND'], [99999, 'error', 'SESSION_NOT_FOUND']],
  );
  const strict = await runHere(scratch, 'rotate', ['99997', '99998', '15', '--max-failures', '0', '--json']);
  t.is(strict.code, 1);
  t.deepEqual(jsonLines(strict).map((line) => line['code']), ['SESSION_NOT_FOUND', 'PARTIAL']);
  t.regex(strict.stderr, /0 sessions are done and committed, 2 are left/);
  for (const [command, ...words] of [['rotate', '99997', '99998'], ['revoke', '99997', '99998']] as const) {
    const none = await runHere(scratch, command, [...words, '--max-failures', '0', '--out', join(scratch.folder, `${command}.txt`)]);
    t.regex(none.stderr, /^PARTIAL: Ended: more failures[^]+Run the command again for what is left\.$/m, 'no file, or no option, to go on with');
  }
});

test.serial('--file -: ids from standard input', async (t) => {
  const scratch = shared();
  const [file = '', ...words] = commandOf('revoke', ['--file', '-', '--dry-run', '--json']);
  const child = spawn(file, words, { cwd: scratch.folder, env: scratch.env });
  child.stdin.end('15\n212\n');
  const [stdout, stderr] = await Promise.all([readAll(child.stdout), readAll(child.stderr)]);
  t.deepEqual(jsonLines({ code: 0, signal: null, stdout, stderr }).map((line) => [line['ksessionsId'], line['action']]), [[15, 'revoke'], [212, 'revoke']]);
});

/** Rotates some ids into a new file. @returns its path and its lines */
async function rotated(t: ExecutionContext, scratch: Scratch, name: string, ...ids: string[]) {
  const path = join(scratch.folder, name);
  const { code, stderr } = await runHere(scratch, 'rotate', [...ids, '--out', path]);
  t.is(code, 0, stderr);
  return { path, content: readFileSync(path, 'utf8') };
}

long('--resume: what is committed is not done again, what was handed over and never committed is put aside', async (t) => {
  const scratch = shared();
  const { content, path } = await rotated(t, scratch, 'resumed.txt', '15', '212');
  const isVoid = '1 11111111-1111-4111-8111-111111111111\n215 2222';
  writeFileSync(path, content + isVoid);
  const { code, stderr, stdout } = await runHere(scratch, 'rotate', ['15', '212', '1', '215', '--resume', path]);
  t.is(code, 0, stderr);
  t.regex(stderr, /1 GUIDs at the end of .+ were never committed; they are void and were moved to .+\.void-\d+/);
  t.is(stdout, `2 rotated. GUIDs are in ${path}, which only you can read.\n`);
  const [aside = ''] = readdirSync(scratch.folder).filter((file) => file.startsWith('resumed.txt.void-'));
  t.is(readFileSync(join(scratch.folder, aside), 'utf8'), isVoid);
  const after = readFileSync(path, 'utf8');
  t.true(after.startsWith(content), 'what held still stands there');
  const lines = after.trim().split('\n').map((line) => line.split(' '));
  t.deepEqual(lines.map(([id]) => id), ['15', '212', '1', '215']);
  for (const [id = '', guid = ''] of lines) t.true(await verifiesOn(scratch, Number(id), guid), id);
});

long('--resume refuses what is no such file, and one of another target', async (t) => {
  const scratch = shared();
  const { content, path } = await rotated(t, scratch, 'mixed.txt', '15');
  const before = await access(scratch, ({ database }) => snapshot(database));
  const mixed = `1 11111111-1111-4111-8111-111111111111\n${content}`;
  writeFileSync(path, mixed);
  const other = await runHere(scratch, 'rotate', ['--all', '--resume', path]);
  t.is(other.code, 2, other.stderr);
  t.regex(other.stderr, /CONFIG: .+ holds GUIDs that were never committed on target scratch/);
  t.is(readFileSync(path, 'utf8'), mixed);
  const csv = await runHere(scratch, 'rotate', ['--all', '--resume', path, '--format', 'csv']);
  t.regex(csv.stderr, /CONFIG: Line 1 of .+ is not what --out writes/);
  const gone = await runHere(scratch, 'rotate', ['--all', '--resume', join(scratch.folder, 'gone')]);
  t.regex(gone.stderr, /CONFIG: The file .+ cannot be read/);
  t.deepEqual(await access(scratch, ({ database }) => snapshot(database)), before);
});

long('a new key: what is under the older one is told by list, replaced by --key-older, and missed aloud when it is dropped', async (t) => {
  const scratch = await pgliteLane.ready(t);
  const [older, newer] = [scratch.env['CANVAS_HMAC_KEY'], 'newer-key-abcdefghijklmnop-0123456789'];
  const both = { CANVAS_HMAC_KEY: `${newer}\n${older}` };
  await runHere(scratch, 'provision', ['15', '212', '--out', join(scratch.folder, 'older.txt')]);
  const dropped = /^Warning: 2 live host GUIDs were made under key [0-9a-f]{16}, which is not configured[^\n]+list\.mjs --key missing --target scratch/gm;
  for (const [script, ...words] of [
    ['provision', '1', '--dry-run'], ['rotate', '15', '--dry-run'], ['revoke', '15', '--dry-run'], ['audit', '15'],
  ] as const) {
    const without = await runHere(scratch, script, words, { CANVAS_HMAC_KEY: newer });
    t.is([...without.stderr.matchAll(dropped)].length, 1, `${script}: ${without.stderr}`);
    t.notRegex((await runHere(scratch, script, words, both)).stderr, /not configured/, script);
  }
  t.is((await runHere(scratch, 'provision', ['1', '--quiet'], both)).code, 0);
  const needed = (await runHere(scratch, 'list', [], both)).stderr;
  t.regex(needed, /By key: 1 current, 2 older\.\nKey [0-9a-f]{16} is an older one and still needed: 2 live credentials and 2 events of the trail were made with it\.\n/);
  const out = join(scratch.folder, 'newer.txt');
  const { code, stderr, stdout } = await runHere(scratch, 'rotate', ['--key-older', '--out', out], both);
  t.is(code, 0, stderr);
  t.regex(stdout, /^2 rotated\./);
  t.deepEqual(readFileSync(out, 'utf8').trim().split('\n').map((line) => line.split(' ')[0]), ['15', '212']);
  t.regex((await runHere(scratch, 'list', [], both)).stderr, /By key: 3 current\.\nKey .+ still needed: 0 live credentials and 2 events/);
  const after = await runHere(scratch, 'verify', ['--guid-file', out], { CANVAS_HMAC_KEY: newer });
  t.is(after.code, 0, after.stderr);
  t.notRegex(after.stderr, /not configured/, 'no live GUID needs the older key any more');
});

test.serial('revoke --expired ends what is past its date, linked or not, and nothing else', async (t) => {
  const scratch = shared();
  await access(scratch, (open) =>
    execute(
      open,
      `UPDATE canvas."HostSessions" SET "ExpiresAt" = now() - interval '1 hour'
       WHERE "IsActive" AND "SessionId" IN (SELECT "SessionId" FROM canvas."Sessions" WHERE "KSessionsId" IN (15, 212))`,
      `UPDATE canvas."Sessions" SET "KSessionsId" = NULL WHERE "KSessionsId" = 212`,
    ),
  );
  const { code, stderr, stdout } = await runHere(scratch, 'revoke', ['--expired']);
  t.is(code, 0, stderr);
  t.is(stdout, '2 revoked.\n');
  const ended = await rowOf(scratch, 15);
  t.like(ended, { isActive: false, hashCopy: '' });
  t.is(ended?.actions.at(-1), 'expired');
  t.like(await rowOf(scratch, 1), { isActive: true });
  const none = await runHere(scratch, 'revoke', ['--expired']);
  t.is(none.stdout, 'Nothing to do.\n');
  const out = join(scratch.folder, 'nothing.txt');
  t.is((await runHere(scratch, 'rotate', ['--older-than', '900d', '--out', out])).stdout, 'Nothing to do.\n');
  t.false(existsSync(out), 'and no file is told of that is not there');
});

(postgresUrl === undefined || process.platform === 'win32' ? test.skip : test.serial)(
  'postgres: an --out that fills up: nothing is changed, the earlier GUIDs work, and the message says so',
  async (t) => {
    const scratch = await postgresLane.ready(t);
    await runHere(scratch, 'provision', ['1', '15', '212', '215', '218', '1281', '2343', '--out', join(scratch.folder, 'first.csv')]);
    const before = await access(scratch, ({ database }) => rowsOf(database));
    const out = join(scratch.folder, 'full.csv');
    // One block: the first write of a batch is cut short, as by a full disk.
    const command = commandOf('rotate', ['--all', '--out', out, '--format', 'csv']).map((word) => `'${word}'`).join(' ');
    const child = spawn('bash', ['-c', `trap '' XFSZ; ulimit -f 1; exec ${command}`], { cwd: scratch.folder, env: scratch.env });
    const [stderr, code] = await Promise.all([readAll(child.stderr), new Promise((resolve) => void child.on('close', resolve))]);
    t.is(code, 2, stderr);
    t.regex(stderr, /host GUIDs could not be handed over, so nothing was changed[^]+EFBIG[^]+An earlier GUID still works/);
    t.deepEqual(await access(scratch, ({ database }) => rowsOf(database)), before);
    t.false(existsSync(out), 'no file with void GUIDs is left');
  },
);

(postgresUrl === undefined || process.platform === 'win32' ? test.skip : test.serial)(
  'postgres: an interrupt ends a long run after its current set, says how to go on, and --resume does the rest',
  async (t) => {
    const scratch = await postgresLane.ready(t);
    const SESSIONS = 3000;
    await access(scratch, (open) =>
      execute(
        open,
        `INSERT INTO dbo."Sessions" ("SessionID", "SessionName") SELECT n, 'Session ' || n FROM generate_series(100001, 100000 + ${SESSIONS}) n`,
        `INSERT INTO dbo."SessionTranscripts" ("TranscriptID", "SessionID", "Transcript")
         SELECT n, n, '<p>Text</p>' FROM generate_series(100001, 100000 + ${SESSIONS}) n`,
      ),
    );
    const path = join(scratch.folder, 'all.txt');
    const { child, finished } = start(scratch, 'provision', [`100001-${100000 + SESSIONS}`, '--out', path]);
    // The first set is on the disk and about to be committed.
    while (child.exitCode === null && (!existsSync(path) || statSync(path).size === 0)) await sleep(5);
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    t.is(code, 130, stderr);
    t.regex(stderr, /Ending after the current batch; interrupt again to end at once/);
    t.regex(stderr, /INTERRUPTED: Interrupted after the current batch\.\n {2}\d+ sessions are done and committed, \d+ are left\.\n.+--resume /);
    const handedOver = readFileSync(path, 'utf8').trim().split('\n').length;
    t.true(handedOver > 0 && handedOver < SESSIONS, String(handedOver));
    const live = () => access(scratch, ({ database }) => count(database, 'canvas."HostSessions" WHERE "IsActive"'));
    t.is(await live(), handedOver, 'what was handed over is committed, and nothing else');
    const rest = await run(scratch, 'provision', [`100001-${100000 + SESSIONS}`, '--resume', path]);
    t.is(rest.code, 0, rest.stderr);
    t.is(rest.stdout, `${SESSIONS - handedOver} provisioned. GUIDs are in ${path}, which only you can read.\n`);
    t.regex(rest.stderr, new RegExp(`Going on behind ${handedOver} sessions that are done`));
    t.is(await live(), SESSIONS);
  },
);
