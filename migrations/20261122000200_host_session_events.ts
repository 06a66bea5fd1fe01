import type { Knex } from 'knex';
import type { ExpectedSchema } from '../lib/migrations/schema';
import { createIndex, createTable, makeAppendOnly, typesFor } from '../lib/migrations/sql';
import { dropIndex, dropProtection, dropTable } from '../lib/migrations/undo';

/**
 * The trail of every credential. No foreign keys: the application may delete a session, and its trail stays.
 */
export async function up(knex: Knex): Promise<void> {
  const type = typesFor(knex);

  await createTable(knex, 'HostSessionEvents', (table) => {
    table.specificType('EventId', type.identity).notNullable();
    table.specificType('OperationId', type.uuid).notNullable();
    table.specificType('HostSessionId', type.bigint).notNullable();
    table.specificType('SessionId', type.bigint).notNullable();
    table.specificType('KSessionsId', type.bigint).nullable();
    table.specificType('Sequence', type.integer).notNullable();
    table.specificType('Action', type.text(20)).notNullable();
    table.specificType('Actor', type.text(128)).notNullable();
    table.specificType('Reason', type.text(1000)).nullable();
    table.specificType('OldFingerprint', type.exact(16)).nullable();
    table.specificType('NewFingerprint', type.exact(16)).nullable();
    table.specificType('ExpiresAt', type.instant).nullable();
    table.specificType('OccurredAt', type.instant).notNullable();
    table.specificType('HashKeyId', type.exact(16)).notNullable();
    table.specificType('PreviousHash', type.exact(44)).nullable();
    table.specificType('EventHash', type.exact(44)).notNullable();
    table.primary(['EventId'], { constraintName: 'PK_HostSessionEvents' });
  });

  await createIndex(knex, {
    table: 'HostSessionEvents',
    name: 'UX_HostSessionEvents_Sequence',
    columns: ['HostSessionId', 'Sequence'],
    unique: true,
  });
  await createIndex(knex, {
    table: 'HostSessionEvents',
    name: 'UX_HostSessionEvents_Operation',
    columns: ['OperationId', 'HostSessionId', 'Action'],
    unique: true,
  });
  await makeAppendOnly(knex, 'HostSessionEvents');
}

export async function down(knex: Knex): Promise<void> {
  await dropProtection(knex, 'HostSessionEvents');
  await dropIndex(knex, 'HostSessionEvents', 'UX_HostSessionEvents_Operation');
  await dropIndex(knex, 'HostSessionEvents', 'UX_HostSessionEvents_Sequence');
  await dropTable(knex, 'HostSessionEvents');
}

export const shape: ExpectedSchema = {
  HostSessionEvents: {
    columns: {
      EventId: { type: 'bigint', nullable: false, identity: true },
      OperationId: { type: 'uuid', nullable: false },
      HostSessionId: { type: 'bigint', nullable: false },
      SessionId: { type: 'bigint', nullable: false },
      KSessionsId: { type: 'bigint', nullable: true },
      Sequence: { type: 'integer', nullable: false },
      Action: { type: 'text(20)', nullable: false },
      Actor: { type: 'text(128)', nullable: false },
      Reason: { type: 'text(1000)', nullable: true },
      OldFingerprint: { type: 'exact(16)', nullable: true },
      NewFingerprint: { type: 'exact(16)', nullable: true },
      ExpiresAt: { type: 'instant', nullable: true },
      OccurredAt: { type: 'instant', nullable: false },
      HashKeyId: { type: 'exact(16)', nullable: false },
      PreviousHash: { type: 'exact(44)', nullable: true },
      EventHash: { type: 'exact(44)', nullable: false },
    },
    primaryKey: ['EventId'],
    indexes: [
      { columns: ['HostSessionId', 'Sequence'], unique: true },
      { columns: ['OperationId', 'HostSessionId', 'Action'], unique: true },
    ],
    foreignKeys: [],
    appendOnly: true,
  },
};
