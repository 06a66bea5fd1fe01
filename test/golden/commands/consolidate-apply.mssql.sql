-- consolidate --apply: after opening.mssql.sql

SELECT t.TABLE_NAME AS "name" FROM INFORMATION_SCHEMA.TABLES t
     WHERE t.TABLE_SCHEMA = 'canvas' AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY t.TABLE_NAME
GO

SELECT COUNT(*) AS "n" FROM canvas."Environment"
GO

SELECT COUNT(*) AS "n" FROM canvas."HostSessionEvents"
GO

SELECT COUNT(*) AS "n" FROM canvas."HostSessions"
GO

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations"
GO

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations_lock"
GO

SELECT COUNT(*) AS "n" FROM canvas."MigrationLedger"
GO

SELECT COUNT(*) AS "n" FROM canvas."Sessions"
GO

SELECT REPLACE(CONVERT(char(23), SYSUTCDATETIME(), 121), ' ', 'T') + 'Z' AS [now]
GO

SELECT "SessionId" AS "id" FROM canvas."Sessions"
       WHERE "SessionId" >= 9007199254740991 OR "SessionId" <= -9007199254740991
       ORDER BY "SessionId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
GO

SELECT "KSessionsId" AS "id" FROM canvas."Sessions"
       WHERE "KSessionsId" >= 9007199254740991 OR "KSessionsId" <= -9007199254740991
       ORDER BY "KSessionsId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
GO

SELECT "HostSessionId" AS "id" FROM canvas."HostSessions"
       WHERE "HostSessionId" >= 9007199254740991 OR "HostSessionId" <= -9007199254740991
       ORDER BY "HostSessionId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
GO

SELECT "SessionId" AS "id" FROM canvas."HostSessions"
       WHERE "SessionId" >= 9007199254740991 OR "SessionId" <= -9007199254740991
       ORDER BY "SessionId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
GO

SELECT "EventId" AS "id" FROM canvas."HostSessionEvents"
       WHERE "EventId" >= 9007199254740991 OR "EventId" <= -9007199254740991
       ORDER BY "EventId" OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
GO

SELECT (SELECT MAX("SessionId") FROM canvas."Sessions") AS "largest", IDENT_CURRENT('canvas.Sessions') + IDENT_INCR('canvas.Sessions') AS "next"
GO

SELECT (SELECT MAX("HostSessionId") FROM canvas."HostSessions") AS "largest", IDENT_CURRENT('canvas.HostSessions') + IDENT_INCR('canvas.HostSessions') AS "next"
GO

SELECT (SELECT MAX("EventId") FROM canvas."HostSessionEvents") AS "largest", IDENT_CURRENT('canvas.HostSessionEvents') + IDENT_INCR('canvas.HostSessionEvents') AS "next"
GO

BEGIN TRANSACTION
GO

SET LOCK_TIMEOUT 30000;
IF ISNULL(DB_ID(N'DATABASE'), -1) <> DB_ID()
  OR CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) <> N'SERVER'
  THROW 51000, N'This is not the database that was permitted.', 1;
DECLARE @code int;
EXEC @code = sp_getapplock @Resource = N'DATABASE/identity/Sessions', @LockMode = 'Exclusive', @LockOwner = 'Transaction',
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

DBCC CHECKIDENT ('canvas.Sessions', RESEED) WITH NO_INFOMSGS
GO

SELECT (SELECT MAX("SessionId") FROM canvas."Sessions") AS "largest", IDENT_CURRENT('canvas.Sessions') + IDENT_INCR('canvas.Sessions') AS "next"
GO

COMMIT TRANSACTION
GO

-- @p0 bigint, @p1 bit, @p2 datetime2, @p3 bit, @p4 bit
SELECT s."SessionId" AS "id" FROM canvas."Sessions" s WHERE s."SessionId" > @p0 AND (
      EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId" AND h."IsActive" = @p1 AND (
        h."LastSequence" IS NULL OR h."RevokedAt" IS NOT NULL OR h."ExpiresAt" <= @p2 OR h."HostGuidHash" COLLATE Latin1_General_100_BIN2 <> s."HostGuid"
        OR EXISTS (SELECT 1 FROM canvas."HostSessions" o WHERE o."SessionId" = h."SessionId" AND o."IsActive" = @p3
          AND o."HostSessionId" <> h."HostSessionId")))
      OR (s."HostGuid" <> '' AND EXISTS (SELECT 1 FROM canvas."HostSessions" e WHERE e."SessionId" = s."SessionId")
        AND NOT EXISTS (SELECT 1 FROM canvas."HostSessions" a WHERE a."SessionId" = s."SessionId" AND a."IsActive" = @p4))) ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
GO

-- @p0 int
select [SessionId], [KSessionsId], [Title], [HostGuid] from [canvas].[Sessions] where [SessionId] in (@p0) order by [SessionId] asc
GO

-- @p0 int
select * from [canvas].[HostSessions] where [SessionId] in (@p0) order by [HostSessionId] asc
GO

BEGIN TRANSACTION
GO

SET LOCK_TIMEOUT 30000;
IF ISNULL(DB_ID(N'DATABASE'), -1) <> DB_ID()
  OR CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) <> N'SERVER'
  THROW 51000, N'This is not the database that was permitted.', 1;
DECLARE @code int;
EXEC @code = sp_getapplock @Resource = N'DATABASE/ksessions/215', @LockMode = 'Exclusive', @LockOwner = 'Transaction',
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

-- @p0 int
select [SessionId], [KSessionsId], [Title], [HostGuid] from [canvas].[Sessions] where [SessionId] in (@p0) order by [SessionId] asc
GO

-- @p0 int
select * from [canvas].[HostSessions] where [SessionId] in (@p0) order by [HostSessionId] asc
GO

-- @p0 nvarchar
UPDATE canvas."Sessions" SET "HostGuid" = r."HostGuid", "ModifiedAt" = r."ModifiedAt" OUTPUT inserted."SessionId" AS "SessionId" FROM OPENJSON(@p0) WITH ("SessionId" bigint '$.SessionId', "HostGuid" nvarchar(max) '$.HostGuid', "ModifiedAt" datetime2 '$.ModifiedAt') AS r
     WHERE "Sessions"."SessionId" = r."SessionId"
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

-- @p0 bigint
SELECT s."KSessionsId" AS "id" FROM canvas."Sessions" s WHERE s."KSessionsId" > @p0 AND s."KSessionsId" BETWEEN 1 AND 2147483647 GROUP BY s."KSessionsId" HAVING COUNT(*) > 1 ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
GO

-- @p0 bigint
SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title" FROM canvas."Sessions" s
    WHERE s."SessionId" > @p0 AND s."KSessionsId" NOT BETWEEN 1 AND 2147483647 ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
GO

-- @p0 bigint, @p1 bit, @p2 datetime2
SELECT s."SessionId" AS "id", s."Title" AS "Title", h."HostSessionId" AS "HostSessionId"
    FROM canvas."Sessions" s JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId"
    WHERE s."SessionId" > @p0 AND s."KSessionsId" IS NULL AND h."HostSessionId" = (
    SELECT MAX(l."HostSessionId") FROM canvas."HostSessions" l WHERE l."SessionId" = s."SessionId" AND l."IsActive" = @p1 AND l."RevokedAt" IS NULL AND (l."ExpiresAt" IS NULL OR l."ExpiresAt" > @p2))
  AND NOT EXISTS (
  SELECT 1 AS "one" FROM canvas."HostSessions" b JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = b."HostSessionId"
  WHERE b."SessionId" = s."SessionId" AND e."Action" = 'linked' AND e."KSessionsId" IS NULL) ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
GO

-- @p0 bigint
SELECT s."SessionId" AS "id", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title" FROM canvas."Sessions" s
    WHERE s."SessionId" > @p0 AND s."HostGuid" <> ''
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessions" h WHERE h."SessionId" = s."SessionId") ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
GO

-- @p0 bigint
SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId" FROM canvas."HostSessions" h
    WHERE h."HostSessionId" > @p0 AND NOT EXISTS (SELECT 1 FROM canvas."Sessions" s WHERE s."SessionId" = h."SessionId") ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
GO

-- @p0 bigint
SELECT h."HostSessionId" AS "id", h."SessionId" AS "SessionId", MIN(o."HostSessionId") AS "other"
    FROM canvas."HostSessions" h JOIN canvas."HostSessions" o ON o."SessionId" = h."SessionId"
      AND o."HostGuidHash" = h."HostGuidHash" AND o."HostSessionId" < h."HostSessionId"
    WHERE h."HostSessionId" > @p0 GROUP BY h."HostSessionId", h."SessionId" ORDER BY "id" OFFSET 0 ROWS FETCH NEXT 200 ROWS ONLY
GO

SELECT t.TABLE_NAME AS "name" FROM INFORMATION_SCHEMA.TABLES t
     WHERE t.TABLE_SCHEMA = 'canvas' AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY t.TABLE_NAME
GO

SELECT COUNT(*) AS "n" FROM canvas."Environment"
GO

SELECT COUNT(*) AS "n" FROM canvas."HostSessionEvents"
GO

SELECT COUNT(*) AS "n" FROM canvas."HostSessions"
GO

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations"
GO

SELECT COUNT(*) AS "n" FROM canvas."knex_migrations_lock"
GO

SELECT COUNT(*) AS "n" FROM canvas."MigrationLedger"
GO

SELECT COUNT(*) AS "n" FROM canvas."Sessions"
GO
