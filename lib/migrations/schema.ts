/**
 * The live canvas schema as data, in terms that no engine owns, and its differences from what migrations expect.
 *
 * What counts as a fault and what as information is decided here, once:
 * - Only tables that the expectation names are compared; the application's other tables are its own business.
 * - A wider column of the same kind (a longer text, a finer time) holds all that ours holds: information. A narrower
 *   one cuts off: a fault. So is another kind, `timestamp` without zone or `int` for `bigint` among them.
 * - Byte-wise comparison where none was asked for is information: a database may have it as its default. The other
 *   way round is a fault, for two hashes would compare equal.
 * - Objects of our tables that nobody expects are information: they are found, never taken away.
 */
import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import type { Reader } from '../engines/database';
import type { Dialect } from '../engines/engine';
import { flagOf, numberOf, textOf, textOrNull, type Row } from '../engines/rows';
import { faults } from '../errors';
import { CATALOGUE, UNKNOWN_FILTER } from './catalogue';
import { dialectOf, SCHEMA } from './sql';

// --- shapes --------------------------------------------------------------------------------------------------------

/** A column's type as migrations think of it. `time` is to the tick of the engine, `instant` to the millisecond. */
export type ColumnType =
  | 'bigint'
  | 'integer'
  | 'uuid'
  | 'flag'
  | 'time'
  | 'instant'
  | `text(${number})`
  /** Text that is compared byte by byte. */
  | `exact(${number})`
  | `other:${string}`;

export interface ColumnShape {
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Ids are made by the database, and explicit ones are refused. */
  readonly identity?: boolean;
  /** A literal without its quotes ('' is the empty text), a time as ISO 8601, else the server's expression. */
  readonly default?: string | null;
}

export interface IndexShape {
  readonly columns: readonly string[];
  readonly unique: boolean;
  readonly where?: { readonly column: string; readonly is: 'not null' | 'true' } | undefined;
}

export type DeleteRule = 'cascade' | 'no action' | 'restrict' | 'set null' | 'set default';

export interface ForeignKeyShape {
  readonly columns: readonly string[];
  /** A table of schema canvas, or `schema.table` for another schema. */
  readonly references: { readonly table: string; readonly columns: readonly string[] };
  readonly onDelete: DeleteRule;
  /** The server has checked every row, and checks new ones. */
  readonly trusted: boolean;
}

export interface TableShape {
  readonly columns: Readonly<Record<string, ColumnShape>>;
  readonly primaryKey: readonly string[];
  readonly indexes: readonly IndexShape[];
  readonly foreignKeys: readonly ForeignKeyShape[];
  /** The database refuses UPDATE and DELETE, and TRUNCATE where it can. */
  readonly appendOnly: boolean;
}

/** Tables of schema canvas by name. */
export type SchemaShape = Readonly<Record<string, TableShape>>;

/** What must be there: of each table the parts that somebody has an opinion of. */
export type ExpectedSchema = Readonly<Record<string, Partial<TableShape>>>;

/** An index as it is. A filter that `where` cannot say stands in `filter` alone. */
export interface LiveIndex extends IndexShape {
  readonly name: string;
  readonly filter: string | null;
  /** Valid, enabled and of the ordinary kind. */
  readonly usable: boolean;
}

export interface LiveForeignKey extends ForeignKeyShape {
  readonly name: string;
  readonly enabled: boolean;
}

export interface LiveTrigger {
  readonly name: string;
  readonly enabled: boolean;
  /** What it refuses outright, as its first statement. */
  readonly refuses: readonly string[];
}

export interface LiveTable extends TableShape {
  readonly indexes: readonly LiveIndex[];
  readonly foreignKeys: readonly LiveForeignKey[];
  readonly triggers: readonly LiveTrigger[];
}

/** The schema as the database has it. */
export interface LiveSchema {
  readonly tables: Readonly<Record<string, LiveTable>>;
  /** `table T`, `column T.C`, `identity T.C` (ids by the database only), `index T.I`, `constraint T.N`, `trigger T.N`, `function F`. */
  readonly objects: ReadonlySet<string>;
}

// --- reading -------------------------------------------------------------------------------------------------------

/** Whoever can be asked SELECTs: a Reader, or a migration's own connection. */
export interface Catalogue {
  readonly dialect: Dialect;
  ask<Found extends object>(sql: string, bindings?: readonly Knex.RawBinding[]): Promise<Found[]>;
}

/** The catalogue as a migration's transaction sees it, its own uncommitted changes included. */
export function catalogueOf(knex: Knex): Catalogue {
  const ask = async <Found extends object>(sql: string, bindings: readonly Knex.RawBinding[] = []) => {
    const result: unknown = await knex.raw(sql, [...bindings]);
    // PostgreSQL's driver wraps the rows, SQL Server's does not.
    return Array.isArray(result) ? (result as Found[]) : (result as { rows: Found[] }).rows;
  };
  return { dialect: dialectOf(knex), ask };
}

/**
 * Reads schema canvas. Writes nothing and takes no lock.
 * @throws ToolkitError CONFIG where the login may not see definitions (SQL Server would show NULL in their place)
 */
export async function readSchema(catalogue: Catalogue): Promise<LiveSchema> {
  const { dialect } = catalogue;
  const queries = CATALOGUE[dialect];
  const [visibility] = await catalogue.ask<Row>(queries.visibility);
  if (visibility === undefined || flagOf(visibility, 'hidden')) throw faults.definitionsHidden(SCHEMA);
  const spelling = await spellingOf(catalogue);
  const read = async (query: string) => byTable((await catalogue.ask<Row>(query)).map((row) => respelled(row, spelling)));
  const columns = await read(queries.columns);
  const indexes = await read(queries.indexes);
  const foreignKeys = await read(queries.foreignKeys);
  const triggers = await read(queries.triggers);
  const tables = [...columns].map(([table, rows]): [string, LiveTable] => {
    const own = triggersOf(dialect, triggers.get(table) ?? []);
    return [
      table,
      {
        columns: Object.fromEntries(rows.map((row) => [textOf(row, 'column'), columnOf(dialect, row)])),
        ...indexesOf(indexes.get(table) ?? []),
        foreignKeys: foreignKeysOf(foreignKeys.get(table) ?? []),
        triggers: own,
        appendOnly: isAppendOnly(dialect, own),
      },
    ];
  });
  return { tables: Object.fromEntries(tables), objects: await objectsOf(catalogue, spelling) };
}

type Spelling = (name: string) => string;

/**
 * Names as they were given. SQL Server's catalogue has them so; Babelfish keeps small letters in it, and the
 * standard's own views know better.
 */
async function spellingOf(catalogue: Catalogue): Promise<Spelling> {
  const { spellings } = CATALOGUE[catalogue.dialect];
  if (spellings === undefined) return (name) => name;
  const names = (await catalogue.ask<Row>(spellings)).map((row) => textOf(row, 'name'));
  const given = new Set(names);
  const folded = new Map(names.map((name) => [name.toLowerCase(), name]));
  return (name) => (given.has(name) ? name : (folded.get(name) ?? name));
}

const NAMES = ['table', 'column', 'toTable', 'toColumn'] as const;

function respelled(row: Row, spelling: Spelling): Row {
  const names = NAMES.filter((name) => typeof row[name] === 'string');
  return { ...row, ...Object.fromEntries(names.map((name): [string, string] => [name, spelling(textOf(row, name))])) };
}

/** The names of everything in schema canvas: tables, columns, indexes, constraints, triggers, functions. */
export async function listObjects(knex: Knex): Promise<Set<string>> {
  const catalogue = catalogueOf(knex);
  return objectsOf(catalogue, await spellingOf(catalogue));
}

async function objectsOf(catalogue: Catalogue, spelling: Spelling): Promise<Set<string>> {
  const rows = await catalogue.ask<Row>(CATALOGUE[catalogue.dialect].objects);
  // A kind, then a name in one or two parts.
  return new Set(rows.map((row) => textOf(row, 'object').replace(/(?<=[ .])[^ .]+/g, spelling)));
}

/** @returns whether the schema (canvas, unless told otherwise) has that table */
export async function hasTable(reader: Reader, table: string, schema = SCHEMA): Promise<boolean> {
  const [row] = await reader.ask<Row>(CATALOGUE[reader.dialect].hasTable, [`"${schema}"."${table}"`]);
  return row !== undefined && flagOf(row, 'there');
}

/** Rows in the order they came, by one of their columns. */
function groupBy(rows: readonly Row[], column: string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = textOf(row, column);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}

const byTable = (rows: readonly Row[]) => groupBy(rows, 'table');

function columnOf(dialect: Dialect, row: Row): ColumnShape {
  const type = flagOf(row, 'computed') ? (`other:computed ${textOf(row, 'type')}` as const) : TYPE_OF[dialect](row);
  const expression = textOrNull(row, 'default');
  return {
    type,
    nullable: flagOf(row, 'nullable'),
    identity: flagOf(row, 'identity'),
    default: expression === null ? null : normalisedDefault(expression, type),
  };
}

/** The catalogue's type to ours. SQL Server's `varchar` and `datetime` are none of ours: they lose what we store. */
const TYPE_OF: Record<Dialect, (row: Row) => ColumnType> = {
  postgres: (row) => {
    const type = textOf(row, 'type');
    const length = /^character varying\((\d+)\)$/.exec(type)?.[1];
    if (length !== undefined) return sized(length, ['C', 'POSIX'].includes(textOrNull(row, 'collation') ?? ''));
    return POSTGRES_TYPES[type] ?? `other:${type}`;
  },
  mssql: (row) => {
    const type = textOf(row, 'type');
    const bytes = numberOf(row, 'bytes', 0);
    if (type === 'nvarchar' && bytes > 0) {
      return sized(String(bytes / 2), /_BIN2$/i.test(textOrNull(row, 'collation') ?? ''));
    }
    if (type === 'datetime2') return DATETIME2[numberOf(row, 'scale', 7)] ?? `other:datetime2(${numberOf(row, 'scale', 7)})`;
    return MSSQL_TYPES[type] ?? `other:${type}${bytes < 0 ? '(max)' : ''}`;
  },
};

const POSTGRES_TYPES: Readonly<Record<string, ColumnType>> = {
  bigint: 'bigint',
  integer: 'integer',
  uuid: 'uuid',
  boolean: 'flag',
  'timestamp with time zone': 'time',
  'timestamp(6) with time zone': 'time',
  'timestamp(3) with time zone': 'instant',
};

const MSSQL_TYPES: Readonly<Record<string, ColumnType>> = {
  bigint: 'bigint',
  int: 'integer',
  uniqueidentifier: 'uuid',
  bit: 'flag',
};

/** A microsecond or a tenth of it: nothing we store is finer. */
const DATETIME2: Readonly<Record<number, ColumnType>> = { 3: 'instant', 6: 'time', 7: 'time' };

const sized = (length: string, isExact: boolean): ColumnType => `${isExact ? 'exact' : 'text'}(${Number(length)})`;

/** `'a'::character varying` and `(N'a')` are the same default, and the same moment has many spellings. */
function normalisedDefault(expression: string, type: ColumnType): string {
  // Babelfish writes N'' as a cast.
  const cast = /^CAST\((.+) AS n?varchar\(\w+\)\)$/i.exec(withoutParentheses(expression.trim()))?.[1];
  const bare = withoutParentheses((cast ?? expression).trim());
  const literal = /^N?'((?:[^']|'')*)'(?:::[a-z ]+(?:\(\d+\))?(?: with(?:out)? time zone)?)?$/i.exec(bare)?.[1];
  if (literal === undefined) return bare;
  const text = literal.replaceAll("''", "'");
  return type === 'time' || type === 'instant' ? (isoTime(text) ?? text) : text;
}

function withoutParentheses(text: string): string {
  let bare = text;
  while (bare.startsWith('(') && closesAtEnd(bare)) bare = bare.slice(1, -1).trim();
  return bare;
}

/** Does the parenthesis that opens a text close at its very end? `(1)+(2)` does not. */
function closesAtEnd(text: string): boolean {
  let depth = 0;
  for (const [place, sign] of [...text].entries()) {
    depth += sign === '(' ? 1 : sign === ')' ? -1 : 0;
    if (depth === 0) return place === [...text].length - 1;
  }
  return false;
}

/** The session's zone is UTC (engines), and SQL Server's times have none: what names no zone is UTC. */
function isoTime(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(?:Z|\+00(?::?00)?)?$/.exec(text);
  if (match === null) return undefined;
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  return `${match[1]}T${match[2]}${fraction === '' ? '' : `.${fraction}`}Z`;
}

function indexesOf(rows: readonly Row[]): Pick<LiveTable, 'primaryKey' | 'indexes'> {
  const all = [...groupBy(rows, 'index')].map(([name, columns]) => ({
    isPrimary: columns.every((row) => flagOf(row, 'primary')),
    index: indexOf(name, columns),
  }));
  return {
    primaryKey: all.find(({ isPrimary }) => isPrimary)?.index.columns ?? [],
    indexes: all.filter(({ isPrimary }) => !isPrimary).map(({ index }) => index),
  };
}

function indexOf(name: string, rows: readonly Row[]): LiveIndex {
  const [first] = rows as [Row, ...Row[]];
  const filter = textOrNull(first, 'filter');
  const where = filter === null ? undefined : whereOf(filter);
  return {
    name,
    columns: rows.map((row) => textOf(row, 'column')),
    unique: flagOf(first, 'unique'),
    usable: flagOf(first, 'usable'),
    filter,
    ...(where === undefined ? {} : { where }),
  };
}

/** How catalogues write the filters we know. */
const FILTERS = [
  { is: 'not null', pattern: /^\(*(?:"([^"]+)"|\[([^\]]+)\]|([a-z_][a-z0-9_]*)) IS NOT NULL\)*$/i },
  {
    is: 'true',
    pattern: /^\(*(?:"([^"]+)"|\[([^\]]+)\]|([a-z_][a-z0-9_]*))(?: = true| IS TRUE|=\(1\)|=\(?CONVERT\(\[?bit\]?,\(1\)\)\)?)?\)*$/i,
  },
] as const;

function whereOf(filter: string): IndexShape['where'] {
  for (const { is, pattern } of FILTERS) {
    const match = pattern.exec(filter);
    const column = match?.[1] ?? match?.[2] ?? match?.[3];
    if (column !== undefined) return { column, is };
  }
  return undefined;
}

function foreignKeysOf(rows: readonly Row[]): LiveForeignKey[] {
  return [...groupBy(rows, 'constraint')].map(([name, columns]) => {
    const [first] = columns as [Row, ...Row[]];
    const toSchema = textOf(first, 'toSchema');
    const toTable = textOf(first, 'toTable');
    return {
      name,
      columns: columns.map((row) => textOf(row, 'column')),
      references: {
        table: toSchema === SCHEMA ? toTable : `${toSchema}.${toTable}`,
        columns: columns.map((row) => textOf(row, 'toColumn')),
      },
      onDelete: textOf(first, 'onDelete') as DeleteRule,
      enabled: flagOf(first, 'enabled'),
      trusted: flagOf(first, 'trusted') && flagOf(first, 'enabled'),
    };
  });
}

/** The first statement of a trigger that refuses raises; anything before it could be a way round. */
const RAISES: Record<Dialect, RegExp> = {
  postgres: /^\s*BEGIN\s+RAISE\s+EXCEPTION\b/i,
  mssql: /\bINSTEAD\s+OF\s+[A-Z,\s]+?\sAS\s+(?:BEGIN\s+)?THROW\s+\d/i,
};

function triggersOf(dialect: Dialect, rows: readonly Row[]): LiveTrigger[] {
  return [...groupBy(rows, 'trigger')].map(([name, events]) => ({
    name,
    enabled: events.every((row) => flagOf(row, 'enabled')),
    refuses: events
      .filter((row) => flagOf(row, 'always') && RAISES[dialect].test(textOrNull(row, 'body') ?? ''))
      .map((row) => textOf(row, 'event')),
  }));
}

/** SQL Server has no trigger on TRUNCATE. */
const REFUSED: Record<Dialect, readonly string[]> = {
  postgres: ['UPDATE', 'DELETE', 'TRUNCATE'],
  mssql: ['UPDATE', 'DELETE'],
};

function isAppendOnly(dialect: Dialect, triggers: readonly LiveTrigger[]): boolean {
  const refused = new Set(triggers.filter(({ enabled }) => enabled).flatMap(({ refuses }) => refuses));
  return REFUSED[dialect].every((event) => refused.has(event));
}

// --- differences ---------------------------------------------------------------------------------------------------

export type DifferenceKind =
  | 'missing table'
  | 'missing column'
  | 'type'
  | 'nullability'
  | 'default'
  | 'identity'
  | 'primary key'
  | 'missing index'
  | 'index filter'
  | 'lost uniqueness'
  | 'missing foreign key'
  | 'delete rule'
  | 'untrusted foreign key'
  | 'append-only'
  | 'disabled trigger'
  | 'extra';

/** One thing that is otherwise than expected, as data and as a sentence. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** `information` is told and stops nothing. */
  readonly severity: 'fault' | 'information';
  readonly table: string;
  /** `canvas.Sessions.HostGuid`, or an index or a foreign key by what it is. */
  readonly object: string;
  readonly expected: string;
  readonly actual: string;
  readonly sentence: string;
}

function difference(kind: DifferenceKind, table: string, object: string, expected: string, actual: string): Difference {
  const sentence =
    kind === 'extra'
      ? `${object} is there and no migration expects it: ${actual}.`
      : `${object}: expected ${expected}, found ${actual}.`;
  return { kind, severity: kind === 'extra' ? 'information' : 'fault', table, object, expected, actual, sentence };
}

const asInformation = (found: Difference): Difference => ({ ...found, severity: 'information' });

/** One expectation from many, the later ones adding to the earlier ones and replacing columns of the same name. */
export function unite(expectations: readonly ExpectedSchema[]): ExpectedSchema {
  const all: Record<string, Partial<TableShape>> = {};
  for (const expectation of expectations) {
    for (const [table, part] of Object.entries(expectation)) {
      const before = all[table] ?? {};
      all[table] = {
        ...before,
        ...part,
        columns: { ...before.columns, ...part.columns },
        indexes: [...(before.indexes ?? []), ...(part.indexes ?? [])],
        foreignKeys: [...(before.foreignKeys ?? []), ...(part.foreignKeys ?? [])],
      };
    }
  }
  return all;
}

/**
 * What of the expectation is not there, or otherwise, or there besides. Parts of a table that the expectation leaves
 * out are not looked at.
 * @returns in the order of the expectation, faults and information together
 */
export function differences(expected: ExpectedSchema, live: LiveSchema): Difference[] {
  return Object.entries(expected).flatMap(([table, part]) => {
    const found = live.tables[table];
    if (found === undefined) return [difference('missing table', table, `canvas.${table}`, 'a table', 'none')];
    return [
      ...columnDifferences(table, part.columns, found),
      ...keyDifferences(table, part.primaryKey, found),
      ...indexDifferences(table, part.indexes, found),
      ...foreignKeyDifferences(table, part.foreignKeys, found),
      ...triggerDifferences(table, part.appendOnly, found),
    ];
  });
}

function columnDifferences(
  table: string,
  expected: Readonly<Record<string, ColumnShape>> | undefined,
  { columns }: LiveTable,
): Difference[] {
  if (expected === undefined) return [];
  const wrong = Object.entries(expected).flatMap(([name, shape]) => {
    const found = columns[name];
    const object = `canvas.${table}.${name}`;
    if (found === undefined) return [difference('missing column', table, object, shape.type, 'none')];
    return oneColumnDifferences(table, object, shape, found);
  });
  const besides = Object.entries(columns)
    .filter(([name]) => expected[name] === undefined)
    .map(([name, { type }]) => difference('extra', table, `canvas.${table}.${name}`, 'none', `a column ${type}`));
  return [...wrong, ...besides];
}

function oneColumnDifferences(table: string, object: string, shape: ColumnShape, found: ColumnShape): Difference[] {
  const all: Difference[] = [];
  if (shape.type !== found.type) {
    const other = difference('type', table, object, shape.type, found.type);
    all.push(holdsAll(found.type, shape.type) ? asInformation(other) : other);
  }
  if (shape.nullable !== found.nullable) {
    all.push(difference('nullability', table, object, nullability(shape), nullability(found)));
  }
  if ((shape.identity ?? false) !== (found.identity ?? false)) {
    all.push(difference('identity', table, object, identity(shape), identity(found)));
  }
  if ((shape.default ?? null) !== (found.default ?? null)) {
    const other = difference('default', table, object, defaultText(shape), defaultText(found));
    // A default that nobody expects stands in for a value that our statements always give.
    all.push((shape.default ?? null) === null ? asInformation(other) : other);
  }
  return all;
}

const nullability = ({ nullable }: ColumnShape) => (nullable ? 'NULL' : 'NOT NULL');
const identity = (shape: ColumnShape) => (shape.identity === true ? 'ids made by the database only' : 'no such identity');
const defaultText = (shape: ColumnShape) => ((shape.default ?? null) === null ? 'no default' : `default '${shape.default}'`);

/** Can a column of the one type hold every value of the other, and compare at least as exactly? */
function holdsAll(found: ColumnType, expected: ColumnType): boolean {
  if (found === 'time' && expected === 'instant') return true;
  const [have, want] = [found, expected].map((type) => /^(text|exact)\((\d+)\)$/.exec(type));
  if (have?.[2] === undefined || want?.[2] === undefined) return false;
  const isExactEnough = want[1] === 'text' || have[1] === 'exact';
  return isExactEnough && Number(have[2]) >= Number(want[2]);
}

function keyDifferences(table: string, expected: readonly string[] | undefined, found: LiveTable): Difference[] {
  if (expected === undefined || isSame(expected, found.primaryKey)) return [];
  const say = (columns: readonly string[]) => (columns.length === 0 ? 'none' : `(${columns.join(', ')})`);
  return [difference('primary key', table, `primary key of canvas.${table}`, say(expected), say(found.primaryKey))];
}

const isSame = (one: readonly string[], other: readonly string[]) => one.join('\0') === other.join('\0');

function indexDifferences(table: string, expected: readonly IndexShape[] | undefined, { indexes }: LiveTable): Difference[] {
  if (expected === undefined) return [];
  const wrong = expected.flatMap((shape) => {
    if (indexes.some((index) => serves(index, shape))) return [];
    const object = `index on canvas.${table} (${shape.columns.join(', ')})`;
    const { kind, nearest } = nearMiss(shape, indexes);
    return [difference(kind, table, object, indexText(shape), nearest === undefined ? 'none' : indexText(nearest))];
  });
  const besides = indexes
    .filter((index) => !expected.some((shape) => serves(index, shape)))
    .map((index) => difference('extra', table, `index ${index.name} on canvas.${table}`, 'none', indexText(index)));
  return [...wrong, ...besides];
}

/** A unique index finds rows as well as one that is not. */
function serves(index: LiveIndex, shape: IndexShape): boolean {
  return index.usable && isSame(index.columns, shape.columns) && hasFilter(index, shape) && (index.unique || !shape.unique);
}

function hasFilter(index: LiveIndex, { where }: IndexShape): boolean {
  if (index.filter === UNKNOWN_FILTER) return true;
  if (where === undefined) return index.filter === null;
  return index.where?.column === where.column && index.where.is === where.is;
}

/** Which rule an index on the same columns fails, for the likeliest of them. */
function nearMiss(shape: IndexShape, indexes: readonly LiveIndex[]): { kind: DifferenceKind; nearest?: LiveIndex } {
  const alike = indexes.filter(({ columns }) => isSame(columns, shape.columns));
  const usable = alike.filter((index) => index.usable);
  const sameFilter = usable.find((index) => hasFilter(index, shape));
  if (sameFilter !== undefined) return { kind: 'lost uniqueness', nearest: sameFilter };
  const sameUniqueness = usable.find(({ unique }) => unique === shape.unique);
  if (sameUniqueness !== undefined) return { kind: 'index filter', nearest: sameUniqueness };
  const [nearest] = alike;
  return { kind: 'missing index', ...(nearest === undefined ? {} : { nearest }) };
}

function indexText(index: IndexShape & Partial<LiveIndex>): string {
  const kind = index.unique ? 'unique' : 'not unique';
  const filter = index.where === undefined ? index.filter : `${index.where.column} is ${index.where.is}`;
  const state = index.usable === false ? ', disabled, invalid or of another kind' : '';
  return `(${index.columns.join(', ')}) ${kind}${filter == null ? '' : ` where ${filter}`}${state}`;
}

function foreignKeyDifferences(
  table: string,
  expected: readonly ForeignKeyShape[] | undefined,
  { foreignKeys }: LiveTable,
): Difference[] {
  if (expected === undefined) return [];
  const wrong = expected.flatMap((shape) => oneForeignKeyDifferences(table, shape, foreignKeys));
  const besides = foreignKeys
    .filter((key) => !expected.some((shape) => isAbout(key, shape)))
    .map((key) => difference('extra', table, `foreign key ${key.name} of canvas.${table}`, 'none', foreignKeyText(key)));
  return [...wrong, ...besides];
}

const isAbout = (key: ForeignKeyShape, shape: ForeignKeyShape) =>
  isSame(key.columns, shape.columns) &&
  key.references.table === shape.references.table &&
  isSame(key.references.columns, shape.references.columns);

function oneForeignKeyDifferences(
  table: string,
  shape: ForeignKeyShape,
  foreignKeys: readonly LiveForeignKey[],
): Difference[] {
  const about = foreignKeys.filter((key) => isAbout(key, shape));
  const object = `foreign key of canvas.${table} (${shape.columns.join(', ')})`;
  if (about.length === 0) return [difference('missing foreign key', table, object, foreignKeyText(shape), 'none')];
  return about.flatMap((key) => {
    const faults: Difference[] = [];
    // Several on the same columns all act: one that refuses the delete undoes one that cascades.
    if (key.onDelete !== shape.onDelete) {
      faults.push(difference('delete rule', table, `${object} ${key.name}`, shape.onDelete, key.onDelete));
    }
    if (shape.trusted && !key.trusted) {
      const actual = key.enabled ? 'not checked against its rows' : 'disabled';
      faults.push(difference('untrusted foreign key', table, `${object} ${key.name}`, 'checked and enabled', actual));
    }
    return faults;
  });
}

const foreignKeyText = ({ columns, references, onDelete }: ForeignKeyShape) =>
  `(${columns.join(', ')}) to ${references.table} (${references.columns.join(', ')}) on delete ${onDelete}`;

function triggerDifferences(table: string, mustBeAppendOnly: boolean | undefined, found: LiveTable): Difference[] {
  if (mustBeAppendOnly === undefined) return [];
  const guards = ({ refuses }: LiveTrigger) => mustBeAppendOnly && refuses.length > 0;
  const besides = found.triggers
    .filter((trigger) => !guards(trigger))
    .map(({ name, enabled }) =>
      difference('extra', table, `trigger ${name} on canvas.${table}`, 'none', enabled ? 'enabled' : 'disabled'),
    );
  if (!mustBeAppendOnly || found.appendOnly) return besides;
  const off = found.triggers.find((trigger) => guards(trigger) && !trigger.enabled);
  return [
    off === undefined
      ? difference('append-only', table, `canvas.${table}`, 'changes refused by a trigger', 'changes allowed')
      : difference('disabled trigger', table, `trigger ${off.name} on canvas.${table}`, 'enabled', 'disabled'),
    ...besides,
  ];
}

// --- fingerprint ---------------------------------------------------------------------------------------------------

/**
 * Two databases whose tables have the same fingerprint have the same schema, whatever their engine and whatever the
 * names of their indexes and constraints.
 * @param tables which ones to look at: all of them where it is left out
 * @returns SHA-256, hex
 */
export function fingerprint(schema: SchemaShape, tables = Object.keys(schema)): string {
  const lines = tables.flatMap((table) => tableLines(table, schema[table]));
  return createHash('sha256').update(lines.sort().join('\n'), 'utf8').digest('hex');
}

/** The canonical text, a line for each fact; the order of columns and of indexes is no fact. */
function tableLines(table: string, shape: TableShape | undefined): string[] {
  if (shape === undefined) return [`${table} absent`];
  const facts = [
    ...Object.entries(shape.columns).map(([name, column]) => ['column', name, ...columnFacts(column)]),
    ['primary key', ...shape.primaryKey],
    ...shape.indexes.map((index) => ['index', indexText(index)]),
    ...shape.foreignKeys.map((key) => ['foreign key', foreignKeyText(key), key.trusted]),
    ['append-only', shape.appendOnly],
  ];
  return facts.map((fact) => JSON.stringify([table, ...fact]));
}

const columnFacts = (column: ColumnShape) => [
  column.type,
  column.nullable,
  column.identity ?? false,
  column.default ?? null,
];
