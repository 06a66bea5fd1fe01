'use strict';
// How long the main command takes, warm, as a ratio to the floor: opening the same database with nothing but PGlite
// and asking one question. Both as whole processes, in turn, so that a machine's changing speed hits both.
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const ROUNDS = Number(process.argv[2] ?? 15);
const root = join(__dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'canvas-host-bench-'));
const targets = join(folder, 'targets.json');
writeFileSync(targets, JSON.stringify({
  default: 'bench',
  targets: { bench: { engine: 'pglite', environment: 'test', path: 'embedded' } },
}));
const env = { ...process.env, CANVAS_TARGETS_FILE: targets, NODE_ENV: '' };

const command = [join(root, 'node_modules', 'zx', 'build', 'cli.js'), join(root, 'scripts', 'provision.mjs'), '15'];
const floor = ['-e', `
  const { PGlite } = require(${JSON.stringify(require.resolve('@electric-sql/pglite', { paths: [root] }))});
  PGlite.create(${JSON.stringify(join(folder, 'embedded', 'db'))})
    .then(async (db) => { await db.query('SELECT 1'); await db.close(); });
`];

function time(words) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, words, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - start;
}

const middle = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

try {
  time(command); // makes the database
  time(command); // warms the caches
  const pairs = Array.from({ length: ROUNDS }, () => ({ command: time(command), floor: time(floor) }));
  const ratios = pairs.map((pair) => pair.command / pair.floor);
  console.log(`provision 15, warm   median ${middle(pairs.map((p) => p.command)).toFixed(0)} ms`);
  console.log(`PGlite open + query  median ${middle(pairs.map((p) => p.floor)).toFixed(0)} ms`);
  console.log(`ratio                median ${middle(ratios).toFixed(2)} (${ROUNDS} pairs, aim: at most 2)`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
