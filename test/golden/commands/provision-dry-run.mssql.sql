-- provision 15 --dry-run: after opening.mssql.sql

-- @p0 nvarchar, @p1 nvarchar
SELECT s."SessionID" AS "id", s."SessionName" AS "title", s."Description" AS "description", COALESCE(c."n", 0) AS "transcripts"
  FROM dbo."Sessions" s LEFT JOIN (
    SELECT t."SessionID", COUNT(*) AS "n" FROM dbo."SessionTranscripts" t
    WHERE t."SessionID" IN (SELECT w."id" FROM OPENJSON(@p0) WITH ("id" bigint '$.id') AS w) GROUP BY t."SessionID") c ON c."SessionID" = s."SessionID"
  WHERE s."SessionID" IN (SELECT r."id" FROM OPENJSON(@p1) WITH ("id" bigint '$.id') AS r)
GO

SELECT REPLACE(CONVERT(char(23), SYSUTCDATETIME(), 121), ' ', 'T') + 'Z' AS [now]
GO

-- @p0 nvarchar, @p1 bit
SELECT h.*, s."SessionId" AS "CanvasSessionId", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title", s."HostGuid" AS "HostGuid"
     FROM OPENJSON(@p0) WITH ("id" bigint '$.id') AS r JOIN canvas."Sessions" s ON s."KSessionsId" = r."id"
     LEFT JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" AND h."IsActive" = @p1
GO

-- @p0 nvarchar, @p1 bit, @p2 datetime2
SELECT s."SessionId" AS "id", r."title" AS "title" FROM canvas."Sessions" s
    JOIN OPENJSON(@p0) WITH ("title" nvarchar(max) '$.title', "trimmed" nvarchar(max) '$.trimmed') AS r
      ON LOWER(LTRIM(RTRIM(s."Title"))) = LOWER(r."trimmed") COLLATE DATABASE_DEFAULT
    WHERE s."KSessionsId" IS NULL AND (s."HostGuid" <> '' OR EXISTS (
      SELECT 1 FROM canvas."HostSessions" l WHERE l."SessionId" = s."SessionId" AND l."IsActive" = @p1
        AND l."RevokedAt" IS NULL AND (l."ExpiresAt" IS NULL OR l."ExpiresAt" > @p2)))
      AND NOT EXISTS (
  SELECT 1 AS "one" FROM canvas."HostSessions" b JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = b."HostSessionId"
  WHERE b."SessionId" = s."SessionId" AND e."Action" = 'linked' AND e."KSessionsId" IS NULL)
    ORDER BY s."SessionId"
GO
