'use strict';
// The door from plain JavaScript (zx scripts, knexfile users) to the TypeScript of lib/.
// ts-node takes its options from the working directory unless told otherwise; the working directory
// must never matter, so the package root is named here.
const { join } = require('node:path');

require('ts-node').register({ cwd: join(__dirname, '..'), transpileOnly: true });

module.exports = require('./index');
