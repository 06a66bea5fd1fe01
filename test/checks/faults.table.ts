/**
 * A fault for each check, made by hand, on a target where all is well: KSESSIONS 15 (canvas session 1, host session 1) and
 * 212 (2, 2) have a live host GUID, that of 1281 (3, 3) was revoked.
 */
import type { Check } from '../../lib/checks/check';
import type { Dialect } from '../../lib/engines/engine';
import { PHRASES } from '../helpers/phrases';

type Id = Check['id'];

/** Checks that do not hold either, or cannot be looked at, each with the reason why no such fault could spare them. */
type Reasons = Readonly<Partial<Record<Id, string>>>;

export interface Fault {
  /** Statements that make it, in the words of each kind of server that can have it. */
  readonly make: Readonly<Partial<Record<Dialect, readonly string[]>>>;
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
      'credentials.unlinked': NO_SESSIONS,
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
  'credentials.copy-alone': { make: phrased((phrases) => [newSession('218', A_HASH)(phrases)]) },
};
