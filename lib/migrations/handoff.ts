/**
 * The production bundle: SQL for a database that this toolkit must not connect to. It makes files and opens nothing;
 * the same input gives the same bytes. The statements are those a run would send; what the runner does around them
 * (lock, ledger, preflight, shape) is written out in T-SQL.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageVersion } from '../config/settings';
import { faults, ToolkitError } from '../errors';
import { MARKER_TABLE } from '../guard/marker';
import { CATALOGUE } from './catalogue';
import { createMarkerTable, ENROLMENT_SHAPE } from './enrol';
import { readMigrations, type Migration, type MigrationFile } from './files';
import { createBookkeeping, HISTORY_TABLE, LEDGER_TABLE } from './ledger';
import { brokenTransactions } from './obstacles';
import type { Preflight } from './preflight';
import { recordMigration, recordStatements } from './record';
import { MIGRATION_LOCK } from './run';
import { assess } from './safety';
import { unite, type ExpectedSchema } from './schema';
import { requirePlainName, ScriptFile, THROWN } from './script-file';
import { asBit, factsOf, isThere, nameFactsOf, tableName, triggerFactsOf, type Fact } from './shape-facts';
import { literal, SCHEMA } from './sql';

/** One file of the bundle. */
export interface HandoffFile {
  readonly name: string;
  readonly text: string;
}

/** One migration with what a script needs of it. */
interface Step {
  readonly file: MigrationFile;
  readonly migration: Migration;
  readonly statements: readonly string[];
}

/** What else a bundle holds. */
export interface MoreScripts {
  readonly scripts: readonly HandoffFile[];
  /** What the manifest says of them, under names of its own. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

const text = (value: string) => `N${literal(value)}`;
const LEDGER = tableName(LEDGER_TABLE);
const HISTORY = tableName(HISTORY_TABLE);
const MARKER = tableName(MARKER_TABLE);

/** How long the scripts wait for another runner, in milliseconds. */
export const LOCK_WAIT_MS = 30_000;

/**
 * The bundle for one database.
 * @param database its name, as the server knows it
 * @param folder of the migrations
 * @throws ToolkitError USAGE for a name that is not plain; CONFIG for a file that is no migration
 */
export async function composeHandoff(database: string, folder?: string, more?: MoreScripts): Promise<HandoffFile[]> {
  requirePlainName(database);
  const steps: Step[] = [];
  for (const file of readMigrations(folder)) {
    const { migration, up } = await recordMigration('mssql', file);
    const [unfit] = brokenTransactions('mssql', up);
    if (unfit !== undefined) throw faults.migrationNotOneTransaction(file.name, unfit.statement);
    steps.push({ file, migration, statements: up });
  }
  const books = await recordStatements('mssql', async (knex) => {
    await createBookkeeping(knex);
    await createMarkerTable(knex);
  });
  const scripts = [
    { name: 'preflight.sql', text: preflightScript(database, steps) },
    { name: 'migrate.sql', text: migrateScript(database, steps, books) },
    { name: 'verify.sql', text: verifyScript(database, steps) },
    ...(more?.scripts ?? []),
  ];
  return [...scripts, { name: 'MANIFEST.json', text: manifest(database, steps, scripts, more?.manifest) }];
}

/**
 * Writes the bundle into a new or empty folder.
 * @throws ToolkitError USAGE when something is there already, CONFIG when it cannot be written
 */
export function writeHandoff(folder: string, files: readonly HandoffFile[]): void {
  const written: string[] = [];
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length > 0) throw faults.handoffExists(folder);
    for (const { name, text: content } of files) {
      const path = join(folder, name);
      writeFileSync(path, '', { flag: 'wx' });
      written.push(path);
      writeFileSync(path, content);
    }
  } catch (error) {
    // A part of a bundle could be run, and the GUIDs that go with it are gone.
    for (const path of written) rmSync(path, { force: true });
    throw error instanceof ToolkitError ? error : faults.handoffNotWritten(folder, error);
  }
}

/** Of a text in UTF-8, hex. */
export const sha256 = (content: string) => createHash('sha256').update(content, 'utf8').digest('hex');

function manifest(database: string, steps: readonly Step[], files: readonly HandoffFile[], more: MoreScripts['manifest'] = {}): string {
  const content = {
    schema: 'canvas-handoff/1',
    toolVersion: packageVersion(),
    engine: 'mssql',
    database,
    migrations: steps.map(({ file: { name, checksum } }) => ({ name, checksum })),
    files: files.map(({ name, text: content }) => ({ name, sha256: sha256(content), bytes: Buffer.byteLength(content) })),
    ...more,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

// --- heads ---------------------------------------------------------------------------------------------------------

/**
 * What stands at the head of a script.
 * @param about what it is of
 * @param order the scripts among which it is run
 */
export function headOf(
  file: string,
  database: string,
  does: readonly string[],
  about = `schema ${SCHEMA}`,
  order: readonly string[] = ['preflight.sql', 'migrate.sql', 'verify.sql'],
): string[] {
  return [
    `${file} - ${about} of database ${database} (SQL Server 2019 or later)`,
    `Made by canvas-host-toolkit ${packageVersion()}. MANIFEST.json holds the SHA-256 of this file: compare it before use.`,
    '',
    ...does,
    '',
    `Run, in this order: ${order.join(', ')}.`,
    `  sqlcmd -S SERVER -d ${database} -E -b -i ${file}`,
    '  or in SSMS: connect to the database, Query > SQLCMD Mode, Execute.',
    'It stops at the first error. In another database every batch refuses and executes nothing.',
  ];
}

const MIGRATE_HEAD = [
  `Makes and changes tables of schema ${SCHEMA}, listed below; no other schema is touched, and no row of the application.`,
  'Before: take a backup, and restore it once elsewhere.',
  'Each migration is one transaction with its row in the ledger; the next one is refused when it failed. Run again,',
  'it goes on after the last migration that was committed; what is in the ledger already is skipped.',
  'It marks the database as production: canvas-host-toolkit refuses to connect to it for work from then on, for ever.',
];

// --- preflight -----------------------------------------------------------------------------------------------------

const CHECKS = '#canvas_checks';

/** Rows of three columns are gathered, shown at the end, and decide how the script ends. */
function beginChecks(script: ScriptFile): void {
  script.batch(`IF OBJECT_ID(N'tempdb..${CHECKS}') IS NOT NULL DROP TABLE ${CHECKS};
CREATE TABLE ${CHECKS} (place int IDENTITY(1,1) NOT NULL, status nvarchar(4) NOT NULL, what nvarchar(1000) NOT NULL);`);
}

const addCheck = (holds: string, what: string) =>
  `INSERT INTO ${CHECKS} (status, what) SELECT CASE WHEN ${holds} THEN N'PASS' ELSE N'FAIL' END, ${text(what)};`;

function endChecks(script: ScriptFile, number: number): void {
  script.batch(`SELECT c.status, c.what FROM ${CHECKS} c ORDER BY c.place;
SELECT COUNT(*) AS checks, SUM(CASE WHEN c.status = N'FAIL' THEN 1 ELSE 0 END) AS failed FROM ${CHECKS} c;`);
  script.batch(`IF EXISTS (SELECT 1 FROM ${CHECKS} c WHERE c.status = N'FAIL')
  THROW ${number}, N'Some checks failed: the rows above name them.', 1;
PRINT N'All checks passed.';`);
}

/** Tables and their rows, to compare before and after. */
const ROW_COUNTS = `SELECT t.name AS table_name, SUM(p.rows) AS row_count
FROM sys.tables t JOIN sys.partitions p ON p.object_id = t.object_id AND p.index_id IN (0, 1)
WHERE t.schema_id = SCHEMA_ID(${text(SCHEMA)}) GROUP BY t.name ORDER BY t.name;`;

function preflightScript(database: string, steps: readonly Step[]): string {
  const does = ['Looks whether migrate.sql would succeed. Changes nothing.'];
  const script = new ScriptFile(database, headOf('preflight.sql', database, does));
  beginChecks(script);
  script.batch(addCheck(
    `CAST(SERVERPROPERTY('ProductMajorVersion') AS int) >= 15 OR CAST(SERVERPROPERTY('EngineEdition') AS int) IN (5, 8)
  OR SERVERPROPERTY('Babelfish') = 1`,
    'the server is SQL Server 2019 or later, or Azure SQL',
  ));
  script.batch(markerCheck());
  for (const step of steps) script.batch(ledgerIsNotEdited(step));
  script.batch(obstacleChecks(steps));
  script.batch(nameFactsOf(statementsOf(steps)).map(({ what, holds }) => addCheck(holds, what)).join('\n'));
  for (const question of steps.flatMap(({ migration }) => migration.preflight ?? [])) script.batch(askQuestion(question));
  script.batch(ROW_COUNTS);
  endChecks(script, THROWN.data);
  return script.end();
}

/** A statement of its own beneath the IF: a server need not know a table that it does not reach. */
const whereTableIs = (table: string, statement: string) =>
  `IF ${isThere(`table ${table}`)}\nBEGIN\n  ${statement.replaceAll('\n', '\n  ')}\nEND;`;

const markerCheck = () =>
  whereTableIs(
    MARKER_TABLE,
    addCheck(`NOT EXISTS (SELECT 1 FROM ${MARKER} WHERE [Environment] <> N'production')`, 'the database is enrolled as nothing else than production'),
  );

const ledgerIsNotEdited = ({ file }: Step) =>
  whereTableIs(LEDGER_TABLE, addCheck(`NOT ${isEdited(file)}`, `${file.name} is new here, or was applied as it stands in this bundle`));

const isEdited = ({ name, checksum }: MigrationFile) =>
  `EXISTS (SELECT 1 FROM ${LEDGER} WHERE [Name] = ${text(name)} AND [Checksum] <> ${text(checksum)})`;

/** What is there already must be as the migrations would make it: they make what is missing and change nothing. */
function obstacleChecks(steps: readonly Step[]): string {
  return factsOf(shapeOf(steps), statementsOf(steps))
    .filter((fact): fact is Fact & { inTheWay: string } => fact.inTheWay !== undefined)
    .map(({ what, inTheWay }) => addCheck(`NOT (${inTheWay})`, `absent, or as it must be: ${what}`))
    .join('\n');
}

const statementsOf = (steps: readonly Step[]) => steps.flatMap(({ statements }) => statements);

const shapeOf = (steps: readonly Step[]): ExpectedSchema => unite(steps.map(({ migration }) => migration.shape ?? {}));

/** The rows in the way are counted, and the first of them shown. As a literal, for they name columns that may be absent. */
function askQuestion({ finds, needs, sql }: Preflight): string {
  const count = `INSERT INTO ${CHECKS} (status, what)
SELECT CASE WHEN COUNT(*) = 0 THEN N'PASS' ELSE N'FAIL' END, CONCAT(COUNT(*), N' ', ${text(finds)}) FROM (${sql.mssql}) f;`;
  const show = `IF EXISTS (SELECT 1 FROM (${sql.mssql}) f) SELECT TOP (10) ${text(finds)} AS rows_in_the_way, f.* FROM (${sql.mssql}) f;`;
  return `IF ${needs.map(isThere).join('\n  AND ')}\n  EXEC sp_executesql ${text(`${count}\n${show}`)};`;
}

// --- migrate -------------------------------------------------------------------------------------------------------

function migrateScript(database: string, steps: readonly Step[], books: readonly string[]): string {
  const list = steps.flatMap(({ file, statements }) => [
    '',
    file.name,
    ...new Set(assess('mssql', statements).map(({ severity, what, saferWay }) => `  ${severity}: ${what} Safer: ${saferWay}`)),
  ]);
  const head = headOf('migrate.sql', database, MIGRATE_HEAD);
  const script = new ScriptFile(database, [...head, '', 'Migrations, and what they may cost:', ...list.map(toAscii)]);
  addBooks(script, steps, books);
  for (const [at, step] of steps.entries()) addMigration(script, step, steps[at - 1]?.file.name);
  script.batch(`PRINT N'Done. Now run verify.sql.';`);
  return script.end();
}

const toAscii = (line: string) => line.replaceAll('\u2026', '...');

/**
 * The wait is bounded, and the answer looked at: a negative one means no lock. The name is the one that the engine gives
 * it (engines/mssql.ts), so that a runner and a script keep out of each other's way.
 */
const TAKE_LOCK = `DECLARE @lock nvarchar(255) = CONCAT(DB_NAME(), ${text(`/${MIGRATION_LOCK}`)}), @code int;
EXEC @code = sp_getapplock @Resource = @lock, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = ${LOCK_WAIT_MS};
IF @code < 0 THROW ${THROWN.lock}, N'Another run is at work. Nothing was done; run this again later.', 1;`;

const BEGIN = `SET XACT_ABORT ON;\nBEGIN TRANSACTION;\n${TAKE_LOCK}`;

function addBooks(script: ScriptFile, steps: readonly Step[], books: readonly string[]): void {
  const refuse = `IF EXISTS (SELECT 1 FROM ${MARKER} WHERE [Environment] <> N'production')
  THROW ${THROWN.marker}, N'This database is enrolled, and not as production: it is migrated by npm run migrate.', 1;`;
  script.batch(`IF OBJECT_ID(N'tempdb..${RUN}') IS NOT NULL DROP TABLE ${RUN};`);
  script.batch(`-- The books and the mark\n${BEGIN}`);
  script.step(whereTableIs(MARKER_TABLE, refuse));
  for (const statement of books) script.step(statement);
  script.step(`IF NOT EXISTS (SELECT 1 FROM ${MARKER})
  INSERT INTO ${MARKER} ([Target], [Environment], [ServerId], [DatabaseName], [DatabaseId], [EnrolledAt], [EnrolledBy])
  SELECT N'handoff', N'production', CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)), d.name,
    CONVERT(nvarchar(40), d.create_date, 126), SYSUTCDATETIME(), LEFT(ORIGINAL_LOGIN(), 128)
  FROM sys.databases d WHERE d.name = DB_NAME();`);
  const known = steps.map(({ file }) => text(file.name)).join(',\n  ');
  script.step(`IF EXISTS (SELECT 1 FROM ${LEDGER} WHERE [Name] NOT IN (\n  ${known}))
  THROW ${THROWN.ledger}, N'The ledger has migrations that this bundle has not: take the newer bundle.', 1;`);
  script.step(`CREATE TABLE ${RUN} (begun datetime2(3) NOT NULL);\nCOMMIT TRANSACTION;`);
}

/** Stands while this session has what migrations need: its making is undone with the step that makes it. */
const RUN = '#canvas_run';

const BEFORE = '#canvas_before';

function addMigration(script: ScriptFile, { file, migration, statements }: Step, previous: string | undefined): void {
  const isIn = (name: string) => `EXISTS (SELECT 1 FROM ${LEDGER} WHERE [Name] = ${text(name)})`;
  const pending = `NOT ${isIn(file.name)}`;
  const whenPending = (body: string) => `IF ${pending}\nBEGIN\n  ${body.trimEnd().replaceAll('\n', '\n  ')}\nEND;`;
  script.batch(`-- ${file.name}\n${BEGIN}`);
  const isReady = previous === undefined ? `OBJECT_ID(N'tempdb..${RUN}') IS NOT NULL` : isIn(previous);
  script.step(`IF NOT (${isReady})
  THROW ${THROWN.ledger}, ${text(`${file.name}: what comes before it was not done.`)}, 1;`);
  script.step(`IF ${isEdited(file)}
  THROW ${THROWN.ledger}, ${text(`MIGRATION_EDITED: ${file.name} was applied here with another text.`)}, 1;
IF ${pending} AND EXISTS (SELECT 1 FROM ${LEDGER} WHERE [Name] > ${text(file.name)})
  THROW ${THROWN.ledger}, ${text(`${file.name}: older than a migration that was applied here. It would have run in another order elsewhere.`)}, 1;
IF ${isIn(file.name)} PRINT ${text(`${file.name}: applied before, skipped`)};`);
  script.step(`IF OBJECT_ID(N'tempdb..${BEFORE}') IS NOT NULL DROP TABLE ${BEFORE};
CREATE TABLE ${BEFORE} (object nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
  seen datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME());
INSERT INTO ${BEFORE} (object)${CATALOGUE.mssql.objects};`);
  for (const question of migration.preflight ?? []) script.step(whenPending(insistOn(question)));
  for (const statement of statements) script.step(whenPending(statement));
  if (migration.shape !== undefined) script.step(whenPending(insistOnShape(factsOf(migration.shape, statements))));
  script.step(whenPending(recordStep(file, migration)));
  script.step(`DROP TABLE ${BEFORE};\nCOMMIT TRANSACTION;`);
}

function insistOn({ finds, needs, sql }: Preflight): string {
  const message = `DATA_NOT_READY: there are ${finds}. preflight.sql shows them. This migration was undone.`;
  const ask = `IF EXISTS (SELECT 1 FROM (${sql.mssql}) f)\n  THROW ${THROWN.data}, ${text(message)}, 1;`;
  return `IF ${needs.map(isThere).join('\n  AND ')}\n  EXEC sp_executesql ${text(ask)};`;
}

const factRows = (facts: readonly Fact[]) =>
  facts.map(({ what, holds }) => `SELECT ${text(what)} AS what, ${asBit(holds)} AS holds`).join('\nUNION ALL ');

/** A migration that did something else than it promises is undone (I-15). */
function insistOnShape(facts: readonly Fact[]): string {
  return `DECLARE @wrong nvarchar(max) = (SELECT STRING_AGG(CAST(f.what AS nvarchar(max)), N'; ') FROM (
${factRows(facts)}) f WHERE f.holds = 0);
IF @wrong IS NOT NULL
BEGIN
  DECLARE @message nvarchar(2048) = LEFT(CONCAT(N'SCHEMA_UNSUPPORTED: this does not hold: ', @wrong), 2048);
  THROW ${THROWN.shape}, @message, 1;
END;`;
}

/** What the migration made is what is there now and was not before; what it found, the tables and columns of its shape. */
function recordStep(file: MigrationFile, { shape = {} }: Migration): string {
  const named = Object.entries(shape).flatMap(([table, { columns = {} }]) => [
    `table ${table}`,
    ...Object.keys(columns).map((column) => `column ${table}.${column}`),
  ]);
  const list = (from: string) =>
    `ISNULL((SELECT STRING_AGG(CAST(CONCAT(N'"', STRING_ESCAPE(o.object, 'json'), N'"') AS nvarchar(max)), N',')
    WITHIN GROUP (ORDER BY o.object) FROM ${from}), N'')`;
  return `DECLARE @now datetime2(3) = SYSUTCDATETIME();
DECLARE @after TABLE (object nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL);
INSERT INTO @after (object)${CATALOGUE.mssql.objects};
DECLARE @made nvarchar(max) = ${list(`@after o
    WHERE NOT EXISTS (SELECT 1 FROM ${BEFORE} b WHERE b.object = o.object)`)};
DECLARE @found nvarchar(max) = ${list(`${BEFORE} o
    WHERE o.object IN (${named.length === 0 ? 'NULL' : named.map(text).join(', ')})`)};
INSERT INTO ${LEDGER} ([Name], [Checksum], [AppliedAt], [DurationMs], [AppliedBy], [ToolVersion], [Objects])
SELECT ${text(file.name)}, ${text(file.checksum)}, @now,
  ISNULL((SELECT DATEDIFF(MILLISECOND, MIN(b.seen), @now) FROM ${BEFORE} b), 0),
  LEFT(ORIGINAL_LOGIN(), 128), ${text(packageVersion())}, CONCAT(N'{"made":[', @made, N'],"found":[', @found, N']}');
INSERT INTO ${HISTORY} ([name], [batch], [migration_time])
SELECT ${text(file.name)}, ISNULL(MAX(h.[batch]), 0) + 1, @now FROM ${HISTORY} h;
PRINT ${text(`${file.name}: applied`)};`;
}

// --- verify --------------------------------------------------------------------------------------------------------

function verifyScript(database: string, steps: readonly Step[]): string {
  const does = ['Looks whether the schema is as migrate.sql makes it, and the books say so. Changes nothing.'];
  const script = new ScriptFile(database, headOf('verify.sql', database, does));
  beginChecks(script);
  script.batch(isThereAndHolds(MARKER_TABLE, `EXISTS (SELECT 1 FROM ${MARKER} WHERE [Environment] = N'production')`, 'the database is marked as production'));
  for (const { file } of steps) {
    const inLedger = `EXISTS (SELECT 1 FROM ${LEDGER} WHERE [Name] = ${text(file.name)} AND [Checksum] = ${text(file.checksum)})`;
    script.batch(isThereAndHolds(LEDGER_TABLE, inLedger, `${file.name} is in the ledger, as it stands in this bundle`));
    const inHistory = `1 = (SELECT COUNT(*) FROM ${HISTORY} WHERE [name] = ${text(file.name)})`;
    script.batch(isThereAndHolds(HISTORY_TABLE, inHistory, `${file.name} is in the history, once`));
  }
  const facts = [...factsOf(shapeOf(steps), statementsOf(steps)), ...triggerFactsOf({ ...shapeOf(steps), ...ENROLMENT_SHAPE })];
  script.batch(facts.map(({ what, holds }) => addCheck(holds, what)).join('\n'));
  script.batch(ROW_COUNTS);
  endChecks(script, THROWN.shape);
  return script.end();
}

/** A check that reads a table which may be absent: then it fails. */
const isThereAndHolds = (table: string, holds: string, what: string) =>
  `${whereTableIs(table, addCheck(holds, what)).replace(/;$/, '')}
ELSE
  ${addCheck('1 = 0', what)}`;
