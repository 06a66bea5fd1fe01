/**
 * A proxy between a client and a server that knows each statement and can cut or kill around it. It speaks no TLS.
 * PostgreSQL's messages: https://www.postgresql.org/docs/current/protocol-message-formats.html; those of SQL Server are
 * read by tds-responder.ts.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as tds from './tds-responder';

/**
 * What happens at a boundary: `pass` goes on; `kill` ends the victim with SIGKILL; `cut` destroys both
 * sockets; `strand` destroys the client's socket and only later sends the statement, as a slow network would;
 * `silence`, before a statement only, carries nothing any more and leaves both sockets open.
 */
export type Verdict = 'pass' | 'kill' | 'cut' | 'strand' | 'silence';

/** Asked at a boundary. @param index of the statement among all of this proxy, from 0 */
export type Hook = (index: number, sql: string) => Verdict;

export interface ProxyOptions {
  readonly engine: 'postgres' | 'mssql';
  readonly host: string;
  readonly port: number;
  /** Whom `kill` kills. */
  readonly victim?: () => ChildProcess | undefined;
  /** Before a statement goes to the server. */
  readonly onStatement?: Hook;
  /** When the whole answer has come from the server, and nothing of it has gone to the client. */
  readonly afterAnswer?: Hook;
}

export interface Proxy {
  readonly port: number;
  /** The text of each statement that came, in order. */
  readonly statements: readonly string[];
  /** From now on nobody gets in; who is in, stays. */
  refuse(): void;
  close(): Promise<void>;
}

/** How late a stranded statement reaches the server. */
const LATE_MS = 700;

/** Untyped packets of the start: requests for encryption, by the number in place of the version. */
const ENCRYPTION_REQUESTS = [80877103, 80877104];

const PASS: Hook = () => 'pass';

/** Listens on a free port of the loopback. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const statements: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: options.host, port: options.port, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // A broken connection is what is tested here; the other side hears of it below.
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    new Link(options, statements, client, upstream).carry();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    statements,
    refuse: () => void server.close(),
    async close() {
      const closed = server.listening ? once(server, 'close') : undefined;
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** How an engine's clients and servers talk. */
interface Protocol {
  /** `sql` is the statement that a message completes, if it does; a part of one waits for what completes it. */
  requests(client: Socket): AsyncGenerator<{ readonly bytes: Buffer; readonly sql?: string; readonly isPart?: boolean }>;
  answers(upstream: Socket): AsyncGenerator<{ readonly bytes: Buffer; readonly isEnd: boolean }>;
}

const PROTOCOLS: Record<ProxyOptions['engine'], Protocol> = {
  postgres: {
    async *requests(client) {
      let sql = '';
      for await (const { type, bytes } of requestsOf(client)) {
        if (type === 'P') sql = textAt(bytes, 1);
        if (type === 'Q') sql = textAt(bytes, 0);
        if (type === 'Q' || type === 'S') yield { bytes, sql };
        else yield { bytes, isPart: ['P', 'B', 'D', 'E', 'C'].includes(type) };
      }
    },
    async *answers(upstream) {
      for await (const { type, bytes } of messagesOf(upstream)) yield { bytes, isEnd: type === 'Z' };
    },
  },
  mssql: {
    async *requests(client) {
      let isSetUp = false;
      for await (const message of tds.messagesOf(client)) {
        const { bytes } = message;
        const request = tds.isAttention(message) ? undefined : tds.requestIn(message.type, message.body);
        // The first batch is the driver's own.
        if (request === undefined || ['prelogin', 'login'].includes(request.kind) || !isSetUp) yield { bytes };
        else yield { bytes, sql: request.sql === '' ? request.kind.toUpperCase() : request.sql };
        isSetUp ||= request?.kind === 'batch';
      }
    },
    async *answers(upstream) {
      for await (const { bytes } of tds.messagesOf(upstream)) yield { bytes, isEnd: true };
    },
  },
};

interface Message {
  /** The type byte; '' for the packets of the start, which have none. */
  readonly type: string;
  readonly bytes: Buffer;
}

/** One client and its connection to the server. */
class Link {
  /** Statements that were sent and not answered yet, oldest first. */
  readonly #sent: number[] = [];
  #isStrandedBy: number | undefined;
  readonly #protocol: Protocol;

  constructor(
    readonly options: ProxyOptions,
    readonly statements: string[],
    readonly client: Socket,
    readonly upstream: Socket,
  ) {
    this.#protocol = PROTOCOLS[options.engine];
  }

  carry(): void {
    this.#carryRequests().catch(() => undefined).finally(() => {
      if (this.#isStrandedBy === undefined) this.upstream.end();
    });
    this.#carryAnswers().catch(() => undefined).finally(() => this.client.end());
  }

  /** Everything up to what completes a statement is held back until the hook has spoken. */
  async #carryRequests(): Promise<void> {
    const held: Buffer[] = [];
    for await (const { bytes, sql, isPart } of this.#protocol.requests(this.client)) {
      held.push(bytes);
      if (sql !== undefined) {
        const index = this.statements.push(sql) - 1;
        this.#sent.push(index);
        const verdict = (this.options.onStatement ?? PASS)(index, sql);
        if (verdict === 'strand') return this.#strand(Buffer.concat(held), index);
        // Leaving the loop would close the client's socket.
        if (verdict === 'silence') await new Promise(() => undefined);
        if (!this.#carryOut(verdict)) return;
      }
      // What belongs to the start or the end goes on at once, the parts of a statement together.
      if (!isPart) this.upstream.write(Buffer.concat(held.splice(0)));
    }
  }

  async #strand(statement: Buffer, index: number): Promise<void> {
    this.#isStrandedBy = index;
    this.client.destroy();
    await sleep(LATE_MS);
    this.upstream.write(statement);
  }

  /** From the first statement on, an answer goes on whole or not at all. */
  async #carryAnswers(): Promise<void> {
    const held: Buffer[] = [];
    for await (const { bytes, isEnd } of this.#protocol.answers(this.upstream)) {
      held.push(bytes);
      const index = this.#sent[0];
      if (index !== undefined) {
        if (!isEnd) continue;
        this.#sent.shift();
        if (index === this.#isStrandedBy) return void this.upstream.end();
        if (!this.#carryOut((this.options.afterAnswer ?? PASS)(index, this.statements[index] ?? ''))) return;
      }
      this.client.write(Buffer.concat(held.splice(0)));
    }
  }

  /** @returns whether the traffic goes on */
  #carryOut(verdict: Verdict): boolean {
    if (verdict === 'pass') return true;
    if (verdict === 'kill') this.options.victim?.()?.kill('SIGKILL');
    this.client.destroy();
    this.upstream.destroy();
    return false;
  }
}

/** The text that ends with a zero byte, after `skip` others. */
function textAt(bytes: Buffer, skip: number): string {
  let from = 5;
  for (let left = skip; left > 0; left -= 1) from = bytes.indexOf(0, from) + 1;
  return bytes.toString('utf8', from, bytes.indexOf(0, from));
}

/** What a client sends: first packets without a type, then messages. Encryption is declined here. */
async function* requestsOf(client: Socket): AsyncGenerator<Message> {
  let isStarting = true;
  for await (const message of messagesOf(client, () => isStarting)) {
    if (message.type !== '') yield message;
    else if (ENCRYPTION_REQUESTS.includes(message.bytes.readInt32BE(4))) client.write('N');
    else {
      isStarting = false;
      yield message;
    }
  }
}

/** Whole messages, however the network cuts them. @param isUntyped whether the next one has no type byte */
async function* messagesOf(socket: Socket, isUntyped = () => false): AsyncGenerator<Message> {
  let rest = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const prefix = isUntyped() ? 0 : 1;
      if (rest.length < prefix + 4) break;
      const length = prefix + rest.readInt32BE(prefix);
      if (rest.length < length) break;
      yield { type: rest.toString('latin1', 0, prefix), bytes: rest.subarray(0, length) };
      rest = rest.subarray(length);
    }
  }
}
