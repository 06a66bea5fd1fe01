import test from 'ava';
import { randomBytes } from 'node:crypto';
import { withReading, type Access } from '../../lib/access';
import { warrantIdOf } from '../../lib/audit';
import { HmacKey, type KeyRing } from '../../lib/config/keys';
import { readClock, type Database } from '../../lib/engines/database';
import { consolidate } from '../../lib/hosts/consolidate';
import { keysInUse } from '../../lib/hosts/key-use';
import { listSessions, type ListedSession, type ListRequest } from '../../lib/hosts/listing';
import { stateOf, type CredentialState } from '../../lib/hosts/state';
import type { HostSession } from '../../lib/hosts/store';
import { access, asAdmin, databaseOf, execute, lanes, postgresLane, postgresUrl, type Lane } from '../helpers/lanes';
import { migratedLegacy, openForRepair } from '../helpers/legacy';
import { long } from '../helpers/long';
import { PHRASES } from '../helpers/phrases';
import { shareAccess } from '../helpers/shared';
import { provisionHere, snapshot } from '../helpers/state';

const ALL: ListRequest = { ids: [], search: undefined, states: [], keys: [] };

async function list(database: Database, keys: KeyRing | undefined, request: Partial<ListRequest> = {}): Promise<ListedSession[]> {
  const listed: ListedSession[] = [];
  for await (const page of listSessions(database, keys, { ...ALL, ...request })) listed.push(...page);
  return listed;
}

/** KSESSIONS id, canvas id, host session, state. */
const rowsOf = (listed: readonly ListedSession[]) =>
  listed.map(({ canvasSessionId, credential, ksessionsId, state }) => [
    ksessionsId, canvasSessionId, credential?.hostSessionId ?? null, state,
  ]);

// --- the state of one credential ---------------------------------------------------------------------------------

const NOW = new Date('2026-06-01T00:00:00Z');
const [BEFORE, LATER] = [new Date('2026-05-01T00:00:00Z'), new Date('2026-07-01T00:00:00Z')];

const host = (changes: Partial<HostSession>): HostSession => ({
  hostSessionId: 1, hash: 'hash', hashKeyId: null, fingerprint: null, createdAt: BEFORE, createdBy: null, expiresAt: null,
  updatedAt: null, revokedAt: null, isActive: true, head: { sequence: 1, hash: 'seal' }, ...changes,
});

test('the state of a credential follows from its row, the hash copy and the clock', (t) => {
  const ended = { isActive: false, revokedAt: BEFORE };
  const cases: [HostSession | undefined, string, CredentialState][] = [
    [undefined, '', 'none'],
    [undefined, 'hash', 'copy-differs'],
    [host({}), 'hash', 'live'],
    [host({ expiresAt: LATER }), 'hash', 'live'],
    [host({}), 'HASH', 'copy-differs'],
    [host({}), '', 'copy-differs'],
    [host({ expiresAt: NOW }), 'hash', 'expired'],
    [host({ expiresAt: BEFORE }), '', 'expired'],
    [host({ revokedAt: BEFORE }), 'hash', 'revived'],
    [host(ended), '', 'revoked'],
    [host({ ...ended, expiresAt: LATER }), '', 'revoked'],
    [host({ ...ended, expiresAt: BEFORE }), '', 'expired'],
    [host(ended), 'hash', 'copy-differs'],
  ];
  for (const [row, copy, expected] of cases) t.is(stateOf(row, copy, NOW), expected, JSON.stringify([row, copy]));
});

// --- what is listed ----------------------------------------------------------------------------------------------

const ringOf = (...texts: readonly string[]): KeyRing => {
  const [signing, ...rest] = texts.map((text) => new HmacKey(Buffer.from(text, 'utf8')));
  return { signing: signing as HmacKey, all: [signing as HmacKey, ...rest], legacy: undefined };
};

function exercise(lane: Lane): void {
  const name = (title: string) => `${lane.name}: ${title}`;
  const withCleared = shareAccess(lane);
  const { now, protectTrail, unprotectTrail, uuid, yesterday } = PHRASES[lane.dialect];

  /** One statement for many rows, numbered from `first`. */
  const numbered = (insert: string, first: number, count: number, values: (id: number) => string) =>
    `${insert} VALUES ${Array.from({ length: count }, (_, index) => `(${values(first + index)})`).join(', ')}`;
  const canvasRow = (ksessionsId: number | string) => `${uuid}, ${ksessionsId}, 'alone', 'hash-${ksessionsId}', ${now}, ${now}`;
  const CANVAS = 'INSERT INTO canvas."Sessions" ("GroupId", "KSessionsId", "Title", "HostGuid", "CreatedAt", "ModifiedAt")';

  long(name('every state that the old application left is told apart, and canvas sessions that stand for none come last'), async (t) => {
    const scratch = await migratedLegacy(t, lane, 'd');
    await openForRepair(scratch, async ({ database, keys, permit }) => {
      const before = await snapshot(database);
      t.deepEqual(rowsOf(await list(database, keys)), [
        [1, 224, 27, 'copy-differs'],
        [15, 219, 19, 'live'],
        [15, 225, 28, 'live'],
        [212, 220, 21, 'copy-differs'],
        [213, null, null, 'none'],
        [215, null, null, 'none'],
        [218, 221, 23, 'revived'],
        [1281, 222, 24, 'copy-differs'],
        [2343, 223, 26, 'copy-differs'],
        [null, 215, 18, 'live'],
      ]);
      t.deepEqual(await snapshot(database), before, 'nothing was written');
      await consolidate(database, permit, keys, { actor: 'suite', reason: null, apply: true }, () => Promise.resolve());
      t.deepEqual(rowsOf(await list(database, keys)).filter(([, canvasSessionId]) => canvasSessionId !== null), [
        [1, 224, 27, 'revoked'], [15, 219, 19, 'live'], [15, 225, 28, 'live'], [212, 220, 21, 'live'], [218, 221, 23, 'revoked'],
        [1281, 222, 24, 'live'], [2343, 223, 26, 'live'], [null, 215, 18, 'live'],
      ]);
    });
  });

  test.serial(name('whose credential it is, since when, how long, and by which key'), (t) => withCleared(t, async (open) => {
    const { database, keys } = open;
    await provisionHere(open, { ksessionsId: 15, actor: 'Ada', expiresAt: new Date('2099-01-01T00:00:00Z') });
    const { outcome } = await provisionHere(open, { ksessionsId: 15, actor: 'Zaynab الكاتبة' });
    await execute(open, `UPDATE canvas."HostSessions" SET "LastUsedAt" = ${now}`);
    const [row] = await list(database, keys, { ids: [15] });
    t.like(row, { ksessionsId: 15, canvasSessionId: 1, isInKSessions: true, title: 'Review of the word ISLAM', state: 'live' });
    t.like(row?.credential, {
      hostSessionId: 1, madeBy: 'Zaynab الكاتبة', fingerprint: outcome.fingerprint, key: 'current', hashKeyId: keys.signing.id, revokedAt: null,
    });
    t.deepEqual(row?.credential?.inUseSince, outcome.at);
    t.deepEqual(row?.credential?.expiresAt, new Date('2099-01-01T00:00:00Z'));
    t.true(row?.credential?.lastUsedAt instanceof Date);
    await execute(open, `UPDATE canvas."HostSessions" SET "ExpiresAt" = ${yesterday}`);
    t.deepEqual(rowsOf(await list(database, keys, { states: ['expired'] })), [[15, 1, 1, 'expired']]);
  }));

  test.serial(name('a title is searched as text, in any case, in every script'), (t) => withCleared(t, async ({ database, keys }) => {
    const found = async (search: string) => (await list(database, keys, { search })).map(({ ksessionsId }) => ksessionsId);
    t.deepEqual(await found('islam'), [15, 215]);
    t.deepEqual(await found('RÉFLEXIONS'), [1281]);
    t.deepEqual(await found('RÉFLEXIONS'.normalize('NFD')), [1281]);
    t.deepEqual(await found('الإسلام'), [218]);
    for (const search of ['%', '_', 'Need_For', "' OR 1=1 --", '[a-z]', '\\']) t.deepEqual(await found(search), [], search);
    t.deepEqual(rowsOf(await list(database, keys, { search: 'islam', ids: [15, 212] })), [[15, null, null, 'none']]);
  }));

  test.serial(name('a link to a session that KSESSIONS lacks is not lost, whatever its number'), (t) => withCleared(t, async (open) => {
    const { database, keys } = open;
    await execute(open, ...[20, 3_000_000_000, 'NULL'].map((id) => `${CANVAS} VALUES (${canvasRow(id)})`));
    const [sessions, alone] = [await list(database, keys), (await list(database, keys)).filter((one) => !one.isInKSessions)];
    t.deepEqual(rowsOf(alone), [[20, 1, null, 'copy-differs'], [3_000_000_000, 2, null, 'copy-differs'], [null, 3, null, 'copy-differs']]);
    t.deepEqual(sessions.slice(-3), alone, 'after those of KSESSIONS');
    t.deepEqual(rowsOf(await list(database, keys, { ids: [212, 20, 15, 77] })), [
      [15, null, null, 'none'], [20, 1, null, 'copy-differs'], [212, null, null, 'none'],
    ]);
  }));

  test.serial(name('thousands of sessions come page by page, each once'), (t) => withCleared(t, async (open) => {
    const { database, keys } = open;
    const [first, count] = [10_001, 1203];
    const sources = numbered('INSERT INTO dbo."Sessions" ("SessionID", "SessionName")', first, 603, (id) => `${id}, 'many ${id}'`);
    const more = numbered('INSERT INTO dbo."Sessions" ("SessionID", "SessionName")', first + 603, 600, (id) => `${id}, 'many ${id}'`);
    const linked = numbered(CANVAS, first, 600, canvasRow);
    const alone = numbered(CANVAS, 0, 700, () => canvasRow('NULL'));
    await execute(open, sources, more, linked, alone);
    try {
      t.is((await list(database, keys, { search: 'alone' })).length, 700);
      const sizes: number[] = [];
      const ids: (number | null)[] = [];
      for await (const page of listSessions(database, keys, { ...ALL, search: 'many' })) {
        sizes.push(page.length);
        ids.push(...page.map(({ ksessionsId }) => ksessionsId));
      }
      t.deepEqual(ids, Array.from({ length: count }, (_, index) => first + index));
      t.true(Math.max(...sizes) <= 1000, sizes.join());
      const states = (await list(database, keys, { ids: ids.filter((id) => id !== null) })).map(({ state }) => state);
      t.deepEqual([states.length, states.filter((state) => state === 'copy-differs').length], [count, 600]);
    } finally {
      await execute(open, `DELETE FROM dbo."Sessions" WHERE "SessionID" >= ${first}`);
    }
  }));

  test.serial(name('which key a credential needs: the current one, an older one, one that is gone, or none that it names'), (t) => withCleared(t, async (open) => {
    const { database } = open;
    const [one, two] = ['key-one-0123456789-abcdefghijklmnop', 'key-two-0123456789-abcdefghijklmnop'];
    const keyed = (keys: KeyRing): Access => ({ ...open, keys });
    await provisionHere(keyed(ringOf(one)), { ksessionsId: 15 });
    await provisionHere(keyed(ringOf(two)), { ksessionsId: 212 });
    await provisionHere(keyed(ringOf(two)), { ksessionsId: 212 });
    await provisionHere(keyed(ringOf(two)), { ksessionsId: 218 });
    await execute(open, `UPDATE canvas."HostSessions" SET "HashKeyId" = NULL WHERE "HostSessionId" = 3`);
    const keysOf = async (keys: KeyRing | undefined) =>
      (await list(database, keys, { ids: [15, 212, 218] })).map(({ credential }) => credential?.key);
    t.deepEqual(await keysOf(ringOf(two, one)), ['older', 'current', 'legacy']);
    t.deepEqual(await keysOf(ringOf(two)), ['missing', 'current', 'legacy']);
    t.deepEqual(await keysOf(undefined), ['unknown', 'unknown', 'legacy']);
    t.deepEqual(rowsOf(await list(database, ringOf(two), { keys: ['missing', 'legacy'] })), [[15, 1, 1, 'live'], [218, 3, 3, 'live']]);

    const [idOne, idTwo] = [ringOf(one).signing.id, ringOf(two).signing.id];
    const uses = async () => {
      const all = await keysInUse(database.canvas, ringOf(two), await readClock(database));
      return new Map(all.map(({ events, keyId, live, standing }) => [keyId, [standing, live, events]]));
    };
    t.deepEqual(await uses(), new Map([[idOne, ['missing', 1, 1]], [idTwo, ['current', 1, 3]], [null, ['legacy', 1, 0]]]));
    await execute(open, `UPDATE canvas."HostSessions" SET "ExpiresAt" = ${yesterday} WHERE "HostSessionId" = 1`);
    t.deepEqual((await uses()).get(idOne), ['missing', 0, 1], 'a key is needed for the trail still');
    const warrant = warrantIdOf(ringOf(two).signing);
    const rename = `UPDATE canvas."HostSessionEvents" SET "HashKeyId" = '${warrant}' WHERE "HostSessionId" = 2 AND "Sequence" = 1`;
    await execute(open, unprotectTrail, rename, protectTrail);
    t.deepEqual((await uses()).get(idTwo), ['current', 1, 3], 'what a handoff script made needs the key that made the script');
  }));
}

for (const lane of lanes()) exercise(lane);

const server = postgresUrl === undefined ? test.skip : test.serial;

server('postgres: a login that only reads is enough, and no key is needed', async (t) => {
  const scratch = await postgresLane.ready(t);
  await access(scratch, (open) => provisionHere(open, { ksessionsId: 15 }));
  const [login, database] = [`canvas_reader_${randomBytes(4).toString('hex')}`, databaseOf(scratch)];
  await asAdmin(`CREATE ROLE ${login} LOGIN PASSWORD 'x'`);
  t.teardown(() => asAdmin(`DROP ROLE ${login}`));
  t.teardown(() => asAdmin(`DROP OWNED BY ${login}`, database));
  await asAdmin(`GRANT USAGE ON SCHEMA canvas, dbo TO ${login}; GRANT SELECT ON ALL TABLES IN SCHEMA canvas, dbo TO ${login}`, database);
  const env = { ...scratch.env, SCRATCH_USER: login, SCRATCH_PASSWORD: 'x', CANVAS_HMAC_KEY: undefined };
  const settings = { ...scratch.settings, env };
  const request = { settings, waitMs: 30_000, actor: 'suite', onOpen: () => undefined, onNotice: () => undefined };
  await withReading(request, async (open) => {
    t.is(open.keys, undefined);
    t.deepEqual(rowsOf(await list(open.database, open.keys, { ids: [15, 212] })), [[15, 1, 1, 'live'], [212, null, null, 'none']]);
  });
});
