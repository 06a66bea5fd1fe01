/**
 * What a migration file must export, checked before anything is done with it: a slip in a shape would otherwise show as
 * a failure of something else, or as a shape that nothing is compared with.
 */

/** Says what is wrong with a value, each with its place. */
type Check = (value: unknown, place: string) => string[];

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const must = (holds: (value: unknown) => boolean, what: string): Check => (value, place) =>
  holds(value) ? [] : [`${place} is not ${what}`];

const text = must((value) => typeof value === 'string' && value !== '', 'a text');
const flag = must((value) => typeof value === 'boolean', 'true or false');
const work = must((value) => typeof value === 'function', 'a function');

const oneOf = (...words: readonly unknown[]) => must((value) => words.includes(value), `one of ${words.join(', ')}`);

const optional = (check: Check): Check => (value, place) => (value === undefined ? [] : check(value, place));

const listOf = (check: Check): Check => (value, place) =>
  Array.isArray(value) ? value.flatMap((one, at) => check(one, `${place}[${at}]`)) : [`${place} is not a list`];

const recordOf = (check: Check): Check => (value, place) =>
  isRecord(value)
    ? Object.entries(value).flatMap(([name, one]) => check(one, `${place}.${name}`))
    : [`${place} is not an object`];

/** An object of these members and no others: a misspelt one would be looked at by nobody. */
const objectOf = (members: Readonly<Record<string, Check>>): Check => (value, place) => {
  if (!isRecord(value)) return [`${place} is not an object`];
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(members, name));
  return [
    ...unknown.map((name) => `${place}.${name} is not known; there are ${Object.keys(members).join(', ')}`),
    ...Object.entries(members).flatMap(([name, check]) => check(value[name], `${place}.${name}`)),
  ];
};

/** The types of live-schema.ts. */
const COLUMN_TYPE = /^(?:bigint|integer|uuid|flag|time|instant|(?:text|exact)\([1-9]\d*\)|other:.+)$/;

const column = objectOf({
  type: must((value) => typeof value === 'string' && COLUMN_TYPE.test(value), 'a type of a column, such as bigint or text(200)'),
  nullable: flag,
  identity: optional(flag),
  default: optional(must((value) => value === null || typeof value === 'string', 'a text or null')),
});

const index = objectOf({
  columns: listOf(text),
  unique: flag,
  where: optional(objectOf({ column: text, is: oneOf('not null', 'true') })),
});

const foreignKey = objectOf({
  columns: listOf(text),
  references: objectOf({ table: text, columns: listOf(text) }),
  onDelete: oneOf('cascade', 'no action', 'restrict', 'set null', 'set default'),
  trusted: flag,
});

const table = objectOf({
  columns: optional(recordOf(column)),
  primaryKey: optional(listOf(text)),
  indexes: optional(listOf(index)),
  foreignKeys: optional(listOf(foreignKey)),
  appendOnly: optional(flag),
});

const question = objectOf({ check: text, finds: text, needs: listOf(text), sql: objectOf({ postgres: text, mssql: text }) });

const EXPORTS: Readonly<Record<string, Check>> = {
  up: work,
  down: work,
  shape: optional(recordOf(table)),
  preflight: optional(listOf(question)),
};

/** @param exported what a file gave when it was loaded @returns what is wrong with it, each with its place */
export function faultsOfExports(exported: unknown): string[] {
  if (!isRecord(exported)) return ['it exports nothing'];
  return Object.entries(EXPORTS).flatMap(([name, check]) => check(exported[name], name));
}
