import type { Knex } from 'knex';
import { inBoth, type Preflight } from '../lib/migrations/preflight';
import type { ExpectedSchema } from '../lib/migrations/schema';
import { addForeignKey, createIndex } from '../lib/migrations/sql';
import { dropConstraint, dropIndex } from '../lib/migrations/undo';

/** What must hold, as facts of the database and not of the code. */
export async function up(knex: Knex): Promise<void> {
  await addForeignKey(knex, {
    table: 'HostSessions',
    name: 'FK_HostSessions_Sessions_SessionId',
    column: 'SessionId',
    references: { table: 'Sessions', column: 'SessionId' },
  });
  await createIndex(knex, {
    table: 'Sessions',
    name: 'IX_Sessions_KSessionsId',
    columns: ['KSessionsId'],
    unique: true,
    where: { column: 'KSessionsId', is: 'not null' },
  });
  await createIndex(knex, {
    table: 'HostSessions',
    name: 'UX_HostSessions_OneActive',
    columns: ['SessionId'],
    unique: true,
    where: { column: 'IsActive', is: 'true' },
  });
  await createIndex(knex, {
    table: 'HostSessions',
    name: 'IX_HostSessions_SessionGuidHash',
    columns: ['SessionId', 'HostGuidHash'],
    unique: true,
  });
  await createIndex(knex, {
    table: 'HostSessions',
    name: 'IX_HostSessions_HostGuidHash',
    columns: ['HostGuidHash'],
    unique: false,
  });
}

export async function down(knex: Knex): Promise<void> {
  await dropIndex(knex, 'HostSessions', 'IX_HostSessions_HostGuidHash');
  await dropIndex(knex, 'HostSessions', 'IX_HostSessions_SessionGuidHash');
  await dropIndex(knex, 'HostSessions', 'UX_HostSessions_OneActive');
  await dropIndex(knex, 'Sessions', 'IX_Sessions_KSessionsId');
  await dropConstraint(knex, 'HostSessions', 'FK_HostSessions_Sessions_SessionId');
}

export const shape: ExpectedSchema = {
  Sessions: {
    indexes: [{ columns: ['KSessionsId'], unique: true, where: { column: 'KSessionsId', is: 'not null' } }],
  },
  HostSessions: {
    indexes: [
      { columns: ['SessionId'], unique: true, where: { column: 'IsActive', is: 'true' } },
      { columns: ['SessionId', 'HostGuidHash'], unique: true },
      { columns: ['HostGuidHash'], unique: false },
    ],
    foreignKeys: [
      {
        columns: ['SessionId'],
        references: { table: 'Sessions', columns: ['SessionId'] },
        onDelete: 'cascade',
        trusted: true,
      },
    ],
  },
};

const severalActive = (isActive: string) => `
  SELECT "SessionId", COUNT(*) AS "active" FROM canvas."HostSessions"
  WHERE "IsActive" = ${isActive} GROUP BY "SessionId" HAVING COUNT(*) > 1`;

export const preflight: readonly Preflight[] = [
  {
    check: 'several-active',
    finds: 'canvas sessions with several active host sessions',
    needs: ['column HostSessions.IsActive'],
    sql: { postgres: severalActive('true'), mssql: severalActive('1') },
  },
  {
    check: 'two-canvas-rows',
    finds: 'KSESSIONS ids with several canvas sessions',
    needs: ['column Sessions.KSessionsId'],
    sql: inBoth(`
  SELECT "KSessionsId", COUNT(*) AS "rows", MIN("SessionId") AS "first SessionId", MAX("SessionId") AS "last SessionId"
  FROM canvas."Sessions" WHERE "KSessionsId" IS NOT NULL GROUP BY "KSessionsId" HAVING COUNT(*) > 1`),
  },
  {
    check: 'orphans',
    finds: 'host sessions of canvas sessions that do not exist',
    needs: ['table HostSessions', 'table Sessions'],
    sql: inBoth(`
  SELECT h."HostSessionId", h."SessionId" FROM canvas."HostSessions" h
  WHERE NOT EXISTS (SELECT 1 FROM canvas."Sessions" s WHERE s."SessionId" = h."SessionId")`),
  },
  {
    check: 'repeated-hash',
    finds: 'canvas sessions with one hash in several host sessions',
    needs: ['column HostSessions.HostGuidHash'],
    sql: inBoth(`
  SELECT "SessionId", COUNT(*) AS "rows", MIN("HostSessionId") AS "first HostSessionId"
  FROM canvas."HostSessions" GROUP BY "SessionId", "HostGuidHash" HAVING COUNT(*) > 1`),
  },
];
