/** What every engine must do, written once; each engine's test hands it a lane. */
import test from 'ava';
import { createHmac } from 'node:crypto';
import { withTransaction } from '../../lib/engines/database';
import { ToolkitError, type Code } from '../../lib/errors';
import { previewProvision, provision, type ProvisionRequest } from '../../lib/hosts/provision';
import { countRows } from '../../lib/hosts/survey';
import { migrateLatest } from '../../lib/migrations/run';
import { listObjects } from '../../lib/migrations/live-schema';
import { seed } from '../../seeds/ksessions_samples';
import { access, execute, TEST_KEY, type Lane } from '../helpers/lanes';
import { long } from '../helpers/long';
import { PHRASES, serverCode } from '../helpers/phrases';
import { start } from '../helpers/script';
import { shareAccess } from '../helpers/shared';
import { count, hostSessions, provisionHere, rowsOf, snapshot, verifies } from '../helpers/state';
import { exerciseChanges } from './changes';

const DAY_MS = 86_400_000;
const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

/** Registers the suite for one lane. */
export function exercise(lane: Lane): void {
  const name = (title: string) => `${lane.name}: ${title}`;
  const say = PHRASES[lane.dialect];
  const { codes } = say;
  const withCleared = shareAccess(lane);
  exerciseChanges(lane, withCleared);

  test.serial(name('provisioning makes both rows in one go and stores only the hash, twice'), async (t) => {
    await withCleared(t, async (open) => {
      const { outcome, guid } = await provisionHere(open, { ksessionsId: 15 });
      const hash = createHmac('sha256', TEST_KEY).update(guid).digest('base64');
      const [row] = await open.database.canvas.ask(`SELECT h."HostGuidHash", s."HostGuid", CAST(s."KSessionsId" AS int) AS "KSessionsId",
        s."Status", s."Title" FROM canvas."HostSessions" h JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"`);
      t.deepEqual(row, {
        HostGuidHash: hash, HostGuid: hash, KSessionsId: 15, Status: 'Created', Title: 'Review of the word ISLAM',
      });
      t.like(outcome, { status: 'provisioned', canvasSessionId: 1, hostSessionId: 1, isSuperseded: false });
      t.false(JSON.stringify(await snapshot(open.database)).includes(guid), 'the GUID itself is stored nowhere');
    });
  });

  test.serial(name('a second run rotates in place: same row, new hash, two events, who made it stays'), async (t) => {
    await withCleared(t, async (open) => {
      const expiresAt = new Date(Date.now() + DAY_MS);
      const first = await provisionHere(open, { ksessionsId: 15, actor: 'Ada', expiresAt });
      const [before] = await hostSessions(open, 15);
      const second = await provisionHere(open, { ksessionsId: 15, actor: 'Grace', reason: 'lost' });
      const rows = await hostSessions(open, 15);
      t.is(rows.length, 1);
      const [after] = rows;
      t.is(after?.hostSessionId, before?.hostSessionId);
      t.not(after?.hash, before?.hash);
      t.deepEqual([after?.createdAt, after?.createdBy, after?.expiresAt], [before?.createdAt, 'Ada', expiresAt]);
      t.false(verifies(open, first.guid, after), 'the old GUID no longer verifies');
      t.true(verifies(open, second.guid, after));
      t.deepEqual(after?.actions, ['provisioned', 'rotated']);
      t.deepEqual(after?.chain, { holds: true, events: 2 });
      t.like(second.outcome, { status: 'rotated', replacedActor: 'Ada', createdBy: 'Ada', reason: 'lost' });
    });
  });

  test.serial(name('text is stored as it was given, or nothing is: quotes, backslashes, signs of other scripts'), async (t) => {
    await withCleared(t, async (open) => {
      const before = await rowsOf(open.database);
      const [actor, reason] = ['DOMAIN\\ada', `it's "lost" \\n ]x{ % ? :a \u0625\u0644\u{1F600}`];
      const made = await provisionHere(open, { ksessionsId: 15, actor, reason }).catch((error: unknown) => error);
      if (made instanceof ToolkitError && lane.name === 'mssql') {
        // Babelfish, which leaves the escapes of JSON in a text, and SQL Server does not.
        t.is(made.code, 'SCHEMA_UNSUPPORTED');
        t.deepEqual(await rowsOf(open.database), before);
        t.is((await open.database.canvas.ask(`SELECT 1 AS "one" WHERE SERVERPROPERTY('Babelfish') = 1`)).length, 1);
        return;
      }
      const [event] = await open.database.canvas.ask('SELECT e."Actor", e."Reason" FROM canvas."HostSessionEvents" e');
      t.deepEqual(event, { Actor: actor, Reason: reason });
      t.deepEqual((await hostSessions(open, 15))[0]?.chain, { holds: true, events: 1 });
    });
  });

  test.serial(name('an unknown session, one without transcripts and a past date write nothing'), async (t) => {
    await withCleared(t, async (open) => {
      const before = await snapshot(open.database);
      const refused = async (request: Partial<ProvisionRequest> & { ksessionsId: number }, code: Code) => {
        const error = await t.throwsAsync(provisionHere(open, request), { instanceOf: ToolkitError });
        t.is(error.code, code);
      };
      await refused({ ksessionsId: 99999 }, 'SESSION_NOT_FOUND');
      await refused({ ksessionsId: 213 }, 'NO_TRANSCRIPTS');
      await refused({ ksessionsId: 15, expiresAt: new Date(Date.now() - DAY_MS) }, 'USAGE');
      t.deepEqual(await snapshot(open.database), before);
    });
  });

  test.serial(name('a preview leaves every row and every sequence as it was'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15 });
      const before = await snapshot(open.database);
      const request = { actor: 'suite', reason: null, expiresAt: undefined, ifExists: 'rotate' as const };
      t.like(await previewProvision(open.database, { ...request, ksessionsId: 15 }), {
        action: 'rotate', canvasSessionId: 1,
      });
      t.like(await previewProvision(open.database, { ...request, ksessionsId: 212 }), {
        action: 'provision', canvasSessionId: null,
      });
      t.deepEqual(await snapshot(open.database), before);
    });
  });

  test.serial(name('where a credential is live: keep changes nothing, fail is a conflict, so is another than confirmed'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15 });
      const before = await rowsOf(open.database);
      const kept = await provisionHere(open, { ksessionsId: 15, ifExists: 'keep' });
      t.deepEqual([kept.outcome.status, kept.guid, kept.outcome.operationId], ['kept', '', null]);
      for (const request of [{ ifExists: 'fail' as const }, { confirmed: new Map([[15, 'another hash']]) }]) {
        const error = await t.throwsAsync(provisionHere(open, { ksessionsId: 15, ...request }));
        t.is((error as ToolkitError).code, 'CONFLICT');
      }
      t.deepEqual(await rowsOf(open.database), before);
      const hash = (await hostSessions(open, 15))[0]?.hash ?? '';
      await provisionHere(open, { ksessionsId: 15, confirmed: new Map([[15, hash]]) });
      t.is((await hostSessions(open, 15))[0]?.actions.length, 2);
    });
  });

  test.serial(name('a GUID that cannot be handed over changes nothing'), async (t) => {
    await withCleared(t, async (open) => {
      const { guid } = await provisionHere(open, { ksessionsId: 15 });
      const before = await rowsOf(open.database);
      const guids: string[] = [];
      const request = { ksessionsId: 15, actor: 'suite', reason: null, expiresAt: undefined, ifExists: 'rotate' } as const;
      const error = await t.throwsAsync(
        provision(open.database, open.permit, open.keys, request, {
          handOver: () => Promise.reject(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
          withdraw: () => guids.push('withdrawn'),
        }),
        { instanceOf: ToolkitError },
      );
      t.deepEqual(guids, ['withdrawn']);
      t.regex(`${error.message} ${error.why}`, /nothing was changed.+EPIPE.+is void/);
      t.deepEqual(await rowsOf(open.database), before);
      t.true(verifies(open, guid, (await hostSessions(open, 15))[0]));
    });
  });

  test.serial(name('a credential past its date is ended, and a new row is made'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15, expiresAt: new Date(Date.now() + DAY_MS) });
      await execute(open, `UPDATE canvas."HostSessions" SET "ExpiresAt" = ${say.yesterday}`);
      const { outcome } = await provisionHere(open, { ksessionsId: 15 });
      t.like(outcome, { status: 'provisioned', canvasSessionId: 1, hostSessionId: 2, expiresAt: null });
      const rows = await hostSessions(open, 15);
      t.deepEqual(rows.map(({ isActive, actions }) => [isActive, ...actions]), [
        [false, 'provisioned', 'expired'],
        [true, 'provisioned'],
      ]);
      t.true(rows.every(({ chain }) => chain.holds));
    });
  });

  test.serial(name('a changed, a removed and a cut-off event each break the chain'), async (t) => {
    await withCleared(t, async (open) => {
      for (let round = 0; round < 3; round += 1) await provisionHere(open, { ksessionsId: 15 });
      const tamper = async (statement: string) => {
        const seen: unknown[] = [];
        await t.throwsAsync(
          withTransaction(open.database, open.permit, undefined, async (writer) => {
            await writer.sql.raw(say.unprotectTrail);
            await writer.sql.raw(statement);
            const inside = { ...open, database: { ...open.database, canvas: writer } };
            seen.push((await hostSessions(inside, 15))[0]?.chain.holds);
            throw new Error('roll back');
          }),
          { message: 'roll back' },
        );
        t.deepEqual(seen, [false], statement);
      };
      await tamper(`UPDATE canvas."HostSessionEvents" SET "Actor" = 'nobody' WHERE "Sequence" = 2`);
      await tamper(`DELETE FROM canvas."HostSessionEvents" WHERE "Sequence" = 2`);
      await tamper(`DELETE FROM canvas."HostSessionEvents" WHERE "Sequence" = 3`);
      t.true((await hostSessions(open, 15))[0]?.chain.holds);
    });
  });

  long(name('eight processes provisioning one session at once: one live row, one unbroken chain'), async (t) => {
    t.timeout(150_000);
    const scratch = await lane.ready(t);
    const run = (...words: string[]) => start(scratch, 'provision', ['15', '--wait', '100', ...words]).finished;
    const results = await Promise.all([run(), ...Array.from({ length: 7 }, () => run('--quiet'))]);
    const told = results.map(({ stderr }) => stderr).join('\n');
    t.deepEqual(results.map(({ code }) => code), Array(8).fill(0), told);
    const [text = '', ...guids] = results.map(({ stdout }) => stdout);
    t.regex(text, /KSESSIONS id +15\n[^]*Canvas session id +1\n/);
    t.is(/sample data/.test(text), lane.name === 'pglite');
    guids.push(GUID.exec(text)?.[0] ?? '');
    await access(scratch, async (open) => {
      const rows = await hostSessions(open, 15);
      t.is(rows.length, 1);
      t.deepEqual(rows[0]?.chain, { holds: true, events: 8 });
      t.is(guids.filter((guid) => verifies(open, guid, rows[0])).length, 1);
    });
  });

  test.serial(name('the database itself refuses explicit ids, a second live row and a change of events'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15 });
      const before = await rowsOf(open.database);
      const hostRow = '("SessionId", "HostGuidHash", "CreatedAt", "IsActive") VALUES';
      const session = `INSERT INTO canvas."Sessions"`;
      const attempts: [readonly string[], string][] = [
        [codes.explicitId, `${session} ("SessionId", "GroupId", "CreatedAt") VALUES (99, ${say.uuid}, ${say.now})`],
        [codes.explicitId, `INSERT INTO canvas."HostSessions" ("HostSessionId", "SessionId", "HostGuidHash", "CreatedAt", "IsActive")
          VALUES (99, 1, 'x', ${say.now}, ${say.no})`],
        [codes.duplicate, `INSERT INTO canvas."HostSessions" ${hostRow} (1, 'x', ${say.now}, ${say.yes})`],
        [codes.duplicate, `${session} ("GroupId", "CreatedAt", "KSessionsId") VALUES (${say.uuid}, ${say.now}, 15)`],
        [codes.foreignKey, `INSERT INTO canvas."HostSessions" ${hostRow} (4711, 'x', ${say.now}, ${say.no})`],
        [codes.appendOnly, `UPDATE canvas."HostSessionEvents" SET "Actor" = 'nobody'`],
        [codes.appendOnly, `DELETE FROM canvas."HostSessionEvents"`],
      ];
      // SQL Server has no trigger that sees TRUNCATE.
      if (lane.dialect === 'postgres') attempts.push([codes.appendOnly, `TRUNCATE canvas."HostSessionEvents"`]);
      for (const [expected, statement] of attempts) {
        const error = await t.throwsAsync(execute(open, statement));
        t.true(expected.includes(serverCode(error)), `${statement}: ${serverCode(error)} ${error.message}`);
      }
      t.deepEqual(await rowsOf(open.database), before);
    });
  });

  test.serial(name('outside a permitted transaction nothing can be written'), async (t) => {
    await withCleared(t, async ({ database }) => {
      if (lane.dialect === 'postgres') {
        const statement = `SELECT setval(pg_get_serial_sequence('canvas."Sessions"', 'SessionId'), 500)`;
        t.is(serverCode(await t.throwsAsync(database.canvas.ask(statement))), '25006', 'the session is read-only');
      }
      await t.throwsAsync(database.canvas.ask('DELETE FROM canvas."Sessions"'), { message: 'A Reader only reads.' });
    });
  });

  test.serial(name('nothing rides behind the SELECT of a Reader'), async (t) => {
    await withCleared(t, async ({ database }) => {
      const before = await rowsOf(database);
      const riders = [
        'SELECT 1; COMMIT; BEGIN READ WRITE; DELETE FROM dbo."Sessions"; COMMIT',
        'SELECT * INTO dbo."Copy" FROM dbo."Sessions"',
      ];
      // Two statements to SQL Server; to PostgreSQL the word behind the 1 is the name of a column.
      const columns = [
        'SELECT 1 DELETE FROM dbo."Sessions"',
        `SELECT 1 -- '\n DELETE FROM dbo."Sessions" -- '`,
        `SELECT 1 /* ' */ DELETE FROM dbo."Sessions" /* '*/`,
      ];
      if (lane.dialect === 'mssql') riders.push(...columns);
      else for (const column of columns) t.like((await database.canvas.ask(column))[0], { delete: 1 });
      for (const rider of riders) await t.throwsAsync(database.canvas.ask(rider), undefined, rider);
      t.deepEqual(await rowsOf(database), before);
    });
  });

  test.serial(name('a table of the application may have any name'), async (t) => {
    await withCleared(t, async (open) => {
      const table = `It's ] 100% "so" -- is it? /* [no`;
      const quoted = `canvas."${table.replaceAll('"', '""').replaceAll('?', '\\?')}"`;
      await execute(open, `CREATE TABLE ${quoted} ("Id" int)`, `INSERT INTO ${quoted} VALUES (1)`);
      try {
        t.is((await countRows(open.database.canvas))[table], 1);
      } finally {
        await execute(open, `DROP TABLE ${quoted}`);
      }
    });
  });

  test.serial(name('keeping a credential whose hash copy differs is refused: it opens nothing'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15 });
      await execute(open, `UPDATE canvas."Sessions" SET "HostGuid" = ''`);
      const error = await t.throwsAsync(provisionHere(open, { ksessionsId: 15, ifExists: 'keep' }), {
        instanceOf: ToolkitError,
      });
      t.is(error.code, 'CONFLICT');
      const { guid } = await provisionHere(open, { ksessionsId: 15 });
      t.true(verifies(open, guid, (await hostSessions(open, 15))[0]), 'rotating mends it');
    });
  });

  test.serial(name('beside an unlinked canvas row of the same title that the login opens, nothing is made (I-20)'), async (t) => {
    await withCleared(t, async (open) => {
      await execute(open, `INSERT INTO canvas."Sessions" ("GroupId", "CreatedAt", "Title", "HostGuid")
        VALUES (${say.uuid}, ${say.now}, ' review of the WORD Islam ', 'a hash and no host session')`);
      const before = await rowsOf(open.database);
      const error = await t.throwsAsync(provisionHere(open, { ksessionsId: 15 }), { instanceOf: ToolkitError });
      t.is(error.code, 'CONFLICT');
      t.deepEqual(await rowsOf(open.database), before);
      t.is((await provisionHere(open, { ksessionsId: 212 })).outcome.status, 'provisioned');
    });
  });

  test.serial(name('an identity behind its largest id is told as what it is'), async (t) => {
    await withCleared(t, async (open) => {
      for (const ksessionsId of [15, 212]) await provisionHere(open, { ksessionsId });
      await execute(open, say.restartSessions);
      const error = await t.throwsAsync(provisionHere(open, { ksessionsId: 215 }), { instanceOf: ToolkitError });
      t.is(error.code, 'DATA_NOT_READY');
    });
  });

  test.serial(name('migrations turn protection on again and are not fooled by an index that only looks alike'), async (t) => {
    await access(await lane.ready(t), async (open) => {
      const { database, permit } = open;
      await execute(
        open,
        say.unprotectTrail,
        ...say.replaceOneActive,
        'DELETE FROM canvas."MigrationLedger"',
        'DELETE FROM canvas."knex_migrations"',
      );
      await migrateLatest(database, permit, { actor: 'suite' });
      await provisionHere(open, { ksessionsId: 15 });
      const second = `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "CreatedAt", "IsActive")
        VALUES (1, 'x', ${say.now}, ${say.yes})`;
      t.true(codes.duplicate.includes(serverCode(await t.throwsAsync(execute(open, second)))));
      const change = `UPDATE canvas."HostSessionEvents" SET "Actor" = 'nobody'`;
      t.true(codes.appendOnly.includes(serverCode(await t.throwsAsync(execute(open, change)))));
    });
  });

  test.serial(name('deleting a canvas session, as the application does, takes its host session and leaves the trail'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15 });
      await execute(open, `DELETE FROM canvas."Sessions" WHERE "KSessionsId" = 15`);
      t.is(await count(open.database, 'canvas."HostSessions"'), 0);
      t.is(await count(open.database, 'canvas."HostSessionEvents"'), 1);
    });
  });

  test.serial(name('migrations and seeds are no-ops the second time, even without the ledger'), async (t) => {
    await access(await lane.ready(t), async (open) => {
      const { database, permit } = open;
      const objects = () => withTransaction(database, permit, undefined, listObjects);
      const before = await objects();
      t.deepEqual(await migrateLatest(database, permit, { actor: 'suite' }), []);
      await execute(open, 'DELETE FROM canvas."MigrationLedger"', 'DELETE FROM canvas."knex_migrations"');
      t.is((await migrateLatest(database, permit, { actor: 'suite' })).length, 4);
      t.deepEqual(await objects(), before);
      const ledger = await database.canvas.ask<{ Objects: string }>('SELECT "Objects" FROM canvas."MigrationLedger"');
      t.true(ledger.every(({ Objects }) => Objects.startsWith('{"made":[],"found":["')), 'what was found was not made');
      const rows = await rowsOf(database);
      await withTransaction(database, permit, undefined, (writer) => seed(writer.sql));
      t.deepEqual(await rowsOf(database), rows);
    });
  });
}
