-- What every command sends first

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

SELECT "Name", "Checksum", NULL AS "historyName", NULL AS "batch", NULL AS "id" FROM "canvas"."MigrationLedger"
     UNION ALL
     SELECT NULL, NULL, "name", "batch", "id" FROM "canvas"."knex_migrations"
     ORDER BY "id"
;

-- $1 boolean, $2 text
SELECT h."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessions" h
     WHERE h."IsActive" = $1 AND h."RevokedAt" IS NULL AND (h."ExpiresAt" IS NULL OR h."ExpiresAt" > now())
       AND h."HashKeyId" NOT IN ($2)
     GROUP BY h."HashKeyId"
;
