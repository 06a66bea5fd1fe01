IF SCHEMA_ID(N'canvas') IS NULL
BEGIN
  EXEC (N'CREATE SCHEMA [canvas]');
END
GO

IF OBJECT_ID(N'canvas.Sessions', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[Sessions] (
    [SessionId] bigint IDENTITY(1,1) not null,
    [GroupId] uniqueidentifier not null,
    [StartedAt] datetime2 null,
    [EndedAt] datetime2 null,
    [ExpiresAt] datetime2 null,
    [CreatedAt] datetime2 not null,
    [Title] nvarchar(200) null,
    [Description] nvarchar(1000) null,
    [Status] nvarchar(50) null,
    [HostGuid] nvarchar(100) not null CONSTRAINT [sessions_hostguid_default] DEFAULT '',
    [MaxParticipants] int null,
    [ParticipantCount] int null,
    [ModifiedAt] datetime2 not null CONSTRAINT [sessions_modifiedat_default] DEFAULT '0001-01-01T00:00:00Z',
    CONSTRAINT [PK_Sessions] PRIMARY KEY ([SessionId])
  );
END
GO

IF OBJECT_ID(N'canvas.HostSessions', N'U') IS NULL
BEGIN
  CREATE TABLE [canvas].[HostSessions] (
    [HostSessionId] bigint IDENTITY(1,1) not null,
    [SessionId] bigint not null,
    [HostGuidHash] nvarchar(128) not null,
    [CreatedAt] datetime2 not null,
    [ExpiresAt] datetime2 null,
    [LastUsedAt] datetime2 null,
    [RevokedAt] datetime2 null,
    [CreatedBy] nvarchar(128) null,
    [RevokedBy] nvarchar(128) null,
    [IsActive] bit not null,
    CONSTRAINT [PK_HostSessions] PRIMARY KEY ([HostSessionId])
  );
END
GO

IF ISNULL(COLUMNPROPERTY(OBJECT_ID(N'canvas.Sessions'), N'SessionId', 'IsIdentity'), 0) = 0
BEGIN
  THROW 50001, N'SCHEMA_UNSUPPORTED: canvas.Sessions.SessionId is no identity column.', 1;
END
GO

IF ISNULL(COLUMNPROPERTY(OBJECT_ID(N'canvas.HostSessions'), N'HostSessionId', 'IsIdentity'), 0) = 0
BEGIN
  THROW 50001, N'SCHEMA_UNSUPPORTED: canvas.HostSessions.HostSessionId is no identity column.', 1;
END
GO
