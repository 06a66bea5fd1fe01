'use strict';
// How long `npm run migrate` takes, as a ratio to stock `npx knex migrate:latest` with the same files: plain JavaScript
// and a knexfile.js for stock Knex, which is the fastest it can be. First runs, which apply all files, and runs with
// nothing to do, after one that does not count. Whole processes, in turn, so that a machine's changing speed hits both.
// The files do nothing, or (tables) each tenth makes a table and the others add columns to it. Stock Knex applies all
// of them in one transaction, this toolkit each in its own. Needs TEST_POSTGRES_URL.
//   node bench/migrate.cjs [pairs] [numbers of files, as 10,1000] [nothing|tables] [pairs of first runs]
const { spawnSync } = require('node:child_process');
const { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { URL } = require('node:url');
const pg = require('pg');

const PAIRS = Number(process.argv[2] ?? 15);
const COUNTS = (process.argv[3] ?? '10,1000').split(',').map(Number);
const KIND = process.argv[4] ?? 'nothing';
const FIRST_PAIRS = Number(process.argv[5] ?? 1);
const root = join(__dirname, '..');
const url = process.env.TEST_POSTGRES_URL;
if (url === undefined) throw new Error('TEST_POSTGRES_URL is not set.');
const server = new URL(url);

const BODIES = {
  nothing: () => 'exports.up = async () => {};\nexports.down = async () => {};\n',
  tables(number) {
    const table = `Table${Math.floor((number - 1) / 10)}`;
    const column = number % 10 === 1 ? 'Id' : `Column${number}`;
    const verb = column === 'Id' ? 'createTable' : 'alterTable';
    return `exports.shape = { ${table}: { columns: { ${column}: { type: 'integer', nullable: true } } } };\n` +
      `exports.up = (knex) => knex.schema.withSchema('canvas').${verb}('${table}', (table) => { table.integer('${column}'); });\n` +
      `exports.down = async () => {};\n`;
  },
};

function writeMigrations(folder, count) {
  mkdirSync(folder, { recursive: true });
  for (let number = 1; number <= count; number += 1) {
    const name = `2026${String(number).padStart(10, '0')}_migration_${number}.js`;
    writeFileSync(join(folder, name), `'use strict';\n${BODIES[KIND](number)}// ${number}\n`);
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

function tell(title, pairs) {
  const [ours, stock] = ['ours', 'stock'].map((who) => middle(pairs.map((one) => one[who])).toFixed(0));
  const ratio = middle(pairs.map((one) => one.ours / one.stock)).toFixed(2);
  console.log(`${title}: ratio ${ratio} (medians: ours ${ours} ms, stock ${stock} ms; ${pairs.length} pairs)`);
}

async function makeDatabases(client, databases, ours) {
  for (const database of databases) {
    await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${database}`);
  }
  run(ours, 'npx', ['zx', 'scripts/enrol.mjs', '--target', 'bench', '--confirm', databases[0]]);
  const stock = new pg.Client({ connectionString: Object.assign(new URL(url), { pathname: `/${databases[1]}` }).href });
  await stock.connect();
  await stock.query('CREATE SCHEMA canvas');
  await stock.end();
}

async function compare(client, count) {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-bench-'));
  const databases = [`bench_ours_${process.pid}`, `bench_stock_${process.pid}`];
  const [ours, stock] = [join(folder, 'ours'), join(folder, 'stock')];
  const pair = () => ({ ours: run(ours, 'npm', ['run', '--silent', 'migrate']), stock: run(stock, 'npx', ['knex', 'migrate:latest']) });
  try {
    makeOurs(ours, count, databases[0]);
    makeStock(stock, count, databases[1]);
    const first = [];
    for (let number = 0; number < FIRST_PAIRS; number += 1) {
      await makeDatabases(client, databases, ours);
      first.push(pair());
    }
    tell(`${count} files (${KIND}), first run`, first);
    pair();
    tell(`${count} files (${KIND}), nothing to do, aim at most 1`, Array.from({ length: PAIRS }, pair));
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
