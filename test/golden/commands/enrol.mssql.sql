-- enrol --target scratch --confirm DATABASE

SELECT CAST(CASE WHEN DB_ID(N'DATABASE') = DB_ID() THEN 1 ELSE 0 END AS bit)
      AS [isExpected], 
  DB_NAME() AS [database],
  CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) AS [serverId],
  (SELECT CONVERT(nvarchar(40), d.create_date, 126) FROM sys.databases d WHERE d.name = DB_NAME()) AS [databaseId],
  CONCAT(N'SQL Server ', CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(40)),
    N' ' + CAST(SERVERPROPERTY('ServerName') AS nvarchar(128))) AS [server]; SET LOCK_TIMEOUT 25000
GO

-- @p0 nvarchar, @p1 nvarchar
SELECT d.name AS [name] FROM sys.databases d WHERE LOWER(d.name) IN (LOWER(@p0), LOWER(@p1)) AND HAS_DBACCESS(d.name) = 1
     ORDER BY d.name
GO

-- @p0 nvarchar, @p1 nvarchar
SELECT d.name AS [name] FROM sys.databases d WHERE LOWER(d.name) IN (LOWER(@p0), LOWER(@p1)) AND HAS_DBACCESS(d.name) = 1
     ORDER BY d.name
GO

SELECT t.name AS [name] FROM (VALUES (N'Groups'), (N'Categories'), (N'Sessions'), (N'SessionTranscripts')) t (name)
     WHERE HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'INSERT') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'UPDATE') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'DELETE') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'ALTER') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'CONTROL') = 1 ORDER BY t.name
GO

SELECT t.name AS [name] FROM (VALUES (N'Groups'), (N'Categories'), (N'Sessions'), (N'SessionTranscripts')) t (name)
     WHERE HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'INSERT') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'UPDATE') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'DELETE') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'ALTER') = 1 OR HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', 'CONTROL') = 1 ORDER BY t.name
GO

SELECT IS_SRVROLEMEMBER('sysadmin') AS [is]
GO

SELECT IS_SRVROLEMEMBER('sysadmin') AS [is]
GO

-- @p0 nvarchar
SELECT CASE WHEN OBJECT_ID(@p0, N'U') IS NULL THEN 0 ELSE 1 END AS "there"
GO

BEGIN TRANSACTION
GO

SET LOCK_TIMEOUT 30000;
IF ISNULL(DB_ID(N'DATABASE'), -1) <> DB_ID()
  OR CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) <> N'SERVER'
  THROW 51000, N'This is not the database that was permitted.', 1;
DECLARE @code int;
EXEC @code = sp_getapplock @Resource = N'DATABASE/enrol', @LockMode = 'Exclusive', @LockOwner = 'Transaction',
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

IF SCHEMA_ID(N'canvas') IS NULL
BEGIN
  EXEC (N'CREATE SCHEMA [canvas]');
END
GO

IF OBJECT_ID(N'canvas.knex_migrations', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[knex_migrations] (
    [id] int identity(1,1) not null primary key,
    [name] nvarchar(255),
    [batch] int,
    [migration_time] datetime2
  );
END
GO

IF OBJECT_ID(N'canvas.knex_migrations_lock', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[knex_migrations_lock] (
    [index] int identity(1,1) not null primary key,
    [is_locked] int
  );
END
GO

IF NOT EXISTS (SELECT 1 FROM [canvas].[knex_migrations_lock])
BEGIN
  INSERT INTO [canvas].[knex_migrations_lock] ([is_locked]) VALUES (0);
END
GO

IF OBJECT_ID(N'canvas.MigrationLedger', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[MigrationLedger] (
    [Name] nvarchar(200) COLLATE Latin1_General_100_BIN2 not null,
    [Checksum] nvarchar(64) COLLATE Latin1_General_100_BIN2 not null,
    [AppliedAt] datetime2(3) not null,
    [DurationMs] int not null,
    [AppliedBy] nvarchar(128) not null,
    [ToolVersion] nvarchar(20) not null,
    [Objects] nvarchar(max) not null,
    CONSTRAINT [PK_MigrationLedger] PRIMARY KEY ([Name])
  );
END
GO

IF OBJECT_ID(N'canvas.Environment', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[Environment] (
    [OnlyRow] int not null CONSTRAINT [environment_onlyrow_default] DEFAULT '1',
    [Target] nvarchar(128) COLLATE Latin1_General_100_BIN2 not null,
    [Environment] nvarchar(20) COLLATE Latin1_General_100_BIN2 not null,
    [ServerId] nvarchar(128) COLLATE Latin1_General_100_BIN2 not null,
    [DatabaseName] nvarchar(128) COLLATE Latin1_General_100_BIN2 not null,
    [DatabaseId] nvarchar(64) COLLATE Latin1_General_100_BIN2 not null,
    [EnrolledAt] datetime2(3) not null,
    [EnrolledBy] nvarchar(128) not null,
    CONSTRAINT [PK_Environment] PRIMARY KEY ([OnlyRow]),
    constraint CK_Environment_OnlyRow check ("OnlyRow" = 1)
  );
END
GO

-- @p0 nvarchar
SELECT CASE WHEN OBJECT_ID(@p0, N'U') IS NULL THEN 0 ELSE 1 END AS "there"
GO

select [Target], [Environment], [ServerId], [DatabaseName], [DatabaseId] from [canvas].[Environment]
GO

delete from [canvas].[Environment];select @@rowcount
GO

-- @p0 nvarchar, @p1 nvarchar, @p2 datetime2, @p3 nvarchar, @p4 nvarchar, @p5 nvarchar, @p6 nvarchar
insert into [canvas].[Environment] ([DatabaseId], [DatabaseName], [EnrolledAt], [EnrolledBy], [Environment], [ServerId], [Target]) values (@p0, @p1, @p2, @p3, @p4, @p5, @p6)
GO

COMMIT TRANSACTION
GO
