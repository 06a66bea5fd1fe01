/**
 * The live canvas schema as data, in terms that no engine owns. The shapes stand here, for whoever reads one makes them
 * first; schema.ts says what is expected of them.
 */
import type { Knex } from 'knex';
import type { Reader } from '../engines/database';
import type { Dialect } from '../engines/engine';
import { flagOf, numberOf, textOf, textOrNull, type Row } from '../engines/rows';
import { faults } from '../errors';
import { CATALOGUE } from './catalogue';
import { AS_THEY_ARE, givenNames, type GivenNames } from './given-names';
import { SCHEMA } from './sql';

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

export interface LiveColumn extends ColumnShape {
  /** The database makes an id where none is given; whether it refuses one that is given stands in `identity`. */
  readonly generated: boolean;
}

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
  /** The events it always runs before or instead of. */
  readonly always: readonly string[];
  /** What it refuses outright, as its first statement. */
  readonly refuses: readonly string[];
  /** PostgreSQL: the function it calls, with its schema. */
  readonly routine: string | null;
}

export interface LiveTable extends TableShape {
  readonly columns: Readonly<Record<string, LiveColumn>>;
  readonly indexes: readonly LiveIndex[];
  readonly foreignKeys: readonly LiveForeignKey[];
  readonly triggers: readonly LiveTrigger[];
}

/** The schema as the database has it. */
export interface LiveSchema {
  readonly tables: Readonly<Record<string, LiveTable>>;
  /**
   * `table T`, `column T.C`, `identity T.C` (ids by the database only), `index T.I`, `constraint T.N`, `trigger T.N`,
   * `function F`; and what hangs on a table and goes with it: `policy`, `security`, `rule`, `statistics`, `publication`,
   * `comment`, `property`, `grant T.SELECT (C) to R`.
   */
  readonly objects: ReadonlySet<string>;
}

// --- reading -------------------------------------------------------------------------------------------------------

/** Whoever can be asked SELECTs: a Reader; a Writer sees its own uncommitted changes. */
export interface Catalogue {
  readonly dialect: Dialect;
  ask<Found extends object>(sql: string, bindings?: readonly Knex.RawBinding[]): Promise<Found[]>;
}

/**
 * Reads schema canvas. Writes nothing and takes no lock.
 * @throws ToolkitError CONFIG where the login may not see definitions (SQL Server would show NULL in their place)
 */
export async function readSchema(catalogue: Catalogue): Promise<LiveSchema> {
  return { tables: await readTables(catalogue), objects: await listObjects(catalogue) };
}

/**
 * The tables alone.
 * @param only the names of those that matter, where not all do: on PostgreSQL the others cost nothing
 * @throws ToolkitError as `readSchema`
 */
export async function readTables(catalogue: Catalogue, only?: readonly string[]): Promise<LiveSchema['tables']> {
  const { dialect } = catalogue;
  const queries = CATALOGUE[dialect];
  await assertShown(catalogue);
  const names = await namesOf(catalogue);
  const read = (query: string) => readByTable(catalogue, names, query);
  const columns = await read(queries.columns(only));
  const indexes = await read(queries.indexes(only));
  const foreignKeys = await read(queries.foreignKeys(only));
  const triggers = await read(queries.triggers(only));
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
  return Object.fromEntries(tables);
}

/**
 * The triggers alone, by table. What the login may not see is not among them.
 * @param only as for `readTables`
 */
export async function readTriggers(catalogue: Catalogue, only?: readonly string[]): Promise<Map<string, readonly LiveTrigger[]>> {
  const { dialect } = catalogue;
  const rows = await readByTable(catalogue, await namesOf(catalogue), CATALOGUE[dialect].triggers(only));
  return new Map([...rows].map(([table, own]) => [table, triggersOf(dialect, own)]));
}

async function readByTable(catalogue: Catalogue, names: GivenNames, query: string): Promise<Map<string, Row[]>> {
  return byTable((await catalogue.ask<Row>(query)).map((row) => named(row, names)));
}

async function assertShown(catalogue: Catalogue): Promise<void> {
  const { visibility } = CATALOGUE[catalogue.dialect];
  if (visibility === undefined) return;
  const [row] = await catalogue.ask<Row>(visibility);
  if (row === undefined || flagOf(row, 'hidden')) throw faults.definitionsHidden(SCHEMA);
}

async function namesOf(catalogue: Catalogue): Promise<GivenNames> {
  const { given } = CATALOGUE[catalogue.dialect];
  return given === undefined ? AS_THEY_ARE : givenNames(await catalogue.ask<Row>(given));
}

function named(row: Row, names: GivenNames): Row {
  const table = textOf(row, 'table');
  return {
    ...row,
    table: names.table(table),
    ...('column' in row ? { column: names.column(table, textOf(row, 'column')) } : {}),
    ...('index' in row ? { index: names.index(table, textOf(row, 'index')) } : {}),
    ...('toTable' in row ? { toTable: names.table(textOf(row, 'toTable')) } : {}),
    ...('toColumn' in row ? { toColumn: names.column(textOf(row, 'toTable'), textOf(row, 'toColumn')) } : {}),
  };
}

/** The names of everything in schema canvas: tables, columns, indexes, constraints, triggers, functions. */
export async function listObjects(catalogue: Catalogue): Promise<Set<string>> {
  const names = await namesOf(catalogue);
  const rows = await catalogue.ask<Row>(CATALOGUE[catalogue.dialect].objects);
  return new Set(rows.map((row) => objectOf(textOf(row, 'object'), names)));
}

/** @param object a kind, and a name in one or two parts */
function objectOf(object: string, names: GivenNames): string {
  const [, kind = '', table = '', part] = /^(\S+) ([^.]+)(?:\.(.+))?$/s.exec(object) ?? [];
  if (part === undefined) return kind === 'table' ? `table ${names.table(table)}` : object;
  const own = kind === 'column' ? names.column(table, part) : kind === 'index' ? names.index(table, part) : part;
  return `${kind} ${names.table(table)}.${own}`;
}

/** A name that something in schema canvas has, and what has it. */
export interface TakenName {
  /** Where no other may have it: of the schema (PostgreSQL: `relation`, `type`, `routine`; SQL Server: `object`) or of a table. */
  readonly scope: string;
  readonly table: string | null;
  readonly name: string;
  readonly what: string;
}

/** Every name in schema canvas that a new object could meet. */
export async function readTakenNames(catalogue: Catalogue): Promise<TakenName[]> {
  const names = await namesOf(catalogue);
  return (await catalogue.ask<Row>(CATALOGUE[catalogue.dialect].names)).map((row) => {
    const [scope, table, name, what] = [textOf(row, 'scope'), textOrNull(row, 'table'), textOf(row, 'name'), textOf(row, 'what')];
    if (table !== null) return { scope, table: names.table(table), name: what === 'index' ? names.index(table, name) : name, what };
    return { scope, table, name: what === 'table' ? names.table(name) : name, what };
  });
}

/** @returns whether the schema (canvas, unless told otherwise) has that table */
export async function hasTable(reader: Reader, table: string, schema = SCHEMA): Promise<boolean> {
  const [row] = await reader.ask<Row>(CATALOGUE[reader.dialect].hasTable, [`"${schema}"."${table}"`]);
  return row !== undefined && flagOf(row, 'there');
}

/** @returns whether schema canvas has that table and this login may read it */
export async function mayReadTable(reader: Reader, table: string): Promise<boolean> {
  const [row] = await reader.ask<Row>(CATALOGUE[reader.dialect].mayRead, [`${SCHEMA}.${table}`]);
  return row !== undefined && flagOf(row, 'may');
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

function columnOf(dialect: Dialect, row: Row): LiveColumn {
  const type = flagOf(row, 'computed') ? (`other:computed ${textOf(row, 'type')}` as const) : TYPE_OF[dialect](row);
  const expression = textOrNull(row, 'default');
  return {
    type,
    nullable: flagOf(row, 'nullable'),
    identity: flagOf(row, 'identity'),
    generated: flagOf(row, 'generated'),
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
  return [...groupBy(rows, 'trigger')].map(([name, events]) => {
    const always = events.filter((row) => flagOf(row, 'always'));
    const refusing = always.filter((row) => RAISES[dialect].test(textOrNull(row, 'body') ?? ''));
    return {
      name,
      enabled: events.every((row) => flagOf(row, 'enabled')),
      always: always.map((row) => textOf(row, 'event')),
      refuses: refusing.map((row) => textOf(row, 'event')),
      routine: events[0] === undefined ? null : textOrNull(events[0], 'routine'),
    };
  });
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
