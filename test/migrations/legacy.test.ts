import test from 'ava';
import { contents, FOREIGN_TABLES, legacyHash, legacyStatements, legacyTarget, rowCounts, type AskRows } from '../helpers/legacy';
import { lanes, open } from '../helpers/lanes';

test('the hashes of the old tool are those that were recorded', (t) => {
  t.is(legacyHash(19), 'y1vxI979EqfWe+mK3zRG1GgyVtdm+WLdFTAXI7nk1p8=');
  t.is(legacyHash(18), 'S+9E4LHFx2HXQZ81ZX9bloM2oH9ghpJ+bRufFswU/ww=');
});

test('the same state is told to both kinds of server', (t) => {
  for (const state of ['b', 'c', 'd', 'unsupported'] as const) {
    const [postgres, mssql] = (['postgres', 'mssql'] as const).map((dialect) =>
      legacyStatements(dialect, state).flatMap((sql) => /INSERT INTO (canvas\.\S+)|CREATE TABLE (\S+)/.exec(sql)?.[0] ?? []),
    );
    t.deepEqual(postgres, mssql);
  }
});

/** The foreign keys that point to canvas.Sessions. */
const FOREIGN_KEYS = {
  postgres: `SELECT CAST(count(*) AS int) AS n FROM pg_catalog.pg_constraint
    WHERE contype = 'f' AND confrelid = 'canvas."Sessions"'::regclass`,
  mssql: `SELECT COUNT(*) AS n FROM sys.foreign_keys WHERE referenced_object_id = OBJECT_ID(N'canvas.Sessions')`,
} as const;

for (const lane of lanes()) {
  test.serial(`${lane.name}: the dirtiest state of the old application is what was met`, async (t) => {
    const scratch = await legacyTarget(t, lane, 'd', lane.name === 'pglite' ? { identity: 'ALWAYS' } : {});
    await open(scratch, async ({ canvas }) => {
      const ask: AskRows = (sql) => canvas.ask(sql);
      const counts = await rowCounts(ask);
      t.is(Object.keys(counts).length, FOREIGN_TABLES.length + 2);
      t.like(counts, { Sessions: 9, HostSessions: 13, AuditLog: 0, Registrations: 2 });
      const [keys] = await ask(FOREIGN_KEYS[lane.dialect]);
      t.is(keys?.['n'], 8, 'that of HostSessions is absent');
      t.is((await contents(ask))['Annotations']?.[0]?.['Content'], "a note, with 'quotes' and العربية");
    });
  });
}
