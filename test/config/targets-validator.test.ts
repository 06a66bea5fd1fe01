import Ajv from 'ajv';
import standalone from 'ajv/dist/standalone';
import test from 'ava';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import schema from '../../lib/config/targets.schema.json';

// Compiling the schema takes a sixth of a command's start, so what Ajv makes of it stands in the repository. A
// deliberate change of the schema: run this test, which fails once and writes the file anew; commit both.
test('the validator of targets.json is what Ajv makes of its schema', (t) => {
  const path = join(PACKAGE_ROOT, 'lib', 'config', 'targets.validator.cjs');
  const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, code: { source: true, lines: true } });
  const head = '// Made by Ajv from targets.schema.json; test/config/targets-validator.test.ts compares.\n';
  const code = `${head}${standalone(ajv, ajv.compile(schema))}\n`;
  const committed = readFileSync(path, 'utf8');
  if (committed !== code && process.env['CI'] === undefined) writeFileSync(path, code);
  t.is(committed, code);
});
