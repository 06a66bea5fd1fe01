-- migrate status

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

-- @p0 nvarchar
SELECT CASE WHEN OBJECT_ID(@p0, N'U') IS NULL THEN 0 ELSE 1 END AS "there"
GO

SELECT [Name], [Checksum], [AppliedAt], [DurationMs], [AppliedBy], [ToolVersion], [Objects], NULL AS "historyName", NULL AS "batch", NULL AS "id" FROM [canvas].[MigrationLedger]
     UNION ALL
     SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, [name], [batch], [id] FROM [canvas].[knex_migrations]
     ORDER BY "id"
GO

SELECT TABLE_NAME AS "table", COLUMN_NAME AS "column" FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = N'canvas'
GO

SELECT 'object' AS "scope", p.name AS "table", o.name AS "name",
      CASE WHEN o.type = 'U' THEN 'table' ELSE LOWER(REPLACE(o.type_desc, '_', ' ')) END AS "what"
    FROM sys.objects o LEFT JOIN sys.objects p ON p.object_id = o.parent_object_id
    WHERE o.schema_id = SCHEMA_ID(N'canvas')
    UNION ALL
    SELECT 'index', t.name, i.name, 'index'
    FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t JOIN sys.indexes i ON i.object_id = t.object_id AND i.name IS NOT NULL
GO

SELECT TABLE_NAME AS "table", COLUMN_NAME AS "column" FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = N'canvas'
GO

SELECT t.name AS "table", g.name AS "trigger", e.type_desc AS "event",
      CASE WHEN g.is_disabled = 0 THEN 1 ELSE 0 END AS "enabled", g.is_instead_of_trigger AS "always",
      (SELECT m.definition FROM sys.sql_modules m WHERE m.object_id = g.object_id) AS "body",
      NULL AS "routine"
    FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
    JOIN sys.triggers g ON g.parent_id = t.object_id
    JOIN sys.trigger_events e ON e.object_id = g.object_id
    ORDER BY t.name, g.name, e.type_desc
GO
