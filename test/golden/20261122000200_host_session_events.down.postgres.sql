DO $canvas$ BEGIN
IF EXISTS (SELECT FROM "canvas"."MigrationLedger"
  WHERE "Objects"::pg_catalog.jsonb -> 'made' @> '["table HostSessionEvents"]') THEN
  DROP TABLE "canvas"."HostSessionEvents";
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
