import test from 'ava';
import { requireTarget, type Access } from '../../lib/access';
import { HmacKey, readKeys, type KeyRing } from '../../lib/config/keys';
import { readClock } from '../../lib/engines/database';
import { authenticateHost, type Authentication } from '../../lib/hosts/authenticate';
import { consolidate } from '../../lib/hosts/consolidate';
import { execute, lanes, scratchFolder, TEST_KEY, writeTargets, type Lane } from '../helpers/lanes';
import { legacyGuid, legacyHash, migratedLegacy, OLD_KEY, openForRepair } from '../helpers/legacy';
import { provisionHere } from '../helpers/state';

const keyOf = (text: string) => new HmacKey(Buffer.from(text, 'utf8'));

/** The ring of a target that lets credentials of the old tool verify. */
const withLegacy = (keys: KeyRing): KeyRing => ({ ...keys, legacy: keyOf(OLD_KEY) });

async function ask({ database }: Access, keys: KeyRing, text: string): Promise<Authentication> {
  return authenticateHost(database.canvas, keys, text, await readClock(database));
}

test('the public key of the old tool verifies only where the target says so, and never signs', (t) => {
  const entry = {
    engine: 'postgres', environment: 'test', server: 'db.internal', database: 'canvas_test', credentials: 'SCRATCH',
  };
  const ringOf = (legacyKey: object) => {
    const { settings } = writeTargets(scratchFolder(t), { ...entry, ...legacyKey });
    return readKeys(settings, requireTarget(settings));
  };
  t.is(ringOf({}).legacy, undefined);
  const { all, legacy, signing } = ringOf({ legacyKey: 'verify' });
  t.is(legacy?.id, keyOf(OLD_KEY).id);
  t.deepEqual([signing.id, all.map(({ id }) => id)], [keyOf(TEST_KEY).id, [keyOf(TEST_KEY).id]]);
});

function exercise(lane: Lane): void {
  const name = (title: string) => `${lane.name}: ${title}`;

  test.serial(name('credentials of the old tool verify where the target allows it, in every spelling, with a warning'), async (t) => {
    const scratch = await migratedLegacy(t, lane, 'c');
    await openForRepair(scratch, async (open) => {
      const legacy = withLegacy(open.keys);
      for (const [id, ksessionsId, canvasSessionId] of [[19, 15, 219], [18, null, 215]] as const) {
        const guid = legacyGuid(id);
        t.deepEqual(await ask(open, open.keys, guid), { verdict: 'unknown', of: undefined, warning: undefined, advice: undefined });
        for (const spelling of [guid, guid.toUpperCase(), `{${guid}}`, guid.replaceAll('-', ''), ` ${guid}\n`]) {
          const answer = await ask(open, legacy, spelling);
          t.like(answer, { verdict: 'valid', warning: 'legacy-key', of: { hostSessionId: id, canvasSessionId, ksessionsId } });
        }
      }
      t.regex((await ask(open, legacy, legacyGuid(19))).advice ?? '', /provision\.mjs 15 --if-exists rotate --target scratch$/);
      t.regex((await ask(open, legacy, legacyGuid(18))).advice ?? '', /--link 215=KSESSIONS/);
      for (const text of [legacyHash(19), '', 'nonsense', legacyGuid(1), legacyGuid(19).replace('6', '7')]) {
        t.is((await ask(open, legacy, text)).verdict, 'unknown', `${text}: a stored hash is no credential (I-40)`);
      }
      t.is((await ask(open, legacy, legacyGuid(17))).verdict, 'revoked');
    });
  });

  test.serial(name('a row that names no key is tried against every key, one that names a key against that one'), async (t) => {
    const scratch = await migratedLegacy(t, lane, 'c');
    await openForRepair(scratch, async (open) => {
      const { guid } = await provisionHere(open, { ksessionsId: 212 });
      const signing = keyOf('next-key-abcdefghijklmnop-0123456789');
      const next: KeyRing = { signing, all: [signing, open.keys.signing], legacy: undefined };
      t.like(await ask(open, next, guid), { verdict: 'valid', warning: undefined, of: { ksessionsId: 212 } });
      t.is((await ask(open, { ...next, all: [next.signing] }, guid)).verdict, 'unknown', 'its key was taken away');

      const hosts = 'UPDATE canvas."HostSessions" SET "HashKeyId" =';
      const row = `WHERE "GuidFingerprint" IS NOT NULL`;
      await execute(open, `${hosts} NULL ${row}`);
      t.is((await ask(open, next, guid)).verdict, 'valid');
      await execute(open, `${hosts} '${next.signing.id}' ${row}`);
      t.is((await ask(open, next, guid)).verdict, 'unknown', 'under the key it names it is another hash');
      // Nobody made a credential under the public key with a toolkit that never signs with it.
      await execute(open, `${hosts} '${keyOf(OLD_KEY).id}' WHERE "HostSessionId" = 19`);
      t.is((await ask(open, withLegacy(next), legacyGuid(19))).verdict, 'unknown');
    });
  });

  test.serial(name('expired, revoked and a copy that differs are told apart; who was live is what consolidate left'), async (t) => {
    const scratch = await migratedLegacy(t, lane, 'd', { faults: ['several-active', 'revived', 'hash-copy'] });
    await openForRepair(scratch, async (open) => {
      const { database, permit } = open;
      const keys = withLegacy(open.keys);
      const verdicts = async () => {
        const all: string[] = [];
        for (const id of [20, 21, 22, 23, 26, 27]) all.push((await ask(open, keys, legacyGuid(id))).verdict);
        return all;
      };
      t.deepEqual(await verdicts(), ['valid', 'copy-differs', 'expired', 'revoked', 'copy-differs', 'revoked']);
      await consolidate(database, permit, keys, { actor: 'suite', reason: null, apply: true }, () => Promise.resolve());
      t.deepEqual(await verdicts(), ['revoked', 'valid', 'expired', 'revoked', 'valid', 'revoked']);
    });
  });
}

for (const lane of lanes()) exercise(lane);
