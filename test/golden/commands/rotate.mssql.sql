-- rotate 15: after opening.mssql.sql

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

-- @p0 nvarchar
INSERT INTO canvas."HostSessionEvents" ("OperationId", "HostSessionId", "SessionId", "KSessionsId", "Sequence", "Action", "Actor", "Reason", "OldFingerprint", "NewFingerprint", "ExpiresAt", "OccurredAt", "HashKeyId", "PreviousHash", "EventHash")
     SELECT r."OperationId", r."HostSessionId", r."SessionId", r."KSessionsId", r."Sequence", r."Action", r."Actor", r."Reason", r."OldFingerprint", r."NewFingerprint", r."ExpiresAt", r."OccurredAt", r."HashKeyId", r."PreviousHash", r."EventHash" FROM OPENJSON(@p0) WITH ("OperationId" uniqueidentifier '$.OperationId', "HostSessionId" bigint '$.HostSessionId', "SessionId" bigint '$.SessionId', "KSessionsId" bigint '$.KSessionsId', "Sequence" int '$.Sequence', "Action" nvarchar(max) '$.Action', "Actor" nvarchar(max) '$.Actor', "Reason" nvarchar(max) '$.Reason', "OldFingerprint" nvarchar(max) '$.OldFingerprint', "NewFingerprint" nvarchar(max) '$.NewFingerprint', "ExpiresAt" datetime2 '$.ExpiresAt', "OccurredAt" datetime2 '$.OccurredAt', "HashKeyId" nvarchar(max) '$.HashKeyId', "PreviousHash" nvarchar(max) '$.PreviousHash', "EventHash" nvarchar(max) '$.EventHash') AS r
GO

-- @p0 nvarchar, @p1 bit
UPDATE canvas."HostSessions" SET "LastSequence" = r."LastSequence", "LastEventHash" = r."LastEventHash", "HostGuidHash" = r."HostGuidHash", "HashKeyId" = r."HashKeyId", "GuidFingerprint" = r."GuidFingerprint", "ExpiresAt" = CASE WHEN r."IsDated" = 1 THEN r."ExpiresAt" ELSE "HostSessions"."ExpiresAt" END, "UpdatedAt" = r."UpdatedAt", "LastUsedAt" = r."LastUsedAt" OUTPUT inserted."HostSessionId" AS "HostSessionId" FROM OPENJSON(@p0) WITH ("HostSessionId" bigint '$.HostSessionId', "LastSequence" int '$.LastSequence', "LastEventHash" nvarchar(max) '$.LastEventHash', "HostGuidHash" nvarchar(max) '$.HostGuidHash', "HashKeyId" nvarchar(max) '$.HashKeyId', "GuidFingerprint" nvarchar(max) '$.GuidFingerprint', "ExpiresAt" datetime2 '$.ExpiresAt', "IsDated" bit '$.IsDated', "UpdatedAt" datetime2 '$.UpdatedAt', "LastUsedAt" datetime2 '$.LastUsedAt') AS r
     WHERE "HostSessions"."HostSessionId" = r."HostSessionId" AND "HostSessions"."IsActive" = @p1
GO

-- @p0 nvarchar
UPDATE canvas."Sessions" SET "HostGuid" = r."HostGuid", "ModifiedAt" = r."ModifiedAt" OUTPUT inserted."SessionId" AS "SessionId" FROM OPENJSON(@p0) WITH ("SessionId" bigint '$.SessionId', "HostGuid" nvarchar(max) '$.HostGuid', "ModifiedAt" datetime2 '$.ModifiedAt') AS r
     WHERE "Sessions"."SessionId" = r."SessionId"
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
