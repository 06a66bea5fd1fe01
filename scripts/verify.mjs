#!/usr/bin/env zx
// The release gate: every check, a verdict, and what mends what it finds. Reads only.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { gate } = toolkit;

await toolkit.runCommand({
  script: 'verify.mjs',
  summary:
    'The release gate: looks at target, migrations, schema, data, credentials and trail, says what does not hold and what ' +
    'mends it. What could not be looked at is no pass. Writes nothing.',
  positionals: '',
  options: gate.GATE_OPTIONS,
  repeatable: ['only', 'skip'],
  examples: [
    ['$0 --target dev', 'everything; exit 1 when something does not hold'],
    ['$0 --list', 'what is looked at'],
    ['$0 --only credentials --only audit.chains', 'a group and one check'],
    ['$0 --skip source --format json --out report.json', 'without a group, into a file'],
  ],
  run: gate.verify,
});
