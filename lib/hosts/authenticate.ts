/**
 * Does a GUID open a session? Asked as a careful consumer would: the hash under a key we know, the active state,
 * revocation, expiry, and the hash copy that the application's login reads (I-40, I-41). Reads only.
 */
import type { HmacKey, KeyRing } from '../config/keys';
import type { Reader } from '../engines/database';
import { idOf } from '../engines/rows';
import { HostGuid } from './credential';
import { stateOf, type CredentialState } from './state';
import { toHostSession, type HostSession } from './store';
import { readCredentials, type CanvasCredentials } from './survey';

/**
 * valid         it opens the session
 * expired       it did, until its date
 * revoked       it did, until it was revoked, rotated away in a row of its own, or ended
 * copy-differs  its host session is live, but the login reads another hash: consolidate mends that
 * unknown       no host session has it, or the text is no GUID; a stored hash is none
 */
export type Verdict = 'valid' | 'expired' | 'revoked' | 'copy-differs' | 'unknown';

export interface Authentication {
  readonly verdict: Verdict;
  /** Whose GUID it is; undefined when that is unknown. */
  readonly of: Bearer | undefined;
  /** The public key of the old tool made it: whoever read that source could have, too. */
  readonly warning: 'legacy-key' | undefined;
  /** The command that ends the warning. */
  readonly advice: string | undefined;
}

export interface Bearer {
  readonly canvasSessionId: number;
  readonly ksessionsId: number | null;
  readonly hostSessionId: number;
  readonly expiresAt: Date | null;
}

/** A host session that carries the GUID, and the key under which it does. */
interface Match {
  readonly session: CanvasCredentials;
  readonly host: HostSession;
  readonly isLegacy: boolean;
}

const UNKNOWN: Authentication = { verdict: 'unknown', of: undefined, warning: undefined, advice: undefined };

/**
 * @param text the GUID in any of its spellings, as a person or a file gives it
 * @param now the database's clock
 */
export async function authenticateHost(
  reader: Reader,
  keys: KeyRing,
  text: string,
  now: Date,
): Promise<Authentication> {
  const guid = HostGuid.parse(text);
  if (guid === undefined) return UNKNOWN;
  const target = reader.admission.target.name;
  const judged = (await findMatches(reader, keys, guid)).map((match) => judge(match, target, now));
  return judged.find(({ verdict }) => verdict === 'valid') ?? judged.at(-1) ?? UNKNOWN;
}

/** The index finds by hash; whether it is the GUID's is then compared byte by byte, in constant time. */
async function findMatches(reader: Reader, keys: KeyRing, guid: HostGuid): Promise<Match[]> {
  const candidates = [...keys.all, ...(keys.legacy === undefined ? [] : [keys.legacy])];
  const rows = await reader
    .from('canvas', 'HostSessions')
    .whereIn('HostGuidHash', candidates.map((key) => guid.hash(key)))
    .orderBy('HostSessionId');
  const matches: Match[] = [];
  for (const row of rows) {
    const key = keyOf(keys, guid, toHostSession(row));
    const [session] = key === undefined ? [] : await readCredentials(reader, [idOf(row, 'SessionId')]);
    if (session !== undefined) matches.push({ session, host: toHostSession(row), isLegacy: key === keys.legacy });
  }
  return matches;
}

/** A row that says its key is tried against that one, a row that does not against every one. */
function keyOf(keys: KeyRing, guid: HostGuid, { hash, hashKeyId }: HostSession): HmacKey | undefined {
  const known = keys.all.filter(({ id }) => hashKeyId === null || hashKeyId === id);
  const legacy = hashKeyId === null && keys.legacy !== undefined ? [keys.legacy] : [];
  return [...known, ...legacy].find((key) => guid.matches(key, hash));
}

function judge({ host, isLegacy, session }: Match, target: string, now: Date): Authentication {
  const { canvasSessionId, ksessionsId } = session;
  const { expiresAt, hostSessionId } = host;
  const verdict = verdictOn(host, session.hashCopy, now);
  const warning = isLegacy && verdict === 'valid' ? 'legacy-key' : undefined;
  return {
    verdict,
    of: { canvasSessionId, ksessionsId, hostSessionId, expiresAt },
    warning,
    advice: warning === undefined ? undefined : adviceFor(target, canvasSessionId, ksessionsId),
  };
}

const VERDICT_OF: Record<CredentialState, Verdict> = {
  none: 'unknown',
  live: 'valid',
  expired: 'expired',
  revoked: 'revoked',
  revived: 'revoked',
  'copy-differs': 'copy-differs',
};

/** Of this host session alone: the hash copy of an ended one may be that of another, which is live. */
function verdictOn(host: HostSession, hashCopy: string, now: Date): Verdict {
  return VERDICT_OF[stateOf(host, host.isActive ? hashCopy : '', now)];
}

function adviceFor(target: string, canvasSessionId: number, ksessionsId: number | null): string {
  return ksessionsId === null
    ? `Say which KSESSIONS session it is: npx zx scripts/consolidate.mjs --link ${canvasSessionId}=KSESSIONS --apply --target ${target}`
    : `Replace it: npx zx scripts/provision.mjs ${ksessionsId} --if-exists rotate --target ${target}`;
}
