/**
 * What the servers' catalogues say about schema canvas, one set-based SELECT per kind of object. Every row stands for
 * one column (of a table, an index, a foreign key) or one event (of a trigger); live-schema.ts puts them together. A plain
 * login may read PostgreSQL's catalogue; SQL Server shows definitions only with VIEW DEFINITION, hence `visibility`.
 */
import type { Dialect } from '../engines/engine';
import { IS_BABELFISH, literal, SCHEMA } from './sql';

/** A SELECT about tables of the schema, all of them where none are named. It may tell of more than those that are. */
type AboutTables = (tables?: readonly string[]) => string;

/** The SELECTs of one dialect. Their columns carry the same names in each. */
export interface CatalogueQueries {
  /** table, column: as they were given, where the catalogue may keep them otherwise. */
  readonly given?: string;
  /** table, column, type, bytes, scale, collation, nullable, identity, generated, computed, default */
  readonly columns: AboutTables;
  /** table, index, column, primary, unique, usable, filter */
  readonly indexes: AboutTables;
  /** table, constraint, column, toSchema, toTable, toColumn, onDelete, trusted, enabled */
  readonly foreignKeys: AboutTables;
  /** table, trigger, event, enabled, always, body, routine */
  readonly triggers: AboutTables;
  /** object: a kind and a name, of everything in the schema */
  readonly objects: string;
  /** scope, table, name, what: every name that is taken, where it is (obstacles.ts has the scopes), and by what */
  readonly names: string;
  /** hidden: whether the catalogue shows this login less than there is, where it can do that */
  readonly visibility?: string;
  /** there: whether a table is; one binding, the quoted two-part name */
  readonly hasTable: string;
  /** Whether this login may read a table, given as `schema.table`; neither its absence nor a missing right is an error. */
  readonly mayRead: string;
}

const NAMESPACE = `to_regnamespace('${SCHEMA}')`;

/** @param relation the alias of pg_class */
const isOneOf = (relation: string, tables?: readonly string[]) =>
  `${relation}.relnamespace = ${NAMESPACE}` + (tables === undefined ? '' : ` AND ${relation}.relname IN (${tables.map(literal).join(', ')})`);

/** Whom a right was given to. What the owner may do anyway is no grant. */
const GRANTEE = `' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END`;

/** `to_jsonb(row)` reads a column that older servers lack without naming it: 14 has no NULLS NOT DISTINCT. */
const POSTGRES: CatalogueQueries = {
  columns: (tables) => `
    SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS "type",
      NULL AS "bytes", NULL AS "scale", o.collname AS "collation", NOT a.attnotnull AS "nullable",
      a.attidentity = 'a' AS "identity", a.attidentity <> '' AS "generated", a.attgenerated <> '' AS "computed",
      pg_get_expr(d.adbin, d.adrelid) AS "default"
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE ${isOneOf('c', tables)} AND c.relkind IN ('r', 'p')
    ORDER BY c.relname, a.attnum`,
  indexes: (tables) => `
    SELECT t.relname AS "table", n.relname AS "index", coalesce(a.attname, '(expression)') AS "column",
      i.indisprimary AS "primary",
      i.indisunique AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS "unique",
      i.indisvalid AND i.indisready AND i.indislive AND m.amname = 'btree' AS "usable",
      pg_get_expr(i.indpred, i.indrelid) AS "filter"
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    JOIN pg_catalog.pg_am m ON m.oid = n.relam
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE ${isOneOf('t', tables)} AND k.place <= i.indnkeyatts
    ORDER BY t.relname, n.relname, k.place`,
  foreignKeys: (tables) => `
    SELECT t.relname AS "table", f.conname AS "constraint", a.attname AS "column", s.nspname AS "toSchema",
      r.relname AS "toTable", b.attname AS "toColumn",
      CASE f.confdeltype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default'
        WHEN 'r' THEN 'restrict' ELSE 'no action' END AS "onDelete",
      f.convalidated AS "trusted",
      coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = f.oid AND g.tgenabled IN ('D', 'R')) AS "enabled"
    FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_class t ON t.oid = f.conrelid
    JOIN pg_catalog.pg_class r ON r.oid = f.confrelid
    JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
    CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(mine, theirs, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.mine
    JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.theirs
    WHERE f.contype = 'f' AND ${isOneOf('t', tables)}
    ORDER BY t.relname, f.conname, k.place`,
  // Nothing can keep it from its first statement: it comes before the change, has no WHEN and no list of columns.
  triggers: (tables) => `
    SELECT t.relname AS "table", g.tgname AS "trigger", e.event AS "event", g.tgenabled IN ('O', 'A') AS "enabled",
      (g.tgtype & 2) <> 0 AND g.tgqual IS NULL AND g.tgattr::text = '' AS "always", p.prosrc AS "body",
      p.pronamespace::regnamespace || '.' || p.proname AS "routine"
    FROM pg_catalog.pg_trigger g
    JOIN pg_catalog.pg_class t ON t.oid = g.tgrelid
    JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
    JOIN (VALUES (4, 'INSERT'), (8, 'DELETE'), (16, 'UPDATE'), (32, 'TRUNCATE')) AS e(bit, event)
      ON (g.tgtype & e.bit) <> 0
    WHERE ${isOneOf('t', tables)} AND NOT g.tgisinternal
    ORDER BY t.relname, g.tgname, e.event`,
  // Everything but the relations is found by its index: the servers' own thousands of columns and functions are not read.
  objects: `
    SELECT kind || ' ' || label AS "object" FROM (
      WITH relations AS MATERIALIZED (
        SELECT c.oid, c.relname::text AS name, c.relkind IN ('r', 'p') AS holds, c.relowner, c.relacl, c.relrowsecurity
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = ${NAMESPACE} AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
      SELECT 'table' AS kind, r.name AS label FROM relations r WHERE r.holds
      UNION ALL
      SELECT unnest(CASE a.attidentity WHEN 'a' THEN ARRAY['column', 'identity'] ELSE ARRAY['column'] END),
        r.name || '.' || a.attname FROM relations r
        JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
        WHERE r.holds AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT 'index', r.name || '.' || n.relname FROM relations r
        JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
        JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
      UNION ALL
      SELECT 'constraint', r.name || '.' || k.conname FROM relations r
        JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
        WHERE k.contype <> 'n'
      UNION ALL
      SELECT 'trigger', r.name || '.' || t.tgname FROM relations r
        JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid
        WHERE NOT t.tgisinternal
      UNION ALL
      SELECT 'function', p.proname FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_proc p ON p.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass
          AND d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = ${NAMESPACE}
      UNION ALL
      SELECT 'policy', r.name || '.' || p.polname FROM relations r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
      UNION ALL
      SELECT 'security', r.name || '.row level security' FROM relations r WHERE r.relrowsecurity
      UNION ALL
      SELECT 'rule', r.name || '.' || w.rulename FROM relations r
        JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid WHERE r.holds
      UNION ALL
      SELECT 'statistics', r.name || '.' || x.stxname FROM relations r
        JOIN pg_catalog.pg_statistic_ext x ON x.stxrelid = r.oid
      UNION ALL
      SELECT 'publication', r.name || '.' || p.pubname FROM relations r
        JOIN pg_catalog.pg_publication_rel m ON m.prrelid = r.oid JOIN pg_catalog.pg_publication p ON p.oid = m.prpubid
      UNION ALL
      SELECT 'comment', r.name || coalesce('.' || a.attname, '') FROM relations r
        JOIN pg_catalog.pg_description d ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_class'::regclass
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE r.holds
      UNION ALL
      SELECT 'grant', r.name || '.' || g.privilege_type || ${GRANTEE} FROM relations r
        CROSS JOIN LATERAL aclexplode(r.relacl) g WHERE r.holds AND g.grantee <> r.relowner
      UNION ALL
      SELECT 'grant', r.name || '.' || g.privilege_type || ' (' || a.attname || ')' || ${GRANTEE} FROM relations r
        JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
        CROSS JOIN LATERAL aclexplode(a.attacl) g WHERE r.holds AND g.grantee <> r.relowner
    ) AS objects ORDER BY 1`,
  // What CREATE OR REPLACE replaces is not in the way; a standalone type shares the names of tables.
  names: `
    SELECT 'relation' AS "scope", t.relname::text AS "table", c.relname::text AS "name",
      CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'index' END AS "what"
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    WHERE c.relnamespace = ${NAMESPACE}
    UNION ALL
    SELECT 'type', NULL, t.typname, 'type' FROM pg_catalog.pg_type t
      WHERE t.typnamespace = ${NAMESPACE} AND t.typrelid = 0 AND t.typcategory <> 'A'
    UNION ALL
    SELECT 'constraint', t.relname, k.conname, 'constraint'
      FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
      WHERE t.relnamespace = ${NAMESPACE}
    UNION ALL
    SELECT 'trigger', t.relname, g.tgname, 'trigger'
      FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class t ON t.oid = g.tgrelid
      WHERE t.relnamespace = ${NAMESPACE} AND NOT g.tgisinternal
    UNION ALL
    SELECT 'routine', NULL, p.proname, 'routine' FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_proc p ON p.oid = d.objid
      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_namespace'::regclass
        AND d.refobjid = ${NAMESPACE} AND p.pronargs = 0
        AND NOT (p.prokind = 'f' AND p.prorettype = 'pg_catalog.trigger'::regtype)`,
  hasTable: 'SELECT to_regclass(?) IS NOT NULL AS "there"',
  mayRead: `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname = ? AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS "may"`,
};

/** Stands for the filter of an index where the catalogue has none to show. */
export const UNKNOWN_FILTER = '(unknown)';

const TABLES = `(SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'${SCHEMA}'))`;

/** What may be done to a table, as literals: the view names it in a collation of its own. */
const PERMISSION = `CASE p.permission_name ${[
  'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'REFERENCES', 'ALTER', 'CONTROL', 'TAKE OWNERSHIP', 'VIEW DEFINITION',
].map((name) => `WHEN '${name}' THEN '${name}'`).join(' ')} ELSE 'another right' END`;

/** Catalogue views: https://learn.microsoft.com/sql/relational-databases/system-catalog-views */
const MSSQL: CatalogueQueries = {
  given: `
    SELECT TABLE_NAME AS "table", COLUMN_NAME AS "column" FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = N'${SCHEMA}'`,
  columns: () => `
    SELECT t.name AS "table", c.name AS "column", y.name AS "type", c.max_length AS "bytes", c.scale AS "scale",
      c.collation_name AS "collation", c.is_nullable AS "nullable", c.is_identity AS "identity",
      c.is_identity AS "generated", c.is_computed AS "computed",
      (SELECT d.definition FROM sys.default_constraints d
        WHERE d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id) AS "default"
    FROM ${TABLES} t
    JOIN sys.columns c ON c.object_id = t.object_id
    JOIN sys.types y ON y.user_type_id = c.user_type_id
    ORDER BY t.name, c.column_id`,
  // IGNORE_DUP_KEY drops a second row with a mere warning: that is not uniqueness.
  indexes: () => `
    SELECT t.name AS "table", i.name AS "index", c.name AS "column", i.is_primary_key AS "primary",
      CASE WHEN i.is_unique = 1 AND i.ignore_dup_key = 0 THEN 1 ELSE 0 END AS "unique",
      CASE WHEN i.is_disabled = 0 AND i.is_hypothetical = 0 AND i.type IN (1, 2) THEN 1 ELSE 0 END AS "usable",
      CASE WHEN ${IS_BABELFISH} THEN N'${UNKNOWN_FILTER}' ELSE i.filter_definition END AS "filter"
    FROM ${TABLES} t
    JOIN sys.indexes i ON i.object_id = t.object_id
    JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0
    JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
    ORDER BY t.name, i.name, k.key_ordinal`,
  foreignKeys: () => `
    SELECT t.name AS "table", f.name AS "constraint", a.name AS "column", SCHEMA_NAME(r.schema_id) AS "toSchema",
      r.name AS "toTable", b.name AS "toColumn",
      LOWER(REPLACE(f.delete_referential_action_desc, '_', ' ')) AS "onDelete",
      CASE WHEN f.is_not_trusted = 0 THEN 1 ELSE 0 END AS "trusted",
      CASE WHEN f.is_disabled = 0 THEN 1 ELSE 0 END AS "enabled"
    FROM ${TABLES} t
    JOIN sys.foreign_keys f ON f.parent_object_id = t.object_id
    JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id
    JOIN sys.tables r ON r.object_id = f.referenced_object_id
    JOIN sys.columns a ON a.object_id = k.parent_object_id AND a.column_id = k.parent_column_id
    JOIN sys.columns b ON b.object_id = k.referenced_object_id AND b.column_id = k.referenced_column_id
    ORDER BY t.name, f.name, k.constraint_column_id`,
  triggers: () => `
    SELECT t.name AS "table", g.name AS "trigger", e.type_desc AS "event",
      CASE WHEN g.is_disabled = 0 THEN 1 ELSE 0 END AS "enabled", g.is_instead_of_trigger AS "always",
      (SELECT m.definition FROM sys.sql_modules m WHERE m.object_id = g.object_id) AS "body",
      NULL AS "routine"
    FROM ${TABLES} t
    JOIN sys.triggers g ON g.parent_id = t.object_id
    JOIN sys.trigger_events e ON e.object_id = g.object_id
    ORDER BY t.name, g.name, e.type_desc`,
  objects: `
    SELECT CONCAT('table ', t.name) AS "object" FROM ${TABLES} t
    UNION ALL
    SELECT CONCAT('column ', t.name, '.', c.name) FROM ${TABLES} t
      JOIN sys.columns c ON c.object_id = t.object_id
    UNION ALL
    SELECT CONCAT('index ', t.name, '.', i.name) FROM ${TABLES} t
      JOIN sys.indexes i ON i.object_id = t.object_id AND i.name IS NOT NULL
    UNION ALL
    SELECT CONCAT('constraint ', t.name, '.', k.name) FROM ${TABLES} t
      JOIN sys.objects k ON k.parent_object_id = t.object_id AND k.type IN ('C', 'D', 'F', 'PK', 'UQ')
    UNION ALL
    SELECT CONCAT('trigger ', t.name, '.', g.name) FROM ${TABLES} t
      JOIN sys.triggers g ON g.parent_id = t.object_id
    UNION ALL
    SELECT CONCAT('statistics ', t.name, '.', s.name) FROM ${TABLES} t
      JOIN sys.stats s ON s.object_id = t.object_id AND s.user_created = 1
    UNION ALL
    SELECT CONCAT('property ', t.name, '.', p.name, CASE WHEN p.minor_id = 0 THEN '' ELSE CONCAT(' of ', COL_NAME(t.object_id, p.minor_id)) END)
      FROM ${TABLES} t JOIN sys.extended_properties p ON p.class = 1 AND p.major_id = t.object_id
    UNION ALL
    SELECT CONCAT('grant ', t.name, '.', CASE WHEN p.state = 'D' THEN 'DENY ' ELSE '' END, ${PERMISSION},
        CASE WHEN p.minor_id = 0 THEN '' ELSE CONCAT(' (', COL_NAME(t.object_id, p.minor_id), ')') END,
        ' to ', USER_NAME(p.grantee_principal_id))
      FROM ${TABLES} t JOIN sys.database_permissions p ON p.class = 1 AND p.major_id = t.object_id
    ORDER BY 1`,
  names: `
    SELECT 'object' AS "scope", p.name AS "table", o.name AS "name",
      CASE WHEN o.type = 'U' THEN 'table' ELSE LOWER(REPLACE(o.type_desc, '_', ' ')) END AS "what"
    FROM sys.objects o LEFT JOIN sys.objects p ON p.object_id = o.parent_object_id
    WHERE o.schema_id = SCHEMA_ID(N'${SCHEMA}')
    UNION ALL
    SELECT 'index', t.name, i.name, 'index'
    FROM ${TABLES} t JOIN sys.indexes i ON i.object_id = t.object_id AND i.name IS NOT NULL`,
  // NULL where the schema does not exist yet: then nothing is hidden. Babelfish knows no such right and hides nothing.
  visibility: `
    SELECT CASE WHEN HAS_PERMS_BY_NAME(N'${SCHEMA}', 'SCHEMA', 'VIEW DEFINITION') = 0 AND NOT ${IS_BABELFISH}
      THEN 1 ELSE 0 END AS "hidden"`,
  hasTable: `SELECT CASE WHEN OBJECT_ID(?, N'U') IS NULL THEN 0 ELSE 1 END AS "there"`,
  mayRead: `SELECT CASE WHEN HAS_PERMS_BY_NAME(?, N'OBJECT', N'SELECT') = 1 THEN 1 ELSE 0 END AS "may"`,
};

export const CATALOGUE: Readonly<Record<Dialect, CatalogueQueries>> = { postgres: POSTGRES, mssql: MSSQL };
