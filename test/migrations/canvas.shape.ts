/** Schema canvas after all migrations, as the contract says it. */
import type { ColumnShape, ColumnType } from '../../lib/migrations/live-schema';
import type { ExpectedSchema } from '../../lib/migrations/schema';

const id: ColumnShape = { type: 'bigint', nullable: false, identity: true };
const required = (type: ColumnType, value?: string): ColumnShape => ({
  type,
  nullable: false,
  ...(value === undefined ? {} : { default: value }),
});
const optional = (type: ColumnType): ColumnShape => ({ type, nullable: true });

export const CANVAS = {
  Sessions: {
    columns: {
      SessionId: id,
      GroupId: required('uuid'),
      StartedAt: optional('time'),
      EndedAt: optional('time'),
      ExpiresAt: optional('time'),
      CreatedAt: required('time'),
      Title: optional('text(200)'),
      Description: optional('text(1000)'),
      Status: optional('text(50)'),
      HostGuid: required('text(100)', ''),
      MaxParticipants: optional('integer'),
      ParticipantCount: optional('integer'),
      ModifiedAt: required('time', '0001-01-01T00:00:00Z'),
      KSessionsId: optional('bigint'),
    },
    primaryKey: ['SessionId'],
    indexes: [{ columns: ['KSessionsId'], unique: true, where: { column: 'KSessionsId', is: 'not null' } }],
    foreignKeys: [],
    appendOnly: false,
  },
  HostSessions: {
    columns: {
      HostSessionId: id,
      SessionId: required('bigint'),
      HostGuidHash: required('text(128)'),
      CreatedAt: required('time'),
      ExpiresAt: optional('time'),
      LastUsedAt: optional('time'),
      RevokedAt: optional('time'),
      CreatedBy: optional('text(128)'),
      RevokedBy: optional('text(128)'),
      IsActive: required('flag'),
      HashKeyId: optional('exact(16)'),
      GuidFingerprint: optional('exact(16)'),
      UpdatedAt: optional('time'),
      LastSequence: optional('integer'),
      LastEventHash: optional('exact(44)'),
    },
    primaryKey: ['HostSessionId'],
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
    appendOnly: false,
  },
  HostSessionEvents: {
    columns: {
      EventId: id,
      OperationId: required('uuid'),
      HostSessionId: required('bigint'),
      SessionId: required('bigint'),
      KSessionsId: optional('bigint'),
      Sequence: required('integer'),
      Action: required('text(20)'),
      Actor: required('text(128)'),
      Reason: optional('text(1000)'),
      OldFingerprint: optional('exact(16)'),
      NewFingerprint: optional('exact(16)'),
      ExpiresAt: optional('instant'),
      OccurredAt: required('instant'),
      HashKeyId: required('exact(16)'),
      PreviousHash: optional('exact(44)'),
      EventHash: required('exact(44)'),
    },
    primaryKey: ['EventId'],
    indexes: [
      { columns: ['HostSessionId', 'Sequence'], unique: true },
      { columns: ['OperationId', 'HostSessionId', 'Action'], unique: true },
    ],
    foreignKeys: [],
    appendOnly: true,
  },
} as const satisfies ExpectedSchema;
