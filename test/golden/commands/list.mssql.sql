-- list: after all but the last of opening.mssql.sql

SELECT REPLACE(CONVERT(char(23), SYSUTCDATETIME(), 121), ' ', 'T') + 'Z' AS [now]
GO

-- @p0 int
SELECT s."SessionID" AS "id", s."SessionName" AS "title" FROM dbo."Sessions" s WHERE s."SessionID" > @p0 ORDER BY s."SessionID" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
GO

-- @p0 nvarchar
SELECT s."SessionId", s."KSessionsId", s."Title", s."HostGuid" FROM OPENJSON(@p0) WITH ("id" bigint '$.id') AS r
     JOIN canvas."Sessions" s ON s."KSessionsId" = r."id" ORDER BY s."SessionId"
GO

-- @p0 nvarchar, @p1 bit
SELECT h.* FROM canvas."HostSessions" h JOIN (
       SELECT r."id", MAX(n."HostSessionId") AS "Newest" FROM OPENJSON(@p0) WITH ("id" bigint '$.id') AS r
       JOIN canvas."HostSessions" n ON n."SessionId" = r."id" GROUP BY r."id") l ON l."id" = h."SessionId"
     WHERE h."IsActive" = @p1 OR h."HostSessionId" = l."Newest"
GO

-- @p0 nvarchar
SELECT e."HostSessionId", e."Actor", e."OccurredAt" FROM canvas."HostSessionEvents" e JOIN (
       SELECT r."id", MAX(m."Sequence") AS "Newest" FROM OPENJSON(@p0) WITH ("id" bigint '$.id') AS r
       JOIN canvas."HostSessionEvents" m ON m."HostSessionId" = r."id" AND m."Action" IN ('provisioned', 'rotated')
       GROUP BY r."id") l ON l."id" = e."HostSessionId" AND l."Newest" = e."Sequence"
GO

-- @p0 bigint
SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId" FROM canvas."Sessions" s
    WHERE s."SessionId" > @p0 AND (s."HostGuid" <> ''
      OR EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId"))
    ORDER BY s."SessionId" OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY
GO

-- @p0 nvarchar
SELECT s."SessionID" AS "id" FROM OPENJSON(@p0) WITH ("id" bigint '$.id') AS r JOIN dbo."Sessions" s ON s."SessionID" = r."id"
GO

SELECT REPLACE(CONVERT(char(23), SYSUTCDATETIME(), 121), ' ', 'T') + 'Z' AS [now]
GO

-- @p0 bit, @p1 datetime2
SELECT h."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessions" h
  WHERE h."IsActive" = @p0 AND h."RevokedAt" IS NULL AND (h."ExpiresAt" IS NULL OR h."ExpiresAt" > @p1) GROUP BY h."HashKeyId"
GO

SELECT e."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessionEvents" e GROUP BY e."HashKeyId"
GO
