IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'trigger HostSessionEvents.TR_HostSessionEvents_AppendOnly')
BEGIN
  DROP TRIGGER [canvas].[TR_HostSessionEvents_AppendOnly];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'index HostSessionEvents.UX_HostSessionEvents_Operation')
BEGIN
  DROP INDEX [UX_HostSessionEvents_Operation] ON [canvas].[HostSessionEvents];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'index HostSessionEvents.UX_HostSessionEvents_Sequence')
BEGIN
  DROP INDEX [UX_HostSessionEvents_Sequence] ON [canvas].[HostSessionEvents];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'table HostSessionEvents')
BEGIN
  DROP TABLE [canvas].[HostSessionEvents];
END
GO
