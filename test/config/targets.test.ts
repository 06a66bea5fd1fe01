import test, { type ExecutionContext } from 'ava';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTarget } from '../../lib/access';
import { readLogins } from '../../lib/config/credentials';
import { readKeys } from '../../lib/config/keys';
import { readSettings, type Settings } from '../../lib/config/settings';
import { chooseTarget, type ServerTarget } from '../../lib/config/targets';
import { ToolkitError } from '../../lib/errors';

const folder = mkdtempSync(join(tmpdir(), 'canvas-host-targets-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const DEV = { engine: 'mssql', environment: 'development', server: 'AHHOME', database: 'KSESSIONS_DEV', credentials: 'DEV' };

function settingsFor(text: string, env: NodeJS.ProcessEnv = {}): Settings {
  const path = join(folder, `targets-${(files += 1)}.json`);
  writeFileSync(path, text);
  return readSettings({ CANVAS_TARGETS_FILE: path, ...env });
}

const withDev = (changes: object, env?: NodeJS.ProcessEnv) =>
  settingsFor(JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, ...changes } } }), env);

function told(work: () => unknown): string {
  try {
    work();
    return 'nothing';
  } catch (error) {
    if (!(error instanceof ToolkitError)) throw error;
    return `${error.code}: ${error.message} ${error.why} ${error.hint}`;
  }
}

const FAULTS: readonly (readonly [string, string, RegExp])[] = [
  ['not JSON', '{', /CONFIG: .+in line 1/],
  ['empty', '', /CONFIG: .+is not valid/],
  ['a comment', '{ "default": "dev", // why\n "targets": {} }', /CONFIG: .+InvalidCommentToken in line 1/],
  ['a target given twice', `{"default":"a","targets":{"a":${JSON.stringify(DEV)},\n"a":${JSON.stringify(DEV)}}}`, /"a" is there twice, in line 2/],
  ['a key given twice', '{"default":"a","targets":{"a":{"engine":"mssql","engine":"pglite"}}}', /"engine" is there twice/],
  ['an unknown key', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, host: 'x' } } }), /\/targets\/dev .+"host"/],
  ['an unknown engine', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, engine: 'mysql' } } }), /\/targets\/dev\/engine/],
  ['a socket in place of a server', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, server: '/var/run' } } }), /\/server/],
  ['a named instance', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, server: 'AHHOME\\SQL2019' } } }), /\/server must be a host name or an address; a named instance is reached by its host and "port"/],
  ['a dot, which is whichever machine runs this', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, server: '.' } } }), /\/server must be a host name/],
  ['Windows authentication', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, integratedSecurity: true } } }), /"integratedSecurity"/],
  ['no database', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, database: undefined } } }), /'database'/],
  ['a port that is none', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, port: 0 } } }), /\/targets\/dev\/port/],
  ['a look-alike name', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, database: 'KSESSIONS_DЕV' } } }), /: \S+ \/targets\/dev\/database must be plain ASCII without blanks at its ends: other letters can look alike The schema/],
  ['a name with a space at its end', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, database: 'X ' } } }), /\/database/],
  ['a name of a target with a slash', JSON.stringify({ default: 'a/b', targets: { 'a/b': DEV } }), /\/default may hold letters, digits/],
  ['a target of such a name', JSON.stringify({ default: 'dev', targets: { dev: DEV, 'a/b': DEV } }), /\/targets may hold letters, digits and _ \. - only \("a\/b"\)/],
  ['a prefix of no variable', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, credentials: 'dev-1' } } }), /\/credentials must be the beginning of names of variables/],
  ['several faults, all told', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, port: 0, host: 1 } } }), /host.+port|port.+host/],
  ['TLS off the loopback without encryption', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, encrypt: false } } }), /CONFIG: .+loopback only, and AHHOME/],
  ['a certificate nobody checks', JSON.stringify({ default: 'dev', targets: { dev: { ...DEV, trustServerCertificate: true } } }), /trustServerCertificate/],
];

for (const [what, text, expected] of FAULTS) {
  test(`a list of targets is refused for ${what}, naming the place`, (t) => {
    const refusal = told(() => chooseTarget(settingsFor(text)));
    t.regex(refusal, expected);
    t.regex(refusal, /^CONFIG: /);
    t.notRegex(refusal, /pattern|"else"|"then"/, 'in words, not in those of the schema');
  });
}

test('a missing list of targets is CONFIG, an empty variable too', (t) => {
  const nowhere = readSettings({ CANVAS_TARGETS_FILE: join(folder, 'none.json') });
  t.regex(told(() => chooseTarget(nowhere)), /^CONFIG: .+ENOENT/);
  t.regex(told(() => readSettings({ CANVAS_TARGET: '' })), /^CONFIG: .+CANVAS_TARGET/);
});

test('names that every object has are not targets; a near name is suggested', (t) => {
  for (const name of ['__proto__', 'constructor', 'toString', 'prod', 'KSESSIONS']) {
    t.regex(told(() => chooseTarget(withDev({}, { CANVAS_TARGET: name }))), /^GUARD_TARGET_UNKNOWN: /, name);
  }
  t.regex(told(() => chooseTarget(withDev({}, { CANVAS_TARGET: 'dve' }))), /Did you mean dev\?/);
});

test('the source is the same place unless the target says otherwise; paths are relative to the file', (t) => {
  const same = chooseTarget(withDev({ ca: 'ca.pem', serverName: 'AHHOME\\X' })) as ServerTarget;
  t.deepEqual(same.source, same.canvas);
  t.is(same.canvas.port, 1433);
  t.is(same.ca, join(folder, 'ca.pem'));
  const other = chooseTarget(withDev({ serverName: 'A', source: { server: 'B', credentials: 'SRC' } })) as ServerTarget;
  t.like(other.source, { server: 'B', database: 'KSESSIONS_DEV', credentials: 'SRC', serverName: undefined });
});

test('a target without an environment is refused by the guard: unknown is production', (t) => {
  const settings = withDev({ environment: undefined });
  t.regex(told(() => requireTarget(settings)), /^GUARD_PRODUCTION: .+"not given"/);
});

test('a file adds to what is protected and takes nothing away', (t) => {
  const text = JSON.stringify({ default: 'dev', protected: { databases: ['LIVE'] }, targets: { dev: DEV } });
  t.deepEqual(chooseTarget(settingsFor(text)).protectedDatabases, ['KSESSIONS', 'KQUR', 'LIVE']);
  const none = JSON.stringify({ default: 'dev', protected: { databases: [] }, targets: { dev: DEV } });
  t.deepEqual(chooseTarget(settingsFor(none)).protectedDatabases, ['KSESSIONS', 'KQUR']);
});

function logins(env: NodeJS.ProcessEnv, changes: object = {}, purpose: 'use' | 'migrate' = 'use') {
  const settings = withDev(changes, env);
  return readLogins(settings, chooseTarget(settings), purpose);
}

test('a connection string may repeat the target and give the login, and nothing else', (t) => {
  const string = 'Data Source=AHHOME;Initial Catalog=KSESSIONS_DEV;User Id=canvas;Password=s3cret;';
  const { canvas, source, notices } = logins({ DEV_CONNECTION_STRING: `${string}Connection Timeout=3600` });
  t.is(canvas, source, 'one login, one object');
  t.deepEqual([canvas.user, canvas.password?.()], ['canvas', 's3cret']);
  t.regex(notices.join(), /DEV_CONNECTION_STRING: a connect time-out of 3600 s is not followed/);
  t.false(JSON.stringify(canvas).includes('s3cret'));
  for (const [extra, expected] of [
    ['Encrypt=false', /^GUARD_DIFFERS: .+Encrypt: /],
    ['TrustServerCertificate=true', /^GUARD_DIFFERS: .+TrustServerCertificate: /],
    ['Database=KSESSIONS', /^CONFIG: /],
  ] as const) {
    t.regex(told(() => logins({ DEV_CONNECTION_STRING: string + extra })), expected);
  }
  const production = string.replace('KSESSIONS_DEV', 'KSESSIONS');
  t.regex(told(() => logins({ DEV_CONNECTION_STRING: production })), /^GUARD_DIFFERS: .+database: .+"KSESSIONS"/);
});

test('a string that serves both roles must repeat both', (t) => {
  const env = { DEV_CONNECTION_STRING: 'Server=AHHOME;Database=KSESSIONS_DEV;User ID=a;Password=b' };
  t.regex(told(() => logins(env, { source: { database: 'OTHER_DEV' } })), /^GUARD_DIFFERS: .+"OTHER_DEV"/);
});

test('missing, doubled and half logins are told by the variable that is wrong', (t) => {
  t.regex(told(() => logins({})), /^CONFIG: .+DEV_USER is not set/);
  t.regex(told(() => logins({ DEV_PASSWORD: 'x' })), /^CONFIG: .+DEV_USER is not\./);
  t.regex(told(() => logins({ DEV_USER: 'a', DEV_PASSWORD: 'x', DEV_PASSWORD_FILE: 'y' })), /^CONFIG: .+both set/);
  t.regex(told(() => logins({ DEV_USER: 'a', DEV_CONNECTION_STRING: 'Server=AHHOME' })), /^CONFIG: .+both set/);
  t.regex(told(() => logins({ DEV_USER: '' })), /^CONFIG: .+DEV_USER is set to nothing/);
});

test('a Windows login is refused before it is dialled, whoever it is for; PostgreSQL may have such a name', (t) => {
  const app = { DEV_USER: 'app', DEV_PASSWORD: 'x' };
  const isRefused = /^CONFIG: "DOMAIN\\\\ada" is a Windows login\. It was read from (\w+)[^;]*; .+ Use an SQL login/;
  const from = (env: NodeJS.ProcessEnv, changes: object = {}) => isRefused.exec(told(() => logins(env, changes, 'migrate')))?.[1];
  t.is(from({ DEV_USER: 'DOMAIN\\ada', DEV_PASSWORD: 'x' }), 'DEV_USER');
  t.is(from({ DEV_CONNECTION_STRING: 'Server=AHHOME;Database=KSESSIONS_DEV;User ID=DOMAIN\\ada;Password=b' }), 'DEV_CONNECTION_STRING');
  t.is(from({ ...app, DEV_MIGRATE_USER: 'DOMAIN\\ada', DEV_MIGRATE_PASSWORD: 'y' }), 'DEV_MIGRATE_USER');
  t.is(from({ ...app, SRC_USER: 'DOMAIN\\ada', SRC_PASSWORD: 'y' }, { source: { credentials: 'SRC' } }), 'SRC_USER');
  t.is(logins({ DEV_USER: 'DOMAIN\\ada' }, { engine: 'postgres' }).canvas.user, 'DOMAIN\\ada');
});

test('schema changes use a login of their own where there is one', (t) => {
  const env = { DEV_USER: 'app', DEV_PASSWORD: 'x', DEV_MIGRATE_USER: 'owner', DEV_MIGRATE_PASSWORD: 'y' };
  t.is(logins(env).canvas.user, 'app');
  t.is(logins(env, {}, 'migrate').canvas.user, 'owner');
  t.is(logins(env, {}, 'migrate').source.user, 'app');
});

test('a password file must be the user\'s alone; its last line end does not count', (t) => {
  const path = join(folder, 'password');
  writeFileSync(path, 's3cret\r\n', { mode: 0o600 });
  const env = { DEV_USER: 'a', DEV_PASSWORD_FILE: path };
  t.is(logins(env).canvas.password?.(), 's3cret');
  refusesOthers(t, path, () => logins(env));
});

test('a key file must be the user\'s alone, the embedded target\'s own too', (t) => {
  const path = join(folder, 'key');
  writeFileSync(path, 'a key of more than thirty-two bytes in all\n', { mode: 0o600 });
  const settings = withDev({}, { CANVAS_HMAC_KEY_FILE: path });
  const keys = () => readKeys(settings, chooseTarget(settings));
  t.is(keys().all.length, 1);
  refusesOthers(t, path, keys);

  const embedded = settingsFor('{"default":"a","targets":{"a":{"engine":"pglite","environment":"test","path":"own"}}}');
  const own = () => readKeys(embedded, chooseTarget(embedded));
  t.is(own().all.length, 1, 'made on first use');
  refusesOthers(t, join(folder, 'own', 'hmac.key'), own);
});

/** Whatever bit of the group or of others is set. Windows cannot tell by the mode. */
function refusesOthers(t: ExecutionContext, path: string, read: () => unknown): void {
  if (process.platform === 'win32') return;
  for (const mode of [0o640, 0o604, 0o620, 0o601]) {
    chmodSync(path, mode);
    t.regex(told(read), /^CONFIG: .+can be read by others.+chmod 600/, mode.toString(8));
  }
  chmodSync(path, 0o400);
  t.is(told(read), 'nothing');
}

for (const engine of ['postgres', 'mssql']) {
  test(`${engine}: a protected name is refused in any case, as canvas and as source, whatever environment it claims`, (t) => {
    for (const database of ['KSESSIONS', 'ksessions', 'KSessions', 'KQUR', 'kquR']) {
      for (const environment of ['development', 'test', 'staging']) {
        for (const entry of [{ database }, { source: { database } }]) {
          const settings = withDev({ engine, environment, ...entry });
          t.regex(told(() => requireTarget(settings)), /^GUARD_PROTECTED: /, JSON.stringify(entry));
        }
      }
    }
    for (const database of ['KSESSIONS_DEV', 'OLD_KSESSIONS', 'KSESSION', 'KQUR2']) {
      t.is(told(() => requireTarget(withDev({ engine, database, source: { database } }))), 'nothing', database);
    }
  });

  test(`${engine}: names that the file protects are refused as databases and as servers`, (t) => {
    const refusal = (entry: object) => {
      const targets = { dev: { ...DEV, engine, ...entry } };
      const list = { default: 'dev', protected: { databases: ['LIVE'], servers: ['PRODUCTION-1'] }, targets };
      return told(() => requireTarget(settingsFor(JSON.stringify(list)))).split(':')[0];
    };
    for (const entry of [{ database: 'live' }, { server: 'production-1' }]) {
      t.is(refusal(entry), 'GUARD_PROTECTED');
      t.is(refusal({ source: entry }), 'GUARD_PROTECTED');
    }
    t.is(refusal({ database: 'LIVE_COPY', server: 'PRODUCTION-10' }), 'nothing');
  });
}
