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
import { join } from 'node:path';
import type { Access } from '../../lib/access';
import {
  runAndKill, runThroughProxy, waitForDeadClients, type Boundary as Place, type Ran,
  isCommit, isEverySide,
} from '../helpers/gallows';
import { access, execute, mssqlLane, mssqlUrl, pgliteLane, postgresLane, postgresUrl, type Lane, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { jsonLines, type Finished } from '../helpers/script';
import type { Hook } from '../helpers/server-proxy';
import { hostSessions, provisionHere, verifies, type HostRow } from '../helpers/state';

/** A place to be killed at, with its statement. */
interface Boundary extends Place {
  readonly sql: string;
}

/** One run that was killed, on a session of its own. */
interface Round {
  readonly id: number;
  readonly boundary: Boundary;
  readonly finished: Finished;
  /** The GUID that worked before, or '' where there was none. */
  readonly earlier: string;
}

/** A lane, and where a run on it is worth being killed. */
interface Gallows {
  readonly lane: Lane;
  /** Whether a boundary is worth a run when not all are wanted. */
  readonly isTelling: (boundary: Boundary, previous: string) => boolean;
}


const withoutId = (sql: string) => sql.replace(/\bksessions\/\d+/, 'ksessions/ID');
const isLock = (sql: string) => /pg_advisory_xact_lock|sp_getapplock/.test(sql);
const isEvent = (sql: string) => /^insert into \S+"HostSessionEvents"/i.test(sql);

const embedded: Gallows = {
  lane: pgliteLane,
  isTelling: ({ moment, sql }, previous) =>
    moment === 'before' && (isEvent(previous) || isCommit(sql) || isCommit(previous)),
};

const onServer = (lane: Lane): Gallows => ({
  lane,
  isTelling: ({ moment, sql }) => moment === 'before' || isCommit(sql),
});

/** Runs `provision ID --quiet` to its end, or until it is killed. */
function provisionAndKill({ lane }: Gallows, scratch: Scratch, id: number, at?: Boundary): Promise<Ran> {
  return runAndKill(lane, scratch, 'provision', [String(id), '--quiet'], at);
}

// --- killed ------------------------------------------------------------------------------------------------

/** The first of the sessions that are added to the samples. */
const FIRST_ID = 9000;
const MOST = 100;

function addSessions(open: Access): Promise<void> {
  const ids = Array.from({ length: MOST }, (_, n) => FIRST_ID + n);
  return execute(
    open,
    `INSERT INTO dbo."Sessions" ("SessionID", "SessionName") VALUES ${ids.map((id) => `(${id}, 'Session ${id}')`).join(', ')}`,
    `INSERT INTO dbo."SessionTranscripts" ("TranscriptID", "SessionID", "Transcript")
     VALUES ${ids.map((id) => `(${id * 10}, ${id}, '<p>Text</p>')`).join(', ')}`,
  );
}

/** From the BEGIN of the writing transaction to the last statement of the look back. */
function boundariesOf(
  t: ExecutionContext,
  { isTelling }: Gallows,
  statements: readonly string[],
): Boundary[] {
  const begin = statements.findIndex((sql) => /^begin\b/i.test(sql));
  const commit = statements.findIndex(isCommit);
  t.true(begin >= 0 && commit > begin && commit < statements.length - 1, statements.join('\n'));
  const all = statements.flatMap((sql, index): Boundary[] => [
    { moment: 'before', index, sql },
    { moment: 'after', index, sql },
  ]);
  return all.filter((boundary) => {
    const { index } = boundary;
    return index >= begin && (isEverySide || isTelling(boundary, statements[index - 1] ?? ''));
  });
}

/** Kills one run at each boundary, each on a session of its own: all can be looked at in the end. */
async function killEverywhere(t: ExecutionContext, gallows: Gallows, scratch: Scratch, isRotation: boolean) {
  const earlier: string[] = [];
  const provisionUpTo = (count: number) =>
    access(scratch, async (open) => {
      if (earlier.length === 0) await addSessions(open);
      for (let id = earlier.length; isRotation && id < count; id += 1) {
        earlier.push((await provisionHere(open, { ksessionsId: FIRST_ID + id })).guid);
      }
    });
  await provisionUpTo(1);
  const undisturbed = await provisionAndKill(gallows, scratch, FIRST_ID);
  t.is(undisturbed.finished.code, 0, undisturbed.finished.stderr);
  const boundaries = boundariesOf(t, gallows, undisturbed.statements);
  if (isRotation) await provisionUpTo(boundaries.length + 1);

  const rounds: Round[] = [];
  for (const [place, boundary] of boundaries.entries()) {
    const id = FIRST_ID + place + 1;
    const { finished, statements } = await provisionAndKill(gallows, scratch, id, boundary);
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

function exercise(gallows: Gallows): void {
  const { name } = gallows.lane;

  long(`${name}: a killed rotation leaves the old GUID or the delivered one`, async (t) => {
    t.timeout(600_000);
    const scratch = await gallows.lane.ready(t);
    const { rounds, commit } = await killEverywhere(t, gallows, scratch, true);
    await access(scratch, async (open) => {
      await waitForDeadClients(open.database);
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

  long(`${name}: a killed first provisioning leaves none or the delivered one`, async (t) => {
    t.timeout(600_000);
    const scratch = await gallows.lane.ready(t);
    const { rounds, commit } = await killEverywhere(t, gallows, scratch, false);
    await access(scratch, async (open) => {
      await waitForDeadClients(open.database);
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
async function rotateCutOff(t: ExecutionContext, lane: Lane, hooksOf: Parameters<typeof runThroughProxy>[3]) {
  const scratch = await lane.ready(t);
  const { guid: earlier } = await access(scratch, (open) => provisionHere(open, { ksessionsId: 15 }));
  const { finished, statements } = await runThroughProxy(lane, scratch, ['provision', '15', '--json'], hooksOf);
  const [receipt = {}, ...rest] = jsonLines(finished);
  t.like(receipt, { status: 'rotated', ksessionsId: 15 });
  const delivered = String(receipt['hostGuid']);
  const [row, ...others] = await access(scratch, async (open) => {
    await waitForDeadClients(open.database);
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

/** Cuts each connection at the statement after its COMMIT. */
function atLookBack(): Hook {
  let isCommitted = false;
  return (_index, sql) => {
    const verdict = isCommitted ? 'cut' : 'pass';
    isCommitted ||= isCommit(sql);
    return verdict;
  };
}

function exerciseCutOff(lane: Lane): void {
  const { name } = lane;

  test.serial(`${name}: when the answer to COMMIT is lost, the operation is looked up`, async (t) => {
    const cut = await rotateCutOff(t, lane, () => ({ afterAnswer: atFirst(isCommit, 'cut') }));
    t.is(cut.finished.code, 0, cut.finished.stderr);
    t.deepEqual(cut.rest, []);
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
  });

  test.serial(`${name}: when COMMIT itself is lost, it says that the new GUID is void`, async (t) => {
    const cut = await rotateCutOff(t, lane, () => ({ onStatement: atFirst(isCommit, 'cut') }));
    t.is(cut.finished.code, 2, cut.finished.stderr);
    t.is(cut.rest.length, 1);
    const [error = {}] = cut.rest;
    t.like(error, { status: 'error', exit: 2, ksessionsId: 15, operationId: cut.operationId });
    const isVoid = `The host GUID of KSESSIONS session 15, operation ${String(cut.operationId)}, is void.`;
    t.true(String(error['message']).includes(isVoid));
    t.regex(String(error['hint']), /^An earlier GUID still works\./);
    t.deepEqual(cut.row, { chain: { holds: true, events: 1 }, valid: [cut.earlier] });
  });

  test.serial(`${name}: of several, the failure of the first says which it is, and not that there was nothing to do`, async (t) => {
    const scratch = await lane.ready(t);
    const hook = () => ({ onStatement: atFirst(isCommit, 'cut') });
    const { finished } = await runThroughProxy(lane, scratch, ['provision', '15', '212', '--quiet'], hook);
    t.is(finished.code, 2, finished.stderr);
    t.regex(finished.stderr, /^None was told as done\.$/m);
    t.regex(finished.stderr, /^[A-Z]+: .+ The host GUID of KSESSIONS session 15, operation \S+, is void\.$/m);
    t.notRegex(finished.stderr, /Nothing to do/);
  });

  test.serial(`${name}: a COMMIT that arrives after the client was cut off is waited for`, async (t) => {
    const cut = await rotateCutOff(t, lane, () => ({ onStatement: atFirst(isCommit, 'strand') }));
    t.is(cut.finished.code, 0, cut.finished.stderr);
    t.deepEqual(cut.rest, []);
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
  });

  for (const moment of ['onStatement', 'afterAnswer'] as const) {
    const when = moment === 'onStatement' ? 'before COMMIT arrives' : 'after COMMIT';
    test.serial(`${name}: a server that goes away ${when} and stays away: OUTCOME_UNKNOWN`, async (t) => {
      const cut = await rotateCutOff(t, lane, (proxy) => ({
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

  test.serial(`${name}: a connection lost in the look back is no end of it: another is made`, async (t) => {
    let commit = Number.POSITIVE_INFINITY;
    const cut = await rotateCutOff(t, lane, () => ({
      onStatement(index, sql) {
        if (isCommit(sql)) commit = index;
        return index === commit + 1 ? 'cut' : 'pass';
      },
    }));
    t.is(cut.finished.code, 0, cut.finished.stderr);
    t.deepEqual(cut.rest, []);
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
  });

  test.serial(`${name}: neither is one lost in the look-up of a COMMIT whose answer was lost`, async (t) => {
    const [atCommit, atLookUp] = [atFirst(isCommit, 'cut'), atFirst(isLock, 'cut')];
    let isLookingUp = false;
    const cut = await rotateCutOff(t, lane, () => ({
      onStatement: (index, sql) => (isLookingUp ? atLookUp(index, sql) : 'pass'),
      afterAnswer(index, sql) {
        isLookingUp ||= isCommit(sql);
        return atCommit(index, sql);
      },
    }));
    t.is(cut.finished.code, 0, cut.finished.stderr);
    t.deepEqual(cut.rest, []);
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
  });

  test.serial(`${name}: a look back that nobody answers calls no GUID void`, async (t) => {
    const cut = await rotateCutOff(t, lane, (proxy) => ({ afterAnswer: atFirst(isCommit, 'pass', () => proxy().refuse()), onStatement: atLookBack() }));
    t.is(cut.finished.code, 2, cut.finished.stderr);
    t.like(cut.rest[0], { status: 'error', code: 'OUTCOME_UNKNOWN', operationId: cut.operationId });
    t.deepEqual(cut.row, { chain: { holds: true, events: 2 }, valid: [cut.delivered] });
    t.notRegex(cut.finished.stderr, /void/);
  });

  const places = [['at the lock', isLock], ['at COMMIT', isCommit]] as const;
  for (const [place, isPlace] of places) {
    test.serial(`${name}: a connection lost ${place} is UNREACHABLE, without SQL`, async (t) => {
      const scratch = await lane.ready(t);
      const hooks = { onStatement: atFirst(isPlace, 'cut') };
      const { finished } = await runThroughProxy(lane, scratch, ['provision', '15', '--json'], () => hooks);
      const error = jsonLines(finished).at(-1);
      t.like(error, { status: 'error', code: 'UNREACHABLE', exit: 2 });
      t.notRegex(finished.stderr, /COMMIT;|ROLLBACK|select/i);
      t.is(await access(scratch, async (open) => (await hostSessions(open, 15)).length), 0);
    });
  }
}

// --- a server that falls silent ------------------------------------------------------------------------------

/** Slow enough for a server that is busy with others. */
const FAST_CLOCK = {
  NODE_OPTIONS: `--require ${JSON.stringify(join(__dirname, '../helpers/fast-clock.cjs'))}`,
  FAST_CLOCK_RATE: '5',
};

function exerciseSilence(lane: Lane): void {
  const { name } = lane;
  const places = [
    ['at the question who it is', (sql: string) => /isExpected/.test(sql), 'TIMEOUT', /while asking who it is/],
    ['at the lock', isLock, 'TIMEOUT', /while taking the lock/],
    ['at COMMIT, for ever', isCommit, 'OUTCOME_UNKNOWN', /not known whether operation \S+ for KSESSIONS session 15 was/],
  ] as const;
  for (const [place, isPlace, code, words] of places) {
    test.serial(`${name}: a server that falls silent ${place} ends the command: ${code}`, async (t) => {
      const scratch = await lane.ready(t);
      let isSilent = false;
      const onStatement: Hook = (_index, sql) => {
        isSilent ||= isPlace(sql);
        return isSilent ? 'silence' : 'pass';
      };
      const { finished } = await runThroughProxy(lane, scratch, ['provision', '15', '--json', '--wait', '1'], () => ({ onStatement }), FAST_CLOCK);
      t.is(finished.code, 2, finished.stderr);
      const error = jsonLines(finished).at(-1);
      t.like(error, { status: 'error', code, exit: 2 }, finished.stderr);
      t.regex(String(error?.['message']), words);
    });
  }
}

exercise(embedded);
for (const [lane, url, variable] of [
  [postgresLane, postgresUrl, 'TEST_POSTGRES_URL'],
  [mssqlLane, mssqlUrl, 'TEST_MSSQL_URL'],
] as const) {
  if (url === undefined) {
    test.skip(`${lane.name} lane: skipped, ${variable} is not set`, () => undefined);
  } else {
    exercise(onServer(lane));
    exerciseCutOff(lane);
    exerciseSilence(lane);
  }
}
