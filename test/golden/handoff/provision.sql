-- provision.sql - credentials of database EXAMPLE (SQL Server 2019 or later)
-- Made by canvas-host-toolkit VERSION. MANIFEST.json holds the SHA-256 of this file: compare it before use.
--
-- Provisions the host GUIDs of 2 KSESSIONS sessions. It holds hashes, no GUID and no key. Besides schema canvas
-- it reads dbo.Sessions and dbo.SessionTranscripts and changes nothing there.
-- Each session is a transaction of its own, and is told in a line when that is committed. At the first that fails the
-- script ends; those before it hold. Run again, it goes on after the last one that was committed.
-- Where a live host GUID exists: that one is replaced and stops working.
-- The warrants let their holder write the events of these operations: keep the script as a record, and from others.
--
-- Run, in this order: migrate.sql (if it was not run yet), provision.sql, verify-credentials.sql.
--   sqlcmd -S SERVER -d EXAMPLE -E -b -i provision.sql
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
IF OBJECT_ID(N'tempdb..#canvas_orders') IS NOT NULL DROP TABLE #canvas_orders;
IF OBJECT_ID(N'tempdb..#canvas_warrants') IS NOT NULL DROP TABLE #canvas_warrants;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF NOT (OBJECT_ID(N'canvas.Environment') IS NOT NULL AND OBJECT_ID(N'canvas.MigrationLedger') IS NOT NULL)
  THROW 51006, N'MIGRATIONS_PENDING: first run migrate.sql of this bundle.', 1;
IF NOT EXISTS (SELECT 1 FROM [canvas].[Environment] WHERE [Environment] = N'production')
  THROW 51005, N'This database is not marked as production: its hosts are provisioned by provision.mjs.', 1;
DECLARE @known TABLE (name nvarchar(255) COLLATE Latin1_General_100_BIN2 NOT NULL, checksum nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL);
INSERT INTO @known (name, checksum) VALUES
  (N'20200101000000_notes', N'CHECKSUM');
IF EXISTS (SELECT 1 FROM @known k WHERE NOT EXISTS (
    SELECT 1 FROM [canvas].[MigrationLedger] l WHERE l.[Name] = k.name COLLATE Latin1_General_100_BIN2 AND l.[Checksum] = k.checksum COLLATE Latin1_General_100_BIN2))
  THROW 51006, N'MIGRATIONS_PENDING: first run migrate.sql of this bundle.', 1;
IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l WHERE NOT EXISTS (SELECT 1 FROM @known k WHERE l.[Name] = k.name COLLATE Latin1_General_100_BIN2))
  THROW 51006, N'The ledger has migrations that this bundle has not: take the newer bundle.', 1;
IF NOT (OBJECT_ID(N'dbo.Sessions') IS NOT NULL AND OBJECT_ID(N'dbo.SessionTranscripts') IS NOT NULL)
  THROW 51004, N'SCHEMA_UNSUPPORTED: dbo.Sessions and dbo.SessionTranscripts are not in this database.', 1;
CREATE TABLE #canvas_orders (place int NOT NULL, ksessionsId int NOT NULL, operationId uniqueidentifier NOT NULL,
  lockName nvarchar(64) NOT NULL, hash nvarchar(44) COLLATE Latin1_General_100_BIN2 NOT NULL, fingerprint nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL);
CREATE TABLE #canvas_warrants (place int NOT NULL, action varchar(20) NOT NULL, warrant varchar(88) COLLATE Latin1_General_100_BIN2 NOT NULL);
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_orders') IS NULL BEGIN RAISERROR (N'An earlier step failed. Nothing more is done.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed. Nothing more is done.', 1; END;
INSERT INTO #canvas_orders (place, ksessionsId, operationId, lockName, hash, fingerprint) VALUES
(1, 15, 'aaaaaaaa-bbbb-4ccc-8ddd-000000000015', N'ksessions/15', N'gTJKR5YZ5fm8dmJcxBXV1dlz3pdcukFlTwkUVgLCnG8=', N'2084bef1adb6672e'),
(2, 212, 'aaaaaaaa-bbbb-4ccc-8ddd-000000000212', N'ksessions/212', N'iHzgNCK5+aB8+jqPzxcBse/vW0vgnROjiijky+y+gL0=', N'cc3168df9d4899f6');
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_warrants') IS NULL BEGIN RAISERROR (N'An earlier step failed. Nothing more is done.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed. Nothing more is done.', 1; END;
INSERT INTO #canvas_warrants (place, action, warrant) VALUES
(1, 'provisioned', 'W7+ZgF0Hk0WU/EAa31en7llOaLO19I5BSkGgv3s6Ttc=pou8kGd6tbtWdG1OjeFrVrGxg2OLpKAJOGF6PuY3qXI='),
(1, 'rotated', 'hWEhziF5u3gb+bNDcBc9F+5dbyCigsq6a+kA+tCGBPA=MSm7NkQpj59lLmaUu9ixJDQkwXglMLJHSp1451/QjmU='),
(1, 'expired', 'FhgbTuPTFizA5rBdNJuXbMsGH/GRkEVGDgFx+04GkLc=6D10/Tt+vccWMz5x21UU220HpzdQTB6GbygpQwHq4yA='),
(1, 'consolidated', 'nz6Vla0uK9OI9wSzvFTyv6Bt2enHh3J+tI3Bt82I2Pg=xbNEw2u35LTvfrA/XOvksr6nDqiICGz0kGcJ0AJuOys='),
(2, 'provisioned', 'WE9hbZvjy/D2RiOi9TjJ2c3w1KXcBla0Y99dAyAVydo=9bhyguB+0PShyYJvMwOEExPAySALH7nopo5RATulpZU='),
(2, 'rotated', 'EK1PsmdViZoLtKpBckPdjua7NlY9tTRiDbA4LUybzOI=Cvk/gHX9MXcxMbT/Bpif3eLyBEPdEYLOEyrfUwSbLqA='),
(2, 'expired', 'zo2wNdnJTrM2m6xDgaYJdSfHVT8d3nlMNFWDfUj5zwU=hhW+wjGGqXsQliD5Td4ElF5zRoHNARRDwP3g6gh9nOM='),
(2, 'consolidated', '9sSHPmphCMN70cSZ/z21X288+Q61NLXlA8iLltywukE=cUDH90J2JkfHJGPHxJcHDE3Ple9rsQ9iZ4rX9ie02XY=');
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_orders') IS NULL BEGIN RAISERROR (N'An earlier step failed. Nothing more is done.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed. Nothing more is done.', 1; END;
DECLARE @actor nvarchar(128) = N'jane';
DECLARE @reason nvarchar(1000) = NULL;
DECLARE @ifExists varchar(6) = 'rotate', @orderedExpiry datetime2(3) = '2099-01-31T18:00:00.000';
DECLARE @keyId nvarchar(16) = N'7ce04bfda3641420', @warrantId nvarchar(16) = N'9bb4158b17c41305';
DECLARE @place int = 0, @ksessionsId int, @operationId uniqueidentifier, @lock nvarchar(255), @hash nvarchar(44), @fingerprint nvarchar(16);
DECLARE @code int, @now datetime2(3), @isThere bit, @title nvarchar(200), @description nvarchar(1000), @namesakes nvarchar(max);
DECLARE @canvasId bigint, @hostId bigint, @oldFingerprint nvarchar(16), @rowExpiry datetime2, @revokedAt datetime2;
DECLARE @verb varchar(20), @ending varchar(20), @status varchar(20), @message nvarchar(2048);
DECLARE @action varchar(20), @newFingerprint nvarchar(16), @expiry datetime2(3), @sequence int, @previousHash nvarchar(44);
DECLARE @warrant varchar(88), @sealed varchar(1000), @digest varbinary(32), @eventHash varchar(44);
DECLARE @base64 varchar(64) = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', @epoch datetime2(3) = '1970-01-01T00:00:00';

IF (SELECT COUNT(*) FROM #canvas_orders) <> 2 OR (SELECT COUNT(*) FROM #canvas_warrants) <> 8
  THROW 51007, N'Not all orders are there. Nothing was done.', 1;
SET @code = (SELECT COUNT(*) FROM [canvas].[HostSessions] h WHERE h.[IsActive] = 1 AND h.[HashKeyId] <> @keyId);
IF @code > 0
BEGIN
  SET @message = CONCAT(N'Note: ', @code, N' live host sessions are under another key than ', @keyId, N'. Does this application know that key?');
  PRINT @message;
END;

WHILE @place < 2
BEGIN
  SELECT @place = @place + 1, @isThere = NULL, @title = NULL, @description = NULL, @namesakes = NULL, @canvasId = NULL, @hostId = NULL,
    @oldFingerprint = NULL, @rowExpiry = NULL, @revokedAt = NULL, @sequence = 0, @previousHash = NULL, @status = NULL;
  SELECT @ksessionsId = o.ksessionsId, @operationId = o.operationId, @hash = o.hash, @fingerprint = o.fingerprint,
    @lock = o.lockName
  FROM #canvas_orders o WHERE o.place = @place;
  SET @lock = CONCAT(DB_NAME(), N'/', @lock);
  BEGIN TRY
    BEGIN TRANSACTION;
    EXEC @code = sp_getapplock @Resource = @lock, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 30000;
    IF @code < 0
        BEGIN
          SET @message = CONCAT(N'LOCKED: KSESSIONS session ', @ksessionsId, N' is being worked on by another run.');
          THROW 51222, @message, 1;
        END;
    SET @now = SYSUTCDATETIME();
    SELECT @canvasId = e.[SessionId], @hostId = e.[HostSessionId], @status = 'done before' FROM [canvas].[HostSessionEvents] e
    WHERE e.[OperationId] = @operationId AND e.[NewFingerprint] = @fingerprint;
    IF @status IS NULL
    BEGIN
      IF @orderedExpiry <= @now
        BEGIN
          SET @message = CONCAT(N'USAGE: KSESSIONS session ', @ksessionsId, N': the date of expiry has passed.');
          THROW 51007, @message, 1;
        END;
      SELECT @isThere = 1, @title = CASE WHEN UNICODE(SUBSTRING(CAST(COALESCE(s.[SessionName], N'') AS nvarchar(200)) COLLATE Latin1_General_100_BIN2, 200, 1)) BETWEEN 55296 AND 56319
          THEN SUBSTRING(CAST(COALESCE(s.[SessionName], N'') AS nvarchar(200)) COLLATE Latin1_General_100_BIN2, 1, 199) ELSE CAST(COALESCE(s.[SessionName], N'') AS nvarchar(200)) END,
        @description = CASE WHEN UNICODE(SUBSTRING(CAST(s.[Description] AS nvarchar(1000)) COLLATE Latin1_General_100_BIN2, 1000, 1)) BETWEEN 55296 AND 56319
          THEN SUBSTRING(CAST(s.[Description] AS nvarchar(1000)) COLLATE Latin1_General_100_BIN2, 1, 999) ELSE CAST(s.[Description] AS nvarchar(1000)) END
      FROM [dbo].[Sessions] s WHERE s.[SessionID] = @ksessionsId;
      IF @isThere IS NULL
        BEGIN
          SET @message = CONCAT(N'SESSION_NOT_FOUND: KSESSIONS session ', @ksessionsId, N' is not in dbo.Sessions.');
          THROW 51007, @message, 1;
        END;
      IF NOT EXISTS (SELECT 1 FROM [dbo].[SessionTranscripts] t WHERE t.[SessionID] = @ksessionsId)
        BEGIN
          SET @message = CONCAT(N'NO_TRANSCRIPTS: KSESSIONS session ', @ksessionsId, N' has no transcript.');
          THROW 51007, @message, 1;
        END;
      SELECT @canvasId = s.[SessionId] FROM [canvas].[Sessions] s WHERE s.[KSessionsId] = @ksessionsId;
      SELECT @hostId = h.[HostSessionId], @oldFingerprint = h.[GuidFingerprint], @rowExpiry = h.[ExpiresAt], @revokedAt = h.[RevokedAt],
        @sequence = COALESCE(h.[LastSequence], 0), @previousHash = h.[LastEventHash]
      FROM [canvas].[HostSessions] h WHERE h.[SessionId] = @canvasId AND h.[IsActive] = 1;
      IF @canvasId IS NULL
        SELECT @namesakes = STRING_AGG(CAST(s.[SessionId] AS nvarchar(max)), N', ') FROM [canvas].[Sessions] s
        WHERE LOWER(LTRIM(RTRIM(s.[Title]))) = LOWER(LTRIM(RTRIM(@title))) AND s."KSessionsId" IS NULL AND (s."HostGuid" <> '' OR EXISTS (
      SELECT 1 FROM canvas."HostSessions" l WHERE l."SessionId" = s."SessionId" AND l."IsActive" = 1
        AND l."RevokedAt" IS NULL AND (l."ExpiresAt" IS NULL OR l."ExpiresAt" > @now)))
      AND NOT EXISTS (
  SELECT 1 AS "one" FROM canvas."HostSessions" b JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = b."HostSessionId"
  WHERE b."SessionId" = s."SessionId" AND e."Action" = 'linked' AND e."KSessionsId" IS NULL);
      IF @namesakes IS NOT NULL
        BEGIN
          SET @message = CONCAT(N'CONFLICT: KSESSIONS session ', @ksessionsId, N' may be canvas session ', LEFT(@namesakes, 200), N', which has the same title, opens, and is linked to none.');
          THROW 51007, @message, 1;
        END;
      SET @ending = CASE WHEN @revokedAt IS NOT NULL THEN 'consolidated' WHEN @rowExpiry <= @now THEN 'expired' END;
      SET @verb = CASE WHEN @hostId IS NULL OR @ending IS NOT NULL THEN 'provisioned' ELSE 'rotated' END;
      IF @verb = 'rotated' AND @ifExists = 'fail'
        BEGIN
          SET @message = CONCAT(N'CONFLICT: KSESSIONS session ', @ksessionsId, N' has a live host GUID (fingerprint ', COALESCE(@oldFingerprint, N'not recorded'), N'), and --if-exists was fail.');
          THROW 51007, @message, 1;
        END;
      IF @ending IS NOT NULL
      BEGIN
        SELECT @action = @ending, @newFingerprint = NULL, @expiry = @rowExpiry;
        SET @sequence = @sequence + 1;
        SET @warrant = (SELECT w.warrant FROM #canvas_warrants w WHERE w.place = @place AND w.action = @action);
        IF @warrant IS NULL THROW 51007, N'There is no warrant for this.', 1;
        SET @sealed = CONCAT(LEFT(@warrant, 44), '[', @hostId, ',', @canvasId, ',', @sequence, ',"', @action, '",',
          CASE WHEN @oldFingerprint IS NULL THEN 'null' ELSE CONCAT('"', @oldFingerprint, '"') END, ',',
          COALESCE(CAST(DATEDIFF_BIG(MILLISECOND, @epoch, @expiry) AS varchar(20)), 'null'), ',',
          CAST(DATEDIFF_BIG(MILLISECOND, @epoch, @now) AS varchar(20)), ',',
          CASE WHEN @previousHash IS NULL THEN 'null' ELSE CONCAT('"', @previousHash, '"') END, ']');
        SET @digest = HASHBYTES('SHA2_256', @sealed);
        SET @eventHash = (
          SELECT STUFF(STRING_AGG(CONCAT(SUBSTRING(@base64, g.bits / 262144 + 1, 1), SUBSTRING(@base64, g.bits / 4096 % 64 + 1, 1),
            SUBSTRING(@base64, g.bits / 64 % 64 + 1, 1), SUBSTRING(@base64, g.bits % 64 + 1, 1)), '') WITHIN GROUP (ORDER BY g.place), 44, 1, '=')
          FROM (SELECT p.place, CASE p.place WHEN 10 THEN CAST(SUBSTRING(@digest, 31, 2) AS int) * 256
              ELSE CAST(SUBSTRING(@digest, p.place * 3 + 1, 3) AS int) END AS bits
            FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) p (place)) g);
        SET @sealed = CONCAT(RIGHT(@warrant, 44), @eventHash);
        SET @digest = HASHBYTES('SHA2_256', @sealed);
        SET @eventHash = (
          SELECT STUFF(STRING_AGG(CONCAT(SUBSTRING(@base64, g.bits / 262144 + 1, 1), SUBSTRING(@base64, g.bits / 4096 % 64 + 1, 1),
            SUBSTRING(@base64, g.bits / 64 % 64 + 1, 1), SUBSTRING(@base64, g.bits % 64 + 1, 1)), '') WITHIN GROUP (ORDER BY g.place), 44, 1, '=')
          FROM (SELECT p.place, CASE p.place WHEN 10 THEN CAST(SUBSTRING(@digest, 31, 2) AS int) * 256
              ELSE CAST(SUBSTRING(@digest, p.place * 3 + 1, 3) AS int) END AS bits
            FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) p (place)) g);
        INSERT INTO [canvas].[HostSessionEvents] ([OperationId], [HostSessionId], [SessionId], [KSessionsId], [Sequence], [Action], [Actor],
          [Reason], [OldFingerprint], [NewFingerprint], [ExpiresAt], [OccurredAt], [HashKeyId], [PreviousHash], [EventHash])
        VALUES (@operationId, @hostId, @canvasId, @ksessionsId, @sequence, @action, @actor,
          @reason, @oldFingerprint, @newFingerprint, @expiry, @now, @warrantId, @previousHash, @eventHash);
        UPDATE [canvas].[HostSessions] SET [IsActive] = 0, [RevokedAt] = COALESCE([RevokedAt], @now), [UpdatedAt] = @now,
          [RevokedBy] = COALESCE([RevokedBy], CASE WHEN [RevokedAt] IS NULL THEN @actor END),
          [LastSequence] = @sequence, [LastEventHash] = @eventHash
        WHERE [HostSessionId] = @hostId AND [IsActive] = 1;
        IF @@ROWCOUNT <> 1 THROW 51007, N'The host session changed meanwhile.', 1;
        SELECT @hostId = NULL, @oldFingerprint = NULL, @sequence = 0, @previousHash = NULL;
      END;
      IF @verb = 'provisioned' AND @canvasId IS NULL
      BEGIN
        INSERT INTO [canvas].[Sessions] ([GroupId], [KSessionsId], [Title], [Description], [Status], [HostGuid], [CreatedAt], [ModifiedAt])
        VALUES (NEWID(), @ksessionsId, @title, @description, N'Created', @hash, @now, @now);
        SELECT @canvasId = s.[SessionId] FROM [canvas].[Sessions] s WHERE s.[KSessionsId] = @ksessionsId;
      END;
      IF @verb = 'provisioned'
      BEGIN
        INSERT INTO [canvas].[HostSessions] ([SessionId], [HostGuidHash], [HashKeyId], [GuidFingerprint], [ExpiresAt], [CreatedAt], [CreatedBy], [IsActive])
        VALUES (@canvasId, @hash, @keyId, @fingerprint, @orderedExpiry, @now, @actor, 1);
        SELECT @hostId = h.[HostSessionId] FROM [canvas].[HostSessions] h WHERE h.[SessionId] = @canvasId AND h.[IsActive] = 1;
      END
      ELSE
      BEGIN
        UPDATE [canvas].[HostSessions] SET [HostGuidHash] = @hash, [HashKeyId] = @keyId, [GuidFingerprint] = @fingerprint,
          [ExpiresAt] = COALESCE(@orderedExpiry, [ExpiresAt]), [UpdatedAt] = @now, [LastUsedAt] = NULL
        WHERE [HostSessionId] = @hostId AND [IsActive] = 1;
        IF @@ROWCOUNT <> 1 THROW 51007, N'The host session changed meanwhile.', 1;
      END;
      IF @canvasId < 1 OR @hostId < 1
        BEGIN
          SET @message = CONCAT(N'DATA_NOT_READY: KSESSIONS session ', @ksessionsId, N' got an id below 1: an identity was set to numbers that nobody can type.');
          THROW 51003, @message, 1;
        END;
      SELECT @action = @verb, @newFingerprint = @fingerprint,
        @expiry = CASE WHEN @verb = 'rotated' THEN COALESCE(@orderedExpiry, @rowExpiry) ELSE @orderedExpiry END;
      SET @sequence = @sequence + 1;
      SET @warrant = (SELECT w.warrant FROM #canvas_warrants w WHERE w.place = @place AND w.action = @action);
      IF @warrant IS NULL THROW 51007, N'There is no warrant for this.', 1;
      SET @sealed = CONCAT(LEFT(@warrant, 44), '[', @hostId, ',', @canvasId, ',', @sequence, ',"', @action, '",',
        CASE WHEN @oldFingerprint IS NULL THEN 'null' ELSE CONCAT('"', @oldFingerprint, '"') END, ',',
        COALESCE(CAST(DATEDIFF_BIG(MILLISECOND, @epoch, @expiry) AS varchar(20)), 'null'), ',',
        CAST(DATEDIFF_BIG(MILLISECOND, @epoch, @now) AS varchar(20)), ',',
        CASE WHEN @previousHash IS NULL THEN 'null' ELSE CONCAT('"', @previousHash, '"') END, ']');
      SET @digest = HASHBYTES('SHA2_256', @sealed);
      SET @eventHash = (
        SELECT STUFF(STRING_AGG(CONCAT(SUBSTRING(@base64, g.bits / 262144 + 1, 1), SUBSTRING(@base64, g.bits / 4096 % 64 + 1, 1),
          SUBSTRING(@base64, g.bits / 64 % 64 + 1, 1), SUBSTRING(@base64, g.bits % 64 + 1, 1)), '') WITHIN GROUP (ORDER BY g.place), 44, 1, '=')
        FROM (SELECT p.place, CASE p.place WHEN 10 THEN CAST(SUBSTRING(@digest, 31, 2) AS int) * 256
            ELSE CAST(SUBSTRING(@digest, p.place * 3 + 1, 3) AS int) END AS bits
          FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) p (place)) g);
      SET @sealed = CONCAT(RIGHT(@warrant, 44), @eventHash);
      SET @digest = HASHBYTES('SHA2_256', @sealed);
      SET @eventHash = (
        SELECT STUFF(STRING_AGG(CONCAT(SUBSTRING(@base64, g.bits / 262144 + 1, 1), SUBSTRING(@base64, g.bits / 4096 % 64 + 1, 1),
          SUBSTRING(@base64, g.bits / 64 % 64 + 1, 1), SUBSTRING(@base64, g.bits % 64 + 1, 1)), '') WITHIN GROUP (ORDER BY g.place), 44, 1, '=')
        FROM (SELECT p.place, CASE p.place WHEN 10 THEN CAST(SUBSTRING(@digest, 31, 2) AS int) * 256
            ELSE CAST(SUBSTRING(@digest, p.place * 3 + 1, 3) AS int) END AS bits
          FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) p (place)) g);
      INSERT INTO [canvas].[HostSessionEvents] ([OperationId], [HostSessionId], [SessionId], [KSessionsId], [Sequence], [Action], [Actor],
        [Reason], [OldFingerprint], [NewFingerprint], [ExpiresAt], [OccurredAt], [HashKeyId], [PreviousHash], [EventHash])
      VALUES (@operationId, @hostId, @canvasId, @ksessionsId, @sequence, @action, @actor,
        @reason, @oldFingerprint, @newFingerprint, @expiry, @now, @warrantId, @previousHash, @eventHash);
      UPDATE [canvas].[HostSessions] SET [LastSequence] = @sequence, [LastEventHash] = @eventHash
      WHERE [HostSessionId] = @hostId AND [IsActive] = 1;
      IF @@ROWCOUNT <> 1 THROW 51007, N'The host session changed meanwhile.', 1;
      UPDATE [canvas].[Sessions] SET [HostGuid] = @hash, [ModifiedAt] = @now WHERE [SessionId] = @canvasId;
      IF @@ROWCOUNT <> 1 THROW 51007, N'The host session changed meanwhile.', 1;
      SET @status = @verb;
    END;
    COMMIT TRANSACTION;
    SET @message = CONCAT(N'KSESSIONS ', @ksessionsId, N'  canvas session ', @canvasId, N'  host session ', @hostId, N'  operation ',
      LOWER(CAST(@operationId AS nvarchar(36))), N'  ', @status);
    PRINT @message;
  END TRY
  BEGIN CATCH
    IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
    SET @message = LEFT(CONCAT(N'KSESSIONS ', @ksessionsId, N'  canvas session ', N'-', N'  host session ', N'-', N'  operation ',
      LOWER(CAST(@operationId AS nvarchar(36))), N'  ', N'FAILED: ', ERROR_MESSAGE()), 2048);
    PRINT @message;
    SET @message = CONCAT(N'It was undone and its GUID is void. Sessions after it, which were not begun: ', 2 - @place, N'.');
    PRINT @message;
    THROW;
  END CATCH;
END;
GO

IF ISNULL(DB_ID(N'EXAMPLE'), -1) <> DB_ID() BEGIN RAISERROR (N'This database is not EXAMPLE.', 16, 1); SET NOEXEC ON; THROW 51000, N'This database is not EXAMPLE.', 1; END;
IF OBJECT_ID(N'tempdb..#canvas_orders') IS NULL BEGIN RAISERROR (N'An earlier step failed. Nothing more is done.', 16, 1); SET NOEXEC ON; THROW 51000, N'An earlier step failed. Nothing more is done.', 1; END;
DROP TABLE #canvas_warrants;
DROP TABLE #canvas_orders;
PRINT N'Done. Now run verify-credentials.sql.';
GO

SET NOEXEC OFF;
GO
