#!/usr/bin/env zx
// The line of the release checklist: check-config, migrate status and verify, in that order, with one verdict. Reads only.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');

await toolkit.runCommand({
  script: 'release-check.mjs',
  summary:
    'Is the named target ready for a release: compares the configuration of components, looks for pending migrations, and runs ' +
    'the release gate. It stops at nothing, tells all, and exits with the highest code of its steps. A step that was not run is ' +
    'no pass. Writes nothing to the database.',
  positionals: '',
  options: toolkit.RELEASE_OPTIONS,
  repeatable: ['config', 'skip'],
  examples: [
    ['$0 --target staging --config web --config provisioner', 'everything, with the configuration of two components'],
    ['$0 --target staging --config web --out release-7', 'the same, with the report as HTML, JUnit XML and JSON in a folder'],
  ],
  run: toolkit.releaseCheck,
});
