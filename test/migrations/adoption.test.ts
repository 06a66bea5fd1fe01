import test, { type ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import { ToolkitError } from '../../lib/errors';
import { requirePermit } from '../../lib/migrations/enrol';
import { readLedger } from '../../lib/migrations/ledger';
import { migrationStatus } from '../../lib/migrations/preview';
import { migrateLatest, rollback } from '../../lib/migrations/run';
import { readSchema } from '../../lib/migrations/live-schema';
import { fingerprint } from '../../lib/migrations/schema';
import { execute, lanes, open, type Lane } from '../helpers/lanes';
import { contents, DIRTY_FAULTS, fillLegacy, type LegacyState, type LegacyVariant } from '../helpers/legacy';

const OURS = ['Sessions', 'HostSessions', 'HostSessionEvents'];

type Open = Pick<Access, 'database' | 'permit'>;

interface Case {
  readonly title: string;
  readonly state: LegacyState;
  readonly variant?: LegacyVariant;
  /** What else a hand did to it. */
  readonly change?: string;
}

/** Each case in a database of its own; the embedded engine, which takes seconds to open, is emptied in between. */
async function forEachCase(t: ExecutionContext, lane: Lane, cases: readonly Case[], work: (open: Open, one: Case) => Promise<void>) {
  const make = async (database: Access['database'], one: Case) => {
    await fillLegacy(database, one.state, one.variant);
    const access = { database, permit: await requirePermit(database) };
    if (one.change !== undefined) await execute(access as Access, one.change);
    await work(access, one);
    return access as Access;
  };
  if (lane.name !== 'pglite') {
    for (const one of cases) await open(await lane.empty(t), (database) => make(database, one));
    return;
  }
  await open(await lane.empty(t), async (database) => {
    for (const one of cases) await execute(await make(database, one), 'DROP SCHEMA canvas CASCADE', 'DROP SCHEMA dbo CASCADE');
  });
}

/** All that a rollback must bring back: the application's objects, rows and identities. */
async function everything({ database: { canvas } }: Open, state: LegacyState) {
  const { objects, tables } = await readSchema(canvas);
  const books = /^\w+ (knex_migrations|MigrationLedger|Environment)/;
  const sequences =
    canvas.dialect === 'mssql'
      ? []
      : await canvas.ask(`SELECT sequencename, last_value::text FROM pg_catalog.pg_sequences
                          WHERE schemaname = 'canvas' AND sequencename NOT LIKE 'knex%' ORDER BY 1`);
  return {
    objects: [...objects].filter((object) => !books.test(object)).sort(),
    fingerprint: fingerprint(tables),
    sequences,
    rows: state === 'a' ? {} : await contents((sql) => canvas.ask(sql)),
  };
}

const CLEAN: readonly Case[] = [
  { title: 'nothing there', state: 'a' },
  { title: 'as EF made it', state: 'b' },
  { title: 'as EF made it, ids by the database only', state: 'b', variant: { identity: 'ALWAYS' } },
  { title: 'KSessionsId made by hand', state: 'c' },
  { title: 'its index under another name', state: 'c', variant: { indexName: 'UQ_ByHand' } },
];

/** One schema on every engine: the fingerprint knows none. */
const seen = new Set<string>();

for (const lane of lanes()) {
  test.serial(`${lane.name}: every clean state ends in the same schema, loses nothing, and goes back exactly`, async (t) => {
    t.timeout(120_000);
    await forEachCase(t, lane, CLEAN, async (access, { title, state }) => {
      const { database, permit } = access;
      const before = await everything(access, state);
      t.is((await migrateLatest(database, permit, { actor: 'suite' })).length, 4, title);
      const { tables } = await readSchema(database.canvas);
      t.is(seen.add(fingerprint(tables, OURS)).size, 1, title);
      if (state !== 'a') t.deepEqual(await contents((sql) => database.canvas.ask(sql)), before.rows, title);
      t.deepEqual(await migrateLatest(database, permit, { actor: 'suite' }), [], title);

      const ledger = await readLedger(database.canvas);
      const made = ledger.flatMap(({ objects }) => objects.made);
      t.deepEqual(made.filter((object) => before.objects.includes(object)), [], 'what was found was not made');
      t.is(made.includes('column Sessions.KSessionsId'), state !== 'c', title);
      t.is(ledger[2]?.objects.found.includes('column Sessions.KSessionsId'), state === 'c', title);

      await rollback(database, permit, { to: '0' });
      t.deepEqual(await everything(access, state), before, title);
      t.deepEqual(await readLedger(database.canvas), [], title);
    });
  });

  const dirty: Case[] = [{ title: 'all of it', state: 'd' }];
  const each: Case[] = DIRTY_FAULTS.map((fault) => ({ title: fault, state: 'd', variant: { faults: [fault] } }));

  test.serial(`${lane.name}: dirty rows stop the run before the first constraint, by their ids`, async (t) => {
    t.timeout(120_000);
    const told: Record<string, string[]> = {};
    await forEachCase(t, lane, lane.name === 'pglite' ? dirty : [...dirty, ...each], async (access, { title, state }) => {
      const { database, permit } = access;
      const before = await everything(access, state);
      const ahead = await migrationStatus(database);
      const error = await migrateLatest(database, permit, { actor: 'suite' }).then(() => undefined, (cause: unknown) => cause);
      told[title] = [...ahead.obstacles.values()].flatMap(({ rows }) => rows.map(({ check, total }) => `${check} ${total}`));
      if (error === undefined) return;
      t.true(error instanceof ToolkitError && error.code === 'DATA_NOT_READY', title);
      if (title === 'all of it') {
        t.regex((error as ToolkitError).why, /SessionId 220, active 3.*KSessionsId 15, rows 2.*HostSessionId 29, SessionId 999/);
        t.regex((error as ToolkitError).hint, /consolidate\.mjs --target scratch/);
      }
      t.is((await readLedger(database.canvas)).length, 3, title);
      t.deepEqual((await everything(access, state)).rows, before.rows, title);
      const { tables } = await readSchema(database.canvas);
      t.is(tables['HostSessions']?.indexes.length, 1, 'no constraint was made');
    });
    t.deepEqual(told['all of it'], ['several-active 2', 'two-canvas-rows 1', 'orphans 1']);
    if (lane.name === 'pglite') return;
    t.deepEqual(told['several-active'], ['several-active 1']);
    t.deepEqual(told['revived'], ['several-active 1']);
    t.deepEqual(told['two-canvas-rows'], ['two-canvas-rows 1']);
    t.deepEqual(told['orphans'], ['orphans 1']);
    // These break no constraint; consolidate and verify find them.
    t.deepEqual([told['hash-copy'], told['seed-behind']], [[], []]);
  });

  const wrong: readonly (Case & { applied: number; says: RegExp })[] = [
    { title: 'another version of the application', state: 'unsupported', applied: 0, says: /SessionId: expected bigint, found integer/ },
    {
      title: 'KSessionsId of another type', state: 'b', applied: 2, says: /KSessionsId: expected bigint, found integer/,
      change: 'ALTER TABLE canvas."Sessions" ADD "KSessionsId" int NULL',
    },
    {
      title: 'a name that is taken', state: 'b', applied: 3, says: /UX_HostSessions_OneActive/i,
      change: 'CREATE INDEX "UX_HostSessions_OneActive" ON canvas."HostSessions" ("CreatedAt")',
    },
    {
      title: 'a foreign key that refuses the delete', state: 'd', variant: { faults: ['orphans'] }, applied: 3, says: /expected cascade, found no action/,
      change: `ALTER TABLE canvas."HostSessions" ADD CONSTRAINT fk FOREIGN KEY ("SessionId") REFERENCES canvas."Sessions" ("SessionId") NOT VALID`,
    },
  ];
  test.serial(`${lane.name}: a shape that cannot be built on is refused, and nothing is changed`, async (t) => {
    const cases = lane.name === 'mssql' ? wrong.slice(0, 3) : wrong;
    await forEachCase(t, lane, cases, async ({ database, permit }, { title }) => {
      const { applied, says } = wrong.find((one) => one.title === title) ?? { applied: -1, says: /^$/ };
      const error = await t.throwsAsync(migrateLatest(database, permit, { actor: 'suite' }), { instanceOf: ToolkitError }, title);
      t.is(error.code, 'SCHEMA_UNSUPPORTED', title);
      t.is(error.exit, 4);
      t.regex(error.why, says, title);
      t.is((await readLedger(database.canvas)).length, applied, title);
    });
  });
}

test.serial('a unique index on KSessionsId without its filter is left, and ours is made beside it', async (t) => {
  const [lane] = lanes().filter(({ name }) => name === 'postgres');
  if (lane === undefined) return t.pass('PostgreSQL lane: skipped');
  const one: Case = {
    title: '', state: 'c', variant: { indexName: 'UQ_ByHand' },
    change: 'DROP INDEX canvas."UQ_ByHand"; CREATE UNIQUE INDEX "UQ_ByHand" ON canvas."Sessions" ("KSessionsId")',
  };
  await forEachCase(t, lane, [one], async ({ database, permit }) => {
    await migrateLatest(database, permit, { actor: 'suite' });
    const { objects } = await readSchema(database.canvas);
    t.true(objects.has('index Sessions.UQ_ByHand') && objects.has('index Sessions.IX_Sessions_KSessionsId'));
  });
});

const LOOK_ALIKES: readonly { readonly title: string; readonly change: string; readonly made: string }[] = [
  { title: 'another access method', change: 'CREATE INDEX by_hand ON canvas."HostSessions" USING hash ("HostGuidHash")', made: 'HostSessions.IX_HostSessions_HostGuidHash' },
  { title: 'a filter', change: 'CREATE INDEX by_hand ON canvas."HostSessions" ("HostGuidHash") WHERE "IsActive"', made: 'HostSessions.IX_HostSessions_HostGuidHash' },
  { title: 'an expression', change: 'CREATE INDEX by_hand ON canvas."HostSessions" (lower("HostGuidHash"))', made: 'HostSessions.IX_HostSessions_HostGuidHash' },
  { title: 'an index that was never finished', made: 'HostSessions.IX_HostSessions_HostGuidHash',
    change: `CREATE INDEX by_hand ON canvas."HostSessions" ("HostGuidHash");
      UPDATE pg_catalog.pg_index SET indisready = false WHERE indexrelid = 'canvas.by_hand'::regclass` },
  { title: 'a uniqueness that counts NULL once', made: 'HostSessionEvents.UX_HostSessionEvents_Sequence',
    change: `CREATE TABLE canvas."HostSessionEvents" ("EventId" bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT "PK_HostSessionEvents" PRIMARY KEY,
      "OperationId" uuid NOT NULL, "HostSessionId" bigint NOT NULL, "SessionId" bigint NOT NULL, "KSessionsId" bigint NULL,
      "Sequence" integer NOT NULL, "Action" varchar(20) NOT NULL, "Actor" varchar(128) NOT NULL, "Reason" varchar(1000) NULL,
      "OldFingerprint" varchar(16) COLLATE "C" NULL, "NewFingerprint" varchar(16) COLLATE "C" NULL,
      "ExpiresAt" timestamptz(3) NULL, "OccurredAt" timestamptz(3) NOT NULL, "HashKeyId" varchar(16) COLLATE "C" NOT NULL,
      "PreviousHash" varchar(44) COLLATE "C" NULL, "EventHash" varchar(44) COLLATE "C" NOT NULL);
      CREATE UNIQUE INDEX by_hand ON canvas."HostSessionEvents" ("HostSessionId", "Sequence") NULLS NOT DISTINCT` },
];

const [onPostgres] = lanes().filter(({ dialect }) => dialect === 'postgres').reverse() as [Lane];

test.serial(`${onPostgres.name}: an index by hand that only looks like ours blocks nothing, and ours is made beside it`, async (t) => {
  const cases = LOOK_ALIKES.map(({ title, change }): Case => ({ title, change, state: 'b' }));
  await forEachCase(t, onPostgres, cases, async ({ database, permit }, { title }) => {
    t.is((await migrateLatest(database, permit, { actor: 'suite' })).length, 4, title);
    const made = LOOK_ALIKES.find((one) => one.title === title)?.made ?? '';
    const ledger = await readLedger(database.canvas);
    t.true(ledger.some(({ objects }) => objects.made.includes(`index ${made}`)), title);
    t.false(ledger.some(({ objects }) => objects.found.some((object) => object.endsWith('.by_hand'))), `${title}: not taken for ours`);
  });
});

test.serial(`${onPostgres.name}: an index by hand that does as much as ours, or more, is found and none is made beside it`, async (t) => {
  const enough: Case[] = [
    { title: 'with another column beside', state: 'b', change: 'CREATE INDEX by_hand ON canvas."HostSessions" ("HostGuidHash") INCLUDE ("IsActive")' },
    { title: 'unique besides', state: 'b', change: 'CREATE UNIQUE INDEX by_hand ON canvas."HostSessions" ("HostGuidHash")' },
  ];
  await forEachCase(t, onPostgres, enough, async ({ database, permit }, { title }) => {
    await migrateLatest(database, permit, { actor: 'suite' });
    const { objects } = (await readLedger(database.canvas)).at(-1) ?? {};
    t.true(objects?.found.includes('index HostSessions.by_hand'), title);
    t.false(objects?.made.includes('index HostSessions.IX_HostSessions_HostGuidHash'), title);
  });
});
