'use strict';
// Provision, rotate and revoke many sessions on PostgreSQL, as whole processes, against a program written by hand for the
// same rows and hashes (bench/bulk/floor.cjs), in turn on databases of their own; and the memory of a large run against
// that of a small one. Needs TEST_POSTGRES_URL.
//   node bench/bulk.cjs [sessions] [pairs]
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { URL } = require('node:url');
const pg = require('pg');

const SESSIONS = Number(process.argv[2] ?? 100_000);
const PAIRS = Number(process.argv[3] ?? 1);
const FEW = 1_000;
const KEY = 'bench-key-0123456789-abcdefghijklmnopqrstuvwxyz';
const root = join(__dirname, '..');
const url = process.env.TEST_POSTGRES_URL;
if (url === undefined) throw new Error('TEST_POSTGRES_URL is not set.');
const server = new URL(url);
const folder = mkdtempSync(join(tmpdir(), 'canvas-host-bench-'));
const zx = join(root, 'node_modules', 'zx', 'build', 'cli.js');
// Peak memory as the process itself was told of it, in kB.
const meter = join(folder, 'meter.cjs');
writeFileSync(meter, `process.on('exit', () => require('node:fs').writeSync(2, 'peak ' + process.resourceUsage().maxRSS + '\\n'));\n`);

const urlOf = (database) => Object.assign(new URL(url), { pathname: `/${database}` }).href;

function run(words, env) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', meter, ...words], { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${words.join(' ')}\n${stdout}${stderr}`);
  return { ms, peak: Number(/peak (\d+)/.exec(stderr)?.[1]) / 1024 };
}

let files = 0;

function ours(database) {
  const targets = join(folder, `${database}.json`);
  const target = {
    engine: 'postgres', environment: 'test', server: server.hostname, port: Number(server.port || 5432), database,
    credentials: 'BENCH', encrypt: false,
  };
  writeFileSync(targets, JSON.stringify({ default: 'bench', targets: { bench: target } }));
  const env = {
    ...process.env, NODE_ENV: '', CANVAS_TARGETS_FILE: targets, CANVAS_HMAC_KEY: KEY, BENCH_USER: decodeURIComponent(server.username),
    ...(server.password === '' ? {} : { BENCH_PASSWORD: decodeURIComponent(server.password) }),
  };
  const script = (name, ...words) => run([zx, join(root, 'scripts', `${name}.mjs`), ...words], env);
  return {
    prepare: () => [script('enrol', '--target', 'bench', '--confirm', database), script('migrate')],
    provision: () => script('provision', '--all', '--if-exists', 'keep', '--out', join(folder, `guids-${(files += 1)}`)),
    rotate: () => script('rotate', '--all', '--out', join(folder, `guids-${(files += 1)}`)),
    revoke: () => script('revoke', '--all'),
  };
}

function floor(database) {
  const env = { ...process.env, TEST_POSTGRES_URL: urlOf(database) };
  const program = (verb, ...words) => run([join(__dirname, 'bulk', 'floor.cjs'), verb, KEY, ...words], env);
  return {
    provision: () => program('provision', join(folder, `guids-${(files += 1)}`)),
    rotate: () => program('rotate', join(folder, `guids-${(files += 1)}`)),
    revoke: () => program('revoke'),
  };
}

async function fill(database, sessions) {
  const client = new pg.Client({ connectionString: urlOf(database) });
  await client.connect();
  await client.query(`
    CREATE SCHEMA dbo;
    CREATE TABLE dbo."Sessions" ("SessionID" int PRIMARY KEY, "SessionName" text, "Description" text);
    CREATE TABLE dbo."SessionTranscripts" ("TranscriptID" int PRIMARY KEY, "SessionID" int, "Transcript" text);
    INSERT INTO dbo."Sessions" SELECT n, 'Session ' || n, NULL FROM generate_series(1, ${sessions}) n;
    INSERT INTO dbo."SessionTranscripts" SELECT n, n, '<p>Text</p>' FROM generate_series(1, ${sessions}) n;
    ANALYZE dbo."Sessions", dbo."SessionTranscripts";`);
  await client.end();
}

const VERBS = ['provision', 'rotate', 'revoke'];
const middle = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function pair(client, number) {
  const names = { ours: `bench_ours_${process.pid}_${number}`, floor: `bench_floor_${process.pid}_${number}`, few: `bench_few_${process.pid}_${number}` };
  try {
    for (const name of Object.values(names)) {
      await client.query(`CREATE DATABASE ${name}`);
      await fill(name, name === names.few ? FEW : SESSIONS);
      ours(name).prepare();
    }
    return VERBS.map((verb) => ({ verb, floor: floor(names.floor)[verb](), ours: ours(names.ours)[verb](), few: ours(names.few)[verb]() }));
  } finally {
    for (const name of Object.values(names)) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
}

async function main() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const runs = [];
    for (let number = 0; number < PAIRS; number += 1) runs.push(...(await pair(client, number)));
    for (const verb of VERBS) {
      const of = runs.filter((one) => one.verb === verb);
      const ratio = middle(of.map((one) => one.floor.ms / one.ours.ms));
      const more = middle(of.map((one) => one.ours.peak - one.few.peak));
      console.log(
        `${verb.padEnd(9)} ${SESSIONS} sessions: ours ${middle(of.map((one) => one.ours.ms)).toFixed(0)} ms, by hand ${middle(of.map((one) => one.floor.ms)).toFixed(0)} ms, ` +
          `throughput ${ratio.toFixed(2)} of it (aim: at least 0.6); memory ${more.toFixed(0)} MB above a run with ${FEW} (aim: at most 30)`,
      );
    }
  } finally {
    await client.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
