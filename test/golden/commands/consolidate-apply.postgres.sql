-- consolidate --apply: after opening.postgres.sql

SELECT t.TABLE_NAME AS "name" FROM INFORMATION_SCHEMA.TABLES t
     WHERE t.TABLE_SCHEMA = 'canvas' AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY t.TABLE_NAME
;

SELECT COUNT(*) AS "n" FROM canvas."Environment"
;

SELECT COUNT(*) AS "n" FROM canvas."HostSessionEvents"
;

SELECT COUNT(*) AS "n" FROM canvas."HostSessions"
;

SELECT COUNT(*) AS "n" FROM canvas."MigrationLedger"
;

SELECT COUNT(*) AS "n" FROM canvas."Sessions"
;

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations"
;

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations_lock"
;

SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
;

SELECT "SessionId" AS "id" FROM canvas."Sessions"
       WHERE "SessionId" >= 9007199254740991 OR "SessionId" <= -9007199254740991
       ORDER BY "SessionId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
;

SELECT "KSessionsId" AS "id" FROM canvas."Sessions"
       WHERE "KSessionsId" >= 9007199254740991 OR "KSessionsId" <= -9007199254740991
       ORDER BY "KSessionsId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
;

SELECT "HostSessionId" AS "id" FROM canvas."HostSessions"
       WHERE "HostSessionId" >= 9007199254740991 OR "HostSessionId" <= -9007199254740991
       ORDER BY "HostSessionId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
;

SELECT "SessionId" AS "id" FROM canvas."HostSessions"
       WHERE "SessionId" >= 9007199254740991 OR "SessionId" <= -9007199254740991
       ORDER BY "SessionId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
;

SELECT "EventId" AS "id" FROM canvas."HostSessionEvents"
       WHERE "EventId" >= 9007199254740991 OR "EventId" <= -9007199254740991
       ORDER BY "EventId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
;

-- $1 text, $2 text
SELECT pg_get_serial_sequence($1, $2) AS "name"
;

SELECT (SELECT MAX("SessionId") FROM canvas."Sessions") AS "largest", last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS "next" FROM canvas."Sessions_SessionId_seq"
;

-- $1 text, $2 text
SELECT pg_get_serial_sequence($1, $2) AS "name"
;

SELECT (SELECT MAX("HostSessionId") FROM canvas."HostSessions") AS "largest", last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS "next" FROM canvas."HostSessions_HostSessionId_seq"
;

-- $1 text, $2 text
SELECT pg_get_serial_sequence($1, $2) AS "name"
;

SELECT (SELECT MAX("EventId") FROM canvas."HostSessionEvents") AS "largest", last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS "next" FROM canvas."HostSessionEvents_EventId_seq"
;

BEGIN
;

SET TRANSACTION READ WRITE; SET LOCAL lock_timeout = 30000; SET LOCAL statement_timeout = 60000; SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(ARRAY['identity/Sessions']) AS name; SELECT 
  current_database() AS "database",
  (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS "serverId",
  (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database()) AS "databaseId",
  split_part(version(), ' ', 1) || ' ' || current_setting('server_version') ||
    coalesce(' at ' || host(inet_server_addr()) || ':' || inet_server_port(), ' in process') AS "server", current_setting('search_path') AS "path", pg_backend_pid()::text AS "session",
  CASE WHEN pg_snapshot_xmin(s) = pg_snapshot_xmax(s) THEN pg_snapshot_xmax(s)::text END AS "next", to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
  FROM pg_current_snapshot() AS s
;

LOCK TABLE canvas."Sessions" IN SHARE ROW EXCLUSIVE MODE
;

-- $1 text, $2 text
SELECT pg_get_serial_sequence($1, $2) AS "name"
;

SELECT (SELECT MAX("SessionId") FROM canvas."Sessions") AS "largest", last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS "next" FROM canvas."Sessions_SessionId_seq"
;

-- $1 text, $2 text
SELECT pg_get_serial_sequence($1, $2) AS "name"
;

-- $1 text, $2 number, $3 boolean
SELECT setval($1::regclass, $2, $3)
;

COMMIT
;

-- $1 number, $2 boolean, $3 time, $4 boolean, $5 boolean
SELECT s."SessionId" AS "id" FROM canvas."Sessions" s WHERE s."SessionId" > $1 AND (
      EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId" AND h."IsActive" = $2 AND (
        h."LastSequence" IS NULL OR h."RevokedAt" IS NOT NULL OR h."ExpiresAt" <= $3 OR h."HostGuidHash" <> s."HostGuid"
        OR EXISTS (SELECT 1 FROM canvas."HostSessions" o WHERE o."SessionId" = h."SessionId" AND o."IsActive" = $4
          AND o."HostSessionId" <> h."HostSessionId")))
      OR (s."HostGuid" <> '' AND EXISTS (SELECT 1 FROM canvas."HostSessions" e WHERE e."SessionId" = s."SessionId")
        AND NOT EXISTS (SELECT 1 FROM canvas."HostSessions" a WHERE a."SessionId" = s."SessionId" AND a."IsActive" = $5))) ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
;

-- $1 number
select "SessionId", "KSessionsId", "Title", "HostGuid" from "canvas"."Sessions" where "SessionId" in ($1) order by "SessionId" asc
;

-- $1 number
select * from "canvas"."HostSessions" where "SessionId" in ($1) order by "HostSessionId" asc
;

BEGIN
;

SET TRANSACTION READ WRITE; SET LOCAL lock_timeout = 30000; SET LOCAL statement_timeout = 60000; SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(ARRAY['ksessions/215']) AS name; SELECT 
  current_database() AS "database",
  (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS "serverId",
  (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database()) AS "databaseId",
  split_part(version(), ' ', 1) || ' ' || current_setting('server_version') ||
    coalesce(' at ' || host(inet_server_addr()) || ':' || inet_server_port(), ' in process') AS "server", current_setting('search_path') AS "path", pg_backend_pid()::text AS "session",
  CASE WHEN pg_snapshot_xmin(s) = pg_snapshot_xmax(s) THEN pg_snapshot_xmax(s)::text END AS "next", to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
  FROM pg_current_snapshot() AS s
;

-- $1 number
select "SessionId", "KSessionsId", "Title", "HostGuid" from "canvas"."Sessions" where "SessionId" in ($1) order by "SessionId" asc
;

-- $1 number
select * from "canvas"."HostSessions" where "SessionId" in ($1) order by "HostSessionId" asc
;

-- $1 text
UPDATE canvas."Sessions" SET "HostGuid" = r."HostGuid", "ModifiedAt" = r."ModifiedAt" FROM json_to_recordset(CAST($1 AS json)) AS r ("SessionId" bigint, "HostGuid" text, "ModifiedAt" timestamptz)
     WHERE "Sessions"."SessionId" = r."SessionId" RETURNING "Sessions"."SessionId" AS "SessionId"
;

-- $1 text
INSERT INTO canvas."HostSessionEvents" ("OperationId", "HostSessionId", "SessionId", "KSessionsId", "Sequence", "Action", "Actor", "Reason", "OldFingerprint", "NewFingerprint", "ExpiresAt", "OccurredAt", "HashKeyId", "PreviousHash", "EventHash")
     SELECT r."OperationId", r."HostSessionId", r."SessionId", r."KSessionsId", r."Sequence", r."Action", r."Actor", r."Reason", r."OldFingerprint", r."NewFingerprint", r."ExpiresAt", r."OccurredAt", r."HashKeyId", r."PreviousHash", r."EventHash" FROM json_to_recordset(CAST($1 AS json)) AS r ("OperationId" uuid, "HostSessionId" bigint, "SessionId" bigint, "KSessionsId" bigint, "Sequence" integer, "Action" text, "Actor" text, "Reason" text, "OldFingerprint" text, "NewFingerprint" text, "ExpiresAt" timestamptz, "OccurredAt" timestamptz, "HashKeyId" text, "PreviousHash" text, "EventHash" text)
;

-- $1 text
UPDATE canvas."HostSessions" SET "LastSequence" = r."LastSequence", "LastEventHash" = r."LastEventHash" FROM json_to_recordset(CAST($1 AS json)) AS r ("HostSessionId" bigint, "LastSequence" integer, "LastEventHash" text)
     WHERE "HostSessions"."HostSessionId" = r."HostSessionId" RETURNING "HostSessions"."HostSessionId" AS "HostSessionId"
;

COMMIT
;

-- $1 number
SELECT s."KSessionsId" AS "id" FROM canvas."Sessions" s WHERE s."KSessionsId" > $1 AND s."KSessionsId" BETWEEN 1 AND 2147483647 GROUP BY s."KSessionsId" HAVING COUNT(*) > 1 ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
;

-- $1 number
SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title" FROM canvas."Sessions" s
    WHERE s."SessionId" > $1 AND s."KSessionsId" NOT BETWEEN 1 AND 2147483647 ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
;

-- $1 number, $2 boolean, $3 time
SELECT s."SessionId" AS "id", s."Title" AS "Title", h."HostSessionId" AS "HostSessionId"
    FROM canvas."Sessions" s JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId"
    WHERE s."SessionId" > $1 AND s."KSessionsId" IS NULL AND h."HostSessionId" = (
    SELECT MAX(l."HostSessionId") FROM canvas."HostSessions" l WHERE l."SessionId" = s."SessionId" AND l."IsActive" = $2 AND l."RevokedAt" IS NULL AND (l."ExpiresAt" IS NULL OR l."ExpiresAt" > $3))
  AND NOT EXISTS (
  SELECT 1 AS "one" FROM canvas."HostSessions" b JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = b."HostSessionId"
  WHERE b."SessionId" = s."SessionId" AND e."Action" = 'linked' AND e."KSessionsId" IS NULL) ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
;

-- $1 number
SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title" FROM canvas."Sessions" s
    WHERE s."SessionId" > $1 AND s."HostGuid" <> ''
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId") ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
;

-- $1 number
SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId" FROM canvas."HostSessions" h
    WHERE h."HostSessionId" > $1 AND NOT EXISTS (SELECT 1 FROM canvas."Sessions" s WHERE s."SessionId" = h."SessionId") ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
;

-- $1 number
SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId", MIN(o."HostSessionId") AS "other"
    FROM canvas."HostSessions" h JOIN canvas."HostSessions" o ON o."SessionId" = h."SessionId"
      AND o."HostGuidHash" = h."HostGuidHash" AND o."HostSessionId" < h."HostSessionId"
    WHERE h."HostSessionId" > $1 GROUP BY h."HostSessionId", h."SessionId" ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
;

SELECT t.TABLE_NAME AS "name" FROM INFORMATION_SCHEMA.TABLES t
     WHERE t.TABLE_SCHEMA = 'canvas' AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY t.TABLE_NAME
;

SELECT COUNT(*) AS "n" FROM canvas."Environment"
;

SELECT COUNT(*) AS "n" FROM canvas."HostSessionEvents"
;

SELECT COUNT(*) AS "n" FROM canvas."HostSessions"
;

SELECT COUNT(*) AS "n" FROM canvas."MigrationLedger"
;

SELECT COUNT(*) AS "n" FROM canvas."Sessions"
;

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations"
;

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations_lock"
;
