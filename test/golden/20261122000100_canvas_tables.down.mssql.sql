IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'table HostSessions')
BEGIN
  DROP TABLE [canvas].[HostSessions];
END
GO

IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'table Sessions')
BEGIN
  DROP TABLE [canvas].[Sessions];
END
GO
