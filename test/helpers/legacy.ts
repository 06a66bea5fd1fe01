/**
 * Databases as the old application left them: its tables as EF Core made them (2025-09-13), in each state that was met.
 *
 *   a            no table of the application
 *   b            the tables without KSessionsId, with rows
 *   c            with KSessionsId and its filtered unique index, both made by hand; older rows have NULL there
 *   d            dirty: what nothing in the database ever prevented; `faults` picks some of it
 *   unsupported  a later shape, where SessionId is INT without identity and is the KSESSIONS id itself
 *
 * Only statements, through an executor: a lane needs no more than a way to send one.
 */
import { createHmac } from 'node:crypto';
import { withAccess, type Access } from '../../lib/access';
import { withTransaction, type Database } from '../../lib/engines/database';
import type { Dialect } from '../../lib/engines/engine';
import { ToolkitError } from '../../lib/errors';
import { CONSOLIDATE_NEEDS } from '../../lib/hosts/consolidate';
import { enrol, requirePermit } from '../../lib/migrations/enrol';
import { migrateLatest } from '../../lib/migrations/run';
import { seed } from '../../seeds/ksessions_samples';
import { open, type Lane, type Owner, type Scratch } from './lanes';

export type LegacyState = 'a' | 'b' | 'c' | 'd' | 'unsupported';

/** What is wrong in state d, each by itself. */
export const DIRTY_FAULTS = ['several-active', 'revived', 'hash-copy', 'two-canvas-rows', 'orphans', 'seed-behind'] as const;
export type DirtyFault = (typeof DIRTY_FAULTS)[number];

export interface LegacyVariant {
  /** Name of the filtered unique index on KSessionsId. */
  readonly indexName?: string;
  /** PostgreSQL: how ids are generated; EF's Npgsql makes BY DEFAULT. SQL Server has one kind. */
  readonly identity?: 'ALWAYS' | 'BY DEFAULT';
  /** State d: which faults, all unless told otherwise. */
  readonly faults?: readonly DirtyFault[];
}

export type Execute = (sql: string) => Promise<unknown>;
export type Rows = Readonly<Record<string, unknown>>;
export type AskRows = (sql: string) => Promise<readonly Rows[]>;

type Value = string | number | boolean | null | Date;
type Kind = 'identity' | 'bigint' | 'int' | 'uuid' | 'time' | 'flag' | 'text' | `text(${number})`;

interface Column {
  readonly name: string;
  readonly kind: Kind;
  readonly nullable?: boolean;
  readonly default?: { readonly postgres: string; readonly mssql: string };
}

interface ForeignKey {
  readonly column: string;
  readonly references: string;
  readonly onDelete: 'CASCADE' | 'NO ACTION';
}

interface Table {
  readonly name: string;
  /** The first is the primary key. */
  readonly columns: readonly Column[];
  readonly foreignKeys?: readonly ForeignKey[];
  readonly rows: readonly (readonly Value[])[];
}

// --- credentials -------------------------------------------------------------------------------------------------

/** The public constant of the old tool's source. */
export const OLD_KEY = 'NOOR-CANVAS-HOST-SECRET-2025';

const KNOWN_GUIDS: Readonly<Record<number, string>> = {
  18: 'cd66d6f7-11a3-4101-be91-3a85c0da792a',
  19: '6ba39809-bc5a-498e-956a-fcbb3f39e017',
};

/** The GUID whose hash a host session of these fixtures carries. */
export function legacyGuid(hostSessionId: number): string {
  return KNOWN_GUIDS[hostSessionId] ?? `00000000-0000-4000-8000-${String(hostSessionId).padStart(12, '0')}`;
}

/** The hash as the old tool stored it. */
export function legacyHash(hostSessionId: number): string {
  return createHmac('sha256', OLD_KEY).update(legacyGuid(hostSessionId)).digest('base64');
}

// --- tables ------------------------------------------------------------------------------------------------------

const column = (name: string, kind: Kind, nullable = false): Column => ({ name, kind, nullable });
const toSession: ForeignKey = { column: 'SessionId', references: 'Sessions', onDelete: 'CASCADE' };
const toUser: ForeignKey = { column: 'UserId', references: 'Users', onDelete: 'NO ACTION' };
const toQuestion: ForeignKey = { column: 'QuestionId', references: 'Questions', onDelete: 'CASCADE' };

const time = (text: string) => new Date(text);
const MADE = time('2025-09-13T10:20:30.123Z');
const NEVER = time('2099-01-01T00:00:00.000Z');
const PAST = time('2025-10-01T00:00:00.000Z');

const SESSION_COLUMNS: readonly Column[] = [
  column('SessionId', 'identity'),
  column('GroupId', 'uuid'),
  column('StartedAt', 'time', true),
  column('EndedAt', 'time', true),
  column('ExpiresAt', 'time', true),
  column('CreatedAt', 'time'),
  column('Title', 'text(200)', true),
  column('Description', 'text(1000)', true),
  column('Status', 'text(50)', true),
  { ...column('HostGuid', 'text(100)'), default: { postgres: "''", mssql: "N''" } },
  column('MaxParticipants', 'int', true),
  column('ParticipantCount', 'int', true),
  {
    ...column('ModifiedAt', 'time'),
    default: { postgres: "'0001-01-01T00:00:00Z'", mssql: "'0001-01-01T00:00:00.0000000'" },
  },
];

const KSESSIONS_ID = column('KSessionsId', 'bigint', true);

const HOST_SESSION_COLUMNS: readonly Column[] = [
  column('HostSessionId', 'identity'),
  column('SessionId', 'bigint'),
  column('HostGuidHash', 'text(128)'),
  column('CreatedAt', 'time'),
  column('ExpiresAt', 'time', true),
  column('LastUsedAt', 'time', true),
  column('RevokedAt', 'time', true),
  column('CreatedBy', 'text(128)', true),
  column('RevokedBy', 'text(128)', true),
  column('IsActive', 'flag'),
];

/** The application's own tables, which stay untouched; eight of the eleven refer to canvas.Sessions. */
const FOREIGN: readonly Table[] = [
  {
    name: 'Users',
    columns: [column('UserId', 'identity'), column('Name', 'text(100)'), column('CreatedAt', 'time')],
    rows: [
      [1, 'Ada', MADE],
      [2, 'Zaynab الكاتبة', MADE],
    ],
  },
  {
    name: 'AdminSessions',
    columns: [
      column('AdminSessionId', 'identity'),
      column('SessionId', 'bigint', true),
      column('Token', 'text(128)'),
      column('CreatedAt', 'time'),
    ],
    foreignKeys: [toSession],
    rows: [
      [1, 219, 'admin-1', MADE],
      [2, null, 'admin-2', MADE],
    ],
  },
  {
    name: 'SessionLinks',
    columns: [column('LinkId', 'identity'), column('SessionId', 'bigint'), column('Guid', 'uuid'), column('State', 'flag')],
    foreignKeys: [toSession],
    rows: [
      [1, 215, '3f0d1c0a-0000-4000-8000-000000000001', true],
      [2, 219, '3f0d1c0a-0000-4000-8000-000000000002', false],
    ],
  },
  {
    name: 'Registrations',
    columns: [
      column('RegistrationId', 'identity'),
      column('SessionId', 'bigint'),
      column('UserId', 'bigint'),
      column('JoinTime', 'time'),
    ],
    foreignKeys: [toSession, toUser],
    rows: [
      [1, 219, 1, MADE],
      [2, 219, 2, MADE],
    ],
  },
  {
    name: 'Annotations',
    columns: [
      column('AnnotationId', 'identity'),
      column('SessionId', 'bigint'),
      column('UserId', 'bigint', true),
      column('Content', 'text'),
    ],
    foreignKeys: [toSession, toUser],
    rows: [[1, 219, 2, "a note, with 'quotes' and العربية"]],
  },
  {
    name: 'SharedAssets',
    columns: [column('AssetId', 'identity'), column('SessionId', 'bigint'), column('Type', 'text(50)', true)],
    foreignKeys: [toSession],
    rows: [[1, 215, 'image']],
  },
  {
    name: 'Questions',
    columns: [
      column('QuestionId', 'identity'),
      column('SessionId', 'bigint'),
      column('UserId', 'bigint', true),
      column('Text', 'text(500)'),
    ],
    foreignKeys: [toSession, toUser],
    rows: [
      [1, 219, 1, 'Why so'],
      [2, 215, null, 'Pourquoi donc'],
    ],
  },
  {
    name: 'QuestionAnswers',
    columns: [column('AnswerId', 'identity'), column('QuestionId', 'bigint'), column('Text', 'text', true)],
    foreignKeys: [toQuestion],
    rows: [[1, 1, 'Because.']],
  },
  {
    name: 'QuestionVotes',
    columns: [column('VoteId', 'identity'), column('QuestionId', 'bigint'), column('Value', 'int')],
    foreignKeys: [toQuestion],
    rows: [
      [1, 1, 1],
      [2, 1, -1],
    ],
  },
  {
    name: 'AuditLog',
    columns: [column('AuditId', 'identity'), column('SessionId', 'bigint', true), column('Action', 'text(100)')],
    foreignKeys: [toSession],
    rows: [],
  },
  {
    name: 'Issues',
    columns: [
      column('IssueId', 'identity'),
      column('SessionId', 'bigint', true),
      column('Title', 'text(200)'),
      column('CreatedAt', 'time'),
    ],
    foreignKeys: [toSession],
    rows: [[1, 219, 'No sound', MADE]],
  },
];

/** Names of the application's own tables. */
export const FOREIGN_TABLES: readonly string[] = FOREIGN.map(({ name }) => name);

// --- rows --------------------------------------------------------------------------------------------------------

interface SessionRow {
  readonly id: number;
  readonly title: string;
  /** NULL where KSessionsId was added after the row. */
  readonly ksessionsId?: number;
  /** Whose hash stands in Sessions.HostGuid: a host session's, or none. */
  readonly copyOf?: number;
}

interface HostRow {
  readonly id: number;
  readonly sessionId: number;
  readonly createdAt?: Date;
  readonly expiresAt?: Date;
  readonly revokedAt?: Date;
  readonly isActive?: boolean;
}

/** Canvas 215 was made by hand and is not KSESSIONS 215; only 219 is linked, where the column is there. */
const BASE_SESSIONS: readonly SessionRow[] = [
  { id: 212, title: 'Need For Messengers' },
  { id: 215, title: 'Success through Islamic lens', copyOf: 18 },
  { id: 219, title: 'Review of the word ISLAM', ksessionsId: 15, copyOf: 19 },
];

const BASE_HOSTS: readonly HostRow[] = [
  { id: 17, sessionId: 219, revokedAt: PAST, isActive: false },
  { id: 18, sessionId: 215, expiresAt: NEVER },
  { id: 19, sessionId: 219, expiresAt: NEVER },
];

/** The rows each fault adds. */
const DIRTY_ROWS: Readonly<Record<DirtyFault, { sessions: readonly SessionRow[]; hosts: readonly HostRow[] }>> = {
  // 21 is the newest that has not expired; the copy is that of 20.
  'several-active': {
    sessions: [{ id: 220, title: 'Need For Messengers', ksessionsId: 212, copyOf: 20 }],
    hosts: [
      { id: 20, sessionId: 220, createdAt: time('2025-09-14T00:00:00Z') },
      { id: 21, sessionId: 220, createdAt: time('2025-09-15T00:00:00Z'), expiresAt: NEVER },
      { id: 22, sessionId: 220, createdAt: time('2025-09-16T00:00:00Z'), expiresAt: PAST },
    ],
  },
  // 23 is alone; 25 is newer than 24, which was never revoked.
  revived: {
    sessions: [
      { id: 221, title: 'معنى كلمة الإسلام', ksessionsId: 218, copyOf: 23 },
      { id: 222, title: 'Réflexions sur la création', ksessionsId: 1281, copyOf: 25 },
    ],
    hosts: [
      { id: 23, sessionId: 221, revokedAt: PAST },
      { id: 24, sessionId: 222, createdAt: time('2025-09-14T00:00:00Z') },
      { id: 25, sessionId: 222, createdAt: time('2025-09-15T00:00:00Z'), revokedAt: PAST },
    ],
  },
  // 26 is live and the copy is another's; 27 was ended and its copy still opens the session.
  'hash-copy': {
    sessions: [
      { id: 223, title: 'Closing questions', ksessionsId: 2343, copyOf: 99 },
      { id: 224, title: 'Quran authentication content', ksessionsId: 1, copyOf: 27 },
    ],
    hosts: [
      { id: 26, sessionId: 223 },
      { id: 27, sessionId: 224, revokedAt: PAST, isActive: false },
    ],
  },
  // 219 is KSESSIONS 15 already.
  'two-canvas-rows': {
    sessions: [{ id: 225, title: 'Review of the word ISLAM', ksessionsId: 15, copyOf: 28 }],
    hosts: [{ id: 28, sessionId: 225 }],
  },
  // Possible because the foreign key is absent.
  orphans: { sessions: [], hosts: [{ id: 29, sessionId: 999 }] },
  'seed-behind': { sessions: [], hosts: [] },
};

function sessionValues({ id, title, copyOf }: SessionRow): Value[] {
  const group = `5e551040-0000-4000-8000-${String(id).padStart(12, '0')}`;
  const hostGuid = copyOf === undefined ? '' : legacyHash(copyOf);
  return [id, group, null, null, null, MADE, title, null, 'Created', hostGuid, null, 0, MADE];
}

function hostValues({ id, sessionId, createdAt = MADE, expiresAt, revokedAt, isActive = true }: HostRow): Value[] {
  const revokedBy = revokedAt === undefined ? null : 'Interactive User';
  return [
    id, sessionId, legacyHash(id), createdAt, expiresAt ?? null, null, revokedAt ?? null, 'Interactive User', revokedBy, isActive,
  ];
}

// --- statements --------------------------------------------------------------------------------------------------

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

function literal(value: Value, dialect: Dialect): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return dialect === 'mssql' ? (value ? '1' : '0') : String(value);
  if (value instanceof Date) return quote(dialect === 'mssql' ? value.toISOString().slice(0, -1) : value.toISOString());
  return dialect === 'mssql' ? `N${quote(value)}` : quote(value);
}

const PLAIN_TYPES: Record<Dialect, Record<Exclude<Kind, `text(${number})`>, string>> = {
  postgres: {
    identity: 'bigint', bigint: 'bigint', int: 'integer', uuid: 'uuid', time: 'timestamptz', flag: 'boolean', text: 'text',
  },
  mssql: {
    identity: 'bigint IDENTITY(1,1)', bigint: 'bigint', int: 'int', uuid: 'uniqueidentifier', time: 'datetime2',
    flag: 'bit', text: 'nvarchar(max)',
  },
};

function typeOf(kind: Kind, dialect: Dialect, identity: string): string {
  const length = /^text\((\d+)\)$/.exec(kind)?.[1];
  if (length !== undefined) return dialect === 'mssql' ? `nvarchar(${length})` : `varchar(${length})`;
  const plain = PLAIN_TYPES[dialect][kind as keyof (typeof PLAIN_TYPES)['postgres']];
  return kind === 'identity' && dialect === 'postgres' ? `${plain} GENERATED ${identity} AS IDENTITY` : plain;
}

function createTable(table: Table, dialect: Dialect, identity: string): string {
  const columns = table.columns.map((one) => {
    const fallback = one.default === undefined ? '' : ` DEFAULT ${one.default[dialect]}`;
    return `"${one.name}" ${typeOf(one.kind, dialect, identity)} ${one.nullable === true ? 'NULL' : 'NOT NULL'}${fallback}`;
  });
  const keys = (table.foreignKeys ?? []).map(
    ({ column: from, references, onDelete }) =>
      `CONSTRAINT "FK_${table.name}_${references}_${from}" FOREIGN KEY ("${from}") REFERENCES canvas."${references}" ` +
      `("${from}") ON DELETE ${onDelete}`,
  );
  const key = `CONSTRAINT "PK_${table.name}" PRIMARY KEY ("${table.columns[0]?.name}")`;
  return `CREATE TABLE canvas."${table.name}" (${[...columns, key, ...keys].join(', ')})`;
}

/** Rows with their own ids. SQL Server moves the identity by itself, PostgreSQL does not. */
function insertRows(table: Table, dialect: Dialect): string[] {
  if (table.rows.length === 0) return [];
  const name = `canvas."${table.name}"`;
  const id = table.columns[0]?.name ?? '';
  const columns = table.columns.map((one) => `"${one.name}"`).join(', ');
  const values = table.rows.map((row) => `(${row.map((value) => literal(value, dialect)).join(', ')})`).join(', ');
  if (dialect === 'mssql') {
    const insert = `INSERT INTO ${name} (${columns}) VALUES ${values}`;
    const own = table.columns[0]?.kind === 'identity';
    return [own ? `SET IDENTITY_INSERT ${name} ON; ${insert}; SET IDENTITY_INSERT ${name} OFF` : insert];
  }
  const insert = `INSERT INTO ${name} (${columns}) OVERRIDING SYSTEM VALUE VALUES ${values}`;
  if (table.columns[0]?.kind !== 'identity') return [insert];
  return [insert, `SELECT setval(pg_get_serial_sequence('${name}', '${id}'), (SELECT max("${id}") FROM ${name}))`];
}

/** The next id an identity gives out follows this one. */
function setIdentity(table: string, id: string, last: number, dialect: Dialect): string {
  return dialect === 'mssql'
    ? `DBCC CHECKIDENT ('canvas.${table}', RESEED, ${last})`
    : `SELECT setval(pg_get_serial_sequence('canvas."${table}"', '${id}'), ${last})`;
}

const EF_HISTORY = ['20250911091420_InitialCreate', '20250912174615_AddAdminSessions'];

function schemaStatements(dialect: Dialect): string[] {
  const make = (schema: string) =>
    dialect === 'mssql'
      ? `IF SCHEMA_ID('${schema}') IS NULL EXEC ('CREATE SCHEMA ${schema}')`
      : `CREATE SCHEMA IF NOT EXISTS ${schema}`;
  const text = (length: number) => (dialect === 'mssql' ? `nvarchar(${length})` : `varchar(${length})`);
  return [
    make('canvas'),
    ...(dialect === 'mssql' ? [] : [make('dbo')]),
    `CREATE TABLE dbo."__EFMigrationsHistory" ("MigrationId" ${text(150)} NOT NULL, "ProductVersion" ${text(32)} NOT NULL, ` +
      'CONSTRAINT "PK___EFMigrationsHistory" PRIMARY KEY ("MigrationId"))',
    ...EF_HISTORY.map((id) => `INSERT INTO dbo."__EFMigrationsHistory" VALUES ('${id}', '8.0.8')`),
  ];
}

function hostTable(hosts: readonly HostRow[], foreignKeys: readonly ForeignKey[]): Table {
  return { name: 'HostSessions', columns: HOST_SESSION_COLUMNS, foreignKeys, rows: hosts.map(hostValues) };
}

const HOST_INDEX = 'CREATE UNIQUE INDEX "IX_HostSessions_SessionGuidHash" ON canvas."HostSessions" ("SessionId", "HostGuidHash")';

/** All statements of a state, in order; each may be a batch of its own. */
export function legacyStatements(dialect: Dialect, state: LegacyState, variant: LegacyVariant = {}): string[] {
  if (state === 'a') return [];
  if (state === 'unsupported') return unsupportedStatements(dialect);
  const faults = state === 'd' ? (variant.faults ?? DIRTY_FAULTS) : [];
  const has = (fault: DirtyFault) => faults.includes(fault);
  const sessions = [...BASE_SESSIONS, ...faults.flatMap((fault) => DIRTY_ROWS[fault].sessions)];
  const hosts = [...BASE_HOSTS, ...faults.flatMap((fault) => DIRTY_ROWS[fault].hosts)];
  const tables: readonly Table[] = [
    { name: 'Sessions', columns: SESSION_COLUMNS, rows: sessions.map(sessionValues) },
    hostTable(hosts, has('orphans') ? [] : [toSession]),
    ...FOREIGN,
  ];
  const identity = variant.identity ?? 'BY DEFAULT';
  return [
    ...schemaStatements(dialect),
    ...tables.flatMap((table) => [createTable(table, dialect, identity), ...insertRows(table, dialect)]),
    HOST_INDEX,
    ...(state === 'b' ? [] : handMade(sessions, dialect, has('two-canvas-rows') ? undefined : (variant.indexName ?? 'IX_Sessions_KSessionsId'))),
    ...(has('seed-behind')
      ? [setIdentity('Sessions', 'SessionId', 5, dialect), setIdentity('HostSessions', 'HostSessionId', 3, dialect)]
      : []),
  ];
}

/** KSessionsId as somebody added it by hand on the development database. */
function handMade(sessions: readonly SessionRow[], dialect: Dialect, indexName: string | undefined): string[] {
  return [
    `ALTER TABLE canvas."Sessions" ADD "KSessionsId" ${typeOf(KSESSIONS_ID.kind, dialect, '')} NULL`,
    ...sessions.flatMap(({ id, ksessionsId }) =>
      ksessionsId === undefined ? [] : [`UPDATE canvas."Sessions" SET "KSessionsId" = ${ksessionsId} WHERE "SessionId" = ${id}`],
    ),
    ...(indexName === undefined
      ? []
      : [`CREATE UNIQUE INDEX "${indexName}" ON canvas."Sessions" ("KSessionsId") WHERE "KSessionsId" IS NOT NULL`]),
  ];
}

function unsupportedStatements(dialect: Dialect): string[] {
  const columns = SESSION_COLUMNS.map((one) => (one.name === 'SessionId' ? column('SessionId', 'int') : one));
  const hosts = HOST_SESSION_COLUMNS.map((one) => (one.name === 'SessionId' ? column('SessionId', 'int') : one));
  const tables: Table[] = [
    { name: 'Sessions', columns, rows: [sessionValues({ id: 15, title: 'Review of the word ISLAM', copyOf: 19 })] },
    { ...hostTable([{ id: 19, sessionId: 15 }], [toSession]), columns: hosts },
  ];
  return [
    ...schemaStatements(dialect),
    ...tables.flatMap((table) => [createTable(table, dialect, 'BY DEFAULT'), ...insertRows(table, dialect)]),
    HOST_INDEX,
  ];
}

/** Makes a state. @param execute sends one statement, in a batch of its own, as somebody who may do everything */
export async function makeLegacy(
  execute: Execute,
  dialect: Dialect,
  state: LegacyState,
  variant: LegacyVariant = {},
): Promise<void> {
  for (const statement of legacyStatements(dialect, state, variant)) await execute(statement);
}

/** A fresh target in a state: enrolled, with the sample KSESSIONS rows, and no migration applied. */
export async function legacyTarget(
  t: Owner,
  lane: Lane,
  state: LegacyState,
  variant: LegacyVariant = {},
): Promise<Scratch> {
  const scratch = await lane.bare(t);
  await open(scratch, (database) => fillLegacy(database, state, variant));
  return scratch;
}

/** Enrols an open database without a canvas table, and makes a state in it. */
export async function fillLegacy(database: Database, state: LegacyState, variant: LegacyVariant = {}): Promise<void> {
  const { canvas } = database;
  await enrol(database, canvas.admission.identity.database, 'suite');
  await withTransaction(database, await requirePermit(database), undefined, async (writer) => {
    await makeLegacy((sql) => writer.sql.raw(sql), canvas.dialect, state, variant);
    await seed(writer.sql);
  });
}

/** A fresh target in a state, migrated as far as its rows let it: what repairs them comes before the constraints. */
export async function migratedLegacy(
  t: Owner,
  lane: Lane,
  state: LegacyState,
  variant: LegacyVariant = {},
): Promise<Scratch> {
  const scratch = await legacyTarget(t, lane, state, variant);
  await open(scratch, async (database) => {
    const run = migrateLatest(database, await requirePermit(database), { actor: 'suite' });
    await run.catch((error: unknown) => {
      // What has a cause is another failure, on the way there.
      if (!(error instanceof ToolkitError && error.code === 'DATA_NOT_READY' && error.cause === undefined)) throw error;
    });
  });
  return scratch;
}

/** Opens such a target for repair, as the command does. */
export function openForRepair<T>({ settings }: Scratch, work: (access: Access) => Promise<T>): Promise<T> {
  const told = () => undefined;
  return withAccess({ settings, waitMs: 30_000, actor: 'suite', needs: CONSOLIDATE_NEEDS, onOpen: told, onNotice: told }, work);
}

// --- before and after --------------------------------------------------------------------------------------------

/** The columns that were there before any migration, so that a comparison does not see the new ones. */
const LEGACY_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  Sessions: SESSION_COLUMNS,
  HostSessions: HOST_SESSION_COLUMNS,
  ...Object.fromEntries(FOREIGN.map(({ name, columns }) => [name, columns])),
};

/** Every legacy row, table by table, in its legacy columns. */
export async function contents(ask: AskRows): Promise<Record<string, readonly Rows[]>> {
  const all: Record<string, readonly Rows[]> = {};
  for (const [table, columns] of Object.entries(LEGACY_COLUMNS)) {
    all[table] = await ask(`SELECT ${columns.map(({ name }) => `"${name}"`).join(', ')} FROM canvas."${table}" ORDER BY 1`);
  }
  return all;
}

/** How many rows each legacy table has. */
export async function rowCounts(ask: AskRows): Promise<Record<string, number>> {
  const rows = await contents(ask);
  return Object.fromEntries(Object.entries(rows).map(([table, list]) => [table, list.length]));
}
