'use strict';
// The release gate on PostgreSQL with many host sessions and their trails, as a whole process, against a program that reads
// the same rows over the same driver once and computes the seal of every event anew (bench/verify/floor.cjs); and its
// memory at its peak. Needs TEST_POSTGRES_URL.
//   node bench/verify.cjs [host sessions] [pairs]
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { URL } = require('node:url');
const pg = require('pg');

const SESSIONS = Number(process.argv[2] ?? 100_000);
const PAIRS = Number(process.argv[3] ?? 3);
const KEY = 'bench: a key that opens nothing, of some length';
const root = join(__dirname, '..');
const url = process.env.TEST_POSTGRES_URL;
if (url === undefined) throw new Error('TEST_POSTGRES_URL is not set.');
const server = new URL(url);
const folder = mkdtempSync(join(tmpdir(), 'canvas-host-bench-'));
const zx = join(root, 'node_modules', 'zx', 'build', 'cli.js');
const database = `bench_verify_${process.pid}`;
// Peak memory as the process itself was told of it, in kB.
const meter = join(folder, 'meter.cjs');
writeFileSync(meter, `process.on('exit', () => require('node:fs').writeSync(2, 'peak ' + process.resourceUsage().maxRSS + '\\n'));\n`);

const urlOf = (name) => Object.assign(new URL(url), { pathname: `/${name}` }).href;

function environment() {
  const targets = join(folder, 'targets.json');
  const target = {
    engine: 'postgres', environment: 'test', server: server.hostname, port: Number(server.port || 5432), database, credentials: 'BENCH', encrypt: false,
  };
  writeFileSync(targets, JSON.stringify({ default: 'bench', targets: { bench: target } }));
  return {
    ...process.env, NODE_ENV: '', CANVAS_TARGETS_FILE: targets, CANVAS_HMAC_KEY: KEY, BENCH_USER: decodeURIComponent(server.username),
    ...(server.password === '' ? {} : { BENCH_PASSWORD: decodeURIComponent(server.password) }),
  };
}

function run(words, env) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', meter, ...words], { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${words.join(' ')}\n${stdout}${stderr}`);
  return { ms, peak: Number(/peak (\d+)/.exec(stderr)?.[1]) / 1024, stdout };
}

const script = (env, name, ...words) => run([zx, join(root, 'scripts', `${name}.mjs`), ...words], env);

// An administrator looks here, which is a finding of its own and no matter of scale.
const verify = (env) => script(env, 'verify', '--json', '--skip', 'security.harm', '--skip', 'security.login');
const floor = () => run([join(__dirname, 'verify', 'floor.cjs'), KEY], { ...process.env, TEST_POSTGRES_URL: urlOf(database) });

async function fill(env) {
  const client = new pg.Client({ connectionString: urlOf(database) });
  await client.connect();
  await client.query(`
    CREATE SCHEMA dbo;
    CREATE TABLE dbo."Sessions" ("SessionID" int PRIMARY KEY, "SessionName" text, "Description" text);
    CREATE TABLE dbo."SessionTranscripts" ("TranscriptID" int PRIMARY KEY, "SessionID" int, "Transcript" text);
    INSERT INTO dbo."Sessions" SELECT n, 'Session ' || n, NULL FROM generate_series(1, ${SESSIONS}) n;
    INSERT INTO dbo."SessionTranscripts" SELECT n, n, '<p>Text</p>' FROM generate_series(1, ${SESSIONS}) n;`);
  // Three events each: provisioned, rotated, rotated.
  script(env, 'enrol', '--target', 'bench', '--confirm', database);
  script(env, 'migrate');
  for (const turn of [1, 2, 3]) script(env, 'provision', '--all', '--if-exists', 'rotate', '--out', join(folder, `guids-${turn}`));
  await client.query('VACUUM ANALYZE');
  await client.end();
}

const middle = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

function measure(env) {
  verify(env);
  const pairs = [];
  for (let number = 0; number < PAIRS; number += 1) pairs.push({ floor: floor(), ours: verify(env) });
  const ours = middle(pairs.map((pair) => pair.ours.ms));
  const plain = middle(pairs.map((pair) => pair.floor.ms));
  const ratio = middle(pairs.map((pair) => pair.ours.ms / pair.floor.ms));
  const peak = Math.max(...pairs.map((pair) => pair.ours.peak));
  const { checks, verdict } = JSON.parse(pairs[0].ours.stdout);
  console.log(
    `verify ${SESSIONS} host sessions, ${pairs[0].floor.stdout.trim()}: ${ours.toFixed(0)} ms, plain scans ${plain.toFixed(0)} ms, ` +
      `ratio ${ratio.toFixed(2)} (aim: at most 2); peak ${peak.toFixed(0)} MB (aim: at most 300); verdict ${verdict}`,
  );
  const slowest = checks.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, 8);
  console.log(slowest.map(({ durationMs, id }) => `  ${id} ${durationMs} ms`).join('\n'));
}

async function main() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${database}`);
    const env = environment();
    await fill(env);
    console.error('Filled; measuring.');
    measure(env);
  } finally {
    await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    await client.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
