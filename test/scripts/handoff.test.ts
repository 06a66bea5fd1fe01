import test from 'ava';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTargets } from '../helpers/lanes';
import { jsonLines, runHere } from '../helpers/script';

test.serial('handoff writes its files without a target, a key or a server, and never twice into one folder', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-handoff-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // Whoever dialled this would fail.
  const nowhere = { engine: 'mssql', environment: 'test', server: 'nowhere.invalid', port: 1, database: 'X', credentials: 'X' };
  const scratch = writeTargets(folder, nowhere, { CANVAS_HMAC_KEY: undefined });
  const words = ['--database', 'KSESSIONS', '--out', 'bundle', '--json'];
  const first = await runHere(scratch, 'handoff', words);
  t.is(first.code, 0, first.stderr);
  t.like(jsonLines(first)[0], { schema: 'canvas-host/1', status: 'handed-off', database: 'KSESSIONS', out: 'bundle' });
  t.deepEqual(readdirSync(join(folder, 'bundle')).sort(), ['MANIFEST.json', 'migrate.sql', 'preflight.sql', 'verify.sql']);
  for (const more of [[], ['--target', 'scratch']]) {
    const refused = await runHere(scratch, 'handoff', [...words, ...more]);
    t.is(refused.code, 2);
    t.like(jsonLines(refused)[0], { status: 'error', code: 'USAGE' });
  }
});
