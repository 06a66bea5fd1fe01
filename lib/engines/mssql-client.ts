/**
 * Knex's SQL Server client, kept from sending a statement to the wrong connection (I-11). Knex 3.3 has one request
 * queue for every client of the process; here each connection has its own turns, a failed transaction takes no
 * further statement, and a connection that could not be rolled back is never used again.
 */
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Knex } from 'knex';
import type Dialect from 'knex/lib/dialects/mssql/index.js';
import type { Cell, Query } from 'knex/lib/dialects/mssql/index.js';
import type Transaction from 'knex/lib/dialects/mssql/transaction.js';
import type * as tedious from 'tedious';
import type { Connection, ConnectionConfiguration, Request } from 'tedious';
import { isLoopback } from '../config/targets';
import { faults } from '../errors';
import { bounded } from './bound';

const load = createRequire(__filename);

/** Thrown for a statement of a transaction that is over: sent, it would commit by itself. */
export class TransactionOver extends Error {
  override readonly name = 'TransactionOver';
}

/** Thrown for an answer that is none of a SQL Server's: another service, or what stands between. */
export class Garbled extends Error {
  override readonly name = 'Garbled';
  readonly code = 'EGARBLED';
}

/** Each connection's last turn; the next begins when it is over, however it ended. */
const turns = new WeakMap<Connection, Promise<unknown>>();

/** Connections whose transaction met an error: nothing more is sent in it but its rollback. */
const failed = new WeakSet<Connection>();

function inTurn<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  const before = turns.get(connection) ?? Promise.resolve();
  const turn = before.then(work, work);
  turns.set(connection, turn);
  return turn;
}

type Done = (error?: Error | null) => void;

/** What the driver knows and its types leave out. */
interface Inside {
  /** It follows the server's own word on it: ENVCHANGE tokens. */
  readonly inTransaction: boolean;
  readonly socket?: Socket;
  readonly config: { readonly options: Record<'connectTimeout' | 'requestTimeout' | 'cancelTimeout', number> & { encrypt: boolean } };
  readonly messageIo: { readonly tlsNegotiationComplete: boolean };
  /** Sends user and password; called once for every server that is dialled, a redirection included. */
  sendLogin7Packet(): void;
  /** Reads one answer; nobody listens to the errors of the stream within. */
  createTokenStreamParser(message: unknown, handler: unknown): EventEmitter & { readonly parser: Readable };
}

const inside = (connection: Connection) => connection as unknown as Inside;

/** A driver's callback as a promise. */
function called(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}

/**
 * The driver's time-outs end with the first packet of an answer; this one stands behind them, for all of it.
 * @param limitMs 0 for none
 * @param isAlive of an answer that may take as long as somebody reads it
 */
function answered(connection: Connection, limitMs: number, start: (done: Done) => void, isAlive?: () => boolean): Promise<void> {
  const { cancelTimeout } = inside(connection).config.options;
  const boundMs = limitMs === 0 ? 0 : limitMs + 2 * cancelTimeout;
  return bounded(boundMs, () => called(start), () => connection.close(), isAlive);
}

/** A request of the transaction manager. */
function managed(connection: Connection, start: (done: Done) => void): Promise<void> {
  return answered(connection, inside(connection).config.options.requestTimeout, start);
}

/** The pool asks this before it hands a connection out. */
function dispose(connection: Connection, why: unknown): void {
  Object.assign(connection, { connected: false, __knex__disposed: why });
}

/** How long statements of one transaction may take, in milliseconds; 0 is without bound. */
const limits = new WeakMap<object, number>();

/** Sets the time-out of the statements of one transaction. @param milliseconds 0 for none */
export function limitStatements(trx: Knex.Transaction, milliseconds: number): void {
  limits.set(trx.client as object, milliseconds);
}

/**
 * The client for a configuration of tedious, which is dialled exactly as it stands: nothing of Knex's own settings,
 * defaults or connection strings has a say.
 * @param configure asked per connection, so that no object holds the password; undefined for a client that only compiles
 */
export function mssqlClient(configure?: () => ConnectionConfiguration): typeof Knex.Client {
  const Stock = load('knex/lib/dialects/mssql/index.js') as typeof Dialect;
  const SafeTransaction = transactionOf();

  return class MssqlClient extends Stock {
    override _generateConnection(): ConnectionConfiguration {
      if (configure === undefined) throw new TypeError('This client only compiles statements.');
      return configure();
    }

    override async acquireRawConnection(): Promise<Connection> {
      return connect(new (this._driver().Connection)(this._generateConnection()));
    }

    override destroyRawConnection(connection: Connection): Promise<void> {
      return close(connection);
    }

    override transaction(...words: [container: unknown, config: unknown, outerTx: unknown]): Knex.Transaction {
      return new SafeTransaction(this as unknown as Knex.Client, ...words) as unknown as Knex.Transaction;
    }

    /** `]` is doubled; Knex leaves brackets out and so names another object. */
    override wrapIdentifierImpl(name: string): string {
      return name === '*' ? name : `[${name.replaceAll(']', ']]')}]`;
    }

    /** Knex binds dates as DATETIME, which knows thirds of a hundredth of a second only. */
    override _typeForBinding(binding: unknown): ReturnType<Dialect['_typeForBinding']> {
      return binding instanceof Date ? [binding, this._driver().TYPES.DateTime2] : super._typeForBinding(binding);
    }

    override async _query(connection: Connection, query: Query): Promise<Query> {
      const rows: Cell[][] = [];
      await send(this, connection, query, (row) => rows.push(row));
      query.response = rows;
      return query;
    }

    override async _stream(connection: Connection, query: Query, stream: Writable): Promise<void> {
      let isProgress = false;
      let reading: Request | undefined;
      const onRow = (row: Cell[], request: Request) => {
        isProgress = true;
        if (stream.write(toObject(row))) return;
        request.pause();
        stream.once('drain', () => request.resume());
      };
      // Whoever leaves early gives the connection back, and must not leave a paused answer in it.
      const onRequest = (request: Request) => {
        reading = request;
        stream.once('close', () => request.cancel());
      };
      const isAlive = () => {
        const isMoving = isProgress || reading?.paused === true;
        isProgress = false;
        return isMoving;
      };
      await send(this, connection, query, onRow, onRequest, isAlive).catch((error: Error) => {
        stream.destroy(error);
        throw error;
      });
      stream.end();
    }

    override processResponse(query: Query, runner: unknown): unknown {
      if (query.output !== undefined) return super.processResponse(query, runner);
      const rows = query.response ?? [];
      if (query.returning === '@@rowcount') return Number(rows.at(-1)?.[0]?.value);
      const objects = rows.map((row) => toObject(row, namesOf(query, row)));
      if (query.method === 'first') return objects[0];
      return query.method === 'pluck' ? objects.map((object) => object[query.pluck ?? '']) : objects;
    }
  } as unknown as typeof Knex.Client;
}

/** One statement in its connection's turn. A function, because Knex makes a transaction's client by its prototype. */
function send(
  client: Dialect,
  connection: Connection,
  query: Query,
  onRow: (row: Cell[], request: Request) => void,
  onRequest: (request: Request) => void = () => undefined,
  isAlive?: () => boolean,
): Promise<void> {
  return inTurn(connection, async () => {
    if (client.transacting === true) assertOpen(connection);
    const limitMs = limits.get(client) ?? inside(connection).config.options.requestTimeout;
    const make = (done: Done) => {
      const request = toRequest(client, query, done);
      request.on('row', (row: Cell[]) => onRow(row, request));
      onRequest(request);
      return request;
    };
    await execute(connection, limitMs, make, isAlive).catch((error: unknown) => {
      if (client.transacting === true) failed.add(connection);
      throw error;
    });
  });
}

function toRequest(client: Dialect, { sql, bindings = [] }: Query, done: Done): Request {
  const request = new (client._driver().Request)(sql, done);
  bindings.forEach((binding, place) => {
    const [value, type] = client._typeForBinding(binding);
    request.addParameter(`p${place}`, type, value);
  });
  return request;
}

/** @param limitMs 0 for none */
function execute(connection: Connection, limitMs: number, make: (done: Done) => Request, isAlive?: () => boolean): Promise<void> {
  const dispatch = (done: Done) => {
    const request = make(done);
    request.setTimeout(limitMs);
    // Without parameters as a plain batch: SET options last only then, and some DDL must stand alone in its batch.
    if (request.parameters.length === 0) connection.execSqlBatch(request);
    else connection.execSql(request);
  };
  return answered(connection, limitMs, dispatch, isAlive);
}

/** With XACT_ABORT an error ends the transaction on the server; what is sent then commits by itself. */
function assertOpen(connection: Connection): void {
  if (failed.has(connection) || !inside(connection).inTransaction) {
    throw new TransactionOver('The transaction met an error and is over; nothing more is sent in it.');
  }
}

/** OUTPUT columns by place: servers disagree about the case of their names. */
function namesOf({ method, returning }: Query, row: readonly Cell[]): readonly string[] | undefined {
  if (method !== 'insert' || !Array.isArray(returning) || returning.length !== row.length) return undefined;
  return returning as string[];
}

function toObject(row: readonly Cell[], names?: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(row.map(({ metadata, value }, place) => [names?.[place] ?? metadata.colName, value]));
}

function transactionOf() {
  const Stock = load('knex/lib/dialects/mssql/transaction.js') as typeof Transaction;

  return class SafeTransaction extends Stock {
    override begin(connection: Connection): Promise<void> {
      if (this.isolationLevel !== undefined) {
        return Promise.reject(new TypeError('There is one isolation level, that of the connection.'));
      }
      return inTurn(connection, async () => {
        failed.delete(connection);
        // A BEGIN that timed out may have begun: what came next would then be committed into nothing.
        await managed(connection, (done) => connection.beginTransaction(done)).catch((error: unknown) => {
          dispose(connection, error);
          throw error;
        });
      });
    }

    override commit(connection: Connection, value?: unknown): Promise<void> {
      const commit = async () => {
        assertOpen(connection);
        await managed(connection, (done) => connection.commitTransaction(done));
        if (inside(connection).inTransaction) {
          dispose(connection, 'A transaction is open after COMMIT.');
          throw new Error('The server answered COMMIT and has a transaction open.');
        }
        this._completed = true;
      };
      return inTurn(connection, commit).then(
        () => this._resolver(value),
        (error: unknown) => this.rollback(connection, error),
      );
    }

    override async rollback(connection: Connection, error?: unknown): Promise<void> {
      this._completed = true;
      await inTurn(connection, () => undo(connection));
      if (error === undefined && this.doNotRejectOnRollback) this._resolver();
      else this._rejecter(error ?? new Error('The transaction was rolled back.'));
    }

    /** The first error ends the whole transaction (XACT_ABORT): a savepoint would promise what it cannot hold. */
    override savepoint(): Promise<never> {
      return Promise.reject(new TypeError('There are no transactions within transactions.'));
    }
  };
}

/** Rolls back; a connection where that fails is not used again, and the server ends its transaction with it. */
async function undo(connection: Connection): Promise<void> {
  failed.delete(connection);
  if (!inside(connection).inTransaction) return;
  await managed(connection, (done) => connection.rollbackTransaction(done)).catch((error: unknown) => dispose(connection, error));
}

/**
 * Connects; from then on the pool knows when the connection is lost.
 * @throws the driver's error, with `stage` and, where the server refused, its `number`
 */
export async function connect(connection: Connection): Promise<Connection> {
  let refusal: number | undefined;
  const onRefusal = ({ number }: { number: number }) => void (refusal ??= number);
  connection.on('errorMessage', onRefusal);
  connection.on('error', (error) => dispose(connection, error));
  connection.once('end', () => dispose(connection, 'The connection is closed.'));
  guardThePassword(connection);
  guardTheProcess(connection);
  const { connectTimeout } = inside(connection).config.options;
  await answered(connection, connectTimeout, (done) => connection.connect(done)).catch((thrown: Error) => {
    // These come out of reading the answer; all that is meant to be said has a code.
    const isMeant = 'code' in thrown && !(thrown instanceof RangeError);
    const error = isMeant ? thrown : new Garbled('The first answer cannot be read.', { cause: thrown });
    // Once the server has answered at all, what is left is the login. The driver drops the number of its refusal.
    const stage = (inside(connection).socket?.bytesRead ?? 0) > 0 ? 'logging in' : 'connecting';
    throw Object.assign(error, { stage }, refusal === undefined ? {} : { number: refusal });
  });
  connection.off('errorMessage', onRefusal);
  return Object.assign(connection, { connected: true });
}

/** A gateway sends on to the server, and that one to a replica; servers that send to each other would do so without end. */
const MOST_LOGINS = 5;

/**
 * Where a server says that it has no TLS, the driver goes on without: whoever stands between could say so in the
 * server's place and read the password. Where none is asked for, the password stays on this machine: a name such as
 * localhost leads where the system says, and a server may send the driver on to another.
 */
function guardThePassword(connection: Connection): void {
  const inner = inside(connection);
  const sendLogin = inner.sendLogin7Packet.bind(connection);
  let logins = 0;
  inner.sendLogin7Packet = () => {
    logins += 1;
    if (logins > MOST_LOGINS) throw Object.assign(new Error('The server sends on and on.'), { code: 'EREDIRECT' });
    if (inner.config.options.encrypt && !inner.messageIo.tlsNegotiationComplete) {
      throw Object.assign(new Error('The server offers no TLS.'), { code: 'EENCRYPT' });
    }
    const address = inner.socket?.remoteAddress?.replace(/^::ffff:/, '') ?? 'an unknown address';
    if (!inner.config.options.encrypt && !isLoopback(address)) throw faults.plainOffLoopback(address);
    sendLogin();
  };
}

/**
 * The driver throws what it cannot read into an event that nobody listens to, and the process falls with it. Here it is
 * an error of the login, or of the connection and so of the statement under way.
 */
function guardTheProcess(connection: Connection): void {
  const inner = inside(connection);
  const make = inner.createTokenStreamParser.bind(connection);
  inner.createTokenStreamParser = (message, handler) => {
    const answer = make(message, handler);
    answer.parser.on('error', (cause) => {
      const error = new Garbled('The answer cannot be read.', { cause });
      if ('connected' in connection) inner.socket?.destroy(error);
      else answer.emit('error', error);
    });
    return answer;
  };
}

/** Closes a raw connection; one that is closed already never says `end` again, and Knex would wait for it. */
export function close(connection: Connection): Promise<void> {
  if ((connection as { connected?: boolean }).connected !== true) {
    connection.close();
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    connection.once('end', () => resolve());
    connection.close();
  });
}

/**
 * One batch on a raw connection, outside Knex.
 * @returns the rows of its result
 */
export async function askRaw(connection: Connection, sql: string, timeoutMs: number): Promise<Record<string, unknown>[]> {
  const { Request } = load('tedious') as typeof tedious;
  const rows: Record<string, unknown>[] = [];
  const make = (done: Done) => new Request(sql, done).on('row', (row: Cell[]) => rows.push(toObject(row)));
  await inTurn(connection, () => execute(connection, timeoutMs, make));
  return rows;
}
