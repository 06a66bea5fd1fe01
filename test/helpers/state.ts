/** What stands in the database, for comparing before and after. */
import { checkChain, readEvents, type ChainState } from '../../lib/audit';
import type { Access } from '../../lib/access';
import type { Database } from '../../lib/engines/database';
import { HostGuid } from '../../lib/hosts/credential';
import type { Outcome } from '../../lib/hosts/change';
import { provision, type ProvisionRequest } from '../../lib/hosts/provision';
import { readCredentials } from '../../lib/hosts/survey';
import { PHRASES } from './phrases';

const TABLES = [
  'canvas."Sessions"', 'canvas."HostSessions"', 'canvas."HostSessionEvents"', 'canvas."MigrationLedger"',
  'canvas."Environment"', 'canvas."knex_migrations"', 'dbo."Sessions"', 'dbo."SessionTranscripts"',
];

/** Every row of every table. */
export async function rowsOf({ canvas }: Database): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const table of TABLES) all[table] = await canvas.ask(`SELECT * FROM ${table} ORDER BY 1`);
  return all;
}

/** Every row of every table and every identity. */
export async function snapshot(database: Database): Promise<Record<string, unknown>> {
  const identities = await database.canvas.ask(PHRASES[database.engine.dialect].identities);
  return { ...(await rowsOf(database)), identities };
}

export interface HostRow {
  readonly hostSessionId: number;
  readonly hash: string;
  readonly hashCopy: string;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly expiresAt: Date | null;
  readonly isActive: boolean;
  readonly chain: ChainState;
  readonly actions: readonly string[];
}

/** Every host session of a KSESSIONS id, oldest first, with its chain checked. */
export async function hostSessions({ database, keys }: Access, ksessionsId: number): Promise<HostRow[]> {
  const ids = await database.canvas.ask<{ id: string }>('SELECT "SessionId" AS id FROM canvas."Sessions" WHERE "KSessionsId" = ?', [
    ksessionsId,
  ]);
  const sessions = await readCredentials(database.canvas, ids.map(({ id }) => Number(id)));
  const rows: HostRow[] = [];
  for (const { hashCopy, hostSessions } of sessions) {
    for (const host of hostSessions) {
      const events = await readEvents(database.canvas, host.hostSessionId);
      rows.push({ ...host, hashCopy, chain: checkChain(events, host.head, keys), actions: events.map(({ action }) => action) });
    }
  }
  return rows;
}

/** Does a GUID open the session: does its hash stand in a live row and in the copy the login reads? */
export function verifies({ keys }: Access, guid: string, row: HostRow | undefined): boolean {
  const hash = HostGuid.parse(guid)?.hash(keys.signing);
  return row?.isActive === true && row.hash === hash && row.hashCopy === hash;
}

/** How many rows there are. */
export async function count({ canvas }: Database, from: string): Promise<number> {
  const [row] = await canvas.ask<{ n: string }>(`SELECT count(*) AS n FROM ${from}`);
  return Number(row?.n);
}

/** Provisions in this process and catches what is handed over. */
export async function provisionHere(
  { database, permit, keys }: Access,
  request: Partial<ProvisionRequest> & { ksessionsId: number },
): Promise<{ outcome: Outcome; guid: string }> {
  const guids: string[] = [];
  const outcome = await provision(
    database,
    permit,
    keys,
    { actor: 'suite', reason: null, expiresAt: undefined, ifExists: 'rotate', ...request },
    {
      handOver: (issued) => Promise.resolve(void guids.push(...issued.map(({ guid }) => guid.reveal()))),
      withdraw: () => undefined,
    },
  );
  return { outcome, guid: guids.join() };
}
