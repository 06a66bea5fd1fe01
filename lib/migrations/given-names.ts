/**
 * Names of schema canvas as they were given, which is how PostgreSQL and SQL Server keep them. Babelfish keeps small
 * letters, where only the standard's own views know better, and its indexes have names that it makes up of ours.
 */
import { createHash } from 'node:crypto';
import { textOf, type Row } from '../engines/rows';

/** From the names in a catalogue to those that were given; a name that was kept as it is comes back as it is. */
export interface GivenNames {
  table(name: string): string;
  column(table: string, name: string): string;
  index(table: string, name: string): string;
}

export const AS_THEY_ARE: GivenNames = {
  table: (name) => name,
  column: (_table, name) => name,
  index: (_table, name) => name,
};

/** @param columns table, column: of every column of the schema, as they were given */
export function givenNames(columns: readonly Row[]): GivenNames {
  const given = columns.map((row) => ({ table: textOf(row, 'table'), column: textOf(row, 'column') }));
  const tables = asGiven(given.map(({ table }) => [table, table]));
  const names = asGiven(given.map(({ table, column }) => [`${table}.${column}`, column]));
  const tableOf = (name: string) => tables.get(name) ?? name;
  return {
    table: tableOf,
    column: (table, name) => names.get(`${table}.${name}`) ?? name,
    index: (table, name) => givenIndexName(table.toLowerCase(), name),
  };
}

/** By what they are and by their small letters; the former wins. */
function asGiven(entries: readonly (readonly [key: string, name: string])[]): ReadonlyMap<string, string> {
  return new Map([...entries.map(([key, name]) => [key.toLowerCase(), name] as const), ...entries]);
}

/** The name that has this one made of it; the hash in it leaves no doubt. One that was cut off itself stays as it is. */
function givenIndexName(table: string, name: string): string {
  if (!HASHED.test(name)) return name;
  for (let length = 1; length <= name.length - HASH_LENGTH; length++) {
    const given = name.slice(0, length);
    if (indexNameOnBabelfish(table, given) === name) return given;
  }
  return name;
}

const HASH_LENGTH = 32;
const HASHED = /[0-9a-f]{32}$/;

/** What fits into PostgreSQL's names. */
const NAME_LENGTH = 63;

const hashOf = (text: string) => createHash('md5').update(text).digest('hex');

/**
 * PostgreSQL wants the names of a schema's indexes to be unique, T-SQL those of a table's. So it is the name, the
 * table's and a hash of the name; where that is too long, its beginning and a hash of all of it.
 */
function indexNameOnBabelfish(table: string, given: string): string {
  const name = `${given}${table}${hashOf(given)}`;
  return name.length <= NAME_LENGTH ? name : `${name.slice(0, NAME_LENGTH - HASH_LENGTH)}${hashOf(name)}`;
}
