/**
 * A shape as conditions that SQL Server itself can judge: what a script without this toolkit checks. The tolerances are
 * those of schema.ts: a wider column of the same kind holds, a narrower one does not.
 */
import type { ColumnShape, ColumnType, ForeignKeyShape, IndexShape, TableShape } from './live-schema';
import type { ExpectedSchema } from './schema';
import { effectOf, type Made } from './names';
import { conditionOf, foreignKeyAbsent, indexAbsent, isOtherForeignKey, literal, namesFor, SCHEMA } from './sql';

/** One thing that must hold. */
export interface Fact {
  /** For a reader. */
  readonly what: string;
  /** A condition in T-SQL that names no table whose absence would be an error. */
  readonly holds: string;
  /** A condition under which a migration cannot mend it, or undefined where one makes what is missing. */
  readonly inTheWay?: string;
}

const text = (value: string) => `N${literal(value)}`;
const idOf = (table: string) => `OBJECT_ID(${text(`${SCHEMA}.${table}`)}, N'U')`;

/**
 * Everything an expectation says, as facts.
 * @param statements those that make it, for the names they give to foreign keys
 * @throws TypeError for a shape that T-SQL is not written for yet
 */
export function factsOf(expected: ExpectedSchema, statements: readonly string[]): Fact[] {
  const made = statements.flatMap((statement) => effectOf('mssql', statement).makes);
  return Object.entries(expected).flatMap(([table, part]) => [
    { what: `${SCHEMA}.${table} is a table`, holds: `${idOf(table)} IS NOT NULL` },
    ...Object.entries(part.columns ?? {}).map(([column, shape]) => columnFact(table, column, shape)),
    ...keyFacts(table, part.primaryKey),
    ...(part.indexes ?? []).map((shape) => indexFact(table, shape)),
    ...(part.foreignKeys ?? []).flatMap((shape) => foreignKeyFacts(table, shape, made)),
    ...(part.appendOnly === true ? [appendOnlyFact(table)] : []),
  ]);
}

function columnFact(table: string, column: string, shape: ColumnShape): Fact {
  const conditions = [
    `c.is_nullable = ${shape.nullable ? 1 : 0}`,
    `c.is_identity = ${shape.identity === true ? 1 : 0}`,
    'c.is_computed = 0',
    ...typeConditions(shape.type),
    ...defaultConditions(shape.default),
  ];
  const holds = `EXISTS (SELECT 1 FROM sys.columns c
    JOIN sys.types y ON y.user_type_id = c.user_type_id
    LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
    WHERE c.object_id = ${idOf(table)} AND c.name = ${text(column)}
      AND ${conditions.join(' AND ')})`;
  const there = `COL_LENGTH(${text(`${SCHEMA}.${table}`)}, ${text(column)}) IS NOT NULL`;
  const traits = [shape.nullable ? 'NULL' : 'NOT NULL', ...(shape.identity === true ? ['identity'] : [])];
  const preset = shape.default === undefined || shape.default === null ? '' : `, default '${shape.default}'`;
  const what = `${SCHEMA}.${table}.${column} is ${typeWords(shape.type)} ${traits.join(', ')}${preset}`;
  return { what, holds, inTheWay: `${there} AND NOT ${holds}` };
}

/** Each type as SQL Server writes it, and how its catalogue shows that. */
const SIMPLE_TYPES: Readonly<Record<string, { readonly words: string; readonly condition: string }>> = {
  bigint: { words: 'bigint', condition: `y.name = N'bigint'` },
  integer: { words: 'int', condition: `y.name = N'int'` },
  uuid: { words: 'uniqueidentifier', condition: `y.name = N'uniqueidentifier'` },
  flag: { words: 'bit', condition: `y.name = N'bit'` },
  // As fine as the engine has it: Babelfish keeps six digits where SQL Server keeps seven.
  time: { words: 'datetime2', condition: `y.name = N'datetime2' AND c.scale >= 6` },
  instant: { words: 'datetime2(3)', condition: `y.name = N'datetime2' AND c.scale >= 3` },
};

const sizeOf = (type: ColumnType) => /^(text|exact)\((\d+)\)$/.exec(type);

function simpleType(type: ColumnType) {
  const simple = SIMPLE_TYPES[type];
  if (simple === undefined) throw new TypeError(`No T-SQL is written for a column of type ${type}.`);
  return simple;
}

function typeWords(type: ColumnType): string {
  const [, kind, length] = sizeOf(type) ?? [];
  if (length === undefined) return simpleType(type).words;
  return kind === 'exact' ? `nvarchar(${length}) with a binary collation (BIN2)` : `nvarchar(${length})`;
}

function typeConditions(type: ColumnType): string[] {
  const [, kind, length] = sizeOf(type) ?? [];
  if (length === undefined) return [simpleType(type).condition];
  const isLongEnough = `y.name = N'nvarchar' AND c.max_length >= ${2 * Number(length)}`;
  return kind === 'exact' ? [isLongEnough, `c.collation_name LIKE N'%[_]BIN2'`] : [isLongEnough];
}

/** The catalogue adds parentheses, the N of a literal and the digits of a fraction as it likes. */
function defaultConditions(value: string | null | undefined): string[] {
  if (value === undefined || value === null) return [];
  const time = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/.exec(value);
  if (time !== null) return [`d.definition LIKE N'%''${time[1]}[T ]${time[2]}%'`];
  return [`REPLACE(REPLACE(REPLACE(d.definition, N'(', N''), N')', N''), N'N''', N'''') = ${text(literal(value))}`];
}

function keyFacts(table: string, columns: TableShape['primaryKey'] | undefined): Fact[] {
  if (columns === undefined) return [];
  const holds = `${text(columns.join(','))} = (SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
    FROM sys.indexes i
    JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
    JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
    WHERE i.object_id = ${idOf(table)} AND i.is_primary_key = 1)`;
  const what = `the primary key of ${SCHEMA}.${table} is (${columns.join(', ')})`;
  return [{ what, holds, inTheWay: `${idOf(table)} IS NOT NULL AND NOT ISNULL(${asBit(holds)}, 0) = 1` }];
}

/** A condition as a value. */
export const asBit = (condition: string) => `(CASE WHEN ${condition} THEN 1 ELSE 0 END)`;

function indexFact(table: string, { columns, unique, where }: IndexShape): Fact {
  const filter = where === undefined ? {} : { where };
  const absent = indexAbsent('mssql', { table, name: '', columns, unique, ...filter });
  const kind = unique ? 'a unique index' : 'an index';
  const suffix = where === undefined ? '' : ` where ${where.column} is ${where.is}`;
  return { what: `${SCHEMA}.${table} has ${kind} on (${columns.join(', ')})${suffix}`, holds: `NOT (${absent})` };
}

function foreignKeyFacts(
  table: string,
  { columns, references, onDelete, trusted }: ForeignKeyShape,
  made: readonly Made[],
): Fact[] {
  const [column, ...more] = columns;
  const [target] = references.columns;
  if (column === undefined || target === undefined || more.length > 0 || onDelete !== 'cascade' || !trusted) {
    throw new TypeError(`No T-SQL is written for this foreign key of ${table}.`);
  }
  const shape = { table, column, references: { table: references.table, column: target } };
  const words = `refers to ${SCHEMA}.${references.table}.${target}, trusted, on delete cascade`;
  const names = made.filter((one) => one.kind === 'constraint' && one.table === table).map(({ name }) => name);
  const others = isOtherForeignKey(shape, names);
  const called = names.length === 0 ? '' : ` or called ${names.join(', ')}`;
  return [
    { what: `${SCHEMA}.${table}.${column} ${words}`, holds: `NOT (${foreignKeyAbsent('mssql', { ...shape, name: '' })})` },
    // Several on the same column all act: one that refuses the delete undoes one that cascades.
    { what: `each foreign key of ${SCHEMA}.${table} on (${column})${called} ${words}`, holds: `NOT (${others})`, inTheWay: others },
  ];
}

/** Names that statements need, each as a fact that fails where something else has it. */
export function nameFactsOf(statements: readonly string[]): Fact[] {
  const facts = statements.flatMap((statement) =>
    effectOf('mssql', statement).makes.flatMap((made) => {
      const taken = takenBy(made, conditionOf('mssql', statement));
      return taken === undefined ? [] : [{ what: `nothing else has the name ${made.name} (${wordsFor(made)})`, holds: `NOT (${taken})` }];
    }),
  );
  return [...new Map(facts.map((fact) => [fact.what, fact])).values()];
}

const wordsFor = ({ kind, table }: Made) =>
  kind === 'table' ? 'a table' : `${kind === 'index' ? 'an index' : kind === 'trigger' ? 'a trigger' : 'a constraint'} of ${SCHEMA}.${table}`;

/** A condition under which a name is met that is not what is found by its shape; undefined for what needs no name of its own. */
function takenBy({ kind, name, table }: Made, condition: string | undefined): string | undefined {
  const object = (which: string) =>
    `EXISTS (SELECT 1 FROM sys.objects o WHERE o.schema_id = SCHEMA_ID(${text(SCHEMA)}) AND o.name = ${text(name)}${which})`;
  const wouldRun = condition === undefined ? '' : `${condition} AND `;
  switch (kind) {
    case 'table':
      return object(` AND o.type <> 'U'`);
    case 'trigger':
      return object(` AND NOT (o.type = 'TR' AND o.parent_object_id = OBJECT_ID(${text(`${SCHEMA}.${table}`)}))`);
    case 'key':
    case 'constraint':
      return `${wouldRun}${object('')}`;
    case 'index':
      return `${wouldRun}EXISTS (SELECT 1 FROM sys.indexes x WHERE x.object_id = ${idOf(table)} AND x.name = ${text(name)})`;
    case 'column':
    case 'identity':
    case 'relation':
    case 'routine':
      return undefined;
  }
}

function appendOnlyFact(table: string): Fact {
  return {
    what: `${SCHEMA}.${table} refuses UPDATE and DELETE`,
    holds: `2 = (SELECT COUNT(*) FROM sys.triggers g JOIN sys.trigger_events e ON e.object_id = g.object_id
    WHERE g.parent_id = ${idOf(table)} AND g.is_instead_of_trigger = 1 AND g.is_disabled = 0
      AND e.type_desc IN (N'UPDATE', N'DELETE'))`,
  };
}

/** That no trigger is at work which nobody expects: apart from `factsOf`, for it stops no migration. */
export function triggerFactsOf(expected: ExpectedSchema): Fact[] {
  return Object.entries(expected).map(([table, { appendOnly = false }]) => ({
    what: `${SCHEMA}.${table} has no enabled trigger but those of the migrations`,
    holds: `NOT EXISTS (SELECT 1 FROM sys.triggers g
    WHERE g.parent_id = ${idOf(table)} AND g.is_disabled = 0${appendOnly ? ` AND NOT (${REFUSES_CHANGES})` : ''})`,
  }));
}

/** As far as the catalogue tells: it runs instead of changes and of nothing else. */
const REFUSES_CHANGES = `g.is_instead_of_trigger = 1 AND NOT EXISTS (SELECT 1 FROM sys.trigger_events e
      WHERE e.object_id = g.object_id AND e.type_desc NOT IN (N'UPDATE', N'DELETE'))`;

/** Whether an object of a migration's `needs` is there. */
export function isThere(object: string): string {
  const [kind, name = ''] = object.split(' ');
  const [table = '', column] = name.split('.');
  if (kind === 'table') return `${idOf(name)} IS NOT NULL`;
  if (kind === 'column' && column !== undefined) {
    return `COL_LENGTH(${text(`${SCHEMA}.${table}`)}, ${text(column)}) IS NOT NULL`;
  }
  throw new TypeError(`No T-SQL is written for ${object}.`);
}

/** A table of schema canvas, quoted. */
export const tableName = namesFor('mssql').table;
