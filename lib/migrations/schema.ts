/** The live canvas schema as data. */
import type { Knex } from 'knex';
import type { Reader } from '../engines/database';
import { SCHEMA } from './sql';

/** PostgreSQL's catalogue, as one list of names. */
const OBJECTS = `
  SELECT kind || ' ' || label AS "object" FROM (
    SELECT 'table' AS kind, c.relname::text AS label FROM pg_catalog.pg_class c
      WHERE c.relnamespace = to_regnamespace('${SCHEMA}') AND c.relkind = 'r'
    UNION ALL
    SELECT 'column', c.relname || '.' || a.attname FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = to_regnamespace('${SCHEMA}') AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'index', c.relname FROM pg_catalog.pg_class c
      WHERE c.relnamespace = to_regnamespace('${SCHEMA}') AND c.relkind = 'i'
    UNION ALL
    SELECT 'constraint', r.relname || '.' || k.conname FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class r ON r.oid = k.conrelid
      WHERE k.connamespace = to_regnamespace('${SCHEMA}') AND k.contype <> 'n'
    UNION ALL
    SELECT 'trigger', r.relname || '.' || t.tgname FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_class r ON r.oid = t.tgrelid
      WHERE r.relnamespace = to_regnamespace('${SCHEMA}') AND NOT t.tgisinternal
    UNION ALL
    SELECT 'function', p.proname FROM pg_catalog.pg_proc p WHERE p.pronamespace = to_regnamespace('${SCHEMA}')
  ) AS objects`;

/** The names of everything in schema canvas: tables, columns, indexes, constraints, triggers, functions. */
export async function listObjects(knex: Knex): Promise<Set<string>> {
  const { rows } = await knex.raw<{ rows: { object: string }[] }>(OBJECTS);
  return new Set(rows.map(({ object }) => object));
}

/** @returns whether the schema (canvas, unless told otherwise) has that table */
export async function hasTable(reader: Reader, table: string, schema = SCHEMA): Promise<boolean> {
  const [row] = await reader.ask<{ there: boolean }>('SELECT to_regclass(?) IS NOT NULL AS "there"', [
    `"${schema}"."${table}"`,
  ]);
  return row?.there === true;
}
