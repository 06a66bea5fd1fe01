/**
 * Connection strings to facts: ADO.NET as in appsettings.json, or a URL. The string decides which database is
 * written to, so it is read exactly as Microsoft.Data.SqlClient reads it, or refused: where SqlClient is
 * lenient (the last of two equal keys wins, odd white space is dropped) nothing is guessed.
 * https://learn.microsoft.com/dotnet/api/microsoft.data.sqlclient.sqlconnection.connectionstring
 */
import { isIPv6 } from 'node:net';
import { inspect } from 'node:util';
import { ToolkitError } from '../errors';

type Engine = 'mssql' | 'postgres';

/** Everything the toolkit takes from a string. What the string does not say is absent. */
export interface ConnectionFacts {
  readonly form: 'ado' | 'url';
  /** The engine a URL's scheme names; ADO.NET strings always mean SQL Server. */
  readonly scheme?: Engine;
  /** Without `tcp:` and brackets, in the case it was written. */
  readonly server?: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  /** Readable by its name only: printing, JSON and spreading leave it out. */
  readonly password?: string;
  readonly encrypt?: boolean | 'strict';
  readonly trustServerCertificate?: boolean;
  readonly connectTimeoutSeconds?: number;
  readonly applicationName?: string;
  readonly multipleActiveResultSets?: boolean;
}

/** What a target says of itself. */
export type RepeatedTarget = Readonly<{ engine: Engine; server: string; port: number; database: string }>;

type Found = { -readonly [Fact in keyof ConnectionFacts]: ConnectionFacts[Fact] };
type Piece = Partial<Found>;
type Reader = (value: string, key: string) => Piece;

const DEFAULT_PORT = { mssql: 1433, postgres: 5432 } as const;
/** Longer than any real string, and far from where the patterns below would become slow. */
const MAXIMUM_LENGTH = 8192;
/** SqlClient's own limit on server, database, user, password and application name, in UTF-16 units. */
const MAXIMUM_VALUE = 128;

const ASCII_HINT = 'Type the string again in plain ASCII; copied text may bring invisible characters along.';
const VALUE_HINT = 'Correct the value, or leave the key out.';
const QUOTE_HINT = 'Put a value with ; or quotes in it between quotes, and double those quotes inside it.';
const OWN_HINT = 'Leave it out: the target alone says which server and database are meant.';
const LOGIN_HINT = 'Use an SQL login: User ID and Password.';
const URL_HINT = 'Write scheme://user:password@host:port/database, its special characters percent-encoded.';

/** Why a string is refused; `parseConnectionString` adds where it came from. Holds no value of the string. */
class Refusal extends Error {
  constructor(readonly key: string, readonly reason: string, readonly hint: string) {
    super(reason);
  }
}

function refuse(key: string, reason: string, hint: string): never {
  throw new Refusal(key, reason, hint);
}

/**
 * Reads a connection string. A line break at its end is refused too: whoever reads a file cuts it off.
 * @param text the string itself
 * @param origin the variable or file it came from, for the message
 * @throws ToolkitError CONFIG when it cannot be read or is of a refused form; the words never hold a password
 */
export function parseConnectionString(text: string, origin: string): ConnectionFacts {
  try {
    assertReadable(text);
    return hidePassword(URL_LIKE.test(text) ? readUrl(text) : readAdo(text));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const what = `The connection string in ${origin} is refused.`;
    throw new ToolkitError('CONFIG', { what, why: `${error.key}: ${error.reason}.`, hint: error.hint });
  }
}

/**
 * Insists that a string only repeats its target. What it leaves out says nothing: the target is dialled.
 * @param facts what the string says
 * @param target the target's own engine, server, port and database
 * @param origin the variable or file the string came from, for the message
 * @throws ToolkitError GUARD_DIFFERS naming the first of engine, server, port and database that differs
 */
export function assertRepeatsTarget(facts: ConnectionFacts, target: RepeatedTarget, origin: string): void {
  const engine = facts.scheme ?? 'mssql';
  const port = facts.server === undefined ? undefined : (facts.port ?? DEFAULT_PORT[engine]);
  const sameServer = facts.server === undefined || foldServer(facts.server) === foldServer(target.server);
  const said = { engine, server: sameServer ? undefined : facts.server, port, database: facts.database };
  for (const key of ['engine', 'server', 'port', 'database'] as const) {
    if (said[key] === undefined || said[key] === target[key]) continue;
    throw new ToolkitError('GUARD_DIFFERS', {
      what: `The connection string in ${origin} leads elsewhere than its target.`,
      why: `${key}: the string says ${JSON.stringify(said[key])}, the target ${JSON.stringify(target[key])}.`,
      hint: 'Write it exactly as in the target, upper and lower case included, or choose another target.',
    });
  }
}

/** Printing, JSON and spreading must not show the password: it is not enumerable, and inspect has a hook. */
function hidePassword({ password, ...shown }: Found): ConnectionFacts {
  const print = (): object => (password === undefined ? shown : { ...shown, password: '[hidden]' });
  const hidden = { password: { get: () => password }, [inspect.custom]: { value: print } };
  return Object.freeze(Object.defineProperties({ ...shown }, hidden));
}

/** ASCII only: the Kelvin sign is no k. Brackets belong to the URL form of an IPv6 address, not to itself. */
function foldServer(server: string): string {
  return server.replace(/^\[(.*)\]$/, '$1').replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Controls (NUL, tab, line breaks, NEL) and broken Unicode are read differently by every parser. */
function assertReadable(source: string): void {
  const whole = 'Connection string';
  if (/^[\s;]*$/.test(source)) refuse(whole, 'it is empty', 'Set it, or remove it altogether.');
  if (source.length > MAXIMUM_LENGTH) refuse(whole, 'it is too long to be one', VALUE_HINT);
  const at = source.search(/[\p{Cc}\p{Cs}]/u);
  if (at >= 0) refuse(whole, `character ${at + 1} is a control or half a surrogate pair`, ASCII_HINT);
}

const ASCII = /^[\x20-\x7e]*$/;

/** A password may hold any visible text; all else is plain ASCII, so that no look-alike passes for a name. */
function assertPlain(value: string, key: string, limit: number): void {
  if (value.trim() === '') refuse(key, 'its value is empty', VALUE_HINT);
  if (key !== 'Password' && !ASCII.test(value)) refuse(key, 'its value is not plain ASCII', ASCII_HINT);
  if (value.length > limit) refuse(key, `its value is longer than ${limit} characters`, VALUE_HINT);
}

/** One of a few words in any case. Without a fact the value is only checked. */
function choice(words: ReadonlyMap<string, boolean | 'strict'>, fact?: keyof Piece): Reader {
  return (value, key) => {
    const word = words.get(value.toLowerCase());
    if (word !== undefined) return fact === undefined ? {} : { [fact]: word };
    refuse(key, `its value is none of ${[...words.keys()].join(', ')}`, VALUE_HINT);
  };
}

function count(fact?: 'connectTimeoutSeconds'): Reader {
  return (value, key) => {
    if (!/^\d{1,9}$/.test(value)) refuse(key, 'its value is no whole number', VALUE_HINT);
    return fact === undefined ? {} : { [fact]: Number(value) };
  };
}

/** Only these words (in lower case) are harmless; any other value changes what the string means. */
function only(words: readonly string[], reason: string, hint: string): Reader {
  return (value, key) => {
    if (!words.includes(value.toLowerCase())) refuse(key, reason, hint);
    return {};
  };
}

const never = (reason: string, hint: string): Reader => only([], reason, hint);
const word = (fact: 'user' | 'password' | 'applicationName'): Reader => (value) => ({ [fact]: value });
const ignored: Reader = () => ({});

const BOOLEAN = new Map([['true', true], ['yes', true], ['false', false], ['no', false]]);
const ENCRYPT = new Map<string, boolean | 'strict'>([
  ...BOOLEAN, ['mandatory', true], ['optional', false], ['strict', 'strict'],
]);

/** Every resolver agrees on these characters; a dot at the end would be another spelling of the same host. */
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;

/** What SqlClient also takes as a server and what is no host on a network; the first that fits. */
const OTHER_SERVERS: readonly (readonly [RegExp, string, string])[] = [
  [/^\(localdb\)/i, 'LocalDB serves one Windows user only', 'Use a SQL Server that listens on TCP.'],
  [/^(?:\.|\(local\))/i, 'it stands for whichever machine runs this', 'Write the server as in the target.'],
  [/^(?:np|lpc|admin|via|rpc) *:|^\\\\/i, 'only TCP is supported', 'Write it as host,port.'],
  [/\\/, 'a named instance is found by asking the network', 'Give host and port: Server=host,1433.'],
  [/^\[/, 'SqlClient takes no brackets', 'Write the IPv6 address without brackets.'],
];

/** SqlClient's data source: `tcp:` and the port after a comma are optional, blanks round them are dropped. */
const readServer: Reader = (value, key) => {
  const [host = '', port, ...more] = value.replace(/^ *tcp *:/i, '').split(',').map((part) => part.trim());
  const other = OTHER_SERVERS.find(([form]) => form.test(host));
  if (other !== undefined) refuse(key, other[1], other[2]);
  const isHost = more.length === 0 && (HOST_NAME.test(host) || isAddress(host));
  if (!isHost) refuse(key, 'its value is no host name or address', 'Write it as host or host,port.');
  return port === undefined ? { server: host } : { server: host, port: readPort(port, key) };
};

/** A zone (`%eth0`) means something on one machine only. */
const isAddress = (host: string): boolean => isIPv6(host) && !host.includes('%');

function readPort(digits: string, key: string): number {
  const port = Number(digits);
  if (/^[1-9]\d{0,4}$/.test(digits) && port <= 65535) return port;
  refuse(key, 'its port is no whole number from 1 to 65535', 'Write the port in plain digits.');
}

/** Blanks at the ends, paths and dots are read differently by servers and URL parsers. */
const readDatabase: Reader = (value, key) => {
  if (!/^ | $|[/\\]|^\.\.?$/.test(value)) return { database: value };
  refuse(key, 'it is not one plain name', 'Write the database as in the target.');
};

/** SqlClient's keywords by what becomes of their value; each with its synonyms, the name shown first. */
const KEYWORDS: readonly (readonly [Reader, ...string[]])[] = [
  [readServer, 'Data Source|Server|Address|Addr|Network Address'],
  [readDatabase, 'Initial Catalog|Database'],
  [word('user'), 'User ID|UID|User'],
  [word('password'), 'Password|PWD'],
  [choice(ENCRYPT, 'encrypt'), 'Encrypt'],
  [choice(BOOLEAN, 'trustServerCertificate'), 'Trust Server Certificate|TrustServerCertificate'],
  [count('connectTimeoutSeconds'), 'Connect Timeout|ConnectTimeout|Connection Timeout|Timeout'],
  [word('applicationName'), 'Application Name|App'],
  [choice(BOOLEAN, 'multipleActiveResultSets'), 'Multiple Active Result Sets|MultipleActiveResultSets'],
  // They lead elsewhere, or change what a login or a write means.
  [never('it leads past the named server, port and database', OWN_HINT),
    'AttachDbFilename|Extended Properties|Initial File Name', 'Failover Partner|FailoverPartner',
    'Failover Partner SPN|FailoverPartnerSPN', 'Network Library|Net|Network', 'User Instance',
    'Context Connection'],
  [only(['readwrite'], 'it may lead to another replica', OWN_HINT), 'Application Intent|ApplicationIntent'],
  [only(['false', 'no'], 'it switches NOT FOR REPLICATION constraints off', VALUE_HINT), 'Replication'],
  [only(['false', 'no'], 'integrated Windows authentication is not supported by the driver', LOGIN_HINT),
    'Integrated Security|Trusted_Connection'],
  [only(['sqlpassword', 'sql password'], 'only SQL logins are supported', LOGIN_HINT), 'Authentication'],
  [only(['disabled'], 'it is not supported', VALUE_HINT), 'Column Encryption Setting|ColumnEncryption'],
  [never('it is not supported', VALUE_HINT), 'Attestation Protocol', 'Enclave Attestation Url'],
  [never('the certificate must fit the server itself', 'Name a private authority by "ca" in the target.'),
    'Host Name In Certificate|HostNameInCertificate', 'Server Certificate|ServerCertificate'],
  // They tune a .NET process and say nothing here.
  [count(), 'Command Timeout', 'Connect Retry Count|ConnectRetryCount', 'Connection Idle Timeout',
    'Connect Retry Interval|ConnectRetryInterval', 'Load Balance Timeout|Connection Lifetime',
    'Max Pool Size', 'Min Pool Size', 'Packet Size|PacketSize'],
  [choice(BOOLEAN), 'Enlist', 'Multi Subnet Failover|MultiSubnetFailover', 'Pooling',
    'Persist Security Info|PersistSecurityInfo',
    'Transparent Network IP Resolution|TransparentNetworkIPResolution'],
  [ignored, 'Current Language|Language', 'IP Address Preference|IPAddressPreference', 'Server SPN|ServerSPN',
    'Pool Blocking Period|PoolBlockingPeriod', 'Transaction Binding', 'Type System Version',
    'Workstation ID|WorkstationID|WSID'],
];

type Keyword = { readonly name: string; readonly read: Reader };
const BY_SPELLING = new Map<string, Keyword>(KEYWORDS.flatMap(([read, ...groups]) =>
  groups.map((group) => group.split('|')).flatMap((names) =>
    names.map((name) => [name.toLowerCase(), { name: names[0] ?? name, read }] as const))));

const PG_HINT = 'Give a URL: postgres://user:password@host:5432/database.';
const ODBC_HINT = "Give SqlClient's form: Server=host,1433;Database=…;User ID=…;Password=….";

/** Keys of other drivers, which people try. */
const FOREIGN = new Map([
  ['port', 'Write the port after a comma: Server=host,1433.'],
  ['options', 'Write each setting as a key of its own.'],
  ['host', PG_HINT], ['username', PG_HINT], ['sslmode', PG_HINT], ['ssl mode', PG_HINT],
  ['driver', ODBC_HINT], ['dsn', ODBC_HINT], ['filedsn', ODBC_HINT], ['provider', ODBC_HINT],
]);

/** Up to a single `=`; a doubled one is part of the key. */
const KEY = /[ ;]*(?![ ;])((?:[^=]|==)+)=(?!=)/y;
/** Quoted, then nothing but blanks; or anything up to the next `;`. */
const VALUE = / *(?:"((?:[^"]|"")*)" *|'((?:[^']|'')*)' *|(?![ "'])([^;]*))(?:;[ ;]*|$)/y;

function readAdo(source: string): Found {
  const found: Found = { form: 'ado' };
  const seen = new Set<string>();
  for (let at = 0; at < source.length;) {
    const [pair = '', spelling] = matchAt(KEY, source, at) ?? [];
    const { name, read } = readKeyword(spelling?.replace(/ +$/, ''), seen);
    const value = matchAt(VALUE, source, at + pair.length);
    Object.assign(found, read(readValue(value, name), name));
    seen.add(name);
    at = VALUE.lastIndex;
  }
  return found;
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

/** SqlClient lets the last of two equal keys win: a second one could move the write to another database. */
function readKeyword(spelling: string | undefined, seen: ReadonlySet<string>): Keyword {
  const place = `Pair ${seen.size + 1}`;
  if (spelling === undefined) refuse(place, 'it is not of the form key=value', QUOTE_HINT);
  if (!ASCII.test(spelling)) refuse(place, 'its key is not plain ASCII', ASCII_HINT);
  const keyword = BY_SPELLING.get(spelling.toLowerCase());
  if (keyword === undefined) throw unknownKey(spelling, place, seen.has('Password'));
  if (!seen.has(keyword.name)) return keyword;
  refuse(keyword.name, 'it is given twice, perhaps by two names', 'Keep the one that is meant.');
}

/** After a password an unknown key may be the rest of it (`Password=a;b=c`), so only its place is named. */
function unknownKey(spelling: string, place: string, afterPassword: boolean): Refusal {
  const foreign = FOREIGN.get(spelling.toLowerCase());
  const isName = !afterPassword && spelling.length <= 40 && /^[A-Za-z]+(?:[ _][A-Za-z]+)*$/.test(spelling);
  const shown = foreign !== undefined || isName ? spelling : place;
  return new Refusal(shown, 'SqlClient has no such key', foreign ?? `Check its spelling. ${QUOTE_HINT}`);
}

function readValue(match: RegExpExecArray | null, key: string): string {
  if (match === null) refuse(key, 'its quotes do not close, or text follows them', QUOTE_HINT);
  const [, double, single, bare] = match;
  const quoted = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'");
  const value = quoted ?? readBare(bare ?? '', key);
  assertPlain(value, key, MAXIMUM_VALUE);
  return value;
}

/** Unquoted, SqlClient drops any Unicode blank at the ends and refuses a quote there. Braces are ODBC's. */
function readBare(bare: string, key: string): string {
  const value = bare.replace(/ +$/, '');
  if (/^\p{Z}|\p{Z}$/u.test(value)) refuse(key, 'its value has an odd blank at an end', QUOTE_HINT);
  if (/["']$/.test(value)) refuse(key, 'its value ends with an unopened quote', QUOTE_HINT);
  if (value.startsWith('{')) refuse(key, 'its value begins with a brace, as in ODBC', QUOTE_HINT);
  return value;
}

/** Also `jdbc:sqlserver://…`, to be refused as a scheme. No keyword of SqlClient looks like this. */
const URL_LIKE = /^ *[a-z][a-z0-9+.:-]*:\/\//i;

const SCHEMES = new Map<string, Engine>([
  ['mssql', 'mssql'], ['sqlserver', 'mssql'], ['postgres', 'postgres'], ['postgresql', 'postgres'],
]);
/** Those of libpq that keep TLS. */
const SSL_MODES = new Map([['require', true], ['verify-ca', true], ['verify-full', true]]);
const COMMON = [
  ['application_name', word('applicationName')], ['connect_timeout', count('connectTimeoutSeconds')],
] as const;

/** The parameters a URL may have; any other could name another server, database or user. */
const PARAMETERS: Readonly<Record<Engine, ReadonlyMap<string, Reader>>> = {
  mssql: new Map([...COMMON, ['encrypt', choice(ENCRYPT, 'encrypt')],
    ['trustservercertificate', choice(BOOLEAN, 'trustServerCertificate')]]),
  postgres: new Map([...COMMON, ['sslmode', choice(SSL_MODES, 'encrypt')]]),
};

/** RFC 3986 sections 2 and 3 without a fragment. `@` stands once, after the user; `?` after the path. */
const URL_CHARACTERS = /^[A-Za-z0-9._~:/?[\]@!$&'()*+,;=%-]+$/;
const PARTS = /^(.*?):\/\/(?:([^@/?]*)@)?([^@/?]*)(?:\/([^@?]*))?(?:\?([^@?]*))?$/;

/** Not by `new URL`: it drops tabs, turns backslashes round and walks `..` before one can look. */
function readUrl(source: string): Found {
  if (source.includes('#')) refuse('URL', 'it holds a fragment', URL_HINT);
  if (!URL_CHARACTERS.test(source)) refuse('URL', 'it holds a character to percent-encode', URL_HINT);
  const parts = PARTS.exec(source);
  if (parts === null) refuse('URL', 'it has an @ or ? where none may stand', URL_HINT);
  const [, name = '', userInfo, authority = '', path = '', query] = parts;
  const scheme = SCHEMES.get(name.toLowerCase());
  if (scheme === undefined) refuse('Scheme', 'it names no engine of this toolkit', URL_HINT);
  const where = { ...readAuthority(authority), ...readDatabase(decode(path, 'Database'), 'Database') };
  const who = readUserInfo(userInfo);
  return { form: 'url', scheme, ...who, ...where, ...readQuery(query, PARAMETERS[scheme]) };
}

function readUserInfo(userInfo: string | undefined): Piece {
  if (userInfo === undefined) return {};
  const [encoded = '', password, ...more] = userInfo.split(':');
  if (more.length > 0) refuse('Password', 'it holds a plain colon', URL_HINT);
  const user = decode(encoded, 'User ID');
  return password === undefined ? { user } : { user, password: decode(password, 'Password') };
}

function readAuthority(authority: string): Piece {
  if (authority.includes(',')) refuse('Host', 'it names several hosts', OWN_HINT);
  const [, bracketed, name = '', port] = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(authority) ?? [];
  const isHost = bracketed === undefined ? HOST_NAME.test(name) : isAddress(bracketed);
  if (!isHost) refuse('Host', 'it is no host name or address (sockets are not supported)', URL_HINT);
  const server = bracketed ?? name;
  return port === undefined ? { server } : { server, port: readPort(port, 'Port') };
}

function readQuery(query: string | undefined, readers: ReadonlyMap<string, Reader>): Piece {
  const found: Piece = {};
  const seen = new Set<string>();
  for (const pair of query?.split('&') ?? []) {
    const [name = '', value = '', ...more] = pair.split('=');
    const shown = /^[A-Za-z_]{1,40}$/.test(name) ? name : `Query parameter ${seen.size + 1}`;
    const read = readers.get(name.toLowerCase());
    if (read === undefined) refuse(shown, 'it is not allowed in the URL', OWN_HINT);
    if (seen.has(name.toLowerCase())) refuse(shown, 'it is given twice', VALUE_HINT);
    if (more.length > 0 || /[+;]/.test(value)) refuse(shown, 'its value is not plain', URL_HINT);
    Object.assign(found, read(decode(value, shown), shown));
    seen.add(name.toLowerCase());
  }
  return found;
}

/** Percent-decoding of UTF-8; half a sequence, an overlong one and a decoded control are refused. */
function decode(encoded: string, key: string): string {
  let value: string;
  try {
    value = decodeURIComponent(encoded);
  } catch {
    refuse(key, 'its percent-encoding is broken', URL_HINT);
  }
  if (/\p{Cc}/u.test(value)) refuse(key, 'its percent-encoding hides a control character', URL_HINT);
  assertPlain(value, key, MAXIMUM_LENGTH);
  return value;
}
