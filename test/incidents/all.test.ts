import test from 'ava';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { BREAKS } from '../faults/incidents';
import { composeIncidents, THEMES } from './all';

const RECORDED = 42;

test('each incident that is recorded is replayed once, under its number', (t) => {
  const ids = THEMES.flatMap(({ incidents }) => incidents.map(({ id }) => id));
  t.deepEqual(ids, Array.from({ length: RECORDED }, (_, place) => `I-${String(place + 1).padStart(2, '0')}`));
});

test('every file that is named is there, and every theme has its test', (t) => {
  const named = THEMES.flatMap(({ file, incidents }) => [`test/incidents/${file}.test.ts`, ...incidents.flatMap(({ where }) => where)]);
  t.deepEqual(named.filter((path) => !existsSync(join(PACKAGE_ROOT, path))), []);
});

test('docs/incidents.md says what is replayed', (t) => {
  const written = readFileSync(join(PACKAGE_ROOT, 'docs', 'incidents.md'), 'utf8').replaceAll('\r\n', '\n');
  t.is(written, composeIncidents(), 'write it anew: npm run docs');
});

test('what `npm run faults` breaks still stands where it is broken', (t) => {
  const moved = BREAKS.filter(({ code, file }) => !readFileSync(join(PACKAGE_ROOT, file), 'utf8').replaceAll('\r\n', '\n').includes(code));
  t.deepEqual(moved.map(({ id }) => id), []);
});
