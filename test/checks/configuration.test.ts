/** Each folder of test/fixtures/config is named for the one fault in it, and exactly that is found. */
import test, { type ExecutionContext } from 'ava';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { configurationChecks } from '../../lib/checks/configuration';
import { toConfiguration } from '../../lib/checks/configuration-facts';
import { runUnopened, type Outcome } from '../../lib/checks/gate';
import { checksOfFiles } from '../../lib/cli/check-config';
import { readConfiguration } from '../../lib/config/appsettings';
import { PACKAGE_ROOT, readSettings } from '../../lib/config/settings';
import { chooseTarget } from '../../lib/config/targets';
import { toReport } from '../../lib/reports/report';
import { toText } from '../../lib/reports/text';

const FIXTURES = join(PACKAGE_ROOT, 'test', 'fixtures', 'config');
/** How the password of every fixture begins. */
const CANARY = /canary/i;

interface Case {
  /** Of test/fixtures/config/targets.json; `none` has no server. */
  readonly target?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The findings: the check without its group, and its evidence with paths as in the fixture. */
  readonly found: Readonly<Record<string, readonly string[]>>;
}

const AT = 'ConnectionStrings:DefaultConnection';
const BASE = `appsettings.json: ${AT}`;

const CASES: Readonly<Record<string, Case>> = {
  clean: { found: {} },
  'clean-utf16': { target: 'dev', found: {} },
  'repeated-key': { found: { keys: [`${BASE}: it is there more than once (lines 3, 5), and .NET refuses the whole file.`] } },
  'repeated-variable': {
    found: { keys: [`.env: ${AT}: it is there more than once (lines 1, 3), and which one wins depends on who reads it.`] },
  },
  'unreadable-string': { found: { strings: [`${BASE}: Data Source: it stands for whichever machine runs this.`] } },
  'nameless-database': { found: { strings: [`${BASE}: it names no database, so something else decides.`] } },
  'other-than-target': {
    target: 'dev',
    found: {
      target: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `appsettings.json: ConnectionStrings:${key}: it leads elsewhere than target dev. database: the string says "OTHER_DEV", the target "KSESSIONS_DEV".`),
    },
  },
  'other-port-than-target': {
    target: 'dev',
    found: {
      target: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `appsettings.json: ConnectionStrings:${key}: it leads elsewhere than target dev. port: the string says 1434, the target 1433.`),
    },
  },
  'source-other-than-target': {
    target: 'apart',
    found: {
      target: ['appsettings.json: ConnectionStrings:KSessionsDb: it leads elsewhere than target apart. ' +
        'database: the string says "OLD_DEV", the target "KSESSIONS_DEV".'],
    },
  },
  'compared-with-nothing': {
    target: 'dev',
    found: { target: ['No file says in development where canvas is (DefaultConnection): target dev was compared with nothing.'] },
  },
  'production-in-base': {
    found: {
      production: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `appsettings.json: ConnectionStrings:${key}: it leads to KSESSIONS on AHHOME, which is production.`),
    },
  },
  'production-in-development': {
    found: { production: ['appsettings.Development.json: ConnectionStrings:KQurDb: it leads to kqur on AHHOME, which is production.'] },
  },
  'production-of-the-list': { found: { production: [`${BASE}: it leads to Vault on AHHOME, which is production.`] } },
  'production-by-bare-name': {
    found: { production: ['appsettings.json: Provisioner:Database: it names KSESSIONS, which is production.'] },
  },
  'production-in-env': { found: { production: ['.env: KSessionsDb: it leads to KSESSIONS on AHHOME, which is production.'] } },
  'development-in-production': {
    found: {
      environment: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `appsettings.Production.json: ConnectionStrings:${key}: it leads to KSESSIONS_DEV on AHHOME, which is development; . uses it in production.`),
    },
  },
  'production-falls-back': {
    found: {
      environment: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `appsettings.json: ConnectionStrings:${key}: it leads to KSESSIONS_DEV on AHHOME, which is development; . uses it in production.`),
    },
  },
  'development-in-staging': {
    found: {
      environment: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `appsettings.Staging.json: ConnectionStrings:${key}: it leads to KSESSIONS_DEV on AHHOME, which is development; . uses it in staging.`),
    },
  },
  'variable-chooses-production': {
    found: { environment: ['.env: ASPNETCORE_ENVIRONMENT: it chooses production; the target is development.'] },
  },
  'components-differ': {
    found: {
      components: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `Components differ: provisioner/appsettings.json: ConnectionStrings:${key} leads to KSESSIONS2_DEV on AHHOME; ` +
        `web/appsettings.json: ConnectionStrings:${key} leads to KSESSIONS_DEV on AHHOME.`),
    },
  },
  'deployments-differ': {
    found: {
      components: ['DefaultConnection', 'KSessionsDb'].map((key) =>
        `Components differ: provisioner/appsettings.Production.json: ConnectionStrings:${key} leads to KSESSIONS on OTHERHOST; ` +
        `web/appsettings.Production.json: ConnectionStrings:${key} leads to KSESSIONS on AHHOME.`),
    },
  },
  'roles-differ': {
    found: {
      roles: [`${BASE} leads to KSESSIONS_DEV on AHHOME, and appsettings.json: ConnectionStrings:KSessionsDb to KSESSIONS2_DEV on AHHOME.`],
    },
  },
  'local-override': {
    found: {
      overrides: [`appsettings.Local.json: ${AT}: it wins over appsettings.Development.json, silently: MINE_DEV on AHHOME in place of KSESSIONS_DEV on AHHOME.`],
    },
  },
  'env-override': {
    found: {
      overrides: [`.env: ${AT}: it wins over appsettings.json, silently: MINE_DEV on AHHOME in place of KSESSIONS_DEV on AHHOME.`],
    },
  },
  'environment-override': {
    found: {
      layers: [`appsettings.Development.json: ${AT}: it wins over appsettings.json, silently: MINE_DEV on AHHOME in place of KSESSIONS_DEV on AHHOME.`],
    },
  },
  'placeholder-password': { found: { passwords: [`${BASE}: the password is a placeholder, or is known from elsewhere.`] } },
  'placeholder-in-other-case': { found: { passwords: [`${BASE}: the password is a placeholder, or is known from elsewhere.`] } },
  'empty-password': { found: { passwords: [`${BASE}: the password is empty.`] } },
  'user-as-password': { found: { passwords: [`${BASE}: the password is the name of the user, the database or the server.`] } },
  'token-as-password': { found: { passwords: [`${BASE}: the password is a placeholder that nobody has filled in.`] } },
  'two-passwords': {
    found: { 'same-password': [`Login Canvas_App on ahhome has different passwords: provisioner/${BASE}; web/${BASE}.`] },
  },
  'hour-long-time-out': { found: { 'time-outs': [`${BASE}: it waits 3600 s for a connection, which hides every stall.`] } },
  'endless-time-out': { found: { 'time-outs': [`${BASE}: it waits for ever for a connection, which hides every stall.`] } },
  'tls-off': { found: { tls: [`${BASE}: TLS is off on the way to AHHOME.`] } },
  'any-certificate': { found: { tls: [`${BASE}: any certificate is taken for that of AHHOME.`] } },
  sa: { found: { login: [`${BASE}: it logs in as SA, who may do everything on the server.`] } },
  'hmac-key-in-file': { found: { secrets: ['appsettings.json: HostProvisioner:Secret: it holds a secret.'] } },
  'public-constant': { found: { secrets: ['.env: CANVAS_HMAC_KEY: it holds a constant that is known.'] } },
};

/** Files that cannot be read at all: the command has its own test for them. */
const UNREADABLE = ['broken-json', 'array-at-the-top', 'not-utf8', 'no-configuration'];

const settingsFor = (target: string, env: NodeJS.ProcessEnv = {}) =>
  readSettings({ ...env, CANVAS_TARGETS_FILE: join(FIXTURES, 'targets.json') }, { target });

/** A component for each folder; a fixture without folders is one itself. */
function componentsIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.length === 0 ? [folder] : entries.map(({ name }) => join(folder, name)).sort();
}

async function look(paths: readonly string[], target = 'none', env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const settings = settingsFor(target, env);
  const on = { settings, target: chooseTarget(settings) };
  return runUnopened(checksOfFiles(paths, settings), on, { only: [], skip: [], failOn: 'minor' });
}

/** Everything that people and programs could be shown of it. */
function said(outcome: Outcome): string {
  const report = toReport(outcome, { target: chooseTarget(settingsFor('none', {})), database: undefined, startedAt: new Date(0), durationMs: 0 });
  return `${toText(report)}${JSON.stringify(report)}${inspect(outcome, { depth: null })}`;
}

/** What was found, with paths as they are in the folder. */
function findings({ checks }: Outcome, folder: string): Record<string, readonly string[]> {
  const found = checks.filter(({ status }) => status !== 'pass');
  const stable = (sentence: string) => sentence.replaceAll(`${folder}/`, '').replaceAll(folder, '.');
  return Object.fromEntries(found.map(({ evidence, id }) => [id.replace('configuration.', ''), evidence.map(stable)]));
}

async function inFolder(t: ExecutionContext, name: string, { env, found, target }: Case): Promise<void> {
  const folder = join(FIXTURES, name);
  const outcome = await look(componentsIn(folder), target, env);
  t.deepEqual(findings(outcome, folder), found, name);
  t.notRegex(said(outcome), CANARY, `${name}: no password`);
  for (const { id, remedy, status } of outcome.checks) t.is(remedy === null, status === 'pass', id);
}

test('every fixture has its findings', (t) => {
  const folders = readdirSync(FIXTURES, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  t.deepEqual(folders.sort(), [...Object.keys(CASES), ...UNREADABLE].sort());
});

for (const [name, one] of Object.entries(CASES)) {
  test(`${name}: exactly that is found`, async (t) => inFolder(t, name, one));
}

test('every check has a fixture that makes it fail', (t) => {
  const settings = settingsFor('dev');
  const ids = configurationChecks(toConfiguration([], []), chooseTarget(settings)).map(({ id }) => id.replace('configuration.', ''));
  t.deepEqual([...new Set(Object.values(CASES).flatMap(({ found }) => Object.keys(found)))].sort(), ids.sort());
});

test('a variable in .NET\'s spelling wins over every file, in whatever prefix', async (t) => {
  const elsewhere = 'Server=AHHOME;Database=MINE_DEV;User ID=canvas_app;Password=canary-PASSWORD-1';
  for (const variable of ['ConnectionStrings__DefaultConnection', 'CONNECTIONSTRINGS__defaultconnection', 'SQLCONNSTR_DefaultConnection']) {
    const folder = join(FIXTURES, 'sa');
    const outcome = await look([folder], 'none', { [variable]: elsewhere, PATH: elsewhere });
    const { login, overrides, ...others } = findings(outcome, folder);
    t.deepEqual(Object.keys(others), [], variable);
    t.is(login?.length, 1);
    t.regex(overrides?.[0] ?? '', /^environment variables: ConnectionStrings:defaultconnection: it wins over appsettings\.json, silently: MINE_DEV/i);
    t.notRegex(said(outcome), CANARY);
  }
});

test('a variable that chooses production is told, and one that chooses what the target is, is not', async (t) => {
  const folder = join(FIXTURES, 'clean');
  const chosen = async (name: string) => findings(await look(componentsIn(folder), 'dev', { ASPNETCORE_ENVIRONMENT: name }), folder);
  t.deepEqual(await chosen('Production'), {
    environment: ['environment variables: ASPNETCORE_ENVIRONMENT: it chooses production; the target is development.'],
  });
  t.deepEqual(await chosen('development'), {});
});

test('the login of this toolkit is compared with those of the components (I-02), and a placeholder is one here too', async (t) => {
  const folder = join(FIXTURES, 'clean');
  const withLogin = async (user: string, password: string) => {
    const outcome = await look(componentsIn(folder), 'dev', { CANVAS_DEV_USER: user, CANVAS_DEV_PASSWORD: password });
    t.notRegex(said(outcome), CANARY);
    return findings(outcome, folder);
  };
  t.deepEqual(await withLogin('canvas_app', 'canary-PASSWORD-1'), {}, 'the same');
  t.deepEqual(await withLogin('another', 'canary-PASSWORD-5'), {}, 'another login');
  const { 'same-password': different = [], ...others } = await withLogin('canvas_app', '123');
  t.deepEqual(others, { passwords: ['environment variables: CANVAS_DEV_USER: the password is a placeholder, or is known from elsewhere.'] });
  t.regex(different.join(), /^Login canvas_app on ahhome has .*provisioner\/.*web\/.*; environment variables: CANVAS_DEV_USER\.$/i);
});

test('a key that would speak to the terminal speaks to nobody', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-config-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const string = 'Server=AHHOME;Database=KSESSIONS;User ID=canvas_app';
  writeFileSync(join(folder, 'appsettings.json'), JSON.stringify({ ConnectionStrings: { 'a\u001b[2Jb\nPASS: all': string } }));
  const { checks } = await look([folder]);
  const report = toReport({ checks, verdict: 'fail', refusal: undefined, selection: { only: [], skip: [], failOn: 'minor' } },
    { target: chooseTarget(settingsFor('none', {})), database: undefined, startedAt: new Date(0), durationMs: 0 });
  t.true(toText(report).includes('a [2Jb PASS: all: it leads to KSESSIONS'));
});

test('where the target says that source and canvas are two, they may be two, of one environment', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-config-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const string = (database: string) => `Server=AHHOME;Database=${database};User ID=canvas_app`;
  const write = (source: string) =>
    writeFileSync(join(folder, 'appsettings.json'), JSON.stringify({ ConnectionStrings: { DefaultConnection: string('CANVAS_DEV'), KSessionsDb: string(source) } }));
  write('KSESSIONS_DEV');
  t.deepEqual(findings(await look([folder], 'apart'), folder), {});
  write('KSESSIONS');
  t.deepEqual(Object.keys(findings(await look([folder], 'apart'), folder)), ['target', 'production', 'roles'], 'I-10');
});

test('a warning is a finding; what does not stop depends on who asks', async (t) => {
  const { checks, verdict } = await look([join(FIXTURES, 'environment-override')]);
  t.is(verdict, 'fail');
  t.is(checks.find(({ id }) => id === 'configuration.layers')?.status, 'warn');
});

test('a folder gives its appsettings and .env files but for samples, and a file that is named twice is read once', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-config-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const names = ['.env', '.env.development', '.env.example', 'appsettings.json', 'appsettings.Demo.json', 'package.json', 'prod.env'];
  for (const name of names) writeFileSync(join(folder, name), name.endsWith('json') ? '{}' : '');
  const read = readConfiguration([folder, join(folder, '..', relative(tmpdir(), folder), '.env')]);
  t.deepEqual(
    read.map(({ environment = null, layer, path }) => [relative(folder, path), layer, environment]),
    [
      ['.env', 'env file', null], ['.env.development', 'env file', 'development'], ['appsettings.Demo.json', 'local', null],
      ['appsettings.json', 'base', null], ['prod.env', 'env file', 'production'],
    ],
  );
});

/** As ADO.NET quotes a value, and as JSON and .env files hold it. */
const quoted = (password: string) => `"${password.replaceAll('"', '""')}"`;

/** Long enough to be in no sentence by accident. */
const passwords = fc.string({ unit: 'grapheme', minLength: 10, maxLength: 60 }).filter((text) => text.trim().length >= 10);

test('whatever the password is, and however it is written, no output holds it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-config-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const string = (password: string) => `Server=AHHOME;Database=KSESSIONS_DEV;User ID=sa;Password=${password};Connection Timeout=3600`;
  await fc.assert(
    fc.asyncProperty(passwords, passwords, fc.boolean(), async (one, other, isQuoted) => {
      const written = (password: string) => string(isQuoted ? quoted(password) : password);
      writeFileSync(join(folder, 'appsettings.json'), JSON.stringify({ ConnectionStrings: { DefaultConnection: written(one), KSessionsDb: written(other) }, Jwt: { Key: one } }));
      writeFileSync(join(folder, '.env'), `ConnectionStrings__DefaultConnection='${written(other)}'\nOTHER_SECRET=${other}\n`);
      const outcome = await look([folder], 'dev');
      const told = said(outcome);
      for (const secret of [one, other]) {
        for (const form of [secret, JSON.stringify(secret).slice(1, -1), secret.trim(), encodeURIComponent(secret)]) {
          assert.ok(!told.includes(form), `a password is told: ${form}`);
        }
      }
      assert.ok(outcome.checks.some(({ status }) => status === 'fail'));
    }),
    { numRuns: 300, seed: 20_261_126 },
  );
  t.pass();
});
