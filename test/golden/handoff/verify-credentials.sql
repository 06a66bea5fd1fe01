-- verify-credentials.sql - credentials of database EXAMPLE (SQL Server 2019 or later)
-- Made by canvas-host-toolkit VERSION. MANIFEST.json holds the SHA-256 of this file: compare it before use.
--
-- Tells which operations of provision.sql were committed, and what became of them. Changes nothing.
--
-- Run, in this order: migrate.sql (if it was not run yet), provision.sql, verify-credentials.sql.
--   sqlcmd -S SERVER -d EXAMPLE -E -b -i verify-credentials.sql
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
IF OBJECT_ID(N'tempdb..#canvas_claims') IS NOT NULL DROP TABLE #canvas_claims;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'canvas.HostSessionEvents', N'U') IS NULL
  THROW 51006, N'MIGRATIONS_PENDING: there is no trail here yet. No operation was committed.', 1;
CREATE TABLE #canvas_claims (place int NOT NULL, ksessionsId int NOT NULL, operationId uniqueidentifier NOT NULL,
  fingerprint nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL, status nvarchar(20) NULL, trail nvarchar(20) NULL, canvasSessionId bigint NULL,
  hostSessionId bigint NULL, expiresAt datetime2(3) NULL, committedAt datetime2(3) NULL);
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_claims') IS NULL BEGIN RAISERROR (N'An earlier step failed. Nothing more is done.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed. Nothing more is done.', 1; END;
INSERT INTO #canvas_claims (place, ksessionsId, operationId, fingerprint) VALUES
(1, 15, 'aaaaaaaa-bbbb-4ccc-8ddd-000000000015', N'2084bef1adb6672e'),
(2, 212, 'aaaaaaaa-bbbb-4ccc-8ddd-000000000212', N'cc3168df9d4899f6');
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_claims') IS NULL BEGIN RAISERROR (N'An earlier step failed. Nothing more is done.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed. Nothing more is done.', 1; END;
UPDATE c SET canvasSessionId = e.[SessionId], hostSessionId = e.[HostSessionId], expiresAt = e.[ExpiresAt], committedAt = e.[OccurredAt]
FROM #canvas_claims c JOIN [canvas].[HostSessionEvents] e ON e.[OperationId] = c.operationId AND e.[NewFingerprint] = c.fingerprint COLLATE Latin1_General_100_BIN2;
UPDATE c SET trail = CASE WHEN EXISTS (SELECT 1 FROM [canvas].[HostSessionEvents] e LEFT JOIN [canvas].[HostSessionEvents] b
      ON b.[HostSessionId] = e.[HostSessionId] AND b.[Sequence] = e.[Sequence] - 1
    WHERE e.[HostSessionId] = c.hostSessionId
      AND (COALESCE(e.[PreviousHash], N'') <> COALESCE(b.[EventHash], N'') OR (e.[Sequence] <> 1 AND b.[Sequence] IS NULL)))
  OR EXISTS (SELECT 1 FROM [canvas].[HostSessions] h WHERE h.[HostSessionId] = c.hostSessionId AND NOT EXISTS (
    SELECT 1 FROM [canvas].[HostSessionEvents] e WHERE e.[HostSessionId] = h.[HostSessionId] AND e.[Sequence] = h.[LastSequence]
      AND e.[EventHash] = h.[LastEventHash] AND NOT EXISTS (
        SELECT 1 FROM [canvas].[HostSessionEvents] n WHERE n.[HostSessionId] = h.[HostSessionId] AND n.[Sequence] > e.[Sequence]))) THEN N'BROKEN' ELSE N'linked' END,
  status = CASE
    WHEN NOT EXISTS (SELECT 1 FROM [canvas].[HostSessions] h JOIN [canvas].[Sessions] s ON s.[SessionId] = h.[SessionId]
  WHERE h.[HostSessionId] = c.hostSessionId AND h.[GuidFingerprint] = c.fingerprint COLLATE Latin1_General_100_BIN2 AND h.[IsActive] = 1
      AND h.[RevokedAt] IS NULL AND (h.[ExpiresAt] IS NULL OR h.[ExpiresAt] > SYSUTCDATETIME())) THEN N'ENDED SINCE'
    WHEN EXISTS (SELECT 1 FROM [canvas].[HostSessions] h JOIN [canvas].[Sessions] s ON s.[SessionId] = h.[SessionId]
  WHERE h.[HostSessionId] = c.hostSessionId AND s.[HostGuid] COLLATE Latin1_General_100_BIN2 <> h.[HostGuidHash] COLLATE Latin1_General_100_BIN2) THEN N'COPY DIFFERS'
    ELSE N'LIVE' END
FROM #canvas_claims c WHERE c.hostSessionId IS NOT NULL;
UPDATE #canvas_claims SET status = N'NOT COMMITTED' WHERE hostSessionId IS NULL;
SELECT c.status, c.trail, c.ksessionsId, c.canvasSessionId, c.hostSessionId, LOWER(CAST(c.operationId AS nvarchar(36))) AS operationId,
  c.fingerprint, c.expiresAt, c.committedAt
FROM #canvas_claims c ORDER BY c.place;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_claims') IS NULL BEGIN RAISERROR (N'An earlier step failed. Nothing more is done.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed. Nothing more is done.', 1; END;
IF EXISTS (SELECT 1 FROM #canvas_claims c WHERE c.status = N'NOT COMMITTED')
  THROW 51003, N'Some operations were not committed: the GUIDs of those rows are void.', 1;
IF EXISTS (SELECT 1 FROM #canvas_claims c WHERE c.status = N'COPY DIFFERS' OR c.trail = N'BROKEN')
  THROW 51004, N'Some credentials or their trail are not as they were written: the rows above name them.', 1;
PRINT N'All operations were committed.';
GO

SET NOEXEC OFF;
GO
