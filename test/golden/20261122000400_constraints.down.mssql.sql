IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'index HostSessions.IX_HostSessions_HostGuidHash')
BEGIN
  DROP INDEX [IX_HostSessions_HostGuidHash] ON [canvas].[HostSessions];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'index HostSessions.IX_HostSessions_SessionGuidHash')
BEGIN
  DROP INDEX [IX_HostSessions_SessionGuidHash] ON [canvas].[HostSessions];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'index HostSessions.UX_HostSessions_OneActive')
BEGIN
  DROP INDEX [UX_HostSessions_OneActive] ON [canvas].[HostSessions];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'index Sessions.IX_Sessions_KSessionsId')
BEGIN
  DROP INDEX [IX_Sessions_KSessionsId] ON [canvas].[Sessions];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'constraint HostSessions.FK_HostSessions_Sessions_SessionId')
BEGIN
  ALTER TABLE [canvas].[HostSessions] DROP CONSTRAINT [FK_HostSessions_Sessions_SessionId];
END
GO
