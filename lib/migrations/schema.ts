/**
 * What migrations expect of schema canvas, and how the live one (live-schema.ts) differs from it.
 *
 * What counts as a fault and what as information is decided here, once:
 * - Only tables that the expectation names are compared; the application's other tables are its own business.
 * - A wider column of the same kind (a longer text, a finer time) holds all that ours holds: information. A narrower
 *   one cuts off: a fault. So is another kind, `timestamp` without zone or `int` for `bigint` among them.
 * - Byte-wise comparison where none was asked for is information: a database may have it as its default. The other
 *   way round is a fault, for two hashes would compare equal.
 * - A trigger that nobody expects is a fault while it is enabled, whether or not the expectation speaks of triggers: it can
 *   change, refuse or undo what we write, and on SQL Server it breaks OUTPUT without INTO (error 334). What it does cannot
 *   be told from outside. Disabled, it is information. It stops no migration, which writes no row of those tables.
 * - Other objects of our tables that nobody expects are information: they are found, never taken away.
 */
import { createHash } from 'node:crypto';
import { UNKNOWN_FILTER } from './catalogue';
import type {
  ColumnShape, ColumnType, ForeignKeyShape, IndexShape, LiveForeignKey, LiveIndex, LiveSchema, LiveTable, LiveTrigger,
  SchemaShape, TableShape,
} from './live-schema';

/** What must be there: of each table the parts that somebody has an opinion of. */
export type ExpectedSchema = Readonly<Record<string, Partial<TableShape>>>;

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
  | 'taken name'
  | 'disabled trigger'
  | 'foreign trigger'
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

export function difference(kind: DifferenceKind, table: string, object: string, expected: string, actual: string): Difference {
  const sentence =
    kind === 'extra' || kind === 'foreign trigger'
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
 * out are not looked at, but for its triggers.
 * @returns in the order of the expectation, faults and information together
 */
export function differences(expected: ExpectedSchema, live: Pick<LiveSchema, 'tables'>): Difference[] {
  return Object.entries(expected).flatMap(([table, part]) => {
    const found = live.tables[table];
    if (found === undefined) return [difference('missing table', table, `canvas.${table}`, 'a table', 'none')];
    return [
      ...columnDifferences(table, part.columns, found),
      ...keyDifferences(table, part.primaryKey, found),
      ...indexDifferences(table, part.indexes, found),
      ...foreignKeyDifferences(table, part.foreignKeys, found),
      ...protectionDifferences(table, part.appendOnly, found),
      ...foreignTriggers(table, part, found.triggers),
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

/** Does an index do what is expected of one? A unique one finds rows as well as one that is not. */
export function serves(index: LiveIndex, shape: IndexShape): boolean {
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
  // Without its index nothing is unique, and that matters more than a scan (I-15).
  return { kind: shape.unique ? 'lost uniqueness' : 'missing index', ...(nearest === undefined ? {} : { nearest }) };
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

/** Does a foreign key refer to what is expected, whatever its rule? */
export const isAbout = (key: ForeignKeyShape, shape: ForeignKeyShape) =>
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

function protectionDifferences(table: string, mustBeAppendOnly = false, found: LiveTable): Difference[] {
  if (!mustBeAppendOnly || found.appendOnly) return [];
  const off = found.triggers.find((trigger) => protects(trigger) && !trigger.enabled);
  return [
    off === undefined
      ? difference('append-only', table, `canvas.${table}`, 'changes refused by a trigger', 'changes allowed')
      : difference('disabled trigger', table, `trigger ${off.name} on canvas.${table}`, 'enabled', 'disabled'),
  ];
}

/** Does a trigger refuse changes and nothing else? One that refuses new rows too keeps no trail. */
const protects = ({ refuses }: LiveTrigger) => refuses.length > 0 && !refuses.includes('INSERT');

/** The triggers of a table that nobody expects. */
export function foreignTriggers(
  table: string,
  { appendOnly = false }: Partial<TableShape>,
  triggers: readonly LiveTrigger[],
): Difference[] {
  return triggers
    .filter((trigger) => !(appendOnly && protects(trigger)))
    .map(({ name, enabled }) => {
      const object = `trigger ${name} on canvas.${table}`;
      const found = difference('foreign trigger', table, object, 'none', enabled ? 'enabled' : 'disabled');
      return enabled ? found : asInformation(found);
    });
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
function tableLines(table: string, shape: (TableShape & Partial<Pick<LiveTable, 'triggers'>>) | undefined): string[] {
  if (shape === undefined) return [`${table} absent`];
  const facts = [
    ...Object.entries(shape.columns).map(([name, column]) => ['column', name, ...columnFacts(column)]),
    ['primary key', ...shape.primaryKey],
    ...shape.indexes.map((index) => ['index', indexText(index)]),
    ...shape.foreignKeys.map((key) => ['foreign key', foreignKeyText(key), key.trusted]),
    ['append-only', shape.appendOnly],
    ...foreignTriggers(table, shape, shape.triggers ?? []).map(({ object, actual }) => ['trigger', object, actual]),
  ];
  return facts.map((fact) => JSON.stringify([table, ...fact]));
}

const columnFacts = (column: ColumnShape) => [
  column.type,
  column.nullable,
  column.identity ?? false,
  column.default ?? null,
];
