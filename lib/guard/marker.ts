/** The enrolment mark, canvas.Environment: one row that says which target a database belongs to. */

/** Who a database is, in the server's own words. Two of them are the same database when all ids agree. */
export interface Identity {
  /** The server for a reader: what it calls itself, never the name that was dialled. */
  readonly server: string;
  /** PostgreSQL: system_identifier. SQL Server: SERVERPROPERTY('ServerName'). */
  readonly serverId: string;
  /** The name the server reports for the connected database. */
  readonly database: string;
  /** PostgreSQL: the database's oid. SQL Server: its creation date. */
  readonly databaseId: string;
}

/** The row, as stored. */
export interface Marker {
  readonly target: string;
  readonly environment: string;
  readonly serverId: string;
  readonly database: string;
  readonly databaseId: string;
}

/** Column by column, so that reading and writing cannot disagree. */
const COLUMN = {
  target: 'Target',
  environment: 'Environment',
  serverId: 'ServerId',
  database: 'DatabaseName',
  databaseId: 'DatabaseId',
} as const satisfies Record<keyof Marker, string>;

export const MARKER_TABLE = 'Environment';

/** The columns a SELECT of the mark names. */
export const MARKER_COLUMNS: readonly string[] = Object.values(COLUMN);

/** A row of canvas.Environment to a `Marker`; a NULL reads as '' and so never matches an identity. */
export function toMarker(row: Readonly<Record<string, unknown>>): Marker {
  const text = (key: keyof Marker) => {
    const value = row[COLUMN[key]];
    return typeof value === 'string' ? value : '';
  };
  return {
    target: text('target'),
    environment: text('environment'),
    serverId: text('serverId'),
    database: text('database'),
    databaseId: text('databaseId'),
  };
}

/** The mark for a target at an identity. */
export function makeMarker(target: { name: string; environment: string }, identity: Identity): Marker {
  return {
    target: target.name,
    environment: target.environment,
    serverId: identity.serverId,
    database: identity.database,
    databaseId: identity.databaseId,
  };
}

/** A `Marker` as the row to store. */
export function toMarkerRow(marker: Marker): Record<string, string> {
  const keys = Object.keys(COLUMN) as (keyof Marker)[];
  return Object.fromEntries(keys.map((key) => [COLUMN[key], marker[key]]));
}
