/**
 * What migrations may import: conditional statements, so that no migration branches in JavaScript on what it read.
 * The condition stands in the SQL; the same text is what a plan shows and what a run sends. A migration is history,
 * and so is what these functions emit: golden files pin it (test/golden).
 *
 * Objects are found by their shape (table, columns, uniqueness, filter, delete rule), never by name alone: a wrong
 * index of the right name is not accepted, a right one of another name is.
 */
import type { Knex } from 'knex';
import { APPEND_ONLY, SCHEMA_UNSUPPORTED, type Dialect } from '../engines/engine';

export const SCHEMA = 'canvas';

/** Column types by meaning. Times are UTC; ids are made by the database. */
interface Types {
  readonly identity: string;
  readonly time: string;
  /** A time to the millisecond: what an event's hash covers must read back exactly. */
  readonly instant: string;
  readonly uuid: string;
  readonly flag: string;
  readonly integer: string;
  readonly bigint: string;
  text(length: number): string;
  /** Compared byte by byte: a case-insensitive collation must not make two hashes equal. */
  exact(length: number): string;
  /** Text without a bound. */
  readonly long: string;
}

const TYPES: Record<Dialect, Types> = {
  postgres: {
    identity: 'bigint GENERATED ALWAYS AS IDENTITY',
    time: 'timestamptz',
    instant: 'timestamptz(3)',
    uuid: 'uuid',
    flag: 'boolean',
    integer: 'integer',
    bigint: 'bigint',
    text: (length) => `varchar(${length})`,
    exact: (length) => `varchar(${length}) COLLATE "C"`,
    long: 'text',
  },
  mssql: {
    identity: 'bigint IDENTITY(1,1)',
    time: 'datetime2',
    instant: 'datetime2(3)',
    uuid: 'uniqueidentifier',
    flag: 'bit',
    integer: 'int',
    bigint: 'bigint',
    text: (length) => `nvarchar(${length})`,
    exact: (length) => `nvarchar(${length}) COLLATE Latin1_General_100_BIN2`,
    long: 'nvarchar(max)',
  },
};

/** @returns the SQL dialect of a Knex instance */
export function dialectOf(knex: Knex): Dialect {
  return (knex.client as { dialect: string }).dialect === 'mssql' ? 'mssql' : 'postgres';
}

/** @returns the column types of the connected engine */
export function typesFor(knex: Knex): Types {
  return TYPES[dialectOf(knex)];
}

/** A text as the dialect writes it. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** How a dialect writes names: as Knex does for it. */
const QUOTE: Record<Dialect, (identifier: string) => string> = {
  postgres: (identifier) => `"${identifier.replaceAll('"', '""')}"`,
  mssql: (identifier) => `[${identifier.replaceAll(']', ']]')}]`,
};

/** Names of one dialect, quoted. */
export function namesFor(dialect: Dialect) {
  const name = QUOTE[dialect];
  return {
    name,
    table: (table: string) => `${name(SCHEMA)}.${name(table)}`,
    list: (columns: readonly string[]) => columns.map(name).join(', '),
  };
}

/** A table of schema canvas as a text that the server's own functions take (OBJECT_ID, regclass). */
const tableText = (dialect: Dialect, table: string) =>
  dialect === 'postgres' ? literal(namesFor(dialect).table(table)) : `N${literal(`${SCHEMA}.${table}`)}`;

/** Sends one statement that does something only where the condition holds. */
export async function when(knex: Knex, condition: string, statements: readonly string[]): Promise<void> {
  const body = statements.map((statement) => `  ${statement.trim().replaceAll('\n', '\n  ')};`).join('\n');
  const text =
    dialectOf(knex) === 'postgres'
      ? `DO $canvas$ BEGIN\nIF ${condition} THEN\n${body}\nEND IF;\nEND $canvas$`
      : `IF ${condition}\nBEGIN\n${body}\nEND`;
  await knex.raw(text.replaceAll('?', '\\?'));
}

/** What `when` makes of a condition and a statement. */
const WHEN: Record<Dialect, RegExp> = {
  postgres: /^DO \$canvas\$ BEGIN\nIF ([^]+?) THEN\n {2}[^]+\nEND IF;\nEND \$canvas\$$/,
  mssql: /^IF ([^]+?)\nBEGIN\n {2}[^]+\nEND$/,
};

/** @returns the condition under which a statement of `when` does something, or undefined for any other statement */
export function conditionOf(dialect: Dialect, statement: string): string | undefined {
  return WHEN[dialect].exec(statement)?.[1];
}

/** Makes schema canvas where it is absent. */
export async function createSchema(knex: Knex): Promise<void> {
  if (dialectOf(knex) === 'postgres') {
    await when(knex, `to_regnamespace(${literal(SCHEMA)}) IS NULL`, [`CREATE SCHEMA "${SCHEMA}"`]);
  } else {
    // CREATE SCHEMA must be alone in its batch.
    await when(knex, `SCHEMA_ID(N${literal(SCHEMA)}) IS NULL`, [`EXEC (N'CREATE SCHEMA [${SCHEMA}]')`]);
  }
}

function tableAbsent(dialect: Dialect, table: string): string {
  return dialect === 'postgres'
    ? `to_regclass(${tableText(dialect, table)}) IS NULL`
    : `OBJECT_ID(${tableText(dialect, table)}, N'U') IS NULL`;
}

/** Makes a table of schema canvas where it is absent; `build` is a Knex table builder. */
export async function createTable(
  knex: Knex,
  table: string,
  build: (table: Knex.CreateTableBuilder) => void,
): Promise<void> {
  const statements = knex.schema.withSchema(SCHEMA).createTable(table, build).toSQL() as unknown as { sql: string }[];
  await when(knex, tableAbsent(dialectOf(knex), table), statements.map(({ sql }) => onePerLine(sql)));
}

/** Knex writes a table in one line; people review these. Only commas between columns end a line. */
function onePerLine(sql: string): string {
  let depth = 0;
  const lines = sql.replace(/'(?:[^']|'')*'|[(),] ?/g, (part) => {
    if (part.startsWith("'")) return part;
    if (part.startsWith('(')) depth += 1;
    if (part.startsWith(')')) depth -= 1;
    if (part.startsWith('(') && depth === 1) return '(\n  ';
    if (part.startsWith(')') && depth === 0) return '\n)';
    return part.startsWith(',') && depth === 1 ? ',\n  ' : part;
  });
  return lines.trimEnd();
}

/** Puts a first row into a table that has none. */
export async function insertFirstRow(knex: Knex, table: string, column: string, value: number): Promise<void> {
  const { name, table: qualified } = namesFor(dialectOf(knex));
  await when(knex, `NOT EXISTS (SELECT 1 FROM ${qualified(table)})`, [
    `INSERT INTO ${qualified(table)} (${name(column)}) VALUES (${value})`,
  ]);
}

/** Adds a column where it is absent. */
export async function addColumn(knex: Knex, table: string, column: string, type: string): Promise<void> {
  const dialect = dialectOf(knex);
  const { name, table: qualified } = namesFor(dialect);
  if (dialect === 'postgres') {
    await knex.raw(`ALTER TABLE ${qualified(table)} ADD COLUMN IF NOT EXISTS ${name(column)} ${type} NULL`);
    return;
  }
  await when(knex, `COL_LENGTH(${tableText(dialect, table)}, N${literal(column)}) IS NULL`, [
    `ALTER TABLE ${qualified(table)} ADD ${name(column)} ${type} NULL`,
  ]);
}

/** An index, by what it is. */
export interface IndexShape {
  readonly table: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly unique: boolean;
  /** A filter on one column. */
  readonly where?: { readonly column: string; readonly is: 'not null' | 'true' };
}

const FILTER = {
  postgres: { 'not null': (column: string) => `"${column}" IS NOT NULL`, true: (column: string) => `"${column}"` },
  mssql: { 'not null': (column: string) => `[${column}] IS NOT NULL`, true: (column: string) => `[${column}] = 1` },
} as const;

/** How the server's own catalogue writes the same filter. */
const CATALOGUE_FILTER = {
  postgres: {
    'not null': (column: string) => literal(`("${column}" IS NOT NULL)`),
    true: (column: string) => [`"${column}"`, `("${column}" = true)`, `("${column}" IS TRUE)`].map(literal).join(', '),
  },
  mssql: { 'not null': (column: string) => `([${column}] IS NOT NULL)`, true: (column: string) => `([${column}]=(1))` },
} as const;

/** What a server says that speaks T-SQL and is not SQL Server: it has filtered indexes and keeps no filter in its catalogue. */
export const IS_BABELFISH = "ISNULL(SERVERPROPERTY('Babelfish'), 0) = 1";

/**
 * Uniqueness that counts NULL once refuses rows that ours lets in; one that drops a second row with a mere warning
 * (IGNORE_DUP_KEY) is none. `to_jsonb(row)` reads a column that PostgreSQL 14 lacks without naming it.
 */
const IS_UNIQUE: Record<Dialect, string> = {
  postgres: "i.indisunique AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)",
  mssql: 'i.is_unique = 1 AND i.ignore_dup_key = 0',
};

/**
 * A condition: no index is there that does what one of that shape does. One of another access method, a disabled or
 * invalid one, one with an expression or another filter does not; a unique one in place of a plain one does, and so does
 * one that carries more columns beside its key.
 */
export function indexAbsent(dialect: Dialect, shape: IndexShape): string {
  const { where } = shape;
  const filter = where === undefined ? undefined : CATALOGUE_FILTER[dialect][where.is](where.column);
  const unique = shape.unique ? `\n    AND ${IS_UNIQUE[dialect]}` : '';
  if (dialect === 'postgres') {
    return `NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = n.relam AND m.amname = 'btree'
  WHERE i.indrelid = ${tableText(dialect, shape.table)}::regclass AND i.indisvalid AND i.indisready AND i.indislive${unique}
    AND i.indexprs IS NULL AND i.indnkeyatts = ${shape.columns.length}
    AND ${filter === undefined ? 'i.indpred IS NULL' : `pg_get_expr(i.indpred, i.indrelid) IN (${filter})`}
    AND ${literal(shape.columns.join(','))} = (
      SELECT string_agg(a.attname, ',' ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts))`;
  }
  const sameFilter = filter === undefined ? 'i.has_filter = 0' : `(i.filter_definition = N${literal(filter)} OR ${IS_BABELFISH})`;
  return `NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(${tableText(dialect, shape.table)}) AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND ${sameFilter}${unique}
    AND N${literal(shape.columns.join(','))} = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))`;
}

/** Makes an index where none of that shape is there. */
export async function createIndex(knex: Knex, shape: IndexShape): Promise<void> {
  const dialect = dialectOf(knex);
  const kind = shape.unique ? 'UNIQUE INDEX' : 'INDEX';
  const filter = shape.where === undefined ? '' : ` WHERE ${FILTER[dialect][shape.where.is](shape.where.column)}`;
  const { name, table, list } = namesFor(dialect);
  const statement = `CREATE ${kind} ${name(shape.name)} ON ${table(shape.table)} (${list(shape.columns)})${filter}`;
  await when(knex, indexAbsent(dialect, shape), [statement]);
}

/** A foreign key within schema canvas whose rows go with the row they refer to. */
export interface ForeignKeyShape {
  readonly table: string;
  readonly name: string;
  readonly column: string;
  readonly references: { readonly table: string; readonly column: string };
}

/** A condition: no foreign key of that shape is there. */
export function foreignKeyAbsent(dialect: Dialect, shape: ForeignKeyShape): string {
  const { table, column, references } = shape;
  if (dialect === 'postgres') {
    return `NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND f.conkey = ARRAY[a.attnum]
  JOIN pg_catalog.pg_attribute r ON r.attrelid = f.confrelid AND f.confkey = ARRAY[r.attnum]
  WHERE f.contype = 'f' AND f.convalidated AND f.confdeltype = 'c'
    AND f.conrelid = ${tableText(dialect, table)}::regclass AND a.attname = ${literal(column)}
    AND f.confrelid = ${tableText(dialect, references.table)}::regclass AND r.attname = ${literal(references.column)})`;
  }
  return `NOT EXISTS (
  SELECT 1 FROM sys.foreign_keys f
  JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id
  WHERE f.parent_object_id = OBJECT_ID(${tableText(dialect, table)})
    AND ${isForeignKeyOf({ column, references })})`;
}

/** A condition on a foreign key `f` of SQL Server and one of its columns `k`: it is all that is asked for. */
const isForeignKeyOf = ({ column, references }: Pick<ForeignKeyShape, 'column' | 'references'>) =>
  `f.delete_referential_action = 1 AND f.is_disabled = 0 AND f.is_not_trusted = 0
    AND COL_NAME(k.parent_object_id, k.parent_column_id) = N${literal(column)}
    AND f.referenced_object_id = OBJECT_ID(${tableText('mssql', references.table)})
    AND COL_NAME(k.referenced_object_id, k.referenced_column_id) = N${literal(references.column)}
    AND 1 = (SELECT COUNT(*) FROM sys.foreign_key_columns c WHERE c.constraint_object_id = f.object_id)`;

/** A condition of SQL Server: a foreign key on that column, or of one of those names, is otherwise than asked for. */
export function isOtherForeignKey(shape: Omit<ForeignKeyShape, 'name'>, names: readonly string[]): string {
  const isOnColumn = `COL_NAME(k.parent_object_id, k.parent_column_id) = N${literal(shape.column)}`;
  const isCalled = names.length === 0 ? '' : ` OR f.name IN (${names.map((name) => `N${literal(name)}`).join(', ')})`;
  return `EXISTS (
  SELECT 1 FROM sys.foreign_keys f
  JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id
  WHERE f.parent_object_id = OBJECT_ID(${tableText('mssql', shape.table)}) AND (${isOnColumn}${isCalled})
    AND NOT (${isForeignKeyOf(shape)}))`;
}

/** Adds the foreign key where none of that shape (trusted, cascading) is there. A new one is checked unless told otherwise. */
export async function addForeignKey(knex: Knex, shape: ForeignKeyShape): Promise<void> {
  const { references } = shape;
  const dialect = dialectOf(knex);
  const { name, table } = namesFor(dialect);
  await when(knex, foreignKeyAbsent(dialect, shape), [
    `ALTER TABLE ${table(shape.table)} ADD CONSTRAINT ${name(shape.name)}\n` +
      `  FOREIGN KEY (${name(shape.column)}) REFERENCES ${table(references.table)} (${name(references.column)}) ON DELETE CASCADE`,
  ]);
}

/**
 * Ids are made by the database and explicit values are refused. An existing column gets there on PostgreSQL; on SQL
 * Server IDENTITY cannot be added to a column, so a table without it stops the migration.
 */
export async function requireIdentity(knex: Knex, table: string, column: string): Promise<void> {
  const dialect = dialectOf(knex);
  const message = literal(`SCHEMA_UNSUPPORTED: ${SCHEMA}.${table}.${column} is no identity column.`);
  if (dialect === 'mssql') {
    const isIdentity = `COLUMNPROPERTY(OBJECT_ID(${tableText(dialect, table)}), N${literal(column)}, 'IsIdentity')`;
    await when(knex, `ISNULL(${isIdentity}, 0) = 0`, [`THROW ${SCHEMA_UNSUPPORTED.mssql}, N${message}, 1`]);
    return;
  }
  const { name, table: qualified } = namesFor(dialect);
  const identity = `(SELECT attidentity FROM pg_catalog.pg_attribute
  WHERE attrelid = ${tableText(dialect, table)}::regclass AND attname = ${literal(column)})`;
  await when(knex, `${identity} = 'd'`, [
    `ALTER TABLE ${qualified(table)} ALTER COLUMN ${name(column)} SET GENERATED ALWAYS`,
  ]);
  await when(knex, `coalesce(${identity}, '') <> 'a'`, [
    `RAISE EXCEPTION ${message} USING ERRCODE = '${SCHEMA_UNSUPPORTED.postgres}'`,
  ]);
}

/**
 * Makes a table append-only: the database refuses UPDATE and DELETE, and TRUNCATE where it can (a row trigger does
 * not see it: PostgreSQL has a statement trigger for it, SQL Server has none).
 */
export async function makeAppendOnly(knex: Knex, table: string): Promise<void> {
  const message = `${SCHEMA}.${table} is append-only: its rows are the audit trail.`;
  const dialect = dialectOf(knex);
  if (dialect === 'mssql') {
    const { name, table: qualified } = namesFor(dialect);
    const trigger = `TR_${table}_AppendOnly`;
    // CREATE TRIGGER must be alone in its batch, hence EXEC.
    await when(knex, `OBJECT_ID(${tableText(dialect, trigger)}, N'TR') IS NULL`, [
      `EXEC (N${literal(
        `CREATE TRIGGER ${name(SCHEMA)}.${name(trigger)} ON ${qualified(table)} INSTEAD OF UPDATE, DELETE AS\n` +
          `THROW ${APPEND_ONLY.mssql}, N${literal(message)}, 1`,
      )})`,
    ]);
    // One that was there may have been turned off by hand.
    await knex.raw(`ENABLE TRIGGER ${name(SCHEMA)}.${name(trigger)} ON ${qualified(table)}`);
    return;
  }
  await makeAppendOnlyOnPostgres(knex, table, message);
}

/** The triggers that make a table append-only. */
export const protectionOf = (dialect: Dialect, table: string): readonly string[] =>
  dialect === 'postgres' ? [`TR_${table}_AppendOnly`, `TR_${table}_NoTruncate`] : [`TR_${table}_AppendOnly`];

/** The function that a table's triggers call. */
export const refusalOf = (table: string) => `Refuse${table}Change`;

async function makeAppendOnlyOnPostgres(knex: Knex, table: string, message: string): Promise<void> {
  const { name, table: qualified } = namesFor('postgres');
  const refuse = `${qualified(refusalOf(table))}()`;
  await knex.raw(
    `CREATE OR REPLACE FUNCTION ${refuse} RETURNS trigger LANGUAGE plpgsql AS $refuse$ BEGIN\n` +
      `  RAISE EXCEPTION ${literal(message)} USING ERRCODE = '${APPEND_ONLY.postgres}';\nEND $refuse$`,
  );
  for (const [trigger, events, level] of [
    [`TR_${table}_AppendOnly`, 'UPDATE OR DELETE', 'ROW'],
    [`TR_${table}_NoTruncate`, 'TRUNCATE', 'STATEMENT'],
  ] as const) {
    const absent = `NOT EXISTS (SELECT FROM pg_catalog.pg_trigger
  WHERE tgrelid = ${tableText('postgres', table)}::regclass AND tgname = ${literal(trigger)})`;
    await when(knex, absent, [
      `CREATE TRIGGER ${name(trigger)} BEFORE ${events} ON ${qualified(table)}\n` +
        `  FOR EACH ${level} EXECUTE FUNCTION ${refuse}`,
    ]);
    // One that was there may have been turned off by hand.
    await knex.raw(`ALTER TABLE ${qualified(table)} ENABLE TRIGGER ${name(trigger)}`);
  }
}
