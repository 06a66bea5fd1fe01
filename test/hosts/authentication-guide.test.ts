/** What docs/authentication.md tells the application's developers holds: its vectors, and its statement on every engine. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Access } from '../../lib/access';
import { HmacKey, type KeyRing } from '../../lib/config/keys';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { readClock } from '../../lib/engines/database';
import { authenticateHost } from '../../lib/hosts/authenticate';
import { HostGuid } from '../../lib/hosts/credential';
import { revoking } from '../../lib/hosts/revoke';
import { applyChanges } from '../../lib/hosts/change';
import { access, execute, lanes, type Lane } from '../helpers/lanes';
import { legacyGuid, legacyHash, migratedLegacy, OLD_KEY, openForRepair } from '../helpers/legacy';
import { PHRASES } from '../helpers/phrases';
import { provisionHere } from '../helpers/state';

const GUIDE = readFileSync(join(PACKAGE_ROOT, 'docs', 'authentication.md'), 'utf8');

/** The words between backticks of a sentence of the guide. */
function quotedAfter(beginning: RegExp): string[] {
  const [sentence = ''] = beginning.exec(GUIDE) ?? [];
  return [...sentence.matchAll(/`([^`]+)`/g)].map(([, quoted = '']) => quoted);
}

const ROWS = [...GUIDE.matchAll(/^\| `([0-9a-f-]{36})` \| `([^`]{44})` \| `([0-9a-f]{16})` \|$/gm)];

test('its test vectors hold: hash, fingerprint, and the id of the key', (t) => {
  const [text = ''] = quotedAfter(/key of these vectors is `[^`]+`/);
  t.is(text, OLD_KEY);
  const key = new HmacKey(Buffer.from(text, 'utf8'));
  t.is(ROWS.length, 2);
  for (const [, guid = '', hash, fingerprint] of ROWS) {
    t.is(HostGuid.parse(guid)?.hash(key), hash);
    t.is(HostGuid.parse(guid)?.fingerprint(key), fingerprint);
  }
  t.deepEqual(quotedAfter(/The id of that key is `[^`]+`/), [key.id]);
});

test('its spellings are GUIDs, and what it says is none is none', (t) => {
  const [, guid = ''] = ROWS[0] ?? [];
  const spellings = quotedAfter(/Each of these is the first GUID:[^]+?\. None/);
  t.is(spellings.length, 3);
  for (const spelling of spellings) t.is(HostGuid.parse(spelling)?.reveal(), guid, spelling);
  const others = quotedAfter(/None of these is one:[^]+?\n\n/);
  t.is(others.length, 3);
  for (const other of others) t.is(HostGuid.parse(other), undefined, other);
});

/** The statement of the guide, for the server at hand. */
function statementFor({ dialect }: Lane): string {
  const [, sql = ''] = /```sql\n([^]+?)\n```/.exec(GUIDE) ?? [];
  const bare = sql.replace(/--.*$/gm, '').replace('@hash', '?');
  return dialect === 'mssql' ? bare : bare.replace('= 1', '= true').replace('SYSUTCDATETIME()', 'now()');
}

interface FoundRow {
  readonly SessionId: string;
  readonly HostGuidHash: string;
  readonly HashKeyId: string | null;
  readonly HostGuid: string;
}

/** The function of the guide, in the words of this project. */
async function findSession({ database }: Access, lane: Lane, keys: readonly HmacKey[], text: string): Promise<number | undefined> {
  const guid = HostGuid.parse(text);
  if (guid === undefined) return undefined;
  for (const key of keys) {
    for (const row of await database.canvas.ask<FoundRow>(statementFor(lane), [guid.hash(key)])) {
      const isOfKey = row.HashKeyId === null || row.HashKeyId === key.id;
      if (guid.matches(key, row.HostGuidHash) && isOfKey && guid.matches(key, row.HostGuid)) return Number(row.SessionId);
    }
  }
  return undefined;
}

function exercise(lane: Lane): void {
  const name = (title: string) => `${lane.name}: ${title}`;

  test.serial(name('a login after the guide lets in whom verify lets in, and nobody else'), async (t) => {
    const { yesterday } = PHRASES[lane.dialect];
    await access(await lane.ready(t), async (open) => {
      const { database, keys, permit } = open;
      const expect = async (text: string, isLetIn: boolean, why: string) => {
        const { of, verdict } = await authenticateHost(database.canvas, keys, text, await readClock(database));
        t.is(verdict === 'valid', isLetIn, why);
        t.is(await findSession(open, lane, keys.all, text), isLetIn ? of?.canvasSessionId : undefined, why);
      };
      const first = await provisionHere(open, { ksessionsId: 15 });
      const { guid, outcome } = await provisionHere(open, { ksessionsId: 15 });
      await expect(guid, true, 'live');
      await expect(`{${guid.toUpperCase()}}`, true, 'another spelling');
      await expect(first.guid, false, 'replaced');
      for (const none of ['', HostGuid.parse(guid)?.hash(keys.signing) ?? '', HostGuid.make().reveal()]) await expect(none, false, 'no GUID of ours');

      const sql = (table: string, set: string) =>
        execute(open, `UPDATE canvas."${table}" SET ${set} WHERE "SessionId" = ${outcome.canvasSessionId}`);
      const hash = HostGuid.parse(guid)?.hash(keys.signing) ?? '';
      await sql('Sessions', `"HostGuid" = 'another'`);
      await expect(guid, false, 'the copy differs');
      await sql('Sessions', `"HostGuid" = '${hash}'`);
      await expect(guid, true, 'as it was');
      await sql('HostSessions', `"ExpiresAt" = ${yesterday}`);
      await expect(guid, false, 'expired');
      await sql('HostSessions', `"ExpiresAt" = NULL, "RevokedAt" = ${yesterday}`);
      await expect(guid, false, 'revived');
      await sql('HostSessions', `"RevokedAt" = NULL, "HashKeyId" = '0000000000000000'`);
      await expect(guid, false, 'it names another key');

      const other = await provisionHere(open, { ksessionsId: 212 });
      await expect(other.guid, true, 'live');
      const verb = revoking({ by: 'KSessionsId', ids: [212] }, { actor: 'suite', reason: null });
      await applyChanges(database, permit, keys, verb, { handOver: () => Promise.resolve(), withdraw: () => undefined });
      await expect(other.guid, false, 'revoked');
    });
  });

  test.serial(name('rows of the old tool are let in under its key while that is given, and a row that names a key never'), async (t) => {
    await openForRepair(await migratedLegacy(t, lane, 'c'), async (open) => {
      const legacy = new HmacKey(Buffer.from(OLD_KEY, 'utf8'));
      const ring: KeyRing = { ...open.keys, legacy };
      const { database } = open;
      t.is((await authenticateHost(database.canvas, ring, legacyGuid(19), await readClock(database))).verdict, 'valid');
      t.is(await findSession(open, lane, [...ring.all, legacy], legacyGuid(19)), 219);
      t.is(await findSession(open, lane, ring.all, legacyGuid(19)), undefined);
      t.is(await findSession(open, lane, [...ring.all, legacy], legacyHash(19)), undefined);
    });
  });
}

for (const lane of lanes()) exercise(lane);
