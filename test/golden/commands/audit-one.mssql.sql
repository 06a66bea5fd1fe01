-- audit 15: after opening.mssql.sql

-- @p0 int, @p1 int
SELECT e."HostSessionId" AS "id" FROM canvas."HostSessionEvents" e WHERE e."KSessionsId" = @p0
     UNION SELECT h."HostSessionId" AS "id" FROM canvas."HostSessions" h
     JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId" WHERE s."KSessionsId" = @p1
GO

-- @p0 bigint, @p1 bigint, @p2 int, @p3 nvarchar
SELECT e.*, h."HostSessionId" AS "RowId", h."LastSequence" AS "LastSequence", h."LastEventHash" AS "LastEventHash" FROM canvas."HostSessionEvents" e
    LEFT JOIN canvas."HostSessions" h ON h."HostSessionId" = e."HostSessionId"
    WHERE e."HostSessionId" >= @p0 AND (e."HostSessionId" > @p1 OR e."Sequence" > @p2) AND e."HostSessionId" IN (SELECT r."id" FROM OPENJSON(@p3) WITH ("id" bigint '$.id') AS r)
    ORDER BY e."HostSessionId", e."Sequence" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
GO

-- @p0 bigint, @p1 nvarchar
SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId", h."LastSequence" AS "LastSequence", s."KSessionsId" AS "KSessionsId"
    FROM canvas."HostSessions" h LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
    WHERE h."HostSessionId" > @p0 AND h."LastSequence" > 0
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessionEvents" e WHERE e."HostSessionId" = h."HostSessionId")
       AND h."HostSessionId" IN (SELECT r."id" FROM OPENJSON(@p1) WITH ("id" bigint '$.id') AS r)
    ORDER BY h."HostSessionId" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
GO
