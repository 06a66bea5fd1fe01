import test, { type ExecutionContext } from 'ava';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from 'tedious';
import { checkChain, readEvents, sealUnder, warrantFor, warrantIdOf, type HostSessionEvent, type WarrantFacts } from '../../lib/audit';
import { HmacKey, type KeyRing } from '../../lib/config/keys';
import { PACKAGE_ROOT, packageVersion } from '../../lib/config/settings';
import { askRaw, close } from '../../lib/engines/mssql-client';
import { readClock, type Database } from '../../lib/engines/database';
import { authenticateHost } from '../../lib/hosts/authenticate';
import { HostGuid } from '../../lib/hosts/credential';
import { composeCredentials, makeOrders, type Order, type OrderTerms } from '../../lib/hosts/handoff';
import { findCanvasStates } from '../../lib/hosts/store';
import { readCredentials } from '../../lib/hosts/survey';
import { readMigrations } from '../../lib/migrations/files';
import { composeHandoff } from '../../lib/migrations/handoff';
import { batchesOf, runScript, textOf, type Ran } from '../helpers/bundle';
import { databaseOf, mssqlLane, mssqlUrl, open, openMssql, TEST_KEY, type Scratch } from '../helpers/lanes';

const GOLDEN = join(PACKAGE_ROOT, 'test', 'golden', 'handoff');
const FIXTURE = join(PACKAGE_ROOT, 'test', 'fixtures', 'migrations', 'handoff');

const KEY = new HmacKey(Buffer.from(TEST_KEY));
const KEYS: KeyRing = { signing: KEY, all: [KEY], legacy: undefined };
const OTHER_KEY = new HmacKey(Buffer.from(TEST_KEY.toUpperCase()));
const TERMS: OrderTerms = { actor: 'jane', reason: null, expiresAt: undefined, ifExists: 'fail' };

/** The same in every run. */
function stableOrder(ksessionsId: number): Order {
  const digits = String(ksessionsId).padStart(12, '0');
  const guid = HostGuid.parse(`11111111-2222-4333-8444-${digits}`);
  if (guid === undefined) throw new TypeError('That is no GUID.');
  return { ksessionsId, operationId: `aaaaaaaa-bbbb-4ccc-8ddd-${digits}`, guid };
}

const scriptsOf = (terms: OrderTerms = TERMS, orders = [15, 212].map(stableOrder), database = 'EXAMPLE') =>
  composeCredentials(database, KEY, terms, orders, FIXTURE).scripts;

// --- what is written -----------------------------------------------------------------------------------------------

// Reviewed as a file by people. A deliberate change: delete the golden files, run the tests once, read the new ones.
test('the scripts of two credentials read as they always did', (t) => {
  for (const { name, text } of scriptsOf({ ...TERMS, ifExists: 'rotate', expiresAt: new Date('2099-01-31T18:00:00Z') })) {
    const golden = join(GOLDEN, name);
    const stable = text.replaceAll(packageVersion(), 'VERSION').replaceAll(/\b[0-9a-f]{64}\b/g, 'CHECKSUM');
    if (!existsSync(golden) && process.env['CI'] === undefined) writeFileSync(golden, stable);
    t.is(stable, readFileSync(golden, 'utf8'), name);
  }
});

test('no GUID and no key is in the bundle; hashes and fingerprints are', async (t) => {
  const orders = makeOrders([15, 212]);
  const files = await composeHandoff('EXAMPLE', FIXTURE, composeCredentials('EXAMPLE', KEY, TERMS, orders, FIXTURE));
  t.deepEqual(files.map(({ name }) => name), [
    'preflight.sql', 'migrate.sql', 'verify.sql', 'provision.sql', 'verify-credentials.sql', 'MANIFEST.json',
  ]);
  const all = files.map(({ text }) => text).join('\n').toLowerCase();
  const secrets = [TEST_KEY, Buffer.from(TEST_KEY).toString('base64'), Buffer.from(TEST_KEY).toString('hex')];
  for (const { guid } of orders) secrets.push(guid.reveal(), guid.reveal().replaceAll('-', ''));
  for (const secret of secrets) t.false(all.includes(secret.toLowerCase()));
  for (const { guid, ksessionsId, operationId } of orders) {
    t.true(textOf(files, 'provision.sql').includes(guid.hash(KEY)));
    const manifest = JSON.parse(textOf(files, 'MANIFEST.json')) as { credentials: { keyId: string; operations: unknown[] } };
    t.is(manifest.credentials.keyId, KEY.id);
    t.deepEqual(manifest.credentials.operations[orders.findIndex((order) => order.ksessionsId === ksessionsId)], {
      ksessionsId, operationId, fingerprint: guid.fingerprint(KEY),
    });
  }
});

test('every batch of them begins with the protection; the last one only gives the session back', (t) => {
  for (const { name, text } of scriptsOf()) {
    const batches = batchesOf(text.slice(text.indexOf('\nGO\n') + 4));
    t.is(batches.pop(), 'SET NOEXEC OFF;', name);
    for (const batch of batches) {
      t.regex(batch, /^IF ISNULL\(DB_ID\(N'EXAMPLE'\), -1\) <> DB_ID\(\) BEGIN RAISERROR .+ SET NOEXEC ON; THROW .+ END;\n/, name);
    }
    t.notRegex(text, /\bRETURN\b/);
  }
});

test('what a person typed cannot become SQL or a word of sqlcmd, and stays ASCII', (t) => {
  const actor = "O'Hara $(x) \u00e9\u{1F600}";
  const [provision] = scriptsOf({ ...TERMS, actor, reason: "'; DROP TABLE canvas.Sessions; --" });
  t.true(provision?.text.includes(`N'O''Hara ' + N'$' + N'(x) ' + JSON_VALUE(N'["\\u00e9\\ud83d\\ude00"]', N'$[0]');`));
  t.true(provision?.text.includes(`= N'''; DROP TABLE canvas.Sessions; --';`));
});

test('a warrant for a rotation is given only where the operator said so', (t) => {
  const isRotation = /'rotated', '[A-Za-z0-9+/=]{88}'/;
  t.notRegex(scriptsOf()[0]?.text ?? '', isRotation);
  t.regex(scriptsOf({ ...TERMS, ifExists: 'rotate' })[0]?.text ?? '', isRotation);
});

// --- what its events are worth -------------------------------------------------------------------------------------

const AT = new Date('2026-01-02T03:04:05.678Z');

/** An event as the script makes it. @param decided what its warrant is for, where that is another date */
function eventUnder(key: HmacKey, facts: Partial<HostSessionEvent> = {}, decided: Partial<WarrantFacts> = {}): HostSessionEvent {
  const event = {
    operationId: stableOrder(15).operationId, hostSessionId: 19, canvasSessionId: 219, ksessionsId: 15, action: 'provisioned' as const,
    actor: 'jane', reason: 'release', oldFingerprint: null, newFingerprint: 'a'.repeat(16), expiresAt: null, sequence: 1,
    occurredAt: AT, hashKeyId: warrantIdOf(key), previousHash: null, ...facts,
  };
  return { ...event, eventHash: sealUnder(warrantFor(key, { ...event, ...decided }), event) };
}

const stateOf = (event: HostSessionEvent) => checkChain([event], { sequence: 1, hash: event.eventHash }, KEYS);

test('an event under a warrant holds, and with anything changed it does not', (t) => {
  const event = eventUnder(KEY);
  t.deepEqual(stateOf(event), { holds: true, events: 1 });
  const changes: Partial<HostSessionEvent>[] = [
    { operationId: stableOrder(16).operationId }, { hostSessionId: 20 }, { canvasSessionId: 220 }, { ksessionsId: 16 },
    { ksessionsId: null }, { action: 'rotated' }, { action: 'revoked' }, { action: 'linked' }, { actor: 'john' }, { reason: null },
    { oldFingerprint: 'b'.repeat(16) }, { newFingerprint: 'b'.repeat(16) }, { newFingerprint: null }, { expiresAt: AT },
    { occurredAt: new Date(AT.getTime() + 1) }, { hashKeyId: KEY.id }, { eventHash: 'x'.repeat(44) },
  ];
  for (const change of changes) t.like(stateOf({ ...event, ...change }), { holds: false, sequence: 1 }, JSON.stringify(change));
});

test('whoever has the warrant but not the key cannot change what the operator decided', (t) => {
  const warrant = warrantFor(KEY, { ...eventUnder(KEY), expiresAt: null });
  for (const forged of [{ actor: 'john' }, { reason: null }, { newFingerprint: 'b'.repeat(16) }, { ksessionsId: 16 }, { expiresAt: AT }, { action: 'rotated' as const }]) {
    const event = { ...eventUnder(KEY), ...forged };
    t.like(stateOf({ ...event, eventHash: sealUnder(warrant, event) }), { holds: false }, JSON.stringify(forged));
  }
});

test('the date of a rotation is the ordered one, or the one the row had; of a first GUID it is the ordered one', (t) => {
  t.like(stateOf(eventUnder(KEY, { action: 'rotated', expiresAt: AT })), { holds: true });
  t.like(stateOf(eventUnder(KEY, { action: 'rotated', expiresAt: AT }, { expiresAt: 'kept' })), { holds: true });
  t.like(stateOf(eventUnder(KEY, { action: 'provisioned', expiresAt: AT }, { expiresAt: 'kept' })), { holds: false });
  t.like(stateOf(eventUnder(KEY, { action: 'expired', newFingerprint: null, expiresAt: AT }, { expiresAt: 'kept' })), { holds: true });
});

test('a warrant of another key is none', (t) => {
  t.like(stateOf(eventUnder(OTHER_KEY)), { holds: false, why: `its key ${warrantIdOf(OTHER_KEY)} is not configured` });
  const event = eventUnder(OTHER_KEY, { hashKeyId: warrantIdOf(KEY) });
  t.like(stateOf(event), { holds: false, why: 'its seal does not match what it says' });
});

// --- on a TDS server -----------------------------------------------------------------------------------------------

const server = mssqlUrl === undefined ? test.skip : test.serial;

const SOURCE = `
CREATE TABLE dbo.Sessions (SessionID int NOT NULL PRIMARY KEY, SessionName nvarchar(300) NULL, Description varchar(500) NULL);
CREATE TABLE dbo.SessionTranscripts (TranscriptID int NOT NULL PRIMARY KEY, SessionID int NOT NULL);
INSERT INTO dbo.Sessions (SessionID, SessionName, Description) VALUES (15, N'Review of the word ISLAM', 'Nuances'), (212, NULL, NULL),
  (213, N'Qualities of the Messengers', NULL), (215, N'Success through Islamic lens', NULL), (218, REPLICATE(N'x', 250), NULL);
INSERT INTO dbo.SessionTranscripts (TranscriptID, SessionID) VALUES (1, 15), (2, 212), (3, 212), (4, 215), (5, 218);`;

interface Place {
  readonly connection: Connection;
  readonly scratch: Scratch;
  readonly database: string;
  /** Makes the scripts for orders and runs the first. */
  readonly provision: (orders: readonly Order[], terms?: Partial<OrderTerms>) => Promise<Ran>;
  readonly verify: (orders: readonly Order[]) => Promise<Ran>;
}

/** A database that migrate.sql has made whole, with some sessions. */
async function withProduction(t: ExecutionContext, work: (place: Place) => Promise<void>): Promise<void> {
  const scratch = await mssqlLane.bare(t);
  const database = databaseOf(scratch);
  const connection = await openMssql(database);
  const scripts = (orders: readonly Order[], terms: Partial<OrderTerms> = {}) =>
    composeCredentials(database, KEY, { ...TERMS, ...terms }, orders).scripts;
  try {
    await askRaw(connection, SOURCE, 60_000);
    t.deepEqual((await runScript(connection, textOf(await composeHandoff(database), 'migrate.sql'))).errors, []);
    // From here on no canvas session has the id of its host session.
    await askRaw(connection, `INSERT INTO canvas.Sessions (GroupId, CreatedAt, Title) VALUES (NEWID(), SYSUTCDATETIME(), N'by hand')`, 60_000);
    await work({
      connection, scratch, database,
      provision: (orders, terms) => runScript(connection, textOf(scripts(orders, terms), 'provision.sql')),
      verify: (orders) => runScript(connection, textOf(scripts(orders), 'verify-credentials.sql')),
    });
  } finally {
    await close(connection);
  }
}

const verdictOn = async (opened: Database, { guid }: Order) =>
  (await authenticateHost(opened.canvas, KEYS, guid.reveal(), await readClock(opened))).verdict;

/** The live credential of a session, and its chain. */
async function stateIn({ canvas }: Database, ksessionsId: number) {
  const [state] = await findCanvasStates(canvas, 'KSessionsId', [ksessionsId]);
  const events = state?.live === undefined ? [] : await readEvents(canvas, state.live.hostSessionId);
  return { state, events, chain: checkChain(events, state?.live?.head, KEYS) };
}

const statuses = ({ rows }: Ran) => rows.map(({ ksessionsId, status, trail }) => [ksessionsId, status, trail]);
const countOf = async (connection: Connection) =>
  (await askRaw(connection, 'SELECT (SELECT COUNT(*) FROM canvas.Sessions) + (SELECT COUNT(*) FROM canvas.HostSessions) + (SELECT COUNT(*) FROM canvas.HostSessionEvents) AS n', 60_000))[0]?.['n'];

server('mssql: what the script provisions authenticates, its chain holds, and a second run does nothing', async (t) => {
  await withProduction(t, async ({ connection, provision, scratch, verify }) => {
    const orders = makeOrders([15, 212, 218]);
    t.deepEqual(statuses(await verify(orders)), orders.map(({ ksessionsId }) => [ksessionsId, 'NOT COMMITTED', null]));
    const actor = 'Jos\u00e9 O\u2019Hara $(x) \u{1F600}';
    const expiresAt = new Date('2099-01-31T18:00:00.125Z');
    const ran = await provision(orders, { actor, reason: 'release 7', expiresAt });
    t.deepEqual(ran.errors, []);
    await open(scratch, async (opened) => {
      for (const [place, order] of orders.entries()) {
        t.is(await verdictOn(opened, order), 'valid');
        const { chain, events, state } = await stateIn(opened, order.ksessionsId);
        t.deepEqual(chain, { holds: true, events: 1 });
        t.like(events[0], { action: 'provisioned', actor, reason: 'release 7', expiresAt, operationId: order.operationId, newFingerprint: order.guid.fingerprint(KEY) });
        t.like(state?.live, { hash: state?.hashCopy, hashKeyId: KEY.id, createdBy: actor, expiresAt, fingerprint: order.guid.fingerprint(KEY) });
        t.is(state?.hashCopy, order.guid.hash(KEY));
        t.is(ran.said[place], `KSESSIONS ${order.ksessionsId}  canvas session ${state?.canvasSessionId}  host session ${state?.live?.hostSessionId}  operation ${order.operationId}  provisioned`);
      }
      t.is((await stateIn(opened, 218)).state?.title, 'x'.repeat(200), 'cut to its column');
      t.is((await stateIn(opened, 212)).state?.title, '');
      const changed = (await stateIn(opened, 15)).events.map((event) => ({ ...event, actor: 'john' }));
      t.like(checkChain(changed, undefined, KEYS), { holds: false });
    });
    const before = await countOf(connection);
    const again = await provision(orders, { actor, reason: 'release 7', expiresAt });
    t.deepEqual(again.errors, []);
    t.true(again.said.slice(0, 3).every((line) => line.endsWith('done before')), again.said.join('\n'));
    t.is(await countOf(connection), before);
    const verified = await verify(orders);
    t.deepEqual([verified.errors, statuses(verified)], [[], orders.map(({ ksessionsId }) => [ksessionsId, 'LIVE', 'linked'])]);
  });
});

server('mssql: the first session that fails ends the script; those before it hold, none after it was begun', async (t) => {
  await withProduction(t, async ({ connection, provision, scratch, verify }) => {
    const orders = makeOrders([15, 213, 215]);
    const ran = await provision(orders);
    t.regex(ran.errors[0] ?? '', /NO_TRANSCRIPTS: KSESSIONS session 213 has no transcript\./);
    t.regex(ran.said[0] ?? '', /^KSESSIONS 15 .* provisioned$/);
    t.regex(ran.said[1] ?? '', /^KSESSIONS 213 .* FAILED: NO_TRANSCRIPTS/);
    t.regex(ran.said[2] ?? '', /its GUID is void\. .*not begun: 1\.$/);
    const verified = await verify(orders);
    t.deepEqual(statuses(verified), [[15, 'LIVE', 'linked'], [213, 'NOT COMMITTED', null], [215, 'NOT COMMITTED', null]]);
    t.regex(verified.errors[0] ?? '', /Some operations were not committed/);
    t.deepEqual(await askRaw(connection, 'SELECT @@TRANCOUNT AS n', 60_000), [{ n: 0 }]);
    await open(scratch, async (opened) => {
      const verdicts = [];
      for (const order of orders) verdicts.push(await verdictOn(opened, order));
      t.deepEqual(verdicts, ['valid', 'unknown', 'unknown']);
    });
    for (const [ids, message] of [[[99], /SESSION_NOT_FOUND: KSESSIONS session 99/], [[15], /CONFLICT: KSESSIONS session 15 has a live host GUID/]] as const) {
      t.regex((await provision(makeOrders(ids))).errors[0] ?? '', message);
    }
    // The cause is mended: the same script goes on where it ended.
    await askRaw(connection, 'INSERT INTO dbo.SessionTranscripts (TranscriptID, SessionID) VALUES (9, 213)', 60_000);
    t.deepEqual((await provision(orders)).errors, []);
    t.deepEqual((await verify(orders)).errors, []);
  });
});

server('mssql: with rotate the live GUID is replaced and keeps its date; one that is over ends and is not revived', async (t) => {
  await withProduction(t, async ({ connection, provision, scratch, verify }) => {
    const expiresAt = new Date('2098-01-01T00:00:00Z');
    const [first, second] = [makeOrders([15, 212, 218]), makeOrders([15, 212, 218, 215])];
    t.deepEqual((await provision(first, { expiresAt })).errors, []);
    // One past its date, one that was revoked and made active again, one that the old tool made.
    const rowOf = (id: number) => `SessionId = (SELECT SessionId FROM canvas.Sessions WHERE KSessionsId = ${id}) AND IsActive = 1`;
    await askRaw(connection, `UPDATE canvas.HostSessions SET ExpiresAt = '2020-01-01' WHERE ${rowOf(212)};
      UPDATE canvas.HostSessions SET RevokedAt = '2020-01-01', RevokedBy = N'somebody' WHERE ${rowOf(218)};
      INSERT INTO canvas.Sessions (GroupId, CreatedAt, KSessionsId, HostGuid) VALUES (NEWID(), SYSUTCDATETIME(), 215, N'old');
      INSERT INTO canvas.HostSessions (SessionId, HostGuidHash, CreatedAt, CreatedBy, IsActive)
        SELECT SessionId, N'old', SYSUTCDATETIME(), N'Interactive User', 1 FROM canvas.Sessions WHERE KSessionsId = 215;`, 60_000);
    t.deepEqual((await provision(second, { ifExists: 'rotate' })).errors, []);
    await open(scratch, async (opened) => {
      const verdicts = [];
      for (const order of [...second, ...first]) verdicts.push(await verdictOn(opened, order));
      t.deepEqual(verdicts, ['valid', 'valid', 'valid', 'valid', 'unknown', 'expired', 'revoked']);

      const rotated = await stateIn(opened, 15);
      t.deepEqual(rotated.chain, { holds: true, events: 2 });
      t.like(rotated.events[1], { action: 'rotated', expiresAt, oldFingerprint: first[0]?.guid.fingerprint(KEY), previousHash: rotated.events[0]?.eventHash });
      t.like(rotated.state?.live, { expiresAt, createdBy: 'jane' });
      const adopted = await stateIn(opened, 215);
      t.deepEqual(adopted.chain, { holds: true, events: 1 });
      t.like(adopted.events[0], { action: 'rotated', oldFingerprint: null });
      t.like(adopted.state?.live, { createdBy: 'Interactive User' });

      for (const [ksessionsId, action] of [[212, 'expired'], [218, 'consolidated']] as const) {
        const renewed = await stateIn(opened, ksessionsId);
        t.deepEqual(renewed.chain, { holds: true, events: 1 });
        const [credentials] = await readCredentials(opened.canvas, [renewed.state?.canvasSessionId ?? 0]);
        const [ended, live] = credentials?.hostSessions ?? [];
        t.deepEqual([ended?.isActive, live?.hostSessionId], [false, renewed.state?.live?.hostSessionId]);
        const events = await readEvents(opened.canvas, ended?.hostSessionId ?? 0);
        t.deepEqual(events.map((event) => event.action), ['provisioned', action]);
        t.deepEqual(checkChain(events, ended?.head, KEYS), { holds: true, events: 2 });
      }
    });
    t.deepEqual(statuses(await verify(first)), [[15, 'ENDED SINCE', 'linked'], [212, 'ENDED SINCE', 'linked'], [218, 'ENDED SINCE', 'linked']]);
    t.deepEqual(statuses(await verify(second)), second.map(({ ksessionsId }) => [ksessionsId, 'LIVE', 'linked']));
    await askRaw(connection, `UPDATE canvas.Sessions SET HostGuid = N'' WHERE KSessionsId = 15;
      UPDATE canvas.HostSessions SET LastSequence = 7 WHERE ${rowOf(212)}`, 60_000);
    const verified = await verify(second);
    t.deepEqual(statuses(verified).slice(0, 2), [[15, 'COPY DIFFERS', 'linked'], [212, 'LIVE', 'BROKEN']]);
    t.is(verified.errors.length, 1);
  });
});

server('mssql: an unlinked session of the same title that opens is not doubled; a date that has passed is refused', async (t) => {
  await withProduction(t, async ({ connection, provision }) => {
    await askRaw(connection, `INSERT INTO canvas.Sessions (GroupId, CreatedAt, Title, HostGuid) VALUES (NEWID(), SYSUTCDATETIME(), N' review of the word islam', N'x')`, 60_000);
    const before = await countOf(connection);
    t.regex((await provision(makeOrders([15]))).errors[0] ?? '', /CONFLICT: KSESSIONS session 15 may be canvas session 2, which has the same title/);
    t.regex((await provision(makeOrders([212]), { expiresAt: new Date('2020-01-01T00:00:00Z') })).errors[0] ?? '', /date of expiry has passed/);
    t.is(await countOf(connection), before);
  });
});

server('mssql: elsewhere, where migrations are pending, or where a lock is held, nothing is done', async (t) => {
  await withProduction(t, async ({ connection, database, provision }) => {
    const before = await countOf(connection);
    const orders = makeOrders([15]);
    for (const { name, text } of composeCredentials(`${database}_OTHER`, KEY, TERMS, orders).scripts) {
      const ran = await runScript(connection, text);
      // One where the server knows NOEXEC; elsewhere one for each batch but the head and the last.
      t.true([1, batchesOf(text).length - 2].includes(ran.errors.length), `${name}: ${ran.errors.length}`);
      t.true(ran.errors.every((message) => message.includes(`This database is not ${database}_OTHER.`)), name);
    }
    const refusedBy = async (change: string, undo: string, message: RegExp) => {
      await askRaw(connection, change, 60_000);
      const ran = await provision(orders);
      t.regex(ran.errors[0] ?? '', message);
      t.true(ran.errors.slice(1).every((later) => later.includes('An earlier step failed.')), ran.errors.join('\n'));
      await askRaw(connection, undo, 60_000);
    };
    await refusedBy(`UPDATE canvas.Environment SET Environment = N'test'`, `UPDATE canvas.Environment SET Environment = N'production'`, /not marked as production/);
    const [newest] = readMigrations().slice(-1);
    const setName = (from: string, to: string) => `UPDATE canvas.MigrationLedger SET Name = N'${to}' WHERE Name = N'${from}'`;
    const name = newest?.name ?? '';
    await refusedBy(setName(name, '2099'), setName('2099', name), /MIGRATIONS_PENDING/);
    t.is(await countOf(connection), before);

    // The name is that of the runs: who holds it keeps the script out.
    const other = await openMssql(database);
    await askRaw(other, `BEGIN TRANSACTION; DECLARE @name nvarchar(255) = CONCAT(DB_NAME(), N'/ksessions/15'); EXEC sp_getapplock @Resource = @name, @LockMode = 'Exclusive', @LockOwner = 'Transaction'`, 60_000);
    const script = textOf(composeCredentials(database, KEY, TERMS, orders).scripts, 'provision.sql').replaceAll('@LockTimeout = 30000', '@LockTimeout = 100');
    t.regex((await runScript(connection, script)).errors[0] ?? '', /LOCKED: KSESSIONS session 15/);
    await close(other);
    t.is(await countOf(connection), before);
  });
});
