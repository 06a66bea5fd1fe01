import test from 'ava';
import { groupOf, GROUPS } from '../../lib/checks/check';
import { CHECKS, knownWords } from '../../lib/checks/registry';
import { REMOVALS } from './canary';
import { FAULTS, REFUSED } from './faults.table';

const ids = [...CHECKS.beforehand, ...CHECKS.there].map(({ id }) => id);

test('every check has a fault that it is shown to see, or a refusal that comes before it', (t) => {
  t.deepEqual(ids.filter((id) => !(id in FAULTS) && !(id in REFUSED) && !(id in REMOVALS)), []);
});

test('every fault is that of a check there is, and names checks there are', (t) => {
  const named = Object.values(FAULTS).flatMap((fault) => [...Object.keys(fault?.also ?? {}), ...Object.keys(fault?.unknown ?? {})]);
  t.deepEqual([...Object.keys(FAULTS), ...Object.keys(REFUSED), ...Object.keys(REMOVALS), ...named].filter((id) => !ids.includes(id as (typeof ids)[number])), []);
});

test('ids are unique, and each belongs to a group', (t) => {
  t.is(new Set(ids).size, ids.length);
  t.deepEqual(ids.filter((id) => !(groupOf(id) in GROUPS)), []);
  t.deepEqual(knownWords(CHECKS).filter((word) => !word.includes('.') && !(word in GROUPS)), []);
});
