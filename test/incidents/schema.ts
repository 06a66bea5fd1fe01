/** Schema and migrations: I-12 to I-21. */
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import type { Database } from '../../lib/engines/database';
import type { Dialect } from '../../lib/engines/engine';
import { close } from '../../lib/engines/mssql-client';
import { ToolkitError, type Code } from '../../lib/errors';
import { consolidate, link } from '../../lib/hosts/consolidate';
import { readMigrations } from '../../lib/migrations/files';
import { composeHandoff } from '../../lib/migrations/handoff';
import { readSchema } from '../../lib/migrations/live-schema';
import { enrol, requirePermit } from '../../lib/migrations/enrol';
import { migrateLatest, rehearse, rollback } from '../../lib/migrations/run';
import { assess } from '../../lib/migrations/safety';
import { fingerprint } from '../../lib/migrations/schema';
import { batchesOf, runScript, textOf, type Client, type Ran } from '../helpers/bundle';
import { databaseOf, execute, open, openMssql, type Lane, type Owner, type Scratch } from '../helpers/lanes';
import { contents, legacyTarget, migratedLegacy, openForRepair } from '../helpers/legacy';
import { PHRASES, serverCode } from '../helpers/phrases';
import { jsonLines, runHere } from '../helpers/script';
import { count, hostSessions, provisionHere, snapshot } from '../helpers/state';
import type { Incident, Stage } from './incident';

async function refusal(work: Promise<unknown>): Promise<Code | 'done'> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof ToolkitError) return error.code;
    throw error;
  }
}

/** What the server itself says of a statement: its code, or that it took it. */
async function answerTo(open: Access, statement: string): Promise<string> {
  try {
    await execute(open, statement);
    return 'taken';
  } catch (error) {
    return serverCode(error instanceof ToolkitError ? error.cause : error);
  }
}

async function migrated(database: Database): Promise<string> {
  await migrateLatest(database, await requirePermit(database), { actor: 'suite' });
  return fingerprint((await readSchema(database.canvas)).tables, ['Sessions', 'HostSessions', 'HostSessionEvents']);
}

/** The checks of the gate that fail after a hand changed the schema of a ready target. */
async function failing(t: Owner, lane: Lane, statements: readonly string[]): Promise<string[]> {
  const scratch = await lane.ready(t);
  await openForRepair(scratch, (access) => execute(access, ...statements));
  return failures(scratch, 'schema');
}

async function failures(scratch: Scratch, group: string): Promise<string[]> {
  const result = await runHere(scratch, 'verify', ['--json', '--only', group]);
  const [report] = jsonLines(result) as { checks: { id: string; status: string }[] }[];
  return report?.checks.filter(({ status }) => status === 'fail').map(({ id }) => id) ?? [];
}

/** A column is missing, one takes NULL, one is shorter. */
const DRIFT: Readonly<Record<Dialect, readonly string[]>> = {
  postgres: [
    'ALTER TABLE canvas."HostSessions" DROP COLUMN "GuidFingerprint"',
    'ALTER TABLE canvas."HostSessions" ALTER COLUMN "HostGuidHash" DROP NOT NULL',
    'ALTER TABLE canvas."Sessions" ALTER COLUMN "Title" TYPE varchar(20)',
  ],
  mssql: [
    'ALTER TABLE canvas."HostSessions" DROP COLUMN "GuidFingerprint"',
    // Made anew: Babelfish has no ALTER COLUMN … NULL.
    'ALTER TABLE canvas."HostSessions" DROP COLUMN "CreatedAt"',
    'ALTER TABLE canvas."HostSessions" ADD "CreatedAt" datetime2 NULL',
    'ALTER TABLE canvas."Sessions" ALTER COLUMN "Title" nvarchar(20)',
  ],
};

/** A script as one stood then. */
const OLD_SCRIPT = `:on error exit
IF DB_NAME() <> N'KSESSIONS' RETURN;
GO
CREATE TABLE dbo.Harm (Id int);
GO
`;

/** Runs a script in a session of its own, which ends with it. */
async function runIn(database: string, script: string, client: Client): Promise<Ran> {
  const connection = await openMssql(database);
  try {
    return await runScript(connection, script, client);
  } finally {
    await close(connection);
  }
}

const CLIENTS: readonly Client[] = ['sqlcmd', 'goes on'];

/** The bundle for production, really run: where it does not belong, and with a statement that nobody can read. */
async function runHandoffs(t: ExecutionContext, { lane, scratch }: Stage): Promise<void> {
  const before = await open(scratch(), snapshot);
  for (const { name, text } of await scriptsFor('KSESSIONS')) {
    for (const client of CLIENTS) {
      const { errors } = await runIn(databaseOf(scratch()), text, client);
      // One where the server knows NOEXEC, or the client stops; elsewhere one for each batch but the head and the last.
      t.true([1, ...(client === 'sqlcmd' ? [] : [batchesOf(text).length - 2])].includes(errors.length), `${name}: ${errors.join(' ')}`);
      t.true(errors.every((error) => error.includes('This database is not KSESSIONS.')), name);
    }
  }
  t.deepEqual(await open(scratch(), snapshot), before);
  const database = databaseOf(await lane.bare(t));
  const answers = async (sql: string) => (await runIn(database, sql, 'sqlcmd')).rows;
  for (const client of CLIENTS) {
    const { errors } = await runIn(database, textOf(await scriptsFor(database, SLIP), 'migrate.sql'), client);
    t.regex(errors[0] ?? 'none', /TABEL/i, client);
    t.is(errors.length === 1, client === 'sqlcmd', errors.join('\n'));
    t.deepEqual(await answers(`SELECT OBJECT_ID(N'canvas.Links') AS id`), [{ id: null }], client);
    t.deepEqual(await answers('SELECT Name FROM canvas.MigrationLedger'), [], client);
  }
  t.deepEqual((await runIn(database, OLD_SCRIPT, 'sqlcmd')).errors, []);
  t.not((await answers(`SELECT OBJECT_ID(N'dbo.Harm') AS id`))[0]?.['id'], null, 'RETURN let the next batch begin');
}

const scriptsFor = async (database: string, folder?: string) =>
  (await composeHandoff(database, folder)).filter(({ name }) => name.endsWith('.sql'));

const FIXTURES = join(PACKAGE_ROOT, 'test', 'fixtures', 'migrations');
const SLIP = join(FIXTURES, 'slip');

export const SCHEMA: readonly Incident[] = [
  {
    id: 'I-12',
    happened: 'KSessionsId was added by hand and stood in no migration, so a new database lacked it',
    stops: 'A migration makes it where it is absent and takes it as it is where a hand made it; both end in one schema',
    where: ['migrations/20261122000300_nullable_columns.ts', 'migrations/20261122000400_constraints.ts', 'lib/migrations/sql.ts'],
    async replay(t, { lane }) {
      const ends: string[] = [];
      for (const state of ['b', 'c'] as const) {
        await open(await legacyTarget(t, lane, state), async (database) => {
          ends.push(await migrated(database));
          const { tables } = await readSchema(database.canvas);
          t.like(tables['Sessions']?.columns['KSessionsId'], { type: 'bigint', nullable: true }, state);
          t.true(tables['Sessions']?.indexes.some(({ columns, unique }) => unique && columns.join() === 'KSessionsId'), state);
        });
      }
      t.is(new Set(ends).size, 1, 'by hand and by migration: one schema');
    },
  },
  {
    id: 'I-13',
    happened: 'Explicit ids were inserted into an identity column, which the server refused in the middle of the work',
    stops: 'The toolkit names no id in any INSERT; the database refuses who does; a table without identity is out of scope',
    where: ['lib/hosts/store.ts', 'migrations/20261122000100_canvas_tables.ts'],
    async replay(t, { cleared, lane }) {
      const { codes, now, uuid } = PHRASES[lane.dialect];
      await cleared(async (access) => {
        const insert = `INSERT INTO canvas."Sessions" ("SessionId", "GroupId", "CreatedAt") VALUES (99, ${uuid}, ${now})`;
        t.true(codes.explicitId.includes(await answerTo(access, insert)), 'refused by the database');
        const { outcome } = await provisionHere(access, { ksessionsId: 212 });
        t.deepEqual([outcome.canvasSessionId, outcome.hostSessionId], [1, 1], 'given out by the database');
      });
      const scratch = await legacyTarget(t, lane, 'unsupported');
      t.is((await runHere(scratch, 'migrate', ['latest'])).code, 4);
      await open(scratch, async (database) => {
        t.is(await refusal(migrateLatest(database, await requirePermit(database), { actor: 'suite' })), 'SCHEMA_UNSUPPORTED');
      });
    },
  },
  {
    id: 'I-14',
    happened: 'Host sessions referred to canvas sessions that did not exist: a foreign key violation on an empty table',
    stops: 'Canvas session and host session are made in one transaction, in that order, and the foreign key is there and checked',
    where: ['lib/hosts/writing.ts', 'migrations/20261122000400_constraints.ts'],
    async replay(t, { cleared, lane }) {
      const { codes, no, now } = PHRASES[lane.dialect];
      await cleared(async (access) => {
        t.is(await count(access.database, 'canvas."Sessions"'), 0);
        await provisionHere(access, { ksessionsId: 15 });
        const orphans = `canvas."HostSessions" h WHERE NOT EXISTS (SELECT 1 FROM canvas."Sessions" s WHERE s."SessionId" = h."SessionId")`;
        t.deepEqual([await count(access.database, 'canvas."HostSessions"'), await count(access.database, orphans)], [1, 0]);
        const orphan = `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "CreatedAt", "IsActive") VALUES (4711, 'x', ${now}, ${no})`;
        t.true(codes.foreignKey.includes(await answerTo(access, orphan)));
      });
    },
  },
  {
    id: 'I-15',
    happened: 'A table rebuild silently lost unique constraints and indexes, and nothing looked afterwards',
    stops: 'The gate compares the live schema with what the migrations make: each lost rule is a check that fails',
    where: ['lib/checks/schema.ts', 'lib/migrations/schema.ts'],
    async replay(t, { lane }) {
      const lost = await failing(t, lane, [
        ...PHRASES[lane.dialect].replaceOneActive,
        'ALTER TABLE canvas."HostSessions" DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId"',
      ]);
      t.deepEqual(lost, ['schema.uniqueness', 'schema.foreign-keys']);
    },
  },
  {
    id: 'I-16',
    happened: 'Migrations that no tool saw, that were doubled, or that did something else than their name said',
    stops: 'A file that is no migration, a doubled timestamp and an edited file are refused; what a migration makes is compared with its shape',
    where: ['lib/migrations/files.ts', 'lib/migrations/plan.ts', 'lib/migrations/apply.ts'],
    async replay(t, { lane }) {
      for (const fault of ['misnamed', 'duplicate']) {
        t.is(t.throws(() => readMigrations(join(FIXTURES, fault)), { instanceOf: ToolkitError }, fault)?.code, 'CONFIG', fault);
      }
      await open(await lane.bare(t), async (database) => {
        await enrol(database, database.canvas.admission.identity.database, 'suite');
        const folder = join(PACKAGE_ROOT, 'test', 'fixtures', 'liar');
        const run = migrateLatest(database, await requirePermit(database), { actor: 'suite', folder });
        const error = await t.throwsAsync(run, { instanceOf: ToolkitError });
        t.regex(`${error.message} ${error.why}`, /20270101000000_adds_a_column[^]*Added/, 'it says that it adds a column, and adds none');
        t.is(await count(database, 'canvas."MigrationLedger"'), 0, 'nor does it stand in the books');
      });
    },
  },
  {
    id: 'I-17',
    happened: 'Development and production drifted: a column missing in one, later NULL where the code expected values',
    stops: 'The gate names every column that is missing, of another type or of another nullability',
    where: ['lib/checks/schema.ts', 'lib/migrations/schema.ts'],
    async replay(t, { lane }) {
      t.deepEqual(await failing(t, lane, DRIFT[lane.dialect]), ['schema.columns', 'schema.types', 'schema.nullability']);
    },
  },
  {
    id: 'I-18',
    happened: 'A script first ran on production, with syntax errors; RETURN before GO did not stop the later batches',
    stops: 'A migration can be rehearsed, and one that fails leaves nothing; every batch of a handoff begins with the protection against the wrong database and sets NOEXEC, none relies on RETURN',
    where: ['lib/migrations/run.ts', 'lib/migrations/script-file.ts', 'lib/migrations/handoff.ts'],
    async replay(t, stage) {
      const scripts = await scriptsFor('KSESSIONS');
      t.deepEqual(scripts.map(({ name }) => name), ['preflight.sql', 'migrate.sql', 'verify.sql']);
      for (const { name, text } of scripts) {
        const [, ...batches] = batchesOf(text);
        const open = batches.filter((batch) => !/^(IF ISNULL\(DB_ID\(N'KSESSIONS'\), -1\) <> DB_ID\(\) BEGIN .*SET NOEXEC ON;|SET NOEXEC OFF;$)/.test(batch));
        t.deepEqual(open, [], name);
        t.notRegex(text, /\bRETURN\b/, name);
        t.regex(text, /\n:on error exit\n/, name);
      }
      await open(await stage.lane.bare(t), async (database) => {
        await enrol(database, database.canvas.admission.identity.database, 'suite');
        for (const attempt of [rehearse, migrateLatest]) {
          const permit = await requirePermit(database);
          const before = (await readSchema(database.canvas)).tables;
          const error = await t.throwsAsync(attempt(database, permit, { actor: 'suite', folder: SLIP }), { instanceOf: ToolkitError });
          t.regex(error.why, /TABEL/, 'the server names what it could not read');
          t.deepEqual((await readSchema(database.canvas)).tables, before);
          t.is(await count(database, 'canvas."MigrationLedger"'), 0, 'nor does it stand in the books');
        }
      });
      // The scripts are for SQL Server: no other engine can run them.
      if (stage.lane.dialect === 'mssql') await runHandoffs(t, stage);
    },
  },
  {
    id: 'I-19',
    happened: 'Destructive scripts with the backup commented out dropped authentication and audit tables',
    stops: 'A plan says what a statement would lose; a rollback takes away nothing that was found and refuses where rows would be lost',
    where: ['lib/migrations/safety.ts', 'lib/migrations/losses.ts', 'lib/migrations/run.ts'],
    async replay(t, { lane }) {
      for (const statement of ['DROP TABLE canvas."AuditLog"', 'TRUNCATE TABLE canvas."Users"', 'DELETE FROM canvas."Users"']) {
        t.true(assess(lane.dialect, [statement]).some(({ severity }) => severity === 'danger'), statement);
      }
      const scratch = await migratedLegacy(t, lane, 'c');
      await openForRepair(scratch, async (access) => {
        const { database, permit } = access;
        const before = await contents((sql) => database.canvas.ask(sql));
        await provisionHere(access, { ksessionsId: 212 });
        t.is(await refusal(rollback(database, permit, { to: '0' })), 'DATA_NOT_READY', 'an event would be lost');
        const after = await contents((sql) => database.canvas.ask(sql));
        for (const table of ['Users', 'AuditLog', 'Registrations']) t.deepEqual(after[table], before[table], table);
      });
    },
  },
  {
    id: 'I-20',
    happened: 'Rows from before KSessionsId had NULL there, and the next run for the same session made a second canvas row',
    stops: 'Beside an unlinked canvas row of that title which opens, provisioning refuses and names the command that settles it',
    where: ['lib/hosts/provision.ts', 'lib/hosts/survey.ts', 'lib/hosts/consolidate.ts'],
    async replay(t, { lane }) {
      const scratch = await migratedLegacy(t, lane, 'c');
      await openForRepair(scratch, async (access) => {
        const { database, keys, permit } = access;
        await execute(access, `UPDATE canvas."Sessions" SET "Title" = 'Need For Messengers' WHERE "SessionId" = 215`);
        const rows = await count(database, 'canvas."Sessions"');
        const error = await t.throwsAsync(provisionHere(access, { ksessionsId: 212 }), { instanceOf: ToolkitError });
        t.is(error.code, 'CONFLICT');
        t.regex(error.hint, /--link 215=ID, where ID is .+ \(212 or another\)/);
        const request = { actor: 'suite', reason: null, apply: true };
        await link(database, permit, keys, { ...request, canvasSessionId: 215, ksessionsId: 212 });
        const { outcome } = await provisionHere(access, { ksessionsId: 212 });
        t.is(outcome.canvasSessionId, 215);
        t.is(await count(database, 'canvas."Sessions"'), rows, 'no second row');
      });
    },
  },
  {
    id: 'I-21',
    happened: 'An identity seed moved by hand-made rows; canvas 215 and KSESSIONS 215 were taken for the same session',
    stops: 'A canvas session is found by KSessionsId alone, both ids are printed with their labels, and a seed behind the rows is mended',
    where: ['lib/hosts/store.ts', 'lib/hosts/consolidate.ts', 'lib/cli/render.ts'],
    async replay(t, { lane }) {
      const scratch = await migratedLegacy(t, lane, 'd', { faults: ['seed-behind'] });
      await openForRepair(scratch, async (access) => {
        const { database, keys, permit } = access;
        const request = { actor: 'suite', reason: null, apply: true };
        await consolidate(database, permit, keys, request, () => Promise.resolve());
        t.is(await refusal(provisionHere(access, { ksessionsId: 215 })), 'CONFLICT', 'they even have one title: a person must say');
        await link(database, permit, keys, { ...request, canvasSessionId: 215, ksessionsId: null });
        const { outcome } = await provisionHere(access, { ksessionsId: 215 });
        t.not(outcome.canvasSessionId, 215, 'canvas 215 is another session');
        const [row] = await hostSessions(access, 215);
        t.deepEqual(row?.actions, ['provisioned']);
      });
      const told = await runHere(scratch, 'provision', ['215', '--if-exists', 'keep']);
      t.is(told.code, 0, told.stderr);
      t.regex(told.stdout, /KSESSIONS id +215\n[^]*Canvas session id +\d+\n/);
      t.notRegex(told.stdout, /^session id/im, 'never one of them alone');
    },
  },
];
