import test, { type ExecutionContext } from 'ava';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from 'tedious';
import { PACKAGE_ROOT, packageVersion } from '../../lib/config/settings';
import { askRaw, close } from '../../lib/engines/mssql-client';
import { ToolkitError } from '../../lib/errors';
import { enrol, requirePermit } from '../../lib/migrations/enrol';
import { readMigrations } from '../../lib/migrations/files';
import { composeHandoff, writeHandoff } from '../../lib/migrations/handoff';
import { batchesOf, runScript, textOf, type Ran } from '../helpers/bundle';
import { databaseOf, mssqlLane, mssqlUrl, onMssqlServer, open, openMssql } from '../helpers/lanes';

const FIXTURE = join(PACKAGE_ROOT, 'test', 'fixtures', 'migrations', 'handoff');
const GOLDEN = join(PACKAGE_ROOT, 'test', 'golden', 'handoff');

function scratchFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-handoff-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('the same migrations and the same name give the same bytes', async (t) => {
  const [once, again] = [await composeHandoff('KSESSIONS'), await composeHandoff('KSESSIONS')];
  t.deepEqual(again, once);
  t.deepEqual(once.map(({ name }) => name), ['preflight.sql', 'migrate.sql', 'verify.sql', 'MANIFEST.json']);
});

// Reviewed as a file by people. A deliberate change: delete the golden files, run the tests once, read the new ones.
test('the scripts of one small migration read as they always did', async (t) => {
  const files = await composeHandoff('EXAMPLE', FIXTURE);
  for (const { name, text } of files.filter((file) => file.name.endsWith('.sql'))) {
    const golden = join(GOLDEN, name);
    const stable = text.replaceAll(packageVersion(), 'VERSION').replaceAll(/\b[0-9a-f]{64}\b/g, 'CHECKSUM');
    if (!existsSync(golden) && process.env['CI'] === undefined) writeFileSync(golden, stable);
    t.is(stable, readFileSync(golden, 'utf8'), name);
  }
});

test('the manifest holds the sum of each script and of each migration', async (t) => {
  const files = await composeHandoff('KSESSIONS');
  const manifest = JSON.parse(textOf(files, 'MANIFEST.json')) as Record<string, unknown>;
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  t.like(manifest, { schema: 'canvas-handoff/1', database: 'KSESSIONS', toolVersion: packageVersion() });
  t.deepEqual(manifest['migrations'], readMigrations().map(({ name, checksum }) => ({ name, checksum })));
  t.deepEqual(manifest['files'], files.slice(0, 3).map(({ name, text }) => ({ name, sha256: sha256(text), bytes: text.length })));
});

test('every batch begins with the protection; the last one only gives the session back', async (t) => {
  for (const { name, text } of (await composeHandoff('KSESSIONS')).slice(0, 3)) {
    const batches = batchesOf(text.slice(text.indexOf('\nGO\n') + 4));
    t.is(batches.pop(), 'SET NOEXEC OFF;', name);
    const unprotected = batches.filter(
      (batch) => !/^IF ISNULL\(DB_ID\(N'KSESSIONS'\), -1\) <> DB_ID\(\) BEGIN RAISERROR .+ SET NOEXEC ON; THROW .+ END;\n/.test(batch),
    );
    t.deepEqual(unprotected, [], name);
    t.true(batches.length > 4);
    // RETURN would end one batch and let the next one begin (I-18).
    t.notRegex(text, /\bRETURN\b/);
    t.true(text.includes('\n:on error exit\n'));
  }
});

test('a name that is not plain is refused, for it stands in what others run', async (t) => {
  for (const name of ['', "K'; DROP", 'K]', '$(x)', 'K\nGO', 'x'.repeat(129)]) {
    const error = await t.throwsAsync(composeHandoff(name), { instanceOf: ToolkitError });
    t.is(error.code, 'USAGE', name);
  }
});

test('nothing is ever overwritten, and a refused bundle leaves nothing', async (t) => {
  const folder = scratchFolder(t);
  const files = await composeHandoff('KSESSIONS', FIXTURE);
  writeHandoff(join(folder, 'new', 'deep'), files);
  for (const { name, text } of files) t.is(readFileSync(join(folder, 'new', 'deep', name), 'utf8'), text);
  t.throws(() => writeHandoff(join(folder, 'new', 'deep'), files), { message: /is not empty/ });
  const other = join(folder, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'notes.txt'), 'mine');
  t.throws(() => writeHandoff(other, files), { message: /is not empty/ });
  t.deepEqual(readdirSync(other), ['notes.txt']);
  const error = t.throws(() => writeHandoff(join(other, 'notes.txt'), files), { instanceOf: ToolkitError });
  t.is(error.code, 'CONFIG');
});

// --- on a TDS server -----------------------------------------------------------------------------------------------

const server = mssqlUrl === undefined ? test.skip : test.serial;

/** A session of its own on a database of its own. */
async function withSession<T>(t: ExecutionContext, work: (connection: Connection, database: string) => Promise<T>): Promise<T> {
  const database = `canvas_test_${randomBytes(6).toString('hex')}`;
  await onMssqlServer(`CREATE DATABASE ${database}`);
  t.teardown(() => onMssqlServer(`DROP DATABASE IF EXISTS ${database}`));
  const connection = await openMssql(database);
  try {
    return await work(connection, database);
  } finally {
    await close(connection);
  }
}

const failures = ({ rows }: Ran) => rows.filter(({ status }) => status === 'FAIL').map(({ what }) => what);

server('mssql: the bundle makes an empty database whole, says so, and does nothing the second time', async (t) => {
  await withSession(t, async (connection, database) => {
    const files = await composeHandoff(database);
    const before = await runScript(connection, textOf(files, 'preflight.sql'));
    t.deepEqual([before.errors, failures(before)], [[], []]);
    t.true(failures(await runScript(connection, textOf(files, 'verify.sql'))).length > 20, 'not migrated yet');

    t.deepEqual((await runScript(connection, textOf(files, 'migrate.sql'))).errors, []);
    const verified = await runScript(connection, textOf(files, 'verify.sql'));
    t.deepEqual([verified.errors, failures(verified)], [[], []]);

    const books = `SELECT l.Name, l.Objects, h.batch FROM canvas.MigrationLedger l
      JOIN canvas.knex_migrations h ON h.name = l.Name ORDER BY l.Name`;
    const rows = await askRaw(connection, books, 60_000);
    t.is(rows.length, readMigrations().length);
    t.deepEqual((await runScript(connection, textOf(files, 'migrate.sql'))).errors, [], 'a second run');
    t.deepEqual(await askRaw(connection, books, 60_000), rows);
  });
});

server('mssql: in another database, or where an earlier step failed, nothing is executed', async (t) => {
  await withSession(t, async (connection, database) => {
    const elsewhere = await composeHandoff(`${database}_OTHER`);
    for (const { name, text } of elsewhere.slice(0, 3)) {
      const ran = await runScript(connection, text);
      // One where the server knows NOEXEC; elsewhere one for each batch but the head and the last.
      t.true([1, batchesOf(text).length - 2].includes(ran.errors.length), `${name}: ${ran.errors.length}`);
      t.true(ran.errors.every((message) => message.includes(`This database is not ${database}_OTHER.`)), name);
    }
    const tables = `SELECT name FROM sys.tables WHERE schema_id = SCHEMA_ID(N'canvas')`;
    t.deepEqual(await askRaw(connection, tables, 60_000), []);

    // The client goes on after the error; the script must not.
    await askRaw(connection, 'CREATE SCHEMA canvas', 60_000);
    await askRaw(connection, 'CREATE TABLE canvas.Sessions (SessionId int NOT NULL PRIMARY KEY)', 60_000);
    const files = await composeHandoff(database);
    const preflight = await runScript(connection, textOf(files, 'preflight.sql'));
    t.true(failures(preflight).some((what) => String(what).includes('canvas.Sessions.SessionId is bigint NOT NULL, identity')));
    t.is(preflight.errors.length, 1);
    const ran = await runScript(connection, textOf(files, 'migrate.sql'));
    t.regex(ran.errors[0] ?? '', /SCHEMA_UNSUPPORTED|no identity/);
    t.true(ran.errors.length > 1, 'and what comes after it refuses, too');
    t.deepEqual(await askRaw(connection, 'SELECT Name FROM canvas.MigrationLedger', 60_000), []);
    t.deepEqual((await askRaw(connection, tables, 60_000)).length, 5, 'the books, the mark and what was there');
  });
});

server('mssql: an edited migration, an unknown one and another enrolment each stop the script', async (t) => {
  await withSession(t, async (connection, database) => {
    const files = await composeHandoff(database);
    const migrate = textOf(files, 'migrate.sql');
    t.deepEqual((await runScript(connection, migrate)).errors, []);
    const stoppedBy = async (change: string, undo: string, message: RegExp) => {
      await askRaw(connection, change, 60_000);
      t.regex((await runScript(connection, migrate)).errors[0] ?? '', message, change);
      await askRaw(connection, undo, 60_000);
    };
    const first = readMigrations()[0];
    await stoppedBy(
      `UPDATE canvas.MigrationLedger SET Checksum = N'x' WHERE Name = N'${first?.name}'`,
      `UPDATE canvas.MigrationLedger SET Checksum = N'${first?.checksum}' WHERE Name = N'${first?.name}'`,
      /MIGRATION_EDITED/,
    );
    await stoppedBy(
      `UPDATE canvas.MigrationLedger SET Name = N'2099' WHERE Name = N'${first?.name}'`,
      `UPDATE canvas.MigrationLedger SET Name = N'${first?.name}' WHERE Name = N'2099'`,
      /the newer bundle/,
    );
    await stoppedBy(
      `UPDATE canvas.Environment SET Environment = N'development'`,
      `UPDATE canvas.Environment SET Environment = N'production'`,
      /not as production/,
    );
    t.deepEqual((await runScript(connection, migrate)).errors, []);

    await askRaw(connection, 'DROP TRIGGER canvas.TR_HostSessionEvents_AppendOnly', 60_000);
    const verified = await runScript(connection, textOf(files, 'verify.sql'));
    t.deepEqual(failures(verified), ['canvas.HostSessionEvents refuses UPDATE and DELETE']);
    t.is(verified.errors.length, 1, 'and the script ends with an error');
  });
});

/** What a hand did to foreign keys of a database that was migrated, and what both looks say of it. */
const FOREIGN_KEYS: readonly (readonly [title: string, change: string])[] = [
  ['a second one that refuses what the first lets through',
    'ALTER TABLE canvas.HostSessions ADD CONSTRAINT second FOREIGN KEY (SessionId) REFERENCES canvas.Sessions (SessionId)'],
  ['the right name and another rule',
    `ALTER TABLE canvas.HostSessions DROP CONSTRAINT FK_HostSessions_Sessions_SessionId;
     ALTER TABLE canvas.HostSessions ADD CONSTRAINT FK_HostSessions_Sessions_SessionId
       FOREIGN KEY (SessionId) REFERENCES canvas.Sessions (SessionId)`],
  ['the right name and another target',
    `ALTER TABLE canvas.HostSessions DROP CONSTRAINT FK_HostSessions_Sessions_SessionId;
     CREATE TABLE canvas.Other (SessionId bigint NOT NULL PRIMARY KEY);
     ALTER TABLE canvas.HostSessions ADD CONSTRAINT FK_HostSessions_Sessions_SessionId
       FOREIGN KEY (SessionId) REFERENCES canvas.Other (SessionId) ON DELETE CASCADE`],
  ['the right name and another column, beside the right one',
    `ALTER TABLE canvas.HostSessions DROP CONSTRAINT FK_HostSessions_Sessions_SessionId;
     ALTER TABLE canvas.HostSessions ADD CONSTRAINT by_hand
       FOREIGN KEY (SessionId) REFERENCES canvas.Sessions (SessionId) ON DELETE CASCADE;
     ALTER TABLE canvas.HostSessions ADD CONSTRAINT FK_HostSessions_Sessions_SessionId
       FOREIGN KEY (HostSessionId) REFERENCES canvas.Sessions (SessionId) ON DELETE CASCADE`],
];

const AS_IT_WAS = `DECLARE @drop nvarchar(max) = (SELECT STRING_AGG(CONCAT('ALTER TABLE canvas.HostSessions DROP CONSTRAINT ', f.name), '; ')
    FROM sys.foreign_keys f WHERE f.parent_object_id = OBJECT_ID('canvas.HostSessions'));
  EXEC (@drop);
  DROP TABLE IF EXISTS canvas.Other;
  ALTER TABLE canvas.HostSessions ADD CONSTRAINT FK_HostSessions_Sessions_SessionId
    FOREIGN KEY (SessionId) REFERENCES canvas.Sessions (SessionId) ON DELETE CASCADE`;

server('mssql: a foreign key that is otherwise, or one too many, is told before and after', async (t) => {
  await withSession(t, async (connection, database) => {
    const files = await composeHandoff(database);
    t.deepEqual((await runScript(connection, textOf(files, 'migrate.sql'))).errors, []);
    for (const [title, change] of FOREIGN_KEYS) {
      for (const statement of change.split(';')) await askRaw(connection, statement, 60_000);
      for (const name of ['preflight.sql', 'verify.sql']) {
        const told = failures(await runScript(connection, textOf(files, name))).join(' ');
        t.regex(told, /each foreign key of canvas\.HostSessions on \(SessionId\) or called FK_HostSessions_Sessions_SessionId/, `${title}: ${name}`);
      }
      await askRaw(connection, AS_IT_WAS, 60_000);
    }
    for (const name of ['preflight.sql', 'verify.sql']) {
      const ran = await runScript(connection, textOf(files, name));
      t.deepEqual([ran.errors, failures(ran)], [[], []], `${name}: nothing of it stayed`);
    }
  });
});

server('mssql: a trigger by hand is told by verify.sql while it is enabled, and stops no migration', async (t) => {
  await withSession(t, async (connection, database) => {
    const files = await composeHandoff(database);
    t.deepEqual((await runScript(connection, textOf(files, 'migrate.sql'))).errors, []);
    const told = async () => failures(await runScript(connection, textOf(files, 'verify.sql')));
    t.deepEqual(await told(), []);
    for (const table of ['Sessions', 'HostSessions', 'HostSessionEvents', 'MigrationLedger', 'Environment']) {
      await askRaw(connection, `CREATE TRIGGER canvas.by_hand ON canvas.${table} AFTER INSERT AS RETURN`, 60_000);
      t.deepEqual(await told(), [`canvas.${table} has no enabled trigger but those of the migrations`]);
      t.deepEqual((await runScript(connection, textOf(files, 'migrate.sql'))).errors, [], table);
      await askRaw(connection, 'DROP TRIGGER canvas.by_hand', 60_000);
    }
  });
});

server('mssql: a name that something else has is told before anything is changed', async (t) => {
  await withSession(t, async (connection, database) => {
    await askRaw(connection, 'CREATE SCHEMA canvas', 60_000);
    await askRaw(connection, 'CREATE TABLE canvas.Other (Id int NOT NULL CONSTRAINT PK_HostSessionEvents PRIMARY KEY)', 60_000);
    await askRaw(connection, 'CREATE VIEW canvas.HostSessions AS SELECT 1 AS SessionId', 60_000);
    const files = await composeHandoff(database);
    const told = failures(await runScript(connection, textOf(files, 'preflight.sql')));
    t.deepEqual(told.filter((what) => String(what).startsWith('nothing else')), [
      'nothing else has the name HostSessions (a table)',
      'nothing else has the name PK_HostSessionEvents (a constraint of canvas.HostSessionEvents)',
    ]);
  });
});

server('mssql: a database marked by the bundle is refused by this toolkit', async (t) => {
  const scratch = await mssqlLane.empty(t);
  const database = databaseOf(scratch);
  const connection = await openMssql(database);
  try {
    const files = await composeHandoff(database);
    t.deepEqual((await runScript(connection, textOf(files, 'migrate.sql'))).errors, []);
  } finally {
    await close(connection);
  }
  await open(scratch, async (opened) => {
    for (const work of [() => requirePermit(opened), () => enrol(opened, database, 'suite')]) {
      const error = await t.throwsAsync<ToolkitError>(work());
      t.is(error?.code, 'GUARD_MARKER');
    }
  });
});
