IF OBJECT_ID(N'canvas.HostSessionEvents', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[HostSessionEvents] (
    [EventId] bigint IDENTITY(1,1) not null,
    [OperationId] uniqueidentifier not null,
    [HostSessionId] bigint not null,
    [SessionId] bigint not null,
    [KSessionsId] bigint null,
    [Sequence] int not null,
    [Action] nvarchar(20) not null,
    [Actor] nvarchar(128) not null,
    [Reason] nvarchar(1000) null,
    [OldFingerprint] nvarchar(16) COLLATE Latin1_General_100_BIN2 null,
    [NewFingerprint] nvarchar(16) COLLATE Latin1_General_100_BIN2 null,
    [ExpiresAt] datetime2(3) null,
    [OccurredAt] datetime2(3) not null,
    [HashKeyId] nvarchar(16) COLLATE Latin1_General_100_BIN2 not null,
    [PreviousHash] nvarchar(44) COLLATE Latin1_General_100_BIN2 null,
    [EventHash] nvarchar(44) COLLATE Latin1_General_100_BIN2 not null,
    CONSTRAINT [PK_HostSessionEvents] PRIMARY KEY ([EventId])
  );
END
GO

IF NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(N'canvas.HostSessionEvents') AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND i.has_filter = 0
    AND i.is_unique = 1 AND i.ignore_dup_key = 0
    AND N'HostSessionId,Sequence' = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))
BEGIN
  CREATE UNIQUE INDEX [UX_HostSessionEvents_Sequence] ON [canvas].[HostSessionEvents] ([HostSessionId], [Sequence]);
END
GO

IF NOT EXISTS (
  SELECT 1 FROM sys.indexes i
  WHERE i.object_id = OBJECT_ID(N'canvas.HostSessionEvents') AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND i.type IN (1, 2) AND i.has_filter = 0
    AND i.is_unique = 1 AND i.ignore_dup_key = 0
    AND N'OperationId,HostSessionId,Action' = (
      SELECT STRING_AGG(c.name, ',') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0))
BEGIN
  CREATE UNIQUE INDEX [UX_HostSessionEvents_Operation] ON [canvas].[HostSessionEvents] ([OperationId], [HostSessionId], [Action]);
END
GO

IF OBJECT_ID(N'canvas.TR_HostSessionEvents_AppendOnly', N'TR') IS NULL
BEGIN
  EXEC (N'CREATE TRIGGER [canvas].[TR_HostSessionEvents_AppendOnly] ON [canvas].[HostSessionEvents] INSTEAD OF UPDATE, DELETE AS
  THROW 50002, N''canvas.HostSessionEvents is append-only: its rows are the audit trail.'', 1');
END
GO

ENABLE TRIGGER [canvas].[TR_HostSessionEvents_AppendOnly] ON [canvas].[HostSessionEvents]
GO
