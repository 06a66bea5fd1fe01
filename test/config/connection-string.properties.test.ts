/**
 * Properties of the parser, judged by a second reader: SqlClient's own reading, written here as the state
 * machine that its grammar describes and sharing nothing with lib/. The seed is fixed, so a failure repeats.
 * Inside a property node:assert speaks, not AVA: a failing run must throw for fast-check to shrink it.
 */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import {
  assertRepeatsTarget, parseConnectionString, type ConnectionFacts, type RepeatedTarget,
} from '../../lib/config/connection-string';
import { ToolkitError } from '../../lib/errors';
import { DEV, STAGING } from './connection-strings.table';

fc.configureGlobal({ seed: 20_251_122, numRuns: 1_500 });

// --- SqlClient's reading -----------------------------------------------------------------------------------

class Malformed extends Error {}

/** A pair while it is read: the text of the present part, the key once it is known, the quote in use. */
interface Draft {
  text: string;
  key: string;
  quote: string;
}

type State = 'between' | 'key' | 'equals' | 'before' | 'bare' | 'quoted' | 'quote' | 'after' | 'zero';

/** .NET's Char.IsWhiteSpace and Char.IsControl. */
const isBlank = (sign: string): boolean => /[\p{Z}\t-\r\u0085]/u.test(sign);
const isControl = (sign: string): boolean => /\p{Cc}/u.test(sign);
const trimBlanks = (text: string): string => text.replace(/^[\p{Z}\t-\r\u0085]+|[\p{Z}\t-\r\u0085]+$/gu, '');

function put(draft: Draft, sign: string, state: State): State {
  draft.text += sign;
  return state;
}

function malformed(): never {
  throw new Malformed();
}

function endKey(draft: Draft): void {
  draft.key = trimBlanks(draft.text).toLowerCase();
  draft.text = '';
  if (draft.key === '') malformed();
}

/** What each sign leads to. `undefined` ends the pair. */
const STEPS: Readonly<Record<State, (sign: string, draft: Draft) => State | undefined>> = {
  between: (sign, draft) => {
    if (sign === ';' || isBlank(sign)) return 'between';
    if (sign === '\0') return 'zero';
    if (isControl(sign)) malformed();
    return sign === '=' ? 'equals' : put(draft, sign, 'key');
  },
  key: (sign, draft) => {
    if (sign === '=') return 'equals';
    return isControl(sign) && !isBlank(sign) ? malformed() : put(draft, sign, 'key');
  },
  equals: (sign, draft) => {
    if (sign === '=') return put(draft, sign, 'key');
    endKey(draft);
    return STEPS.before(sign, draft);
  },
  before: (sign, draft) => {
    if (isBlank(sign)) return 'before';
    if (sign === ';' || sign === '\0') return undefined;
    if (isControl(sign)) malformed();
    if (sign !== '"' && sign !== "'") return put(draft, sign, 'bare');
    draft.quote = sign;
    return 'quoted';
  },
  bare: (sign, draft) => {
    if (sign === ';' || (isControl(sign) && !isBlank(sign))) return undefined;
    return put(draft, sign, 'bare');
  },
  quoted: (sign, draft) => {
    if (sign === draft.quote) return 'quote';
    return sign === '\0' ? malformed() : put(draft, sign, 'quoted');
  },
  quote: (sign, draft) => (sign === draft.quote ? put(draft, sign, 'quoted') : STEPS.after(sign, draft)),
  after: (sign) => {
    if (isBlank(sign)) return 'after';
    if (sign === ';') return undefined;
    return sign === '\0' ? 'zero' : malformed();
  },
  zero: (sign) => (sign === '\0' || isBlank(sign) ? 'zero' : malformed()),
};

/** The value of a pair that ended in that state; null stands for "use the default". */
function endPair(state: State, draft: Draft): string | null {
  if (state === 'key' || state === 'quoted') malformed();
  if (state === 'equals') endKey(draft);
  if (state === 'bare') {
    const value = trimBlanks(draft.text);
    return /["']$/.test(value) ? malformed() : value;
  }
  return draft.quote === '' ? null : draft.text;
}

/** The pair at `at`, and where the next one begins. */
function nextPair(source: string, at: number): { key: string; value: string | null; next: number } {
  const draft: Draft = { text: '', key: '', quote: '' };
  let state: State = 'between';
  let here = at;
  for (; here < source.length; here += 1) {
    const step: State | undefined = STEPS[state](source.charAt(here), draft);
    if (step === undefined) break;
    state = step;
  }
  const before = state === 'equals' && here < source.length ? 'before' : state;
  const value = endPair(before, draft);
  return { key: draft.key, value, next: source.charAt(here) === ';' ? here + 1 : here };
}

const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  server: ['data source', 'server', 'address', 'addr', 'network address'],
  database: ['initial catalog', 'database'],
  user: ['user id', 'uid', 'user'],
  password: ['password', 'pwd'],
  timeout: ['connect timeout', 'connection timeout', 'connecttimeout', 'timeout'],
  file: ['attachdbfilename', 'extended properties', 'initial file name'],
  partner: ['failover partner', 'failoverpartner'],
  encrypt: ['encrypt'],
  pooling: ['pooling'],
};

/** .NET compares keys by culture: case, compatible letters and invisible signs make no difference. */
function foldKey(key: string): string | undefined {
  const folded = key.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, '').toLowerCase();
  return Object.keys(SPELLINGS).find((name) => SPELLINGS[name]?.includes(folded));
}

type Reading = ReadonlyMap<string, string | null>;

/** What SqlClient takes from a string, the last of equal keys winning; undefined where it throws. */
function asSqlClient(source: string): Reading | undefined {
  const read = new Map<string, string | null>();
  try {
    for (let at = 0; at < source.length;) {
      const { key, value, next } = nextPair(source, at);
      if (key === '') break;
      read.set(foldKey(key) ?? malformed(), value);
      at = next;
    }
    return read;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Host and port that SqlClient would dial, in lower case. */
function dialled(source: string): string {
  const [first = '', ...others] = trimBlanks(source).toLowerCase().split(':');
  const isTcp = others.length > 0 && first.trim() === 'tcp';
  const [host = '', port = '1433'] = (isTcp ? others : [first, ...others]).join(':').split(',');
  return `${host.trim()},${Number.parseInt(port.trim(), 10)}`;
}

/** Whether SqlClient would go elsewhere than the target: by name, by default, by file or by partner. */
function leadsElsewhere(read: Reading): boolean {
  const home = `${DEV.server.toLowerCase()},${DEV.port}`;
  const otherServer = read.has('server') && dialled(read.get('server') ?? '') !== home;
  const otherDatabase = read.has('database') && read.get('database') !== DEV.database;
  return otherServer || otherDatabase || read.has('file') || read.has('partner');
}

// --- Strings -----------------------------------------------------------------------------------------------

type Text = fc.Arbitrary<string>;

const pick = (...words: string[]): Text => fc.constantFrom(...words);
const joined = (...parts: Text[]): Text => fc.tuple(...parts).map((texts) => texts.join(''));
const mostly = (weight: number, usual: Text, odd: Text): Text =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd });

const honest = pick(
  'Database=KSESSIONS_DEV', 'Initial Catalog="KSESSIONS_DEV"', 'DATABASE =KSESSIONS_DEV', 'Server=AHHOME',
  "Data Source='tcp:ahhome,1433'", 'Addr = AHHOME , 1433', 'Password=a"b', 'PWD=x=y', "Password=' '''",
  'Password="a;Database=KSESSIONS"', 'User ID=canvas', 'UID="sa"', 'Encrypt=yes', 'Timeout=5', 'Pooling=no',
);
const keys = pick(
  'Database', 'database', 'Initial Catalog', 'INITIAL CATALOG', 'Server', 'Data Source', 'Addr', 'Address',
  'Network Address', 'Password', 'PWD', 'User ID', 'Data\u200bbase', 'Dat\u00ADabase', 'Networ\u212A Address',
  'AttachDbFilename', 'Extended Properties', 'Failover Partner', '=Database', 'Database=', ' ', '', 'Encrypt',
);
const equals = mostly(3, pick('='), pick(
  '==', ' = ', '= =', '===', '=\u00a0', '\u00a0=', '=\t', '=\u0085', '', '=\0',
));
const values = fc.oneof(
  pick('KSESSIONS_DEV', 'KSESSIONS', 'ksessions_dev', 'KSESSIONS_D\u0415V', 'AHPROD', 'AHHOME,1434'),
  pick('"KSESSIONS"', "'KSESSIONS_DEV'", '"KSESSIONS"_DEV', '"KSESSIONS_DEV', "KSESSIONS'", '{KSESSIONS}'),
  pick('a"b', '"a""b"', "'a''", '"a;Database=KSESSIONS"', 'a;Database=KSESSIONS', '{a;Database=KSESSIONS}'),
  pick('AHHOME\\X', 'np:AHHOME', 'tcp:AHPROD', 'tcp:tcp:AHHOME', '(local)', 'AHHOME,1433,1', '.', ''),
);
const joints = mostly(4, pick(';'), pick(
  ' ; ', ';;', '', ' ', '\0', ';\u0085', '\u00a0;', ';\u200b', '\n;', '";', "';", '=',
));
const wedges = pick(
  '"', "'", ';', '=', '{', '}', '\0', '\t', '\u00a0', '\u200b', '\ufeff', 'Database=KSESSIONS;',
);

const driveIn = (texts: Text, pieces: Text): Text =>
  fc.tuple(texts, fc.nat(), pieces).map(([text, place, piece]) => {
    const at = place % (text.length + 1);
    return text.slice(0, at) + piece + text.slice(at);
  });

const pair = joined(mostly(5, honest, joined(keys, equals, values)), joints);
const pairs = fc.array(pair, { minLength: 1, maxLength: 4 }).map((all) => all.join(''));
const strings = fc.oneof(pairs, driveIn(pairs, wedges));

/** Any code units, broken surrogate pairs among them. */
const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes));

function readOrRefused(text: string): ConnectionFacts | ToolkitError {
  try {
    return parseConnectionString(text, 'test');
  } catch (error) {
    if (error instanceof ToolkitError && error.code === 'CONFIG') return error;
    throw error;
  }
}

function accepted(text: string, target: RepeatedTarget): boolean {
  const facts = readOrRefused(text);
  if (facts instanceof ToolkitError) return false;
  try {
    assertRepeatsTarget(facts, target, 'test');
    return true;
  } catch (error) {
    if (error instanceof ToolkitError && error.code === 'GUARD_DIFFERS') return false;
    throw error;
  }
}

// --- Properties --------------------------------------------------------------------------------------------

test('no string that leads SqlClient elsewhere is ever accepted', (t) => {
  const seen = { accepted: 0, elsewhere: 0, unreadable: 0 };
  fc.assert(fc.property(strings, (text) => {
    const read = asSqlClient(text);
    if (read === undefined) seen.unreadable += 1;
    else if (leadsElsewhere(read)) seen.elsewhere += 1;
    if (!accepted(text, DEV)) return;
    seen.accepted += 1;
    assert.ok(read, 'SqlClient refuses it');
    assert.ok(!leadsElsewhere(read), 'SqlClient goes elsewhere');
  }), { numRuns: 20_000 });
  for (const [kind, count] of Object.entries(seen)) t.true(count > 1_500, `${kind}: ${count}`);
});

test('whatever is read is read as SqlClient reads it', (t) => {
  let count = 0;
  fc.assert(fc.property(strings, (text) => {
    const facts = readOrRefused(text);
    if (facts instanceof ToolkitError) return;
    count += 1;
    const theirs = asSqlClient(text);
    for (const key of ['database', 'user', 'password'] as const) {
      assert.equal(facts[key], theirs?.get(key) ?? undefined, key);
    }
    const server = theirs?.get('server') ?? undefined;
    const theirPlace = server === undefined ? undefined : dialled(server);
    const ourPlace = `${facts.server},${facts.port ?? 1433}`.toLowerCase();
    assert.equal(facts.server === undefined ? undefined : ourPlace, theirPlace);
  }), { numRuns: 10_000 });
  t.true(count > 1_500, `${count} read`);
});

test('the parser throws ToolkitError CONFIG and nothing else', (t) => {
  const starts = pick(
    '', 'Password=', 'Password="', 'Database=', 'mssql://', 'postgres://u:', 'mssql://h/d?encrypt=',
  );
  const anything = fc.oneof(units, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), strings);
  fc.assert(fc.property(starts, anything, units, (start, middle, end) => {
    readOrRefused(start + middle);
    readOrRefused(start + middle + end);
  }), { numRuns: 5_000 });
  t.pass();
});

const plain = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.trim() === text);
const visible = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((text) => text.trim() !== '' && !/[\p{Cc}\p{Cs}]/u.test(text));
const databases = plain.filter((text) => !/[/\\]|^\.\.?$/.test(text));
const hosts = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,12}[a-zA-Z0-9]$/);

/** Quoted where it must be, or where `wish` says so, in either kind. */
function dress(value: string, wish: number): string {
  const mustQuote = /^[\p{Z}"'{=]|[\p{Z}"']$|;/u.test(value);
  if (!mustQuote && wish % 3 === 0) return value;
  const mark = wish % 2 === 0 ? '"' : "'";
  return mark + value.replaceAll(mark, mark + mark) + mark;
}

/** Letters in upper or lower case, by the bits of `wish`. */
function recase(name: string, wish: number): string {
  const isUpper = (at: number): boolean => ((wish >> at % 30) & 1) === 1;
  return [...name].map((sign, at) => (isUpper(at) ? sign.toUpperCase() : sign.toLowerCase())).join('');
}

/** One pair in one of its harmless spellings. */
function spell(fact: string, value: string, wish: readonly number[]): string {
  const [choice = 0, letters = 0, before = 0, after = 0] = wish;
  const names = SPELLINGS[fact] ?? [];
  const [left, right] = [' '.repeat(before), ' '.repeat(after)];
  const name = recase(names[choice % names.length] ?? '', letters);
  return `${left}${name}${right}=${left}${dress(value, letters)}${right}`;
}

test('order, case, synonyms, blanks, quotes and a last semicolon make no difference', (t) => {
  const wishes = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(3), fc.nat(3)), { minLength: 5, maxLength: 5 });
  fc.assert(fc.property(hosts, databases, plain, visible, wishes, fc.nat(), (...drawn) => {
    const [server, database, user, secret, wish, turn] = drawn;
    const said = Object.entries({ server, database, user, password: secret, timeout: '7' });
    const spelled = said.map(([fact, value], at) => spell(fact, value, wish[at] ?? []));
    const turned = [...spelled.slice(turn % 5), ...spelled.slice(0, turn % 5)];
    const facts = parseConnectionString(turned.join(';') + ';'.repeat(turn % 3), 'test');
    assert.deepEqual({ ...facts }, { form: 'ado', server, database, user, connectTimeoutSeconds: 7 });
    assert.equal(facts.password, secret);
    assertRepeatsTarget(facts, { ...DEV, server: recase(server, turn), database }, 'test');
  }));
  t.pass();
});

test('a URL made of encoded parts gives the parts back', (t) => {
  fc.assert(fc.property(hosts, databases, plain, visible, fc.integer({ min: 1, max: 65_535 }), (...drawn) => {
    const [server, database, user, secret, port] = drawn;
    const login = `${encodeURIComponent(user)}:${encodeURIComponent(secret)}`;
    const text = `postgres://${login}@${server}:${port}/${encodeURIComponent(database)}`;
    const facts = parseConnectionString(text, 'test');
    assert.deepEqual({ ...facts }, { form: 'url', scheme: 'postgres', server, port, database, user });
    assert.equal(facts.password, secret);
  }));
  t.pass();
});

test('no URL is accepted that a URL parser reads as another server, port or database', (t) => {
  const pieces = pick(
    'u', ':', '@', '/', '//', '?', '#', '%', '%2F', '%40', '%3A', '..', '.', ';', '&', '=', ',', '\\', '\t',
    ' ', '[', 'db.internal', 'prod', '5432', '5433', 'canvas_staging', 'host=prod', 'sslmode=require', 'u:p@',
    'prod@', '@prod', ':5432', '/canvas_staging', '\u3002', '\uff0f', '\u00ad', 'sslmode=disable',
  );
  const whole = pick(
    'postgres://db.internal/canvas_staging', 'postgres://u@db.internal/canvas_staging?connect_timeout=5',
    'postgresql://u:p@db.internal:5432/canvas_staging?sslmode=require',
  );
  const some = fc.array(pieces, { maxLength: 2 }).map((all) => all.join(''));
  const built = fc.array(pieces, { maxLength: 8 }).map((all) => `postgres://${all.join('')}`);
  let count = 0;
  fc.assert(fc.property(fc.oneof(driveIn(whole, some), built), (text) => {
    if (!accepted(text, STAGING)) return;
    count += 1;
    const url = new URL(text);
    assert.equal(url.hostname.toLowerCase(), STAGING.server);
    assert.ok(url.port === '' || url.port === '5432', url.port);
    assert.equal(decodeURIComponent(url.pathname), `/${STAGING.database}`);
    assert.equal(url.hash, '');
    for (const name of url.searchParams.keys()) assert.match(name, /^(sslmode|connect_timeout)$/);
  }), { numRuns: 10_000 });
  t.true(count > 1_000, `${count} accepted`);
});

/** Letters that no message holds, so that a hit is the password, and signs that parsers stumble over. */
const secrets = fc.string({ unit: pick(...'QZX79QZX79;="\'{}@:/?#% &'), minLength: 10, maxLength: 24 });

const AROUND: readonly ((secret: string) => string)[] = [
  (secret) => `Server=AHHOME;Password=${secret};Database=KSESSIONS`,
  (secret) => `Password="${secret}";Server=AHPROD`,
  (secret) => `Password='${secret}`,
  (secret) => `PWD={${secret}}`,
  (secret) => `PWD=${secret};PWD=${secret}`,
  (secret) => `Password==${secret};Database=KSESSIONS_DEV`,
  (secret) => `Pasword=${secret}`,
  (secret) => `Password=${secret}\u00a0;Encrypt=${secret}`,
  (secret) => `Password=${secret};Connect Timeout=x`,
  (secret) => `Connect Timeout=${secret}`,
  (secret) => `Encrypt=${secret};Password=x`,
  (secret) => `User ID=canvas;Password:${secret};Database=KSESSIONS_DEV`,
  (secret) => `mssql://canvas:${secret}@AHHOME/KSESSIONS`,
  (secret) => `mssql://canvas:${encodeURIComponent(secret)}@AHPROD/KSESSIONS_DEV`,
  (secret) => `mssql://canvas:${secret}`,
  (secret) => `mssql://AHHOME/KSESSIONS_DEV?password=${secret}`,
];

/** All that a careless log line could print of what became of a string. */
function shown(text: string): string {
  const facts = readOrRefused(text);
  if (facts instanceof ToolkitError) return inspect(facts, { showHidden: true }) + JSON.stringify(facts);
  const said = inspect(facts, { showHidden: true, getters: true }) + JSON.stringify([facts, { ...facts }]);
  try {
    assertRepeatsTarget(facts, DEV, 'test');
    return said;
  } catch (error) {
    return said + inspect(error, { showHidden: true }) + JSON.stringify(error);
  }
}

test('no message, hint or facts ever show a password or a piece of it', (t) => {
  fc.assert(fc.property(secrets, fc.constantFrom(...AROUND), (secret, around) => {
    const pieces = secret.split(/[^QZX79]/).filter((piece) => piece.length > 2);
    const said = shown(around(secret));
    pieces.push(secret, encodeURIComponent(secret));
    for (const piece of pieces) assert.ok(!said.includes(piece), said);
  }), { numRuns: 5_000 });
  t.pass();
});
