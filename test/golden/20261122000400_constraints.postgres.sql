DO $canvas$ BEGIN
IF NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND f.conkey = ARRAY[a.attnum]
  JOIN pg_catalog.pg_attribute r ON r.attrelid = f.confrelid AND f.confkey = ARRAY[r.attnum]
  WHERE f.contype = 'f' AND f.convalidated AND f.confdeltype = 'c'
    AND f.conrelid = '"canvas"."HostSessions"'::regclass AND a.attname = 'SessionId'
    AND f.confrelid = '"canvas"."Sessions"'::regclass AND r.attname = 'SessionId') THEN
  ALTER TABLE "canvas"."HostSessions" ADD CONSTRAINT "FK_HostSessions_Sessions_SessionId"
    FOREIGN KEY ("SessionId") REFERENCES "canvas"."Sessions" ("SessionId") ON DELETE CASCADE;
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = n.relam AND m.amname = 'btree'
  WHERE i.indrelid = '"canvas"."Sessions"'::regclass AND i.indisvalid AND i.indisready AND i.indislive
    AND i.indisunique AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
    AND i.indexprs IS NULL AND i.indnkeyatts = 1
    AND pg_get_expr(i.indpred, i.indrelid) IN ('("KSessionsId" IS NOT NULL)')
    AND 'KSessionsId' = (
      SELECT string_agg(a.attname, ',' ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts)) THEN
  CREATE UNIQUE INDEX "IX_Sessions_KSessionsId" ON "canvas"."Sessions" ("KSessionsId") WHERE "KSessionsId" IS NOT NULL;
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = n.relam AND m.amname = 'btree'
  WHERE i.indrelid = '"canvas"."HostSessions"'::regclass AND i.indisvalid AND i.indisready AND i.indislive
    AND i.indisunique AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
    AND i.indexprs IS NULL AND i.indnkeyatts = 1
    AND pg_get_expr(i.indpred, i.indrelid) IN ('"IsActive"', '("IsActive" = true)', '("IsActive" IS TRUE)')
    AND 'SessionId' = (
      SELECT string_agg(a.attname, ',' ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts)) THEN
  CREATE UNIQUE INDEX "UX_HostSessions_OneActive" ON "canvas"."HostSessions" ("SessionId") WHERE "IsActive";
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = n.relam AND m.amname = 'btree'
  WHERE i.indrelid = '"canvas"."HostSessions"'::regclass AND i.indisvalid AND i.indisready AND i.indislive
    AND i.indisunique AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
    AND i.indexprs IS NULL AND i.indnkeyatts = 2
    AND i.indpred IS NULL
    AND 'SessionId,HostGuidHash' = (
      SELECT string_agg(a.attname, ',' ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts)) THEN
  CREATE UNIQUE INDEX "IX_HostSessions_SessionGuidHash" ON "canvas"."HostSessions" ("SessionId", "HostGuidHash");
END IF;
END $canvas$
;

DO $canvas$ BEGIN
IF NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class n ON n.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = n.relam AND m.amname = 'btree'
  WHERE i.indrelid = '"canvas"."HostSessions"'::regclass AND i.indisvalid AND i.indisready AND i.indislive
    AND i.indexprs IS NULL AND i.indnkeyatts = 1
    AND i.indpred IS NULL
    AND 'HostGuidHash' = (
      SELECT string_agg(a.attname, ',' ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts)) THEN
  CREATE INDEX "IX_HostSessions_HostGuidHash" ON "canvas"."HostSessions" ("HostGuidHash");
END IF;
END $canvas$
;
