import test from 'ava';
import { randomBytes } from 'node:crypto';
import { withOpenTarget } from '../../lib/access';
import { readSettings } from '../../lib/config/settings';
import { withTransaction, type Database } from '../../lib/engines/database';
import { ToolkitError } from '../../lib/errors';
import { enrol, requirePermit } from '../../lib/migrations/enrol';
import { firstRefusal, migrationStatus, previewLatest } from '../../lib/migrations/preview';
import { migrateLatest, MIGRATION_LOCK, rehearse } from '../../lib/migrations/run';
import { asAdmin, databaseOf, lanes, open, postgresLane, postgresUrl, type Scratch } from '../helpers/lanes';
import { fillLegacy, legacyTarget } from '../helpers/legacy';
import { long } from '../helpers/long';
import { jsonLines, runHere as run } from '../helpers/script';

/** Everything PostgreSQL's catalogue knows, with the transaction that wrote it, and every row of the books. */
async function catalogue({ canvas }: Database): Promise<unknown> {
  const kinds = ['pg_class', 'pg_attribute', 'pg_constraint', 'pg_proc', 'pg_namespace', 'pg_trigger'];
  const all: unknown[] = [];
  for (const kind of kinds) {
    all.push(await canvas.ask(`SELECT count(*) AS n, max(xmin::text::bigint) AS newest FROM pg_catalog.${kind}`));
  }
  const sequences = `SELECT schemaname, sequencename, last_value::text FROM pg_catalog.pg_sequences
                     WHERE sequencename NOT LIKE 'knex%' ORDER BY 1, 2`;
  return [...all, await canvas.ask(sequences)];
}

const PENDING = [
  '20261122000100_canvas_tables', '20261122000200_host_session_events', '20261122000300_nullable_columns',
  '20261122000400_constraints',
];

for (const lane of lanes().filter(({ dialect }) => dialect === 'postgres')) {
  long(`${lane.name}: status and plan tell before anything is done, and create nothing; nor does a rehearsal`, async (t) => {
    await open(await lane.empty(t), async (database) => {
      const empty = await catalogue(database);
      const bare = await migrationStatus(database);
      t.false(bare.isEnrolled);
      t.deepEqual(bare.pending.map(({ name }) => name), PENDING);
      t.is((await previewLatest(database, bare)).length, 4);
      t.is(firstRefusal(database, bare)?.code, lane.name === 'pglite' ? undefined : 'GUARD_NOT_ENROLLED');
      t.deepEqual(await catalogue(database), empty, 'a database nobody enrolled is only read');

      await fillLegacy(database, 'd', { faults: ['orphans'] });
      const before = await catalogue(database);
      const status = await migrationStatus(database);
      t.true(status.isEnrolled);
      const steps = await previewLatest(database, status);
      t.deepEqual(steps.map(({ name, rows }) => [name, rows.map(({ check }) => check)]), [
        [PENDING[0], []], [PENDING[1], []], [PENDING[2], []], [PENDING[3], ['orphans']],
      ]);
      t.true(steps[3]?.safety.some(({ statement }) => /FOREIGN KEY/.test(statement)), 'it locks a filled table');
      t.is(firstRefusal(database, status)?.code, 'DATA_NOT_READY');
      t.deepEqual(await catalogue(database), before);

      const permit = await requirePermit(database);
      // The embedded engine takes its time over catalogues; what follows is the same code.
      if (lane.name === 'pglite') return;
      const refused = await t.throwsAsync(rehearse(database, permit, { actor: 'suite' }), { instanceOf: ToolkitError });
      t.is(refused.code, 'DATA_NOT_READY');
      await withTransaction(database, permit, undefined, (writer) =>
        writer.sql.raw('DELETE FROM canvas."HostSessions" WHERE "HostSessionId" = 29'),
      );
      const names = (await rehearse(database, permit, { actor: 'suite' })).map(({ name }) => name);
      t.deepEqual(names, PENDING);
      t.deepEqual(await catalogue(database), before, 'rolled back');
      t.deepEqual(await migrateLatest(database, permit, { actor: 'suite' }), PENDING, 'as rehearsed');
    });
  });
}

const server = postgresUrl === undefined ? test.skip : test.serial;

/** The target as a login sees it that may only read. */
async function readOnly(t: Parameters<typeof postgresLane.empty>[0], scratch: Scratch): Promise<Scratch> {
  const role = `reader_${randomBytes(6).toString('hex')}`;
  await asAdmin(`CREATE ROLE ${role} LOGIN`);
  t.teardown(() => asAdmin(`DROP ROLE ${role}`));
  await open(scratch, async (database) =>
    withTransaction(database, await requirePermit(database), undefined, async ({ sql }) => {
      await sql.raw(`GRANT USAGE ON SCHEMA canvas TO ${role}`);
      await sql.raw(`GRANT SELECT ON ALL TABLES IN SCHEMA canvas TO ${role}`);
    }),
  );
  t.teardown(() => asAdmin(`DROP DATABASE IF EXISTS ${databaseOf(scratch)} WITH (FORCE)`));
  const env = { ...scratch.env, SCRATCH_USER: role };
  return { ...scratch, env, settings: readSettings(env) };
}

server('postgres: a login that may only read gets status and plan, as JSON and with their exit codes, and no more', async (t) => {
  const scratch = await legacyTarget(t, postgresLane, 'd');
  const reader = await readOnly(t, scratch);
  const before = await open(scratch, catalogue);
  const status = await run(reader, 'migrate', ['status', '--json']);
  t.is(status.code, 4, status.stderr);
  const [told, error] = jsonLines(status);
  t.like(told, { schema: 'canvas-host/1', status: 'pending', enrolled: true, applied: [], problems: [] });
  const pending = told?.['pending'] as { name: string; rowsInTheWay: { check: string; total: number; rows: object[] }[] }[];
  t.deepEqual(pending.map(({ name }) => name), PENDING);
  t.deepEqual(pending[3]?.rowsInTheWay[1]?.rows, [{ KSessionsId: 15, rows: 2, 'first SessionId': 219, 'last SessionId': 225 }]);
  t.like(error, { status: 'error', code: 'DATA_NOT_READY', exit: 4 });

  const plan = await run(reader, 'migrate', ['plan', '--json']);
  t.is(plan.code, 4, plan.stderr);
  t.is((jsonLines(plan)[0]?.['steps'] as { statements: string[] }[])[0]?.statements.length, 7);
  t.deepEqual(await open(scratch, catalogue), before);
  const error2 = await t.throwsAsync(
    open(reader, async (database) => migrateLatest(database, await requirePermit(database), { actor: 'suite' })),
    { instanceOf: ToolkitError },
  );
  t.is(error2.code, 'CONFIG', 'it may not migrate');
});

server('postgres: with --wait 0 a run that finds another at work says so at once', async (t) => {
  const scratch = await postgresLane.empty(t);
  await open(scratch, async (database) => {
    await enrol(database, database.canvas.admission.identity.database, 'suite');
    const permit = await requirePermit(database);
    await withTransaction(database, permit, MIGRATION_LOCK, async () => {
      const second = { settings: scratch.settings, waitMs: 0, onOpen: () => undefined, onNotice: () => undefined };
      const error = await t.throwsAsync(
        withOpenTarget(second, (other) => migrateLatest(other, permit, { actor: 'suite' })),
        { instanceOf: ToolkitError },
      );
      t.is(error.code, 'LOCKED');
    });
    t.is((await migrateLatest(database, permit, { actor: 'suite' })).length, 4);
  });
});

server('postgres: a verb takes its own options only, and only one verb is taken', async (t) => {
  const scratch = await postgresLane.ready(t);
  for (const words of [['latest', '--to', '0'], ['latest', 'status']]) {
    const { code, stderr } = await run(scratch, 'migrate', words);
    t.is(code, 2, words.join(' '));
    t.regex(stderr, /^USAGE: /m);
  }
});
