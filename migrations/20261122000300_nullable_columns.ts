import type { Knex } from 'knex';
import type { ExpectedSchema } from '../lib/migrations/schema';
import { addColumn, typesFor } from '../lib/migrations/sql';
import { dropColumn } from '../lib/migrations/undo';

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

export async function down(knex: Knex): Promise<void> {
  await dropColumn(knex, 'HostSessions', 'LastEventHash');
  await dropColumn(knex, 'HostSessions', 'LastSequence');
  await dropColumn(knex, 'HostSessions', 'UpdatedAt');
  await dropColumn(knex, 'HostSessions', 'GuidFingerprint');
  await dropColumn(knex, 'HostSessions', 'HashKeyId');
  await dropColumn(knex, 'Sessions', 'KSessionsId');
}

export const shape: ExpectedSchema = {
  Sessions: { columns: { KSessionsId: { type: 'bigint', nullable: true } } },
  HostSessions: {
    columns: {
      HashKeyId: { type: 'exact(16)', nullable: true },
      GuidFingerprint: { type: 'exact(16)', nullable: true },
      UpdatedAt: { type: 'time', nullable: true },
      LastSequence: { type: 'integer', nullable: true },
      LastEventHash: { type: 'exact(44)', nullable: true },
    },
  },
};
