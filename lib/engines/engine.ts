/**
 * The contract of an engine, in capabilities and verbs.
 *
 * To write another engine:
 *   1. `connect` returns a Knex configuration that dials exactly the address it is given: no environment variable,
 *      no default of the driver, no string of the user may change where it goes. Load the driver inside it.
 *   2. `identify` is the first thing a physical connection hears. It asks who the server is, lets the *server*
 *      compare the database's name, and makes the session read-only where the server can do that.
 *   3. `beginWriting` is the first message of a writing transaction: it opens it for writing, takes locks that end
 *      with the transaction (and looks at the answers), and brings back the identity and the clock, in one round trip.
 *   4. `explain` maps the vendor's codes to ours, by code and never by the words of a message (I-29).
 *   5. Run test/engines/conformance.ts against it.
 * Two guidelines: do not correct what the user wrote, and do not read process.env here.
 */
import type { Knex } from 'knex';
import type { Login } from '../config/credentials';
import type { EngineName, Target } from '../config/targets';
import type { ToolkitError } from '../errors';
import type { Answer, Role } from '../guard/guard';
import type { Identity } from '../guard/marker';

export type Dialect = 'postgres' | 'mssql';

/** One connection to make. */
export interface Dial {
  readonly target: Target;
  readonly role: Role;
  readonly login: Login;
  /** How long to wait for a lock, in milliseconds. */
  readonly waitMs: number;
}

/** What the head of a writing transaction brings back. */
export interface Head {
  readonly identity: Identity;
  /** The database's clock, UTC, to the millisecond. */
  readonly now: Date;
  /** Undefined while others are writing, and where the engine does not number its writing transactions. */
  readonly turn?: Turn | undefined;
}

/** Where a transaction stands among those that write, on the whole server, none of the earlier ones being at work. */
export interface Turn {
  /** The session it belongs to. */
  readonly session: string;
  /** The number that the next one to write is given. */
  readonly next: bigint;
}

/** Locks that end with their transaction. */
export interface Lock {
  /** Taken in this order. */
  readonly names: readonly string[];
  /** How long to wait for each, and from then on for any other lock, in milliseconds. */
  readonly waitMs: number;
}

/** Rules of the database that keep rows out, or in. */
export type Refusal = 'duplicate' | 'foreign key' | 'explicit id' | 'append-only' | 'not granted';

/** Rows of one SELECT. */
export type Ask = <Row extends object>(sql: string, bindings?: readonly Knex.RawBinding[]) => Promise<Row[]>;

export interface Engine {
  readonly name: EngineName;
  readonly dialect: Dialect;
  /** The configuration for Knex, without its `pool.afterCreate`: that belongs to the guard (database.ts). */
  connect(dial: Dial): Promise<Knex.Config>;
  /** @param raw the driver's own connection */
  identify(raw: unknown, dial: Dial): Promise<Answer>;
  /** Closes a raw connection that the guard refused: the pool forgets such a one without closing it. */
  disconnect(raw: unknown): Promise<void>;
  /** Ends the read-only state of a session that `identify` began: for the `knex` command only, behind a Permit. */
  allowWrites(raw: unknown): Promise<void>;
  /** A SELECT of one column, `now`: the database's clock as ISO 8601 UTC text, to the millisecond. */
  readonly clock: string;
  /**
   * The first message of a writing transaction: opens it for writing, takes the locks and brings back the head,
   * read when they were granted.
   * @param expected who the database was when it was permitted; the server may compare too, the guard always does
   * @throws the driver's error, which `explain` knows as LOCKED, when the wait is over
   */
  beginWriting(trx: Knex.Transaction, expected: Identity, lock?: Lock): Promise<Head>;
  /**
   * What this login could do where it has no business: write to a protected database of the same server, or to the
   * source. One sentence each; none is good. Asked of the server, changes nothing.
   */
  findHarm(ask: Ask, protectedDatabases: readonly string[]): Promise<string[]>;
  /** What this login is that it need not be: an administrator, an owner. One sentence each. Asked of the server, changes nothing. */
  findExcess(ask: Ask): Promise<string[]>;
  /** Does the server see TLS on this connection? Undefined where asking takes a right of its own, and the driver insists on TLS. */
  seesTls(ask: Ask): Promise<boolean | undefined>;
  /** Time-outs for schema changes: a short wait for table locks, no bound on the work itself. */
  prepareSchemaChange(trx: Knex.Transaction): Promise<void>;
  /** The failure in our words, or undefined when this engine does not know it. */
  explain(error: unknown, where: Where): ToolkitError | undefined;
  /** By which of the database's own rules a statement was refused, where it was one of those. */
  refusalOf(error: unknown): Refusal | undefined;
  /** Did the server itself answer with this error? Then a COMMIT it answers is certain: nothing was committed. */
  isVerdict(error: unknown): boolean;
  /** May the whole transaction be run again after this error? Only where the server says that it undid it. */
  mayRetry(error: unknown): boolean;
}

/** What an error message needs to know of the connection. */
export interface Where {
  readonly target: string;
  readonly role: Role;
  readonly address: string;
  readonly waitMs: number;
  /** The variables that the login was read from. */
  readonly login: string;
  /** What was being done, to follow the word "while". */
  readonly stage: string;
}

/** Time-outs, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 15_000;
export const REQUEST_TIMEOUT_MS = 30_000;
/** Of a writing transaction as a whole, its wait for locks aside: the application waits behind its rows. */
export const TRANSACTION_TIMEOUT_MS = 120_000;
/** A schema change that waits for a table lock makes everybody behind it wait too. */
export const SCHEMA_LOCK_TIMEOUT_MS = 5_000;

/** The codes with which the trail refuses to be changed. */
export const APPEND_ONLY = { postgres: 'CH002', mssql: 50002 } as const satisfies Record<Dialect, unknown>;

/** The codes with which a statement of a migration itself says that it cannot work on what it finds. */
export const SCHEMA_UNSUPPORTED = { postgres: 'CH001', mssql: 50001 } as const satisfies Record<Dialect, unknown>;

/** The number with which a statement says that SQL Server's likeness leaves the escapes of JSON in the text it reads. */
export const JSON_MISREAD = 50003;
