/** PostgreSQL 14 and later, through pg. */
import type { Socket } from 'node:net';
import type { Knex } from 'knex';
import type { Client, QueryResult } from 'pg';
import type { Login } from '../config/credentials';
import { isLoopback, type ServerTarget } from '../config/targets';
import { faults, type ToolkitError } from '../errors';
import type { Answer } from '../guard/guard';
import type { Identity } from '../guard/marker';
import { authorityOf } from './authority';
import { bounded } from './bound';
import {
  APPEND_ONLY,
  CONNECT_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
  SCHEMA_LOCK_TIMEOUT_MS,
  SCHEMA_UNSUPPORTED,
  type Ask,
  type Dial,
  type Engine,
  type Head,
  type Lock,
  type Refusal,
  type Where,
} from './engine';

/** Everything the toolkit writes names its schema; the path holds nothing that a stranger could put there. */
const SEARCH_PATH = 'pg_catalog';

/**
 * PostgreSQL has no server name. The cluster's system_identifier, the database's oid and its name identify it, and
 * a plain role may read all three. `server` is how the server itself sees the address of this connection.
 */
const IDENTITY = `
  current_database() AS "database",
  (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS "serverId",
  (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database()) AS "databaseId",
  split_part(version(), ' ', 1) || ' ' || current_setting('server_version') ||
    coalesce(' at ' || host(inet_server_addr()) || ':' || inet_server_port(), ' in process') AS "server"`;

/** After the question, in the same message: nothing may be written outside `beginWriting`. */
const SESSION = `
  SET default_transaction_read_only = on;
  SET search_path = ${SEARCH_PATH};
  SET TimeZone = 'UTC';
  SET statement_timeout = ${REQUEST_TIMEOUT_MS};
  SET idle_in_transaction_session_timeout = ${2 * REQUEST_TIMEOUT_MS};`;

const CLOCK = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "now"`;

export const postgres: Engine = {
  name: 'postgres',
  dialect: 'postgres',
  clock: `SELECT ${CLOCK}`,

  async connect(dial: Dial): Promise<Knex.Config> {
    // Knex would ask `select version()` before the guard has asked anything.
    return { client: await boundedClient(), version: '14', connection: connectionOf(dial) };
  },

  async identify(raw: unknown, dial: Dial): Promise<Answer> {
    const target = dial.target as ServerTarget;
    const connection = raw as Client;
    if (!target.encrypt) assertOnLoopback(connection);
    return askIdentity(connection, target[dial.role].database);
  },

  disconnect: (raw) => close(raw as Client),

  async allowWrites(raw: unknown): Promise<void> {
    await (raw as Client).query('SET default_transaction_read_only = off');
  },

  beginWriting,
  findHarm,
  findExcess,
  seesTls,
  prepareSchemaChange,
  explain,
  refusalOf: (error) => REFUSALS[sqlState(error)],
  isVerdict: (error) => (error as { severity?: unknown } | null)?.severity === 'ERROR',
  mayRetry: (error) => ['40001', '40P01'].includes(sqlState(error)),
};

function connectionOf(dial: Dial) {
  const target = dial.target as ServerTarget;
  const address = target[dial.role];
  const { user } = dial.login;
  return {
    host: address.server,
    port: address.port,
    database: address.database,
    user,
    // pg falls back to PGPASSWORD and .pgpass when there is none; a function that throws ends that.
    password: passwordOf(target, dial.login),
    ssl: tlsOf(target),
    // None of these is left out: pg would read PGOPTIONS, PGREPLICATION, PGSSLNEGOTIATION, PGCLIENTENCODING.
    options: '-c client_min_messages=warning',
    replication: 'false',
    sslnegotiation: 'postgres',
    client_encoding: 'UTF8',
    application_name: 'canvas-host-toolkit',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
}

/** How long statements of one transaction may take, in milliseconds; 0 is without bound. */
const limits = new WeakMap<object, number>();

/** How much longer than the server's own time-out the bound waits: the server's error says more. */
const GRACE_MS = 5_000;

/** Knex's PostgreSQL client with a bound on every statement: the server's own time-outs need a server that is there. */
async function boundedClient(): Promise<typeof Knex.Client> {
  const { default: PostgresClient } = await import('knex/lib/dialects/postgres/index.js');

  return class BoundedClient extends PostgresClient {
    override _query(connection: Client, query: unknown): Promise<unknown> {
      const limitMs = limits.get(this) ?? REQUEST_TIMEOUT_MS;
      return bounded(limitMs === 0 ? 0 : limitMs + GRACE_MS, () => super._query(connection, query), () => drop(connection));
    }

    override destroyRawConnection(connection: Client): Promise<void> {
      return close(connection);
    }
  };
}

/** Says goodbye; a server that does not answer to that keeps no process alive. */
async function close(connection: Client): Promise<void> {
  await bounded(GRACE_MS, () => connection.end(), () => drop(connection)).catch(() => undefined);
}

function drop(connection: Client): void {
  streamOf(connection).destroy();
}

/** The types of pg leave it out. */
function streamOf(connection: Client): Socket {
  return (connection as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** A name such as localhost leads where the system says; without TLS it must not lead away. */
function assertOnLoopback(connection: Client): void {
  const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection;
  const address = stream.remoteAddress?.replace(/^::ffff:/, '') ?? 'an unknown address';
  if (isLoopback(address)) return;
  // pg leaves a connection open whose password was not given; the refusal must reach it first.
  setImmediate(() => stream.destroy());
  throw faults.plainOffLoopback(address);
}

/** pg asks for the password as a method of its client, when the server wants one: the last moment to look where it goes. */
function passwordOf({ encrypt }: ServerTarget, { password }: Login) {
  return function (this: Client): string {
    if (!encrypt) assertOnLoopback(this);
    return (password ?? refusePassword)();
  };
}

function refusePassword(): never {
  throw new Error('The server asks for a password and none is configured.');
}

function tlsOf(target: ServerTarget): false | { rejectUnauthorized: boolean; ca?: string } {
  if (!target.encrypt) return false;
  return { rejectUnauthorized: !target.trustServerCertificate, ...authorityOf(target) };
}

/**
 * Asks a raw connection who it is and closes the session to writes, in one round trip.
 * @param expected the database name the target says
 */
export async function askIdentity(connection: Client, expected: string): Promise<Answer> {
  const question = `SELECT current_database() = ${connection.escapeLiteral(expected)} AS "isExpected", ${IDENTITY};`;
  // pg reads query_timeout from a query too, though its types do not say so.
  const query = { text: question + SESSION, query_timeout: CONNECT_TIMEOUT_MS };
  const results = (await connection.query(query)) as unknown as QueryResult<Answer>[];
  const answer = results[0]?.rows[0];
  if (answer === undefined) throw faults.noIdentity();
  return answer;
}

type HeadRow = Identity & { readonly now: string; readonly path: string; readonly session: string; readonly next: string | null };

/** Of transactions at work, those before `xmax` make `xmin` less than it; https://www.postgresql.org/docs/14/functions-info.html */
const HEAD = `SELECT ${IDENTITY}, current_setting('search_path') AS "path", pg_backend_pid()::text AS "session",
  CASE WHEN pg_snapshot_xmin(s) = pg_snapshot_xmax(s) THEN pg_snapshot_xmax(s)::text END AS "next", ${CLOCK}
  FROM pg_current_snapshot() AS s`;

/** One message, one round trip. */
async function beginWriting(trx: Knex.Transaction, _expected: Identity, lock?: Lock): Promise<Head> {
  limits.set(trx.client as object, REQUEST_TIMEOUT_MS + (lock?.waitMs ?? 0));
  const taken = lock === undefined ? '' : `${takeLock(trx, lock)}; `;
  const results = await trx.raw<QueryResult<HeadRow>[]>(`SET TRANSACTION READ WRITE; ${taken}${HEAD}`);
  const row = results.at(-1)?.rows[0];
  if (row === undefined) throw faults.noIdentity();
  if (row.path !== SEARCH_PATH) throw faults.searchPathMoved(SEARCH_PATH, row.path);
  const { server, serverId, database, databaseId } = row;
  const turn = row.next === null ? undefined : { session: row.session, next: BigInt(row.next) };
  return { identity: { server, serverId, database, databaseId }, now: new Date(row.now), turn };
}

/** Advisory locks of the transaction; lock_timeout bounds the wait, and statement_timeout must not come first. */
function takeLock(trx: Knex.Transaction, { names, waitMs }: Lock): string {
  const list = names.map(() => '?').join(', ');
  const select = (trx.client as { raw(sql: string, bindings: readonly string[]): { toString(): string } })
    .raw(`SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(ARRAY[${list}]) AS name`, names)
    .toString();
  return (
    // 0 would mean no limit.
    `SET LOCAL lock_timeout = ${Math.max(1, waitMs)}; SET LOCAL statement_timeout = ${waitMs + REQUEST_TIMEOUT_MS}; ` +
    select
  );
}

/**
 * Of another database only the right to connect can be seen from here; what a login may write there cannot, so the
 * right to connect counts. Superusers and members of pg_write_all_data may write wherever they connect.
 */
async function findHarm(ask: Ask, protectedDatabases: readonly string[]): Promise<string[]> {
  const marks = protectedDatabases.map(() => 'lower(?)').join(', ');
  const databases = await ask<{ name: string }>(
    `SELECT datname AS "name" FROM pg_catalog.pg_database
     WHERE lower(datname) IN (${marks}) AND has_database_privilege(datname, 'CONNECT') ORDER BY 1`,
    protectedDatabases,
  );
  const tables = await ask<{ name: string }>(
    `SELECT c.relname::text AS "name" FROM pg_catalog.pg_class c
     WHERE c.relnamespace = to_regnamespace('dbo') AND c.relkind IN ('r', 'p', 'v')
       AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1`,
  );
  return [
    ...databases.map(({ name }) => `The login may connect to the protected database ${name}.`),
    ...tables.map(({ name }) => `The login may write to the source table dbo.${name}.`),
  ];
}

/** An owner of the tables may take away what protects the trail, as a superuser may. */
async function findExcess(ask: Ask): Promise<string[]> {
  const [role] = await ask<{ name: string; super: boolean; roles: boolean; all: boolean; owner: boolean }>(
    `SELECT r.rolname AS "name", r.rolsuper AS "super", r.rolcreaterole AS "roles",
       pg_has_role(r.oid, 'pg_write_all_data', 'MEMBER') AS "all",
       EXISTS (SELECT 1 FROM pg_catalog.pg_database d WHERE d.datname = current_database() AND d.datdba = r.oid) AS "owner"
     FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
  );
  const owned = await ask<{ name: string }>(
    `SELECT c.relname::text AS "name" FROM pg_catalog.pg_class c
     WHERE c.relnamespace = to_regnamespace('canvas') AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1`,
  );
  if (role === undefined) throw faults.rightsUnknown('a superuser');
  // A superuser is the owner of everything: that is said once.
  if (role.super) return [`The login ${role.name} is a superuser: it may do anything to any database of the server.`];
  return [
    ...(role.roles ? [`The login ${role.name} may make roles, and so become most of what it is not.`] : []),
    ...(role.all ? [`The login ${role.name} may write to every table of the server's databases (pg_write_all_data).`] : []),
    ...(role.owner ? [`The login ${role.name} owns the database.`] : []),
    ...owned.map(({ name }) => `The login ${role.name} owns canvas.${name}, and may take away what protects it.`),
  ];
}

async function seesTls(ask: Ask): Promise<boolean | undefined> {
  const [own] = await ask<{ ssl: boolean }>('SELECT s.ssl AS "ssl" FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_backend_pid()');
  return own?.ssl === true;
}

async function prepareSchemaChange(trx: Knex.Transaction): Promise<void> {
  limits.set(trx.client as object, 0);
  await trx.raw(`SET LOCAL lock_timeout = ${SCHEMA_LOCK_TIMEOUT_MS}; SET LOCAL statement_timeout = 0`);
}

function sqlState(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  '23505': 'duplicate', '23503': 'foreign key', '428C9': 'explicit id', '42501': 'not granted', [APPEND_ONLY.postgres]: 'append-only',
};

/** Connection failures of Node's own net and dns modules, and of a server that is starting or stopping. */
const UNREACHABLE = new Set([
  'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EPIPE',
  '08000', '08001', '08003', '08004', '08006', '53300', '57P01', '57P02', '57P03',
]);

/** SQLSTATE values: https://www.postgresql.org/docs/current/errcodes-appendix.html */
export function explain(error: unknown, where: Where): ToolkitError | undefined {
  const code = sqlState(error);
  if (UNREACHABLE.has(code)) return faults.unreachable(where, code, error);
  switch (code) {
    case 'ETIMEDOUT':
    case 'ETIMEOUT':
    case '57014':
      return faults.timedOut(where, code, error);
    case '55P03':
      return faults.locked(where, error);
    case '28000':
    case '28P01':
      return faults.loginRefused(where, code, error);
    case '3D000':
      return faults.noSuchDatabase(where, code, error);
    case '42501':
      return faults.notGranted(where, code, error);
    case '3F000':
    case '42P01':
    case '42703':
      return faults.missingObject(where, code, error);
    case '42P07':
    case '42710':
      return faults.nameTaken(where, code, error);
    case SCHEMA_UNSUPPORTED.postgres:
      return faults.unsupported(where, code, error);
    case '23505':
      return duplicate(error, where, code);
    // 53200: the server's table of locks is full, for a set of sessions took many.
    case '53200':
    case '40001':
    case '40P01':
      return faults.conflict(where, code, error);
    default:
      return withoutCode(error, where);
  }
}

/** A primary key that is taken was given out by an identity: nobody else's doing, and trying again does not help. */
function duplicate(error: unknown, where: Where, code: string): ToolkitError {
  const { constraint } = error as { constraint?: string };
  if (constraint?.startsWith('PK_') === true) return faults.identityBehind(where, constraint, error);
  return faults.conflict(where, code, error);
}

/** Node's own TLS codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes, and those of OpenSSL. */
const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** What pg says without a code of its own: the exact beginnings of its sentences, not words within them. */
const SENTENCES = {
  late: ['timeout expired', 'Query read timeout'],
  lost: ['Connection terminated', 'Client has encountered a connection error'],
  tls: ['The server does not support SSL', 'There was an error establishing an SSL connection'],
  login: ['SASL: ', 'The server asks for a password'],
} as const;

function withoutCode(error: unknown, where: Where): ToolkitError | undefined {
  // Knex puts the statement and " - " before the driver's sentence.
  const message = error instanceof Error ? (error.message.split(' - ').at(-1) ?? '') : '';
  const isOneOf = (sentences: readonly string[]) => sentences.some((sentence) => message.startsWith(sentence));
  const code = sqlState(error);
  if (TLS.test(code) || isOneOf(SENTENCES.tls)) return faults.tlsFailed(where, code || 'no TLS on the server', error);
  if (isOneOf(SENTENCES.login)) return faults.loginRefused(where, 'no usable password', error);
  if (isOneOf(SENTENCES.late)) return faults.timedOut(where, 'no answer', error);
  return isOneOf(SENTENCES.lost) ? faults.unreachable(where, 'connection lost', error) : undefined;
}
