// Writes docs/cli.md from the definitions of the commands: npm run docs
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { composeManual } = require('../lib/register.cjs');

composeManual().then((text) => writeFileSync(join(__dirname, 'cli.md'), text));
