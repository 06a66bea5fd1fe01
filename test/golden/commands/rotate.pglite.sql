-- rotate 15: after opening.pglite.sql

-- $1 text, $2 text
SELECT s."SessionID" AS "id", s."SessionName" AS "title", s."Description" AS "description", COALESCE(c."n", 0) AS "transcripts"
  FROM dbo."Sessions" s LEFT JOIN (
    SELECT t."SessionID", COUNT(*) AS "n" FROM dbo."SessionTranscripts" t
    WHERE t."SessionID" IN (SELECT w."id" FROM json_to_recordset(CAST($1 AS json)) AS w ("id" bigint)) GROUP BY t."SessionID") c ON c."SessionID" = s."SessionID"
  WHERE s."SessionID" IN (SELECT r."id" FROM json_to_recordset(CAST($2 AS json)) AS r ("id" bigint))
;

BEGIN
;

SET TRANSACTION READ WRITE; SELECT 
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

-- $1 text
INSERT INTO canvas."HostSessionEvents" ("OperationId", "HostSessionId", "SessionId", "KSessionsId", "Sequence", "Action", "Actor", "Reason", "OldFingerprint", "NewFingerprint", "ExpiresAt", "OccurredAt", "HashKeyId", "PreviousHash", "EventHash")
     SELECT r."OperationId", r."HostSessionId", r."SessionId", r."KSessionsId", r."Sequence", r."Action", r."Actor", r."Reason", r."OldFingerprint", r."NewFingerprint", r."ExpiresAt", r."OccurredAt", r."HashKeyId", r."PreviousHash", r."EventHash" FROM json_to_recordset(CAST($1 AS json)) AS r ("OperationId" uuid, "HostSessionId" bigint, "SessionId" bigint, "KSessionsId" bigint, "Sequence" integer, "Action" text, "Actor" text, "Reason" text, "OldFingerprint" text, "NewFingerprint" text, "ExpiresAt" timestamptz, "OccurredAt" timestamptz, "HashKeyId" text, "PreviousHash" text, "EventHash" text)
;

-- $1 text, $2 boolean
UPDATE canvas."HostSessions" SET "LastSequence" = r."LastSequence", "LastEventHash" = r."LastEventHash", "HostGuidHash" = r."HostGuidHash", "HashKeyId" = r."HashKeyId", "GuidFingerprint" = r."GuidFingerprint", "ExpiresAt" = CASE WHEN r."IsDated" = true THEN r."ExpiresAt" ELSE "HostSessions"."ExpiresAt" END, "UpdatedAt" = r."UpdatedAt", "LastUsedAt" = r."LastUsedAt" FROM json_to_recordset(CAST($1 AS json)) AS r ("HostSessionId" bigint, "LastSequence" integer, "LastEventHash" text, "HostGuidHash" text, "HashKeyId" text, "GuidFingerprint" text, "ExpiresAt" timestamptz, "IsDated" boolean, "UpdatedAt" timestamptz, "LastUsedAt" timestamptz)
     WHERE "HostSessions"."HostSessionId" = r."HostSessionId" AND "HostSessions"."IsActive" = $2 RETURNING "HostSessions"."HostSessionId" AS "HostSessionId"
;

-- $1 text
UPDATE canvas."Sessions" SET "HostGuid" = r."HostGuid", "ModifiedAt" = r."ModifiedAt" FROM json_to_recordset(CAST($1 AS json)) AS r ("SessionId" bigint, "HostGuid" text, "ModifiedAt" timestamptz)
     WHERE "Sessions"."SessionId" = r."SessionId" RETURNING "Sessions"."SessionId" AS "SessionId"
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
