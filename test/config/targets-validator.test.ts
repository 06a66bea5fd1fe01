import Ajv from 'ajv';
import standalone from 'ajv/dist/standalone';
import test from 'ava';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import schema from '../../lib/config/targets.schema.json';

// Compiling the schema takes a sixth of a command's start, so what Ajv makes of it stands in the repository. A
// deliberate change of the schema: delete the file, run this test once, commit both.
test('the validator of targets.json is what Ajv makes of its schema', (t) => {
  const path = join(PACKAGE_ROOT, 'lib', 'config', 'targets.validator.cjs');
  const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, code: { source: true, lines: true } });
  const head = '// Made by Ajv from targets.schema.json; test/config/targets-validator.test.ts compares.\n';
  const code = `${head}${standalone(ajv, ajv.compile(schema))}\n`;
  if (!existsSync(path) && process.env['CI'] === undefined) writeFileSync(path, code);
  t.is(readFileSync(path, 'utf8'), code);
});
