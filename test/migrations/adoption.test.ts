import test, { type ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import { planJson, planText, statusJson, statusText } from '../../lib/cli/render-migrations';
import type { Database } from '../../lib/engines/database';
import type { Dialect } from '../../lib/engines/engine';
import { ToolkitError } from '../../lib/errors';
import { requirePermit } from '../../lib/migrations/enrol';
import { readLedger } from '../../lib/migrations/ledger';
import { firstRefusal, migrationStatus, previewLatest } from '../../lib/migrations/preview';
import { migrateLatest, rollback } from '../../lib/migrations/run';
import { readSchema } from '../../lib/migrations/live-schema';
import { fingerprint, type Difference } from '../../lib/migrations/schema';
import { execute, lanes, open, type Lane } from '../helpers/lanes';
import { contents, DIRTY_FAULTS, fillLegacy, type LegacyState, type LegacyVariant } from '../helpers/legacy';
import { long } from '../helpers/long';

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
  long(`${lane.name}: every clean state ends in the same schema, loses nothing, and goes back exactly`, async (t) => {
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
      told[title] = ahead.prospects.flatMap(({ obstacles }) => obstacles.rows.map(({ check, total }) => `${check} ${total}`));
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

  long(`${lane.name}: a shape that cannot be built on is told ahead, refused before the first migration, and nothing is changed`, async (t) => {
    t.timeout(120_000);
    // The embedded engine is slow to make and to empty; what it does with each is what PostgreSQL does.
    const cases = WRONG.filter(({ on = lane.dialect }) => on === lane.dialect).slice(0, lane.name === 'pglite' ? 6 : undefined);
    await forEachCase(t, lane, cases, async (access, { title }) => {
      const { database, permit } = access;
      const { at, says } = WRONG.find((one) => one.title === title) ?? { at: -1, says: /^$/ };
      const before = await everything(access, 'a');
      const ahead = await migrationStatus(database);
      const inTheWay = ahead.prospects.findIndex(({ obstacles }) => obstacles.schema.some(({ sentence }) => says.test(sentence)));
      t.is(inTheWay, at, `${title}: status`);
      t.regex((await previewLatest(database, ahead))[at]?.schema.map(({ sentence }) => sentence).join(' ') ?? '', says, `${title}: plan`);
      const told = firstRefusal(database, ahead);
      const error = await t.throwsAsync(migrateLatest(database, permit, { actor: 'suite' }), { instanceOf: ToolkitError }, title);
      t.is(error.code, 'SCHEMA_UNSUPPORTED', title);
      t.is(error.exit, 4);
      t.regex(error.why, says, title);
      t.deepEqual([told?.code, told?.why], [error.code, error.why], `${title}: what was foretold is what came`);
      t.deepEqual(await readLedger(database.canvas), [], title);
      t.deepEqual(await everything(access, 'a'), before, title);
    });
  });
}

/** The events table as a hand made it. @param id what makes its ids */
const eventsByHand = (id: string) => `CREATE TABLE canvas."HostSessionEvents" ("EventId" bigint ${id} CONSTRAINT "PK_HostSessionEvents" PRIMARY KEY,
  "OperationId" uuid NOT NULL, "HostSessionId" bigint NOT NULL, "SessionId" bigint NOT NULL, "KSessionsId" bigint NULL,
  "Sequence" integer NOT NULL, "Action" varchar(20) NOT NULL, "Actor" varchar(128) NOT NULL, "Reason" varchar(1000) NULL,
  "OldFingerprint" varchar(16) COLLATE "C" NULL, "NewFingerprint" varchar(16) COLLATE "C" NULL,
  "ExpiresAt" timestamptz(3) NULL, "OccurredAt" timestamptz(3) NOT NULL, "HashKeyId" varchar(16) COLLATE "C" NOT NULL,
  "PreviousHash" varchar(44) COLLATE "C" NULL, "EventHash" varchar(44) COLLATE "C" NOT NULL)`;

/** What stands in the way of which migration, and on which kind of server. */
const WRONG: readonly (Case & { readonly at: number; readonly says: RegExp; readonly on?: Dialect })[] = [
  { title: 'another version of the application', state: 'unsupported', at: 0, says: /SessionId: expected bigint, found integer/ },
  {
    title: 'KSessionsId of another type', state: 'b', at: 2, says: /KSessionsId: expected bigint, found integer/,
    change: 'ALTER TABLE canvas."Sessions" ADD "KSessionsId" int NULL',
  },
  {
    title: 'a column that no migration makes', state: 'b', at: 0, says: /canvas\.Sessions\.Title: expected text\(200\), found none/,
    change: 'ALTER TABLE canvas."Sessions" DROP COLUMN "Title"',
  },
  {
    title: 'ids that are not made by the database', state: 'b', at: 0, on: 'postgres',
    says: /canvas\.HostSessions\.HostSessionId: expected ids made by the database only, found no such identity/,
    change: 'ALTER TABLE canvas."HostSessions" ALTER COLUMN "HostSessionId" DROP IDENTITY',
  },
  {
    title: 'ids made on request, where no migration changes that', state: 'a', at: 1, on: 'postgres',
    says: /canvas\.HostSessionEvents\.EventId: expected ids made by the database only/,
    change: eventsByHand('GENERATED BY DEFAULT AS IDENTITY'),
  },
  {
    title: 'a name that an index on other columns has', state: 'b', at: 3,
    says: /name UX_HostSessions_OneActive: expected to be free for an index of canvas\.HostSessions, found the index of canvas\.HostSessions/,
    change: 'CREATE INDEX "UX_HostSessions_OneActive" ON canvas."HostSessions" ("CreatedAt")',
  },
  {
    title: 'a name that an index of another table has', state: 'b', at: 3, on: 'postgres',
    says: /name UX_HostSessions_OneActive: .+ found the index of canvas\.Users/,
    change: 'CREATE INDEX "UX_HostSessions_OneActive" ON canvas."Users" ("Name")',
  },
  {
    title: 'a name that another table has', state: 'b', at: 3, on: 'postgres', says: /name IX_HostSessions_HostGuidHash: .+ found the table/,
    change: 'CREATE TABLE canvas."IX_HostSessions_HostGuidHash" ("Id" bigint)',
  },
  {
    title: 'a name that a view has', state: 'b', at: 1, says: /name HostSessionEvents: expected to be free for a table, found the view/,
    change: 'CREATE VIEW canvas."HostSessionEvents" AS SELECT 1 AS "EventId"',
  },
  {
    title: 'a name that a type has', state: 'b', at: 1, on: 'postgres', says: /name HostSessionEvents: .+ found the type/,
    change: 'CREATE DOMAIN canvas."HostSessionEvents" AS bigint',
  },
  {
    title: 'a name that a key of another table has', state: 'b', at: 1, says: /name PK_HostSessionEvents: .+ found the (index|primary key constraint) of canvas\.Other/i,
    change: 'CREATE TABLE canvas."Other" ("Id" bigint NOT NULL CONSTRAINT "PK_HostSessionEvents" PRIMARY KEY)',
  },
  {
    title: 'a name that another constraint has', state: 'd', variant: { faults: ['orphans'] }, at: 3,
    says: /name FK_HostSessions_Sessions_SessionId: .+ found the (check )?constraint of canvas\.HostSessions/,
    change: 'ALTER TABLE canvas."HostSessions" ADD CONSTRAINT "FK_HostSessions_Sessions_SessionId" CHECK ("SessionId" > 0)',
  },
  {
    title: 'a routine that cannot be replaced', state: 'b', at: 1, on: 'postgres', says: /name RefuseHostSessionEventsChange: .+ found the routine/,
    change: 'CREATE FUNCTION canvas."RefuseHostSessionEventsChange"() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  },
  {
    title: 'a trigger of our name that refuses less', state: 'a', at: 1, on: 'postgres',
    says: /trigger TR_HostSessionEvents_AppendOnly of canvas\.HostSessionEvents: expected one that always refuses UPDATE, DELETE/,
    change: `${eventsByHand('GENERATED ALWAYS AS IDENTITY')};
      CREATE FUNCTION canvas."RefuseHostSessionEventsChange"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
      CREATE TRIGGER "TR_HostSessionEvents_AppendOnly" BEFORE UPDATE ON canvas."HostSessionEvents" FOR EACH ROW
        EXECUTE FUNCTION canvas."RefuseHostSessionEventsChange"()`,
  },
  {
    title: 'a foreign key that refuses the delete', state: 'd', variant: { faults: ['orphans'] }, at: 3, on: 'postgres',
    says: /expected cascade, found no action/,
    change: `ALTER TABLE canvas."HostSessions" ADD CONSTRAINT fk FOREIGN KEY ("SessionId") REFERENCES canvas."Sessions" ("SessionId") NOT VALID`,
  },
];

/** A trigger that an application put on its own tables: it keeps a note of each change, or would if it were on. */
const NOTING: Record<Dialect, string> = {
  postgres: `CREATE FUNCTION canvas.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON canvas."Sessions" FOR EACH ROW EXECUTE FUNCTION canvas.note();
    CREATE TRIGGER off AFTER DELETE ON canvas."HostSessions" FOR EACH ROW EXECUTE FUNCTION canvas.note();
    ALTER TABLE canvas."HostSessions" DISABLE TRIGGER off;
    CREATE TRIGGER book AFTER INSERT ON canvas."MigrationLedger" FOR EACH ROW EXECUTE FUNCTION canvas.note();
    CREATE TRIGGER theirs AFTER INSERT ON canvas."Users" FOR EACH ROW EXECUTE FUNCTION canvas.note()`,
  mssql: `EXEC(N'CREATE TRIGGER canvas.note ON canvas.Sessions AFTER INSERT, UPDATE AS RETURN');
    EXEC(N'CREATE TRIGGER canvas.book ON canvas.MigrationLedger AFTER INSERT AS RETURN');
    EXEC(N'CREATE TRIGGER canvas.theirs ON canvas.Users AFTER INSERT AS RETURN')`,
};

for (const lane of lanes()) {
  long(`${lane.name}: a trigger by hand is told by status and plan, stops neither a run nor a rollback, and stays`, async (t) => {
    await forEachCase(t, lane, [{ title: '', state: 'b', change: NOTING[lane.dialect] }], async (access) => {
      const { database, permit } = access;
      const before = await everything(access, 'b');
      const told = async () => {
        const status = await migrationStatus(database);
        t.is(firstRefusal(database, status), undefined);
        const steps = await previewLatest(database, status);
        t.regex(statusText(status), /^trigger {2}trigger note on canvas\.Sessions is there and no migration expects it: enabled\. It can/m);
        t.regex(planText(status, steps, ';'), /^-- TRIGGER: trigger book on canvas\.MigrationLedger is there/m);
        t.deepEqual(
          (statusJson(database, status) as { foreignTriggers: Difference[] }).foreignTriggers,
          (planJson(database, status, steps) as { foreignTriggers: Difference[] }).foreignTriggers,
        );
        return status.foreignTriggers.map(({ object, severity }) => `${severity} ${object}`).sort();
      };
      const expected = [
        'fault trigger book on canvas.MigrationLedger',
        'fault trigger note on canvas.Sessions',
        ...(lane.dialect === 'postgres' ? ['information trigger off on canvas.HostSessions'] : []),
      ];
      t.deepEqual(await told(), expected, 'ahead');
      t.is((await migrateLatest(database, permit, { actor: 'suite' })).length, 4);
      t.deepEqual(await told(), expected, 'afterwards');
      if (await dropsTriggers(database)) {
        const refused = await t.throwsAsync(rollback(database, permit, { to: '0' }), { instanceOf: ToolkitError });
        t.is(refused.code, 'CONFLICT');
        t.regex(refused.why, /trigger Sessions\.note/);
        t.deepEqual(await told(), expected, 'what would have gone stays');
      } else {
        await rollback(database, permit, { to: '0' });
        t.deepEqual(await everything(access, 'b'), before);
      }
    });
  });
}

/** With a column Babelfish drops every trigger of its table, where SQL Server drops none. */
async function dropsTriggers({ canvas, engine }: Database): Promise<boolean> {
  if (engine.dialect !== 'mssql') return false;
  const [row] = await canvas.ask<{ version: string }>('SELECT @@VERSION AS "version"');
  return /Babelfish/.test(row?.version ?? '');
}

long('names that are taken elsewhere, or by what the migrations would find, are in nobody\'s way', async (t) => {
  const [lane] = lanes().filter(({ dialect }) => dialect === 'postgres').reverse() as [Lane];
  const fine: Case[] = [
    { title: 'a constraint of another table', state: 'b', change: 'ALTER TABLE canvas."Users" ADD CONSTRAINT "FK_HostSessions_Sessions_SessionId" CHECK ("UserId" > 0)' },
    { title: 'a trigger of ours that is turned off and calls what will be replaced', state: 'a',
      change: `${eventsByHand('GENERATED ALWAYS AS IDENTITY')};
        CREATE FUNCTION canvas."RefuseHostSessionEventsChange"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER "TR_HostSessionEvents_AppendOnly" BEFORE UPDATE OR DELETE ON canvas."HostSessionEvents" FOR EACH ROW
          EXECUTE FUNCTION canvas."RefuseHostSessionEventsChange"();
        ALTER TABLE canvas."HostSessionEvents" DISABLE TRIGGER "TR_HostSessionEvents_AppendOnly"` },
  ];
  await forEachCase(t, lane, fine, async ({ database, permit }, { title }) => {
    t.is((await migrateLatest(database, permit, { actor: 'suite' })).length, 4, title);
  });
});

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
    change: `${eventsByHand('GENERATED ALWAYS AS IDENTITY')};
      CREATE UNIQUE INDEX by_hand ON canvas."HostSessionEvents" ("HostSessionId", "Sequence") NULLS NOT DISTINCT` },
];

const [onPostgres] = lanes().filter(({ dialect }) => dialect === 'postgres').reverse() as [Lane];

long(`${onPostgres.name}: an index by hand that only looks like ours blocks nothing, and ours is made beside it`, async (t) => {
  const cases = LOOK_ALIKES.map(({ title, change }): Case => ({ title, change, state: 'b' }));
  await forEachCase(t, onPostgres, cases, async ({ database, permit }, { title }) => {
    t.is((await migrateLatest(database, permit, { actor: 'suite' })).length, 4, title);
    const made = LOOK_ALIKES.find((one) => one.title === title)?.made ?? '';
    const ledger = await readLedger(database.canvas);
    t.true(ledger.some(({ objects }) => objects.made.includes(`index ${made}`)), title);
    t.false(ledger.some(({ objects }) => objects.found.some((object) => object.endsWith('.by_hand'))), `${title}: not taken for ours`);
  });
});

long(`${onPostgres.name}: an index by hand that does as much as ours, or more, is found and none is made beside it`, async (t) => {
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
