import test from 'ava';
import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { access, asAdmin, databaseOf, execute, pgliteLane, postgresLane, postgresUrl, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { commandOf, jsonLines, run, runHere, type Finished } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { hostSessions, provisionHere, snapshot } from '../helpers/state';

/** One target for the file: its tests run in order. */
const shared = shareScratch(pgliteLane);

const GUID = /[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/i;
const NOBODYS = '11111111-1111-4111-8111-111111111111';

/** Puts lines into a file that only the user can read. */
function fileOf(scratch: Scratch, name: string, ...lines: readonly string[]): string {
  const path = join(scratch.folder, name);
  writeFileSync(path, lines.join('\n'), { mode: 0o600 });
  return path;
}

const verify = (scratch: Scratch, ...words: string[]) => runHere(scratch, 'verify', words);

const provisioned = async (scratch: Scratch, ksessionsId: number) =>
  (await access(scratch, (open) => provisionHere(open, { ksessionsId }))).guid;

const hashOf = (scratch: Scratch, ksessionsId: number) =>
  access(scratch, async (open) => (await hostSessions(open, ksessionsId)).at(-1)?.hash ?? '');

let guid = '';

test.serial('a GUID that opens its session: 0, with both ids and the fingerprint, never the GUID; nothing is written', async (t) => {
  const scratch = shared();
  guid = await provisioned(scratch, 15);
  const before = await access(scratch, ({ database }) => snapshot(database));
  for (const spelling of [guid, `{${guid}}`, guid.toUpperCase(), guid.replaceAll('-', ''), `\uFEFF${guid}\r\n`, `\n  ${guid}  \n\n`]) {
    const { code, stderr, stdout } = await verify(scratch, '--guid-file', fileOf(scratch, 'guid.txt', spelling));
    t.is(code, 0, stderr);
    t.regex(stdout, /^Host GUID +valid\nFingerprint +[0-9a-f]{16}\nKSESSIONS id +15\nCanvas session id +1\nHost session id +1\nExpires +never\n$/);
    t.notRegex(stdout + stderr, GUID);
  }
  t.deepEqual(await access(scratch, ({ database }) => snapshot(database)), before);
});

test.serial('standard input, --json and --quiet', async (t) => {
  const scratch = shared();
  const ask = async (input: string, ...words: string[]): Promise<Finished> => {
    const [file = '', ...rest] = commandOf('verify', ['--guid-file', '-', ...words]);
    const child = spawn(file, rest, { cwd: scratch.folder, env: scratch.env });
    child.stdin.end(input);
    const [stdout, stderr, code] = await Promise.all([
      readAll(child.stdout), readAll(child.stderr), new Promise<number | null>((resolve) => void child.on('close', resolve)),
    ]);
    return { code, signal: null, stdout, stderr };
  };
  t.like(await ask(guid, '--quiet'), { code: 0, stdout: 'valid\n' });
  const json = await ask(NOBODYS, '--json');
  t.is(json.code, 1);
  const [told, error] = jsonLines(json);
  t.deepEqual(Object.keys(told ?? {}), [
    'schema', 'status', 'verdict', 'target', 'line', 'fingerprint', 'ksessionsId', 'canvasSessionId', 'hostSessionId', 'expiresAt',
    'usedAt', 'warning', 'advice',
  ]);
  t.like(told, { schema: 'canvas-host/1', status: 'rejected', verdict: 'unknown', ksessionsId: null, canvasSessionId: null });
  t.like(error, { status: 'error', code: 'GUID_REJECTED', exit: 1 });
  t.notRegex(json.stdout + json.stderr, /1111-4111/);
  t.like(await ask('', '--json'), { code: 2 });
});

test.serial('--record-use stores the time of a valid one, and list shows it; a rejected one leaves no trace', async (t) => {
  const scratch = shared();
  const lastUse = async () => jsonLines(await runHere(scratch, 'list', ['15', '--json']))[0]?.['lastUsedAt'];
  t.is(await lastUse(), null);
  const before = await access(scratch, ({ database }) => snapshot(database));
  t.is((await verify(scratch, '--guid-file', fileOf(scratch, 'guid.txt', NOBODYS), '--record-use')).code, 1);
  t.deepEqual(await access(scratch, ({ database }) => snapshot(database)), before);
  const used = await verify(scratch, '--guid-file', fileOf(scratch, 'guid.txt', guid), '--record-use', '--json');
  t.is(used.code, 0, used.stderr);
  t.is(jsonLines(used)[0]?.['usedAt'], await lastUse());
  t.is((await runHere(scratch, 'audit', ['15'])).code, 0, 'the chain holds: a use is no event');
});

long('expired, revoked, replaced, a copy that differs, and the stored hash: 1, each with what to do', async (t) => {
  const scratch = shared();
  const reject = async (text: string, verdict: string, hint: RegExp) => {
    const { code, stderr, stdout } = await verify(scratch, '--guid-file', fileOf(scratch, 'guid.txt', text));
    t.is(code, 1, stdout);
    t.regex(stdout, new RegExp(`^Host GUID +${verdict}\n`));
    t.regex(stderr, /^GUID_REJECTED: The host GUID (with fingerprint [0-9a-f]{16} )?opens no session\.\n/m);
    t.regex(stderr, hint);
    t.notRegex(stdout + stderr, GUID);
    t.notRegex(stdout + stderr, /[A-Za-z0-9+/]{43}=/);
    return stdout;
  };
  await reject(await hashOf(scratch, 15), 'unknown', /The text is no GUID; a stored hash is none/);
  const second = await provisioned(scratch, 15);
  t.notRegex(await reject(guid, 'unknown', /one that was replaced is unknown[^]+audit\.mjs --target scratch/), /KSESSIONS/);
  const sql = (...statements: string[]) => access(scratch, (open) => execute(open, ...statements));
  const row = `WHERE "KSessionsId" = 15`;
  await sql(`UPDATE canvas."Sessions" SET "HostGuid" = 'another' ${row}`);
  await reject(second, 'copy-differs', /login reads another hash[^]+consolidate\.mjs --target scratch/);
  await sql(`UPDATE canvas."HostSessions" SET "ExpiresAt" = now() - interval '1 hour' WHERE "IsActive"`);
  await reject(second, 'expired', /past its date[^]+provision\.mjs 15 --target scratch/);
  const third = await provisioned(scratch, 212);
  await runHere(scratch, 'revoke', ['212']);
  await reject(third, 'revoked', /was revoked[^]+provision\.mjs 212 --target scratch/);
});

test.serial('a file of --out: one result a line, 1 when one of them opens nothing; what holds no GUID is passed over', async (t) => {
  const scratch = shared();
  const out = join(scratch.folder, 'out.txt');
  t.is((await runHere(scratch, 'provision', ['1', '15', '213-215', '--out', out])).code, 1, '213 and 214 are refused');
  const good = await verify(scratch, '--guid-file', out);
  t.is(good.code, 0, good.stderr);
  t.regex(good.stdout, /^line 1 +valid +[0-9a-f]{16} {2}KSESSIONS 1, canvas session \d+, host session \d+\nline 2 +valid[^\n]+KSESSIONS 15,[^]+$/);
  const bad = fileOf(scratch, 'bad.txt', readFileSync(out, 'utf8') + '218 kept', NOBODYS, 'canvas/7 revoked', '1 nonsense');
  const mixed = await verify(scratch, '--guid-file', bad, '--json');
  t.is(mixed.code, 1);
  t.regex(mixed.stderr, /^GUID_REJECTED: 2 of \d+ host GUIDs open no session\.\n.+\n {2}To make others: .+ IDS --target scratch$/m);
  const told = jsonLines(mixed).map(({ code, line, verdict }) => [line ?? code, verdict]);
  t.deepEqual(told, [[1, 'valid'], [2, 'valid'], [3, 'valid'], [5, 'unknown'], [7, 'unknown'], ['GUID_REJECTED', undefined]]);
});

test.serial('a GUID on the command line is refused, whatever the command, and not repeated', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const bare = NOBODYS.replaceAll('-', '');
  for (const [script, ...words] of [
    ['verify', NOBODYS], ['verify', `--guid-file=${NOBODYS}`], ['verify', '--guid-file', bare], ['verify', '--guid', `{${NOBODYS}}`],
    ['provision', NOBODYS], ['revoke', bare], ['list', NOBODYS.toUpperCase()],
  ] as const) {
    const { code, stderr, stdout } = await runHere(scratch, script, words);
    t.is(code, 2);
    t.regex(stderr, /^USAGE: A host GUID stands on the command line\.[^]+rotate it[^]+--guid-file FILE/);
    t.notRegex(stdout + stderr, /1111-4111|11114111/);
  }
  t.deepEqual(readdirSync(scratch.folder), ['targets.json'], 'nothing was opened');
});

test.serial('no file, one without a GUID, one that is not there, and one that others may read are refused; nothing is opened', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const refused = async (words: string[], why: RegExp) => {
    const { code, stderr } = await verify(scratch, ...words);
    t.is(code, 2);
    t.regex(stderr, why);
  };
  await refused(['--record-use'], /USAGE: --record-use goes with --guid-file/);
  await refused(['--guid-file', '-', '--only', 'guard'], /USAGE: --only and --guid-file exclude each other/);
  await refused(['--guid-file', fileOf(scratch, 'empty.txt', ' ', '15 kept')], /USAGE: No host GUID stands in .+empty\.txt/);
  await refused(['--guid-file', join(scratch.folder, 'gone')], /CONFIG: The file .+gone cannot be read/);
  const open = fileOf(scratch, 'open.txt', NOBODYS);
  chmodSync(open, 0o644);
  if (process.platform !== 'win32') await refused(['--guid-file', open], /CONFIG: The file .+open\.txt can be read by others\.[^]+host GUID[^]+chmod 600/);
  t.false(readdirSync(scratch.folder).includes('embedded'));
});

(postgresUrl === undefined ? test.skip : test.serial)(
  'postgres: a login that only reads is enough without --record-use, and cannot record',
  async (t) => {
    const scratch = await postgresLane.ready(t);
    const file = fileOf(scratch, 'guid.txt', await provisioned(scratch, 15));
    const database = databaseOf(scratch);
    const login = `reader_${database}`;
    await asAdmin(`CREATE ROLE ${login} LOGIN`);
    t.teardown(async () => {
      await asAdmin(`DROP OWNED BY ${login}`, database);
      await asAdmin(`DROP ROLE ${login}`);
    });
    await asAdmin(`GRANT USAGE ON SCHEMA canvas, dbo TO ${login}; GRANT SELECT ON ALL TABLES IN SCHEMA canvas, dbo TO ${login}`, database);
    const env = { SCRATCH_USER: login };
    const read = await run(scratch, 'verify', ['--guid-file', file], env);
    t.is(read.code, 0, read.stderr);
    const record = await run(scratch, 'verify', ['--guid-file', file, '--record-use'], env);
    t.is(record.code, 2, record.stderr);
    t.notRegex(record.stderr, /INTERNAL/);
    t.is(record.stdout, '');
  },
);

test.serial('--config: files of components go through the gate with everything else', async (t) => {
  const scratch = shared();
  const file = fileOf(scratch, 'appsettings.json', JSON.stringify({ HostProvisioner: { Secret: 'canary-PASSWORD-4' } }));
  const told = async (...words: string[]) => {
    const finished = await verify(scratch, '--only', 'configuration', '--json', ...words);
    t.notRegex(finished.stdout + finished.stderr, /canary-PASSWORD/);
    return finished;
  };
  const { code, stdout } = await told('--config', file);
  t.is(code, 1);
  const { checks } = JSON.parse(stdout) as { checks: { id: string; status: string }[] };
  t.deepEqual(checks.filter(({ status }) => status === 'fail').map(({ id }) => id), ['configuration.secrets']);
  t.true(checks.some(({ id, status }) => id === 'guard.marker' && status === 'skipped'));
  t.is((await told('--config', join(scratch.folder, 'absent.json'))).code, 2);
  t.is((await told()).code, 2, 'without files there is no such group');
});

test.serial('a trigger by hand is told by schema.triggers, on a table of the books too', async (t) => {
  const scratch = shared();
  const make = (table: string) => `CREATE FUNCTION canvas.by_hand() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER by_hand BEFORE UPDATE ON canvas."${table}" FOR EACH ROW EXECUTE FUNCTION canvas.by_hand()`;
  for (const table of ['HostSessions', 'MigrationLedger']) {
    await access(scratch, (open) => execute(open, make(table)));
    const { code, stdout } = await verify(scratch, '--only', 'schema');
    t.is(code, 1, stdout);
    t.regex(stdout, new RegExp(`FAIL {2}schema\\.triggers .+\\n +trigger by_hand on canvas\\.${table} is there and no migration expects it: enabled\\.`));
    t.regex(stdout, /\b1 failed/);
    await access(scratch, (open) => execute(open, 'DROP FUNCTION canvas.by_hand() CASCADE'));
  }
  t.is((await verify(scratch, '--only', 'schema')).code, 0);
});
