import test from 'ava';
import { withTransaction } from '../../lib/engines/database';
import { hasten, relax } from '../helpers/fast-clock.cjs';
import { access, postgresLane, postgresUrl } from '../helpers/lanes';
import { exercise } from './conformance';

if (postgresUrl === undefined) {
  test.skip('PostgreSQL lane: skipped, TEST_POSTGRES_URL is not set', () => undefined);
} else {
  exercise(postgresLane);

  test.serial('postgres: a transaction of many statements, none of them long, ends with its time; the next one has another connection', async (t) => {
    await access(await postgresLane.ready(t), async ({ database, permit }) => {
      const backend = async (seconds: string) => {
        let pid: unknown;
        await withTransaction(database, permit, 'lock', async (writer) => {
          [{ pid }] = (await writer.ask<{ pid: number }>('SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
          for (let count = 0; count < 20; count += 1) await writer.ask('SELECT pg_sleep(?)', [seconds]);
        });
        return pid;
      };
      const before = await backend('0');
      hasten();
      const outcome = await t.throwsAsync(backend('0.1')).finally(relax);
      t.is((outcome as { code?: string }).code, 'ETIMEOUT');
      t.not(await backend('0'), before);
    });
  });
}
