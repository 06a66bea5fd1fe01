import test from 'ava';
import { randomBytes } from 'node:crypto';
import { listSessions } from '../../lib/hosts/listing';
import {
  access, asAdmin, asMssqlAdmin, databaseOf, mssqlLane, mssqlUrl, postgresLane, postgresUrl, retarget, type Lane,
} from '../helpers/lanes';
import { count, provisionHere } from '../helpers/state';

const servers: [Lane, string | undefined, (statement: string, database: string) => Promise<unknown>][] = [
  [postgresLane, postgresUrl, asAdmin],
  [mssqlLane, mssqlUrl, asMssqlAdmin],
];
for (const [lane, url, asAdministrator] of servers) {
  (url === undefined ? test.skip : test.serial)(`${lane.name}: with KSESSIONS in another database both ids are right`, async (t) => {
    const canvas = await lane.ready(t);
    const source = databaseOf(await lane.ready(t));
    await asAdministrator(`UPDATE dbo."Sessions" SET "SessionName" = 'From elsewhere' WHERE "SessionID" = 15`, source);
    await asAdministrator(`DELETE FROM dbo."Sessions"`, databaseOf(canvas));
    await access(retarget(canvas, { source: { database: source } }), async (open) => {
      t.is(open.database.source.admission.identity.database.toLowerCase(), source);
      const first = await provisionHere(open, { ksessionsId: 212 });
      const { outcome } = await provisionHere(open, { ksessionsId: 15 });
      t.deepEqual([first.outcome.canvasSessionId, first.outcome.session.title], [1, 'Need For Messengers']);
      t.like(outcome, { canvasSessionId: 2, hostSessionId: 2, session: { ksessionsId: 15, title: 'From elsewhere' } });
      t.is(await count(open.database, `canvas."Sessions" WHERE "SessionId" = 2 AND "KSessionsId" = 15 AND "Title" = 'From elsewhere'`), 1);
      const request = { ids: [], search: 'o', states: [], keys: [] };
      const listed: unknown[] = [];
      for await (const page of listSessions(open.database, open.keys, request)) {
        listed.push(...page.map(({ canvasSessionId, ksessionsId, state }) => [ksessionsId, canvasSessionId, state]));
      }
      t.deepEqual(listed.slice(0, 3), [[1, null, 'none'], [15, 2, 'live'], [212, 1, 'live']]);
    });
  });
}

(postgresUrl === undefined ? test.skip : test.serial)('postgres: a login of its own for KSESSIONS need not see whether that database has a mark', async (t) => {
  const canvas = await postgresLane.ready(t);
  const elsewhere = await postgresLane.ready(t);
  const [login, password] = [`ksessions_reader_${randomBytes(4).toString('hex')}`, randomBytes(12).toString('hex')];
  const source = databaseOf(elsewhere);
  await asAdmin(`CREATE ROLE ${login} LOGIN PASSWORD '${password}'`);
  t.teardown(() => asAdmin(`DROP ROLE ${login}`));
  t.teardown(() => asAdmin(`DROP OWNED BY ${login}`, source));
  for (const grant of ['USAGE ON SCHEMA dbo', 'SELECT ON ALL TABLES IN SCHEMA dbo']) await asAdmin(`GRANT ${grant} TO ${login}`, source);
  const env = { ...canvas.env, READER_USER: login, READER_PASSWORD: password };
  const target = retarget({ ...canvas, env }, { source: { database: source, credentials: 'READER' } });
  await access(target, async (open) => {
    t.is((await provisionHere(open, { ksessionsId: 15 })).outcome.status, 'provisioned');
  });
});
