#!/usr/bin/env zx
// Do appsettings.json and .env files agree with the target, with each other, and with what each is for? Connects to nothing.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');

await toolkit.runCommand({
  script: 'check-config.mjs',
  summary:
    'Compares the configuration of components with the target and with each other: appsettings.json with its override files, ' +
    '.env files, and the variables of this process, as .NET reads them. Names file and key, and no secret. Connects to nothing.',
  positionals: 'FILES…',
  complete: 'files',
  options: toolkit.CONFIGURATION_OPTIONS,
  examples: [
    ['$0 web provisioner --target dev', 'two components, by their folders'],
    ['$0 web/appsettings.json web/appsettings.Production.json', 'two files, with each other only'],
    ['$0 web --fail-on major', 'warnings are told and do not end with exit 1'],
  ],
  run: toolkit.checkConfig,
});
