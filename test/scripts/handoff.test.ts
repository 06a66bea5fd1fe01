import test from 'ava';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HmacKey } from '../../lib/config/keys';
import { HostGuid } from '../../lib/hosts/credential';
import { scratchFolder, TEST_KEY, writeTargets, type Owner } from '../helpers/lanes';
import { jsonLines, runHere } from '../helpers/script';

test.serial('handoff writes its files without a target, a key or a server, and never twice into one folder', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-handoff-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // Whoever dialled this would fail.
  const nowhere = { engine: 'mssql', environment: 'test', server: 'nowhere.invalid', port: 1, database: 'X', credentials: 'X' };
  const scratch = writeTargets(folder, nowhere, { CANVAS_HMAC_KEY: undefined });
  const words = ['--database', 'KSESSIONS', '--out', 'bundle', '--json'];
  const first = await runHere(scratch, 'handoff', words);
  t.is(first.code, 0, first.stderr);
  t.like(jsonLines(first)[0], { schema: 'canvas-host/1', status: 'handed-off', database: 'KSESSIONS', out: 'bundle' });
  t.deepEqual(readdirSync(join(folder, 'bundle')).sort(), ['MANIFEST.json', 'migrate.sql', 'preflight.sql', 'verify.sql']);
  for (const more of [[], ['--target', 'scratch']]) {
    const refused = await runHere(scratch, 'handoff', [...words, ...more]);
    t.is(refused.code, 2);
    t.like(jsonLines(refused)[0], { status: 'error', code: 'USAGE' });
  }
});

/** Whoever dialled this would fail. */
const NOWHERE = { engine: 'mssql', environment: 'test', server: 'nowhere.invalid', port: 1, database: 'X', credentials: 'X' };
const PLACE = ['--database', 'KSESSIONS', '--out', 'bundle', '--json'];
const nowhere = (t: Owner, env: NodeJS.ProcessEnv = {}) => writeTargets(scratchFolder(t), NOWHERE, env);

test.serial('with --provision the GUIDs go to a file that only the user can read, and into the bundle go hashes', async (t) => {
  const scratch = nowhere(t);
  const words = ['--provision', '15', '20-21', '--guids', 'guids.txt', '--created-by', 'jane', '--reason', 'release 7'];
  const ran = await runHere(scratch, 'handoff', [...PLACE, ...words]);
  t.is(ran.code, 0, ran.stderr);
  const [told] = jsonLines(ran) as [{ files: { name: string; sha256: string }[]; credentials: { operations: Record<string, unknown>[] } }];
  const names = ['preflight.sql', 'migrate.sql', 'verify.sql', 'provision.sql', 'verify-credentials.sql', 'MANIFEST.json'];
  t.like(told, { status: 'handed-off', guids: 'guids.txt', credentials: { actor: 'jane', reason: 'release 7', ifExists: 'fail', expiresAt: null } });
  t.deepEqual(told.files.map(({ name }) => name), names);
  t.deepEqual(readdirSync(join(scratch.folder, 'bundle')).sort(), [...names].sort());

  const path = join(scratch.folder, 'guids.txt');
  if (process.platform !== 'win32') t.is(statSync(path).mode & 0o777, 0o600);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => line.split(' '));
  t.deepEqual(lines.map(([id]) => id), ['15', '20', '21']);
  const key = new HmacKey(Buffer.from(TEST_KEY));
  const provision = readFileSync(join(scratch.folder, 'bundle', 'provision.sql'), 'utf8');
  const all = ran.stdout + ran.stderr + names.map((name) => readFileSync(join(scratch.folder, 'bundle', name), 'utf8')).join('');
  for (const [place, [, text = '']] of lines.entries()) {
    const guid = HostGuid.parse(text);
    t.true(guid !== undefined && provision.includes(guid.hash(key)));
    t.is(told.credentials.operations[place]?.['fingerprint'], guid?.fingerprint(key));
    t.false(all.includes(text));
  }
  const manifest = JSON.parse(readFileSync(join(scratch.folder, 'bundle', 'MANIFEST.json'), 'utf8')) as { files: { name: string; sha256: string }[] };
  t.deepEqual(manifest.files.map(({ name }) => name), names.slice(0, 5));
  t.is(manifest.files[3]?.sha256, createHash('sha256').update(provision).digest('hex'));
  t.false(all.includes(TEST_KEY));

  const text = await runHere(scratch, 'handoff', ['--database', 'KSESSIONS', '--out', 'another', '--provision', '15', '--guids', 'more.txt']);
  t.is(text.code, 0, text.stderr);
  t.regex(text.stdout, /KSESSIONS 15 {2}fingerprint [0-9a-f]{16} {2}operation [0-9a-f-]{36}\n/);
  t.true(text.stdout.includes(`Hashed under key ${key.id}.`));
});

test.serial('nothing is written when the GUIDs would lie in the bundle, over a file, or beside no bundle', async (t) => {
  const scratch = nowhere(t);
  const { folder } = scratch;
  mkdirSync(join(folder, 'bundle'));
  writeFileSync(join(folder, 'there.txt'), 'mine');
  const refused = async (guids: string, message: RegExp) => {
    const ran = await runHere(scratch, 'handoff', [...PLACE, '--provision', '15', '--guids', guids]);
    t.is(ran.code, 2);
    t.regex(String(jsonLines(ran)[0]?.['message']), message, guids);
    t.deepEqual(readdirSync(join(folder, 'bundle')), []);
  };
  await refused(join('bundle', 'guids.txt'), /lies in the folder of the bundle/);
  await refused(join('bundle', '..', 'BUNDLE', 'guids.txt'), /lies in the folder of the bundle/);
  if (process.platform !== 'win32') {
    symlinkSync(join(folder, 'bundle'), join(folder, 'link'));
    await refused(join('link', 'guids.txt'), /lies in the folder of the bundle/);
  }
  await refused('there.txt', /exists/);
  t.notRegex((await runHere(scratch, 'handoff', [...PLACE, '--provision', '15', '--guids', 'there.txt'])).stdout, /--out/, 'of that file');
  t.is(readFileSync(join(folder, 'there.txt'), 'utf8'), 'mine');

  writeFileSync(join(folder, 'bundle', 'notes.txt'), 'mine');
  const ran = await runHere(scratch, 'handoff', [...PLACE, '--provision', '15', '--guids', 'guids.txt']);
  t.regex(String(jsonLines(ran)[0]?.['message']), /is not empty/);
  t.false(existsSync(join(folder, 'guids.txt')), 'GUIDs of no bundle are void');
});

test.serial('credentials need ids, a key and a file, and nothing of theirs goes without --provision', async (t) => {
  const wrong: [words: string[], code: string, message: RegExp, env?: NodeJS.ProcessEnv][] = [
    [['--provision', '15'], 'USAGE', /No file was named for the GUIDs/],
    [['--provision', '--guids', 'g.txt'], 'USAGE', /No id was given/],
    [['--provision', '0x0f', '--guids', 'g.txt'], 'USAGE', /is not a KSESSIONS id/],
    [['--provision', '1-1001', '--guids', 'g.txt'], 'USAGE', /1001 ids are too many/],
    [['--provision', '15', '--guids', 'g.txt', '--expires', '2020-01-01'], 'USAGE', /--expires/],
    [['--provision', '15', '--guids', 'g.txt', '--if-exists', 'keep'], 'USAGE', /if-exists/],
    [['--provision', '15', '--guids', 'g.txt'], 'CONFIG', /There is no HMAC key for database KSESSIONS/, { CANVAS_HMAC_KEY: undefined }],
    [['15'], 'USAGE', /15 goes with --provision/],
    [['--guids', 'g.txt'], 'USAGE', /--guids goes with --provision/],
    [['--reason', 'x'], 'USAGE', /--reason goes with --provision/],
  ];
  for (const [words, code, message, env] of wrong) {
    const scratch = nowhere(t, env);
    const ran = await runHere(scratch, 'handoff', [...PLACE, ...words]);
    t.is(ran.code, 2, words.join(' '));
    t.like(jsonLines(ran)[0], { status: 'error', code }, words.join(' '));
    t.regex(String(jsonLines(ran)[0]?.['message']), message);
    t.deepEqual(readdirSync(scratch.folder), ['targets.json'], words.join(' '));
  }
});
