-- migrate status

SELECT current_database() = 'DATABASE' AS "isExpected", 
  current_database() AS "database",
  (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS "serverId",
  (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database()) AS "databaseId",
  split_part(version(), ' ', 1) || ' ' || current_setting('server_version') ||
    coalesce(' at ' || host(inet_server_addr()) || ':' || inet_server_port(), ' in process') AS "server";
  SET default_transaction_read_only = on;
  SET search_path = pg_catalog;
  SET TimeZone = 'UTC';
  SET statement_timeout = 30000;
  SET idle_in_transaction_session_timeout = 60000
;

-- $1 text
SELECT to_regclass($1) IS NOT NULL AS "there"
;

select "Target", "Environment", "ServerId", "DatabaseName", "DatabaseId" from "canvas"."Environment"
;

-- $1 text
SELECT to_regclass($1) IS NOT NULL AS "there"
;

SELECT "Name", "Checksum", "AppliedAt", "DurationMs", "AppliedBy", "ToolVersion", "Objects", NULL AS "historyName", NULL AS "batch", NULL AS "id" FROM "canvas"."MigrationLedger"
     UNION ALL
     SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, "name", "batch", "id" FROM "canvas"."knex_migrations"
     ORDER BY "id"
;

SELECT 'relation' AS "scope", t.relname::text AS "table", c.relname::text AS "name",
      CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'index' END AS "what"
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    WHERE c.relnamespace = to_regnamespace('canvas')
    UNION ALL
    SELECT 'type', NULL, t.typname, 'type' FROM pg_catalog.pg_type t
      WHERE t.typnamespace = to_regnamespace('canvas') AND t.typrelid = 0 AND t.typcategory <> 'A'
    UNION ALL
    SELECT 'constraint', t.relname, k.conname, 'constraint'
      FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
      WHERE t.relnamespace = to_regnamespace('canvas')
    UNION ALL
    SELECT 'trigger', t.relname, g.tgname, 'trigger'
      FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class t ON t.oid = g.tgrelid
      WHERE t.relnamespace = to_regnamespace('canvas') AND NOT g.tgisinternal
    UNION ALL
    SELECT 'routine', NULL, p.proname, 'routine' FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_proc p ON p.oid = d.objid
      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_namespace'::regclass
        AND d.refobjid = to_regnamespace('canvas') AND p.pronargs = 0
        AND NOT (p.prokind = 'f' AND p.prorettype = 'pg_catalog.trigger'::regtype)
;

SELECT t.relname AS "table", g.tgname AS "trigger", e.event AS "event", g.tgenabled IN ('O', 'A') AS "enabled",
      (g.tgtype & 2) <> 0 AND g.tgqual IS NULL AND g.tgattr::text = '' AS "always", p.prosrc AS "body",
      p.pronamespace::regnamespace || '.' || p.proname AS "routine"
    FROM pg_catalog.pg_trigger g
    JOIN pg_catalog.pg_class t ON t.oid = g.tgrelid
    JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
    JOIN (VALUES (4, 'INSERT'), (8, 'DELETE'), (16, 'UPDATE'), (32, 'TRUNCATE')) AS e(bit, event)
      ON (g.tgtype & e.bit) <> 0
    WHERE t.relnamespace = to_regnamespace('canvas') AND t.relname IN ('Environment', 'MigrationLedger', 'knex_migrations', 'knex_migrations_lock', 'Sessions', 'HostSessions', 'HostSessionEvents') AND NOT g.tgisinternal
    ORDER BY t.relname, g.tgname, e.event
;
