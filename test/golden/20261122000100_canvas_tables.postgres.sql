DO $canvas$ BEGIN
IF to_regnamespace('canvas') IS NULL THEN
  CREATE SCHEMA "canvas";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF to_regclass('"canvas"."Sessions"') IS NULL THEN
  create table "canvas"."Sessions" (
    "SessionId" bigint GENERATED ALWAYS AS IDENTITY not null,
    "GroupId" uuid not null,
    "StartedAt" timestamptz null,
    "EndedAt" timestamptz null,
    "ExpiresAt" timestamptz null,
    "CreatedAt" timestamptz not null,
    "Title" varchar(200) null,
    "Description" varchar(1000) null,
    "Status" varchar(50) null,
    "HostGuid" varchar(100) not null default '',
    "MaxParticipants" integer null,
    "ParticipantCount" integer null,
    "ModifiedAt" timestamptz not null default '0001-01-01T00:00:00Z',
    constraint "PK_Sessions" primary key ("SessionId")
  );
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF to_regclass('"canvas"."HostSessions"') IS NULL THEN
  create table "canvas"."HostSessions" (
    "HostSessionId" bigint GENERATED ALWAYS AS IDENTITY not null,
    "SessionId" bigint not null,
    "HostGuidHash" varchar(128) not null,
    "CreatedAt" timestamptz not null,
    "ExpiresAt" timestamptz null,
    "LastUsedAt" timestamptz null,
    "RevokedAt" timestamptz null,
    "CreatedBy" varchar(128) null,
    "RevokedBy" varchar(128) null,
    "IsActive" boolean not null,
    constraint "PK_HostSessions" primary key ("HostSessionId")
  );
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF (SELECT attidentity FROM pg_catalog.pg_attribute
  WHERE attrelid = '"canvas"."Sessions"'::regclass AND attname = 'SessionId') = 'd' THEN
  ALTER TABLE "canvas"."Sessions" ALTER COLUMN "SessionId" SET GENERATED ALWAYS;
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF coalesce((SELECT attidentity FROM pg_catalog.pg_attribute
  WHERE attrelid = '"canvas"."Sessions"'::regclass AND attname = 'SessionId'), '') <> 'a' THEN
  RAISE EXCEPTION 'SCHEMA_UNSUPPORTED: canvas.Sessions.SessionId is no identity column.' USING ERRCODE = 'CH001';
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF (SELECT attidentity FROM pg_catalog.pg_attribute
  WHERE attrelid = '"canvas"."HostSessions"'::regclass AND attname = 'HostSessionId') = 'd' THEN
  ALTER TABLE "canvas"."HostSessions" ALTER COLUMN "HostSessionId" SET GENERATED ALWAYS;
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF coalesce((SELECT attidentity FROM pg_catalog.pg_attribute
  WHERE attrelid = '"canvas"."HostSessions"'::regclass AND attname = 'HostSessionId'), '') <> 'a' THEN
  RAISE EXCEPTION 'SCHEMA_UNSUPPORTED: canvas.HostSessions.HostSessionId is no identity column.' USING ERRCODE = 'CH001';
END IF;
END $canvas$
;
