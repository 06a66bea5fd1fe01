import test from 'ava';
import { withOpenTarget } from '../../lib/access';
import { CHECKS } from '../../lib/checks/registry';
import { runGate } from '../../lib/checks/gate';
import { readOverview, type Overview } from '../../lib/checks/overview';
import type { Mark } from '../../lib/checks/picture';
import { listSessions } from '../../lib/hosts/listing';
import { CREDENTIAL_STATES, type CredentialState } from '../../lib/hosts/state';
import { access, execute, lanes, pgliteLane, type Scratch } from '../helpers/lanes';
import { FOREIGN_TABLES, legacyTarget, migratedLegacy } from '../helpers/legacy';
import { long } from '../helpers/long';
import { provisionHere, snapshot } from '../helpers/state';

const request = ({ settings }: Scratch) => ({ settings, waitMs: 30_000, onOpen: () => undefined, onNotice: () => undefined });

/** The overview as a report gets it: of the gate's own subject. */
async function overviewOf(scratch: Scratch): Promise<Overview> {
  let overview: Overview | undefined;
  const selection = { only: ['guard.canvas'], skip: [], failOn: 'major' } as const;
  await runGate({ access: request(scratch), checks: CHECKS, selection, onCheck: () => undefined, onProgress: () => undefined }, async (subject) => {
    overview = await readOverview(subject);
  });
  if (overview === undefined) throw new Error('The target could not be opened.');
  return overview;
}

/** How many canvas sessions list.mjs shows in each state; its rows without a canvas session are KSESSIONS' alone. */
function listedStates(scratch: Scratch): Promise<Record<CredentialState, number>> {
  return withOpenTarget(request(scratch), async (database) => {
    const counts = Object.fromEntries(CREDENTIAL_STATES.map((state) => [state, 0])) as Record<CredentialState, number>;
    const all = { ids: [], search: undefined, states: [], keys: [] };
    for await (const page of listSessions(database, undefined, all)) {
      for (const { canvasSessionId, state } of page) if (canvasSessionId !== null) counts[state] += 1;
    }
    return counts;
  });
}

for (const lane of lanes()) {
  long(`${lane.name}: credentials are counted in the states that the list shows, whatever the old application left`, async (t) => {
    t.timeout(120_000);
    const scratch = await migratedLegacy(t, lane, 'd');
    const { credentials, gaps } = await overviewOf(scratch);
    t.deepEqual(gaps, []);
    const listed = await listedStates(scratch);
    // The list leaves out canvas sessions that stand for no session and never had a credential.
    t.deepEqual({ ...credentials?.byState, none: 0 }, { ...listed, none: 0 });
    const { live = 0, revived = 0, 'copy-differs': differs = 0 } = credentials?.byState ?? {};
    t.true(live > 0 && revived > 0 && differs > 0, 'the states are there');
    t.is(credentials?.byAge.reduce((sum, { count }) => sum + count, 0), live, 'each live one has its age');
  });
}

const MADE_AGO = [10, 40, 100, 200, 400];

long('live credentials are counted by age, that of the credential and not of its row; the next ones count as none', async (t) => {
  const scratch = await pgliteLane.ready(t);
  await access(scratch, async (open) => {
    const ids = [15, 212, 215, 218, 1281];
    for (const [place, ksessionsId] of ids.entries()) {
      await provisionHere(open, { ksessionsId });
      await execute(open, `UPDATE canvas."HostSessions" SET "CreatedAt" = now() - interval '${MADE_AGO[place]} days' WHERE "HostSessionId" = ${place + 1}`);
    }
    await provisionHere(open, { ksessionsId: 1281 });
    await execute(
      open,
      `INSERT INTO canvas."Sessions" ("GroupId", "HostGuid", "CreatedAt", "ModifiedAt") VALUES (gen_random_uuid(), '', now(), now())`,
    );
  });
  const before = await access(scratch, ({ database }) => snapshot(database));
  const { credentials } = await overviewOf(scratch);
  t.deepEqual(credentials?.byAge.map(({ count }) => count), [2, 1, 1, 1, 0]);
  t.like(credentials?.byState, { live: 5, none: 1 });
  t.deepEqual(await access(scratch, ({ database }) => snapshot(database)), before, 'nothing was written');
});

long('the schema is pictured as it is, with each difference at its place', async (t) => {
  const scratch = await migratedLegacy(t, pgliteLane, 'c');
  const marked = async () => {
    const { drift, tables } = (await overviewOf(scratch)).schema ?? { drift: [], tables: [] };
    const parts = tables.flatMap((table) => [
      [table.name, table.mark] as const,
      ...table.columns.map(({ mark, name }) => [`${table.name}.${name}`, mark] as const),
      ...table.foreignKeys.map(({ mark, references }) => [`${table.name} > ${references}`, mark] as const),
      ...table.troubles.map(({ mark, what }) => [`${table.name}: ${what}`, mark] as const),
    ]);
    const wanted = (...marks: readonly Mark[]) => parts.filter(([, mark]) => marks.includes(mark)).map(([name]) => name);
    return { drift, faults: wanted('otherwise', 'missing'), tables, wanted };
  };
  const clean = await marked();
  t.deepEqual(clean.faults, []);
  t.deepEqual(clean.tables.filter(({ mark }) => mark === 'foreign').map(({ name }) => name), FOREIGN_TABLES.toSorted());
  t.deepEqual(clean.tables.find(({ name }) => name === 'HostSessions')?.foreignKeys, [
    { columns: ['SessionId'], references: 'Sessions', onDelete: 'cascade', mark: 'same' },
  ]);
  t.deepEqual(clean.tables[0]?.columns[0], { name: 'SessionId', type: 'bigint', nullable: false, isKey: true, mark: 'same' });
  await access(scratch, (open) =>
    execute(
      open,
      'ALTER TABLE canvas."Sessions" ALTER COLUMN "Title" TYPE varchar(50)',
      'ALTER TABLE canvas."Sessions" ADD COLUMN "Colour" text',
      'DROP INDEX canvas."UX_HostSessions_OneActive"',
      'ALTER TABLE canvas."HostSessions" DROP COLUMN "LastUsedAt"',
      'ALTER TABLE canvas."HostSessions" DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId"',
      'ALTER TABLE canvas."HostSessions" ADD FOREIGN KEY ("SessionId") REFERENCES canvas."Sessions" ("SessionId")',
      'DROP TABLE canvas."HostSessionEvents"',
    ),
  );
  const damaged = await marked();
  t.deepEqual(damaged.wanted('otherwise'), [
    'Sessions', 'Sessions.Title', 'HostSessions', 'HostSessions > Sessions', 'HostSessions: lost uniqueness',
  ]);
  t.deepEqual(damaged.wanted('missing').filter((name) => !name.startsWith('HostSessionEvents.')), ['HostSessions.LastUsedAt', 'HostSessionEvents']);
  t.true(damaged.wanted('noted').includes('Sessions.Colour'));
  t.is(damaged.drift.filter(({ severity }) => severity === 'fault').length, 5);
});

long('what is not there yet is not counted, and no gap', async (t) => {
  const scratch = await pgliteLane.bare(t);
  const { credentials, gaps, schema } = await overviewOf(scratch);
  t.deepEqual([credentials, gaps], [null, []]);
  t.true(schema?.tables.every(({ mark }) => mark === 'missing'));
  const old = await overviewOf(await legacyTarget(t, pgliteLane, 'b'));
  t.is(old.credentials?.byState.live, 2, 'before any migration, too');
});

test.serial('what cannot be read is a gap of the picture, with its reason, and the rest is there', async (t) => {
  const scratch = await pgliteLane.ready(t);
  await access(scratch, (open) => execute(open, 'ALTER TABLE canvas."HostSessions" RENAME COLUMN "HostGuidHash" TO "Hash"'));
  const { credentials, gaps, schema } = await overviewOf(scratch);
  t.is(credentials, null);
  t.regex(gaps.join(), /^The credentials could not be read: /);
  t.true((schema?.tables.length ?? 0) > 0);
});
