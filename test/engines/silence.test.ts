/**
 * No wait is without end: a server or network that goes silent, before its answer or within it, ends the work, and the
 * message names the stage. The time-outs are the real ones; the clock runs faster once the server has fallen silent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { CommitUnknown, withSchemaChange, withTransaction, type Database } from '../../lib/engines/database';
import { ToolkitError } from '../../lib/errors';
import { permitWriting } from '../../lib/guard/guard';
import { hasten, relax } from '../helpers/fast-clock.cjs';
import { open, targetAt } from '../helpers/lanes';
import { PRETENDED, pretending, startResponder, type Heard, type Responder, type Script } from '../helpers/tds-responder';

/** A stage of a write, the message at which it begins, and what is told when the server falls silent there. */
type Stage = readonly [what: string, begins: (heard: Heard) => boolean, told: RegExp];

const STAGES: readonly Stage[] = [
  ['after accepting', ({ kind }) => kind === 'accept', /^TIMEOUT: .+ while connecting\./],
  ['at the first message', ({ kind }) => kind === 'prelogin', /^TIMEOUT: .+ while (connecting|logging in)\./],
  ['at the login', ({ kind }) => kind === 'login', /^TIMEOUT: .+ while logging in\./],
  ['at the settings', ({ kind }) => kind === 'settings', /^TIMEOUT: .+ while logging in\./],
  ['at the question who it is', ({ sql }) => sql.includes('isExpected'), /^TIMEOUT: .+ while asking who it is\./],
  ['at a question', ({ sql }) => sql.includes('[question]'), /^TIMEOUT: .+ while reading\./],
  ['at BEGIN', ({ kind }) => kind === 'begin', /^TIMEOUT: .+ while taking the lock\./],
  ['at the lock', ({ sql }) => sql.includes('sp_getapplock'), /^TIMEOUT: .+ while taking the lock\./],
  ['at a statement', ({ sql }) => sql === 'INSERT', /^TIMEOUT: .+ while writing\./],
  ['at COMMIT', ({ kind }) => kind === 'commit', /^CommitUnknown: The answer to COMMIT never came\. .*ETIMEOUT/],
];

/** What a command does: it reads, and writes under a lock. */
async function work(database: Database): Promise<void> {
  const { canvas } = database;
  await canvas.ask('SELECT 1 AS [question]');
  const marker = { target: 'scratch', environment: 'test', ...PRETENDED };
  await withTransaction(database, permitWriting(canvas.admission, marker), 'lock', (writer) => writer.sql.raw('INSERT'));
}

/** An error in the words that a person would read. */
function told(error: unknown): string {
  if (error instanceof ToolkitError) return `${error.code}: ${error.message} ${error.why} ${error.hint}`;
  if (error instanceof CommitUnknown) return `${error.name}: ${error.message} ${(error.cause as { code: string }).code}`;
  return String(error);
}

test.afterEach.always(() => relax());

/** Falls silent, or is cut, where it is told. From then on nobody needs to wait. */
function failing(begins: Stage[1], at: 'silence' | 'half' | 'cut'): Script {
  return pretending((heard) => {
    if (!begins(heard)) return undefined;
    hasten();
    return at;
  });
}

/** Does the work with a server that answers until `begins` and then does what `at` says. */
async function workAgainst(t: ExecutionContext, begins: Stage[1], at: 'silence' | 'half' | 'cut'): Promise<[string, Responder]> {
  const server = await startResponder(t, failing(begins, at));
  const outcome = await open(targetAt(t, server.port, 'mssql'), work).then(() => 'done', told);
  return [outcome, server];
}

for (const [what, begins, expected] of STAGES) {
  test.serial(`a server that falls silent ${what} ends the work, and the message names the stage`, async (t) => {
    const [outcome] = await workAgainst(t, begins, 'silence');
    t.regex(outcome, expected);
    t.notRegex(outcome, /canary/);
    if (outcome.startsWith('TIMEOUT')) {
      t.regex(outcome, /while (connecting|logging in)/.test(outcome) ? / not another service/ : / long-running transaction/);
    }
  });

  if (what === 'after accepting') continue;
  test.serial(`a server that falls silent within its answer ${what} ends the work, and the message names the stage`, async (t) => {
    const [outcome] = await workAgainst(t, begins, 'half');
    t.regex(outcome, expected);
  });
}

for (const [what, begins, expected] of STAGES) {
  const stage = / while (.+)\\\./.exec(expected.source)?.[1] ?? 'committing';
  test.serial(`a connection that is cut ${what} is UNREACHABLE, and the message names the stage`, async (t) => {
    const [outcome] = await workAgainst(t, begins, 'cut');
    const isCommit = stage === 'committing';
    t.regex(outcome, isCommit ? /^CommitUnknown: / : new RegExp(`^UNREACHABLE: .+ while ${stage}\\. .+ failed with E[A-Z]+\\.`));
  });
}

/**
 * No token begins with 0 ([MS-TDS] 2.2.7), and as an answer to the first message it is no list of options either; a token
 * of SSPI (0xED) can be read and belongs to no answer here.
 */
const GARBAGE = { 'cannot be read': Buffer.from([0, 0, 1, 2, 3, 4, 5, 6]), 'belongs elsewhere': Buffer.from([0xed, 0, 0]) };

for (const [kind, garbage] of Object.entries(GARBAGE)) {
  for (const [what, begins, expected] of STAGES.slice(1)) {
    const stage = / while (.+)\\./.exec(expected.source)?.[1] ?? 'committing';
    test.serial(`an answer ${what} that ${kind} ends the work, not the process, and the message names the stage`, async (t) => {
      const server = await startResponder(t, pretending((heard) => (begins(heard) ? [garbage] : undefined)));
      const outcome = await open(targetAt(t, server.port, 'mssql'), work).then(() => 'done', told);
      const isCommit = stage === 'committing';
      t.regex(outcome, isCommit ? /^CommitUnknown: .+ EGARBLED$/ : new RegExp(`^UNREACHABLE: .+ the language of the database, while ${stage}\\. `));
      t.notRegex(outcome, /canary/);
    });
  }
}

test.serial('nothing is wrong with the work: a server that answers everything lets it end', async (t) => {
  const [outcome, server] = await workAgainst(t, () => false, 'silence');
  t.is(outcome, 'done');
  t.deepEqual(server.statements().filter((sql) => /^[A-Z]+$/.test(sql)), ['BEGIN', 'INSERT', 'COMMIT']);
});

for (const at of ['silence', 'half'] as const) {
  test.serial(`the cause of a rollback is told, though the rollback meets ${at}`, async (t) => {
    const { port } = await startResponder(t, failing(({ kind }) => kind === 'rollback', at));
    const outcome = open(targetAt(t, port, 'mssql'), async (database) => {
      const marker = { target: 'scratch', environment: 'test', ...PRETENDED };
      await withTransaction(database, permitWriting(database.canvas.admission, marker), undefined, () =>
        Promise.reject(new Error('the cause')),
      );
    });
    await t.throwsAsync(outcome, { message: 'the cause' });
  });
}

/** Each INSERT takes ten seconds, which is no more than any statement may take. */
const LATE: Script = pretending(({ sql }) => (sql === 'INSERT' ? sleep(100).then(() => undefined) : undefined));

/** Twenty such statements, so more than three minutes, in one transaction. */
async function workSlowly(t: ExecutionContext, within: typeof withTransaction): Promise<[string, string[]]> {
  const server = await startResponder(t, LATE);
  const outcome = open(targetAt(t, server.port, 'mssql'), (database) => {
    const permit = permitWriting(database.canvas.admission, { target: 'scratch', environment: 'test', ...PRETENDED });
    return within(database, permit, 'lock', async ({ sql }) => {
      hasten();
      for (let count = 0; count < 20; count += 1) await sql.raw('INSERT');
    });
  });
  return [await outcome.then(() => 'done', told), server.statements()];
}

test.serial('a server that answers each statement, and each late, ends a transaction all the same: it is rolled back', async (t) => {
  const [outcome, statements] = await workSlowly(t, withTransaction);
  t.regex(outcome, /^TIMEOUT: .+ while writing\./);
  t.false(statements.includes('COMMIT'));
  t.false(statements.length > 20);
});

test.serial('a schema change takes as long as its tables need', async (t) => {
  const [outcome, statements] = await workSlowly(t, withSchemaChange);
  t.is(outcome, 'done');
  t.is(statements.at(-1), 'COMMIT');
});

test.serial('after silence at COMMIT the next transaction has another connection', async (t) => {
  const server = await startResponder(t, failing(({ kind, connection }) => kind === 'commit' && connection === 0, 'silence'));
  await open(targetAt(t, server.port, 'mssql'), async (database) => {
    await t.throwsAsync(work(database), { instanceOf: CommitUnknown });
    relax();
    await work(database);
  });
  t.is(server.heard.at(-1)?.connection, 1);
});
