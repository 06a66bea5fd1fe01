/** What a run knows from its last transaction, and what it must look at again because somebody else was there. */
import test from 'ava';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { withTransaction, type Database } from '../../lib/engines/database';
import type { Permit } from '../../lib/guard/guard';
import { enrol, requirePermit } from '../../lib/migrations/enrol';
import type { Migration } from '../../lib/migrations/files';
import { readEntries, readLedger } from '../../lib/migrations/ledger';
import { MIGRATION_LOCK, migrateLatest } from '../../lib/migrations/run';
import { databaseOf, lanes, open, pgliteLane, postgresUrl, type Lane, type Owner } from '../helpers/lanes';
import { long } from '../helpers/long';

async function withPermit(lane: Lane, t: Owner, work: (database: Database, permit: Permit, name: string) => Promise<void>) {
  const scratch = await lane.empty(t);
  await open(scratch, async (database) => {
    await enrol(database, database.canvas.admission.identity.database, 'suite');
    await work(database, await requirePermit(database), lane.name === 'pglite' ? '' : databaseOf(scratch));
  });
}

const ROWS = 'INSERT INTO canvas."knex_migrations" ("name", "batch") VALUES (\'a row\', 1)';

/** A transaction that writes. @returns it, over */
const writing = (database: Database, permit: Permit) =>
  withTransaction(database, permit, MIGRATION_LOCK, async (writer) => {
    await writer.sql.raw(ROWS);
    return writer;
  });

long('pglite: a transaction follows the one before it, and no earlier one', async (t) => {
  await withPermit(pgliteLane, t, async (database, permit) => {
    const [first, second] = [await writing(database, permit), await writing(database, permit)];
    t.true(second.follows(first));
    const third = await writing(database, permit);
    t.true(third.follows(second));
    t.false(third.follows(first), 'the second one wrote in between');
  });
});

/** A connection of somebody else. */
async function other(t: Owner, database: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: Object.assign(new URL(postgresUrl ?? ''), { pathname: `/${database}` }).href });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

const [postgres] = lanes().filter(({ name }) => name === 'postgres');
const onPostgres = postgres === undefined ? test.skip : test.serial;

onPostgres('postgres: a transaction does not follow where anybody else wrote in between, however long ago they began', async (t) => {
  if (postgres === undefined) return;
  await withPermit(postgres, t, async (database, permit, name) => {
    const client = await other(t, name);
    const whatOthersDo: readonly (readonly [before: string, between: string])[] = [
      ['SELECT 1', ROWS],
      [`BEGIN; ${ROWS}`, 'COMMIT'],
    ];
    for (const [before, between] of whatOthersDo) {
      await client.query(before);
      // One that is over after the other began: the count alone would not show the other.
      await writing(database, permit);
      const first = await writing(database, permit);
      await client.query(between);
      const second = await writing(database, permit);
      t.false(second.follows(first), between);
    }
  });
});

onPostgres('postgres: an object that somebody makes between two migrations was found by the second, not made', async (t) => {
  if (postgres === undefined) return;
  for (const begin of ['before the run', 'within the first migration']) {
    await withPermit(postgres, t, async (database, permit, name) => {
      const client = await other(t, name);
      const makeByHand = () => client.query('BEGIN; CREATE TABLE canvas."ByHand" ("Id" int)');
      if (begin === 'before the run') await makeByHand();
      const committed: Promise<unknown>[] = [];
      const folder = twoMigrations(t, async () => {
        if (begin !== 'before the run') await makeByHand();
        // It gets the lock when the first migration is committed; the second waits for it.
        committed.push(client.query(`SELECT pg_advisory_xact_lock(hashtextextended('${MIGRATION_LOCK}', 0)); COMMIT`));
      });
      t.is((await migrateLatest(database, permit, { actor: 'suite', folder })).length, 2);
      await Promise.all(committed);
      const [, second] = await readLedger(database.canvas);
      t.deepEqual(second?.objects, { made: [], found: ['column ByHand.Id', 'table ByHand'] }, begin);
    });
  }
});

onPostgres('postgres: whoever reads the books while a run commits finds that they agree', async (t) => {
  if (postgres === undefined) return;
  await withPermit(postgres, t, async ({ canvas }, _permit, name) => {
    const client = await other(t, name);
    let applied = 0;
    const applyOne = () =>
      client.query(`BEGIN; INSERT INTO canvas."MigrationLedger" VALUES ('${(applied += 1)}', '', now(), 0, '', '', '{}');
        INSERT INTO canvas."knex_migrations" ("name", "batch") VALUES ('${applied}', 1); COMMIT`);
    const ask = canvas.ask.bind(canvas);
    const amidCommits = async (sql: string) => {
      await applyOne();
      const rows = await ask(sql);
      await applyOne();
      return rows;
    };
    Object.defineProperty(canvas, 'ask', { value: amidCommits });
    const entries = await readEntries(canvas);
    t.deepEqual(entries, [{ name: '1', checksum: '', batch: 1 }]);
  });
});

/** The first does what it is told when it is run, not when it is written down; the second makes a table, where it is not there. */
function twoMigrations(t: Owner, first: () => Promise<void>): string {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-between-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [one, two] = ['20260101000100_one.js', '20260101000200_two.js'].map((name) => {
    const path = join(folder, name);
    writeFileSync(path, 'exports.down = async () => {};\n');
    // The runner gets the same module: Node loads a file once.
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the path is known at run time only
    return require(path) as { -readonly [Key in keyof Migration]: Migration[Key] };
  });
  if (one === undefined || two === undefined) throw new Error('Two were written.');
  one.up = async (knex) => void (knex.isTransaction === true && (await first()));
  two.up = async (knex) => void (await knex.raw('CREATE TABLE IF NOT EXISTS canvas."ByHand" ("Id" int)'));
  two.shape = { ByHand: { columns: { Id: { type: 'integer', nullable: true } } } };
  return folder;
}
