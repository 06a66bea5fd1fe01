import test from 'ava';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireTarget } from '../../lib/access';
import { PACKAGE_ROOT, readSettings } from '../../lib/config/settings';
import { ToolkitError } from '../../lib/errors';
import { readSources } from '../helpers/imports';
import { guidFile, pgliteLane, retarget, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { run, runHere } from '../helpers/script';

/** What people try in order to get past a guard. */
const VALUES = ['1', 'true', '0', 'false', 'yes', 'development', 'KSESSIONS_DEV', 'I know what I am doing'];

const FORBIDDEN = {
  engine: 'postgres', path: undefined, environment: 'development', server: '127.0.0.1', port: 1,
  database: 'KSESSIONS',
  credentials: 'SCRATCH',
  encrypt: false,
};

function sources(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(PACKAGE_ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|cjs|mjs)$/.test(file))
      .map((file) => readFileSync(join(PACKAGE_ROOT, folder, file), 'utf8')),
  );
}

/** Every variable the code names, from the code. `${prefix}_X` stands for the credentials of a target. */
function variables(): string[] {
  const names = new Set<string>();
  for (const source of [...sources('lib', 'scripts', 'seeds'), readFileSync(join(PACKAGE_ROOT, 'knexfile.ts'), 'utf8')]) {
    for (const [name] of source.matchAll(/\b(?:CANVAS|TEST|PG|ZX|NODE|ASPNETCORE|DOTNET)_?[A-Z_]*[A-Z]\b/g)) names.add(name);
    for (const [, suffix] of source.matchAll(/\$\{(?:prefix|[a-z.]+credentials)\}(_[A-Z_]+)/g)) names.add(`SCRATCH${suffix}`);
  }
  return [...names].sort();
}

test('the list of variables comes from the code and knows the ones that matter', (t) => {
  const names = variables();
  for (const name of [
    'CANVAS_TARGET', 'CANVAS_TARGETS_FILE', 'CANVAS_HMAC_KEY', 'CANVAS_HMAC_KEY_FILE', 'NODE_ENV',
    'ASPNETCORE_ENVIRONMENT', 'SCRATCH_USER', 'SCRATCH_PASSWORD_FILE', 'SCRATCH_CONNECTION_STRING', 'SCRATCH_MIGRATE',
  ]) {
    t.true(names.includes(name), name);
  }
});

test('only settings.ts reads the environment: nothing else could hold a switch', (t) => {
  const readers = readdirSync(join(PACKAGE_ROOT, 'lib'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /process\.env/.test(/\.ts$/.test(file) ? readFileSync(join(PACKAGE_ROOT, 'lib', file), 'utf8').replace(/^ ?\*.*$/gm, '') : ''),
  );
  // command.ts hands it to readSettings; the folder lock hands it to `ps`, whose words it must find in English.
  t.deepEqual(readers, [join('cli', 'command.ts'), join('engines', 'folder-lock.ts')]);
});

test('no variable turns the refusal of a protected database into a pass', async (t) => {
  const scratch = retarget(await pgliteLane.empty(t), FORBIDDEN);
  for (const name of variables()) {
    for (const value of VALUES) {
      const error = t.throws(() => requireTarget(readSettings({ ...scratch.env, [name]: value })), undefined, name);
      t.true(error instanceof ToolkitError && (error.exit === 3 || error.code === 'CONFIG'), `${name}=${value}`);
    }
  }
});

for (const engine of ['postgres', 'mssql']) {
  test.serial(`${engine}: KSESSIONS_DEV is no protected name: the commands go as far as the network`, async (t) => {
    const scratch = retarget(await pgliteLane.empty(t), { ...FORBIDDEN, engine, database: 'KSESSIONS_DEV' });
    const login = { SCRATCH_USER: 'x', SCRATCH_PASSWORD: 'x' };
    for (const [script, words] of [['provision', ['15']], ['migrate', []], ['enrol', ['--target', 'scratch', '--confirm', 'x']]] as const) {
      const { code, stderr } = await runHere(scratch, script, words, login);
      t.is(code, 2, stderr);
      t.regex(stderr, /^UNREACHABLE: .+\n {2}the canvas connection of target scratch .*KSESSIONS_DEV.*\n/m);
    }
  });
}

const GUID_FILE = guidFile();

/** What each script is run with; a new script without an entry fails the test below. */
const VERBS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  audit: [[]],
  consolidate: [[]],
  enrol: [['--target', 'scratch']],
  list: [[]],
  migrate: [['latest'], ['status'], ['plan'], ['rollback']],
  provision: [['15'], ['--dry-run', '--if-exists', 'keep']],
  'release-check': [['--target', 'scratch']],
  revoke: [['15'], ['--dry-run']],
  rotate: [['15'], ['--dry-run']],
  verify: [[], ['--guid-file', GUID_FILE]],
};

const SCRIPTS = readdirSync(join(PACKAGE_ROOT, 'scripts'))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.replace('.mjs', ''));

/** Scripts that connect to nothing, whatever they are told. */
const WITHOUT_DATABASE = ['check-config', 'completion', 'handoff'];

const WITH_DATABASE = SCRIPTS.filter((script) => !WITHOUT_DATABASE.includes(script));

test('every script has words for this test, or opens nothing', (t) => {
  t.deepEqual(Object.keys(VERBS).sort(), WITH_DATABASE.sort());
  const opens = (script: string) =>
    readSources(`scripts/${script}.mjs`).some(({ properties }) => [...properties].some((name) => /^with[A-Z]|^verify$|^releaseCheck$/.test(name)));
  t.deepEqual(SCRIPTS.filter(opens).sort(), WITH_DATABASE.sort());
});

const ENDED_EARLIER = new Set(['help', 'version', 'target', 'list']);
const INVENTED = ['--force', '--yes', '-y', '--production', '--skip-guard', '--no-guard', '--env=development'];

/** Every option of a command with a value, as its own help names them. */
async function optionsOf(script: string, scratch: Scratch): Promise<string[][]> {
  const { stdout } = await runHere(scratch, script, ['--help']);
  const options = [...stdout.matchAll(/^ +--([a-z-]+) [^[]*\[(\w+)\](?: \[choices: "([^"]+)")?/gm)];
  return options
    .filter(([, name = '']) => !ENDED_EARLIER.has(name))
    .map(([, name = '', type, choice]) => withValue(name, type === 'string', choice, scratch.folder));
}

function withValue(name: string, takesOne: boolean, choice: string | undefined, folder: string): string[] {
  if (!takesOne) return [name === 'color' ? '--no-color' : `--${name}`];
  const ids = join(folder, 'ids.txt');
  writeFileSync(ids, '15\n');
  const values: Record<string, string> = {
    wait: '1', expires: '1d', link: '1=15', out: join(folder, 'out.txt'), file: ids, 'max-failures': '1', 'older-than': '1d',
    'expiring-within': '1d', only: 'guard', skip: 'schema', config: join(folder, 'targets.json'), 'guid-file': GUID_FILE,
  };
  return [`--${name}`, values[name] ?? choice ?? 'KSESSIONS_DEV is meant'];
}

for (const script of WITH_DATABASE) {
  test.serial(`no option of ${script} turns a refusal into a pass`, async (t) => {
    const forbidden = retarget(await pgliteLane.empty(t), FORBIDDEN);
    const options = await optionsOf(script, forbidden);
    t.true(options.length >= 4, options.join());
    // Each alone too: there may be one that only works without the others.
    for (const words of [options.flat(), ...options]) {
      const codes: string[] = [];
      for (const verb of VERBS[script] ?? []) {
        // A report of the refusal may be there from the words before.
        rmSync(join(forbidden.folder, 'out.txt'), { force: true });
        const { code, stderr } = await runHere(forbidden, script, [...verb, ...words], { SCRATCH_USER: 'x' });
        codes.push(`${/^\w+(?=: )/m.exec(stderr)?.[0]} ${code}`);
      }
      t.deepEqual(codes.filter((told) => !['GUARD_PROTECTED 3', 'USAGE 2'].includes(told)), [], words.join(' '));
      // An option may belong to one verb only; a single one belongs to some.
      if (options.includes(words)) t.true(codes.includes('GUARD_PROTECTED 3'), words.join(' '));
    }
    for (const option of INVENTED) {
      const result = await runHere(forbidden, script, [...(VERBS[script]?.[0] ?? []), option]);
      t.is(result.code, 2, option);
      t.regex(result.stderr, /^USAGE: /m);
    }
  });
}

long('the process itself ends with 3 when the guard refuses', async (t) => {
  const forbidden = retarget(await pgliteLane.empty(t), FORBIDDEN);
  for (const [script, [verb = []] = []] of Object.entries(VERBS)) {
    const { code, stdout, stderr } = await run(forbidden, script, verb, { SCRATCH_USER: 'x' });
    t.is(code, 3, stderr);
    t.regex(stderr, /^GUARD_PROTECTED: .+\n {2}.+\n {2}.+\n$/m);
    t.is(stdout, '');
  }
});
