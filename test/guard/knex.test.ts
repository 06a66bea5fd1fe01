/** `npx knex` is a command like the others: what the guard refuses, its options and variables do not bring about. */
import test from 'ava';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import knexFactory from 'knex';
import { ToolkitError } from '../../lib/errors';
import { knexCommandConfig } from '../../lib/knex-command';
import { enrol } from '../../lib/migrations/enrol';
import { seed } from '../../seeds/ksessions_samples';
import { databaseOf, entryFor, open, pgliteLane, postgresLane, postgresUrl, retarget, writeTargets } from '../helpers/lanes';
import { runKnex } from '../helpers/script';

/** A server that is not there: whoever dials it is told UNREACHABLE, and nothing else. */
const NOWHERE = entryFor('127.0.0.1', 1, 'canvas_dev');

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'allowed';
  } catch (error) {
    if (error instanceof ToolkitError) return `${error.code} ${error.exit}`;
    throw error;
  }
}

test.serial('NODE_ENV=production npx knex migrate:latest exits 3 and makes nothing', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const { code, stdout, stderr } = await runKnex(scratch, ['migrate:latest'], { env: { NODE_ENV: 'production' } });
  t.is(code, 3, stderr);
  t.regex(stderr, /^GUARD_PRODUCTION: .+\n {2}NODE_ENV is "production"\.\n {2}.+\n$/m);
  t.notRegex(stdout, /Batch|migrations/);
  t.false(existsSync(join(scratch.folder, 'embedded')));
});

test('every variable by which a runtime says production refuses before anything is dialled', async (t) => {
  const { env } = writeTargets((await pgliteLane.empty(t)).folder, NOWHERE, { SCRATCH_USER: 'x' });
  for (const name of ['NODE_ENV', 'ASPNETCORE_ENVIRONMENT', 'DOTNET_ENVIRONMENT']) {
    t.is(await codeOf(() => knexCommandConfig({ ...env, [name]: 'Production' }, ['migrate:latest'])), 'GUARD_PRODUCTION 3', name);
  }
  t.is(await codeOf(() => knexCommandConfig(env, ['migrate:latest'])), 'UNREACHABLE 2', 'else it dials');
});

/** Options of knex that are laid over the configuration, or choose another part of it. */
const OVERRIDES = ['client', 'connection', 'env', 'migrations-directory', 'migrations-table-name'];

test('what would lead knex past its configuration is refused before anything is dialled', async (t) => {
  const { env } = writeTargets((await pgliteLane.empty(t)).folder, NOWHERE, { SCRATCH_USER: 'x' });
  for (const option of OVERRIDES) {
    for (const words of [[`--${option}`, 'other', 'migrate:latest'], ['migrate:latest', `--${option}=other`]]) {
      t.is(await codeOf(() => knexCommandConfig(env, words)), 'USAGE 2', words.join(' '));
    }
  }
});

test('a NODE_ENV that Knex would find in the configuration, and take for all of it, is refused', async (t) => {
  // Each opens the database, which is quick on a server only.
  const [lane, names] =
    postgresUrl === undefined
      ? ([pgliteLane, ['connection']] as const)
      : ([postgresLane, ['client', 'connection', 'pool', 'migrations', 'constructor', '__proto__']] as const);
  const { env } = await lane.ready(t);
  for (const name of names) {
    t.is(await codeOf(() => knexCommandConfig({ ...env, NODE_ENV: name }, ['migrate:latest'])), 'USAGE 2', name);
  }
  t.is(await codeOf(() => knexCommandConfig({ ...env, NODE_ENV: 'test' }, ['migrate:latest'])), 'allowed');
});

test.serial('npx knex --connection elsewhere exits 2 and says what to do', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const other = 'postgres://nobody@127.0.0.1:1/KSESSIONS';
  const { code, stderr } = await runKnex(scratch, ['--client', 'pg', '--connection', other, 'migrate:latest']);
  t.is(code, 2, stderr);
  t.regex(stderr, /^USAGE: .*--client.*\n {2}.+\n {2}.*CANVAS_TARGET.*\n$/m);
  t.false(stderr.includes('KSESSIONS'), 'a connection string may hold a password');
  t.false(existsSync(join(scratch.folder, 'embedded')));
});

test('seeds refuse a Knex whose target is neither embedded nor test, or that does not say', async (t) => {
  for (const [userParams, expected] of [
    [{ engine: 'postgres', environment: 'development' }, 'GUARD_PRODUCTION 3'],
    [{ engine: 'mssql', environment: 'staging' }, 'GUARD_PRODUCTION 3'],
    [{}, 'GUARD_PRODUCTION 3'],
  ] as const) {
    // Without a connection a statement would fail in other words.
    const knex = Object.assign(knexFactory({ client: 'pg' }), { userParams });
    t.is(await codeOf(() => seed(knex)), expected, JSON.stringify(userParams));
  }
});

const server = postgresUrl === undefined ? test.skip : test.serial;

server('postgres: npx knex seed:run refuses an enrolled target that is no test target, and writes nothing', async (t) => {
  const scratch = retarget(await postgresLane.empty(t), { environment: 'development' });
  await open(scratch, (database) => enrol(database, databaseOf(scratch), 'suite'));
  const { code, stdout, stderr } = await runKnex(scratch, ['seed:run']);
  t.not(code, 0, stdout);
  t.regex(stderr, /Sample rows are for embedded and test targets only/);
  await open(scratch, async ({ canvas }) => {
    t.deepEqual(await canvas.ask(`SELECT 1 AS there FROM pg_catalog.pg_namespace WHERE nspname = 'dbo'`), []);
  });
});

server('postgres: knex is refused a database that nobody enrolled', async (t) => {
  const { env } = await postgresLane.empty(t);
  t.is(await codeOf(() => knexCommandConfig(env, ['migrate:latest'])), 'GUARD_NOT_ENROLLED 3');
});
