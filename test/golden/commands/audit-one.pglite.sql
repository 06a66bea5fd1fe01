-- audit 15: after opening.pglite.sql

-- $1 number, $2 number
SELECT e."HostSessionId" AS "id" FROM canvas."HostSessionEvents" e WHERE e."KSessionsId" = $1
     UNION SELECT h."HostSessionId" AS "id" FROM canvas."HostSessions" h
     JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId" WHERE s."KSessionsId" = $2
;

-- $1 number, $2 number, $3 number, $4 text
SELECT e.*, h."HostSessionId" AS "RowId", h."LastSequence" AS "LastSequence", h."LastEventHash" AS "LastEventHash" FROM canvas."HostSessionEvents" e
    LEFT JOIN canvas."HostSessions" h ON h."HostSessionId" = e."HostSessionId"
    WHERE e."HostSessionId" >= $1 AND (e."HostSessionId" > $2 OR e."Sequence" > $3) AND e."HostSessionId" IN (SELECT r."id" FROM json_to_recordset(CAST($4 AS json)) AS r ("id" bigint))
    ORDER BY e."HostSessionId", e."Sequence" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
;

-- $1 number, $2 text
SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId", h."LastSequence" AS "LastSequence", s."KSessionsId" AS "KSessionsId"
    FROM canvas."HostSessions" h LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
    WHERE h."HostSessionId" > $1 AND h."LastSequence" > 0
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessionEvents" e WHERE e."HostSessionId" = h."HostSessionId")
       AND h."HostSessionId" IN (SELECT r."id" FROM json_to_recordset(CAST($2 AS json)) AS r ("id" bigint))
    ORDER BY h."HostSessionId" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
;
