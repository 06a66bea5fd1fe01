DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["column HostSessions.LastEventHash"]') THEN
  ALTER TABLE "canvas"."HostSessions" DROP COLUMN "LastEventHash";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["column HostSessions.LastSequence"]') THEN
  ALTER TABLE "canvas"."HostSessions" DROP COLUMN "LastSequence";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["column HostSessions.UpdatedAt"]') THEN
  ALTER TABLE "canvas"."HostSessions" DROP COLUMN "UpdatedAt";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["column HostSessions.GuidFingerprint"]') THEN
  ALTER TABLE "canvas"."HostSessions" DROP COLUMN "GuidFingerprint";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["column HostSessions.HashKeyId"]') THEN
  ALTER TABLE "canvas"."HostSessions" DROP COLUMN "HashKeyId";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["column Sessions.KSessionsId"]') THEN
  ALTER TABLE "canvas"."Sessions" DROP COLUMN "KSessionsId";
END IF;
END $canvas$
;
