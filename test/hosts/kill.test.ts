/**
 * Provisioning and rotation, killed with SIGKILL at the statements of their writing transaction and of the
 * look back, and cut off from the server at COMMIT.
 *
 * What the database holds after a statement is what it holds before the next, so `npm test` kills before each
 * one and after COMMIT. The embedded engine takes seconds to start; there it kills at three: half written,
 * handed over but not committed, committed but not read back. All of them, at both sides of each statement:
 * CANVAS_FAULTS=all npx ava test/hosts/kill.test.ts
 */
import test, { type ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import {
  boundariesOf, embeddedGallows, isBegin, isCommit, isEverySide, runThroughProxy, serverGallows, waitForBackends,
  type Boundary, type Gallows,
} from '../helpers/gallows';
import { access, execute, postgresLane, postgresUrl, type Scratch } from '../helpers/lanes';
import type { Hook } from '../helpers/postgres-proxy';
import { jsonLines, type Finished } from '../helpers/script';
import { hostSessions, provisionHere, verifies, type HostRow } from '../helpers/state';

/** One run that was killed, on a session of its own. */
interface Round {
  readonly id: number;
  readonly boundary: Boundary;
  readonly finished: Finished;
  /** The GUID that worked before, or '' where there was none. */
  readonly earlier: string;
}

/** Whether a boundary is worth a run when not all are wanted. */
type IsTelling = (boundary: Boundary, previous: string) => boolean;

const withoutId = (sql: string) => sql.replace(/\bksessions\/\d+/, 'ksessions/ID');
const isLock = (sql: string) => sql.includes('pg_advisory_xact_lock');
const isEvent = (sql: string) => /^insert into \S+"HostSessionEvents"/i.test(sql);

const provisionQuietly = (id: number) => ['provision', String(id), '--quiet'] as const;

const TELLING: Record<'embedded' | 'server', IsTelling> = {
  embedded: ({ moment, sql }, previous) =>
    moment === 'before' && (isEvent(previous) || isCommit(sql) || isCommit(previous)),
  server: ({ moment, sql }) => moment === 'before' || isCommit(sql),
};

// --- killed ------------------------------------------------------------------------------------------------

/** The first of the sessions that are added to the samples. */
const FIRST_ID = 9000;
const MOST = 100;

function addSessions(open: Access): Promise<void> {
  return execute(
    open,
    `INSERT INTO dbo."Sessions" ("SessionID", "SessionName")
     SELECT ${FIRST_ID} + n, 'Session ' || n FROM generate_series(0, ${MOST}) n`,
    `INSERT INTO dbo."SessionTranscripts" ("TranscriptID", "SessionID", "Transcript")
     SELECT "SessionID" * 10, "SessionID", '<p>Text</p>' FROM dbo."Sessions"
     WHERE "SessionID" >= ${FIRST_ID}`,
  );
}

/** From the BEGIN of the writing transaction to the last statement of the look back. */
function tellingBoundaries(t: ExecutionContext, isTelling: IsTelling, statements: readonly string[]): Boundary[] {
  const begin = statements.findIndex(isBegin);
  const commit = statements.findIndex(isCommit);
  t.true(begin >= 0 && commit > begin && commit < statements.length - 1, statements.join('\n'));
  return boundariesOf(statements).filter((boundary) => {
    const { index } = boundary;
    return index >= begin && (isEverySide || isTelling(boundary, statements[index - 1] ?? ''));
  });
}

/** Kills one run at each boundary, each on a session of its own: all can be looked at in the end. */
async function killEverywhere(
  t: ExecutionContext,
  gallows: Gallows,
  isTelling: IsTelling,
  scratch: Scratch,
  isRotation: boolean,
) {
  const earlier: string[] = [];
  const provisionUpTo = (count: number) =>
    access(scratch, async (open) => {
      if (earlier.length === 0) await addSessions(open);
      for (let id = earlier.length; isRotation && id < count; id += 1) {
        earlier.push((await provisionHere(open, { ksessionsId: FIRST_ID + id })).guid);
      }
    });
  await provisionUpTo(1);
  const undisturbed = await gallows.run(scratch, provisionQuietly(FIRST_ID));
  t.is(undisturbed.finished.code, 0, undisturbed.finished.stderr);
  const boundaries = tellingBoundaries(t, isTelling, undisturbed.statements);
  if (isRotation) await provisionUpTo(boundaries.length + 1);

  const rounds: Round[] = [];
  for (const [place, boundary] of boundaries.entries()) {
    const id = FIRST_ID + place + 1;
    const { finished, statements } = await gallows.run(scratch, provisionQuietly(id), boundary);
    t.is(finished.signal, 'SIGKILL', finished.stderr);
    const same = undisturbed.statements.slice(0, boundary.index + 1);
    t.deepEqual(statements.map(withoutId), same.map(withoutId));
    rounds.push({ id, boundary, finished, earlier: earlier[place + 1] ?? '' });
  }
  return { rounds, commit: undisturbed.statements.findIndex(isCommit) };
}

function isCommitted({ boundary: { index, moment } }: Round, commit: number): boolean {
  return index > commit || (index === commit && moment === 'after');
}

const where = ({ boundary: { moment, sql } }: Round) => `killed ${moment} ${sql}`;

/** The one live row; every ended one and every chain is looked at too. */
function theLiveRow(t: ExecutionContext, round: Round, rows: readonly HostRow[]): HostRow | undefined {
  const live = rows.filter(({ isActive }) => isActive);
  t.true(live.length <= 1, where(round));
  t.deepEqual(rows.map(({ chain }) => chain.holds), rows.map(() => true), where(round));
  return live[0];
}

/** What a killed run left is a start like any other. */
async function provisionAgain(t: ExecutionContext, open: Access, round: Round): Promise<void> {
  const { guid } = await provisionHere(open, { ksessionsId: round.id });
  t.true(verifies(open, guid, theLiveRow(t, round, await hostSessions(open, round.id))), where(round));
}

function exercise(gallows: Gallows, isTelling: IsTelling): void {
  const { name } = gallows.lane;

  test.serial(`${name}: a killed rotation leaves the old GUID or the delivered one`, async (t) => {
    t.timeout(600_000);
    const scratch = await gallows.lane.ready(t);
    const { rounds, commit } = await killEverywhere(t, gallows, isTelling, scratch, true);
    await access(scratch, async (open) => {
      await waitForBackends(open);
      for (const round of rounds) {
        const delivered = round.finished.stdout.trim();
        const row = theLiveRow(t, round, await hostSessions(open, round.id));
        const valid = [round.earlier, delivered].filter((guid) => verifies(open, guid, row));
        t.deepEqual(valid, [isCommitted(round, commit) ? delivered : round.earlier], where(round));
        t.deepEqual(row?.actions, isCommitted(round, commit) ? ['provisioned', 'rotated'] : ['provisioned']);
        if (round.boundary.index >= commit) t.not(delivered, '', 'handed over before COMMIT is sent');
        await provisionAgain(t, open, round);
      }
    });
  });

  test.serial(`${name}: a killed first provisioning leaves none or the delivered one`, async (t) => {
    t.timeout(600_000);
    const scratch = await gallows.lane.ready(t);
    const { rounds, commit } = await killEverywhere(t, gallows, isTelling, scratch, false);
    await access(scratch, async (open) => {
      await waitForBackends(open);
      for (const round of rounds) {
        const delivered = round.finished.stdout.trim();
        const rows = await hostSessions(open, round.id);
        const copies = await open.database.canvas.ask<{ HostGuid: string }>(
          'SELECT "HostGuid" FROM canvas."Sessions" WHERE "KSessionsId" = ?',
          [round.id],
        );
        if (isCommitted(round, commit)) {
          t.deepEqual(rows.map(({ actions }) => actions), [['provisioned']], where(round));
          t.true(verifies(open, delivered, theLiveRow(t, round, rows)), where(round));
        } else {
          t.deepEqual(rows, [], where(round));
          t.true(copies.every(({ HostGuid }) => HostGuid === ''), where(round));
        }
        if (round.boundary.index >= commit) t.not(delivered, '', 'handed over before COMMIT is sent');
        await provisionAgain(t, open, round);
      }
    });
  });
}

// --- cut off at COMMIT -------------------------------------------------------------------------------------

/** A rotation of session 15 during which the network fails: what it told, and what stands afterwards. */
async function rotateCutOff(t: ExecutionContext, hooksOf: Parameters<typeof runThroughProxy>[2]) {
  const scratch = await postgresLane.ready(t);
  const { guid: earlier } = await access(scratch, (open) => provisionHere(open, { ksessionsId: 15 }));
  const { finished, statements } = await runThroughProxy(scratch, ['provision', '15', '--json'], hooksOf);
  const [receipt = {}, ...rest] = jsonLines(finished);
  t.like(receipt, { status: 'rotated', ksessionsId: 15 });
  const delivered = String(receipt['hostGuid']);
  const [row, ...others] = await access(scratch, async (open) => {
    await waitForBackends(open);
    const rows = await hostSessions(open, 15);
    return rows.map((one) => ({
      chain: one.chain,
      valid: [earlier, delivered].filter((guid) => verifies(open, guid, one)),
    }));
  });
  t.deepEqual(others, []);
  return { finished, statements, earlier, delivered, operationId: receipt['operationId'], rest, row };
}

/** Once: a command that goes on afterwards commits again, and that is not to be cut. */
function atFirst(isPlace: (sql: string) => boolean, verdict: ReturnType<Hook>, alsoDo = () => {}): Hook {
  let isDone = false;
  return (_index, sql) => {
    if (isDone || !isPlace(sql)) return 'pass';
    isDone = true;
    alsoDo();
    return verdict;
  };
}

function exerciseCutOff(): void {
  test.serial('postgres: when the answer to COMMIT is lost, the operation is looked up', async (t) => {
    const cut = await rotateCutOff(t, () => ({ afterAnswer: atFirst(isCommit, 'cut') }));
    t.is(cut.finished.code, 0, cut.finished.stderr);
    t.deepEqual(cut.rest, []);
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
  });

  test.serial('postgres: when COMMIT itself is lost, it says that the new GUID is void', async (t) => {
    const cut = await rotateCutOff(t, () => ({ onStatement: atFirst(isCommit, 'cut') }));
    t.is(cut.finished.code, 2, cut.finished.stderr);
    t.is(cut.rest.length, 1);
    const [error = {}] = cut.rest;
    t.like(error, { status: 'error', exit: 2, ksessionsId: 15, operationId: cut.operationId });
    const isVoid = `The host GUID of operation ${String(cut.operationId)} is void.`;
    t.true(String(error['message']).includes(isVoid));
    t.regex(String(error['hint']), /^An earlier GUID still works\./);
    t.deepEqual(cut.row, { chain: { holds: true, events: 1 }, valid: [cut.earlier] });
  });

  test.serial('postgres: a COMMIT that arrives after the client was cut off is waited for', async (t) => {
    const cut = await rotateCutOff(t, () => ({ onStatement: atFirst(isCommit, 'strand') }));
    t.is(cut.finished.code, 0, cut.finished.stderr);
    t.deepEqual(cut.rest, []);
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
  });

  for (const moment of ['onStatement', 'afterAnswer'] as const) {
    const when = moment === 'onStatement' ? 'before COMMIT arrives' : 'after COMMIT';
    test.serial(`postgres: a server that goes away ${when} and stays away: OUTCOME_UNKNOWN`, async (t) => {
      const cut = await rotateCutOff(t, (proxy) => ({
        [moment]: atFirst(isCommit, 'cut', () => proxy().refuse()),
      }));
      t.is(cut.finished.code, 2, cut.finished.stderr);
      t.is(cut.rest.length, 1);
      t.like(cut.rest[0], {
        status: 'error', code: 'OUTCOME_UNKNOWN', exit: 2, ksessionsId: 15, operationId: cut.operationId,
      });
      t.deepEqual(cut.row?.valid, [moment === 'onStatement' ? cut.earlier : cut.delivered]);
    });
  }

  test.serial('postgres: a connection lost in the look back calls no GUID void', async (t) => {
    let commit = Number.POSITIVE_INFINITY;
    const cut = await rotateCutOff(t, () => ({
      onStatement(index, sql) {
        if (isCommit(sql)) commit = index;
        return index === commit + 1 ? 'cut' : 'pass';
      },
    }));
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
    if (cut.finished.code !== 0) t.is(cut.rest[0]?.['operationId'], cut.operationId, cut.finished.stderr);
    t.notRegex(cut.finished.stderr, /void/);
  });

  const places = [['at the lock', isLock], ['at COMMIT', isCommit]] as const;
  for (const [place, isPlace] of places) {
    test.serial(`postgres: a connection lost ${place} is UNREACHABLE, without SQL`, async (t) => {
      const scratch = await postgresLane.ready(t);
      const hooks = { onStatement: atFirst(isPlace, 'cut') };
      const { finished } = await runThroughProxy(scratch, ['provision', '15', '--json'], () => hooks);
      const error = jsonLines(finished).at(-1);
      t.like(error, { status: 'error', code: 'UNREACHABLE', exit: 2 });
      t.notRegex(finished.stderr, /COMMIT;|ROLLBACK|select/i);
      t.is(await access(scratch, async (open) => (await hostSessions(open, 15)).length), 0);
    });
  }
}

exercise(embeddedGallows, TELLING.embedded);
if (postgresUrl === undefined) {
  test.skip('PostgreSQL lane: skipped, TEST_POSTGRES_URL is not set', () => undefined);
} else {
  exercise(serverGallows, TELLING.server);
  exerciseCutOff();
}
