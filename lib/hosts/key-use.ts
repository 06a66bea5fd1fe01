/** Which HMAC keys the stored credentials and events need, against those that are configured. Reads only. */
import { warrantIdOf } from '../audit';
import type { KeyRing } from '../config/keys';
import type { Reader } from '../engines/database';
import { numberOf, textOrNull, type Row } from '../engines/rows';
import { isLive } from './survey';

/**
 * current  the key that hashes new credentials
 * older    another configured key: it verifies, and hashes nothing new
 * missing  the row names a key that is not configured: nothing made with it can be verified
 * legacy   the row names no key: the old tool made it
 * unknown  the row names a key, and none is configured here to compare it with
 */
export const KEY_STANDINGS = ['current', 'older', 'missing', 'legacy', 'unknown'] as const;
export type KeyStanding = (typeof KEY_STANDINGS)[number];

/** One key id of the stored rows; null is that of rows which name none. */
export interface KeyUse {
  readonly keyId: string | null;
  readonly standing: KeyStanding;
  /** Credentials that are active, not revoked and not past their date. */
  readonly live: number;
  /** Events of the trail that it seals. */
  readonly events: number;
}

/** @param keys undefined where none is configured */
export function standingOf(keys: KeyRing | undefined, keyId: string | null): KeyStanding {
  if (keyId === null) return 'legacy';
  if (keys === undefined) return 'unknown';
  if (keys.signing.id === keyId) return 'current';
  return keys.all.some(({ id }) => id === keyId) ? 'older' : 'missing';
}

const LIVE = `
  SELECT h."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessions" h
  WHERE ${isLive('h')} GROUP BY h."HashKeyId"`;

const EVENTS = `
  SELECT e."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessionEvents" e GROUP BY e."HashKeyId"`;

/**
 * Every key that a live credential or an event names. Two statements, which count all rows: not for what must be quick.
 * @param now the database's clock
 */
export async function keysInUse(reader: Reader, keys: KeyRing | undefined, now: Date): Promise<KeyUse[]> {
  const live = countsOf(await reader.ask<Row>(LIVE, [true, now]));
  const events = ofKeys(countsOf(await reader.ask<Row>(EVENTS)), keys);
  const ids = [...new Set([...live.keys(), ...events.keys()])];
  return ids.map((keyId) => ({
    keyId,
    standing: standingOf(keys, keyId),
    live: live.get(keyId) ?? 0,
    events: events.get(keyId) ?? 0,
  }));
}

function countsOf(rows: readonly Row[]): Map<string | null, number> {
  return new Map(rows.map((row) => [textOrNull(row, 'keyId'), numberOf(row, 'n', 0)]));
}

/** Events that a handoff script made name a warrant: they need the key that it comes of. */
function ofKeys(counts: ReadonlyMap<string | null, number>, keys: KeyRing | undefined): Map<string | null, number> {
  const sums = new Map<string | null, number>();
  for (const [id, count] of counts) {
    const keyId = keys?.all.find((key) => warrantIdOf(key) === id)?.id ?? id;
    sums.set(keyId, (sums.get(keyId) ?? 0) + count);
  }
  return sums;
}

/** A key that is not configured, and how many live credentials need it. */
export type MissingKey = Pick<KeyUse, 'keyId' | 'live'>;

/** The database's clock, UTC, within a statement. */
const NOW = { postgres: 'now()', mssql: 'SYSUTCDATETIME()' } as const;

/** The keys that live credentials name and that are not configured: one statement over the credentials, for whoever opens them. */
export async function missingKeys(reader: Reader, { all }: KeyRing): Promise<MissingKey[]> {
  const known = all.map(({ id }) => id);
  const rows = await reader.ask<Row>(
    `SELECT h."HashKeyId" AS "keyId", COUNT(*) AS "n" FROM canvas."HostSessions" h
     WHERE ${isLive('h', NOW[reader.dialect])}
       AND h."HashKeyId" NOT IN (${known.map(() => '?').join(', ')})
     GROUP BY h."HashKeyId"`,
    [true, ...known],
  );
  return [...countsOf(rows)].map(([keyId, live]) => ({ keyId, live }));
}
