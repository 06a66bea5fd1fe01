DO $canvas$ BEGIN
IF to_regclass('"canvas"."HostSessionEvents"') IS NULL THEN
  create table "canvas"."HostSessionEvents" (
    "EventId" bigint GENERATED ALWAYS AS IDENTITY not null,
    "OperationId" uuid not null,
    "HostSessionId" bigint not null,
    "SessionId" bigint not null,
    "KSessionsId" bigint null,
    "Sequence" integer not null,
    "Action" varchar(20) not null,
    "Actor" varchar(128) not null,
    "Reason" varchar(1000) null,
    "OldFingerprint" varchar(16) COLLATE "C" null,
    "NewFingerprint" varchar(16) COLLATE "C" null,
    "ExpiresAt" timestamptz(3) null,
    "OccurredAt" timestamptz(3) not null,
    "HashKeyId" varchar(16) COLLATE "C" not null,
    "PreviousHash" varchar(44) COLLATE "C" null,
    "EventHash" varchar(44) COLLATE "C" not null,
    constraint "PK_HostSessionEvents" primary key ("EventId")
  );
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = n.relam AND m.amname = 'btree'
  WHERE i.indrelid = '"canvas"."HostSessionEvents"'::regclass AND i.indisvalid AND i.indisready AND i.indislive
    AND i.indisunique AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
    AND i.indexprs IS NULL AND i.indnkeyatts = 2
    AND i.indpred IS NULL
    AND 'HostSessionId,Sequence' = (
      SELECT string_agg(a.attname, ',' ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts)) THEN
  CREATE UNIQUE INDEX "UX_HostSessionEvents_Sequence" ON "canvas"."HostSessionEvents" ("HostSessionId", "Sequence");
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = n.relam AND m.amname = 'btree'
  WHERE i.indrelid = '"canvas"."HostSessionEvents"'::regclass AND i.indisvalid AND i.indisready AND i.indislive
    AND i.indisunique AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
    AND i.indexprs IS NULL AND i.indnkeyatts = 3
    AND i.indpred IS NULL
    AND 'OperationId,HostSessionId,Action' = (
      SELECT string_agg(a.attname, ',' ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts)) THEN
  CREATE UNIQUE INDEX "UX_HostSessionEvents_Operation" ON "canvas"."HostSessionEvents" ("OperationId", "HostSessionId", "Action");
END IF;
END $canvas$
;

CREATE OR REPLACE FUNCTION "canvas"."RefuseHostSessionEventsChange"() RETURNS trigger LANGUAGE plpgsql AS $refuse$ BEGIN
  RAISE EXCEPTION 'canvas.HostSessionEvents is append-only: its rows are the audit trail.' USING ERRCODE = 'CH002';
END $refuse$
;

DO $canvas$ BEGIN
IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger
  WHERE tgrelid = '"canvas"."HostSessionEvents"'::regclass AND tgname = 'TR_HostSessionEvents_AppendOnly') THEN
  CREATE TRIGGER "TR_HostSessionEvents_AppendOnly" BEFORE UPDATE OR DELETE ON "canvas"."HostSessionEvents"
    FOR EACH ROW EXECUTE FUNCTION "canvas"."RefuseHostSessionEventsChange"();
END IF;
END $canvas$
;

ALTER TABLE "canvas"."HostSessionEvents" ENABLE TRIGGER "TR_HostSessionEvents_AppendOnly"
;

DO $canvas$ BEGIN
IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger
  WHERE tgrelid = '"canvas"."HostSessionEvents"'::regclass AND tgname = 'TR_HostSessionEvents_NoTruncate') THEN
  CREATE TRIGGER "TR_HostSessionEvents_NoTruncate" BEFORE TRUNCATE ON "canvas"."HostSessionEvents"
    FOR EACH STATEMENT EXECUTE FUNCTION "canvas"."RefuseHostSessionEventsChange"();
END IF;
END $canvas$
;

ALTER TABLE "canvas"."HostSessionEvents" ENABLE TRIGGER "TR_HostSessionEvents_NoTruncate"
;
