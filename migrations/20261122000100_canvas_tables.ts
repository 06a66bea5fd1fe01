import type { Knex } from 'knex';
import type { ExpectedSchema } from '../lib/migrations/schema';
import { createSchema, createTable, requireIdentity, typesFor } from '../lib/migrations/sql';
import { dropTable, releaseIdentity } from '../lib/migrations/undo';

/**
 * The two tables as the Canvas application made them (2025-09-13), where they are absent. Ids are made by the database
 * and by nothing else (I-13): a table without identity is of another version of the application and stops here.
 */
export async function up(knex: Knex): Promise<void> {
  const type = typesFor(knex);
  await createSchema(knex);

  await createTable(knex, 'Sessions', (table) => {
    table.specificType('SessionId', type.identity).notNullable();
    table.specificType('GroupId', type.uuid).notNullable();
    table.specificType('StartedAt', type.time).nullable();
    table.specificType('EndedAt', type.time).nullable();
    table.specificType('ExpiresAt', type.time).nullable();
    table.specificType('CreatedAt', type.time).notNullable();
    table.specificType('Title', type.text(200)).nullable();
    table.specificType('Description', type.text(1000)).nullable();
    table.specificType('Status', type.text(50)).nullable();
    table.specificType('HostGuid', type.text(100)).notNullable().defaultTo('');
    table.specificType('MaxParticipants', type.integer).nullable();
    table.specificType('ParticipantCount', type.integer).nullable();
    table.specificType('ModifiedAt', type.time).notNullable().defaultTo('0001-01-01T00:00:00Z');
    table.primary(['SessionId'], { constraintName: 'PK_Sessions' });
  });

  await createTable(knex, 'HostSessions', (table) => {
    table.specificType('HostSessionId', type.identity).notNullable();
    table.specificType('SessionId', type.bigint).notNullable();
    table.specificType('HostGuidHash', type.text(128)).notNullable();
    table.specificType('CreatedAt', type.time).notNullable();
    table.specificType('ExpiresAt', type.time).nullable();
    table.specificType('LastUsedAt', type.time).nullable();
    table.specificType('RevokedAt', type.time).nullable();
    table.specificType('CreatedBy', type.text(128)).nullable();
    table.specificType('RevokedBy', type.text(128)).nullable();
    table.specificType('IsActive', type.flag).notNullable();
    table.primary(['HostSessionId'], { constraintName: 'PK_HostSessions' });
  });

  await requireIdentity(knex, 'Sessions', 'SessionId');
  await requireIdentity(knex, 'HostSessions', 'HostSessionId');
}

export async function down(knex: Knex): Promise<void> {
  await releaseIdentity(knex, 'HostSessions', 'HostSessionId');
  await releaseIdentity(knex, 'Sessions', 'SessionId');
  await dropTable(knex, 'HostSessions');
  await dropTable(knex, 'Sessions');
}

export const shape: ExpectedSchema = {
  Sessions: {
    columns: {
      SessionId: { type: 'bigint', nullable: false, identity: true },
      GroupId: { type: 'uuid', nullable: false },
      StartedAt: { type: 'time', nullable: true },
      EndedAt: { type: 'time', nullable: true },
      ExpiresAt: { type: 'time', nullable: true },
      CreatedAt: { type: 'time', nullable: false },
      Title: { type: 'text(200)', nullable: true },
      Description: { type: 'text(1000)', nullable: true },
      Status: { type: 'text(50)', nullable: true },
      HostGuid: { type: 'text(100)', nullable: false, default: '' },
      MaxParticipants: { type: 'integer', nullable: true },
      ParticipantCount: { type: 'integer', nullable: true },
      ModifiedAt: { type: 'time', nullable: false, default: '0001-01-01T00:00:00Z' },
    },
    primaryKey: ['SessionId'],
  },
  HostSessions: {
    columns: {
      HostSessionId: { type: 'bigint', nullable: false, identity: true },
      SessionId: { type: 'bigint', nullable: false },
      HostGuidHash: { type: 'text(128)', nullable: false },
      CreatedAt: { type: 'time', nullable: false },
      ExpiresAt: { type: 'time', nullable: true },
      LastUsedAt: { type: 'time', nullable: true },
      RevokedAt: { type: 'time', nullable: true },
      CreatedBy: { type: 'text(128)', nullable: true },
      RevokedBy: { type: 'text(128)', nullable: true },
      IsActive: { type: 'flag', nullable: false },
    },
    primaryKey: ['HostSessionId'],
  },
};
