/** What every engine must do when credentials change, one or many at once; each engine's test hands it a lane. */
import test from 'ava';
import { wereCommitted } from '../../lib/hosts/resume';
import { authenticateHost } from '../../lib/hosts/authenticate';
import { changeMany, type BulkRequest, type Tally } from '../../lib/hosts/bulk';
import { applyChanges, type Delivery, type Issued, type Outcome, type Result } from '../../lib/hosts/change';
import { HostGuid } from '../../lib/hosts/credential';
import type { Verb } from '../../lib/hosts/plan';
import { provisioning, type ProvisionTerms } from '../../lib/hosts/provision';
import { revoking } from '../../lib/hosts/revoke';
import { rotating } from '../../lib/hosts/rotate';
import { countLive, pagesOfIds, pagesOfLive, pagesOfProvisionable, pagesOfUnlinked, type LiveFilter, type Page } from '../../lib/hosts/selection';
import type { Access } from '../../lib/access';
import { HmacKey } from '../../lib/config/keys';
import { readClock, type Database } from '../../lib/engines/database';
import { ToolkitError } from '../../lib/errors';
import { execute, type Lane } from '../helpers/lanes';
import { PHRASES } from '../helpers/phrases';
import type { WithCleared } from '../helpers/shared';
import { hostSessions, provisionHere, rowsOf, snapshot, verifies } from '../helpers/state';

const DAY_MS = 86_400_000;

const TERMS: ProvisionTerms = { actor: 'suite', reason: null, expiresAt: undefined, ifExists: 'rotate' };

/** Catches what is handed over. */
function catcher() {
  const issued: Issued[] = [];
  const delivery: Delivery = {
    handOver: (all) => Promise.resolve(void issued.push(...all)),
    withdraw: () => void issued.splice(0),
  };
  return { delivery, guidOf: (id: number) => issued.find(({ receipt }) => receipt.session.ksessionsId === id)?.guid.reveal() ?? 'none' };
}

function change({ database, keys, permit }: Access, verb: Verb, delivery = catcher().delivery): Promise<readonly Result[]> {
  return applyChanges(database, permit, keys, verb, delivery);
}

const revoke = (open: Access, ids: readonly number[], by: Page['by'] = 'KSessionsId') =>
  change(open, revoking({ by, ids }, { actor: 'Grace', reason: 'left' }));

/** What came of each: its status, or the code of its failure. */
const told = (results: readonly Result[]) => results.map((result) => (result instanceof ToolkitError ? result.code : result.status));

const isOutcome = (result: Result): result is Outcome => !(result instanceof ToolkitError);

async function hashCopyOf({ canvas }: Database, ksessionsId: number): Promise<string | undefined> {
  const [row] = await canvas.ask<{ copy: string }>('SELECT s."HostGuid" AS "copy" FROM canvas."Sessions" s WHERE s."KSessionsId" = ?', [ksessionsId]);
  return row?.copy;
}

async function idsOf(pages: Iterable<Page> | AsyncIterable<Page>): Promise<number[]> {
  const all: number[] = [];
  for await (const { ids } of pages) all.push(...ids);
  return all;
}

/** Registers the suite for one lane. */
export function exerciseChanges(lane: Lane, withCleared: WithCleared): void {
  const name = (title: string) => `${lane.name}: ${title}`;
  const say = PHRASES[lane.dialect];

  test.serial(name('rotation replaces a live credential and refuses where there is none'), async (t) => {
    await withCleared(t, async (open) => {
      const expiresAt = new Date(Date.now() + DAY_MS);
      const { guid } = await provisionHere(open, { ksessionsId: 15, actor: 'Ada', expiresAt });
      const { delivery, guidOf } = catcher();
      const verb = await rotating(open.database, [15, 212, 99999], { actor: 'Grace', reason: 'lost', expiresAt: undefined });
      t.deepEqual(told(await change(open, verb, delivery)), ['rotated', 'HOST_SESSION_NOT_FOUND', 'SESSION_NOT_FOUND']);
      const [row, ...others] = await hostSessions(open, 15);
      t.is(others.length, 0);
      t.deepEqual([row?.createdBy, row?.expiresAt, row?.actions, row?.chain], ['Ada', expiresAt, ['provisioned', 'rotated'], { holds: true, events: 2 }]);
      t.false(verifies(open, guid, row));
      t.true(verifies(open, guidOf(15), row));
      t.deepEqual(await hostSessions(open, 212), [], 'a first GUID is not a rotation');
    });
  });

  test.serial(name('revocation ends the row and empties the hash copy; what has ended is left as it is'), async (t) => {
    await withCleared(t, async (open) => {
      const { guid } = await provisionHere(open, { ksessionsId: 15 });
      t.deepEqual(told(await revoke(open, [15, 212])), ['revoked', 'HOST_SESSION_NOT_FOUND']);
      t.is(await hashCopyOf(open.database, 15), '');
      const [row] = await hostSessions(open, 15);
      t.deepEqual([row?.isActive, row?.actions, row?.chain], [false, ['provisioned', 'revoked'], { holds: true, events: 2 }]);
      const { verdict } = await authenticateHost(open.database.canvas, open.keys, guid, await readClock(open.database));
      t.is(verdict, 'revoked');
      const before = await snapshot(open.database);
      t.deepEqual(told(await revoke(open, [15])), ['kept']);
      t.deepEqual(await snapshot(open.database), before);
      await provisionHere(open, { ksessionsId: 15 });
      t.deepEqual((await hostSessions(open, 15)).map(({ isActive }) => isActive), [false, true], 'an ended row is never revived');
    });
  });

  test.serial(name('a credential past its date ends as expired, and a revoked one keeps who revoked it'), async (t) => {
    await withCleared(t, async (open) => {
      for (const ksessionsId of [15, 212]) await provisionHere(open, { ksessionsId, expiresAt: new Date(Date.now() + DAY_MS) });
      await execute(
        open,
        `UPDATE canvas."HostSessions" SET "ExpiresAt" = ${say.yesterday} WHERE "SessionId" = 1`,
        `UPDATE canvas."HostSessions" SET "RevokedAt" = ${say.yesterday}, "RevokedBy" = 'Ada' WHERE "SessionId" = 2`,
      );
      t.deepEqual(told(await revoke(open, [15, 212])), ['revoked', 'revoked']);
      t.deepEqual((await hostSessions(open, 15))[0]?.actions, ['provisioned', 'expired']);
      const [row] = await open.database.canvas.ask<{ by: string }>('SELECT "RevokedBy" AS "by" FROM canvas."HostSessions" WHERE "SessionId" = 2');
      t.is(row?.by, 'Ada');
      t.deepEqual([await hashCopyOf(open.database, 15), await hashCopyOf(open.database, 212)], ['', '']);
    });
  });

  test.serial(name('a hash copy without a live row is emptied and the trail tells of it; without any row it is refused'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15 });
      await revoke(open, [15]);
      await execute(
        open,
        `UPDATE canvas."Sessions" SET "HostGuid" = 'still opens' WHERE "KSessionsId" = 15`,
        `INSERT INTO canvas."Sessions" ("GroupId", "CreatedAt", "KSessionsId", "HostGuid") VALUES (${say.uuid}, ${say.now}, 212, 'alone')`,
      );
      t.deepEqual(told(await revoke(open, [15, 212])), ['revoked', 'CONFLICT']);
      t.is(await hashCopyOf(open.database, 15), '');
      t.deepEqual((await hostSessions(open, 15)).map(({ actions, chain }) => [...actions, chain.holds]), [['provisioned', 'revoked', 'revoked', true]]);
    });
  });

  test.serial(name('a canvas session without a link can be shut out too'), async (t) => {
    await withCleared(t, async (open) => {
      const { guid } = await provisionHere(open, { ksessionsId: 15 });
      await execute(open, 'UPDATE canvas."Sessions" SET "KSessionsId" = NULL');
      const now = await readClock(open.database);
      t.deepEqual(await countLive(open.database.canvas, { now }), { linked: 0, unlinked: 1 });
      t.deepEqual(await idsOf(pagesOfUnlinked(open.database.canvas, { now })), [1]);
      t.deepEqual(told(await revoke(open, [1], 'SessionId')), ['revoked']);
      t.is((await authenticateHost(open.database.canvas, open.keys, guid, now)).verdict, 'revoked');
    });
  });

  test.serial(name('a canvas session whose link is no KSESSIONS id is shut out with all others, and not rotated'), async (t) => {
    await withCleared(t, async (open) => {
      const { guid } = await provisionHere(open, { ksessionsId: 15 });
      await execute(open, 'UPDATE canvas."Sessions" SET "KSessionsId" = -3');
      const now = await readClock(open.database);
      t.deepEqual(await countLive(open.database.canvas, { now }), { linked: 1, unlinked: 0 });
      t.deepEqual(await idsOf(pagesOfLive(open.database.canvas, { now })), [-3]);
      const verb = await rotating(open.database, [-3], { actor: 'Grace', reason: 'lost', expiresAt: undefined });
      t.deepEqual(told(await change(open, verb)), ['SESSION_NOT_FOUND']);
      t.deepEqual(told(await revoke(open, [-3])), ['revoked']);
      t.is((await authenticateHost(open.database.canvas, open.keys, guid, now)).verdict, 'revoked');
    });
  });

  test.serial(name('a set is one transaction: refusals stand in their places, the rest has one operation'), async (t) => {
    await withCleared(t, async (open) => {
      const { guid } = await provisionHere(open, { ksessionsId: 15 });
      const { delivery, guidOf } = catcher();
      const ids = [212, 99999, 15, 213, 1];
      const results = await change(open, await provisioning(open.database, ids, TERMS), delivery);
      t.deepEqual(told(results), ['provisioned', 'SESSION_NOT_FOUND', 'rotated', 'NO_TRANSCRIPTS', 'provisioned']);
      t.is(new Set(results.filter(isOutcome).map(({ operationId }) => operationId)).size, 1);
      for (const id of [212, 15, 1]) {
        const [row] = await hostSessions(open, id);
        t.true(verifies(open, guidOf(id), row), String(id));
        t.true(row?.chain.holds);
      }
      t.false(verifies(open, guid, (await hostSessions(open, 15))[0]));
      t.is(new Set([212, 15, 1].map(guidOf)).size, 3);
    });
  });

  test.serial(name('a set that cannot be handed over changes nothing, neither does one whose hand-over throws'), async (t) => {
    await withCleared(t, async (open) => {
      await provisionHere(open, { ksessionsId: 15 });
      const before = await rowsOf(open.database);
      const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      const throwing = () => {
        throw full;
      };
      for (const handOver of [() => Promise.reject(full), throwing]) {
        let withdrawn = 0;
        const delivery = { handOver, withdraw: () => void (withdrawn += 1) };
        const verb = await provisioning(open.database, [15, 212], TERMS);
        const error = await t.throwsAsync(change(open, verb, delivery), { instanceOf: ToolkitError });
        t.regex(`${error.message} ${error.why}`, /2 host GUIDs could not be handed over[^]+ENOSPC/);
        t.is(withdrawn, 1);
      }
      t.deepEqual(await rowsOf(open.database), before);
    });
  });

  test.serial(name('where one of a set meets a rule of the database, the others do not suffer for it'), async (t) => {
    await withCleared(t, async (open) => {
      const { database, keys, permit } = open;
      // A title of 212, taken where titles must differ.
      await execute(
        open,
        `INSERT INTO canvas."Sessions" ("GroupId", "CreatedAt", "KSessionsId", "Title") VALUES (${say.uuid}, ${say.now}, 4711, 'Need For Messengers')`,
        'CREATE UNIQUE INDEX "UX_ByHand" ON canvas."Sessions" ("Title")',
      );
      try {
        const { delivery, guidOf } = catcher();
        const results: Result[] = [];
        const request: BulkRequest = {
          pages: pagesOfIds([15, 212, 1]),
          batchSize: 10,
          verbFor: ({ ids }) => provisioning(database, ids, TERMS),
          tell: (some) => Promise.resolve(void results.push(...some)),
          isStopped: () => false,
          maxFailures: 5,
        };
        t.deepEqual(await changeMany(database, permit, keys, request, delivery), { done: 2, failed: 1, end: 'complete' } satisfies Tally);
        t.deepEqual(told(results), ['provisioned', 'CONFLICT', 'provisioned']);
        for (const id of [15, 1]) t.true(verifies(open, guidOf(id), (await hostSessions(open, id))[0]));
      } finally {
        await execute(open, `DROP INDEX ${lane.dialect === 'mssql' ? '"UX_ByHand" ON canvas."Sessions"' : 'canvas."UX_ByHand"'}`);
      }
    });
  });

  test.serial(name('a run over many ends where it is asked to, or after too many failures'), async (t) => {
    await withCleared(t, async (open) => {
      const { database, keys, permit } = open;
      let told = 0;
      const request: BulkRequest = {
        pages: pagesOfIds([15, 99998, 99999, 212, 1]),
        batchSize: 1,
        verbFor: ({ ids }) => provisioning(database, ids, TERMS),
        tell: () => Promise.resolve(void (told += 1)),
        isStopped: () => told === 2,
        maxFailures: 100,
      };
      const { delivery } = catcher();
      t.deepEqual(await changeMany(database, permit, keys, request, delivery), { done: 1, failed: 1, end: 'stopped' });
      const strict = { ...request, isStopped: () => false, maxFailures: 1 };
      t.deepEqual(await changeMany(database, permit, keys, strict, delivery), { done: 1, failed: 2, end: 'too-many-failures' });
      t.deepEqual(await hostSessions(open, 212), []);
    });
  });

  test.serial(name('credentials are chosen by age, by expiry, by key and by what is over'), async (t) => {
    await withCleared(t, async (open) => {
      const { canvas, source } = open.database;
      for (const ksessionsId of [1, 15, 212, 215, 218]) await provisionHere(open, { ksessionsId });
      const now = await readClock(open.database);
      const yesterday = new Date(now.getTime() - DAY_MS);
      await execute(
        open,
        `UPDATE canvas."HostSessions" SET "CreatedAt" = ${say.yesterday} WHERE "SessionId" IN (2, 3)`,
        // Old, and new again since it was rotated.
        `UPDATE canvas."HostSessions" SET "UpdatedAt" = ${say.now} WHERE "SessionId" = 3`,
        `UPDATE canvas."HostSessions" SET "ExpiresAt" = ${say.yesterday}, "HashKeyId" = 'another' WHERE "SessionId" = 4`,
        `UPDATE canvas."HostSessions" SET "HashKeyId" = NULL WHERE "SessionId" = 5`,
      );
      await provisionHere(open, { ksessionsId: 1, expiresAt: new Date(now.getTime() + DAY_MS) });
      const chosen = async (filter: Partial<LiveFilter>) => {
        const ids = await idsOf(pagesOfLive(canvas, { now, ...filter }));
        t.is((await countLive(canvas, { now, ...filter })).linked, ids.length);
        return ids;
      };
      const soon = new Date(now.getTime() + DAY_MS / 2);
      t.deepEqual(await chosen({}), [1, 15, 212, 215, 218]);
      t.deepEqual(await chosen({ olderThan: new Date(yesterday.getTime() + DAY_MS / 2) }), [15]);
      t.deepEqual(await chosen({ isOver: true }), [215]);
      t.deepEqual(await chosen({ isOver: false }), [1, 15, 212, 218]);
      t.deepEqual(await chosen({ expiringBy: new Date(now.getTime() + 2 * DAY_MS) }), [1]);
      t.deepEqual(await chosen({ expiringBy: soon }), []);
      t.deepEqual(await chosen({ otherKeyThan: open.keys.signing.id }), [215, 218]);
      t.deepEqual(await chosen({ otherKeyThan: open.keys.signing.id, isOver: false }), [218]);
      const all = await idsOf(pagesOfProvisionable(source));
      t.true(all.includes(15) && !all.includes(213), 'a session without a transcript cannot be provisioned');
    });
  });

  test.serial(name('of GUIDs that were handed over, those that were committed are known, under any of the keys'), async (t) => {
    await withCleared(t, async (open) => {
      const { guid: replaced } = await provisionHere(open, { ksessionsId: 15 });
      const { guid } = await provisionHere(open, { ksessionsId: 15 });
      const parsed = [replaced, guid].map((text) => ({ ksessionsId: 15, guid: HostGuid.parse(text) ?? HostGuid.make() }));
      const handedOver = [...parsed, { ksessionsId: 15, guid: HostGuid.make() }, { ...parsed[1], ksessionsId: 212 } as (typeof parsed)[0]];
      const newer = new HmacKey(Buffer.from('another-key-0123456789-abcdefghijklmnopqrstu'));
      const keys = { ...open.keys, signing: newer, all: [newer, ...open.keys.all] };
      t.deepEqual(await wereCommitted(open.database, open.permit, keys, handedOver), [true, true, false, false]);
    });
  });
}
