IF COL_LENGTH(N'canvas.Sessions', N'KSessionsId') IS NULL
BEGIN
  ALTER TABLE [canvas].[Sessions] ADD [KSessionsId] bigint NULL;
END
GO

IF COL_LENGTH(N'canvas.HostSessions', N'HashKeyId') IS NULL
BEGIN
  ALTER TABLE [canvas].[HostSessions] ADD [HashKeyId] nvarchar(16) COLLATE Latin1_General_100_BIN2 NULL;
END
GO

IF COL_LENGTH(N'canvas.HostSessions', N'GuidFingerprint') IS NULL
BEGIN
  ALTER TABLE [canvas].[HostSessions] ADD [GuidFingerprint] nvarchar(16) COLLATE Latin1_General_100_BIN2 NULL;
END
GO

IF COL_LENGTH(N'canvas.HostSessions', N'UpdatedAt') IS NULL
BEGIN
  ALTER TABLE [canvas].[HostSessions] ADD [UpdatedAt] datetime2 NULL;
END
GO

IF COL_LENGTH(N'canvas.HostSessions', N'LastSequence') IS NULL
BEGIN
  ALTER TABLE [canvas].[HostSessions] ADD [LastSequence] int NULL;
END
GO

IF COL_LENGTH(N'canvas.HostSessions', N'LastEventHash') IS NULL
BEGIN
  ALTER TABLE [canvas].[HostSessions] ADD [LastEventHash] nvarchar(44) COLLATE Latin1_General_100_BIN2 NULL;
END
GO
