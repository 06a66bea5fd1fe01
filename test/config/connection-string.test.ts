import { format, inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import {
  assertRepeatsTarget, parseConnectionString, type ConnectionFacts, type RepeatedTarget,
} from '../../lib/config/connection-string';
import { ToolkitError } from '../../lib/errors';
import { DEV, ELSEWHERE, READ, REFUSED, REPEATS, SQLCLIENT_KEYWORDS } from './connection-strings.table';

const ORIGIN = 'CANVAS_DEV_CONNECTION_STRING';

/** The facts with the password in plain sight, to be compared. */
function plain(facts: ConnectionFacts): ConnectionFacts {
  return facts.password === undefined ? { ...facts } : { ...facts, password: facts.password };
}

function thrownBy(t: ExecutionContext, act: () => unknown): ToolkitError {
  const error = t.throws(act, { instanceOf: ToolkitError });
  if (error === undefined) throw new Error('nothing was thrown');
  return error;
}

function repeats(text: string, target: RepeatedTarget): void {
  assertRepeatsTarget(parseConnectionString(text, ORIGIN), target, ORIGIN);
}

/** Titles show what the eye would miss; a long run of one letter is cut. */
function say(text: string): string {
  const escape = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.replace(/[^\x20-\x7e]/g, escape).replace(/(.)\1{99,}/, '$1…');
}

for (const [text, says, reason] of READ) {
  test(`reads «${say(text)}»: ${reason}`, (t) => {
    t.deepEqual(plain(parseConnectionString(text, ORIGIN)), says);
  });
}

for (const [text, key, reason] of REFUSED) {
  test(`refuses «${say(text)}»: ${reason}`, (t) => {
    const error = thrownBy(t, () => parseConnectionString(text, ORIGIN));
    t.is(error.code, 'CONFIG');
    t.is(error.why.slice(0, key.length + 2), `${key}: `);
    t.true(error.message.includes(ORIGIN));
    t.true(error.hint.length > 0);
  });
}

for (const [text, target, key, reason] of ELSEWHERE) {
  test(`stops «${say(text)}»: ${reason}`, (t) => {
    const error = thrownBy(t, () => repeats(text, target));
    t.is(error.code, 'GUARD_DIFFERS');
    t.is(error.why.slice(0, key.length + 2), `${key}: `);
    t.true(error.message.includes(ORIGIN));
  });
}

for (const [text, target, reason] of REPEATS) {
  test(`lets «${say(text)}» repeat its target: ${reason}`, (t) => {
    t.notThrows(() => repeats(text, target));
  });
}

test('every keyword of SqlClient is known, if only to be refused', (t) => {
  for (const keyword of SQLCLIENT_KEYWORDS) {
    // No keyword takes two braces; each is refused for its value or for what it does, not for its name.
    const error = thrownBy(t, () => parseConnectionString(`${keyword}={}`, ORIGIN));
    t.notRegex(error.why, /no such key/, keyword);
  }
});

test('the table has at least 150 different rows', (t) => {
  const texts = new Set([...READ, ...REFUSED, ...ELSEWHERE].map(([text]) => text));
  t.true(texts.size >= 150, `${texts.size} rows`);
});

test('a difference is told with both values and with advice', (t) => {
  const text = 'Server=AHHOME;Database=ksessions_dev;User ID=sa;Password=hush';
  const error = thrownBy(t, () => repeats(text, DEV));
  t.is(error.why, 'database: the string says "ksessions_dev", the target "KSESSIONS_DEV".');
  t.regex(error.hint, /exactly as in the target/);
  t.notRegex(inspect(error), /hush|\bsa\b/);
});

test('Windows authentication is refused with the way out', (t) => {
  const error = thrownBy(t, () => parseConnectionString('Server=AHHOME;Trusted_Connection=yes', ORIGIN));
  t.regex(error.why, /integrated Windows authentication is not supported by the driver/);
  t.regex(error.hint, /SQL login/);
});

test('a named instance is refused with the way out', (t) => {
  const error = thrownBy(t, () => parseConnectionString('Server=AHHOME\\SQL2019', ORIGIN));
  t.regex(error.hint, /host and port/);
});

test('the password is read by name and shown by nothing', (t) => {
  const facts = parseConnectionString('User ID=canvas;Password=hush', ORIGIN);
  t.is(facts.password, 'hush');
  const shown = [
    inspect(facts), inspect({ facts }), inspect(facts, { showHidden: true, getters: true }),
    format('%s %o %O %j', facts, facts, facts, facts), JSON.stringify(facts), JSON.stringify({ ...facts }),
    JSON.stringify(Object.entries(facts)),
  ];
  t.notRegex(shown.join('\n'), /hush/);
  t.regex(inspect(facts), /password: '\[hidden\]'/);
});

test('facts do not change', (t) => {
  t.true(Object.isFrozen(parseConnectionString('Database=KSESSIONS_DEV', ORIGIN)));
});

test('a long string is judged quickly', (t) => {
  const started = performance.now();
  for (const sign of [' ', ';', '"', "'", '=', 'a ', '%41', '@']) {
    for (const start of ['', 'Password=', 'Password="', 'mssql://', 'mssql://u:']) {
      const text = (start + sign.repeat(8192)).slice(0, 8190);
      t.throws(() => parseConnectionString(`${text};x`, ORIGIN), { instanceOf: ToolkitError });
    }
  }
  t.true(performance.now() - started < 5000);
});
