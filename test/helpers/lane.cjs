'use strict';
// Runs the tests of one engine, and fails when its server is not named: `npm test` skips aloud, a lane does not.
const { spawnSync } = require('node:child_process');

const [lane, variable] = process.argv.slice(2);
if (!process.env[variable]) {
  console.error(`The ${lane} lane needs ${variable}, for example ${lane}://user:password@127.0.0.1/database`);
  process.exitCode = 1;
} else {
  const { status } = spawnSync('npx', ['ava', `--match=${lane}: *`], { stdio: 'inherit', shell: process.platform === 'win32' });
  process.exitCode = status ?? 1;
}
