import type { Knex } from 'knex';
import { addColumn, refuseRollback, typesFor } from '../lib/migrations/sql';

/** Columns that existing rows may lack a value for; what repairs them is there before a constraint refuses them. */
export async function up(knex: Knex): Promise<void> {
  const type = typesFor(knex);
  await addColumn(knex, 'Sessions', 'KSessionsId', type.bigint);
  await addColumn(knex, 'HostSessions', 'HashKeyId', type.exact(16));
  await addColumn(knex, 'HostSessions', 'GuidFingerprint', type.exact(16));
  await addColumn(knex, 'HostSessions', 'UpdatedAt', type.time);
  await addColumn(knex, 'HostSessions', 'LastSequence', type.integer);
  await addColumn(knex, 'HostSessions', 'LastEventHash', type.exact(44));
}

export const down = refuseRollback;
