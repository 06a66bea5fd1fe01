-- list: after all but the last of opening.pglite.sql

SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
;

-- $1 number
SELECT s."SessionID" AS "id", s."SessionName" AS "title" FROM dbo."Sessions" s WHERE s."SessionID" > $1 ORDER BY s."SessionID" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
;

-- $1 text
SELECT s."SessionId", s."KSessionsId", s."Title", s."HostGuid" FROM json_to_recordset(CAST($1 AS json)) AS r ("id" bigint)
     JOIN canvas."Sessions" s ON s."KSessionsId" = r."id" ORDER BY s."SessionId"
;

-- $1 text, $2 boolean
SELECT h.* FROM canvas."HostSessions" h JOIN (
       SELECT r."id", MAX(n."HostSessionId") AS "Newest" FROM json_to_recordset(CAST($1 AS json)) AS r ("id" bigint)
       JOIN canvas."HostSessions" n ON n."SessionId" = r."id" GROUP BY r."id") l ON l."id" = h."SessionId"
     WHERE h."IsActive" = $2 OR h."HostSessionId" = l."Newest"
;

-- $1 text
SELECT e."HostSessionId", e."Actor", e."OccurredAt" FROM canvas."HostSessionEvents" e JOIN (
       SELECT r."id", MAX(m."Sequence") AS "Newest" FROM json_to_recordset(CAST($1 AS json)) AS r ("id" bigint)
       JOIN canvas."HostSessionEvents" m ON m."HostSessionId" = r."id" AND m."Action" IN ('provisioned', 'rotated')
       GROUP BY r."id") l ON l."id" = e."HostSessionId" AND l."Newest" = e."Sequence"
;

-- $1 number
SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId" FROM canvas."Sessions" s
    WHERE s."SessionId" > $1 AND (s."HostGuid" <> ''
      OR EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId"))
    ORDER BY s."SessionId" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
;

-- $1 text
SELECT s."SessionID" AS "id" FROM json_to_recordset(CAST($1 AS json)) AS r ("id" bigint) JOIN dbo."Sessions" s ON s."SessionID" = r."id"
;

SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"
;

-- $1 boolean, $2 time
SELECT h."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessions" h
  WHERE h."IsActive" = $1 AND h."RevokedAt" IS NULL AND (h."ExpiresAt" IS NULL OR h."ExpiresAt" > $2) GROUP BY h."HashKeyId"
;

SELECT e."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessionEvents" e GROUP BY e."HashKeyId"
;
