-- provision 15: after opening.mssql.sql

-- @p0 nvarchar, @p1 nvarchar
SELECT s."SessionID" AS "id", s."SessionName" AS "title", s."Description" AS "description", COALESCE(c."n", 0) AS "transcripts"
  FROM dbo."Sessions" s LEFT JOIN (
    SELECT t."SessionID", COUNT(*) AS "n" FROM dbo."SessionTranscripts" t
    WHERE t."SessionID" IN (SELECT w."id" FROM OPENJSON(@p0) WITH ("id" bigint '$.id') AS w) GROUP BY t."SessionID") c ON c."SessionID" = s."SessionID"
  WHERE s."SessionID" IN (SELECT r."id" FROM OPENJSON(@p1) WITH ("id" bigint '$.id') AS r)
GO

BEGIN TRANSACTION
GO

SET LOCK_TIMEOUT 30000;
IF ISNULL(DB_ID(N'DATABASE'), -1) <> DB_ID()
  OR CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) <> N'SERVER'
  THROW 51000, N'This is not the database that was permitted.', 1;
DECLARE @code int;
EXEC @code = sp_getapplock @Resource = N'DATABASE/ksessions/15', @LockMode = 'Exclusive', @LockOwner = 'Transaction',
  @LockTimeout = 30000;
IF @code = -3 THROW 51205, N'sp_getapplock: chosen as a deadlock victim.', 1;
IF @code < 0 THROW 51222, N'sp_getapplock: not granted in time.', 1;
SELECT 
  DB_NAME() AS [database],
  CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) AS [serverId],
  (SELECT CONVERT(nvarchar(40), d.create_date, 126) FROM sys.databases d WHERE d.name = DB_NAME()) AS [databaseId],
  CONCAT(N'SQL Server ', CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(40)),
    N' ' + CAST(SERVERPROPERTY('ServerName') AS nvarchar(128))) AS [server], REPLACE(CONVERT(char(23), SYSUTCDATETIME(), 121), ' ', 'T') + 'Z' AS [now]
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

-- @p0 nvarchar
INSERT INTO canvas."Sessions" ("GroupId", "KSessionsId", "Title", "Description", "Status", "HostGuid", "CreatedAt", "ModifiedAt") OUTPUT inserted."SessionId" AS "SessionId", inserted."KSessionsId" AS "KSessionsId"
     SELECT r."GroupId", r."KSessionsId", r."Title", r."Description", r."Status", r."HostGuid", r."CreatedAt", r."ModifiedAt" FROM OPENJSON(@p0) WITH ("GroupId" uniqueidentifier '$.GroupId', "KSessionsId" bigint '$.KSessionsId', "Title" nvarchar(max) '$.Title', "Description" nvarchar(max) '$.Description', "Status" nvarchar(max) '$.Status', "HostGuid" nvarchar(max) '$.HostGuid', "CreatedAt" datetime2 '$.CreatedAt', "ModifiedAt" datetime2 '$.ModifiedAt') AS r
GO

-- @p0 nvarchar
INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "HashKeyId", "GuidFingerprint", "ExpiresAt", "CreatedAt", "CreatedBy", "IsActive") OUTPUT inserted."HostSessionId" AS "HostSessionId", inserted."SessionId" AS "SessionId"
     SELECT r."SessionId", r."HostGuidHash", r."HashKeyId", r."GuidFingerprint", r."ExpiresAt", r."CreatedAt", r."CreatedBy", r."IsActive" FROM OPENJSON(@p0) WITH ("SessionId" bigint '$.SessionId', "HostGuidHash" nvarchar(max) '$.HostGuidHash', "HashKeyId" nvarchar(max) '$.HashKeyId', "GuidFingerprint" nvarchar(max) '$.GuidFingerprint', "ExpiresAt" datetime2 '$.ExpiresAt', "CreatedAt" datetime2 '$.CreatedAt', "CreatedBy" nvarchar(max) '$.CreatedBy', "IsActive" bit '$.IsActive') AS r
GO

-- @p0 nvarchar
INSERT INTO canvas."HostSessionEvents" ("OperationId", "HostSessionId", "SessionId", "KSessionsId", "Sequence", "Action", "Actor", "Reason", "OldFingerprint", "NewFingerprint", "ExpiresAt", "OccurredAt", "HashKeyId", "PreviousHash", "EventHash")
     SELECT r."OperationId", r."HostSessionId", r."SessionId", r."KSessionsId", r."Sequence", r."Action", r."Actor", r."Reason", r."OldFingerprint", r."NewFingerprint", r."ExpiresAt", r."OccurredAt", r."HashKeyId", r."PreviousHash", r."EventHash" FROM OPENJSON(@p0) WITH ("OperationId" uniqueidentifier '$.OperationId', "HostSessionId" bigint '$.HostSessionId', "SessionId" bigint '$.SessionId', "KSessionsId" bigint '$.KSessionsId', "Sequence" int '$.Sequence', "Action" nvarchar(max) '$.Action', "Actor" nvarchar(max) '$.Actor', "Reason" nvarchar(max) '$.Reason', "OldFingerprint" nvarchar(max) '$.OldFingerprint', "NewFingerprint" nvarchar(max) '$.NewFingerprint', "ExpiresAt" datetime2 '$.ExpiresAt', "OccurredAt" datetime2 '$.OccurredAt', "HashKeyId" nvarchar(max) '$.HashKeyId', "PreviousHash" nvarchar(max) '$.PreviousHash', "EventHash" nvarchar(max) '$.EventHash') AS r
GO

-- @p0 nvarchar
UPDATE canvas."HostSessions" SET "LastSequence" = r."LastSequence", "LastEventHash" = r."LastEventHash" OUTPUT inserted."HostSessionId" AS "HostSessionId" FROM OPENJSON(@p0) WITH ("HostSessionId" bigint '$.HostSessionId', "LastSequence" int '$.LastSequence', "LastEventHash" nvarchar(max) '$.LastEventHash') AS r
     WHERE "HostSessions"."HostSessionId" = r."HostSessionId"
GO

COMMIT TRANSACTION
GO

-- @p0 nvarchar
SELECT r."id" AS "id", h."HostGuidHash" AS "hash", s."HostGuid" AS "copy", h."IsActive" AS "active",
       h."LastEventHash" AS "head", e."EventHash" AS "event", b."Actor" AS "before"
     FROM OPENJSON(@p0) WITH ("id" bigint '$.id', "sequence" int '$.sequence') AS r
     LEFT JOIN canvas."HostSessions" h ON h."HostSessionId" = r."id" LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
     LEFT JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = r."id" AND e."Sequence" = r."sequence"
     LEFT JOIN canvas."HostSessionEvents" b ON b."HostSessionId" = r."id" AND b."Sequence" = r."sequence" - 1
GO
