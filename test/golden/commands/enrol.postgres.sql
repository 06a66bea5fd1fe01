-- enrol --target scratch --confirm DATABASE

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

-- $1 text, $2 text
SELECT datname AS "name" FROM pg_catalog.pg_database
     WHERE lower(datname) IN (lower($1), lower($2)) AND has_database_privilege(datname, 'CONNECT') ORDER BY 1
;

-- $1 text, $2 text
SELECT datname AS "name" FROM pg_catalog.pg_database
     WHERE lower(datname) IN (lower($1), lower($2)) AND has_database_privilege(datname, 'CONNECT') ORDER BY 1
;

SELECT c.relname::text AS "name" FROM pg_catalog.pg_class c
     WHERE c.relnamespace = to_regnamespace('dbo') AND c.relkind IN ('r', 'p', 'v')
       AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1
;

SELECT c.relname::text AS "name" FROM pg_catalog.pg_class c
     WHERE c.relnamespace = to_regnamespace('dbo') AND c.relkind IN ('r', 'p', 'v')
       AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1
;

-- $1 text
SELECT to_regclass($1) IS NOT NULL AS "there"
;

BEGIN
;

SET TRANSACTION READ WRITE; SET LOCAL lock_timeout = 30000; SET LOCAL statement_timeout = 60000; SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(ARRAY['enrol']) AS name; SELECT 
  current_database() AS "database",
  (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS "serverId",
  (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database()) AS "databaseId",
  split_part(version(), ' ', 1) || ' ' || current_setting('server_version') ||
    coalesce(' at ' || host(inet_server_addr()) || ':' || inet_server_port(), ' in process') AS "server", current_setting('search_path') AS "path", pg_backend_pid()::text AS "session",
  CASE WHEN pg_snapshot_xmin(s) = pg_snapshot_xmax(s) THEN pg_snapshot_xmax(s)::text END AS "next", to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
  FROM pg_current_snapshot() AS s
;

DO $canvas$ BEGIN
IF to_regnamespace('canvas') IS NULL THEN
  CREATE SCHEMA "canvas";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF to_regclass('"canvas"."knex_migrations"') IS NULL THEN
  create table "canvas"."knex_migrations" (
    "id" serial primary key,
    "name" varchar(255),
    "batch" integer,
    "migration_time" timestamptz
  );
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF to_regclass('"canvas"."knex_migrations_lock"') IS NULL THEN
  create table "canvas"."knex_migrations_lock" (
    "index" serial primary key,
    "is_locked" integer
  );
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF NOT EXISTS (SELECT 1 FROM "canvas"."knex_migrations_lock") THEN
  INSERT INTO "canvas"."knex_migrations_lock" ("is_locked") VALUES (0);
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF to_regclass('"canvas"."MigrationLedger"') IS NULL THEN
  create table "canvas"."MigrationLedger" (
    "Name" varchar(200) COLLATE "C" not null,
    "Checksum" varchar(64) COLLATE "C" not null,
    "AppliedAt" timestamptz(3) not null,
    "DurationMs" integer not null,
    "AppliedBy" varchar(128) not null,
    "ToolVersion" varchar(20) not null,
    "Objects" text not null,
    constraint "PK_MigrationLedger" primary key ("Name")
  );
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF to_regclass('"canvas"."Environment"') IS NULL THEN
  create table "canvas"."Environment" (
    "OnlyRow" integer not null default '1',
    "Target" varchar(128) COLLATE "C" not null,
    "Environment" varchar(20) COLLATE "C" not null,
    "ServerId" varchar(128) COLLATE "C" not null,
    "DatabaseName" varchar(128) COLLATE "C" not null,
    "DatabaseId" varchar(64) COLLATE "C" not null,
    "EnrolledAt" timestamptz(3) not null,
    "EnrolledBy" varchar(128) not null,
    constraint "PK_Environment" primary key ("OnlyRow"),
    constraint CK_Environment_OnlyRow check ("OnlyRow" = 1)
  );
END IF;
END $canvas$
;

-- $1 text
SELECT to_regclass($1) IS NOT NULL AS "there"
;

select "Target", "Environment", "ServerId", "DatabaseName", "DatabaseId" from "canvas"."Environment"
;

delete from "canvas"."Environment"
;

-- $1 text, $2 text, $3 time, $4 text, $5 text, $6 text, $7 text
insert into "canvas"."Environment" ("DatabaseId", "DatabaseName", "EnrolledAt", "EnrolledBy", "Environment", "ServerId", "Target") values ($1, $2, $3, $4, $5, $6, $7)
;

COMMIT
;
