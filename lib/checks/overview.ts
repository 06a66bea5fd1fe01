/** What a report shows beside the checks: a picture of the schema, and how many credentials are in which state and how old. */
import { explain } from '../engines/database';
import type { Dialect } from '../engines/engine';
import { numberOf, textOf, type Row } from '../engines/rows';
import { collated } from '../engines/rowset';
import { ToolkitError } from '../errors';
import { CREDENTIAL_STATES, type CredentialState } from '../hosts/state';
import type { LiveSchema } from '../migrations/live-schema';
import { differences, type Difference } from '../migrations/schema';
import type { Subject } from './check';
import { pictureOf, type PicturedTable } from './picture';
import { expectedSchema } from './schema';

export interface Overview {
  /** null where it could not be read. */
  readonly schema: { readonly tables: readonly PicturedTable[]; readonly drift: readonly Drift[] } | null;
  /** null where it could not be read, or there are no such tables yet. */
  readonly credentials: CredentialCounts | null;
  /** What could not be read, and why. */
  readonly gaps: readonly string[];
}

export type Drift = Pick<Difference, 'kind' | 'severity' | 'table' | 'sentence'>;

export interface CredentialCounts {
  /** Canvas sessions by the state of the credential they go by. */
  readonly byState: Readonly<Record<CredentialState, number>>;
  /** The live ones by how long they have been in use, the youngest first. */
  readonly byAge: readonly { readonly age: string; readonly count: number }[];
}

/** Reads what there is to show. Writes nothing. @throws nothing: what cannot be read is a gap of the picture, not of the gate */
export async function readOverview(subject: Subject): Promise<Overview> {
  const gaps: string[] = [];
  const orGap = async <T>(what: string, read: () => Promise<T>): Promise<T | null> => {
    try {
      return await read();
    } catch (error) {
      const known = explain(subject.database, error);
      gaps.push(`${what} could not be read: ${known instanceof ToolkitError ? known.message : 'an internal fault.'}`);
      return null;
    }
  };
  const schema = await orGap('The schema', () => readPicture(subject));
  const credentials = await orGap('The credentials', () => readCounts(subject));
  return { schema, credentials, gaps };
}

async function readPicture(subject: Subject): Promise<Overview['schema']> {
  const { tables } = await subject.schema();
  const expected = await expectedSchema(subject);
  const drift = differences(expected, { tables });
  const told = drift.map(({ kind, sentence, severity, table }) => ({ kind, severity, table, sentence }));
  return { tables: pictureOf(expected, tables, drift), drift: told };
}

// --- credentials ---------------------------------------------------------------------------------------------------

const DAY_MS = 86_400_000;

/** Ages in days, each up to the next. */
const AGES = [
  { age: 'under 30 days', days: 30 },
  { age: '30 to 90 days', days: 90 },
  { age: '90 to 180 days', days: 180 },
  { age: '180 days to a year', days: 365 },
] as const;
const OLDEST = 'over a year';

async function readCounts({ database: { canvas }, now, schema }: Subject): Promise<CredentialCounts | null> {
  const { tables } = await schema();
  if (tables['Sessions'] === undefined || tables['HostSessions'] === undefined) return null;
  const edges = AGES.map(({ days }) => new Date(now.getTime() - days * DAY_MS));
  const rows = await canvas.ask<Row>(countSql(canvas.dialect, tables), [...edges, true, now, true, now, true]);
  const count = (column: string, value: string, among = rows) =>
    among.filter((row) => textOf(row, column) === value).reduce((sum, row) => sum + numberOf(row, 'n', 0), 0);
  const live = rows.filter((row) => textOf(row, 'state') === 'live');
  return {
    byState: Object.fromEntries(CREDENTIAL_STATES.map((state) => [state, count('state', state)])) as Record<CredentialState, number>,
    byAge: [...AGES.map(({ age }) => age), OLDEST].map((age) => ({ age, count: count('age', age, live) })),
  };
}

/**
 * The states of hosts/state.ts by sets: of each canvas session the host session it goes by (`leadingOf`), then how that one
 * stands (`stateOf`). A test compares the two.
 */
function countSql(dialect: Dialect, tables: LiveSchema['tables']): string {
  const hash = collated(dialect, 'h."HostGuidHash"', 'exact');
  // A row that was never rotated, or that no migration has given the column, is as old as it is.
  const since = tables['HostSessions']?.columns['UpdatedAt'] === undefined ? 'h."CreatedAt"' : 'COALESCE(h."UpdatedAt", h."CreatedAt")';
  const ages = AGES.map(({ age }) => `WHEN ${since} > ? THEN '${age}'`).join(' ');
  return `
    SELECT c."state", c."age", COUNT(*) AS "n" FROM (
      SELECT CASE ${ages} ELSE '${OLDEST}' END AS "age", CASE
        WHEN h."HostSessionId" IS NULL THEN CASE WHEN s."HostGuid" <> '' THEN 'copy-differs' ELSE 'none' END
        WHEN h."IsActive" = ? THEN CASE
          WHEN h."RevokedAt" IS NOT NULL THEN 'revived' WHEN h."ExpiresAt" <= ? THEN 'expired'
          WHEN ${hash} <> s."HostGuid" THEN 'copy-differs' ELSE 'live' END
        WHEN s."HostGuid" <> '' THEN 'copy-differs'
        WHEN h."ExpiresAt" <= h."RevokedAt" THEN 'expired' ELSE 'revoked' END AS "state"
      FROM canvas."Sessions" s LEFT JOIN (
        SELECT x.*, ROW_NUMBER() OVER (PARTITION BY x."SessionId" ORDER BY CASE
          WHEN x."IsActive" = ? AND x."RevokedAt" IS NULL AND (x."ExpiresAt" IS NULL OR x."ExpiresAt" > ?) THEN 0
          WHEN x."IsActive" = ? THEN 1 ELSE 2 END, x."CreatedAt" DESC, x."HostSessionId" DESC) AS "place"
        FROM canvas."HostSessions" x) h ON h."SessionId" = s."SessionId" AND h."place" = 1
    ) c GROUP BY c."state", c."age"`;
}
