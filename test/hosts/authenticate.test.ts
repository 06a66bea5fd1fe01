import test from 'ava';
import { requireTarget, type Access } from '../../lib/access';
import { HmacKey, readKeys, type KeyRing } from '../../lib/config/keys';
import { readClock, withTransaction } from '../../lib/engines/database';
import { authenticateAndRecord, authenticateHost, type Authentication } from '../../lib/hosts/authenticate';
import { consolidate } from '../../lib/hosts/consolidate';
import { HostGuid } from '../../lib/hosts/credential';
import { recordUse, toHostSession } from '../../lib/hosts/store';
import { access, execute, lanes, scratchFolder, TEST_KEY, writeTargets, type Lane } from '../helpers/lanes';
import { legacyGuid, legacyHash, migratedLegacy, OLD_KEY, openForRepair } from '../helpers/legacy';
import { long } from '../helpers/long';
import { PHRASES } from '../helpers/phrases';
import { provisionHere, rowsOf } from '../helpers/state';

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
        const fingerprint = HostGuid.parse(guid)?.fingerprint(open.keys.signing);
        t.deepEqual(await ask(open, open.keys, guid), { verdict: 'unknown', fingerprint, of: undefined, warning: undefined, advice: undefined });
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

  long(name('a row that names no key is tried against every key, one that names a key against that one'), async (t) => {
    const scratch = await migratedLegacy(t, lane, 'c');
    await openForRepair(scratch, async (open) => {
      const { guid } = await provisionHere(open, { ksessionsId: 212 });
      const signing = keyOf('next-key-abcdefghijklmnop-0123456789');
      const next: KeyRing = { signing, all: [signing, open.keys.signing], legacy: undefined };
      const fingerprint = HostGuid.parse(guid)?.fingerprint(open.keys.signing);
      t.like(await ask(open, next, guid), { verdict: 'valid', fingerprint, warning: undefined, of: { ksessionsId: 212 } });
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

  long(name('expired, revoked and a copy that differs are told apart; who was live is what consolidate left'), async (t) => {
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

  test.serial(name('the use of a valid GUID is recorded by the database\'s clock, and of no other; nothing else changes'), async (t) => {
    const { yesterday } = PHRASES[lane.dialect];
    await access(await lane.ready(t), async (open) => {
      const { database, keys, permit } = open;
      const { guid, outcome } = await provisionHere(open, { ksessionsId: 15 });
      const { guid: other } = await provisionHere(open, { ksessionsId: 212 });
      const use = (text: string) => authenticateAndRecord(database, permit, keys, text);
      const before = await rowsOf(database);
      await ask(open, keys, guid);
      t.deepEqual(await rowsOf(database), before, 'without being asked to, nothing is written');
      const from = await readClock(database);
      const { usedAt, verdict } = await use(guid.toUpperCase());
      t.is(verdict, 'valid');
      t.true(usedAt !== undefined && usedAt >= from && usedAt <= (await readClock(database)));
      const [listed] = await database.canvas.ask<{ HostSessionId: string; LastUsedAt: Date }>(
        'SELECT "HostSessionId" AS "HostSessionId", "LastUsedAt" AS "LastUsedAt" FROM canvas."HostSessions" WHERE "LastUsedAt" IS NOT NULL',
      );
      t.deepEqual([Number(listed?.HostSessionId)], [outcome.hostSessionId]);
      t.deepEqual(listed?.LastUsedAt, usedAt);
      const noUse = `UPDATE canvas."HostSessions" SET "LastUsedAt" = NULL`;
      await execute(open, noUse);
      t.deepEqual(await rowsOf(database), before, 'the time is all that was written');

      const live = `WHERE "SessionId" = ${outcome.canvasSessionId}`;
      await execute(open, `UPDATE canvas."HostSessions" SET "ExpiresAt" = ${yesterday} ${live}`);
      const rejected = await rowsOf(database);
      t.like(await use(guid), { verdict: 'expired', usedAt: undefined });
      t.like(await use(HostGuid.make().reveal()), { verdict: 'unknown', usedAt: undefined });
      t.like(await use('nonsense'), { verdict: 'unknown', fingerprint: undefined, usedAt: undefined });
      t.deepEqual(await rowsOf(database), rejected);
      t.is((await use(other)).verdict, 'valid');
    });
  });

  test.serial(name('a GUID that is replaced between its judgement and its record is judged again'), async (t) => {
    await access(await lane.ready(t), async (open) => {
      const { database, keys, permit } = open;
      const { guid, outcome } = await provisionHere(open, { ksessionsId: 15 });
      await withTransaction(database, permit, undefined, async (writer) => {
        const [row] = await writer.from('canvas', 'HostSessions').where({ HostSessionId: outcome.hostSessionId });
        const judged = toHostSession(row ?? {});
        t.false(await recordUse(writer, { ...judged, hash: judged.hash.toLowerCase() }), 'a hash is compared byte by byte');
        t.true(await recordUse(writer, judged));
        await writer.table('HostSessions').update({ IsActive: false });
        t.false(await recordUse(writer, judged));
      });
      t.like(await authenticateAndRecord(database, permit, keys, guid), { verdict: 'revoked', usedAt: undefined });
    });
  });
}

for (const lane of lanes()) exercise(lane);
