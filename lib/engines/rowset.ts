/**
 * Sets of rows in one statement. A rowset travels as one JSON parameter and is read as a table by the server, so that a
 * thousand rows cost one trip and one plan, whatever their number; both kinds of server have it in the standard's spirit
 * and under other names.
 * https://www.postgresql.org/docs/current/functions-json.html, https://learn.microsoft.com/sql/t-sql/functions/openjson-transact-sql
 */
import type { Writer } from './database';
import { JSON_MISREAD, type Dialect } from './engine';
import type { Row } from './rows';

/** What a column of a rowset holds. */
export type Kind = 'integer' | 'id' | 'text' | 'time' | 'uuid' | 'flag';

/** Columns of a rowset: for writing, their names are those of the table's columns. */
export type Columns = Readonly<Record<string, Kind>>;

type Value = string | number | boolean | Date | null;

const TYPES: Record<Dialect, Record<Kind, string>> = {
  postgres: { integer: 'integer', id: 'bigint', text: 'text', time: 'timestamptz', uuid: 'uuid', flag: 'boolean' },
  mssql: {
    integer: 'int', id: 'bigint', text: 'nvarchar(max)', time: 'datetime2', uuid: 'uniqueidentifier', flag: 'bit',
  },
};

/** Where one stands, its parameter is `rowsetOf` its rows. @returns SQL to follow FROM or JOIN */
export function rowset(dialect: Dialect, alias: string, columns: Columns): string {
  const types = TYPES[dialect];
  // With its path: left out, it is the name of the column as a server spells it.
  const path = (name: string) => (dialect === 'mssql' ? ` '$.${name}'` : '');
  const declared = Object.entries(columns).map(([name, kind]) => `"${name}" ${types[kind]}${path(name)}`).join(', ');
  return dialect === 'mssql'
    ? `OPENJSON(?) WITH (${declared}) AS ${alias}`
    : `json_to_recordset(CAST(? AS json)) AS ${alias} (${declared})`;
}

/** The parameter of a rowset. Times go as ISO 8601, UTC. */
export function rowsetOf(rows: readonly Readonly<Record<string, Value>>[]): string {
  return JSON.stringify(rows);
}

/**
 * To stand before a statement that stores a rowset. Babelfish leaves `\"` and `\\` as they are: another text would be
 * stored than the one that the trail seals.
 */
function readable(dialect: Dialect, json: string): string {
  if (dialect !== 'mssql' || !json.includes('\\')) return '';
  return `IF JSON_VALUE(N'["\\""]', N'$[0]') <> N'"' THROW ${JSON_MISREAD}, N'This server leaves escapes in JSON text.', 1;\n`;
}

/** A set of ids as a rowset of one column, `id`. */
export const ID = { id: 'id' } as const satisfies Columns;

/** The parameter of a rowset of ids. */
export function rowsetOfIds(ids: readonly number[]): string {
  return rowsetOf(ids.map((id) => ({ id })));
}

/** How text is compared: byte by byte, or as the database does by itself. */
const COLLATIONS = { exact: 'Latin1_General_100_BIN2', usual: 'DATABASE_DEFAULT' } as const;

/**
 * Text with its collation named. SQL Server refuses to compare a column with one of another collation (468), and text of
 * a rowset has the database's; PostgreSQL compares bytes by itself.
 * https://learn.microsoft.com/sql/t-sql/statements/collation-precedence-transact-sql
 */
export function collated(dialect: Dialect, text: string, how: keyof typeof COLLATIONS): string {
  return dialect === 'mssql' ? `${text} COLLATE ${COLLATIONS[how]}` : text;
}

type RowOf<C extends Columns> = Readonly<Record<keyof C, Value>>;

/**
 * Inserts a set of rows into a table of schema canvas.
 * @param returning columns to bring back of each row, in no particular order
 */
export async function insertSet<C extends Columns>(
  writer: Writer,
  table: string,
  columns: C,
  rows: readonly RowOf<C>[],
  returning: readonly string[] = [],
): Promise<Row[]> {
  if (rows.length === 0) return [];
  const names = Object.keys(columns);
  const { output, suffix } = bringBack(writer.dialect, returning);
  const json = rowsetOf(rows);
  const inserted = await writer.write<Row>(
    `${readable(writer.dialect, json)}INSERT INTO canvas."${table}" (${names.map((name) => `"${name}"`).join(', ')})${output}
     SELECT ${names.map((name) => `r."${name}"`).join(', ')} FROM ${rowset(writer.dialect, 'r', columns)}${suffix}`,
    [json],
  );
  if (returning.length > 0) assertAll(table, inserted.length, rows.length);
  return inserted;
}

/** Which rows of a table an update is about: found by `key`, and only while `onlyWhere` holds. */
export interface UpdateOf<C extends Columns> {
  readonly table: string;
  readonly key: keyof C & string;
  readonly columns: C;
  /** SQL of the right-hand side, where that is not the rowset's own column; null for a column that only decides. */
  readonly values?: Readonly<Record<string, string | null>>;
  /** A condition on the table's row, with `?` for its bindings. */
  readonly onlyWhere?: { readonly condition: string; readonly bindings: readonly (string | number | boolean)[] };
}

/**
 * Updates a set of rows, each found by its key.
 * @throws Error when an update misses its row: that must not pass for done (I-22)
 */
export async function updateSet<C extends Columns>(writer: Writer, update: UpdateOf<C>, rows: readonly RowOf<C>[]): Promise<void> {
  if (rows.length > 0) assertAll(update.table, await updateWhatIsThere(writer, update, rows), rows.length);
}

/** The same for rows that may have changed meanwhile. @returns how many it met */
export async function updateWhatIsThere<C extends Columns>(
  writer: Writer,
  { columns, key, onlyWhere, table, values = {} }: UpdateOf<C>,
  rows: readonly RowOf<C>[],
): Promise<number> {
  const right = (name: string) => (name in values ? values[name] : `r."${name}"`);
  const set = Object.keys(columns)
    .filter((name) => name !== key && right(name) !== null)
    .map((name) => `"${name}" = ${right(name)}`)
    .join(', ');
  const { output, suffix } = bringBack(writer.dialect, [key], `"${table}".`);
  const condition = onlyWhere === undefined ? '' : ` AND ${onlyWhere.condition}`;
  const json = rowsetOf(rows);
  const updated = await writer.write<Row>(
    `${readable(writer.dialect, json)}UPDATE canvas."${table}" SET ${set}${output} FROM ${rowset(writer.dialect, 'r', columns)}
     WHERE "${table}"."${key}" = r."${key}"${condition}${suffix}`,
    [json, ...(onlyWhere?.bindings ?? [])],
  );
  return new Set(updated.map((row) => String(row[key]))).size;
}

/** Named aliases: other TDS servers spell the columns of OUTPUT in lower case. */
function bringBack(dialect: Dialect, columns: readonly string[], row = '') {
  if (columns.length === 0) return { output: '', suffix: '' };
  const list = (from: string) => columns.map((name) => `${from}"${name}" AS "${name}"`).join(', ');
  return dialect === 'mssql'
    ? { output: ` OUTPUT ${list('inserted.')}`, suffix: '' }
    : { output: '', suffix: ` RETURNING ${list(row)}` };
}

function assertAll(table: string, found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`A statement on canvas.${table} met ${found} rows instead of ${wanted}.`);
}
