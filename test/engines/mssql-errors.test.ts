/** What SQL Server and its driver say, in our words: the errors come over the wire, from a server that gives them. */
import test, { type ExecutionContext } from 'ava';
import { explain, withTransaction } from '../../lib/engines/database';
import { mssql } from '../../lib/engines/mssql';
import { redacted, ToolkitError, type Code } from '../../lib/errors';
import { permitWriting } from '../../lib/guard/guard';
import { open, retarget, targetAt } from '../helpers/lanes';
import { PRETENDED, pretending, redirection, refusal, startResponder, table, type Script } from '../helpers/tds-responder';

/** Numbers that the server gives for a statement, by the code they become. */
const OF_STATEMENTS: Readonly<Partial<Record<Code, readonly number[]>>> = {
  LOCKED: [1222, 51222],
  CONFLICT: [1205, 51205, 3960, 3961, 2601, 2627, 544, 547, 515, 1934],
  CONFIG: [911, 4060, 229, 230, 262, 916, 2557, 2571, 2760, 3704, 207, 208, 2812],
  SCHEMA_UNSUPPORTED: [2628, 8152, 50003],
  UNREACHABLE: [615, 924, 926, 927, 942, 3906, 4221, 6005, 10928, 10929, 40197, 40501, 40613, 49918, 49919, 49920],
  GUARD_IDENTITY: [51000],
};

/** Those whose own sentence is shown: it names a rule, a table or a column and quotes no value. */
const QUOTED = [544, 547, 515, 1934];

/** Where the server says for certain that it undid everything, and trying again may help. */
const RETRIED = [1205, 51205];

const VALUE = 'canary-VALUE';

/** Answers `SELECT 547` with error 547. */
const numbered: Script = pretending(({ sql }) => {
  const number = /^SELECT (\d+)$/.exec(sql)?.[1];
  return number === undefined ? undefined : refusal(Number(number), `The value is (${VALUE}).`);
});

function words(error: ToolkitError): string {
  return [error.message, error.why, error.hint].join('\n');
}

for (const [code, numbers] of Object.entries(OF_STATEMENTS)) {
  test(`errors ${numbers.join(', ')} are ${code}, with advice and without what they quote`, async (t) => {
    const { port } = await startResponder(t, numbered);
    await open(targetAt(t, port, 'mssql'), async (database) => {
      for (const number of numbers) {
        const error = await t.throwsAsync(database.canvas.ask(`SELECT ${number}`), undefined, String(number));
        const told = explain(database, error);
        if (!(told instanceof ToolkitError)) return t.fail(`${number}: ${String(told)}`);
        t.is(told.code, code as Code, String(number));
        t.regex(words(told), /^.{15,}\n.{15,}\n.{15,}$/, String(number));
        t.is(words(told).includes(VALUE), QUOTED.includes(number), String(number));
        t.notRegex(words(told), /canary-PASSWORD|SELECT \d/);
        t.is(mssql.mayRetry(error), RETRIED.includes(number), String(number));
        // A server that goes away while it commits may have committed.
        t.is(mssql.isVerdict(error), code !== 'UNREACHABLE', String(number));
      }
    });
  });
}

test("a run's own lock and the locks of others are told apart, and the wait for one of others ends before the statement", async (t) => {
  const locked: Script = ({ sql }) => {
    if (sql === 'SELECT 1' || sql === 'UPDATE') return refusal(1222, 'Lock request time out period exceeded.');
    return sql.includes('sp_getapplock') ? refusal(51222, 'sp_getapplock: not granted in time.') : undefined;
  };
  const server = await startResponder(t, pretending(locked));
  await open(targetAt(t, server.port, 'mssql'), async (database) => {
    const permit = permitWriting(database.canvas.admission, { target: 'scratch', environment: 'test', ...PRETENDED });
    const tell = async (work: Promise<unknown>) => words(explain(database, await t.throwsAsync(work)) as ToolkitError);
    const write = (lock?: string) => withTransaction(database, permit, lock, (writer) => writer.sql.raw('UPDATE'));
    t.regex(await tell(write('x')), /^Another run has the lock\.\n.+ waited \d+ s for it\.\n.+ --wait SECONDS/);
    t.regex(await tell(write()), /^Somebody else has a lock .+\n.+ while writing\.\nLook for a long-running transaction/);
    t.regex(await tell(database.canvas.ask('SELECT 1')), /^Somebody else has a lock .+\n.+ while reading\.\nLook for/);
  });
  const opening = server.heard.find(({ sql }) => sql.includes('isExpected'))?.sql;
  t.regex(opening ?? '', /SET LOCK_TIMEOUT 25000;$/);
});

test('a database of an old compatibility level is told as what it is', async (t) => {
  const script = pretending(({ sql }) => (sql === 'SELECT 1' ? refusal(208, "Invalid object name 'OPENJSON'.") : undefined));
  const { port } = await startResponder(t, script);
  await open(targetAt(t, port, 'mssql'), async (database) => {
    const told = explain(database, await t.throwsAsync(database.canvas.ask('SELECT 1')));
    if (!(told instanceof ToolkitError)) return t.fail(String(told));
    t.is(told.code, 'CONFIG');
    t.regex(words(told), /compatibility level is below 130/);
  });
});

test('several messages are a verdict only when each of them is', (t) => {
  const said = (number: number, severity: number) => Object.assign(new Error('said'), { number, class: severity });
  t.true(mssql.isVerdict(new AggregateError([said(547, 16), said(3621, 0)])));
  t.false(mssql.isVerdict(new AggregateError([said(3980, 16), said(596, 21)])), 'the server ended the connection');
  t.false(mssql.isVerdict(new AggregateError([said(547, 16), new Error('socket hang up')])));
});

test('what a driver quotes of values is taken out before anybody reads it', (t) => {
  const hash = Buffer.alloc(32, 7).toString('base64');
  const guid = '6ba39809-bc5a-498e-956a-fcbb3f39e017';
  const quoted = [
    `The duplicate key value is (15, ${hash}).`,
    `Key ("SessionId", "HostGuidHash")=(1, ${hash}) already exists.`,
    `String or binary data would be truncated in column 'HostGuidHash'. Truncated value: '${hash.slice(0, 20)}'.`,
    `Conversion failed for ${guid}.`,
  ].join('\n');
  for (const secret of [hash, hash.slice(0, 20), guid]) t.false(redacted(quoted).includes(secret), redacted(quoted));
  t.true(redacted(quoted).includes('HostGuidHash'));
});

test('an error that nobody knows stays what it is', async (t) => {
  const { port } = await startResponder(t, numbered);
  await open(targetAt(t, port, 'mssql'), async (database) => {
    const error = await t.throwsAsync(database.canvas.ask('SELECT 50000'));
    t.is(explain(database, error), error);
  });
});

test('of several messages for one statement the first is the cause', async (t) => {
  const several: Script = ({ sql }) =>
    sql === 'SELECT 1' ? [...refusal(2601, 'Twice.').slice(0, 1), ...refusal(3621, 'The statement was ended.')] : undefined;
  const { port } = await startResponder(t, pretending(several));
  await open(targetAt(t, port, 'mssql'), async (database) => {
    const error = await t.throwsAsync(database.canvas.ask('SELECT 1'));
    t.like(explain(database, error), { code: 'CONFLICT', why: `the canvas connection of target scratch (127.0.0.1:${port}/canvas) refused the write with error 2601. Nothing was written.` });
  });
});

test('a taken primary key is an identity that fell behind, told by the name of the key', async (t) => {
  const taken: Script = ({ sql }) =>
    sql === 'SELECT 1' ? refusal(2627, `Violation of PRIMARY KEY constraint 'PK_HostSessions'. The value is (${VALUE}).`) : undefined;
  const { port } = await startResponder(t, pretending(taken));
  await open(targetAt(t, port, 'mssql'), async (database) => {
    const told = explain(database, await t.throwsAsync(database.canvas.ask('SELECT 1'))) as ToolkitError;
    t.is(told.code, 'DATA_NOT_READY');
    t.regex(words(told), /canvas\.HostSessions/);
    t.false(words(told).includes(VALUE));
  });
});

/** Opens a target whose server refuses at the login, and tells what came of it and how often it was asked. */
async function refusedAtLogin(t: ExecutionContext, ...numbers: number[]): Promise<{ error: ToolkitError; logins: number }> {
  const messages = numbers.flatMap((number) => refusal(number, `Login failed for user '${VALUE}'.`).slice(0, 1));
  const server = await startResponder(t, ({ kind }) =>
    kind === 'login' ? [...messages, ...refusal(0, '').slice(1)] : undefined);
  const error = await t.throwsAsync(open(targetAt(t, server.port, 'mssql'), () => Promise.resolve()), { instanceOf: ToolkitError });
  return { error, logins: server.heard.filter(({ kind }) => kind === 'login').length };
}

test('a server that sends on to another is followed; one that sends on and on is not, and hears few logins', async (t) => {
  const last = await startResponder(t, pretending());
  const first = await startResponder(t, pretending(({ kind }) => (kind === 'login' ? redirection(last.port) : undefined)));
  t.is(await open(targetAt(t, first.port, 'mssql'), () => Promise.resolve('open')), 'open');
  const circle: { port: number } = await startResponder(t, pretending(({ kind }) => {
    if (kind !== 'login') return undefined;
    logins += 1;
    return redirection(circle.port);
  }));
  let logins = 0;
  const error = await t.throwsAsync(open(targetAt(t, circle.port, 'mssql'), () => Promise.resolve()), { instanceOf: ToolkitError });
  t.is(error.code, 'UNREACHABLE');
  t.regex(words(error), /while logging in\.\n.+ EREDIRECT\./);
  t.is(logins, 5);
});

for (const [numbers, code, what] of [
  [[18456], 'CONFIG', /refused the login/],
  [[18487], 'CONFIG', /refused the login/],
  [[4060, 18456], 'CONFIG', /no such database/],
  [[4064], 'CONFIG', /no such database/],
  [[40613], 'UNREACHABLE', /while logging in/],
  [[10928], 'UNREACHABLE', /while logging in/],
] as const) {
  test(`a login refused with ${numbers.join(' and ')} is ${code}, asked once and not again`, async (t) => {
    const { error, logins } = await refusedAtLogin(t, ...numbers);
    t.is(error.code, code);
    t.regex(error.message, what);
    t.notRegex(words(error), /canary/);
    t.is(logins, 1);
  });
}

test('a port where nobody listens is UNREACHABLE, a host that nobody knows too', async (t) => {
  const nobody = targetAt(t, 1, 'mssql');
  for (const [scratch, system] of [
    [nobody, 'ECONNREFUSED'],
    [retarget(nobody, { server: 'nowhere.invalid', encrypt: true }), '(ENOTFOUND|EAI_AGAIN)'],
  ] as const) {
    const error = await t.throwsAsync(open(scratch, () => Promise.resolve()), { instanceOf: ToolkitError });
    t.is(error.code, 'UNREACHABLE');
    t.regex(words(error), new RegExp(`while connecting\\.\n.+ failed with ${system}\\.`));
  }
});

test('a server without TLS is CONFIG where the target has TLS on, and what to do is said', async (t) => {
  const server = await startResponder(t);
  const scratch = retarget(targetAt(t, server.port, 'mssql'), { encrypt: true });
  const error = await t.throwsAsync(open(scratch, () => Promise.resolve()), { instanceOf: ToolkitError });
  t.is(error.code, 'CONFIG');
  t.regex(words(error), /TLS/);
  t.false(server.heard.some(({ kind }) => kind === 'login'));
});

test('an answer without an identity is refused', async (t) => {
  const { port } = await startResponder(t, ({ sql }) => (sql.includes('isExpected') ? table(['other'], ['x']) : undefined));
  const error = await t.throwsAsync(open(targetAt(t, port, 'mssql'), () => Promise.resolve()), { instanceOf: ToolkitError });
  t.is(error.code, 'GUARD_IDENTITY');
});
