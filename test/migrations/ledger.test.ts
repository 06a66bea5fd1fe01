import test, { type ExecutionContext } from 'ava';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { withTransaction } from '../../lib/engines/database';
import type { Dialect } from '../../lib/engines/engine';
import { EXIT_OF, ToolkitError, type Code } from '../../lib/errors';
import { enrol, requirePermit } from '../../lib/migrations/enrol';
import { loadMigration, readMigrations } from '../../lib/migrations/files';
import { readLedger, recordHistory, recordInLedger, type Applied } from '../../lib/migrations/ledger';
import { planLatest, planRollback } from '../../lib/migrations/plan';
import { firstRefusal, migrationStatus, previewLatest } from '../../lib/migrations/preview';
import { migrateLatest, rollback } from '../../lib/migrations/run';
import { readSchema } from '../../lib/migrations/live-schema';
import { execute, lanes, open } from '../helpers/lanes';
import { long } from '../helpers/long';
import type { Access } from '../../lib/access';

const FIXTURES = join(PACKAGE_ROOT, 'test', 'fixtures', 'migrations');
const folderOf = (fault: string) => join(FIXTURES, fault);

const ONE = '20260101000100_one';
const TWO = '20260101000200_two';
const THREE = '20260101000300_three';

/** The ledger after all of `base` was applied. */
function ledger(batches: readonly number[] = [1, 1, 1]): Applied[] {
  return readMigrations(folderOf('base')).map(({ name, checksum }, place) => ({
    name, checksum, batch: batches[place], appliedAt: new Date(0), appliedBy: 'suite', durationMs: 1, toolVersion: '0',
    objects: { made: [], found: [] }, isDamaged: false,
  }));
}

/** What docs/migrations.md says of each: the names that would run, or the refusal and what it names. */
const OUTCOMES: readonly (readonly [fault: string, outcome: readonly string[] | readonly [Code, RegExp]])[] = [
  ['base', []],
  ['edited', ['MIGRATION_EDITED', /20260101000200_two was edited/]],
  ['missing', ['MIGRATION_EDITED', /20260101000200_two has no file/]],
  ['renamed', ['MIGRATION_EDITED', /20260101000200_two was renamed to 20260101000200_second/]],
  ['late', ['MIGRATION_EDITED', /20260101000150_between comes late/]],
  ['gap', ['20260105000000_after_a_gap']],
  ['duplicate', ['CONFIG', /same timestamp: 20260101000300_three\.ts and 20260101000300_tres\.ts/]],
  ['compiled', ['CONFIG', /same timestamp: 20260101000200_two\.js and 20260101000200_two\.ts/]],
  ['misnamed', ['CONFIG', /20260101_four\.ts would never run/]],
  ['strays', []],
];

const isRefusal = (outcome: readonly unknown[]): outcome is readonly [Code, RegExp] => outcome[1] instanceof RegExp;

test('each fixture has its documented outcome, and every fixture is listed', (t) => {
  // What other tests write out or run is no fault of a folder, nor is what one makes meanwhile.
  const faults = readdirSync(FIXTURES).filter((name) => !['handoff', 'slip'].includes(name) && !name.startsWith('rewritten-'));
  t.deepEqual(OUTCOMES.map(([fault]) => fault).sort(), faults.sort());
  for (const [fault, outcome] of OUTCOMES) {
    const plan = () => planLatest(readMigrations(folderOf(fault)), ledger());
    if (isRefusal(outcome)) {
      const error = t.throws(plan, { instanceOf: ToolkitError, message: outcome[1] }, fault);
      t.is(error.code, outcome[0], fault);
    } else {
      t.deepEqual(plan().map(({ name }) => name), [...outcome], fault);
    }
  }
});

/** `base`, each file rewritten. */
function rewritten(t: ExecutionContext, change: (text: string) => string, rename = (name: string) => name): string {
  const folder = mkdtempSync(join(FIXTURES, 'rewritten-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  cpSync(folderOf('base'), folder, { recursive: true });
  for (const file of readdirSync(folder)) {
    writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')));
    renameSync(join(folder, file), join(folder, rename(file)));
  }
  return folder;
}

test('line ends, a BOM, a last empty line and the extension change nothing', (t) => {
  const folders = [
    rewritten(t, (text) => text.replaceAll('\n', '\r\n')),
    rewritten(t, (text) => `\uFEFF${text}`),
    rewritten(t, (text) => `${text}\n\n`),
    rewritten(t, (text) => text, (name) => name.replace('.ts', '.js')),
  ];
  for (const folder of folders) t.deepEqual(planLatest(readMigrations(folder), ledger()), []);
  const other = rewritten(t, (text) => text.replace('One', 'one'));
  t.throws(() => planLatest(readMigrations(other), ledger()), { message: /one was edited/ });
});

const EXPORTS = 'export const up = async () => undefined; export const down = up;';

/** A file nobody could run, and what is said of it. */
const BROKEN: readonly (readonly [fault: string, text: string, says: RegExp])[] = [
  ['a syntax error', 'export const up = async ( => {', /cannot be loaded.+broken\.ts\(1,27\): error TS1135/],
  ['throws when it is loaded', 'throw new Error("no such place");', /cannot be loaded\. Error: no such place/],
  ['imports what is not there', `import './nothing'; ${EXPORTS}`, /cannot be loaded.+Cannot find module '\.\/nothing'/],
  ['no up', 'export const down = async () => undefined;', /is no migration\. up is not a function\./],
  ['no down', 'export const up = async () => undefined;', /is no migration\. down is not a function\./],
  ['nothing at all', '', /up is not a function; down is not a function/],
  ['a shape that is none', `${EXPORTS} export const shape = [];`, /shape is not an object/],
  ['a misspelt part', `${EXPORTS} export const shape = { T: { column: {} } };`, /shape\.T\.column is not known/],
  ['a type nobody knows', `${EXPORTS} export const shape = { T: { columns: { A: { type: 'bigit', nullable: false } } } };`,
    /shape\.T\.columns\.A\.type is not a type of a column/],
  ['an index without columns', `${EXPORTS} export const shape = { T: { indexes: [{ unique: true }] } };`,
    /shape\.T\.indexes\[0\]\.columns is not a list/],
  ['a question for one dialect', `${EXPORTS} export const preflight = [{ check: 'a', finds: 'b', needs: [], sql: { mssql: 'x' } }];`,
    /preflight\[0\]\.sql\.postgres is not a text/],
];

/** The fixture `base` with one more file. */
function withFile(t: ExecutionContext, name: string, text: string): string {
  const folder = rewritten(t, (same) => same);
  writeFileSync(join(folder, name), text);
  return folder;
}

const BROKEN_FILE = '20260101000400_broken.ts';

test('a file that is no migration is told by its name before anything is done', (t) => {
  for (const [fault, text, says] of BROKEN) {
    const file = readMigrations(withFile(t, BROKEN_FILE, text)).at(-1);
    if (file === undefined) return t.fail();
    const error = t.throws(() => loadMigration(file), { instanceOf: ToolkitError }, fault);
    t.is(error.code, 'CONFIG', fault);
    t.regex(`${error.message} ${error.why}`, says, fault);
    t.true(error.message.includes(`migrations/${BROKEN_FILE}`), fault);
    t.true(error.hint.includes('Nothing was done'), fault);
  }
});

test('a late file runs where it was asked for; every other problem stays one', (t) => {
  const names = planLatest(readMigrations(folderOf('late')), ledger(), true).map(({ name }) => name);
  t.deepEqual(names, ['20260101000150_between']);
  t.throws(() => planLatest(readMigrations(folderOf('edited')), ledger(), true), { message: /edited/ });
});

test('a migration that stands in one book only is a refusal', (t) => {
  const files = readMigrations(folderOf('base'));
  const [one, ...rest] = ledger();
  for (const half of [{ ...one, batch: undefined }, { ...one, checksum: undefined }] as Applied[]) {
    t.throws(() => planLatest(files, [half, ...rest]), { message: /disagree about the migration 20260101000100_one/ });
  }
});

test('a rollback takes the last batch, or what came after a name, or everything, the last one first', (t) => {
  const files = readMigrations(folderOf('base'));
  const names = (to?: string, applied = ledger([1, 2, 2])) => planRollback(files, applied, to).map(({ file }) => file.name);
  t.deepEqual(names(), [THREE, TWO]);
  t.deepEqual(names(TWO), [THREE]);
  t.deepEqual(names(THREE), []);
  t.deepEqual(names('0'), [THREE, TWO, ONE]);
  t.deepEqual(names(undefined, []), []);
  const error = t.throws(() => names('20260101000200'), { instanceOf: ToolkitError });
  t.is(EXIT_OF[error.code], 2);
  t.regex(error.why, /Applied: .*one, .*two, .*three/);
});

for (const lane of lanes()) {
  long(`${lane.name}: the outcomes hold on a database, and a refusal changes nothing`, async (t) => {
    await open(await lane.empty(t), async (database) => {
      const { canvas } = database;
      await enrol(database, canvas.admission.identity.database, 'suite');
      const permit = await requirePermit(database);
      const latest = (fault: string, allowLate = false) =>
        migrateLatest(database, permit, { actor: 'suite', folder: folderOf(fault), allowLate });
      t.deepEqual(await latest('base'), [ONE, TWO, THREE]);
      const before = await readLedger(canvas);
      t.like(before[1], { name: TWO, batch: 1, appliedBy: 'suite', objects: { made: ['column Two.Id', 'table Two'], found: [] } });
      for (const [fault, outcome] of OUTCOMES.filter(([, one]) => isRefusal(one))) {
        const error = await t.throwsAsync(latest(fault), { instanceOf: ToolkitError }, fault);
        t.is(error.code, outcome[0] as Code, fault);
      }
      t.deepEqual(await readLedger(canvas), before);

      t.deepEqual(await latest('late', true), ['20260101000150_between']);
      const back = (to?: string) => rollback(database, permit, { to, folder: folderOf('late') });
      t.deepEqual(await back(), ['20260101000150_between'], 'its own batch');
      await latest('late', true);
      t.deepEqual(await back(TWO), ['20260101000150_between', THREE], 'in the order they were applied');
      const access = { database, permit } as Access;
      await execute(access, 'INSERT INTO canvas."One" ("Id") VALUES (7)');
      const error = await t.throwsAsync(back('0'), { instanceOf: ToolkitError });
      t.is(error.code, 'DATA_NOT_READY');
      t.regex(error.why, /1 rows in canvas\.One/);
      t.deepEqual((await readLedger(canvas)).map(({ name }) => name), [ONE, TWO], 'nothing went before the refusal');
      await execute(access, 'DELETE FROM canvas."One"', 'ALTER TABLE canvas."Two" ADD "ByHand" int');
      const more = await t.throwsAsync(back('0'), { instanceOf: ToolkitError });
      t.is(more.code, 'CONFLICT');
      t.regex(more.why, /not made by it: column Two\.ByHand/);
      await execute(access, 'ALTER TABLE canvas."Two" DROP COLUMN "ByHand"');
      t.deepEqual(await back('0'), [TWO, ONE]);
      t.deepEqual([...(await readSchema(canvas)).objects].filter((object) => /One|Two|Three|Between/.test(object)), []);
    });
  });
}

/** What a hand put on a table that a migration made, how it is taken off again, and how it is named. */
const BY_HAND: Record<Dialect, readonly (readonly [change: string, undo: string, object: string])[]> = {
  postgres: [
    ['CREATE POLICY p ON canvas."One" USING (true)', 'DROP POLICY p ON canvas."One"', 'policy One.p'],
    ['CREATE RULE r AS ON DELETE TO canvas."One" DO INSTEAD NOTHING', 'DROP RULE r ON canvas."One"', 'rule One.r'],
    ['CREATE STATISTICS canvas.s ON ("Id" + 1) FROM canvas."One"', 'DROP STATISTICS canvas.s', 'statistics One.s'],
    ['GRANT SELECT ON canvas."One" TO PUBLIC', 'REVOKE SELECT ON canvas."One" FROM PUBLIC', 'grant One.SELECT to PUBLIC'],
    ['GRANT UPDATE ("Id") ON canvas."One" TO PUBLIC', 'REVOKE UPDATE ("Id") ON canvas."One" FROM PUBLIC', 'grant One.UPDATE (Id) to PUBLIC'],
    [`COMMENT ON COLUMN canvas."One"."Id" IS 'by hand'`, 'COMMENT ON COLUMN canvas."One"."Id" IS NULL', 'comment One.Id'],
    ['ALTER TABLE canvas."One" ENABLE ROW LEVEL SECURITY', 'ALTER TABLE canvas."One" DISABLE ROW LEVEL SECURITY', 'security One.row level security'],
    ['CREATE INDEX by_hand ON canvas."One" ("Id")', 'DROP INDEX canvas.by_hand', 'index One.by_hand'],
  ],
  mssql: [
    [
      `EXEC sp_addextendedproperty N'Words', N'by hand', N'SCHEMA', N'canvas', N'TABLE', N'One'`,
      `EXEC sp_dropextendedproperty N'Words', N'SCHEMA', N'canvas', N'TABLE', N'One'`,
      'property One.Words',
    ],
  ],
};

for (const lane of lanes()) {
  long(`${lane.name}: a rollback refuses before it begins where something by hand would go with a table`, async (t) => {
    await open(await lane.empty(t), async (database) => {
      await enrol(database, database.canvas.admission.identity.database, 'suite');
      const permit = await requirePermit(database);
      const folder = folderOf('base');
      await migrateLatest(database, permit, { actor: 'suite', folder });
      const access = { database, permit } as Access;
      for (const [change, undo, object] of BY_HAND[lane.dialect]) {
        await execute(access, change);
        const reverted: string[] = [];
        const back = rollback(database, permit, { to: '0', folder, onReverted: (name) => reverted.push(name) });
        const error = await t.throwsAsync(back, { instanceOf: ToolkitError }, change);
        t.is(error.code, 'CONFLICT', change);
        t.true(error.why.endsWith(`not made by it: ${object}.`), error.why);
        t.deepEqual(reverted, [], 'two newer ones are left too');
        await execute(access, undo);
      }
      if (lane.dialect === 'postgres') {
        // What came with a table by rights that were set before was made with it.
        await rollback(database, permit, { to: '0', folder });
        await execute(access, 'ALTER DEFAULT PRIVILEGES IN SCHEMA canvas GRANT SELECT ON TABLES TO PUBLIC');
        await migrateLatest(database, permit, { actor: 'suite', folder });
        t.true((await readLedger(database.canvas))[0]?.objects.made.includes('grant One.SELECT to PUBLIC'));
      }
      t.deepEqual(await rollback(database, permit, { to: '0', folder }), [THREE, TWO, ONE]);
    });
  });
}

/** What stands in the Objects cell after a hand was there; the migration made one table. */
const GARBLED = ['', 'made', 'null', '[]', '{}', '{"made":[]}', '{"made":{},"found":[]}', '{"made":["canvas"],"found":[]}', '{"made":[],"found":[]}'];

for (const lane of lanes()) {
  long(`${lane.name}: a ledger whose row does not say what was made is damaged, and nothing is taken back by it`, async (t) => {
    const base = 'import * as one from "./20260101000100_one"; export const up = one.up; export const down = async () => undefined;';
    const shape = `export const shape = { One: { columns: { Id: { type: 'integer', nullable: false } } } };`;
    const folder = rewritten(t, (text) => text);
    for (const file of readdirSync(folder)) if (!file.includes('_one')) rmSync(join(folder, file));
    writeFileSync(join(folder, '20260101000100_one.ts'), `${readFileSync(join(folder, '20260101000100_one.ts'), 'utf8')}${shape}`);
    writeFileSync(join(folder, '20260101000200_two.ts'), base);
    await open(await lane.empty(t), async (database) => {
      await enrol(database, database.canvas.admission.identity.database, 'suite');
      const permit = await requirePermit(database);
      await migrateLatest(database, permit, { actor: 'suite', folder });
      const cell = (text: string) =>
        execute({ database, permit } as Access, `UPDATE canvas."MigrationLedger" SET "Objects" = '${text}' WHERE "Name" = '${ONE}'`);
      const [whole] = await readLedger(database.canvas);
      for (const text of GARBLED) {
        await cell(text);
        const status = await migrationStatus(database, folder);
        t.deepEqual(status.problems, [{ kind: 'damaged', name: ONE }], text);
        const told = firstRefusal(database, status);
        t.is(told?.code, 'MIGRATION_EDITED', text);
        for (const to of ['0', TWO, undefined]) {
          const error = await t.throwsAsync(rollback(database, permit, { to, folder }), { instanceOf: ToolkitError }, `${text} ${to}`);
          t.is(error.code, 'MIGRATION_EDITED', text);
          t.regex(error.message, /The ledger's row of the migration 20260101000100_one was changed by hand/);
        }
        t.is((await readLedger(database.canvas)).length, 2, text);
      }
      await cell(JSON.stringify(whole?.objects));
      t.deepEqual((await migrationStatus(database, folder)).problems, [], 'the second one has no shape, and made nothing');
      t.deepEqual(await rollback(database, permit, { to: '0', folder }), [TWO, ONE]);
    });
  });
}

const sending = (up: string, down = 'SELECT 1') =>
  `export const up = async (knex) => { await knex.raw(${JSON.stringify(up)}); };
   export const down = async (knex) => { await knex.raw(${JSON.stringify(down)}); };`;

/** Statements that no migration may send; the reason beside each. */
const ENDING: Record<Dialect, readonly (readonly [text: string, statement: RegExp, reason: string])[]> = {
  postgres: [
    [sending('COMMIT'), /^It sends: COMMIT$/, 'what follows would not be undone'],
    [sending('SELECT 1; END'), /^It sends: END$/, 'the same in other words'],
    [sending('DO $$ BEGIN IF true THEN ROLLBACK; END IF; END $$'), /^It sends: ROLLBACK$/, 'within a body that runs now'],
    [sending('SELECT 1', 'ROLLBACK'), /^It sends: ROLLBACK$/, 'a rollback would end where it stands'],
  ],
  mssql: [
    [sending('COMMIT TRAN'), /^It sends: COMMIT TRAN$/, 'what follows would not be undone'],
    [sending("IF 1 = 1 BEGIN EXEC (N'BEGIN TRAN') END"), /^It sends: BEGIN TRAN$/, 'nests, within a literal that is run'],
    [sending('SELECT 1', 'ROLLBACK'), /^It sends: ROLLBACK$/, 'a rollback would end where it stands'],
  ],
};

for (const lane of lanes()) {
  long(`${lane.name}: a file that cannot be one migration in one transaction stops the run before the first`, async (t) => {
    await open(await lane.empty(t), async (database) => {
      const { canvas, target } = database;
      await enrol(database, canvas.admission.identity.database, 'suite');
      const permit = await requirePermit(database);
      const run = (text: string) => migrateLatest(database, permit, { actor: 'suite', folder: withFile(t, BROKEN_FILE, text) });
      for (const [text, statement, reason] of ENDING[lane.dialect]) {
        const error = await t.throwsAsync(run(text), { instanceOf: ToolkitError }, reason);
        t.is(error.code, 'CONFIG', reason);
        t.regex(error.message, /20260101000400_broken would end or nest the transaction/, reason);
        t.regex(error.why, statement, reason);
        const status = await migrationStatus(database, withFile(t, BROKEN_FILE, text));
        const told = firstRefusal(database, status);
        t.deepEqual([told?.code, told?.why], [error.code, error.why], `foretold: ${reason}`);
        t.is((await previewLatest(database, status)).length, 4, 'a plan shows its SQL all the same');
      }
      for (const text of ['export const up = ', `${EXPORTS} export const shape = 1;`, `${EXPORTS.replace('undefined', '(await arguments[0].raw("SELECT 1")).rows[0].x')}`]) {
        const folder = withFile(t, BROKEN_FILE, text);
        for (const work of [migrateLatest(database, permit, { actor: 'suite', folder }), migrationStatus(database, folder)]) {
          const error = await t.throwsAsync(work, { instanceOf: ToolkitError }, text);
          t.is(error.code, 'CONFIG', text);
          t.regex(error.message, /migrations\/20260101000400_broken\.ts/, text);
        }
      }
      t.deepEqual(await readLedger(canvas), [], `${target.name}: nothing was applied`);

      // As an earlier version let it be applied.
      const folder = withFile(t, BROKEN_FILE, sending('SELECT 1', 'ROLLBACK'));
      const { checksum = '' } = readMigrations(folder).at(-1) ?? {};
      await migrateLatest(database, permit, { actor: 'suite', folder: folderOf('base') });
      await withTransaction(database, permit, undefined, async (writer) => {
        const record = { appliedAt: writer.now, durationMs: 0, appliedBy: 'suite', toolVersion: '0', objects: { made: [], found: [] } };
        await recordInLedger(writer, { name: BROKEN_FILE.slice(0, -3), checksum, ...record });
        await recordHistory(writer, BROKEN_FILE.slice(0, -3), 1);
      });
      const back = await t.throwsAsync(rollback(database, permit, { to: '0', folder }), { instanceOf: ToolkitError });
      t.is(back.code, 'CONFIG');
      t.is((await readLedger(canvas)).length, 4, 'nothing was taken back');
    });
  });
}
