import test from 'ava';
import type { Access } from '../../lib/access';
import { appendEvents, type ChainHead } from '../../lib/audit';
import { HmacKey, type KeyRing } from '../../lib/config/keys';
import { withTransaction, type Reader } from '../../lib/engines/database';
import { countWithoutTrail, readTrail, type Chain, type TrailStep } from '../../lib/hosts/trail';
import { execute, lanes, type Lane } from '../helpers/lanes';
import { PHRASES } from '../helpers/phrases';
import { shareAccess } from '../helpers/shared';
import { provisionHere } from '../helpers/state';

async function stepsOf(reader: Reader, keys: KeyRing, ksessionsId?: number): Promise<TrailStep[]> {
  const steps: TrailStep[] = [];
  for await (const page of readTrail(reader, keys, ksessionsId)) steps.push(...page);
  return steps;
}

const chainsOf = (steps: readonly TrailStep[]): Chain[] => steps.flatMap((step) => (step.kind === 'chain' ? [step.chain] : []));

/** Host session, sequence and action of each event; host session alone at the end of a chain. */
const outline = (steps: readonly TrailStep[]) =>
  steps.map((step) =>
    step.kind === 'chain' ? step.chain.hostSessionId : [step.event.hostSessionId, step.event.sequence, step.event.action, step.isFirst],
  );

const TRAIL = 'canvas."HostSessionEvents"';
const HOSTS = 'canvas."HostSessions"';

/** What somebody with the right to write could do to the chain of host session 1, and what is said of it. */
const TAMPERED: readonly (readonly [what: string, statement: string, sequence: number, why: RegExp])[] = [
  ['an event says something else', `UPDATE ${TRAIL} SET "Reason" = 'forged' WHERE "HostSessionId" = 1 AND "Sequence" = 2`, 2, /seal does not match/],
  ['another person did it', `UPDATE ${TRAIL} SET "Actor" = 'nobody' WHERE "HostSessionId" = 1 AND "Sequence" = 1`, 1, /seal does not match/],
  ['the first event is gone', `DELETE FROM ${TRAIL} WHERE "HostSessionId" = 1 AND "Sequence" = 1`, 2, /^event 1 is missing$/],
  ['one in the middle is gone', `DELETE FROM ${TRAIL} WHERE "HostSessionId" = 1 AND "Sequence" = 2`, 3, /^event 2 is missing$/],
  ['the end is gone', `DELETE FROM ${TRAIL} WHERE "HostSessionId" = 1 AND "Sequence" = 3`, 3, /another newest event/],
  ['all are gone', `DELETE FROM ${TRAIL} WHERE "HostSessionId" = 1`, 3, /^all its events are gone$/],
  ['the head points back', `UPDATE ${HOSTS} SET "LastSequence" = 2 WHERE "HostSessionId" = 1`, 2, /another newest event/],
  ['the head is another', `UPDATE ${HOSTS} SET "LastEventHash" = 'x' WHERE "HostSessionId" = 1`, 3, /another newest event/],
  ['an event is of another chain', `UPDATE ${TRAIL} SET "HostSessionId" = 1, "Sequence" = 4 WHERE "HostSessionId" = 2`, 4, /does not follow/],
];

function exercise(lane: Lane): void {
  const name = (title: string) => `${lane.name}: ${title}`;
  const withCleared = shareAccess(lane);
  const { now, uuid, unprotectTrail, yes, yesterday } = PHRASES[lane.dialect];

  /** Host session 1 of KSESSIONS 15, rotated twice, and 2 of KSESSIONS 212. */
  async function twoChains(open: Access): Promise<void> {
    for (const [ksessionsId, actor] of [[15, 'Ada'], [15, 'Zaynab'], [15, 'Ada'], [212, 'Ada']] as const) {
      await provisionHere(open, { ksessionsId, actor, reason: 'because' });
    }
  }

  test.serial(name('every event, chain by chain, and each chain holds'), (t) => withCleared(t, async (open) => {
    const { database: { canvas }, keys } = open;
    t.deepEqual(await stepsOf(canvas, keys), []);
    await twoChains(open);
    const steps = await stepsOf(canvas, keys);
    t.deepEqual(outline(steps), [
      [1, 1, 'provisioned', true], [1, 2, 'rotated', false], [1, 3, 'rotated', false], 1, [2, 1, 'provisioned', true], 2,
    ]);
    t.deepEqual(chainsOf(steps), [
      { hostSessionId: 1, canvasSessionId: 1, ksessionsId: 15, state: { holds: true, events: 3 }, hasHead: true },
      { hostSessionId: 2, canvasSessionId: 2, ksessionsId: 212, state: { holds: true, events: 1 }, hasHead: true },
    ]);
    t.deepEqual(outline(await stepsOf(canvas, keys, 212)), [[2, 1, 'provisioned', true], 2]);
    t.deepEqual(await stepsOf(canvas, keys, 213), []);
    t.is(await countWithoutTrail(canvas), 0);
  }));

  test.serial(name('all host sessions of a session, also those that the application deleted with their canvas session'), (t) => withCleared(t, async (open) => {
    const { database: { canvas }, keys } = open;
    await provisionHere(open, { ksessionsId: 15 });
    await execute(open, `UPDATE ${HOSTS} SET "ExpiresAt" = ${yesterday}`);
    await provisionHere(open, { ksessionsId: 15 });
    await execute(open, `DELETE FROM ${HOSTS} WHERE "SessionId" = 1`, 'DELETE FROM canvas."Sessions"');
    await provisionHere(open, { ksessionsId: 212 });
    await provisionHere(open, { ksessionsId: 15 });
    const steps = await stepsOf(canvas, keys, 15);
    t.deepEqual(outline(steps), [
      [1, 1, 'provisioned', true], [1, 2, 'expired', false], 1, [2, 1, 'provisioned', true], 2, [4, 1, 'provisioned', true], 4,
    ]);
    t.deepEqual(chainsOf(steps).map(({ hasHead, state }) => [hasHead, state.holds]), [[false, true], [false, true], [true, true]]);
    await execute(open, unprotectTrail, `DELETE FROM ${TRAIL} WHERE "HostSessionId" = 4`);
    t.like(chainsOf(await stepsOf(canvas, keys, 15))[2], { hostSessionId: 4, ksessionsId: 15, state: { holds: false } }, 'found by its head');
    await execute(open, `UPDATE ${HOSTS} SET "LastSequence" = NULL, "LastEventHash" = NULL WHERE "HostSessionId" = 4`);
    t.is(await countWithoutTrail(canvas), 1);
  }));

  for (const [what, statement, sequence, why] of TAMPERED) {
    test.serial(name(`a chain does not hold when ${what}`), (t) => withCleared(t, async (open) => {
      const { database: { canvas }, keys } = open;
      await twoChains(open);
      await execute(open, unprotectTrail, statement);
      const broken = chainsOf(await stepsOf(canvas, keys)).filter(({ state }) => !state.holds);
      const [first] = broken;
      t.like(first, { hostSessionId: 1, state: { holds: false, sequence } });
      t.regex(first?.state.holds === false ? first.state.why : '', why);
      t.is(broken.length, what.includes('another chain') ? 2 : 1, 'the other chain is as it was');
    }));
  }

  test.serial(name('an event under a key that is not configured does not pass'), (t) => withCleared(t, async (open) => {
    const { database: { canvas }, keys } = open;
    await twoChains(open);
    const other = new HmacKey(Buffer.from('another-key-0123456789-abcdefghijklmnop', 'utf8'));
    const [chain] = chainsOf(await stepsOf(canvas, { signing: other, all: [other], legacy: undefined }, 15));
    const { id } = keys.signing;
    t.deepEqual(chain?.state, { holds: false, sequence: 1, why: `its key ${id} is not configured`, missingKey: id });
    t.true(chainsOf(await stepsOf(canvas, { signing: other, all: [other, keys.signing], legacy: undefined }, 15))[0]?.state.holds);
  }));

  test.serial(name('chains that go on from one page to the next are checked as one'), (t) => withCleared(t, async (open) => {
    const { database, keys, permit } = open;
    const [hosts, rounds] = [60, 21];
    const ids = Array.from({ length: hosts }, (_, index) => index + 1);
    const session = (id: number) => `(${uuid}, ${id}, '', ${now}, ${now})`;
    const host = (id: number) => `(${id}, 'hash-${id}', ${now}, ${yes})`;
    await execute(
      open,
      `INSERT INTO canvas."Sessions" ("GroupId", "KSessionsId", "HostGuid", "CreatedAt", "ModifiedAt") VALUES ${ids.map(session).join(', ')}`,
      `INSERT INTO ${HOSTS} ("SessionId", "HostGuidHash", "CreatedAt", "IsActive") VALUES ${ids.map(host).join(', ')}`,
    );
    await withTransaction(database, permit, undefined, async (writer) => {
      let heads: ChainHead[] = ids.map(() => ({ sequence: 0, hash: null }));
      for (let round = 0; round < rounds; round += 1) {
        const facts = (id: number) => ({
          operationId: `00000000-0000-4000-8000-${String(round * hosts + id).padStart(12, '0')}`, hostSessionId: id, canvasSessionId: id,
          ksessionsId: id, action: 'rotated' as const, actor: 'suite', reason: null, oldFingerprint: null, newFingerprint: null, expiresAt: null,
        });
        heads = await appendEvents(writer, keys.signing, ids.map((id, index) => ({ head: heads[index] as ChainHead, facts: facts(id) })));
      }
      for (const [index, head] of heads.entries()) {
        await writer.table('HostSessions').where({ HostSessionId: index + 1 }).update({ LastSequence: head.sequence, LastEventHash: head.hash });
      }
    });
    const pages: number[] = [];
    const steps: TrailStep[] = [];
    for await (const page of readTrail(database.canvas, keys, undefined)) {
      pages.push(page.length);
      steps.push(...page);
    }
    t.true(pages.length >= 2 && Math.max(...pages) < 1100, pages.join());
    t.deepEqual(outline(steps).filter((one) => typeof one === 'number'), ids);
    t.true(chainsOf(steps).every(({ state }) => state.holds && state.events === rounds));
    t.is(steps.filter(({ kind }) => kind === 'event').length, hosts * rounds);
  }));

  test.serial(name('a run that rotates meanwhile is no fault: what it wrote is read on'), (t) => withCleared(t, async (open) => {
    const { database: { canvas }, keys } = open;
    await provisionHere(open, { ksessionsId: 15 });
    // As a server that does not read from one moment: old events beside the head of a run that came in between.
    let isFirst = true;
    const ask = async (sql: string, bindings: never[]) => {
      const rows: Record<string, unknown>[] = await canvas.ask(sql, bindings);
      if (!isFirst) return rows;
      isFirst = false;
      await provisionHere(open, { ksessionsId: 15 });
      const [head] = await canvas.ask<{ hash: string }>(`SELECT "LastEventHash" AS hash FROM ${HOSTS}`);
      return rows.map((row) => ({ ...row, LastSequence: 2, LastEventHash: head?.hash }));
    };
    const between = { dialect: canvas.dialect, ask } as unknown as Reader;
    const steps = await stepsOf(between, keys);
    t.deepEqual(outline(steps), [[1, 1, 'provisioned', true], [1, 2, 'rotated', false], 1]);
    t.deepEqual(chainsOf(steps)[0]?.state, { holds: true, events: 2 });
  }));
}

for (const lane of lanes()) exercise(lane);
