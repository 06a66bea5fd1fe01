DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["index HostSessions.IX_HostSessions_HostGuidHash"]') THEN
  DROP INDEX "canvas"."IX_HostSessions_HostGuidHash";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["index HostSessions.IX_HostSessions_SessionGuidHash"]') THEN
  DROP INDEX "canvas"."IX_HostSessions_SessionGuidHash";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["index HostSessions.UX_HostSessions_OneActive"]') THEN
  DROP INDEX "canvas"."UX_HostSessions_OneActive";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["index Sessions.IX_Sessions_KSessionsId"]') THEN
  DROP INDEX "canvas"."IX_Sessions_KSessionsId";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["constraint HostSessions.FK_HostSessions_Sessions_SessionId"]') THEN
  ALTER TABLE "canvas"."HostSessions" DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId";
END IF;
END $canvas$
;
