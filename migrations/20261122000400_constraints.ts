import type { Knex } from 'knex';
import { addForeignKey, createIndex, refuseRollback, requireIdentity } from '../lib/migrations/sql';

/** What must hold, as facts of the database and not of the code. */
export async function up(knex: Knex): Promise<void> {
  await requireIdentity(knex, 'Sessions', 'SessionId');
  await requireIdentity(knex, 'HostSessions', 'HostSessionId');
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

export const down = refuseRollback;
