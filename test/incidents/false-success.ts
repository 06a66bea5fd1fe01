/** False success: I-22 to I-26. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { readClock } from '../../lib/engines/database';
import type { Access } from '../../lib/access';
import { authenticateHost } from '../../lib/hosts/authenticate';
import { isCommit, runThroughProxy, waitForDeadClients } from '../helpers/gallows';
import { access, entryFor, execute, retarget, type Lane, type Scratch } from '../helpers/lanes';
import { openForRepair } from '../helpers/legacy';
import { PHRASES, serverCode } from '../helpers/phrases';
import { jsonLines, runHere, type Finished } from '../helpers/script';
import { hostSessions, snapshot } from '../helpers/state';
import type { Incident } from './incident';

const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

const verdictOn = async ({ database, keys }: Access, guid: string) =>
  (await authenticateHost(database.canvas, keys, guid, await readClock(database))).verdict;

/** A rule that is looked at only when a transaction is to be committed. */
const REFUSES_COMMIT = [
  `CREATE FUNCTION canvas.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$`,
  `CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON canvas."HostSessionEvents" DEFERRABLE INITIALLY DEFERRED
   FOR EACH ROW EXECUTE FUNCTION canvas.refuse()`,
];

/** Provisions where the COMMIT fails. SQL Server looks at nothing that late: there the connection breaks in its place. */
async function provisionWithoutCommit(lane: Lane, scratch: Scratch, id: string): Promise<Finished> {
  if (lane.dialect === 'postgres') {
    await openForRepair(scratch, (open) => execute(open, ...REFUSES_COMMIT));
    return runHere(scratch, 'provision', [id]);
  }
  let isCut = false;
  const cutOnce = (_index: number, sql: string) => {
    if (isCut || !isCommit(sql)) return 'pass';
    isCut = true;
    return 'cut';
  };
  return (await runThroughProxy(lane, scratch, ['provision', id], () => ({ onStatement: cutOnce }))).finished;
}

/** The same target, at a port where nobody listens. The embedded engine has none: there it is a server's. */
function unreachable(lane: Lane, scratch: Scratch): Scratch {
  const entry = entryFor('127.0.0.1', 1, 'canvas', lane.dialect);
  return retarget(scratch, { ...entry, path: undefined });
}

export const FALSE_SUCCESS: readonly Incident[] = [
  {
    id: 'I-22',
    happened: 'A GUID was printed with SUCCESS and nothing was in the database',
    stops: 'Success is said after the commit and a look back; where the commit fails, the error says that the GUID is void',
    where: ['lib/hosts/change.ts', 'lib/cli/output.ts'],
    async replay(t, { lane }) {
      const scratch = await lane.ready(t);
      const result = await provisionWithoutCommit(lane, scratch, '15');
      t.not(result.code, 0);
      t.notRegex(result.stdout + result.stderr, /success|provisioned\b/i);
      t.regex(result.stderr, /void/, 'whoever read the GUID is told that it opens nothing');
      const guid = GUID.exec(result.stdout)?.[0] ?? 'none';
      t.not(guid, 'none', 'it was handed over before COMMIT');
      await access(scratch, async (open) => {
        await waitForDeadClients(open.database);
        t.is(await verdictOn(open, guid), 'unknown');
        t.deepEqual(await hostSessions(open, 15), []);
      });
    },
  },
  {
    id: 'I-23',
    happened: '`rotate` printed "old GUID is now invalid" without opening the database',
    stops: 'Rotation reads the live row under its lock and writes it; without a database, or without a live GUID, it fails',
    where: ['lib/hosts/rotate.ts', 'lib/hosts/change.ts'],
    async replay(t, { lane, scratch }) {
      const none = await runHere(scratch(), 'rotate', ['212', '--quiet']);
      t.deepEqual([none.code, none.stdout], [5, ''], 'there is nothing to rotate');
      const old = (await runHere(scratch(), 'provision', ['212', '--quiet'])).stdout.trim();
      const rotated = (await runHere(scratch(), 'rotate', ['212', '--quiet'])).stdout.trim();
      await access(scratch(), async (open) => {
        t.deepEqual([await verdictOn(open, old), await verdictOn(open, rotated)], ['unknown', 'valid']);
      });
      const closed = await runHere(unreachable(lane, scratch()), 'rotate', ['212'], { SCRATCH_USER: 'x', SCRATCH_PASSWORD: 'x' });
      t.deepEqual([closed.code, closed.stdout], [2, '']);
      t.regex(closed.stderr, /^UNREACHABLE: /m);
    },
  },
  {
    id: 'I-24',
    happened: '`--dry-run` validated nothing and printed a GUID that never worked',
    stops: 'A dry run makes every read, check and guard, writes nothing, uses up no identity value and prints no GUID',
    where: ['lib/hosts/change.ts', 'lib/cli/changes.ts'],
    async replay(t, { scratch }) {
      const before = await access(scratch(), ({ database }) => snapshot(database));
      const dry = await runHere(scratch(), 'provision', ['15', '--dry-run']);
      t.is(dry.code, 0, dry.stderr);
      t.notRegex(dry.stdout + dry.stderr, GUID);
      for (const [id, exit] of [['99999', 5], ['213', 5], ['0x0f', 2]] as const) {
        t.is((await runHere(scratch(), 'provision', [id, '--dry-run'])).code, exit, id);
      }
      t.is((await runHere(scratch(), 'rotate', ['15', '--dry-run'])).code, 5);
      t.deepEqual(await access(scratch(), ({ database }) => snapshot(database)), before);
    },
  },
  {
    id: 'I-25',
    happened: 'A health check always succeeded; a migration runner exited 0 on failure',
    stops: 'What could not be looked at is no pass, a check that fails makes the gate exit 1, and each failure has an exit code of its own',
    where: ['lib/checks/gate.ts', 'lib/cli/gate.ts', 'lib/cli/command.ts'],
    async replay(t, { lane }) {
      const scratch = await lane.ready(t);
      t.is((await runHere(scratch, 'verify', ['--quiet', '--only', 'migrations'])).code, 0);
      await openForRepair(scratch, (open) => execute(open, ...PHRASES[lane.dialect].replaceOneActive));
      const broken = await runHere(scratch, 'verify', ['--json', '--only', 'schema']);
      t.is(broken.code, 1, broken.stderr);
      t.like(jsonLines(broken)[0], { verdict: 'fail' });
      await openForRepair(scratch, (open) => execute(open, `UPDATE canvas."MigrationLedger" SET "Checksum" = 'edited'`));
      const migrate = await runHere(scratch, 'migrate', []);
      t.is(migrate.code, 4, migrate.stderr);
      const unseen = await runHere(unreachable(lane, scratch), 'verify', ['--json'], { SCRATCH_USER: 'x', SCRATCH_PASSWORD: 'x' });
      t.is(unseen.code, 2, unseen.stderr);
      const [report] = jsonLines(unseen) as { verdict: string; checks: { status: string }[] }[];
      t.is(report?.verdict, 'error');
      t.true(report?.checks.some(({ status }) => status === 'error'), 'what could not be looked at is told as that');
    },
  },
  {
    id: 'I-26',
    happened: 'Tests ran on an in-memory fake without foreign keys, identity or unique rules',
    stops: 'Tests run on real engines, and the suite itself sees each of those rules refuse; no mocking library is installed',
    where: ['test/helpers/lanes.ts', 'test/engines/conformance.ts'],
    async replay(t, { cleared, lane }) {
      const { codes, no, now, uuid } = PHRASES[lane.dialect];
      await cleared(async (open) => {
        const { server } = open.database.canvas.admission.identity;
        t.regex(server, lane.dialect === 'mssql' ? /^SQL Server / : /^PostgreSQL /, 'in its own words');
        const rules = {
          foreignKey: `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "CreatedAt", "IsActive") VALUES (4711, 'x', ${now}, ${no})`,
          explicitId: `INSERT INTO canvas."Sessions" ("SessionId", "GroupId", "CreatedAt") VALUES (99, ${uuid}, ${now})`,
          duplicate: `INSERT INTO canvas."Sessions" ("GroupId", "CreatedAt", "KSessionsId") VALUES (${uuid}, ${now}, 15), (${uuid}, ${now}, 15)`,
        };
        for (const [rule, statement] of Object.entries(rules) as [keyof typeof rules, string][]) {
          const error = await t.throwsAsync(execute(open, statement), undefined, rule);
          const code = serverCode(error.cause ?? error);
          t.true(codes[rule].includes(code), `${rule}: ${code}`);
        }
      });
      const { dependencies, devDependencies } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as Record<string, object>;
      const mocks = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => /mock|sinon|nock|testdouble|proxyquire|rewire|sqlite/.test(name));
      t.deepEqual(mocks, []);
    },
  },
];
