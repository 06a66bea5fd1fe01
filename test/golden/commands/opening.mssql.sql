-- What every command sends first

SELECT CAST(CASE WHEN DB_ID(N'DATABASE') = DB_ID() THEN 1 ELSE 0 END AS bit)
      AS [isExpected], 
  DB_NAME() AS [database],
  CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) AS [serverId],
  (SELECT CONVERT(nvarchar(40), d.create_date, 126) FROM sys.databases d WHERE d.name = DB_NAME()) AS [databaseId],
  CONCAT(N'SQL Server ', CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(40)),
    N' ' + CAST(SERVERPROPERTY('ServerName') AS nvarchar(128))) AS [server]; SET LOCK_TIMEOUT 25000
GO

-- @p0 nvarchar
SELECT CASE WHEN OBJECT_ID(@p0, N'U') IS NULL THEN 0 ELSE 1 END AS "there"
GO

select [Target], [Environment], [ServerId], [DatabaseName], [DatabaseId] from [canvas].[Environment]
GO

SELECT [Name], [Checksum], NULL AS "historyName", NULL AS "batch", NULL AS "id" FROM [canvas].[MigrationLedger]
     UNION ALL
     SELECT NULL, NULL, [name], [batch], [id] FROM [canvas].[knex_migrations]
     ORDER BY "id"
GO

-- @p0 bit, @p1 nvarchar
SELECT h."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessions" h
     WHERE h."IsActive" = @p0 AND h."RevokedAt" IS NULL AND (h."ExpiresAt" IS NULL OR h."ExpiresAt" > SYSUTCDATETIME())
       AND h."HashKeyId" NOT IN (@p1)
     GROUP BY h."HashKeyId"
GO
