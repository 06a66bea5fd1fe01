'use strict';
// The least that a gate over the same rows must do: read every row once, in pages, and compute the seal of every event.
//   node bench/verify/floor.cjs KEY
const { Buffer } = require('node:buffer');
const { createHmac } = require('node:crypto');
const pg = require('pg');

const KEY = Buffer.from(process.argv[2], 'utf8');
const PAGE = 1000;

/** Rows of one table in pages, along its key. */
async function* pages(client, table, key) {
  for (let last = '-2147483648'; ; ) {
    const { rows } = await client.query(`SELECT * FROM ${table} WHERE ${key} > $1 ORDER BY ${key} LIMIT ${PAGE}`, [last]);
    yield rows;
    if (rows.length < PAGE) return;
    last = rows.at(-1)[key.replaceAll('"', '')];
  }
}

function seal(event) {
  const covered = [
    event.OperationId, Number(event.HostSessionId), Number(event.SessionId), event.KSessionsId === null ? null : Number(event.KSessionsId),
    event.Sequence, event.Action, event.Actor, event.Reason, event.OldFingerprint, event.NewFingerprint, event.ExpiresAt?.toISOString() ?? null,
    event.OccurredAt.toISOString(), event.HashKeyId, event.PreviousHash,
  ];
  return createHmac('sha256', KEY).update(`canvas-host/event/1\0${JSON.stringify(covered)}`, 'utf8').digest('base64');
}

async function main() {
  const client = new pg.Client({ connectionString: process.env.TEST_POSTGRES_URL });
  await client.connect();
  for await (const rows of pages(client, 'canvas."Sessions"', '"SessionId"')) void rows;
  for await (const rows of pages(client, 'canvas."HostSessions"', '"HostSessionId"')) void rows;
  for await (const rows of pages(client, 'dbo."Sessions"', '"SessionID"')) void rows;
  for await (const rows of pages(client, 'dbo."SessionTranscripts"', '"TranscriptID"')) void rows;
  let [events, wrong] = [0, 0];
  for await (const rows of pages(client, 'canvas."HostSessionEvents"', '"EventId"')) {
    events += rows.length;
    wrong += rows.filter((event) => seal(event) !== event.EventHash).length;
  }
  await client.end();
  if (wrong > 0) throw new Error(`${wrong} seals do not match.`);
  console.log(`${events} events`);
}

main();
