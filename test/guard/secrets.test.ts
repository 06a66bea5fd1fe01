import test from 'ava';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { guidFile, pgliteLane, postgresLane, postgresUrl, retarget, type Scratch } from '../helpers/lanes';
import { jsonLines, runHere, start, type Finished } from '../helpers/script';
import { shareScratch } from '../helpers/shared';

const shared = shareScratch(pgliteLane);

/** Nobody's password or key: what must never be seen again once it went in. */
const PASSWORD = 'canary-PASSWORD-5f0c1d';
const KEY = 'canary-KEY-77aa-0123456789-abcdefghijklmnop';
const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;

const SCRIPTS = readdirSync(join(PACKAGE_ROOT, 'scripts'))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.replace('.mjs', ''));

/** Words each script can be run with; a new script without an entry fails the test below. */
const WORDS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'check-config': [['targets.json'], ['nowhere']],
  completion: [['bash'], ['--get-yargs-completions', '']],
  provision: [['15', '212', '99999'], ['15'], ['15', '--dry-run']],
  rotate: [['15'], ['15', '99999'], ['15', '--dry-run']],
  revoke: [['15'], ['15', '99999']],
  enrol: [['--target', 'scratch', '--confirm', 'x']],
  migrate: [['status']],
  audit: [[], ['15'], ['99999']],
  list: [['15'], ['99999'], ['--state', 'live']],
  'release-check': [['--target', 'scratch'], []],
  verify: [[], ['--only', 'nothing'], ['--list'], ['--guid-file', guidFile()]],
  consolidate: [['--apply']],
  handoff: [['--database', 'KSESSIONS', '--out', 'handoff']],
};

const FORMS = [[], ['--json'], ['--verbose'], ['--json', '--verbose']];

function secretsIn(finished: Finished, guids: readonly string[]): string[] {
  const everything = finished.stdout + finished.stderr;
  const secrets = [PASSWORD, KEY, encodeURIComponent(PASSWORD), Buffer.from(PASSWORD).toString('base64')];
  return [...secrets.filter((secret) => everything.includes(secret)), ...guids.filter((guid) => finished.stderr.includes(guid))];
}

test('every script has words for this test', (t) => {
  t.deepEqual(Object.keys(WORDS).sort(), SCRIPTS.sort());
});

test.serial('no secret leaves by any command, format or failure on the embedded target', async (t) => {
  const scratch = shared();
  for (const script of SCRIPTS) {
    for (const [index, words] of (WORDS[script] ?? []).entries()) {
      const form = FORMS[index % FORMS.length] ?? [];
      const result = await runHere(scratch, script, [...words, ...form], { CANVAS_HMAC_KEY: KEY });
      const guids = [...(result.stdout.match(GUID) ?? [])];
      t.deepEqual(secretsIn(result, guids), [], `${script} ${words.join(' ')}`);
    }
  }
});

test.serial('only the handed-over line holds the GUID: with --out, neither stream has it', async (t) => {
  const scratch = shared();
  const out = join(scratch.folder, 'guids.txt');
  const result = await runHere(scratch, 'provision', ['15', '--json', '--verbose', '--out', out], { CANVAS_HMAC_KEY: KEY });
  t.is(result.code, 0, result.stderr);
  const guid = readFileSync(out, 'utf8').match(GUID)?.[0] ?? 'none';
  t.false((result.stdout + result.stderr).includes(guid));
  t.is(jsonLines(result)[0]?.['hostGuid'], null);
});

test.serial('with DEBUG set, no hash that is stored is printed', async (t) => {
  const { finished } = start(shared(), 'provision', ['15', '--quiet'], { DEBUG: '*', CANVAS_HMAC_KEY: KEY });
  const result = await finished;
  t.is(result.code, 0, result.stderr);
  t.notRegex(result.stdout + result.stderr, /[A-Za-z0-9+/]{43}=/);
});

const server = postgresUrl === undefined ? test.skip : test.serial;

server('postgres: no secret leaves by a failure of the connection or the configuration, or by the process list', async (t) => {
  t.timeout(120_000);
  const scratch = await postgresLane.ready(t);
  const passwordFile = join(scratch.folder, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o644 });
  const string = (host: string) => `postgres://app:${PASSWORD}@${host}/${'canvas'}`;
  const failures: [string, Scratch, NodeJS.ProcessEnv][] = [
    ['success', scratch, {}],
    ['nobody listens', retarget(scratch, { port: 1 }), {}],
    ['no such host', retarget(scratch, { server: 'nowhere.invalid', encrypt: true }), {}],
    ['no such database', retarget(scratch, { database: 'canvas_absent' }), {}],
    ['no such role', scratch, { SCRATCH_USER: 'canvas_absent' }],
    ['no TLS on the server', retarget(scratch, { encrypt: true }), {}],
    ['a string that leads elsewhere', scratch, { SCRATCH_USER: undefined, SCRATCH_PASSWORD: undefined, SCRATCH_CONNECTION_STRING: string('elsewhere') }],
    ['a string that cannot be read', scratch, { SCRATCH_USER: undefined, SCRATCH_PASSWORD: undefined, SCRATCH_CONNECTION_STRING: `Password=${PASSWORD};;=${PASSWORD}` }],
    ['a file others can read', scratch, { SCRATCH_PASSWORD: undefined, SCRATCH_PASSWORD_FILE: passwordFile }],
    ['a short key', scratch, { CANVAS_HMAC_KEY: 'canary-KEY-77aa' }],
  ];
  for (const [what, target, env] of failures) {
    const all = { SCRATCH_PASSWORD: PASSWORD, CANVAS_HMAC_KEY: KEY, ...env };
    const { child, finished } = start(target, 'provision', ['15', '--json', '--verbose'], all);
    if (process.platform === 'linux') {
      const list = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
      t.false(list.includes('canary'), what);
    }
    const result = await finished;
    t.is(result.code === 0, what === 'success', `${what}: ${result.stderr}`);
    const guids = [...(result.stdout.match(GUID) ?? [])].filter((guid) => guid === jsonLines(result)[0]?.['hostGuid']);
    t.deepEqual(secretsIn(result, guids), [], `${what}: ${result.stdout}${result.stderr}`);
    t.false((result.stdout + result.stderr).includes('canary-KEY'), what);
    t.notRegex(result.stderr, /^INTERNAL/m, what);
  }
});
