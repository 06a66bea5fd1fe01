-- provision 15 --dry-run: after opening.postgres.sql

-- $1 text, $2 text
SELECT s."SessionID" AS "id", s."SessionName" AS "title", s."Description" AS "description", COALESCE(c."n", 0) AS "transcripts"
  FROM dbo."Sessions" s LEFT JOIN (
    SELECT t."SessionID", COUNT(*) AS "n" FROM dbo."SessionTranscripts" t
    WHERE t."SessionID" IN (SELECT w."id" FROM json_to_recordset(CAST($1 AS json)) AS w ("id" bigint)) GROUP BY t."SessionID") c ON c."SessionID" = s."SessionID"
  WHERE s."SessionID" IN (SELECT r."id" FROM json_to_recordset(CAST($2 AS json)) AS r ("id" bigint))
;

SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
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
