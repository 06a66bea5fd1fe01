/**
 * A few of the experiments of test/faults: killed with SIGKILL where a transaction is half done, about to commit, and
 * just committed; and runners at once. All of them: npm run faults.
 */
import test from 'ava';
import { Gallows, race } from '../faults/migrations';
import { lanes } from '../helpers/lanes';
import { legacyTarget } from '../helpers/legacy';
import { long } from '../helpers/long';
import { jsonLines, runHere } from '../helpers/script';
import { isCommit, runThroughProxy, type Boundary } from '../helpers/gallows';

/** A process of the embedded engine takes seconds. */
const MOST = { pglite: 1, postgres: 3, mssql: 0 };
const VERBS = { pglite: ['latest'], postgres: ['latest', 'rollback'], mssql: [] } as const;

for (const lane of lanes().filter(({ name }) => name !== 'mssql')) {
  for (const verb of VERBS[lane.name]) {
    long(`${lane.name}: ${verb}, killed at a statement, is finished by the next run`, async (t) => {
      t.timeout(240_000);
      const gallows = new Gallows(t, lane, verb);
      await gallows.boundaries();
      const commits = gallows.statements.flatMap((sql, index) => (/^commit\b/i.test(sql) ? [index] : []));
      t.is(commits.length, 4, 'one transaction for each migration');
      const listings = gallows.statements.filter((sql) => sql.includes('AS "object"'));
      // Nobody else writes to the embedded database; on a server, others make a run look again.
      if (lane.name === 'pglite') t.is(listings.length, 5, 'the schema is listed once, and once after each migration');
      const middle = commits[2] ?? 0;
      const places: Boundary[] = [
        { moment: 'before', index: middle },
        { moment: 'after', index: middle },
        { moment: 'after', index: middle - 4 },
      ];
      for (const place of places.slice(0, MOST[lane.name])) t.deepEqual(await gallows.kill(place), []);
    });
  }
}

const [server] = lanes().filter(({ name }) => name === 'postgres');
(server === undefined ? test.skip : test.serial)('postgres: a COMMIT whose answer is lost is told as that, and the next run goes on', async (t) => {
  if (server === undefined) return;
  const scratch = await legacyTarget(t, server, 'b');
  let isCut = false;
  const cutOnce = (_index: number, sql: string) => (isCut || !isCommit(sql) ? 'pass' : ((isCut = true), 'cut'));
  const { finished } = await runThroughProxy(server, scratch, ['migrate', 'latest', '--json'], () => ({ afterAnswer: cutOnce }));
  t.is(finished.code, 2, finished.stderr);
  t.like(jsonLines(finished)[0], { code: 'OUTCOME_UNKNOWN' });
  const next = await runHere(scratch, 'migrate', ['latest']);
  t.is(next.code, 0, next.stderr);
  t.regex(next.stdout, /3 applied/);
});

(server === undefined ? test.skip : test.serial)('postgres: six runners at once apply each migration once, and each ends well', async (t) => {
  t.timeout(120_000);
  if (server !== undefined) t.deepEqual((await race(server, 6, 'half')).wrong, []);
});
