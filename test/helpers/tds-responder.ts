/**
 * A server on the loopback that speaks just enough of TDS 7.4 to be a SQL Server for one client library, and does at
 * each message what a test says: answer, refuse, wait, fall silent, cut the connection. It hears everything, in order.
 * [MS-TDS]: https://learn.microsoft.com/openspecs/windows_protocols/ms-tds; sections are named where they are used.
 */
import type { ExecutionContext } from 'ava';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** One message of a client. */
export interface Heard {
  /** Of all connections of this server, from 0. */
  readonly connection: number;
  readonly kind: 'accept' | 'prelogin' | 'login' | 'settings' | 'batch' | 'rpc' | 'begin' | 'commit' | 'rollback';
  /** The statement of a batch or of sp_executesql, else ''. */
  readonly sql: string;
  /** The declaration of the parameters of sp_executesql, else ''. */
  readonly declared: string;
  /** Which transaction of this server it arrived in; null outside of one. */
  readonly transaction: number | null;
}

/**
 * What happens at a message. Tokens are the answer; `silence` is a server or network that is gone without a word,
 * `half` one that is gone in the middle of its answer, `endless` one whose answer goes on and on; `cut` closes the socket.
 */
export type Reaction = readonly Buffer[] | 'silence' | 'half' | 'endless' | 'cut';

/** Asked at each message; undefined is the usual answer. A promise is a server that is busy until it settles. */
export type Script = (heard: Heard) => Reaction | undefined | Promise<Reaction | undefined>;

export interface Responder {
  readonly port: number;
  readonly heard: readonly Heard[];
  /** The statements of one connection or of all, transaction requests in capitals, without what the driver sends. */
  statements(connection?: number): string[];
}

/** Listens on a free port until the test ends. */
export async function startResponder(t: ExecutionContext, script: Script = () => undefined): Promise<Responder> {
  const heard: Heard[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    // A broken connection is what is tested here.
    sockets.add(socket.on('error', () => undefined));
    void new Session(socket, sockets.size - 1, script, heard).serve().catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    statements: (connection) =>
      heard
        .filter((one) => STATEMENTS.has(one.kind) && (connection ?? one.connection) === one.connection)
        .map(({ kind, sql }) => (sql === '' ? kind.toUpperCase() : sql)),
  };
}

const STATEMENTS: ReadonlySet<Heard['kind']> = new Set(['batch', 'rpc', 'begin', 'commit', 'rollback'] as const);

/** Packet types, 2.2.3.1.1. */
const TYPE = { batch: 0x01, rpc: 0x03, answer: 0x04, attention: 0x06, transaction: 0x0e, login: 0x10, prelogin: 0x12 };

/** Transaction manager requests, 2.2.6.9, and the ENVCHANGE that tells of each, 2.2.7.9. */
const REQUESTS = new Map<number, 'begin' | 'commit' | 'rollback'>([[5, 'begin'], [7, 'commit'], [8, 'rollback']]);
const TOLD = { begin: 8, commit: 9, rollback: 10 } as const;

let transactions = 0;

/** One connection. */
class Session {
  #transaction: number | null = null;
  /** The first batch of a connection is the driver's own: its SET statements. */
  #isSetUp = false;
  /** The server does not look at what it is sent any more. */
  #isGone = false;
  /** Ends the wait for what the script says; undefined while nothing is waited for. */
  #interrupt: (() => void) | undefined;

  constructor(
    readonly socket: Socket,
    readonly index: number,
    readonly script: Script,
    readonly heard: Heard[],
  ) {}

  /** A message waits for the answer to the one before it; an attention does not. */
  async serve(): Promise<void> {
    await this.#react({ kind: 'accept', sql: '', declared: '' }, () => []);
    let work = Promise.resolve();
    for await (const { type, body } of messagesOf(this.socket)) {
      if (type === TYPE.attention) this.#interrupt?.();
      work = work.then(() => this.#answer(type, body));
      work.catch(() => this.socket.destroy());
    }
  }

  async #answer(type: number, body: Buffer): Promise<void> {
    if (this.#isGone) return;
    // 2.2.1.7: what was being answered ends first, then comes a message of its own that says the attention was heard.
    if (type === TYPE.attention) return void this.socket.write(packet(done(0x20)));
    const request = requestIn(type, body);
    const { kind } = request;
    if (kind === 'prelogin') return this.#react(request, () => [PRELOGIN]);
    if (kind === 'login') return this.#react(request, () => [LOGINACK, done()]);
    if (kind === 'begin' || kind === 'commit' || kind === 'rollback') return this.#react(request, () => this.#transact(kind));
    await this.#react(this.#isSetUp ? request : { ...request, kind: 'settings' }, () => [done()]);
    this.#isSetUp = true;
  }

  /** What the script says, or the usual; a request of the transaction manager that is refused changes nothing. */
  async #react(request: RequestOfClient, usual: () => Buffer[]): Promise<void> {
    const heard = { ...request, connection: this.index, transaction: this.#transaction };
    this.heard.push(heard);
    const interrupted = new Promise<readonly Buffer[]>((resolve) => (this.#interrupt = () => resolve([done()])));
    const reaction = (await Promise.race([this.script(heard), interrupted])) ?? usual();
    this.#interrupt = undefined;
    if (reaction === 'cut') this.socket.destroy();
    this.#isGone = typeof reaction === 'string';
    if (reaction === 'half') this.socket.write(packet(usual()[0]?.subarray(0, 3) ?? Buffer.alloc(0), false));
    if (reaction === 'endless') void this.#goOn();
    if (typeof reaction === 'string' || heard.kind === 'accept') return;
    if (reaction.includes(ROLLED_BACK)) this.#transaction = null;
    this.socket.write(packet(Buffer.concat(reaction)));
  }

  /** A row every few milliseconds, until nobody is there any more. */
  async #goOn(): Promise<void> {
    const [columns, row] = table(['n'], [1]);
    if (columns === undefined || row === undefined) return;
    this.socket.write(packet(columns, false));
    for (; !this.socket.destroyed; await sleep(5)) this.socket.write(packet(row, false));
  }

  /** 2.2.7.9: BEGIN has the descriptor as new value, COMMIT and ROLLBACK as old one. */
  #transact(kind: 'begin' | 'commit' | 'rollback'): Buffer[] {
    if (kind === 'begin') this.#transaction = transactions += 1;
    if (this.#transaction === null) return refusal(kind === 'commit' ? 3902 : 3903, 'There is no transaction.');
    const descriptor = Buffer.alloc(8);
    descriptor.writeInt32LE(this.#transaction);
    if (kind === 'begin') return [changed(TOLD.begin, descriptor, Buffer.alloc(0)), done()];
    this.#transaction = null;
    return [changed(TOLD[kind], Buffer.alloc(0), descriptor), done()];
  }
}

/** What the toolkit's own questions for the identity and for the head of a writing transaction get from `pretending`. */
export const PRETENDED = { server: 'SQL Server 16', serverId: 'RESPONDER', database: 'canvas', databaseId: '2026-01-01T00:00:00' };

/** A server that can be permitted: it says who it is, and otherwise does what the script says. */
export function pretending(script: Script = () => undefined): Script {
  return async (heard) => {
    const reaction = await script(heard);
    if (reaction !== undefined || !/\[serverId\]/.test(heard.sql)) return reaction;
    const facts = { isExpected: true, now: '2026-01-02T03:04:05.678Z', ...PRETENDED };
    return table(Object.keys(facts), Object.values(facts));
  };
}

// --- what the client says ------------------------------------------------------------------------------------------

export type RequestOfClient = Omit<Heard, 'connection' | 'transaction'>;

/** A whole message. */
export interface Message {
  readonly type: number;
  readonly body: Buffer;
  /** As it came, its packets' headers included. */
  readonly bytes: Buffer;
}

/** Packets, 2.2.3: type, status (1 is the last of a message), length, and four bytes that say nothing here. */
export async function* messagesOf(socket: Socket): AsyncGenerator<Message> {
  let rest = Buffer.alloc(0);
  let body = Buffer.alloc(0);
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 8 && rest.length >= rest.readUInt16BE(2)) {
      const length = rest.readUInt16BE(2);
      body = Buffer.concat([body, rest.subarray(8, length)]);
      bytes = Buffer.concat([bytes, rest.subarray(0, length)]);
      const [type = 0, status = 0] = rest;
      rest = rest.subarray(length);
      if ((status & 1) === 0) continue;
      yield { type, body, bytes };
      body = bytes = Buffer.alloc(0);
    }
  }
}

/** What a message asks for. An attention asks for nothing. */
export function requestIn(type: number, body: Buffer): RequestOfClient {
  const none = { sql: '', declared: '' };
  if (type === TYPE.prelogin) return { kind: 'prelogin', ...none };
  if (type === TYPE.login) return { kind: 'login', ...none };
  const rest = afterHeaders(body);
  if (type === TYPE.batch) return { kind: 'batch', sql: rest.toString('utf16le'), declared: '' };
  if (type === TYPE.rpc) return { kind: 'rpc', ...statementOf(rest) };
  const kind = REQUESTS.get(rest.readUInt16LE(0));
  if (type === TYPE.transaction && kind !== undefined) return { kind, ...none };
  throw new Error(`Nothing is known here of messages of type ${type}.`);
}

export const isAttention = ({ type }: Message): boolean => type === TYPE.attention;

/** ALL_HEADERS, 2.2.5.3, begin with their own length. */
const afterHeaders = (body: Buffer): Buffer => body.subarray(body.readUInt32LE(0));

/** RPC, 2.2.6.6: the procedure (by number: 0xFFFF, 10 is sp_executesql), flags, then parameters. */
function statementOf(rpc: Buffer): { sql: string; declared: string } {
  if (rpc.readUInt16LE(0) !== 0xffff || rpc.readUInt16LE(2) !== 10) throw new Error('Only sp_executesql is known here.');
  const [sql, next] = textAt(rpc, 6);
  return { sql, declared: next < rpc.length ? textAt(rpc, next)[0] : '' };
}

/** A parameter of type NVARCHAR: name, status, TYPE_INFO (2.2.5.6), value; one that is long comes in chunks (2.2.5.2.3). */
function textAt(rpc: Buffer, start: number): [text: string, next: number] {
  const type = start + 1 + 2 * rpc.readUInt8(start) + 1;
  let at = type + 8;
  if (rpc.readUInt16LE(type + 1) !== 0xffff) {
    const end = at + 2 + rpc.readUInt16LE(at);
    return [rpc.toString('utf16le', at + 2, end), end];
  }
  let text = '';
  for (at += 8; rpc.readUInt32LE(at) > 0; at += 4 + rpc.readUInt32LE(at)) {
    text += rpc.toString('utf16le', at + 4, at + 4 + rpc.readUInt32LE(at));
  }
  return [text, at + 4];
}

// --- what the server says ------------------------------------------------------------------------------------------

function packet(body: Buffer, isLast = true): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < body.length; at += 4088) {
    const part = body.subarray(at, at + 4088);
    const header = Buffer.from([TYPE.answer, isLast && at + 4088 >= body.length ? 1 : 0, 0, 0, 0, 0, 1, 0]);
    header.writeUInt16BE(8 + part.length, 2);
    parts.push(header, part);
  }
  return Buffer.concat(parts);
}

const uint16 = (number: number) => Buffer.from([number & 0xff, number >> 8]);
const uint32 = (number: number) => Buffer.concat([uint16(number & 0xffff), uint16(number >>> 16)]);
/** B_VARCHAR and US_VARCHAR, 2.2.5.1.2. */
const short = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'utf16le')]);
const long = (text: string) => Buffer.concat([uint16(text.length), Buffer.from(text, 'utf16le')]);

/** A token with its length, 2.2.4. */
function token(type: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([type]), uint16(body.length), body]);
}

/** 2.2.6.5: version, and encryption that is not supported (2). */
const PRELOGIN = Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2]);

/** 2.2.7.14: SQL, TDS 7.4 and the name and version of the server. */
const LOGINACK = token(0xad, Buffer.from([1, 0x74, 0, 0, 4]), short('Responder'), Buffer.from([16, 0, 0, 0]));

/** 2.2.7.9. */
const changed = (type: number, now: Buffer, before: Buffer) =>
  token(0xe3, Buffer.from([type, now.length]), now, Buffer.from([before.length]), before);

/** 2.2.7.6. @param status 0x10 says that the count counts, 2 that there was an error, 0x20 that attention was heard */
function done(status = 0, count = 0): Buffer {
  return Buffer.concat([Buffer.from([0xfd]), uint16(status), uint16(0), uint32(count), uint32(0)]);
}

/** In an answer: the server has ended the transaction by itself, as XACT_ABORT does. */
export const ROLLED_BACK = changed(TOLD.rollback, Buffer.alloc(0), Buffer.alloc(8));

/** 2.2.7.9, type 20: as an answer to a login it sends the client on, to another port of the loopback. */
export function redirection(port: number): Buffer[] {
  const server = '127.0.0.1';
  const value = Buffer.concat([Buffer.from([0]), uint16(port), long(server)]);
  return [LOGINACK, token(0xe3, Buffer.from([20]), uint16(value.length), value, uint16(0)), done()];
}

/** 2.2.7.10. @param severity 11 to 16 is for the user to mend, 20 and more ends the connection */
export function refusal(number: number, message: string, severity = 16): Buffer[] {
  const words = [uint32(number), Buffer.from([1, severity]), long(message), short('RESPONDER'), short(''), uint32(1)];
  return [token(0xaa, ...words), done(2)];
}

type Value = string | number | boolean | null;

/** COLMETADATA and ROW, 2.2.7.4 and 2.2.7.19: NVARCHAR, INT or BIT, by the first row. */
export function table(columns: readonly string[], ...rows: readonly (readonly Value[])[]): Buffer[] {
  const types = columns.map((name, place) =>
    Buffer.concat([uint32(0), uint16(1), typeOf(rows[0]?.[place] ?? null), short(name)]),
  );
  const data = rows.map((row) => Buffer.concat([Buffer.from([0xd1]), ...row.map(valueOf)]));
  return [Buffer.concat([Buffer.from([0x81]), uint16(columns.length), ...types]), ...data, done(0x10, rows.length)];
}

/** 2.2.5.5 and 2.2.5.6. */
function typeOf(value: Value): Buffer {
  if (typeof value === 'number') return Buffer.from([0x26, 4]);
  if (typeof value === 'boolean') return Buffer.from([0x68, 1]);
  return Buffer.concat([Buffer.from([0xe7]), uint16(8000), Buffer.from([9, 4, 0xd0, 0, 0x34])]);
}

function valueOf(value: Value): Buffer {
  if (value === null) return uint16(0xffff);
  if (typeof value === 'number') return Buffer.concat([Buffer.from([4]), uint32(value)]);
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
  const text = Buffer.from(value, 'utf16le');
  return Buffer.concat([uint16(text.length), text]);
}
