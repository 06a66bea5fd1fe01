/** A few of the experiments of test/faults/credentials.ts; `npm run faults` does them at full size. */
import test from 'ava';
import { BulkGallows, crowd } from '../faults/credentials';
import { postgresLane, postgresUrl } from '../helpers/lanes';

const onPostgres = postgresUrl === undefined ? test.skip : test.serial;

onPostgres('postgres: processes that change the same sessions, one or several at a time, keep every invariant', async (t) => {
  const { done, wrong } = await crowd(t, postgresLane, 6, 5);
  t.deepEqual(wrong, []);
  t.true(done > 0);
});

onPostgres('postgres: a rotation of many that is killed goes on with --resume: each session once, each GUID opens it', async (t) => {
  const gallows = await BulkGallows.build(t, postgresLane, 2500);
  t.deepEqual(await gallows.kill(1, 0.6), []);
  t.deepEqual(await gallows.kill(2, 0.9), []);
});
