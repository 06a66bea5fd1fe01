-- provision 15: after opening.postgres.sql

-- $1 text, $2 text
SELECT s."SessionID" AS "id", s."SessionName" AS "title", s."Description" AS "description", COALESCE(c."n", 0) AS "transcripts"
  FROM dbo."Sessions" s LEFT JOIN (
    SELECT t."SessionID", COUNT(*) AS "n" FROM dbo."SessionTranscripts" t
    WHERE t."SessionID" IN (SELECT w."id" FROM json_to_recordset(CAST($1 AS json)) AS w ("id" bigint)) GROUP BY t."SessionID") c ON c."SessionID" = s."SessionID"
  WHERE s."SessionID" IN (SELECT r."id" FROM json_to_recordset(CAST($2 AS json)) AS r ("id" bigint))
;

BEGIN
;

SET TRANSACTION READ WRITE; SET LOCAL lock_timeout = 30000; SET LOCAL statement_timeout = 60000; SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(ARRAY['ksessions/15']) AS name; SELECT 
  current_database() AS "database",
  (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS "serverId",
  (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database()) AS "databaseId",
  split_part(version(), ' ', 1) || ' ' || current_setting('server_version') ||
    coalesce(' at ' || host(inet_server_addr()) || ':' || inet_server_port(), ' in process') AS "server", current_setting('search_path') AS "path", pg_backend_pid()::text AS "session",
  CASE WHEN pg_snapshot_xmin(s) = pg_snapshot_xmax(s) THEN pg_snapshot_xmax(s)::text END AS "next", to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
  FROM pg_current_snapshot() AS s
;

-- $1 text, $2 boolean
SELECT h.*, s."SessionId" AS "CanvasSessionId", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title", s."HostGuid" AS "HostGuid"
     FROM json_to_recordset(CAST($1 AS json)) AS r ("id" bigint) JOIN canvas."Sessions" s ON s."KSessionsId" = r."id"
     LEFT JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" AND h."IsActive" = $2
;

-- $1 text, $2 boolean, $3 time
SELECT s."SessionId" AS "id", r."title" AS "title" FROM canvas."Sessions" s
    JOIN json_to_recordset(CAST($1 AS json)) AS r ("title" text, "trimmed" text)
      ON LOWER(LTRIM(RTRIM(s."Title"))) = LOWER(r."trimmed")
    WHERE s."KSessionsId" IS NULL AND (s."HostGuid" <> '' OR EXISTS (
      SELECT 1 FROM canvas."HostSessions" l WHERE l."SessionId" = s."SessionId" AND l."IsActive" = $2
        AND l."RevokedAt" IS NULL AND (l."ExpiresAt" IS NULL OR l."ExpiresAt" > $3)))
      AND NOT EXISTS (
  SELECT 1 AS "one" FROM canvas."HostSessions" b JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = b."HostSessionId"
  WHERE b."SessionId" = s."SessionId" AND e."Action" = 'linked' AND e."KSessionsId" IS NULL)
    ORDER BY s."SessionId"
;

-- $1 text
INSERT INTO canvas."Sessions" ("GroupId", "KSessionsId", "Title", "Description", "Status", "HostGuid", "CreatedAt", "ModifiedAt")
     SELECT r."GroupId", r."KSessionsId", r."Title", r."Description", r."Status", r."HostGuid", r."CreatedAt", r."ModifiedAt" FROM json_to_recordset(CAST($1 AS json)) AS r ("GroupId" uuid, "KSessionsId" bigint, "Title" text, "Description" text, "Status" text, "HostGuid" text, "CreatedAt" timestamptz, "ModifiedAt" timestamptz) RETURNING "SessionId" AS "SessionId", "KSessionsId" AS "KSessionsId"
;

-- $1 text
INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "HashKeyId", "GuidFingerprint", "ExpiresAt", "CreatedAt", "CreatedBy", "IsActive")
     SELECT r."SessionId", r."HostGuidHash", r."HashKeyId", r."GuidFingerprint", r."ExpiresAt", r."CreatedAt", r."CreatedBy", r."IsActive" FROM json_to_recordset(CAST($1 AS json)) AS r ("SessionId" bigint, "HostGuidHash" text, "HashKeyId" text, "GuidFingerprint" text, "ExpiresAt" timestamptz, "CreatedAt" timestamptz, "CreatedBy" text, "IsActive" boolean) RETURNING "HostSessionId" AS "HostSessionId", "SessionId" AS "SessionId"
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

-- $1 text
SELECT r."id" AS "id", h."HostGuidHash" AS "hash", s."HostGuid" AS "copy", h."IsActive" AS "active",
       h."LastEventHash" AS "head", e."EventHash" AS "event", b."Actor" AS "before"
     FROM json_to_recordset(CAST($1 AS json)) AS r ("id" bigint, "sequence" integer)
     LEFT JOIN canvas."HostSessions" h ON h."HostSessionId" = r."id" LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
     LEFT JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = r."id" AND e."Sequence" = r."sequence"
     LEFT JOIN canvas."HostSessionEvents" b ON b."HostSessionId" = r."id" AND b."Sequence" = r."sequence" - 1
;
