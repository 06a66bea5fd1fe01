/** The `knex` command as its users run it; what the guard refuses it is tested with the guard. */
import test from 'ava';
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { enrol } from '../../lib/migrations/enrol';
import { isLockRowFree, readLedger } from '../../lib/migrations/ledger';
import { access, execute, lanes, open, type Lane, type Scratch } from '../helpers/lanes';
import { copyPackage } from '../helpers/package-copy';
import { runHere, runKnex } from '../helpers/script';

async function enrolled(t: Parameters<Lane['empty']>[0], lane: Lane): Promise<Scratch> {
  const scratch = await lane.empty(t);
  await open(scratch, (database) => enrol(database, database.canvas.admission.identity.database, 'suite'));
  return scratch;
}

const applied = (scratch: Scratch) => open(scratch, async ({ canvas }) => (await readLedger(canvas)).map(({ name, batch }) => [name.slice(15), batch]));

const ALL = [['canvas_tables', 1], ['host_session_events', 1], ['nullable_columns', 1], ['constraints', 1]];

// The embedded engine takes seconds to open, twice for each command: what the command does is shown where a server is.
const [lane] = lanes().reverse() as [Lane];
const withServer = lane.name === 'pglite' ? test.skip : test.serial;

withServer(`${lane.name}: knex makes, lists, applies and takes back through the same books as the runner`, async (t) => {
  t.timeout(120_000);
  const scratch = await enrolled(t, lane);
  const folder = copyPackage(t);
  const knex = (...words: string[]) => runKnex(scratch, words, { folder });

  const made = await knex('migrate:make', 'add_column_name');
  t.is(made.code, 0, made.stderr);
  const file = readdirSync(join(folder, 'migrations')).find((name) => name.endsWith('_add_column_name.ts')) ?? '';
  t.is(readFileSync(join(folder, 'migrations', file), 'utf8'), readFileSync(join(folder, 'lib/migrations/migration.stub'), 'utf8'));
  t.regex((await knex('migrate:list')).stdout, /Found 5 Pending[^]*_canvas_tables\n[^]*_add_column_name\n/);
  const latest = await knex('migrate:latest');
  t.is(latest.code, 0, latest.stdout + latest.stderr);
  t.deepEqual(await applied(scratch), [...ALL, ['add_column_name', 1]], 'the stub runs as it stands');
  rmSync(join(folder, 'migrations', file));
  t.regex((await knex('migrate:list')).stderr, /add_column_name/, 'a missing file is told');

  writeFileSync(join(folder, 'migrations', file), readFileSync(join(folder, 'lib/migrations/migration.stub'), 'utf8'));
  const list = await knex('migrate:list');
  t.regex(list.stdout, /Found 5 Completed[\s\S]*No Pending/);

  // A row left locked by a killed command, and the second one that two first runs of Knex make.
  await access(scratch, (one) => execute(one, 'UPDATE canvas."knex_migrations_lock" SET "is_locked" = 1', 'INSERT INTO canvas."knex_migrations_lock" ("is_locked") VALUES (1)')).catch(() => undefined);
  const back = await knex('migrate:rollback');
  t.is(back.code, 0, back.stdout + back.stderr);
  t.deepEqual(await applied(scratch), []);
  t.true(await open(scratch, ({ canvas }) => isLockRowFree(canvas)));
});

withServer(`${lane.name}: knex refuses an edited file, a run without a transaction, and what would lose rows`, async (t) => {
  t.timeout(120_000);
  const scratch = await enrolled(t, lane);
  const folder = copyPackage(t);
  const knex = (...words: string[]) => runKnex(scratch, words, { folder });

  const bare = await knex('migrate:latest', '--disable-transactions');
  t.is(bare.code, 1);
  t.regex(bare.stderr, /outside a transaction/);
  t.deepEqual(await applied(scratch), []);

  const first = await knex('migrate:up');
  t.is(first.code, 0, first.stderr);
  const skipping = await knex('migrate:up', '20261122000300_nullable_columns');
  t.regex(skipping.stderr, /cannot be applied yet/);
  appendFileSync(join(folder, 'migrations', '20261122000100_canvas_tables.ts'), '// edited\n');
  t.regex((await knex('migrate:latest')).stderr, /canvas_tables was edited/);
  t.deepEqual(await applied(scratch), [['canvas_tables', 1]]);

  t.is((await runHere(scratch, 'migrate', ['latest'])).code, 0, 'the runner goes on where knex stopped');
  const uuid = lane.dialect === 'mssql' ? 'NEWID()' : 'gen_random_uuid()';
  const now = lane.dialect === 'mssql' ? 'SYSUTCDATETIME()' : 'now()';
  await access(scratch, (one) =>
    execute(one, `INSERT INTO canvas."Sessions" ("GroupId", "CreatedAt", "KSessionsId") VALUES (${uuid}, ${now}, 15)`),
  );
  const unedited = await runKnex(scratch, ['migrate:rollback', '--all'], { folder: copyPackage(t) });
  t.regex(unedited.stderr, /data would be lost/);
  t.is((await applied(scratch)).length, 3, 'the constraints went, the column with a value did not');
});
