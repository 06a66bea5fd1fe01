import type { Knex } from 'knex';
import { createSchema, createTable, refuseRollback, typesFor } from '../lib/migrations/sql';

/** The two tables as the Canvas application made them (2025-09-13), where they are absent. */
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
}

export const down = refuseRollback;
