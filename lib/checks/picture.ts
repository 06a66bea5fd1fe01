/** Schema canvas as a picture of values: every table as it is, each part marked by how it stands to what the migrations make. */
import type { ColumnShape, ForeignKeyShape, LiveSchema, TableShape } from '../migrations/live-schema';
import { isAbout, type Difference, type ExpectedSchema } from '../migrations/schema';

/**
 * same       as the migrations make it
 * otherwise  it is there and not as it should be
 * missing    it should be there
 * noted      there besides, or otherwise in a way that harms nothing
 * foreign    no migration has an opinion of it: the application's own
 */
export const MARKS = ['same', 'otherwise', 'missing', 'noted', 'foreign'] as const;
export type Mark = (typeof MARKS)[number];

export interface PicturedColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly isKey: boolean;
  readonly mark: Mark;
}

export interface PicturedForeignKey {
  readonly columns: readonly string[];
  /** `Sessions`, or `schema.table` of another schema. */
  readonly references: string;
  readonly onDelete: string;
  readonly mark: Mark;
}

export interface PicturedTable {
  readonly name: string;
  /** That of its worst part. */
  readonly mark: Mark;
  readonly columns: readonly PicturedColumn[];
  readonly foreignKeys: readonly PicturedForeignKey[];
  /** What is otherwise about the table and about none of its columns and foreign keys. */
  readonly troubles: readonly { readonly mark: Mark; readonly what: string }[];
}

type Tables = LiveSchema['tables'];
type Shape = Partial<TableShape>;

/** Every table that is there or should be: those that migrations speak of in their order, then the others by name. */
export function pictureOf(expected: ExpectedSchema, live: Tables, drift: readonly Difference[]): PicturedTable[] {
  const others = Object.keys(live).filter((name) => expected[name] === undefined).sort();
  return [...Object.keys(expected), ...others].map((name) =>
    pictureTable(name, expected[name], live[name], drift.filter(({ table }) => table === name)),
  );
}

function pictureTable(name: string, shape: Shape | undefined, live: Shape | undefined, drift: readonly Difference[]): PicturedTable {
  return {
    name,
    mark: markOfTable(shape, live, drift),
    columns: pictureColumns(name, shape, live, drift),
    foreignKeys: pictureForeignKeys(shape, live),
    troubles: drift
      .filter(({ kind }) => !KINDS_OF_PARTS.includes(kind))
      .filter(({ kind, object }) => kind !== 'extra' || /^(index|trigger) /.test(object))
      .map(({ kind, object, severity }) => ({
        mark: severity === 'fault' ? 'otherwise' : 'noted',
        what: kind === 'extra' ? object.replace(` on canvas.${name}`, '') : kind,
      })),
  };
}

/** Kinds that are marked at a column, at a foreign key, or by a whole table that is not there. */
const KINDS_OF_PARTS: readonly Difference['kind'][] = [
  'missing table', 'missing column', 'type', 'nullability', 'default', 'identity', 'missing foreign key', 'delete rule', 'untrusted foreign key',
];

function markOfTable(shape: Shape | undefined, live: Shape | undefined, drift: readonly Difference[]): Mark {
  if (shape === undefined) return 'foreign';
  if (live === undefined) return 'missing';
  if (drift.length === 0) return 'same';
  return drift.some(({ severity }) => severity === 'fault') ? 'otherwise' : 'noted';
}

function pictureColumns(table: string, shape: Shape | undefined, live: Shape | undefined, drift: readonly Difference[]): PicturedColumn[] {
  const there = Object.entries(live?.columns ?? {});
  const missing = Object.entries(shape?.columns ?? {}).filter(([name]) => live?.columns?.[name] === undefined);
  const toColumn = ([name, { nullable, type }]: [string, ColumnShape], mark: Mark): PicturedColumn => ({
    name, type: type.replace(/^other:/, ''), nullable, isKey: (live ?? shape)?.primaryKey?.includes(name) === true, mark,
  });
  const markOf = (name: string): Mark => {
    if (shape === undefined) return 'foreign';
    const own = drift.filter(({ object }) => object === `canvas.${table}.${name}`);
    if (own.length === 0) return 'same';
    return own.some(({ severity }) => severity === 'fault') ? 'otherwise' : 'noted';
  };
  return [...there.map((entry) => toColumn(entry, markOf(entry[0]))), ...missing.map((entry) => toColumn(entry, 'missing'))];
}

function pictureForeignKeys(shape: Shape | undefined, live: Shape | undefined): PicturedForeignKey[] {
  const expected = shape?.foreignKeys;
  const there = live?.foreignKeys ?? [];
  const missing = (expected ?? []).filter((one) => !there.some((key) => isAbout(key, one)));
  return [...there.map((key) => toForeignKey(key, markOfKey(key, expected))), ...missing.map((key) => toForeignKey(key, 'missing'))];
}

function markOfKey(key: ForeignKeyShape, expected: readonly ForeignKeyShape[] | undefined): Mark {
  if (expected === undefined) return 'foreign';
  const wanted = expected.find((one) => isAbout(key, one));
  if (wanted === undefined) return 'noted';
  return wanted.onDelete !== key.onDelete || (wanted.trusted && !key.trusted) ? 'otherwise' : 'same';
}

const toForeignKey = ({ columns, onDelete, references }: ForeignKeyShape, mark: Mark): PicturedForeignKey => ({
  columns, references: references.table, onDelete, mark,
});
