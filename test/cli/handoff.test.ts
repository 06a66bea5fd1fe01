import test from 'ava';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deliverFirst } from '../../lib/cli/handoff';
import { faults } from '../../lib/errors';
import { makeOrders } from '../../lib/hosts/handoff';
import { scratchFolder } from '../helpers/lanes';

test('GUIDs are in their file before anything else is written, and leave it when that fails', (t) => {
  const folder = scratchFolder(t);
  const [path, bundle] = [join(folder, 'guids.txt'), join(folder, 'bundle')];
  const orders = makeOrders([15, 212]);
  const expected = orders.map(({ guid, ksessionsId }) => `${ksessionsId} ${guid.reveal()}\n`).join('');
  deliverFirst(path, bundle, orders, () => t.is(readFileSync(path, 'utf8'), expected));
  t.is(readFileSync(path, 'utf8'), expected);
  const other = join(folder, 'other.txt');
  const failure = faults.handoffExists(bundle);
  const thrown = t.throws(() => deliverFirst(other, bundle, orders, () => {
    t.is(readFileSync(other, 'utf8'), expected);
    throw failure;
  }));
  t.is(thrown, failure);
  t.false(existsSync(other));
});
