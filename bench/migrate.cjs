'use strict';
// How long `npm run migrate` takes with nothing to do, as a ratio to stock `npx knex migrate:latest` with the same
// files: plain JavaScript and a knexfile.js for stock Knex, which is the fastest it can be. Whole processes, in turn, so
// that a machine's changing speed hits both. Needs TEST_POSTGRES_URL.
//   node bench/migrate.cjs [pairs] [numbers of files, as 10,1000]
const { spawnSync } = require('node:child_process');
const { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { URL } = require('node:url');
const pg = require('pg');

const PAIRS = Number(process.argv[2] ?? 15);
const COUNTS = (process.argv[3] ?? '10,1000').split(',').map(Number);
const root = join(__dirname, '..');
const url = process.env.TEST_POSTGRES_URL;
if (url === undefined) throw new Error('TEST_POSTGRES_URL is not set.');
const server = new URL(url);

function writeMigrations(folder, count) {
  mkdirSync(folder, { recursive: true });
  for (let number = 1; number <= count; number += 1) {
    const name = `2026${String(number).padStart(10, '0')}_migration_${number}.js`;
    writeFileSync(join(folder, name), `'use strict';\nexports.up = async () => {};\nexports.down = async () => {};\n// ${number}\n`);
  }
}

/** The package with other migrations, and a target of its own. */
function makeOurs(folder, count, database) {
  for (const part of ['lib', 'seeds', 'scripts', 'package.json', 'tsconfig.json']) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  writeMigrations(join(folder, 'migrations'), count);
  const target = {
    engine: 'postgres', environment: 'test', server: server.hostname, port: Number(server.port || 5432), database,
    credentials: 'BENCH', encrypt: false,
  };
  writeFileSync(join(folder, 'targets.json'), JSON.stringify({ default: 'bench', targets: { bench: target } }));
}

function makeStock(folder, count, database) {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "name": "stock", "private": true }');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  writeMigrations(join(folder, 'migrations'), count);
  const connection = Object.assign(new URL(url), { pathname: `/${database}` }).href;
  writeFileSync(join(folder, 'knexfile.js'), `module.exports = ${JSON.stringify({ client: 'pg', connection })};\n`);
}

function run(folder, command, words) {
  const env = {
    ...process.env, NODE_ENV: '', CANVAS_TARGETS_FILE: join(folder, 'targets.json'),
    BENCH_USER: decodeURIComponent(server.username),
    ...(server.password === '' ? {} : { BENCH_PASSWORD: decodeURIComponent(server.password) }),
  };
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(command, words, { cwd: folder, env, encoding: 'utf8', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}\n${stdout}${stderr}`);
  return performance.now() - start;
}

const middle = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function compare(client, count) {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-bench-'));
  const databases = [`bench_ours_${process.pid}`, `bench_stock_${process.pid}`];
  const [ours, stock] = [join(folder, 'ours'), join(folder, 'stock')];
  try {
    for (const database of databases) await client.query(`CREATE DATABASE ${database}`);
    makeOurs(ours, count, databases[0]);
    makeStock(stock, count, databases[1]);
    run(ours, 'npx', ['zx', 'scripts/enrol.mjs', '--target', 'bench', '--confirm', databases[0]]);
    const migrate = () => run(ours, 'npm', ['run', '--silent', 'migrate']);
    const knex = () => run(stock, 'npx', ['knex', 'migrate:latest']);
    const first = { ours: migrate(), stock: knex() };
    const pairs = Array.from({ length: PAIRS }, () => ({ ours: migrate(), stock: knex() }));
    console.log(`${count} files, first run       ours ${first.ours.toFixed(0)} ms, stock ${first.stock.toFixed(0)} ms`);
    console.log(`${count} files, nothing to do   ours median ${middle(pairs.map((one) => one.ours)).toFixed(0)} ms, stock ${middle(pairs.map((one) => one.stock)).toFixed(0)} ms`);
    console.log(`${count} files, ratio           median ${middle(pairs.map((one) => one.ours / one.stock)).toFixed(2)} (${PAIRS} pairs, aim: at most 1)`);
  } finally {
    for (const database of databases) await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const count of COUNTS) await compare(client, count);
  } finally {
    await client.end();
  }
}

main();
