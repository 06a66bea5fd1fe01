import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireTarget } from '../../lib/access';
import { PACKAGE_ROOT, readSettings } from '../../lib/config/settings';
import { ToolkitError } from '../../lib/errors';
import { pgliteLane, retarget, type Scratch } from '../helpers/lanes';
import { run, runHere, type Finished } from '../helpers/script';

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

/** Every option of a command, as its own help names them. */
async function optionsOf(script: string, scratch: Scratch): Promise<string[]> {
  const { stdout } = await runHere(scratch, script, ['--help']);
  return [...stdout.matchAll(/^ +--([a-z-]+)/gm)].map(([, name]) => name ?? '');
}

const ENDED_EARLIER = new Set(['help', 'version', 'target']);
const INVENTED = ['--force', '--yes', '-y', '--production', '--skip-guard', '--no-guard', '--env=development'];

const BASE = { provision: ['15'], migrate: [], enrol: ['--target', 'scratch'] } as const;

/** Options that one verb of migrate takes and the others refuse as USAGE. */
const OF_VERB: Readonly<Record<string, readonly string[]>> = {
  'allow-late': ['latest', '--allow-late'],
  rehearse: ['plan', '--rehearse'],
  to: ['rollback', '--to', '0'],
};

for (const script of ['provision', 'migrate', 'enrol'] as const) {
  test.serial(`no option of ${script} turns a refusal into a pass`, async (t) => {
    const forbidden = retarget(await pgliteLane.empty(t), FORBIDDEN);
    const base = BASE[script];
    const options = (await optionsOf(script, forbidden)).filter((name) => !ENDED_EARLIER.has(name) && !(name in OF_VERB));
    t.true(options.length >= 6, options.join());
    // All at once, and each alone: there may be one that only works without the others.
    const each = options.map((option) => withValue(option, forbidden.folder));
    const refused = (words: readonly string[], { code, stderr }: Finished) => {
      t.is(code, 3, `${words.join(' ')}\n${stderr}`);
      t.regex(stderr, /^GUARD_PROTECTED: /m);
    };
    for (const words of [each.flat(), ...each]) {
      refused(words, await runHere(forbidden, script, [...base, ...words], { SCRATCH_USER: 'x' }));
    }
    for (const words of Object.values(OF_VERB).filter(() => script === 'migrate')) {
      refused(words, await runHere(forbidden, script, words, { SCRATCH_USER: 'x' }));
    }
    refused(each.flat(), await run(forbidden, script, [...base, ...each.flat()], { SCRATCH_USER: 'x' }));
    for (const option of INVENTED) {
      const result = await runHere(forbidden, script, [...base, option]);
      t.is(result.code, 2, option);
      t.regex(result.stderr, /^USAGE: /m);
    }
  });
}

function withValue(option: string, folder: string): string[] {
  const values: Record<string, string> = {
    'created-by': 'KSESSIONS', reason: 'KSESSIONS_DEV is meant', wait: '1', expires: '1d', 'if-exists': 'rotate',
    out: join(folder, 'out.txt'), confirm: 'KSESSIONS',
  };
  const value = values[option];
  return value === undefined ? [`--${option === 'color' ? 'no-color' : option}`] : [`--${option}`, value];
}
