'use strict';
// Stock Knex under the race that `npm run faults` runs on this toolkit: many first runs of `knex migrate:latest` at
// once, on an empty and on a half-migrated PostgreSQL database, with as many migrations as this toolkit has. A runner
// is fine when it exits 0 or says that it found the lock taken; a database when each migration was applied once and a
// run afterwards works. Needs TEST_POSTGRES_URL.
//   node bench/rivals/knex-race.cjs [rounds] [numbers of runners, as 6,20]
const { spawn } = require('node:child_process');
const { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { URL } = require('node:url');
const pg = require('pg');

const ROUNDS = Number(process.argv[2] ?? 50);
const RUNNERS = (process.argv[3] ?? '6,20').split(',').map(Number);
const MIGRATIONS = 4;
const root = join(__dirname, '..', '..');
const cli = join(root, 'node_modules', 'knex', 'bin', 'cli.js');
const url = process.env.TEST_POSTGRES_URL;
if (url === undefined) throw new Error('TEST_POSTGRES_URL is not set.');

const urlOf = (database) => Object.assign(new URL(url), { pathname: `/${database}` }).href;

async function ask(database, sql) {
  const client = new pg.Client({ connectionString: database === undefined ? url : urlOf(database) });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function makePackage(folder, database) {
  mkdirSync(join(folder, 'migrations'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  writeFileSync(join(folder, 'package.json'), '{ "name": "stock", "private": true }');
  writeFileSync(join(folder, 'knexfile.js'), `module.exports = ${JSON.stringify({ client: 'pg', connection: urlOf(database) })};\n`);
  for (let number = 1; number <= MIGRATIONS; number += 1) {
    const body = `exports.up = (knex) => knex.schema.createTable('t${number}', (table) => { table.increments(); });\n` +
      `exports.down = (knex) => knex.schema.dropTable('t${number}');\n`;
    writeFileSync(join(folder, 'migrations', `2026010100000${number}_t${number}.js`), body);
  }
}

function knex(folder, ...words) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [cli, ...words], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (part) => (text += part));
    child.stderr.on('data', (part) => (text += part));
    child.on('close', (code) => resolve({ code, text }));
  });
}

async function round(runners, beginning) {
  const folder = mkdtempSync(join(tmpdir(), 'knex-race-'));
  const database = `knex_race_${process.pid}`;
  await ask(undefined, `CREATE DATABASE ${database}`);
  try {
    makePackage(folder, database);
    for (let number = 1; beginning === 'half' && number <= MIGRATIONS / 2; number += 1) await knex(folder, 'migrate:up');
    const ends = await Promise.all(Array.from({ length: runners }, () => knex(folder, 'migrate:latest')));
    const failed = ends.filter(({ code }) => code !== 0);
    const locked = failed.filter(({ text }) => /already locked/.test(text));
    const after = await knex(folder, 'migrate:latest');
    const rows = await ask(database, 'SELECT name FROM knex_migrations').catch(() => []);
    const isOnce = rows.length === MIGRATIONS && new Set(rows.map(({ name }) => name)).size === MIGRATIONS;
    return { runs: runners, locked: locked.length, broken: failed.length - locked.length, stuck: after.code === 0 && isOnce ? 0 : 1 };
  } finally {
    await ask(undefined, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  for (const runners of RUNNERS) {
    for (const beginning of ['empty', 'half']) {
      const sum = { runs: 0, locked: 0, broken: 0, stuck: 0 };
      for (let number = 0; number < ROUNDS; number += 1) {
        const one = await round(runners, beginning);
        for (const key of Object.keys(sum)) sum[key] += one[key];
      }
      console.log(
        `${runners} runners, ${beginning} database: of ${sum.runs} runs ${sum.locked} found the lock taken, ${sum.broken} failed otherwise; ` +
          `${sum.stuck} of ${ROUNDS} databases could not be migrated any more`,
      );
    }
  }
}

main();
