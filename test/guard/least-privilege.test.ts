import test from 'ava';
import { randomBytes } from 'node:crypto';
import { findExcess, findHarm } from '../../lib/engines/database';
import { access, asAdmin, asMssqlAdmin, databaseOf, mssqlLane, mssqlUrl, open, postgresLane, postgresUrl, retarget, type Scratch } from '../helpers/lanes';
import { grantedLogin, grantsOf } from '../helpers/grants';
import { provisionHere } from '../helpers/state';

function loggedIn(scratch: Scratch, user: string, password: string, changes: object = {}): Scratch {
  return retarget({ ...scratch, env: { ...scratch.env, SCRATCH_USER: user, SCRATCH_PASSWORD: password } }, changes);
}

const randomWord = () => `Aa1_${randomBytes(12).toString('hex')}`;

(postgresUrl === undefined ? test.skip : test.serial)('postgres: what the guide grants is enough, and could harm nothing', async (t) => {
  const scratch = await postgresLane.ready(t);
  const password = randomWord();
  const login = await grantedLogin(t, scratch, password);
  const limited = loggedIn(scratch, login, password, { strict: true });
  await access(limited, async (granted) => {
    t.is((await provisionHere(granted, { ksessionsId: 15 })).outcome.status, 'provisioned');
    t.is((await provisionHere(granted, { ksessionsId: 15 })).outcome.status, 'rotated');
    t.deepEqual(await findExcess(granted.database), []);
  });
  t.regex((await open(scratch, findExcess)).join(), /^The login \w+ is a superuser: /);
  await asAdmin(`GRANT INSERT ON dbo."Sessions" TO ${login}`, databaseOf(scratch));
  t.regex((await t.throwsAsync(access(limited, () => Promise.resolve()))).message, /could|may/);
});

(mssqlUrl === undefined ? test.skip : test.serial)('mssql: what the guide grants is enough, and could harm nothing', async (t) => {
  const scratch = await mssqlLane.ready(t);
  const [login, password] = [`canvas_app_${randomBytes(4).toString('hex')}`, randomWord()];
  const database = databaseOf(scratch);
  await asMssqlAdmin(`CREATE LOGIN ${login} WITH PASSWORD = '${password}'`);
  t.teardown(() => asMssqlAdmin(`DROP LOGIN ${login}`));
  await asMssqlAdmin(`CREATE USER ${login} FOR LOGIN ${login}`, database);
  const [server] = await asMssqlAdmin(`SELECT CAST(SERVERPROPERTY('Babelfish') AS int) AS babelfish`);
  // Babelfish knows no such right, and shows every definition.
  const grants = grantsOf('SQL Server', login).filter((grant) => server?.['babelfish'] !== 1 || !grant.includes('VIEW'));
  for (const grant of grants) await asMssqlAdmin(grant, database);
  const limited = loggedIn(scratch, login, password);
  await access(limited, async (granted) => {
    t.is((await provisionHere(granted, { ksessionsId: 15 })).outcome.status, 'provisioned');
    t.is((await provisionHere(granted, { ksessionsId: 15 })).outcome.status, 'rotated');
    t.deepEqual(await findHarm(granted.database), []);
    t.deepEqual(await findExcess(granted.database), []);
  });
  t.regex((await open(scratch, findExcess)).join(), /^The login \w+ is a sysadmin: /);
  await asMssqlAdmin(`GRANT INSERT ON dbo.Sessions TO ${login}`, database);
  t.deepEqual(await open(limited, findHarm), ['The login may write to the source table dbo.Sessions.']);
});
