-- verify.sql - schema canvas of database EXAMPLE (SQL Server 2019 or later)
-- Made by canvas-host-toolkit VERSION. MANIFEST.json holds the SHA-256 of this file: compare it before use.
--
-- Looks whether the schema is as migrate.sql makes it, and the books say so. Changes nothing.
--
-- Run, in this order: preflight.sql, migrate.sql, verify.sql.
--   sqlcmd -S SERVER -d EXAMPLE -E -b -i verify.sql
--   or in SSMS: connect to the database, Query > SQLCMD Mode, Execute.
-- It stops at the first error. In another database every batch refuses and executes nothing.
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
IF OBJECT_ID(N'tempdb..#canvas_checks') IS NOT NULL DROP TABLE #canvas_checks;
CREATE TABLE #canvas_checks (place int IDENTITY(1,1) NOT NULL, status nvarchar(4) NOT NULL, what nvarchar(1000) NOT NULL);
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'canvas.Environment', N'U') IS NOT NULL
BEGIN
  INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN EXISTS (SELECT 1 FROM [canvas].[Environment] WHERE [Environment] = N'production') THEN N'PASS' ELSE N'FAIL' END, N'the database is marked as production';
END
ELSE
  INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN 1 = 0 THEN N'PASS' ELSE N'FAIL' END, N'the database is marked as production';
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'canvas.MigrationLedger', N'U') IS NOT NULL
BEGIN
  INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] WHERE [Name] = N'20200101000000_notes' AND [Checksum] = N'CHECKSUM') THEN N'PASS' ELSE N'FAIL' END, N'20200101000000_notes is in the ledger, as it stands in this bundle';
END
ELSE
  INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN 1 = 0 THEN N'PASS' ELSE N'FAIL' END, N'20200101000000_notes is in the ledger, as it stands in this bundle';
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'canvas.knex_migrations', N'U') IS NOT NULL
BEGIN
  INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN 1 = (SELECT COUNT(*) FROM [canvas].[knex_migrations] WHERE [name] = N'20200101000000_notes') THEN N'PASS' ELSE N'FAIL' END, N'20200101000000_notes is in the history, once';
END
ELSE
  INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN 1 = 0 THEN N'PASS' ELSE N'FAIL' END, N'20200101000000_notes is in the history, once';
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN OBJECT_ID(N'canvas.Notes', N'U') IS NOT NULL THEN N'PASS' ELSE N'FAIL' END, N'canvas.Notes is a table';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN EXISTS (SELECT 1 FROM sys.columns c
    JOIN sys.types y ON y.user_type_id = c.user_type_id
    LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
    WHERE c.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND c.name = N'NoteId'
      AND c.is_nullable = 0 AND c.is_identity = 1 AND c.is_computed = 0 AND y.name = N'bigint') THEN N'PASS' ELSE N'FAIL' END, N'canvas.Notes.NoteId is bigint NOT NULL, identity';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN EXISTS (SELECT 1 FROM sys.columns c
    JOIN sys.types y ON y.user_type_id = c.user_type_id
    LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
    WHERE c.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND c.name = N'Label'
      AND c.is_nullable = 0 AND c.is_identity = 0 AND c.is_computed = 0 AND y.name = N'nvarchar' AND c.max_length >= 40 AND c.collation_name LIKE N'%[_]BIN2' AND REPLACE(REPLACE(REPLACE(d.definition, N'(', N''), N')', N''), N'N''', N'''') = N'''''') THEN N'PASS' ELSE N'FAIL' END, N'canvas.Notes.Label is nvarchar(20) with a binary collation (BIN2) NOT NULL, default ''''';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN EXISTS (SELECT 1 FROM sys.columns c
    JOIN sys.types y ON y.user_type_id = c.user_type_id
    LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
    WHERE c.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND c.name = N'IsPinned'
      AND c.is_nullable = 0 AND c.is_identity = 0 AND c.is_computed = 0 AND y.name = N'bit') THEN N'PASS' ELSE N'FAIL' END, N'canvas.Notes.IsPinned is bit NOT NULL';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN N'NoteId' = (SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
    FROM sys.indexes i
    JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
    JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
    WHERE i.object_id = OBJECT_ID(N'canvas.Notes', N'U') AND i.is_primary_key = 1) THEN N'PASS' ELSE N'FAIL' END, N'the primary key of canvas.Notes is (NoteId)';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN NOT (NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(N'canvas.Notes') AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND (i.filter_definition = N'([IsPinned]=(1))' OR ISNULL(SERVERPROPERTY('Babelfish'), 0) = 1)
    AND i.is_unique = 1 AND i.ignore_dup_key = 0
    AND N'Label' = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))) THEN N'PASS' ELSE N'FAIL' END, N'canvas.Notes has a unique index on (Label) where IsPinned is true';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM sys.triggers g
    WHERE g.parent_id = OBJECT_ID(N'canvas.Notes', N'U') AND g.is_disabled = 0) THEN N'PASS' ELSE N'FAIL' END, N'canvas.Notes has no enabled trigger but those of the migrations';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM sys.triggers g
    WHERE g.parent_id = OBJECT_ID(N'canvas.Environment', N'U') AND g.is_disabled = 0) THEN N'PASS' ELSE N'FAIL' END, N'canvas.Environment has no enabled trigger but those of the migrations';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM sys.triggers g
    WHERE g.parent_id = OBJECT_ID(N'canvas.MigrationLedger', N'U') AND g.is_disabled = 0) THEN N'PASS' ELSE N'FAIL' END, N'canvas.MigrationLedger has no enabled trigger but those of the migrations';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM sys.triggers g
    WHERE g.parent_id = OBJECT_ID(N'canvas.knex_migrations', N'U') AND g.is_disabled = 0) THEN N'PASS' ELSE N'FAIL' END, N'canvas.knex_migrations has no enabled trigger but those of the migrations';
INSERT INTO #canvas_checks (status, what) SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM sys.triggers g
    WHERE g.parent_id = OBJECT_ID(N'canvas.knex_migrations_lock', N'U') AND g.is_disabled = 0) THEN N'PASS' ELSE N'FAIL' END, N'canvas.knex_migrations_lock has no enabled trigger but those of the migrations';
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
SELECT t.name AS table_name, SUM(p.rows) AS row_count
FROM sys.tables t JOIN sys.partitions p ON p.object_id = t.object_id AND p.index_id IN (0, 1)
WHERE t.schema_id = SCHEMA_ID(N'canvas') GROUP BY t.name ORDER BY t.name;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
SELECT c.status, c.what FROM #canvas_checks c ORDER BY c.place;
SELECT COUNT(*) AS checks, SUM(CASE WHEN c.status = N'FAIL' THEN 1 ELSE 0 END) AS failed FROM #canvas_checks c;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF EXISTS (SELECT 1 FROM #canvas_checks c WHERE c.status = N'FAIL')
  THROW 51004, N'Some checks failed: the rows above name them.', 1;
PRINT N'All checks passed.';
GO

SET NOEXEC OFF;
GO
