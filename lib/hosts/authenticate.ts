/**
 * Does a GUID open a session? Asked as a careful consumer would: the hash under a key we know, the active state,
 * revocation, expiry, and the hash copy that the application's login reads (I-40, I-41).
 */
import type { HmacKey, KeyRing } from '../config/keys';
import { withTransaction, type Database, type Reader } from '../engines/database';
import { idOf } from '../engines/rows';
import type { Permit } from '../guard/guard';
import { HostGuid } from './credential';
import { stateOf, type CredentialState } from './state';
import { recordUse, toHostSession, type HostSession } from './store';
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
  /** Under the key that made it, else under the newest; undefined where the text is no GUID. */
  readonly fingerprint: string | undefined;
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
  readonly key: HmacKey;
}

/** An answer and the row it is about. */
interface Judged {
  readonly answer: Authentication;
  readonly host: HostSession | undefined;
}

/**
 * Asks and writes nothing.
 * @param text the GUID in any of its spellings, as a person or a file gives it
 * @param now the database's clock
 */
export async function authenticateHost(
  reader: Reader,
  keys: KeyRing,
  text: string,
  now: Date,
): Promise<Authentication> {
  return (await judgeText(reader, keys, text, now)).answer;
}

/** An answer, and whether the use was recorded. */
export interface RecordedAuthentication extends Authentication {
  /** The time that stands in HostSessions.LastUsedAt, by the database's clock; undefined where the GUID is not valid. */
  readonly usedAt: Date | undefined;
}

/**
 * Asks, and where the GUID is valid records that it was used: both in one transaction. No lock is taken, so that nobody
 * at a login waits for a long rotation; a credential that ends in between is judged again.
 * @throws ToolkitError as `withTransaction`
 */
export async function authenticateAndRecord(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  text: string,
): Promise<RecordedAuthentication> {
  return withTransaction(database, permit, undefined, async (writer) => {
    const { answer, host } = await judgeText(writer, keys, text, writer.now);
    if (answer.verdict !== 'valid' || host === undefined) return { ...answer, usedAt: undefined };
    if (await recordUse(writer, host)) return { ...answer, usedAt: writer.now };
    return { ...(await authenticateHost(writer, keys, text, writer.now)), usedAt: undefined };
  });
}

async function judgeText(reader: Reader, keys: KeyRing, text: string, now: Date): Promise<Judged> {
  const guid = HostGuid.parse(text);
  if (guid === undefined) return { answer: unknown(undefined), host: undefined };
  const target = reader.admission.target.name;
  const judged = (await findMatches(reader, keys, guid)).map((match) => ({
    answer: judge(match, match.key === keys.legacy, guid, target, now),
    host: match.host,
  }));
  const opens = judged.find(({ answer }) => answer.verdict === 'valid');
  return opens ?? judged.at(-1) ?? { answer: unknown(guid.fingerprint(keys.signing)), host: undefined };
}

function unknown(fingerprint: string | undefined): Authentication {
  return { verdict: 'unknown', fingerprint, of: undefined, warning: undefined, advice: undefined };
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
    if (key === undefined) continue;
    const [session] = await readCredentials(reader, [idOf(row, 'SessionId')]);
    if (session !== undefined) matches.push({ session, host: toHostSession(row), key });
  }
  return matches;
}

/** A row that says its key is tried against that one, a row that does not against every one. */
function keyOf(keys: KeyRing, guid: HostGuid, { hash, hashKeyId }: HostSession): HmacKey | undefined {
  const known = keys.all.filter(({ id }) => hashKeyId === null || hashKeyId === id);
  const legacy = hashKeyId === null && keys.legacy !== undefined ? [keys.legacy] : [];
  return [...known, ...legacy].find((key) => guid.matches(key, hash));
}

function judge({ host, key, session }: Match, isLegacy: boolean, guid: HostGuid, target: string, now: Date): Authentication {
  const { canvasSessionId, ksessionsId } = session;
  const { expiresAt, hostSessionId } = host;
  const verdict = verdictOn(host, session.hashCopy, now);
  const warning = isLegacy && verdict === 'valid' ? 'legacy-key' : undefined;
  return {
    verdict,
    fingerprint: guid.fingerprint(key),
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
