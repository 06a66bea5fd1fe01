IF NOT EXISTS (
  SELECT 1 FROM sys.foreign_keys f
  JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id
  WHERE f.parent_object_id = OBJECT_ID(N'canvas.HostSessions')
    AND f.delete_referential_action = 1 AND f.is_disabled = 0 AND f.is_not_trusted = 0
    AND COL_NAME(k.parent_object_id, k.parent_column_id) = N'SessionId'
    AND f.referenced_object_id = OBJECT_ID(N'canvas.Sessions')
    AND COL_NAME(k.referenced_object_id, k.referenced_column_id) = N'SessionId'
    AND 1 = (SELECT COUNT(*) FROM sys.foreign_key_columns c WHERE c.constraint_object_id = f.object_id))
BEGIN
  ALTER TABLE [canvas].[HostSessions] ADD CONSTRAINT [FK_HostSessions_Sessions_SessionId]
    FOREIGN KEY ([SessionId]) REFERENCES [canvas].[Sessions] ([SessionId]) ON DELETE CASCADE;
END
GO

IF NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(N'canvas.Sessions') AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND (i.filter_definition = N'([KSessionsId] IS NOT NULL)' OR ISNULL(SERVERPROPERTY('Babelfish'), 0) = 1)
    AND i.is_unique = 1 AND i.ignore_dup_key = 0
    AND N'KSessionsId' = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))
BEGIN
  CREATE UNIQUE INDEX [IX_Sessions_KSessionsId] ON [canvas].[Sessions] ([KSessionsId]) WHERE [KSessionsId] IS NOT NULL;
END
GO

IF NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(N'canvas.HostSessions') AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND (i.filter_definition = N'([IsActive]=(1))' OR ISNULL(SERVERPROPERTY('Babelfish'), 0) = 1)
    AND i.is_unique = 1 AND i.ignore_dup_key = 0
    AND N'SessionId' = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))
BEGIN
  CREATE UNIQUE INDEX [UX_HostSessions_OneActive] ON [canvas].[HostSessions] ([SessionId]) WHERE [IsActive] = 1;
END
GO

IF NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(N'canvas.HostSessions') AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND i.has_filter = 0
    AND i.is_unique = 1 AND i.ignore_dup_key = 0
    AND N'SessionId,HostGuidHash' = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))
BEGIN
  CREATE UNIQUE INDEX [IX_HostSessions_SessionGuidHash] ON [canvas].[HostSessions] ([SessionId], [HostGuidHash]);
END
GO

IF NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(N'canvas.HostSessions') AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND i.has_filter = 0
    AND N'HostGuidHash' = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))
BEGIN
  CREATE INDEX [IX_HostSessions_HostGuidHash] ON [canvas].[HostSessions] ([HostGuidHash]);
END
GO
