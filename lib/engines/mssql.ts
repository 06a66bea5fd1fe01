/** SQL Server 2019 and later, through tedious. */
import type { Knex } from 'knex';
import type { Connection, ConnectionConfiguration } from 'tedious';
import type { ServerTarget } from '../config/targets';
import { faults, type ToolkitError } from '../errors';
import type { Answer } from '../guard/guard';
import type { Identity } from '../guard/marker';
import { authorityOf } from './authority';
import {
  APPEND_ONLY,
  CONNECT_TIMEOUT_MS,
  JSON_MISREAD,
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
import { askRaw, close, limitStatements, mssqlClient, TransactionOver } from './mssql-client';
import { flagOf, textOf, type Row } from './rows';

/**
 * The server's own name, the database's name and the moment the server made or renamed it: a restored or renamed
 * copy has another. Found by its name: on Azure SQL sys.databases and DB_ID() count differently.
 * https://learn.microsoft.com/sql/t-sql/functions/db-id-transact-sql
 */
const IDENTITY = `
  DB_NAME() AS [database],
  CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) AS [serverId],
  (SELECT CONVERT(nvarchar(40), d.create_date, 126) FROM sys.databases d WHERE d.name = DB_NAME()) AS [databaseId],
  CONCAT(N'SQL Server ', CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(40)),
    N' ' + CAST(SERVERPROPERTY('ServerName') AS nvarchar(128))) AS [server]`;

const CLOCK = `REPLACE(CONVERT(char(23), SYSUTCDATETIME(), 121), ' ', 'T') + 'Z' AS [now]`;

/** Errors that our own batches throw, numbered after the server's own where there is one. */
const THROWN = { moved: 51000, deadlocked: 51205, notLocked: 51222 } as const;

/** How much earlier than a statement that reads its wait for a lock ends. */
const READING_GRACE_MS = 5_000;

const literal = (text: string) => `N'${text.replaceAll("'", "''")}'`;

export const mssql: Engine = {
  name: 'mssql',
  dialect: 'mssql',
  clock: `SELECT ${CLOCK}`,

  connect(dial: Dial): Promise<Knex.Config> {
    return Promise.resolve({ client: mssqlClient(() => configurationOf(dial)), connection: {} });
  },

  async identify(raw: unknown, dial: Dial): Promise<Answer> {
    const target = dial.target as ServerTarget;
    const connection = raw as Connection;
    // The server compares the names, under its own rules.
    const question = `SELECT CAST(CASE WHEN DB_ID(${literal(target[dial.role].database)}) = DB_ID() THEN 1 ELSE 0 END AS bit)
      AS [isExpected], ${IDENTITY};`;
    // The wait of a statement that reads ends before the statement's own bound: then it is told what was waited for.
    const waitMs = Math.min(dial.waitMs, REQUEST_TIMEOUT_MS - READING_GRACE_MS);
    const [row] = await askRaw(connection, `${question} SET LOCK_TIMEOUT ${waitMs};`, CONNECT_TIMEOUT_MS);
    return { ...toIdentity(row), isExpected: row !== undefined && flagOf(row, 'isExpected') };
  },

  disconnect: (raw) => close(raw as Connection),

  // SQL Server has no read-only session: what may write is decided by types, and by the login's rights.
  allowWrites: () => Promise.resolve(),

  async beginWriting(trx: Knex.Transaction, expected: Identity, lock?: Lock): Promise<Head> {
    limitStatements(trx, REQUEST_TIMEOUT_MS + (lock?.waitMs ?? 0));
    const rows = await trx.raw<Row[]>(headOf(expected, lock).replaceAll('?', '\\?'));
    const [row] = rows;
    const identity = toIdentity(row);
    return { identity, now: new Date(textOf(row ?? {}, 'now')) };
  },

  findHarm,
  findExcess,
  // sys.dm_exec_connections takes VIEW SERVER STATE; the driver ends a connection that does not become a TLS one.
  seesTls: () => Promise.resolve(undefined),

  async prepareSchemaChange(trx: Knex.Transaction): Promise<void> {
    limitStatements(trx, 0);
    await trx.raw(`SET LOCK_TIMEOUT ${SCHEMA_LOCK_TIMEOUT_MS}`);
  },

  explain,
  refusalOf: (error) => REFUSALS.find(([, numbers]) => numbers.includes(numberOf(error) ?? 0))?.[0],
  isVerdict,
  mayRetry: (error) => [1205, THROWN.deadlocked].includes(numberOf(error) ?? 0),
};

function configurationOf(dial: Dial): ConnectionConfiguration {
  const target = dial.target as ServerTarget;
  const address = target[dial.role];
  const { user, password } = dial.login;
  return {
    server: address.server,
    authentication: { type: 'default', options: { userName: user, password: (password ?? refusePassword)() } },
    options: {
      port: address.port,
      database: address.database,
      encrypt: target.encrypt,
      trustServerCertificate: target.trustServerCertificate,
      cryptoCredentialsDetails: authorityOf(target),
      // Without this a database that cannot be opened silently becomes the login's default one.
      fallbackToDefaultDb: false,
      abortTransactionOnError: true,
      enableQuotedIdentifier: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      // The driver would try again for a database that does not exist (4060).
      maxRetriesOnTransientErrors: 0,
      useUTC: true,
      lowerCaseGuids: true,
      appName: 'canvas-host-toolkit',
    },
  };
}

function refusePassword(): never {
  throw Object.assign(new Error('The server asks for a password and none is configured.'), { code: 'ELOGIN' });
}

function toIdentity(row: Row | undefined): Identity {
  const identity = { server: row?.['server'], serverId: row?.['serverId'], database: row?.['database'], databaseId: row?.['databaseId'] };
  if (Object.values(identity).some((part) => typeof part !== 'string')) throw faults.noIdentity();
  return identity as Identity;
}

/**
 * One batch: time-out for locks, the assertion, the locks with their return codes, then who and when. Nothing of it
 * writes, and what it throws ends the transaction.
 * https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-getapplock-transact-sql
 */
function headOf(expected: Identity, lock: Lock | undefined): string {
  const taken = lock === undefined ? '' : `DECLARE @code int;\n${lock.names.map((name) => take(expected, name, lock.waitMs)).join('')}`;
  return `SET LOCK_TIMEOUT ${lock?.waitMs ?? REQUEST_TIMEOUT_MS};
IF ISNULL(DB_ID(${literal(expected.database)}), -1) <> DB_ID()
  OR CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) <> ${literal(expected.serverId)}
  THROW ${THROWN.moved}, N'This is not the database that was permitted.', 1;
${taken}SELECT ${IDENTITY}, ${CLOCK};`;
}

/** SQL Server keeps such locks apart by database by itself; Babelfish does not. */
function take({ database }: Identity, name: string, waitMs: number): string {
  return `EXEC @code = sp_getapplock @Resource = ${literal(`${database}/${name}`)}, @LockMode = 'Exclusive', @LockOwner = 'Transaction',
  @LockTimeout = ${waitMs};
IF @code = -3 THROW ${THROWN.deadlocked}, N'sp_getapplock: chosen as a deadlock victim.', 1;
IF @code < 0 THROW ${THROWN.notLocked}, N'sp_getapplock: not granted in time.', 1;
`;
}

const WRITES = ['INSERT', 'UPDATE', 'DELETE', 'ALTER', 'CONTROL'] as const;

/**
 * Whoever may enter a database may hold rights there on a schema, a table or a column, which nobody sees from outside:
 * that it may enter counts.
 * https://learn.microsoft.com/sql/t-sql/functions/has-dbaccess-transact-sql, .../has-perms-by-name-transact-sql
 */
async function findHarm(ask: Ask, protectedDatabases: readonly string[]): Promise<string[]> {
  const marks = protectedDatabases.map(() => 'LOWER(?)').join(', ');
  const databases = await ask<{ name: string }>(
    `SELECT d.name AS [name] FROM sys.databases d WHERE LOWER(d.name) IN (${marks}) AND HAS_DBACCESS(d.name) = 1
     ORDER BY d.name`,
    protectedDatabases,
  );
  const mayWrite = WRITES.map((right) => `HAS_PERMS_BY_NAME(N'dbo.' + t.name, 'OBJECT', '${right}') = 1`).join(' OR ');
  const tables = await ask<{ name: string }>(
    `SELECT t.name AS [name] FROM (VALUES (N'Groups'), (N'Categories'), (N'Sessions'), (N'SessionTranscripts')) t (name)
     WHERE ${mayWrite} ORDER BY t.name`,
  );
  const [role] = await ask<{ is: number | null }>(`SELECT IS_SRVROLEMEMBER('sysadmin') AS [is]`);
  return [
    ...(role?.is === 1 ? ['The login is a sysadmin: it may do anything to any database of the server.'] : []),
    ...databases.map(({ name }) => `The login may connect to the protected database ${name}.`),
    ...tables.map(({ name }) => `The login may write to the source table dbo.${name}.`),
  ];
}

/** https://learn.microsoft.com/sql/t-sql/functions/is-srvrolemember-transact-sql, .../is-rolemember-transact-sql */
async function findExcess(ask: Ask): Promise<string[]> {
  const [role] = await ask<{ name: string; admin: number | null; owner: number | null; alter: number | null }>(
    `SELECT SUSER_SNAME() AS [name], IS_SRVROLEMEMBER('sysadmin') AS [admin], IS_ROLEMEMBER('db_owner') AS [owner],
       HAS_PERMS_BY_NAME(N'canvas', 'SCHEMA', 'ALTER') AS [alter]`,
  );
  if (role === undefined || role.admin === null) throw faults.rightsUnknown('a sysadmin');
  if (role.owner === null) throw faults.rightsUnknown('a db_owner');
  if (role.admin === 1) return [`The login ${role.name} is a sysadmin: it may do anything to any database of the server.`];
  if (role.owner === 1) return [`The login ${role.name} is a db_owner: it may do anything to the database.`];
  return role.alter === 1 ? [`The login ${role.name} may alter schema canvas, and take away what protects the trail.`] : [];
}

/** The server's own number for an error; undefined where it was not the server that spoke. */
function numberOf(error: unknown): number | undefined {
  // Several messages for one statement come as one AggregateError; the first is the cause, the rest its consequences.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const number = (first as { number?: unknown } | null)?.number;
  return typeof number === 'number' ? number : undefined;
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** 33557097 is Babelfish's for what has no number there; of what is attempted only an explicit id ends like that. */
const REFUSALS: readonly (readonly [Refusal, readonly number[]])[] = [
  ['duplicate', [2601, 2627]], ['foreign key', [547]], ['explicit id', [544, 33557097]], ['append-only', [APPEND_ONLY.mssql]],
  ['not granted', [229, 230, 1088, 4701]],
];

type Explain = (where: Where, code: string, error: unknown) => ToolkitError;

/** The database or its server goes away, or is not there for now. */
const UNAVAILABLE = [
  615, 701, 922, 924, 926, 927, 942, 945, 952, 976, 983, 1105, 3906, 4221, 6005, 9002, 10928, 10929, 17142, 17143, 17809,
  18401, 40197, 40501, 40613, 49918, 49919, 49920,
];

/** From this severity on the server ends the connection with its message. */
const FATAL = 20;

/** A server that goes away while it commits may say so after it has committed. */
function isVerdict(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isVerdict);
  const number = numberOf(error);
  const { class: severity = FATAL } = (error ?? {}) as { class?: number };
  if (number === undefined) return error instanceof TransactionOver;
  return severity < FATAL && !UNAVAILABLE.includes(number);
}

/** https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors */
const NUMBERS: readonly (readonly [readonly number[], Explain])[] = [
  [[18451, 18452, 18456, 18461, 18470, 18486, 18487, 18488, 40532, 40615, 40914], faults.loginRefused],
  [[911, 4060, 4064], faults.noSuchDatabase],
  [[229, 230, 262, 297, 300, 916, 1088, 2557, 2571, 2760, 3701, 3704, 4902, 4924, 15151, 15247], faults.notGranted],
  [[207, 208, 2812], missing],
  [UNAVAILABLE, faults.unreachable],
  [[1205, 3960, 3961, THROWN.deadlocked], faults.conflict],
  [[1222, THROWN.notLocked], (where, _code, error) => faults.locked(where, error)],
  [[2601, 2627], duplicate],
  [[1913, 2714], faults.nameTaken],
  [[SCHEMA_UNSUPPORTED.mssql], faults.unsupported],
  [[544, 547, 515, 1934], faults.refusedByDatabase],
  [[2628, 8152], faults.tooLong],
  [[334], faults.triggerInTheWay],
  [[JSON_MISREAD], (where, _code, error) => faults.jsonMisread(where, error)],
  [[THROWN.moved], (where) => faults.movedInWrite(where)],
];

/** OPENJSON is there from compatibility level 130 on; a database that came from an older server keeps its own. */
function missing(where: Where, code: string, error: unknown): ToolkitError {
  const isLevel = error instanceof Error && error.message.includes('OPENJSON');
  return (isLevel ? faults.levelTooLow : faults.missingObject)(where, code, error);
}

function duplicate(where: Where, code: string, error: unknown): ToolkitError {
  // Names are not translated, sentences are. A primary key that is taken was given out by an identity.
  const key = /['"](PK_\w+)/i.exec(error instanceof Error ? error.message : '')?.[1];
  return key === undefined ? faults.conflict(where, code, error) : faults.identityBehind(where, key, error);
}

export function explain(error: unknown, place: Where): ToolkitError | undefined {
  const { stage = place.stage } = (error ?? {}) as { stage?: string };
  const where = { ...place, stage };
  const number = numberOf(error);
  if (number !== undefined) {
    const [, known] = NUMBERS.find(([numbers]) => numbers.includes(number)) ?? [];
    return known === undefined ? withoutNumber(error, where) : known(where, `error ${number}`, error);
  }
  if (error instanceof TransactionOver) return faults.conflict(where, 'a transaction that is over', error);
  return withoutNumber(error, where);
}

/** Node's own TLS codes, and those of OpenSSL: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** The driver's codes: https://tediousjs.github.io/tedious/api-connection.html */
function withoutNumber(error: unknown, where: Where): ToolkitError | undefined {
  const { cause: reason } = (error ?? {}) as { cause?: unknown };
  // One for each address that was tried.
  const cause = codeOf(reason) || codeOf(reason instanceof AggregateError ? reason.errors[0] : undefined);
  switch (codeOf(error)) {
    case 'ETIMEOUT':
      return faults.timedOut(where, 'ETIMEOUT', error);
    case 'ELOGIN':
      return faults.loginRefused(where, 'ELOGIN', error);
    case 'EGARBLED':
      return faults.garbled(where, error);
    case 'EENCRYPT':
      return faults.tlsFailed(where, 'no TLS on the server', error);
    case 'ESOCKET':
      return TLS.test(cause) ? faults.tlsFailed(where, cause, error) : faults.unreachable(where, cause || 'ESOCKET', error);
    // Of a connection that is lost at work, the driver gives the socket's own error.
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ECLOSE':
    case 'ECONNCLOSED':
    case 'EINVALIDSTATE':
    case 'EINSTLOOKUP':
    case 'EREDIRECT':
      return faults.unreachable(where, codeOf(error), error);
    default:
      return undefined;
  }
}
