'use strict';
// Runs the tests of one engine, and fails when its server is not named or does not answer: `npm test` skips aloud, a
// lane does not. What follows the variable goes to AVA.
const { spawnSync } = require('node:child_process');
const { connect } = require('node:net');
const { join } = require('node:path');
const { URL } = require('node:url');

const [lane, variable, ...rest] = process.argv.slice(2);
const PORTS = { postgres: 5432, mssql: 1433 };

/** Why there is no server to run on, or undefined. The URL itself has a password in it. */
async function obstacle(url) {
  if (!url) return `The ${lane} lane needs ${variable}, for example ${lane}://user:password@127.0.0.1/database`;
  if (!URL.canParse(url)) return `${variable} is no URL.`;
  const { hostname, port } = new URL(url);
  const address = { host: hostname, port: Number(port || PORTS[lane]), timeout: 15_000 };
  const failure = await new Promise((resolve) => {
    const socket = connect(address, () => resolve(undefined));
    socket.on('error', ({ code }) => resolve(code)).on('timeout', () => resolve('no answer'));
    socket.once('connect', () => socket.destroy()).once('timeout', () => socket.destroy());
  });
  return failure && `The ${lane} lane found no server at ${address.host}:${address.port} (${variable}): ${failure}`;
}

void obstacle(process.env[variable]).then((why) => {
  if (why !== undefined) {
    console.error(why);
    process.exitCode = 1;
    return;
  }
  // Not by npx: on Windows that takes a shell, which would part the pattern at its space.
  const ava = join(__dirname, '../../node_modules/ava/entrypoints/cli.mjs');
  const { status } = spawnSync(process.execPath, [ava, `--match=${lane}: *`, ...rest], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
