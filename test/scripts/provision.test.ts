import test, { type ExecutionContext } from 'ava';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { access, execute, pgliteLane, type Scratch } from '../helpers/lanes';
import { jsonLines, run, runHere, type Finished } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { hostSessions, verifies } from '../helpers/state';

const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;
const THREE_LINES = (code: string) => new RegExp(`^${code}: .+\\n {2}.+\\n {2}.+\\n$`, 'm');

/** One target for the file: each test has KSESSIONS ids of its own. */
const shared = shareScratch(pgliteLane);

/** What is typed, and why it is refused before anything is opened. */
const REFUSED: readonly (readonly [string[], string])[] = [
  [[], 'no id'],
  [['0'], 'zero'],
  [['-15'], 'negative'],
  [['--', '-15'], 'negative, after the end of options'],
  [['0x0f'], 'hexadecimal'],
  [['1e1'], 'exponent'],
  [['15abc'], 'trailing letters'],
  [['1.5'], 'fraction'],
  [[''], 'empty'],
  [['2147483648'], 'beyond INT'],
  [['15', '--dry-rn'], 'mistyped option'],
  [['15', '--dry-run=no'], 'a flag with a value'],
  [['15', '--dryRun'], 'another spelling of an option'],
  [['15', '--expires', '2020-01-01'], 'a past date'],
  [['15', '--expires='], 'an empty value'],
  [['15', '--reason'], 'a missing value'],
  [['15', '--reason', 'a\nb'], 'a line end in a text'],
  [['15', '--if-exists', 'overwrite'], 'an unknown choice'],
  [['15', '--reason', 'a', '--reason', 'b'], 'an option given twice'],
  [['15', '--force'], 'no such option'],
];

for (const [words, why] of REFUSED) {
  test.serial(`refused with exit 2, nothing opened: ${JSON.stringify(words)} (${why})`, async (t) => {
    const scratch = await pgliteLane.empty(t);
    refuseUsage(t, scratch, await runHere(scratch, 'provision', words));
  });
}

test.serial('the process itself ends with 2 when its words are refused', async (t) => {
  const scratch = await pgliteLane.empty(t);
  refuseUsage(t, scratch, await run(scratch, 'provision', ['15', '--force']));
});

function refuseUsage(t: ExecutionContext, { folder }: Scratch, { code, stdout, stderr }: Finished): void {
  t.is(code, 2, stderr);
  t.regex(stderr, THREE_LINES('USAGE'));
  t.is(stdout, '');
  t.false(existsSync(join(folder, 'embedded')), 'not even the folder was made');
}

test.serial('the first run on a bare machine makes everything; what it prints, where', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const withoutKey: Scratch = { ...scratch, env: { ...scratch.env, CANVAS_HMAC_KEY: undefined } };
  const result = await run(withoutKey, 'provision', ['15']);
  t.is(result.code, 0, result.stderr);
  t.regex(result.stderr, /^target {5}scratch \(test, sample data\)\ncanvas {5}.+\nKSESSIONS {2}.+\n/);
  t.regex(result.stderr, /First use: [^]*Migrated: .+_canvas_tables[^]*Loaded sample/);
  t.regex(result.stdout, /KSESSIONS id +15\nTitle +Review of the word ISLAM\n[^]*Canvas session id +1\n/);
  t.regex(result.stdout, /committed and read back[^]*This is sample data/);
  t.notRegex(result.stderr, GUID);
  const key = join(scratch.folder, 'embedded', 'hmac.key');
  if (process.platform !== 'win32') t.is(statSync(key).mode & 0o777, 0o600);
});

test.serial('a second run says on stderr whose GUID ended; --quiet gives the GUID alone', async (t) => {
  const scratch = shared();
  await runHere(scratch, 'provision', ['2343', '--created-by', 'Ada']);
  const result = await runHere(scratch, 'provision', ['2343', '--quiet', '--reason', 'KSESSIONS --force']);
  t.is(result.code, 0, result.stderr);
  t.regex(result.stdout, new RegExp(`^${GUID.source}\\n$`));
  t.regex(result.stderr, /earlier host GUID of KSESSIONS 2343 stopped working: made by Ada, in use since 20/);
});

test.serial('--json: one object per id, errors too; some of many failing is PARTIAL', async (t) => {
  const scratch = shared();
  const result = await runHere(scratch, 'provision', ['1', '212-213', '1', '218', '--json', '--expires', '90d']);
  t.is(result.code, 1);
  const lines = jsonLines(result);
  t.deepEqual(
    lines.map((line) => [line['status'], line['ksessionsId'] ?? line['code']]),
    [['provisioned', 1], ['provisioned', 212], ['error', 213], ['provisioned', 218], ['error', 'PARTIAL']],
  );
  t.deepEqual(Object.keys(lines[0] ?? {}), [
    'schema', 'status', 'target', 'ksessionsId', 'canvasSessionId', 'hostSessionId', 'title', 'transcripts',
    'hostGuid', 'fingerprint', 'createdBy', 'reason', 'expiresAt', 'operationId', 'at',
  ]);
  t.like(lines[3], { title: 'معنى كلمة الإسلام', transcripts: 1, schema: 'canvas-host/1' });
  const days = (Date.parse(String(lines[0]?.['expiresAt'])) - Date.parse(String(lines[0]?.['at']))) / 86_400_000;
  t.is(Math.round(days), 90);
  const unknown = await runHere(scratch, 'provision', ['99999', '--json']);
  t.is(unknown.code, 5);
  t.like(jsonLines(unknown)[0], { status: 'error', code: 'SESSION_NOT_FOUND', exit: 5, ksessionsId: 99999 });
});

test.serial('--dry-run validates, prints the plan and no GUID', async (t) => {
  const scratch = shared();
  const text = await runHere(scratch, 'provision', ['215', '--dry-run']);
  t.is(text.code, 0, text.stderr);
  t.notRegex(text.stdout + text.stderr, GUID);
  t.regex(text.stdout, /Canvas session id +would be made[^]*Would +make a first host GUID/);
  const json = await runHere(scratch, 'provision', ['215', '--dry-run', '--json']);
  t.like(jsonLines(json)[0], { status: 'dry-run', action: 'provision', canvasSessionId: null, hostGuid: null });
  t.is((await runHere(scratch, 'provision', ['213', '--dry-run'])).code, 5);
  t.is(await access(scratch, async (open) => (await hostSessions(open, 215)).length), 0);
});

test.serial('--out writes GUIDs to a new file only the user can read, and never over an existing one', async (t) => {
  const scratch = shared();
  const out = join(scratch.folder, 'guids.txt');
  const result = await runHere(scratch, 'provision', ['1281', '--out', out]);
  t.is(result.code, 0, result.stderr);
  t.notRegex(result.stdout + result.stderr, GUID);
  if (process.platform !== 'win32') t.is(statSync(out).mode & 0o777, 0o600);
  const [id, guid = ''] = readFileSync(out, 'utf8').trim().split(' ');
  t.is(id, '1281');
  const again = await runHere(scratch, 'provision', ['1281', '--out', out]);
  t.is(again.code, 2);
  t.regex(again.stderr, /USAGE: The file .+ exists/);
  const failed = join(scratch.folder, 'none.txt');
  await runHere(scratch, 'provision', ['99999', '--out', failed]);
  t.false(existsSync(failed), 'a run that hands over nothing leaves no file');
  await access(scratch, async (open) => {
    const [row] = await hostSessions(open, 1281);
    t.true(verifies(open, guid, row));
    t.is(row?.actions.length, 1);
  });
});

test.serial('a key that is short or public is a configuration error', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const short = await runHere(scratch, 'provision', ['15'], { CANVAS_HMAC_KEY: 'short' });
  t.is(short.code, 2);
  t.regex(short.stderr, /CONFIG: Line 1 of CANVAS_HMAC_KEY is not usable[^]*5 bytes/);
  const keyFile = join(scratch.folder, 'key');
  writeFileSync(keyFile, 'NOOR-CANVAS-HOST-SECRET-2025\n', { mode: 0o600 });
  const env = { CANVAS_HMAC_KEY_FILE: keyFile, CANVAS_HMAC_KEY: undefined };
  const known = await runHere(scratch, 'provision', ['15'], env);
  t.is(known.code, 2);
  t.regex(known.stderr, /CONFIG: Line 1 of .+ is not usable[^]*which is public/);
  const none = await runHere(scratch, 'provision', ['15'], { CANVAS_HMAC_KEY: ' ' });
  t.regex(none.stderr, THREE_LINES('CONFIG'));
});

test.serial('a value may begin with a dash, and what follows -- is no option', async (t) => {
  const scratch = shared();
  const result = await runHere(scratch, 'provision', ['15', '--reason=-5 minutes late', '--dry-run', '--', '212']);
  t.is(result.code, 0, result.stderr);
  t.regex(result.stdout, /KSESSIONS id +15\n[^]*KSESSIONS id +212\n/);
});

test.serial('a title cannot forge a line or speak to the terminal', async (t) => {
  const scratch = shared();
  await access(scratch, (open) =>
    execute(open, `UPDATE dbo."Sessions" SET "SessionName" = E'x\\nHost GUID  11111111\\x1b[2J' WHERE "SessionID" = 15`),
  );
  const result = await runHere(scratch, 'provision', ['15']);
  t.is(result.code, 0, result.stderr);
  t.regex(result.stdout, /^Title +x Host GUID {2}11111111 \[2J$/m);
});

test.serial('a key that is gone is not replaced behind the back of what was made with it', async (t) => {
  const scratch = await pgliteLane.ready(t);
  rmSync(join(scratch.folder, 'embedded', 'hmac.key'));
  const result = await runHere(scratch, 'provision', ['15'], { CANVAS_HMAC_KEY: undefined });
  t.is(result.code, 2);
  t.regex(result.stderr, /CONFIG: The key of the embedded database is gone/);
});

test.serial('the working directory does not matter', async (t) => {
  const scratch = shared();
  const result = await runHere({ ...scratch, folder: '/' }, 'provision', ['15', '--quiet']);
  t.is(result.code, 0, result.stderr);
});
