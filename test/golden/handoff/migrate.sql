-- migrate.sql - schema canvas of database EXAMPLE (SQL Server 2019 or later)
-- Made by canvas-host-toolkit VERSION. MANIFEST.json holds the SHA-256 of this file: compare it before use.
--
-- Makes and changes tables of schema canvas, listed below; no other schema is touched, and no row of the application.
-- Before: take a backup, and restore it once elsewhere.
-- Each migration is one transaction with its row in the ledger; the next one is refused when it failed. Run again,
-- it goes on after the last migration that was committed; what is in the ledger already is skipped.
-- It marks the database as production: canvas-host-toolkit refuses to connect to it for work from then on, for ever.
--
-- Run, in this order: preflight.sql, migrate.sql, verify.sql.
--   sqlcmd -S SERVER -d EXAMPLE -E -b -i migrate.sql
--   or in SSMS: connect to the database, Query > SQLCMD Mode, Execute.
-- It stops at the first error. In another database every batch refuses and executes nothing.
--
-- Migrations, and what they may cost:
--
-- 20200101000000_notes
:on error exit
:setvar SqlcmdMode "on"
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF N'$(SqlcmdMode)' <> N'on' BEGIN RAISERROR (N'This script needs sqlcmd, or SSMS with Query > SQLCMD Mode.', 16, 1); SET NOEXEC ON; THROW 51000, N'This script needs sqlcmd, or SSMS with Query > SQLCMD Mode.', 1; END;
IF @@TRANCOUNT <> 0 BEGIN RAISERROR (N'A transaction is open. End it first.', 16, 1); SET NOEXEC ON; THROW 51000, N'A transaction is open. End it first.', 1; END;
SET XACT_ABORT, NOCOUNT ON;
SET IMPLICIT_TRANSACTIONS OFF;
-- Filtered indexes need these; sqlcmd begins with QUOTED_IDENTIFIER OFF.
SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON;
SET NUMERIC_ROUNDABORT OFF;
SET LOCK_TIMEOUT 5000;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_run') IS NOT NULL DROP TABLE #canvas_run;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
-- The books and the mark
SET XACT_ABORT ON;
BEGIN TRANSACTION;
DECLARE @lock nvarchar(255) = CONCAT(DB_NAME(), N'/migrate'), @code int;
EXEC @code = sp_getapplock @Resource = @lock, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 30000;
IF @code < 0 THROW 51222, N'Another run is at work. Nothing was done; run this again later.', 1;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF OBJECT_ID(N'canvas.Environment', N'U') IS NOT NULL
BEGIN
  IF EXISTS (SELECT 1 FROM [canvas].[Environment] WHERE [Environment] <> N'production')
    THROW 51005, N'This database is enrolled, and not as production: it is migrated by npm run migrate.', 1;
END;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF SCHEMA_ID(N'canvas') IS NULL
BEGIN
  EXEC (N'CREATE SCHEMA [canvas]');
END
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
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

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF OBJECT_ID(N'canvas.knex_migrations_lock', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[knex_migrations_lock] (
    [index] int identity(1,1) not null primary key,
    [is_locked] int
  );
END
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT EXISTS (SELECT 1 FROM [canvas].[knex_migrations_lock])
BEGIN
  INSERT INTO [canvas].[knex_migrations_lock] ([is_locked]) VALUES (0);
END
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
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

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
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

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT EXISTS (SELECT 1 FROM [canvas].[Environment])
  INSERT INTO [canvas].[Environment] ([Target], [Environment], [ServerId], [DatabaseName], [DatabaseId], [EnrolledAt], [EnrolledBy])
  SELECT N'handoff', N'production', CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)), d.name,
    CONVERT(nvarchar(40), d.create_date, 126), SYSUTCDATETIME(), LEFT(ORIGINAL_LOGIN(), 128)
  FROM sys.databases d WHERE d.name = DB_NAME();
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] NOT IN (
  N'20200101000000_notes'))
  THROW 51006, N'The ledger has migrations that this bundle has not: take the newer bundle.', 1;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
CREATE TABLE #canvas_run (begun datetime2(3) NOT NULL);
COMMIT TRANSACTION;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
-- 20200101000000_notes
SET XACT_ABORT ON;
BEGIN TRANSACTION;
DECLARE @lock nvarchar(255) = CONCAT(DB_NAME(), N'/migrate'), @code int;
EXEC @code = sp_getapplock @Resource = @lock, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 30000;
IF @code < 0 THROW 51222, N'Another run is at work. Nothing was done; run this again later.', 1;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT (OBJECT_ID(N'tempdb..#canvas_run') IS NOT NULL)
  THROW 51006, N'20200101000000_notes: what comes before it was not done.', 1;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes' AND [Checksum] <> N'CHECKSUM')
  THROW 51006, N'MIGRATION_EDITED: 20200101000000_notes was applied here with another text.', 1;
IF NOT EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes') AND EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] > N'20200101000000_notes')
  THROW 51006, N'20200101000000_notes: older than a migration that was applied here. It would have run in another order elsewhere.', 1;
IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes') PRINT N'20200101000000_notes: applied before, skipped';
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_before') IS NOT NULL DROP TABLE #canvas_before;
CREATE TABLE #canvas_before (object nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
  seen datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME());
INSERT INTO #canvas_before (object)
    SELECT CONCAT('table ', t.name) AS "object" FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
    UNION ALL
    SELECT CONCAT('column ', t.name, '.', c.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
      JOIN sys.columns c ON c.object_id = t.object_id
    UNION ALL
    SELECT CONCAT('index ', t.name, '.', i.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
      JOIN sys.indexes i ON i.object_id = t.object_id AND i.name IS NOT NULL
    UNION ALL
    SELECT CONCAT('constraint ', t.name, '.', k.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
      JOIN sys.objects k ON k.parent_object_id = t.object_id AND k.type IN ('C', 'D', 'F', 'PK', 'UQ')
    UNION ALL
    SELECT CONCAT('trigger ', t.name, '.', g.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
      JOIN sys.triggers g ON g.parent_id = t.object_id
    UNION ALL
    SELECT CONCAT('statistics ', t.name, '.', s.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
      JOIN sys.stats s ON s.object_id = t.object_id AND s.user_created = 1
    UNION ALL
    SELECT CONCAT('property ', t.name, '.', p.name, CASE WHEN p.minor_id = 0 THEN '' ELSE CONCAT(' of ', COL_NAME(t.object_id, p.minor_id)) END)
      FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t JOIN sys.extended_properties p ON p.class = 1 AND p.major_id = t.object_id
    UNION ALL
    SELECT CONCAT('grant ', t.name, '.', CASE WHEN p.state = 'D' THEN 'DENY ' ELSE '' END, CASE p.permission_name WHEN 'SELECT' THEN 'SELECT' WHEN 'INSERT' THEN 'INSERT' WHEN 'UPDATE' THEN 'UPDATE' WHEN 'DELETE' THEN 'DELETE' WHEN 'REFERENCES' THEN 'REFERENCES' WHEN 'ALTER' THEN 'ALTER' WHEN 'CONTROL' THEN 'CONTROL' WHEN 'TAKE OWNERSHIP' THEN 'TAKE OWNERSHIP' WHEN 'VIEW DEFINITION' THEN 'VIEW DEFINITION' ELSE 'another right' END,
        CASE WHEN p.minor_id = 0 THEN '' ELSE CONCAT(' (', COL_NAME(t.object_id, p.minor_id), ')') END,
        ' to ', USER_NAME(p.grantee_principal_id))
      FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t JOIN sys.database_permissions p ON p.class = 1 AND p.major_id = t.object_id
    ORDER BY 1;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes')
BEGIN
  IF COL_LENGTH(N'canvas.Notes', N'Label') IS NOT NULL
    AND COL_LENGTH(N'canvas.Notes', N'IsPinned') IS NOT NULL
    EXEC sp_executesql N'IF EXISTS (SELECT 1 FROM (
    SELECT COUNT(*) AS "rows", MIN("NoteId") AS "first NoteId" FROM canvas."Notes" GROUP BY "Label" HAVING COUNT(*) > 1) f)
    THROW 51003, N''DATA_NOT_READY: there are pinned notes of one label. preflight.sql shows them. This migration was undone.'', 1;';
END;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes')
BEGIN
  IF OBJECT_ID(N'canvas.Notes', N'U') IS NULL
  BEGIN
    CREATE TABLE [canvas].[Notes] (
      [NoteId] bigint IDENTITY(1,1) not null,
      [Label] nvarchar(20) COLLATE Latin1_General_100_BIN2 not null CONSTRAINT [notes_label_default] DEFAULT '',
      [IsPinned] bit not null,
      CONSTRAINT [PK_Notes] PRIMARY KEY ([NoteId])
    );
  END
END;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes')
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM sys.indexes i
    WHERE i.object_id = OBJECT_ID(N'canvas.Notes') AND i.is_disabled = 0 AND i.is_hypothetical = 0
      AND i.type IN (1, 2) AND (i.filter_definition = N'([IsPinned]=(1))' OR ISNULL(SERVERPROPERTY('Babelfish'), 0) = 1)
      AND i.is_unique = 1 AND i.ignore_dup_key = 0
      AND N'Label' = (
        SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
        FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
        WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))
  BEGIN
    CREATE UNIQUE INDEX [UX_Notes_Label] ON [canvas].[Notes] ([Label]) WHERE [IsPinned] = 1;
  END
END;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes')
BEGIN
  DECLARE @wrong nvarchar(max) = (SELECT STRING_AGG(CAST(f.what AS nvarchar(max)), N'; ') FROM (
  SELECT N'canvas.Notes is a table' AS what, (CASE WHEN OBJECT_ID(N'canvas.Notes', N'U') IS NOT NULL THEN 1 ELSE 0 END) AS holds
  UNION ALL SELECT N'canvas.Notes.NoteId is bigint NOT NULL, identity' AS what, (CASE WHEN EXISTS (SELECT 1 FROM sys.columns c
      JOIN sys.types y ON y.user_type_id = c.user_type_id
      LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
      WHERE c.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND c.name = N'NoteId'
        AND c.is_nullable = 0 AND c.is_identity = 1 AND c.is_computed = 0 AND y.name = N'bigint') THEN 1 ELSE 0 END) AS holds
  UNION ALL SELECT N'canvas.Notes.Label is nvarchar(20) with a binary collation (BIN2) NOT NULL, default ''''' AS what, (CASE WHEN EXISTS (SELECT 1 FROM sys.columns c
      JOIN sys.types y ON y.user_type_id = c.user_type_id
      LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
      WHERE c.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND c.name = N'Label'
        AND c.is_nullable = 0 AND c.is_identity = 0 AND c.is_computed = 0 AND y.name = N'nvarchar' AND c.max_length >= 40 AND c.collation_name LIKE N'%[_]BIN2' AND REPLACE(REPLACE(REPLACE(d.definition, N'(', N''), N')', N''), N'N''', N'''') = N'''''') THEN 1 ELSE 0 END) AS holds
  UNION ALL SELECT N'canvas.Notes.IsPinned is bit NOT NULL' AS what, (CASE WHEN EXISTS (SELECT 1 FROM sys.columns c
      JOIN sys.types y ON y.user_type_id = c.user_type_id
      LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
      WHERE c.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND c.name = N'IsPinned'
        AND c.is_nullable = 0 AND c.is_identity = 0 AND c.is_computed = 0 AND y.name = N'bit') THEN 1 ELSE 0 END) AS holds
  UNION ALL SELECT N'the primary key of canvas.Notes is (NoteId)' AS what, (CASE WHEN N'NoteId' = (SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.indexes i
      JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
      JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE i.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND i.is_primary_key = 1) THEN 1 ELSE 0 END) AS holds
  UNION ALL SELECT N'canvas.Notes has a unique index on (Label) where IsPinned is true' AS what, (CASE WHEN NOT (NOT EXISTS (
    SELECT 1 FROM sys.indexes i
    WHERE i.object_id = OBJECT_ID(N'canvas.Notes') AND i.is_disabled = 0 AND i.is_hypothetical = 0
      AND i.type IN (1, 2) AND (i.filter_definition = N'([IsPinned]=(1))' OR ISNULL(SERVERPROPERTY('Babelfish'), 0) = 1)
      AND i.is_unique = 1 AND i.ignore_dup_key = 0
      AND N'Label' = (
        SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
        FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
        WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))) THEN 1 ELSE 0 END) AS holds) f WHERE f.holds = 0);
  IF @wrong IS NOT NULL
  BEGIN
    DECLARE @message nvarchar(2048) = LEFT(CONCAT(N'SCHEMA_UNSUPPORTED: this does not hold: ', @wrong), 2048);
    THROW 51004, @message, 1;
  END;
END;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
IF NOT EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes')
BEGIN
  DECLARE @now datetime2(3) = SYSUTCDATETIME();
  DECLARE @after TABLE (object nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL);
  INSERT INTO @after (object)
      SELECT CONCAT('table ', t.name) AS "object" FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
      UNION ALL
      SELECT CONCAT('column ', t.name, '.', c.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
        JOIN sys.columns c ON c.object_id = t.object_id
      UNION ALL
      SELECT CONCAT('index ', t.name, '.', i.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
        JOIN sys.indexes i ON i.object_id = t.object_id AND i.name IS NOT NULL
      UNION ALL
      SELECT CONCAT('constraint ', t.name, '.', k.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
        JOIN sys.objects k ON k.parent_object_id = t.object_id AND k.type IN ('C', 'D', 'F', 'PK', 'UQ')
      UNION ALL
      SELECT CONCAT('trigger ', t.name, '.', g.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
        JOIN sys.triggers g ON g.parent_id = t.object_id
      UNION ALL
      SELECT CONCAT('statistics ', t.name, '.', s.name) FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t
        JOIN sys.stats s ON s.object_id = t.object_id AND s.user_created = 1
      UNION ALL
      SELECT CONCAT('property ', t.name, '.', p.name, CASE WHEN p.minor_id = 0 THEN '' ELSE CONCAT(' of ', COL_NAME(t.object_id, p.minor_id)) END)
        FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t JOIN sys.extended_properties p ON p.class = 1 AND p.major_id = t.object_id
      UNION ALL
      SELECT CONCAT('grant ', t.name, '.', CASE WHEN p.state = 'D' THEN 'DENY ' ELSE '' END, CASE p.permission_name WHEN 'SELECT' THEN 'SELECT' WHEN 'INSERT' THEN 'INSERT' WHEN 'UPDATE' THEN 'UPDATE' WHEN 'DELETE' THEN 'DELETE' WHEN 'REFERENCES' THEN 'REFERENCES' WHEN 'ALTER' THEN 'ALTER' WHEN 'CONTROL' THEN 'CONTROL' WHEN 'TAKE OWNERSHIP' THEN 'TAKE OWNERSHIP' WHEN 'VIEW DEFINITION' THEN 'VIEW DEFINITION' ELSE 'another right' END,
          CASE WHEN p.minor_id = 0 THEN '' ELSE CONCAT(' (', COL_NAME(t.object_id, p.minor_id), ')') END,
          ' to ', USER_NAME(p.grantee_principal_id))
        FROM (SELECT s.object_id, s.name, s.schema_id FROM sys.tables s WHERE s.schema_id = SCHEMA_ID(N'canvas')) t JOIN sys.database_permissions p ON p.class = 1 AND p.major_id = t.object_id
      ORDER BY 1;
  DECLARE @made nvarchar(max) = ISNULL((SELECT STRING_AGG(CAST(CONCAT(N'"', STRING_ESCAPE(o.object, 'json'), N'"') AS nvarchar(max)), N',')
      WITHIN GROUP (ORDER BY o.object) FROM @after o
      WHERE NOT EXISTS (SELECT 1 FROM #canvas_before b WHERE b.object = o.object)), N'');
  DECLARE @found nvarchar(max) = ISNULL((SELECT STRING_AGG(CAST(CONCAT(N'"', STRING_ESCAPE(o.object, 'json'), N'"') AS nvarchar(max)), N',')
      WITHIN GROUP (ORDER BY o.object) FROM #canvas_before o
      WHERE o.object IN (N'table Notes', N'column Notes.NoteId', N'column Notes.Label', N'column Notes.IsPinned')), N'');
  INSERT INTO [canvas].[MigrationLedger] ([Name], [Checksum], [AppliedAt], [DurationMs], [AppliedBy], [ToolVersion], [Objects])
  SELECT N'20200101000000_notes', N'CHECKSUM', @now,
    ISNULL((SELECT DATEDIFF(MILLISECOND, MIN(b.seen), @now) FROM #canvas_before b), 0),
    LEFT(ORIGINAL_LOGIN(), 128), N'VERSION', CONCAT(N'{"made":[', @made, N'],"found":[', @found, N']}');
  INSERT INTO [canvas].[knex_migrations] ([name], [batch], [migration_time])
  SELECT N'20200101000000_notes', ISNULL(MAX(h.[batch]), 0) + 1, @now FROM [canvas].[knex_migrations] h;
  PRINT N'20200101000000_notes: applied';
END;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF @@TRANCOUNT = 0 BEGIN RAISERROR (N'An earlier step failed; its transaction was undone.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed; its transaction was undone.', 1; END;
DROP TABLE #canvas_before;
COMMIT TRANSACTION;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
PRINT N'Done. Now run verify.sql.';
GO

SET NOEXEC OFF;
GO
