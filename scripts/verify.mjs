#!/usr/bin/env zx
// The release gate: every check, a verdict, and what mends what it finds. With --guid-file: does a host GUID authenticate.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { gate } = toolkit;

await toolkit.runCommand({
  script: 'verify.mjs',
  summary:
    'The release gate: looks at target, migrations, schema, data, credentials and trail, says what does not hold and what ' +
    'mends it. What could not be looked at is no pass. Writes nothing. With --guid-file it looks at that alone: does the ' +
    'host GUID open its session; exit 1 when it does not.',
  positionals: '',
  options: { ...gate.GATE_OPTIONS, ...toolkit.GUID_CHECK_OPTIONS },
  repeatable: ['only', 'skip', 'config'],
  examples: [
    ['$0 --target dev', 'everything; exit 1 when something does not hold'],
    ['$0 --list', 'what is looked at'],
    ['$0 --only credentials --only audit.chains', 'a group and one check'],
    ['$0 --skip source --format json --out report.json', 'without a group, into a file'],
    ['$0 --guid-file guid.txt', 'one GUID, or one a line; also a file that --out wrote'],
    ['$0 --guid-file - --record-use < guid.txt', 'from standard input; stores that it was used'],
  ],
  async run(run) {
    const guids = await toolkit.readGuids(run.words);
    if (guids === undefined) return gate.verify(run);
    const request = { ...toolkit.readingRequest(run), needs: toolkit.CONSOLIDATE_NEEDS };
    await toolkit.withAccess(request, (open) => toolkit.checkGuids(run, open, guids));
  },
});
