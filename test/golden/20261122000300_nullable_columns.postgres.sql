ALTER TABLE "canvas"."Sessions" ADD COLUMN IF NOT EXISTS "KSessionsId" bigint NULL
;

ALTER TABLE "canvas"."HostSessions" ADD COLUMN IF NOT EXISTS "HashKeyId" varchar(16) COLLATE "C" NULL
;

ALTER TABLE "canvas"."HostSessions" ADD COLUMN IF NOT EXISTS "GuidFingerprint" varchar(16) COLLATE "C" NULL
;

ALTER TABLE "canvas"."HostSessions" ADD COLUMN IF NOT EXISTS "UpdatedAt" timestamptz NULL
;

ALTER TABLE "canvas"."HostSessions" ADD COLUMN IF NOT EXISTS "LastSequence" integer NULL
;

ALTER TABLE "canvas"."HostSessions" ADD COLUMN IF NOT EXISTS "LastEventHash" varchar(44) COLLATE "C" NULL
;
