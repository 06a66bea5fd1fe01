// Writes the guides that are made from the code: npm run docs
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { composeManual, composeVerifyGuide } = require('../lib/register.cjs');
const { composeIncidents } = require('../test/incidents/all.ts');

const write = (name, text) => writeFileSync(join(__dirname, name), text);

write('incidents.md', composeIncidents());
write('verify.md', composeVerifyGuide());
composeManual().then((text) => write('cli.md', text));
