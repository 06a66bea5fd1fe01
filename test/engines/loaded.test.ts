/** A command loads the driver of its target and no other: each costs a tenth of a second and more. */
import test, { type ExecutionContext } from 'ava';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pgliteLane, targetAt, type Scratch } from '../helpers/lanes';
import { run } from '../helpers/script';
import { refusal, startResponder } from '../helpers/tds-responder';

const HOOK = `--require ${JSON.stringify(join(__dirname, '../helpers/loaded-modules.cjs'))}`;
const DRIVERS = ['pg', 'tedious'];

async function driversOf(t: ExecutionContext, scratch: Scratch, exit: number): Promise<string[]> {
  const file = join(scratch.folder, 'loaded');
  const { code, stderr } = await run(scratch, 'provision', ['15', '--dry-run'], { NODE_OPTIONS: HOOK, LOADED_FILE: file });
  t.is(code, exit, stderr);
  const loaded = readFileSync(file, 'utf8').split('\n');
  t.true(loaded.includes('knex'), 'the list is one');
  return DRIVERS.filter((driver) => loaded.includes(driver));
}

test('nothing of SQL Server is loaded for the embedded engine', async (t) => {
  t.deepEqual(await driversOf(t, await pgliteLane.ready(t), 0), ['pg']);
});

test('nothing of SQL Server is loaded for PostgreSQL', async (t) => {
  // Nobody listens there: the driver is loaded to find that out.
  t.deepEqual(await driversOf(t, targetAt(t, 1, 'postgres'), 2), ['pg']);
});

test('nothing of PostgreSQL is loaded for SQL Server', async (t) => {
  const server = await startResponder(t, ({ kind }) => (kind === 'login' ? refusal(18456, 'Login failed.') : undefined));
  t.deepEqual(await driversOf(t, targetAt(t, server.port, 'mssql'), 2), ['tedious']);
  t.is(server.heard.at(-1)?.kind, 'login');
});
