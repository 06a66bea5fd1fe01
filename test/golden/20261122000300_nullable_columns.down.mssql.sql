IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'column HostSessions.LastEventHash')
BEGIN
  ALTER TABLE [canvas].[HostSessions] DROP COLUMN [LastEventHash];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'column HostSessions.LastSequence')
BEGIN
  ALTER TABLE [canvas].[HostSessions] DROP COLUMN [LastSequence];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'column HostSessions.UpdatedAt')
BEGIN
  ALTER TABLE [canvas].[HostSessions] DROP COLUMN [UpdatedAt];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'column HostSessions.GuidFingerprint')
BEGIN
  ALTER TABLE [canvas].[HostSessions] DROP COLUMN [GuidFingerprint];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'column HostSessions.HashKeyId')
BEGIN
  ALTER TABLE [canvas].[HostSessions] DROP COLUMN [HashKeyId];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'column Sessions.KSessionsId')
BEGIN
  ALTER TABLE [canvas].[Sessions] DROP COLUMN [KSessionsId];
END
GO
