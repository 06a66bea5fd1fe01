IF EXISTS (SELECT 1 FROM [canvas].[MigrationLedger] l CROSS APPLY OPENJSON(l.[Objects], N'$.made') m
  WHERE m.[value] = N'table HostSessionEvents')
BEGIN
  DROP TABLE [canvas].[HostSessionEvents];
END
GO
