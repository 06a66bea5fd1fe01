/** Integrity: I-32 to I-37. */
import type { Access } from '../../lib/access';
import { readClock } from '../../lib/engines/database';
import type { Dialect } from '../../lib/engines/engine';
import { applyChanges } from '../../lib/hosts/change';
import { authenticateHost } from '../../lib/hosts/authenticate';
import { revoking } from '../../lib/hosts/revoke';
import { access, execute } from '../helpers/lanes';
import { PHRASES, serverCode } from '../helpers/phrases';
import { jsonLines, run, runHere } from '../helpers/script';
import { count, hostSessions, provisionHere, rowsOf, verifies } from '../helpers/state';
import { findingsOf, type Incident } from './incident';

const revoke = ({ database, keys, permit }: Access, id: number) =>
  applyChanges(database, permit, keys, revoking({ by: 'KSessionsId', ids: [id] }, { actor: 'suite', reason: null }), {
    handOver: () => Promise.resolve(),
    withdraw: () => undefined,
  });

/** The hash copy that the login reads is the hash of the live host session, or ''. */
async function copiesAgree({ database }: Access): Promise<boolean> {
  const { yes } = PHRASES[database.engine.dialect];
  const differing = `canvas."Sessions" s LEFT JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" AND h."IsActive" = ${yes}
    WHERE s."HostGuid" <> COALESCE(h."HostGuidHash", '')`;
  return (await count(database, differing)) === 0;
}

/** Makes each write to a table fail after it was done, and what takes that away: what it leaves behind is what a crash would. */
const CRASH: Readonly<Record<Dialect, (table: string) => { readonly make: readonly string[]; readonly undo: readonly string[] }>> = {
  postgres: (table) => ({
    make: [
      `CREATE FUNCTION canvas.crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'crash'; END $$`,
      `CREATE TRIGGER crash AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION canvas.crash()`,
    ],
    undo: [`DROP TRIGGER crash ON ${table}`, 'DROP FUNCTION canvas.crash'],
  }),
  mssql: (table) => ({
    make: [`CREATE TRIGGER canvas.crash ON ${table} AFTER INSERT, UPDATE AS THROW 50000, N'crash', 1`],
    undo: ['DROP TRIGGER canvas.crash'],
  }),
};

export const INTEGRITY: readonly Incident[] = [
  {
    id: 'I-32',
    happened: 'Session, host session and hash copy were written in separate transactions; a crash left half',
    stops: 'All of it, the event included, is one transaction: when any of its statements fails, nothing is there',
    where: ['lib/hosts/change.ts', 'lib/hosts/writing.ts'],
    async replay(t, { cleared, lane }) {
      await cleared(async (open) => {
        for (const table of ['canvas."HostSessionEvents"', 'canvas."HostSessions"', 'canvas."Sessions"']) {
          const { make, undo } = CRASH[lane.dialect](table);
          await execute(open, ...make);
          const before = await rowsOf(open.database);
          const error = await t.throwsAsync(provisionHere(open, { ksessionsId: 15 }), undefined, table);
          // SQL Server refuses OUTPUT on a table with such a trigger: a failure at the same place.
          t.regex(error.cause instanceof Error ? error.cause.message : error.message, /crash|OUTPUT/, table);
          t.deepEqual(await rowsOf(open.database), before, table);
          await execute(open, ...undo);
        }
        t.is((await provisionHere(open, { ksessionsId: 15 })).outcome.status, 'provisioned', 'and afterwards it works');
      });
    },
  },
  {
    id: 'I-33',
    happened: 'The hash stood in two places, and they differed',
    stops: 'Every way to make, change or end a credential writes both in one transaction; the gate finds one that differs, and nothing keeps it',
    where: ['lib/hosts/writing.ts', 'lib/hosts/provision.ts', 'lib/checks/data.ts'],
    async replay(t, { cleared }) {
      await cleared(async (open) => {
        await provisionHere(open, { ksessionsId: 15 });
        t.true(await copiesAgree(open), 'provisioned');
        await provisionHere(open, { ksessionsId: 15 });
        t.true(await copiesAgree(open), 'rotated');
        await revoke(open, 15);
        t.true(await copiesAgree(open), 'revoked');
        t.is(await findingsOf(open, 'data.hash-copy'), 0);
        const { guid } = await provisionHere(open, { ksessionsId: 15 });
        await execute(open, `UPDATE canvas."Sessions" SET "HostGuid" = 'another'`);
        const { verdict } = await authenticateHost(open.database.canvas, open.keys, guid, await readClock(open.database));
        t.is(verdict, 'copy-differs', 'and where a hand did it, it is told');
        t.is(await findingsOf(open, 'data.hash-copy'), 1);
        await t.throwsAsync(provisionHere(open, { ksessionsId: 15, ifExists: 'keep' }), { message: /does not open it/ });
      });
    },
  },
  {
    id: 'I-34',
    happened: 'Two runs at once, or --force-new, left several live credentials for one session',
    stops: 'Runs for one session take turns by a lock of the database, and a unique index refuses a second live row; there is no --force-new',
    where: ['lib/hosts/plan.ts', 'lib/hosts/change.ts', 'migrations/20261122000400_constraints.ts'],
    async replay(t, { lane, scratch }) {
      const { codes, now, yes } = PHRASES[lane.dialect];
      const words = ['212', '--quiet', '--wait', '100'];
      const runs = await Promise.all([1, 2, 3].map(() => run(scratch(), 'provision', words)));
      t.deepEqual(runs.map(({ code }) => code), [0, 0, 0], runs.map(({ stderr }) => stderr).join());
      await access(scratch(), async (open) => {
        const rows = await hostSessions(open, 212);
        t.is(rows.length, 1);
        t.deepEqual(rows[0]?.chain, { holds: true, events: 3 });
        t.is(runs.filter(({ stdout }) => verifies(open, stdout.trim(), rows[0])).length, 1, 'one of the three GUIDs opens it');
        const second = `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "CreatedAt", "IsActive") 
          SELECT s."SessionId", 'x', ${now}, ${yes} FROM canvas."Sessions" s WHERE s."KSessionsId" = 212`;
        const error = await t.throwsAsync(execute(open, second));
        t.true(codes.duplicate.includes(serverCode(error.cause ?? error)), error.message);
        t.is((await hostSessions(open, 212)).length, 1);
      });
      t.is((await runHere(scratch(), 'provision', ['212', '--force-new'])).code, 2);
    },
  },
  {
    id: 'I-35',
    happened: 'Rotation overwrote who, when and why, and the audit table was never written',
    stops: 'A rotation leaves the row\'s beginning as it was and writes an event; events are chained, and the database refuses to change them',
    where: ['lib/hosts/writing.ts', 'lib/audit.ts', 'migrations/20261122000200_host_session_events.ts'],
    async replay(t, { cleared }) {
      await cleared(async (open) => {
        await provisionHere(open, { ksessionsId: 15, actor: 'Ada', reason: 'new class' });
        const [before] = await hostSessions(open, 15);
        await provisionHere(open, { ksessionsId: 15, actor: 'Grace', reason: 'lost' });
        const [after] = await hostSessions(open, 15);
        t.deepEqual([after?.createdAt, after?.createdBy], [before?.createdAt, 'Ada']);
        const events = await open.database.canvas.ask<object>(
          'SELECT "Action" AS a, "Actor" AS w, "Reason" AS r FROM canvas."HostSessionEvents" ORDER BY "Sequence"',
        );
        t.deepEqual(events, [{ a: 'provisioned', w: 'Ada', r: 'new class' }, { a: 'rotated', w: 'Grace', r: 'lost' }]);
        for (const change of [`UPDATE canvas."HostSessionEvents" SET "Actor" = 'nobody'`, 'DELETE FROM canvas."HostSessionEvents"']) {
          await t.throwsAsync(execute(open, change), undefined, change);
        }
        t.deepEqual((await hostSessions(open, 15))[0]?.chain, { holds: true, events: 2 });
      });
    },
  },
  {
    id: 'I-36',
    happened: 'Updating a revoked row revived it, its revocation date still set',
    stops: 'What has ended stays as it is: the next GUID is a row of its own; the gate finds a row that was revived',
    where: ['lib/hosts/provision.ts', 'lib/hosts/writing.ts', 'lib/checks/credentials.ts'],
    async replay(t, { cleared, lane }) {
      const { yes } = PHRASES[lane.dialect];
      await cleared(async (open) => {
        const first = await provisionHere(open, { ksessionsId: 15 });
        await revoke(open, 15);
        const row = `SELECT * FROM canvas."HostSessions" WHERE "HostSessionId" = ${first.outcome.hostSessionId}`;
        const revoked = await open.database.canvas.ask(row);
        const second = await provisionHere(open, { ksessionsId: 15 });
        t.not(second.outcome.hostSessionId, first.outcome.hostSessionId);
        t.deepEqual(await open.database.canvas.ask(row), revoked, 'untouched');
        const { canvas } = open.database;
        const verdicts = [first.guid, second.guid].map(async (guid) => (await authenticateHost(canvas, open.keys, guid, await readClock(open.database))).verdict);
        t.deepEqual(await Promise.all(verdicts), ['revoked', 'valid']);
        t.is(await findingsOf(open, 'credentials.revived'), 0);
        await revoke(open, 15);
        await execute(open, `UPDATE canvas."HostSessions" SET "IsActive" = ${yes} WHERE "HostSessionId" = ${second.outcome.hostSessionId}`);
        t.is(await findingsOf(open, 'credentials.revived'), 1, 'as the old tool did it');
      });
    },
  },
  {
    id: 'I-37',
    happened: 'Ids above 2^31 wrapped to another session; negative ids, zero and past expiry dates were accepted',
    stops: 'An id is plain digits from 1 to 2147483647 and an expiry lies in the future: anything else is a usage error, nothing done',
    where: ['lib/cli/words.ts', 'lib/hosts/provision.ts'],
    once: 'it is a usage error before anything is opened',
    async replay(t, { scratch }) {
      const before = await access(scratch(), ({ database }) => rowsOf(database));
      for (const id of ['2147483648', '4294967311', '-15', '0', '0x0f', '1e1', '15.0', ' 15', '15;16', '٣']) {
        const result = await runHere(scratch(), 'provision', [id, '--json']);
        t.is(result.code, 2, `${id}: ${result.stderr}`);
        t.like(jsonLines(result)[0], { code: 'USAGE' }, id);
      }
      for (const expires of ['2001-01-01', '-5d', '0d', 'yesterday', '2026-02-30']) {
        const result = await runHere(scratch(), 'provision', ['15', `--expires=${expires}`]);
        t.is(result.code, 2, `${expires}: ${result.stderr}`);
      }
      t.deepEqual(await access(scratch(), ({ database }) => rowsOf(database)), before);
    },
  },
];
