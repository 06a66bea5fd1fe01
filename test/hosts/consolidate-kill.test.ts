/** Repair, killed with SIGKILL at its statements: a session is mended wholly or not at all, and the next run finishes. */
import type { ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import { checkChain, readEvents } from '../../lib/audit';
import { readClock } from '../../lib/engines/database';
import { consolidate, planRepair } from '../../lib/hosts/consolidate';
import { isBehind, readIdentities } from '../../lib/hosts/identities';
import { readCredentials } from '../../lib/hosts/survey';
import { isBegin, isCommit, isEverySide, placesOf, runAndKill, waitForDeadClients, type Place } from '../helpers/gallows';
import { execute, pgliteLane, postgresLane, postgresUrl, type Lane, type Scratch } from '../helpers/lanes';
import { migratedLegacy, openForRepair } from '../helpers/legacy';
import { long } from '../helpers/long';

const consolidateQuietly = (lane: Lane, scratch: Scratch, at?: Place) =>
  runAndKill(lane, scratch, 'consolidate', ['--apply', '--quiet'], at);

/** The first of the canvas sessions that are made to be mended, one a round. */
const FIRST_ID = 1000;

/** Per host session of such a canvas session: what its trail says when all is done. */
const TRAILS = [['consolidated'], ['adopted', 'consolidated'], ['consolidated'], ['expired']];

const hostIdOf = (id: number, place: number) => id * 10 + place;

/** Superseded, newest, revived, expired; the copy is that of the first, and both identities are behind. */
async function makeDisorder(open: Access, id: number): Promise<void> {
  const host = (place: number, created: string, expires: string, revoked: string) =>
    `(${hostIdOf(id, place)}, ${id}, 'hash-${id}-${place}', '${created}', ${expires}, ${revoked}, true)`;
  await execute(
    open,
    `INSERT INTO canvas."Sessions" ("SessionId", "GroupId", "CreatedAt", "HostGuid", "KSessionsId")
     OVERRIDING SYSTEM VALUE VALUES (${id}, gen_random_uuid(), now(), 'hash-${id}-0', ${id})`,
    `INSERT INTO canvas."HostSessions"
       ("HostSessionId", "SessionId", "HostGuidHash", "CreatedAt", "ExpiresAt", "RevokedAt", "IsActive")
     OVERRIDING SYSTEM VALUE VALUES
       ${host(0, '2025-01-01', 'NULL', 'NULL')}, ${host(1, '2025-01-02', 'NULL', 'NULL')},
       ${host(2, '2025-01-03', 'NULL', `'2025-02-01'`)}, ${host(3, '2025-01-04', `'2025-02-01'`, 'NULL')}`,
    `SELECT setval(pg_get_serial_sequence('canvas."Sessions"', 'SessionId'), 5)`,
    `SELECT setval(pg_get_serial_sequence('canvas."HostSessions"', 'HostSessionId'), 5)`,
  );
}

function mend({ database, keys, permit }: Access) {
  const request = { actor: 'suite', reason: null, apply: true };
  return consolidate(database, permit, keys, request, () => Promise.resolve());
}

async function trailsOf({ database, keys }: Access, id: number): Promise<string[][]> {
  const [session] = await readCredentials(database.canvas, [id]);
  const trails: string[][] = [];
  for (const host of session?.hostSessions ?? []) {
    const events = await readEvents(database.canvas, host.hostSessionId);
    const chain = checkChain(events, host.head, keys);
    trails.push(chain.holds ? events.map(({ action }) => action) : [chain.why]);
  }
  return trails;
}

async function isInOrder({ database }: Access, id: number): Promise<boolean> {
  const [session] = await readCredentials(database.canvas, [id]);
  return session !== undefined && planRepair(session, await readClock(database)) === undefined;
}

/** What the killed run left is whole, and the next run finishes it: nothing is done twice. */
async function finish(t: ExecutionContext, open: Access, id: number, isMended: boolean, where: string): Promise<void> {
  await waitForDeadClients(open.database);
  t.is(await isInOrder(open, id), isMended, where);
  t.deepEqual(await trailsOf(open, id), isMended ? TRAILS : TRAILS.map(() => []), where);
  await mend(open);
  t.true(await isInOrder(open, id), where);
  t.deepEqual(await trailsOf(open, id), TRAILS, where);
  t.false((await readIdentities(open.database.canvas)).some(isBehind), where);
  t.is((await mend(open)).repairs, 0, where);
}

const withoutId = (sql: string) => sql.replace(/\bksessions\/\d+/, 'ksessions/ID');
const isEvent = (sql: string) => /^insert into \S+"HostSessionEvents"/i.test(sql);

/** Half written, and around each COMMIT; the embedded engine takes seconds to start, so there half written only. */
function isTelling(lane: Lane, statements: readonly string[], { index, moment, sql }: Place): boolean {
  if (isEverySide) return true;
  if (isEvent(sql)) return moment === 'after' && index === statements.findIndex(isEvent);
  return lane.name !== 'pglite' && isCommit(sql);
}

for (const lane of postgresUrl === undefined ? [pgliteLane] : [pgliteLane, postgresLane]) {
  long(`${lane.name}: a killed repair leaves each session mended or as it was, and the next run finishes`, async (t) => {
    t.timeout(900_000);
    // Two canvas rows for one KSESSIONS id keep the constraints pending, so that disorder can be made again and again.
    const scratch = await migratedLegacy(t, lane, 'd', { faults: ['two-canvas-rows'] });
    await openForRepair(scratch, async (open) => {
      await mend(open);
      await makeDisorder(open, FIRST_ID);
    });
    const undisturbed = await consolidateQuietly(lane, scratch);
    t.is(undisturbed.finished.code, 1, undisturbed.finished.stderr);
    const { statements } = undisturbed;
    const lastCommit = statements.findLastIndex(isCommit);
    t.is(statements.filter(isCommit).length, 3, 'two identities and one session');
    const boundaries = placesOf(statements.slice(0, -1)).filter(
      (boundary) => boundary.index >= statements.findIndex(isBegin) && isTelling(lane, statements, boundary),
    );
    t.true(boundaries.length >= (lane.name === 'pglite' ? 1 : 2));

    await openForRepair(scratch, (open) => makeDisorder(open, FIRST_ID + 1));
    for (const [place, boundary] of boundaries.entries()) {
      const id = FIRST_ID + place + 1;
      const killed = await consolidateQuietly(lane, scratch, boundary);
      const where = `killed ${boundary.moment} ${boundary.sql}`;
      t.is(killed.finished.signal, 'SIGKILL', where);
      const same = statements.slice(0, boundary.index + 1);
      t.deepEqual(killed.statements.map(withoutId), same.map(withoutId), where);
      const isMended = boundary.index > lastCommit || (boundary.index === lastCommit && boundary.moment === 'after');
      await openForRepair(scratch, async (open) => {
        await finish(t, open, id, isMended, where);
        await makeDisorder(open, id + 1);
      });
    }
  });
}
