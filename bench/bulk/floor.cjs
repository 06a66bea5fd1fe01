'use strict';
// The floor of bench/bulk.cjs: the same rows and hashes, written by hand for this one purpose with sets of SQL, one
// transaction a batch. No guard, no lock, no plan, no look back, no word to anybody.
//   node bench/bulk/floor.cjs provision|rotate|revoke KEY [FILE of GUIDs]     reads TEST_POSTGRES_URL
const { createHmac, randomUUID } = require('node:crypto');
const { fsyncSync, openSync, writeSync } = require('node:fs');
const pg = require('pg');

const BATCH = 1000;
const [verb, secret, path] = process.argv.slice(2);
const file = path === undefined ? undefined : openSync(path, 'wx', 0o600);

const mac = (label, message) => createHmac('sha256', secret).update(`canvas-host/${label}/1\0${message}`);
const hash = (guid) => createHmac('sha256', secret).update(guid).digest('base64');
const fingerprint = (guid) => mac('guid', guid).digest('hex').slice(0, 16);
const keyId = mac('key', '').digest('hex').slice(0, 16);
const column = (rows, name) => rows.map((row) => row[name]);

/** The events of a batch, each sealed over itself and its predecessor. */
function seal(rows, action, operation, now) {
  for (const row of rows) {
    row.sequence = (row.sequence ?? 0) + 1;
    const covered = [
      operation, row.host, row.canvas, row.id, row.sequence, action, 'bench', null, row.old ?? null, row.fingerprint ?? null, null,
      now, keyId, row.previous ?? null,
    ];
    row.seal = mac('event', JSON.stringify(covered)).digest('base64');
  }
}

async function writeEvents(client, rows, action, operation, now) {
  seal(rows, action, operation, now);
  await client.query(
    `INSERT INTO canvas."HostSessionEvents" ("OperationId", "HostSessionId", "SessionId", "KSessionsId", "Sequence", "Action", "Actor",
       "OldFingerprint", "NewFingerprint", "OccurredAt", "HashKeyId", "PreviousHash", "EventHash")
     SELECT $1, host, canvas, id, sequence, $2, 'bench', old, new, $3, $4, previous, seal
     FROM unnest($5::bigint[], $6::bigint[], $7::bigint[], $8::int[], $9::text[], $10::text[], $11::text[], $12::text[])
       AS r (host, canvas, id, sequence, old, new, previous, seal)`,
    [operation, action, now, keyId, column(rows, 'host'), column(rows, 'canvas'), column(rows, 'id'), column(rows, 'sequence'),
      rows.map((row) => row.old ?? null), rows.map((row) => row.fingerprint ?? null), rows.map((row) => row.previous ?? null), column(rows, 'seal')],
  );
}

function handOver(rows) {
  writeSync(file, rows.map((row) => `${row.id} ${row.guid}\n`).join(''));
  fsyncSync(file);
}

function makeGuids(rows) {
  for (const row of rows) {
    row.guid = randomUUID();
    row.hash = hash(row.guid);
    row.fingerprint = fingerprint(row.guid);
  }
}

async function provision(client, rows, operation, now) {
  makeGuids(rows);
  const { rows: made } = await client.query(
    `INSERT INTO canvas."Sessions" ("GroupId", "KSessionsId", "Title", "Status", "HostGuid", "CreatedAt", "ModifiedAt")
     SELECT gen_random_uuid(), id, title, 'Created', hash, $1, $1 FROM unnest($2::bigint[], $3::text[], $4::text[]) AS r (id, title, hash)
     RETURNING "SessionId", "KSessionsId"`,
    [now, column(rows, 'id'), column(rows, 'title'), column(rows, 'hash')],
  );
  const canvasOf = new Map(made.map((row) => [row.KSessionsId, row.SessionId]));
  for (const row of rows) row.canvas = Number(canvasOf.get(String(row.id)));
  const { rows: hosts } = await client.query(
    `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "HashKeyId", "GuidFingerprint", "CreatedAt", "CreatedBy", "IsActive")
     SELECT canvas, hash, $1, fingerprint, $2, 'bench', true FROM unnest($3::bigint[], $4::text[], $5::text[]) AS r (canvas, hash, fingerprint)
     RETURNING "HostSessionId", "SessionId"`,
    [keyId, now, column(rows, 'canvas'), column(rows, 'hash'), column(rows, 'fingerprint')],
  );
  const hostOf = new Map(hosts.map((row) => [row.SessionId, row.HostSessionId]));
  for (const row of rows) row.host = Number(hostOf.get(String(row.canvas)));
  await writeEvents(client, rows, 'provisioned', operation, now);
  await client.query(
    `UPDATE canvas."HostSessions" h SET "LastSequence" = r.sequence, "LastEventHash" = r.seal
     FROM unnest($1::bigint[], $2::int[], $3::text[]) AS r (host, sequence, seal) WHERE h."HostSessionId" = r.host`,
    [column(rows, 'host'), column(rows, 'sequence'), column(rows, 'seal')],
  );
  handOver(rows);
}

async function rotate(client, rows, operation, now) {
  makeGuids(rows);
  await writeEvents(client, rows, 'rotated', operation, now);
  await client.query(
    `UPDATE canvas."HostSessions" h SET "HostGuidHash" = r.hash, "GuidFingerprint" = r.fingerprint, "HashKeyId" = $1, "UpdatedAt" = $2,
       "LastUsedAt" = NULL, "LastSequence" = r.sequence, "LastEventHash" = r.seal
     FROM unnest($3::bigint[], $4::text[], $5::text[], $6::int[], $7::text[]) AS r (host, hash, fingerprint, sequence, seal)
     WHERE h."HostSessionId" = r.host`,
    [keyId, now, column(rows, 'host'), column(rows, 'hash'), column(rows, 'fingerprint'), column(rows, 'sequence'), column(rows, 'seal')],
  );
  await setCopies(client, rows, now);
  handOver(rows);
}

async function revoke(client, rows, operation, now) {
  await writeEvents(client, rows, 'revoked', operation, now);
  await client.query(
    `UPDATE canvas."HostSessions" h SET "IsActive" = false, "RevokedAt" = $1, "RevokedBy" = 'bench', "UpdatedAt" = $1,
       "LastSequence" = r.sequence, "LastEventHash" = r.seal
     FROM unnest($2::bigint[], $3::int[], $4::text[]) AS r (host, sequence, seal) WHERE h."HostSessionId" = r.host`,
    [now, column(rows, 'host'), column(rows, 'sequence'), column(rows, 'seal')],
  );
  await setCopies(client, rows, now);
}

function setCopies(client, rows, now) {
  return client.query(
    `UPDATE canvas."Sessions" s SET "HostGuid" = r.hash, "ModifiedAt" = $1 FROM unnest($2::bigint[], $3::text[]) AS r (canvas, hash)
     WHERE s."SessionId" = r.canvas`,
    [now, column(rows, 'canvas'), rows.map((row) => row.hash ?? '')],
  );
}

const NEXT = {
  provision: `SELECT s."SessionID" AS id, s."SessionName" AS title FROM dbo."Sessions" s
    WHERE s."SessionID" > $1 AND EXISTS (SELECT 1 FROM dbo."SessionTranscripts" t WHERE t."SessionID" = s."SessionID")
    ORDER BY s."SessionID" LIMIT ${BATCH}`,
  live: `SELECT s."KSessionsId"::int AS id, s."SessionId"::int AS canvas, h."HostSessionId"::int AS host, h."GuidFingerprint" AS old,
      h."LastSequence" AS sequence, h."LastEventHash" AS previous
    FROM canvas."Sessions" s JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" AND h."IsActive"
    WHERE s."KSessionsId" > $1 ORDER BY s."KSessionsId" LIMIT ${BATCH}`,
};

async function main() {
  const client = new pg.Client({ connectionString: process.env.TEST_POSTGRES_URL });
  await client.connect();
  const write = { provision, rotate, revoke }[verb];
  for (let last = 0; ; ) {
    const { rows } = await client.query(NEXT[verb === 'provision' ? verb : 'live'], [last]);
    if (rows.length === 0) break;
    await client.query('BEGIN');
    await write(client, rows, randomUUID(), new Date().toISOString());
    await client.query('COMMIT');
    last = rows.at(-1).id;
  }
  await client.end();
}

main();
