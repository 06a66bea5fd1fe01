-- audit: after opening.postgres.sql

-- $1 number, $2 number, $3 number
SELECT e.*, h."HostSessionId" AS "RowId", h."LastSequence" AS "LastSequence", h."LastEventHash" AS "LastEventHash" FROM canvas."HostSessionEvents" e
    LEFT JOIN canvas."HostSessions" h ON h."HostSessionId" = e."HostSessionId"
    WHERE e."HostSessionId" >= $1 AND (e."HostSessionId" > $2 OR e."Sequence" > $3)
    ORDER BY e."HostSessionId", e."Sequence" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
;

-- $1 number
SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId", h."LastSequence" AS "LastSequence", s."KSessionsId" AS "KSessionsId"
    FROM canvas."HostSessions" h LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
    WHERE h."HostSessionId" > $1 AND h."LastSequence" > 0
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessionEvents" e WHERE e."HostSessionId" = h."HostSessionId")
      
    ORDER BY h."HostSessionId" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
;

SELECT COUNT(*) AS "n" FROM canvas."HostSessions" h WHERE (h."LastSequence" IS NULL OR h."LastSequence" = 0)
     AND NOT EXISTS (SELECT 1 FROM canvas."HostSessionEvents" e WHERE e."HostSessionId" = h."HostSessionId")
;
