/** The migration files against the books that the database keeps of them. */
import type { Reader } from '../engines/database';
import type { Dialect } from '../engines/engine';
import { textOf, type Row } from '../engines/rows';
import { readMigrations } from '../migrations/files';
import { HISTORY_TABLE, isLockRowFree, LEDGER_TABLE, readBooks, type Applied } from '../migrations/ledger';
import { hasTable } from '../migrations/live-schema';
import { compare, faultOf, type Problem, type Standing } from '../migrations/plan';
import { namesFor, SCHEMA } from '../migrations/sql';
import { many, observed, type Check, type Subject } from './check';

const migrateCommand = ({ target }: Subject) => `npm run migrate -- --target ${target.name}`;

async function standing({ database: { canvas } }: Subject): Promise<Standing> {
  const files = readMigrations();
  return compare(files, (await hasTable(canvas, LEDGER_TABLE)) ? await readBooks(canvas, files) : []);
}

const pending: Check = {
  id: 'migrations.pending',
  title: 'Every migration of this version is applied',
  severity: 'major',
  async look(subject) {
    const { applied, pending } = await standing(subject);
    return observed(pending.map(({ name }) => `${name} is not applied.`), migrateCommand(subject), `${many(applied.length, 'migration')} applied`);
  },
};

const isAbout = (...kinds: readonly Problem['kind'][]) => ({ kind }: Problem) => kinds.includes(kind);

/** Three kinds of trouble have three remedies, so they are three checks. */
function booksCheck(id: Check['id'], title: string, wanted: (problem: Problem) => boolean, otherwise: string): Check {
  return {
    id,
    title,
    severity: 'major',
    async look(subject) {
      const { applied, problems } = await standing(subject);
      const told = problems.filter(wanted).map(faultOf);
      const [first] = told;
      return observed(told.map(({ message, why }) => `${message} ${why}`), first?.hint ?? '', `${many(applied.length, 'migration')} ${otherwise}`);
    },
  };
}

const files = booksCheck(
  'migrations.files',
  'No applied migration was edited, renamed or removed',
  isAbout('edited', 'missing', 'renamed'),
  'compared with their checksums',
);

const books = booksCheck(
  'migrations.books',
  'Knex\'s history and the ledger tell of the same migrations',
  isAbout('unrecorded', 'damaged'),
  'in both books',
);

const order = booksCheck(
  'migrations.order',
  'No pending migration is older than an applied one',
  isAbout('late'),
  'applied in the order of their names',
);

const objects: Check = {
  id: 'migrations.objects',
  title: 'What the migrations made is still there',
  severity: 'major',
  async look(subject) {
    const { applied } = await standing(subject);
    const { objects: there } = await subject.schema();
    const gone = applied.flatMap(({ name, objects: { made } }) => made.filter((object) => !there.has(object)).map((object) => `${object}, made by ${name}, is gone.`));
    const total = applied.reduce((sum, { objects: { made } }: Applied) => sum + made.length, 0);
    return observed(gone, 'Find out who removed it; restore it from the SQL of that migration (npm run migrate:plan on an empty database shows it)', `${many(total, 'object')} of the ledger found`);
  },
};

/** A second tool that keeps its own history changes what this one is sure of (I-16). EF's history is the application's own. */
const otherHistories: Check = {
  id: 'migrations.other-tools',
  title: 'No other migration tool keeps a history in this database',
  severity: 'major',
  async look({ database: { canvas } }) {
    const found = await histories(canvas);
    return observed(
      found.map((name) => `${name} is a history of migrations that this toolkit knows nothing of.`),
      'Find out which program migrates this database, and let one of them do it; then drop the other\'s table',
      `Only ${SCHEMA}.${HISTORY_TABLE} and ${SCHEMA}.${LEDGER_TABLE}`,
    );
  },
};

/** What well-known tools call theirs; Knex's own outside schema canvas among them. */
const HISTORIES = [
  HISTORY_TABLE, 'flyway_schema_history', 'databasechangelog', 'schema_migrations', 'sequelizemeta', '_prisma_migrations', 'schemaversions',
  'changelog', 'atlas_schema_revisions',
];

/** PostgreSQL's own catalogue shows tables that a login may not read, its information schema does not. */
const TABLES = {
  postgres: `SELECT n.nspname::text AS "schema", c.relname::text AS "name" FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND LOWER(c.relname::text)`,
  mssql: 'SELECT t.TABLE_SCHEMA AS "schema", t.TABLE_NAME AS "name" FROM INFORMATION_SCHEMA.TABLES t WHERE LOWER(t.TABLE_NAME)',
} as const satisfies Record<Dialect, string>;

async function histories(canvas: Reader): Promise<string[]> {
  const rows = await canvas.ask<Row>(`${TABLES[canvas.dialect]} IN (${HISTORIES.map(() => '?').join(', ')})`, HISTORIES);
  const all = rows.map((row) => `${textOf(row, 'schema')}.${textOf(row, 'name')}`);
  return all.filter((name) => name !== `${SCHEMA}.${HISTORY_TABLE}`).sort();
}

/** It guards nothing here, but stock `knex` would wait for it for ever. */
const lockRow: Check = {
  id: 'migrations.lock-row',
  title: 'Knex\'s lock row is free',
  severity: 'minor',
  async look(subject) {
    const { canvas } = subject.database;
    const isFree = (await hasTable(canvas, HISTORY_TABLE)) && (await isLockRowFree(canvas));
    const { table } = namesFor(canvas.dialect);
    return observed(isFree ? [] : [`The one row of ${table(`${HISTORY_TABLE}_lock`)} does not say that it is free.`], migrateCommand(subject), 'It is free');
  },
};

export const MIGRATION_CHECKS: readonly Check[] = [pending, files, books, order, objects, otherHistories, lockRow];
