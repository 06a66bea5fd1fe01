/** What stands in the database, for comparing before and after. */
import { checkChain, readEvents, type ChainState } from '../../lib/audit';
import { readKeys } from '../../lib/config/keys';
import { HostGuid } from '../../lib/hosts/credential';
import { findWithHashCopy } from '../../lib/hosts/store';
import { requireTarget } from '../../lib/access';
import { open, query, type Scratch } from './lanes';

const TABLES = [
  'canvas."Sessions"', 'canvas."HostSessions"', 'canvas."HostSessionEvents"', 'canvas."MigrationLedger"',
  'canvas."Environment"', 'canvas."knex_migrations"', 'dbo."Sessions"', 'dbo."SessionTranscripts"',
];

/** Every row of every table and every sequence, as one value. */
export function snapshot(scratch: Scratch): Promise<Record<string, unknown>> {
  return open(scratch, async ({ canvas }) => {
    const all: Record<string, unknown> = {};
    for (const table of TABLES) all[table] = await canvas.ask(`SELECT * FROM ${table} ORDER BY 1`);
    all['sequences'] = await canvas.ask(
      `SELECT schemaname, sequencename, last_value::text FROM pg_catalog.pg_sequences ORDER BY 1, 2`,
    );
    return all;
  });
}

export interface LiveRow {
  readonly hostSessionId: number;
  readonly hash: string;
  readonly hashCopy: string;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly isActive: boolean;
  readonly chain: ChainState;
  readonly actions: readonly string[];
}

/** Every host session of a KSESSIONS id, oldest first, with its chain checked. */
export function hostSessions(scratch: Scratch, ksessionsId: number): Promise<LiveRow[]> {
  const keys = readKeys(scratch.settings, requireTarget(scratch.settings));
  return open(scratch, async ({ canvas }) => {
    const ids = await canvas.ask<{ id: string }>(
      `SELECT h."HostSessionId"::text AS id FROM canvas."HostSessions" h
       JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId" WHERE s."KSessionsId" = ? ORDER BY 1`,
      [ksessionsId],
    );
    const rows: LiveRow[] = [];
    for (const { id } of ids) {
      const row = await findWithHashCopy(canvas, Number(id));
      const events = await readEvents(canvas, Number(id));
      if (row === undefined) continue;
      rows.push({ ...row, chain: checkChain(events, row.head, keys), actions: events.map(({ action }) => action) });
    }
    return rows;
  });
}

/** Does a GUID open the session: does its hash stand in the live row and in the copy the login reads? */
export function verifies(scratch: Scratch, guid: string, row: LiveRow): boolean {
  const keys = readKeys(scratch.settings, requireTarget(scratch.settings));
  const hash = HostGuid.parse(guid)?.hash(keys.signing);
  return row.isActive && row.hash === hash && row.hashCopy === hash;
}

/** How many rows a SELECT count says. */
export async function count(scratch: Scratch, from: string): Promise<number> {
  const [row] = await query<{ n: string }>(scratch, `SELECT count(*) AS n FROM ${from}`);
  return Number(row?.n);
}
