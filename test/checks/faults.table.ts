/**
 * A fault for each check, made by hand, on a target where all is well: KSESSIONS 15 (canvas session 1, host session 1) and
 * 212 (2, 2) have a live host GUID, that of 1281 (3, 3) was revoked.
 */
import type { Check } from '../../lib/checks/check';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerTarget } from '../../lib/config/targets';
import type { Dialect } from '../../lib/engines/engine';
import { TEST_KEY, type Lane } from '../helpers/lanes';
import { PHRASES } from '../helpers/phrases';

type Id = Check['id'];

/** Checks that do not hold either, or cannot be looked at, each with the reason why no such fault could spare them. */
type Reasons = Readonly<Partial<Record<Id, string>>>;

/** What the run is given otherwise than the scratch target has it. */
export interface Circumstance {
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  readonly target?: Partial<ServerTarget>;
  readonly targetsFile?: string;
}

export interface Fault {
  /** Statements that make it, in the words of each kind of server that can have it. LOGIN is the login that looks. */
  readonly make: Readonly<Partial<Record<Dialect, readonly string[]>>>;
  /** Lanes that can have it, where not all with words for it can. */
  readonly lanes?: readonly Lane['name'][];
  /** @param folder that of the list of targets */
  readonly circumstance?: (folder: string) => Circumstance;
  /** Where a transaction that is rolled back does not undo it. */
  readonly undo?: Fault['make'];
  readonly also?: Reasons;
  readonly unknown?: Reasons;
}

const { postgres, mssql } = PHRASES;

/** The same words for both. */
const same = (...statements: readonly string[]) => ({ postgres: statements, mssql: statements });

/** Words that differ in a phrase. */
const phrased = (make: (phrases: (typeof PHRASES)[Dialect]) => readonly string[]) => ({ postgres: make(postgres), mssql: make(mssql) });

/** A foreign key that is there, trusted, and was not asked: what a restore of single tables does. PostgreSQL's superusers can. */
const unasked = (statement: string) => ({
  postgres: ['SET LOCAL session_replication_role = replica', statement, 'SET LOCAL session_replication_role = origin'],
});

const host = (id: number, set: string) => `UPDATE canvas."HostSessions" SET ${set} WHERE "HostSessionId" = ${id}`;
const session = (id: number, set: string) => `UPDATE canvas."Sessions" SET ${set} WHERE "SessionId" = ${id}`;

const LEDGER_KEEPS_IT = 'the ledger knows that a migration made it';
const KEY_REFUSED = 'a key that others may read is not used';
const NO_SESSIONS = 'it reads the events, which are gone';

const GROUP_ID = '00000000-0000-4000-8000-000000000000';
const newSession = (ksessionsId: string, copy = `''`) => (phrases: (typeof PHRASES)[Dialect]) =>
  `INSERT INTO canvas."Sessions" ("GroupId", "KSessionsId", "HostGuid", "CreatedAt", "ModifiedAt")
   VALUES ('${GROUP_ID}', ${ksessionsId}, ${copy}, ${phrases.now}, ${phrases.now})`;
const newHost = (canvasSessionId: number, hash: string, isActive: 'yes' | 'no') => (phrases: (typeof PHRASES)[Dialect]) =>
  `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "CreatedAt", "IsActive")
   VALUES (${canvasSessionId}, ${hash}, ${phrases.now}, ${phrases[isActive]})`;

const A_HASH = `'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='`;
const OTHER_KEY = `'0123456789abcdef'`;

const GOOD_KEY = 'sooner or later the suite needs a second one';
const SERVERS = ['postgres', 'mssql'] as const;

/** The target's own address, with the time-out of the old configuration. */
function hourly(folder: string): string {
  const { targets } = JSON.parse(readFileSync(join(folder, 'targets.json'), 'utf8')) as { targets: { scratch: { server: string; port: number; database: string } } };
  const { database, port, server } = targets.scratch;
  return `postgres://suite@${server}:${port}/${database}?connect_timeout=3600`;
}

/** A file of the folder. */
function fileIn(folder: string, name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode });
  return path;
}

/** A new folder with one file. */
function beside(folder: string, name: string, text: string): string {
  const made = mkdtempSync(join(folder, 'beside-'));
  fileIn(made, name, text);
  return made;
}

export const FAULTS: Readonly<Partial<Record<Id, Fault>>> = {
  // --- guard ---
  'guard.marker': { make: same(`UPDATE canvas."Environment" SET "Target" = 'other'`) },
  'guard.environment': {
    make: same(`UPDATE canvas."Environment" SET "Environment" = 'staging'`),
    also: { 'guard.marker': 'both connections are one database here, which has one mark' },
  },

  // --- migrations ---
  'migrations.pending': {
    make: same(
      `DELETE FROM canvas."MigrationLedger" WHERE "Name" LIKE '%constraints'`,
      `DELETE FROM canvas."knex_migrations" WHERE "name" LIKE '%constraints%'`,
    ),
    also: { 'schema.besides': 'what that migration made is there, and nothing in the books expects it' },
  },
  'migrations.files': { make: same(`UPDATE canvas."MigrationLedger" SET "Checksum" = 'edited' WHERE "Name" LIKE '%constraints'`) },
  'migrations.books': { make: same(`DELETE FROM canvas."knex_migrations" WHERE "name" LIKE '%constraints%'`) },
  'migrations.order': {
    make: same(
      `DELETE FROM canvas."MigrationLedger" WHERE "Name" LIKE '%nullable_columns'`,
      `DELETE FROM canvas."knex_migrations" WHERE "name" LIKE '%nullable_columns%'`,
    ),
    also: {
      'migrations.pending': 'a late migration is a pending one',
      'schema.besides': 'what that migration made is there, and nothing in the books expects it',
    },
  },
  'migrations.objects': {
    make: same(`UPDATE canvas."MigrationLedger" SET "Objects" = '{"made":["index Sessions.gone"],"found":[]}' WHERE "Name" LIKE '%constraints'`),
  },
  'migrations.other-tools': { make: same('CREATE TABLE dbo."flyway_schema_history" ("id" int)') },
  'migrations.lock-row': { make: same('UPDATE canvas."knex_migrations_lock" SET "is_locked" = 1') },

  // --- schema ---
  'schema.tables': {
    // On SQL Server a statement that fails ends the transaction that the other checks look in.
    make: { postgres: ['DROP TABLE canvas."HostSessionEvents"'] },
    also: { 'migrations.objects': LEDGER_KEEPS_IT },
    unknown: {
      'data.ids': NO_SESSIONS, 'data.identities': NO_SESSIONS, 'credentials.keys': NO_SESSIONS, 'credentials.older-keys': NO_SESSIONS,
      'credentials.unlinked': NO_SESSIONS, 'audit.chains': NO_SESSIONS, 'audit.trails': NO_SESSIONS, 'audit.ended': NO_SESSIONS,
      'audit.links': NO_SESSIONS,
    },
  },
  'schema.columns': { make: same('ALTER TABLE canvas."Sessions" DROP COLUMN "EndedAt"'), also: { 'migrations.objects': LEDGER_KEEPS_IT } },
  'schema.types': {
    make: {
      postgres: ['ALTER TABLE canvas."Sessions" ALTER COLUMN "Title" TYPE varchar(100)'],
      mssql: ['ALTER TABLE canvas."Sessions" ALTER COLUMN "Title" nvarchar(100)'],
    },
  },
  'schema.nullability': {
    make: { postgres: [`UPDATE canvas."Sessions" SET "Status" = 'x'`, 'ALTER TABLE canvas."Sessions" ALTER COLUMN "Status" SET NOT NULL'] },
  },
  'schema.defaults': { make: { postgres: ['ALTER TABLE canvas."Sessions" ALTER COLUMN "HostGuid" DROP DEFAULT'] } },
  'schema.identity': {
    make: { postgres: ['ALTER TABLE canvas."Sessions" ALTER COLUMN "SessionId" SET GENERATED BY DEFAULT'] },
    also: { 'migrations.objects': LEDGER_KEEPS_IT },
  },
  'schema.keys': {
    make: same('ALTER TABLE canvas."HostSessionEvents" DROP CONSTRAINT "PK_HostSessionEvents"'),
    also: { 'migrations.objects': LEDGER_KEEPS_IT },
  },
  'schema.uniqueness': {
    make: { postgres: ['DROP INDEX canvas."UX_HostSessions_OneActive"'], mssql: ['DROP INDEX "UX_HostSessions_OneActive" ON canvas."HostSessions"'] },
    also: { 'migrations.objects': LEDGER_KEEPS_IT },
  },
  'schema.indexes': {
    make: { postgres: ['DROP INDEX canvas."IX_HostSessions_HostGuidHash"'], mssql: ['DROP INDEX "IX_HostSessions_HostGuidHash" ON canvas."HostSessions"'] },
    also: { 'migrations.objects': LEDGER_KEEPS_IT },
  },
  'schema.foreign-keys': {
    make: same(
      'ALTER TABLE canvas."HostSessions" DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId"',
      'ALTER TABLE canvas."HostSessions" ADD CONSTRAINT "FK_HostSessions_Sessions_SessionId" FOREIGN KEY ("SessionId") REFERENCES canvas."Sessions" ("SessionId")',
    ),
  },
  'schema.triggers': { make: { postgres: [postgres.unprotectTrail], mssql: [mssql.unprotectTrail] } },
  'schema.besides': { make: { postgres: ['ALTER TABLE canvas."Sessions" ADD COLUMN "Mood" int'], mssql: ['ALTER TABLE canvas."Sessions" ADD "Mood" int'] } },

  // --- data ---
  'data.one-live': {
    make: {
      postgres: [
        'DROP INDEX canvas."UX_HostSessions_OneActive"',
        `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "HashKeyId", "CreatedAt", "IsActive")
         SELECT 1, ${A_HASH}, h."HashKeyId", now(), true FROM canvas."HostSessions" h WHERE h."HostSessionId" = 1`,
      ],
    },
    also: {
      'schema.uniqueness': 'the index that keeps a second one out had to go',
      'migrations.objects': LEDGER_KEEPS_IT,
      'audit.trails': 'what a hand puts in has no trail',
    },
  },
  'data.hash-copy': { make: same(session(1, `"HostGuid" = ${A_HASH}`)) },
  'data.orphans': { make: unasked(newHost(999, A_HASH, 'no')(postgres)) },
  'data.two-canvas-rows': {
    make: {
      postgres: ['DROP INDEX canvas."IX_Sessions_KSessionsId"', newSession('15')(postgres)],
      mssql: ['DROP INDEX "IX_Sessions_KSessionsId" ON canvas."Sessions"', newSession('15')(mssql)],
    },
    also: { 'schema.uniqueness': 'the index that keeps a second one out had to go', 'migrations.objects': LEDGER_KEEPS_IT },
  },
  'data.impossible-links': { make: phrased((phrases) => [newSession('0')(phrases)]) },
  'data.ids': {
    make: phrased((phrases) => [newSession('9007199254740993')(phrases)]),
    also: { 'data.impossible-links': 'no session of KSESSIONS has such an id either' },
  },
  'data.identities': {
    make: { postgres: [postgres.restartSessions], mssql: [mssql.restartSessions] },
    undo: { mssql: [`DBCC CHECKIDENT ('canvas.Sessions', RESEED)`] },
  },
  'data.hash-shape': { make: same(host(1, `"HostGuidHash" = '${GROUP_ID}'`), session(1, `"HostGuid" = '${GROUP_ID}'`)) },
  'data.times': { make: phrased(({ now }) => [host(3, `"CreatedAt" = ${now}`)]) },

  // --- credentials ---
  'credentials.expired': {
    make: phrased(({ yesterday }) => [host(1, `"CreatedAt" = ${yesterday}`), host(1, '"ExpiresAt" = "CreatedAt"')]),
  },
  'credentials.revived': { make: phrased(({ now }) => [host(1, `"RevokedAt" = ${now}`)]) },
  'credentials.keys': { make: same(host(1, `"HashKeyId" = ${OTHER_KEY}`)) },
  'credentials.legacy-refused': { make: same(host(1, '"HashKeyId" = NULL')) },
  'credentials.unlinked': { make: same(session(1, '"KSessionsId" = NULL')) },
  'credentials.same-hash': {
    make: same(host(3, '"HostGuidHash" = (SELECT h."HostGuidHash" FROM canvas."HostSessions" h WHERE h."HostSessionId" = 1)')),
  },
  'credentials.older-keys': { make: same(), circumstance: () => ({ env: { CANVAS_HMAC_KEY: `${GOOD_KEY}\n${TEST_KEY}` } }) },
  'credentials.legacy': { make: same(host(1, '"HashKeyId" = NULL')), lanes: SERVERS, circumstance: () => ({ target: { legacyKey: 'verify' } }) },
  'credentials.copy-alone': { make: phrased((phrases) => [newSession('218', A_HASH)(phrases)]) },

  // --- source ---
  'source.columns': {
    make: { postgres: ['ALTER TABLE dbo."Sessions" DROP COLUMN "Description"'], mssql: ['ALTER TABLE dbo."Sessions" DROP COLUMN "Description"'] },
  },
  'source.sessions': { make: same('DELETE FROM dbo."Sessions" WHERE "SessionID" = 15') },
  'source.transcripts': { make: same('DELETE FROM dbo."SessionTranscripts" WHERE "SessionID" = 15') },

  // --- audit ---
  'audit.chains': {
    make: same(host(1, '"LastSequence" = 1')),
  },
  'audit.trails': {
    make: {
      postgres: [
        'SET LOCAL session_replication_role = replica',
        'DELETE FROM canvas."HostSessionEvents" WHERE "HostSessionId" = 1',
        'SET LOCAL session_replication_role = origin',
        host(1, '"LastSequence" = NULL, "LastEventHash" = NULL'),
      ],
    },
  },
  'audit.ended': {
    make: phrased(({ yes }) => [
      host(3, `"IsActive" = ${yes}, "RevokedAt" = NULL`),
      session(3, '"HostGuid" = (SELECT h."HostGuidHash" FROM canvas."HostSessions" h WHERE h."HostSessionId" = 3)'),
    ]),
  },
  'audit.links': { make: same(session(1, '"KSessionsId" = 218')) },

  // --- security ---
  'security.harm': { make: { postgres: ['GRANT INSERT ON dbo."Sessions" TO LOGIN'] }, lanes: ['postgres'] },
  'security.login': { make: { postgres: ['ALTER TABLE canvas."HostSessionEvents" OWNER TO LOGIN'] }, lanes: ['postgres'] },
  // As where a pooler ends TLS: this side has it, the server does not.
  'security.tls': { make: { postgres: [] }, lanes: ['postgres'], circumstance: () => ({ target: { encrypt: true } }) },
  'security.keys': { make: same(), circumstance: () => ({ env: { CANVAS_HMAC_KEY: `${TEST_KEY}\n${'canvas-host-'.repeat(3)}` } }) },
  'security.secret-files': {
    make: same(),
    circumstance: (folder) => ({ env: { CANVAS_HMAC_KEY: undefined, CANVAS_HMAC_KEY_FILE: fileIn(folder, 'hmac.key', TEST_KEY, 0o644) } }),
    unknown: {
      'security.secrets-in-files': KEY_REFUSED, 'security.keys': KEY_REFUSED, 'credentials.keys': KEY_REFUSED, 'credentials.older-keys': KEY_REFUSED,
      'audit.chains': KEY_REFUSED,
    },
  },
  'security.secrets-in-files': {
    make: same(),
    circumstance: (folder) => ({ targetsFile: join(beside(folder, 'appsettings.json', JSON.stringify({ Key: TEST_KEY })), 'targets.json') }),
  },
  'security.time-outs': {
    make: same(),
    lanes: ['postgres'],
    circumstance: (folder) => ({ env: { SCRATCH_USER: undefined, SCRATCH_PASSWORD: undefined, SCRATCH_CONNECTION_STRING: hourly(folder) } }),
  },
};

/** What the guard refuses before a check could find it: the run ends there, and no check is a pass. Target entries. */
export const REFUSED: Readonly<Partial<Record<Id, object>>> = {
  'guard.canvas': { serverName: 'another server' },
  'guard.source': { source: { serverName: 'another server' } },
};
