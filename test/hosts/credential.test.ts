import test from 'ava';
import { inspect } from 'node:util';
import { HmacKey } from '../../lib/config/keys';
import { HostGuid } from '../../lib/hosts/credential';

// The public constant of the old tool: refused as a real key, good as a test vector.
const OLD_KEY = new HmacKey(Buffer.from('NOOR-CANVAS-HOST-SECRET-2025', 'utf8'));
const VECTORS = [
  ['6ba39809-bc5a-498e-956a-fcbb3f39e017', 'y1vxI979EqfWe+mK3zRG1GgyVtdm+WLdFTAXI7nk1p8='],
  ['cd66d6f7-11a3-4101-be91-3a85c0da792a', 'S+9E4LHFx2HXQZ81ZX9bloM2oH9ghpJ+bRufFswU/ww='],
] as const;

test('the hash is that of the old tool', (t) => {
  for (const [guid, hash] of VECTORS) t.is(HostGuid.parse(guid)?.hash(OLD_KEY), hash);
});

test('every spelling of a GUID is the same credential; nothing else is one', (t) => {
  const [guid, hash] = VECTORS[0];
  for (const spelling of [guid.toUpperCase(), `{${guid}}`, guid.replaceAll('-', ''), ` ${guid}\n`]) {
    t.is(HostGuid.parse(spelling)?.hash(OLD_KEY), hash, spelling);
  }
  for (const other of ['', hash, `${guid}0`, `{${guid}`, guid.replace('-', ''), guid.replace('6', 'g')]) {
    t.is(HostGuid.parse(other), undefined, other);
  }
});

test('neither a GUID nor a key shows itself', (t) => {
  const guid = HostGuid.make();
  const text = `${String(guid)} ${JSON.stringify({ guid })} ${inspect({ guid, list: [guid] }, { showHidden: true })}`;
  t.false(text.includes(guid.reveal()));
  const key = `${String(OLD_KEY)} ${JSON.stringify({ OLD_KEY })} ${inspect(OLD_KEY, { showHidden: true, depth: 9 })}`;
  t.false(key.includes('NOOR'));
  t.regex(OLD_KEY.id, /^[0-9a-f]{16}$/);
});

test('a new GUID is a UUID version 4, and the hash itself is not the credential', (t) => {
  const guid = HostGuid.make();
  t.regex(guid.reveal(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.true(guid.matches(OLD_KEY, guid.hash(OLD_KEY)));
  t.false(guid.matches(OLD_KEY, guid.hash(OLD_KEY).toLowerCase()));
  t.not(guid.fingerprint(OLD_KEY), guid.hash(OLD_KEY).slice(0, 16));
});
