DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["trigger HostSessionEvents.TR_HostSessionEvents_AppendOnly"]') THEN
  DROP TRIGGER "TR_HostSessionEvents_AppendOnly" ON "canvas"."HostSessionEvents";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["trigger HostSessionEvents.TR_HostSessionEvents_NoTruncate"]') THEN
  DROP TRIGGER "TR_HostSessionEvents_NoTruncate" ON "canvas"."HostSessionEvents";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["function RefuseHostSessionEventsChange"]') THEN
  DROP FUNCTION "canvas"."RefuseHostSessionEventsChange"();
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["index HostSessionEvents.UX_HostSessionEvents_Operation"]') THEN
  DROP INDEX "canvas"."UX_HostSessionEvents_Operation";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["index HostSessionEvents.UX_HostSessionEvents_Sequence"]') THEN
  DROP INDEX "canvas"."UX_HostSessionEvents_Sequence";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["table HostSessionEvents"]') THEN
  DROP TABLE "canvas"."HostSessionEvents";
END IF;
END $canvas$
;
