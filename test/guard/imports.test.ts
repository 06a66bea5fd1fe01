/** Nothing in the toolkit comes by a connection, or by a way to write on one, but through the guard. */
import test from 'ava';
import knexFactory, { type Knex } from 'knex';
import { Socket } from 'node:net';
import type { Dialect } from '../../lib/engines/engine';
import { readMigrations, loadMigration } from '../../lib/migrations/files';
import { recordStatements } from '../../lib/migrations/record';
import { readSource, readSources } from '../helpers/imports';

const sources = readSources('lib', 'scripts', 'seeds', 'migrations', 'knexfile.ts');
const imports = sources.flatMap((source) => source.imports);

/** The files that take one of these names of a module, sorted. */
function takers(module: string | RegExp, ...names: readonly string[]): string[] {
  const isModule = (one: string) => (typeof module === 'string' ? one === module : module.test(one));
  const takes = (taken: readonly string[]) => names.length === 0 || ['*', ...names].some((name) => taken.includes(name));
  const files = imports.filter((one) => isModule(one.module) && takes(one.names)).map(({ file }) => file);
  return [...new Set(files)].sort();
}

const DRIVERS = /^(pg|pg-.+|tedious|mssql|mysql2?|oracledb|sqlite3|better-sqlite3|@electric-sql\/.+)(\/|$)/;

test('every source file is read, and the reading tells a type from a value', (t) => {
  for (const file of ['lib/engines/database.ts', 'scripts/provision.mjs', 'lib/register.cjs', 'knexfile.ts']) {
    t.true(sources.some((source) => source.file === file), file);
  }
  const made = readSource(
    'lib/a/b.ts',
    `import type K from 'knex'; import { type L } from 'knex'; export type { M } from 'knex';
     import factory, { type N } from 'pg'; import * as all from './c'; export { one as two } from '../d';
     import 'side'; import eq = require('equal'); const load = createRequire(__filename);
     load('loaded'); require('required'); void import('imported'); load(name); createRequire(x)('direct');
     const { sql: mine } = writer; writer['raw']; writer.table;`,
  );
  t.deepEqual(made.imports.map(({ module, names }) => [module, ...names]), [
    ['pg', 'default'], ['lib/a/c', '*'], ['lib/d', 'one'], ['side', '*'], ['equal', '*'],
    ['loaded', '*'], ['required', '*'], ['imported', '*'], ['direct', '*'],
  ]);
  t.deepEqual(made.openLoads, ['load(name)']);
  for (const name of ['sql', 'raw', 'table']) t.true(made.properties.has(name), name);
});

test('only engines load a driver', (t) => {
  const files = takers(DRIVERS);
  t.true(files.includes('lib/engines/pglite.ts'), 'the test sees the drivers that are there');
  t.deepEqual(files.filter((file) => !file.startsWith('lib/engines/')), []);
});

/** It compiles statements with the engines' own clients and cuts the wire off: the last test here shows it. */
const RECORDER = 'lib/migrations/record.ts';

test('only database.ts calls the factory of Knex, and the recorder, which has no wire', (t) => {
  t.deepEqual(takers('knex'), ['lib/engines/database.ts', RECORDER]);
  const clients = takers(/^(knex\/.*|lib\/engines\/mssql-client)$/).filter((file) => !file.startsWith('lib/engines/'));
  t.deepEqual(clients, [RECORDER], 'the clients that could dial are for engines');
});

/** Loads whose module is known at run time only, and why each is harmless. */
const OPEN_LOADS: Readonly<Record<string, string>> = {
  'lib/cli/manual.ts': 'the scripts, for what they say of themselves',
  'lib/migrations/files.ts': 'a file of the migrations folder',
};

test('what is loaded by a name that only the run knows is listed with its reason', (t) => {
  const files = sources.filter(({ openLoads }) => openLoads.length > 0).map(({ file }) => file).sort();
  t.deepEqual(files, Object.keys(OPEN_LOADS).sort());
});

const DATABASE = 'lib/engines/database';
const GUARD = 'lib/guard/guard';

/** What leads to a writable connection, and who may take it. */
const DOORS: readonly (readonly [module: string, name: string, files: readonly string[]])[] = [
  [GUARD, 'permitWriting', ['lib/migrations/enrol.ts']],
  [GUARD, 'permitEnrolment', ['lib/migrations/enrol.ts']],
  [DATABASE, 'withEnrolment', ['lib/migrations/enrol.ts']],
  [DATABASE, 'Enroller', []],
  // The knex command writes by itself: what it hands to a migration is made a Writer under the Permit.
  [DATABASE, 'knexConfigFor', ['lib/knex-command.ts']],
  [DATABASE, 'Writer', ['lib/knex-command.ts']],
  [DATABASE, 'Reader', ['lib/knex-command.ts']],
];

for (const [module, name, files] of DOORS) {
  test(`${name} of ${module} is taken by ${files.length === 0 ? 'nobody' : files.join(' and ')}`, (t) => {
    t.deepEqual(takers(module, name), files);
  });
}

/** A Writer's `sql` is a whole Knex. Who reads a property of that name, and what for. */
const SQL: Readonly<Record<string, string>> = {
  'lib/access.ts': 'seeds fill the embedded target',
  'lib/engines/database.ts': 'the Writer itself',
  'lib/hosts/identities.ts': 'puts an identity that fell behind where it belongs, which is no statement of a builder',
  'lib/migrations/apply.ts': 'migrations take a Knex',
  'lib/engines/mssql-client.ts': 'no Writer: the text of a statement on its way',
  'lib/migrations/handoff.ts': 'no Writer: the text of a question, for a file',
  'lib/migrations/losses.ts': 'counts the rows a rollback would take, under the lock',
  'lib/migrations/preflight.ts': 'no Writer: the text of a question',
  'lib/migrations/record.ts': 'no Writer: the text of a compiled statement',
  'lib/migrations/sql.ts': 'no Writer: the text of a compiled statement',
};

test('who reaches Knex through a Writer is listed with its reason', (t) => {
  const files = sources.filter(({ properties }) => properties.has('sql')).map(({ file }) => file);
  t.deepEqual(files.sort(), Object.keys(SQL).sort());
});

/** Counts the connections that this process tries to open meanwhile; none comes about. */
async function dialled(work: () => Promise<unknown>): Promise<number> {
  const original = Object.getOwnPropertyDescriptor(Socket.prototype, 'connect');
  let count = 0;
  const connect = function (this: Socket): Socket {
    count += 1;
    return this.destroy(new Error('dialled'));
  };
  Object.defineProperty(Socket.prototype, 'connect', { ...original, value: connect });
  try {
    await work().catch(() => undefined);
  } finally {
    Object.defineProperty(Socket.prototype, 'connect', { ...original });
  }
  return count;
}

/** Knex tells on the console what it throws as well. */
const SILENT = { warn() {}, error() {}, deprecate() {}, debug() {} };

test.serial('the recorder of statements never dials, whatever runs in it', async (t) => {
  const connection = { host: '127.0.0.1', port: 1, user: 'x', password: 'x', database: 'x' };
  const stock = knexFactory({ client: 'pg', connection, log: SILENT });
  t.is(await dialled(() => stock.raw('SELECT 1')), 1, 'a Knex with a wire is seen to dial');
  await stock.destroy();
  const everything = async (knex: Knex) => {
    for (const file of readMigrations()) await loadMigration(file).up(knex);
    await knex.withSchema('canvas').table('Sessions').insert({ Title: 'x' });
    await knex.raw('SELECT 1');
  };
  for (const dialect of ['postgres', 'mssql'] satisfies Dialect[]) {
    const statements: string[] = [];
    const record = async () => void statements.push(...(await recordStatements(dialect, everything)));
    t.is(await dialled(record), 0, dialect);
    t.is(statements.at(-1), 'SELECT 1');
  }
});
