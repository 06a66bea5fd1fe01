/** What the suite writes by hand, in the words of each kind of server. */
import type { Dialect } from '../../lib/engines/engine';

interface Phrases {
  readonly now: string;
  readonly yesterday: string;
  readonly yes: string;
  readonly no: string;
  readonly uuid: string;
  /** Turns the protection of the trail off, as an owner can. */
  readonly unprotectTrail: string;
  readonly protectTrail: string;
  /** Puts an index that only looks alike in the place of the one that keeps a single live row. */
  readonly replaceOneActive: readonly string[];
  /** Makes the identity of canvas.Sessions give out an id up to 2 again. */
  readonly restartSessions: string;
  /** Takes all canvas sessions, with what hangs on them, out of a ready target; ids begin at 1 again. */
  readonly clear: readonly string[];
  /** Every identity and what it gave out last. */
  readonly identities: string;
  /** How the server numbers its refusals. */
  readonly codes: {
    readonly explicitId: readonly string[];
    readonly duplicate: readonly string[];
    readonly foreignKey: readonly string[];
    readonly appendOnly: readonly string[];
  };
}

export const PHRASES: Record<Dialect, Phrases> = {
  postgres: {
    now: 'now()',
    yesterday: `now() - interval '1 day'`,
    yes: 'true',
    no: 'false',
    uuid: 'gen_random_uuid()',
    unprotectTrail: 'ALTER TABLE canvas."HostSessionEvents" DISABLE TRIGGER USER',
    protectTrail: 'ALTER TABLE canvas."HostSessionEvents" ENABLE TRIGGER USER',
    replaceOneActive: [
      'DROP INDEX canvas."UX_HostSessions_OneActive"',
      'CREATE UNIQUE INDEX alike ON canvas."HostSessions" ("SessionId", lower("HostGuidHash")) WHERE "IsActive"',
    ],
    restartSessions: 'ALTER TABLE canvas."Sessions" ALTER COLUMN "SessionId" RESTART WITH 1',
    clear: [
      'ALTER TABLE canvas."HostSessionEvents" DISABLE TRIGGER USER',
      'TRUNCATE canvas."Sessions", canvas."HostSessions", canvas."HostSessionEvents" RESTART IDENTITY',
      'ALTER TABLE canvas."HostSessionEvents" ENABLE TRIGGER USER',
    ],
    identities: 'SELECT schemaname, sequencename, CAST(last_value AS text) FROM pg_catalog.pg_sequences ORDER BY 1, 2',
    codes: { explicitId: ['428C9'], duplicate: ['23505'], foreignKey: ['23503'], appendOnly: ['CH002'] },
  },
  mssql: {
    now: 'SYSUTCDATETIME()',
    yesterday: 'DATEADD(day, -1, SYSUTCDATETIME())',
    yes: '1',
    no: '0',
    uuid: 'NEWID()',
    unprotectTrail: 'DISABLE TRIGGER ALL ON canvas."HostSessionEvents"',
    protectTrail: 'ENABLE TRIGGER ALL ON canvas."HostSessionEvents"',
    replaceOneActive: [
      'DROP INDEX "UX_HostSessions_OneActive" ON canvas."HostSessions"',
      'CREATE UNIQUE INDEX alike ON canvas."HostSessions" ("SessionId", "HostSessionId") WHERE "IsActive" = 1',
    ],
    restartSessions: `DBCC CHECKIDENT ('canvas.Sessions', RESEED, 1)`,
    identities: `SELECT t.name, CAST(IDENT_CURRENT('canvas.' + t.name) AS varchar(40)) AS last_value FROM sys.tables t
      WHERE t.schema_id = SCHEMA_ID('canvas') AND IDENT_CURRENT('canvas.' + t.name) IS NOT NULL ORDER BY t.name`,
    // What a foreign key points to cannot be truncated, and only TRUNCATE starts the ids at 1 again everywhere.
    clear: [
      'TRUNCATE TABLE canvas."HostSessionEvents"',
      'ALTER TABLE canvas."HostSessions" DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId"',
      'TRUNCATE TABLE canvas."HostSessions"',
      'TRUNCATE TABLE canvas."Sessions"',
      `ALTER TABLE canvas."HostSessions" ADD CONSTRAINT "FK_HostSessions_Sessions_SessionId"
        FOREIGN KEY ("SessionId") REFERENCES canvas."Sessions" ("SessionId") ON DELETE CASCADE`,
    ],
    // 33557097 stands for errors that Babelfish has no number for.
    codes: { explicitId: ['544', '33557097'], duplicate: ['2601', '2627'], foreignKey: ['547'], appendOnly: ['50002'] },
  },
};

/** The server's own code for an error: SQLSTATE or number. */
export function serverCode(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { number, code } = first as { number?: number; code?: string };
  return String(number ?? code);
}
