/**
 * A few of the experiments of test/faults: killed with SIGKILL where a transaction is half done, about to commit, and
 * just committed; and runners at once. All of them: npm run faults.
 */
import test from 'ava';
import { Execution, race } from '../faults/migrations';
import { lanes } from '../helpers/lanes';
import { isCommit, type Boundary } from '../helpers/gallows';

/** A process of the embedded engine takes seconds. */
const MOST = { pglite: 1, postgres: 3, mssql: 0 };
const VERBS = { pglite: ['latest'], postgres: ['latest', 'rollback'], mssql: [] } as const;

for (const lane of lanes().filter(({ name }) => name !== 'mssql')) {
  for (const verb of VERBS[lane.name]) {
    test.serial(`${lane.name}: ${verb}, killed at a statement, is finished by the next run`, async (t) => {
      t.timeout(240_000);
      const gallows = new Execution(t, lane, verb);
      const boundaries = await gallows.boundaries();
      const commits = boundaries.filter(({ sql, moment }) => isCommit(sql) && moment === 'before');
      t.is(commits.length, 4, 'one transaction for each migration');
      const middle = commits[2]?.index ?? 0;
      const places: Boundary[] = boundaries.filter(
        ({ moment, index }) => index === middle || (moment === 'after' && index === middle - 4),
      );
      for (const place of places.slice(0, MOST[lane.name])) t.deepEqual(await gallows.kill(place), []);
    });
  }
}

const [server] = lanes().filter(({ name }) => name === 'postgres');
(server === undefined ? test.skip : test.serial)('postgres: six runners at once apply each migration once, and each ends well', async (t) => {
  t.timeout(120_000);
  if (server !== undefined) t.deepEqual(await race(server, 6, 'half'), []);
});
