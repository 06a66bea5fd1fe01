/** The state of one credential. Pure: what stands in its row, in the hash copy, and on the database's clock. */
import { equalSecrets } from '../config/keys';
import { whyOver, type HostSession } from './store';

/**
 * none          no credential
 * live          its GUID opens the session
 * expired       past its date: an active row that nobody has ended yet, or one that ended after its date
 * revoked       ended before its date
 * revived       revoked and made active again, as the old tool did
 * copy-differs  the application's login reads another hash than that of the live host session ('' where none is live)
 */
export const CREDENTIAL_STATES = ['none', 'live', 'expired', 'revoked', 'revived', 'copy-differs'] as const;
export type CredentialState = (typeof CREDENTIAL_STATES)[number];

/** @param now the database's clock */
export function stateOf(host: HostSession | undefined, hashCopy: string, now: Date): CredentialState {
  if (host?.isActive === true) {
    return whyOver(host, now) ?? (equalSecrets(host.hash, hashCopy) ? 'live' : 'copy-differs');
  }
  if (hashCopy !== '') return 'copy-differs';
  return host === undefined ? 'none' : whyEnded(host);
}

/** Of a row that ended: it was past its date by then, or somebody ended it before. */
export function whyEnded({ expiresAt, revokedAt }: HostSession): 'expired' | 'revoked' {
  return expiresAt !== null && revokedAt !== null && expiresAt <= revokedAt ? 'expired' : 'revoked';
}

/**
 * The host session that a canvas session goes by, of several: the newest that opens, else the newest that is active,
 * else the one that was there last. That is the one which `consolidate` lets stay.
 */
export function leadingOf<Host extends HostSession>(hosts: readonly Host[], now: Date): Host | undefined {
  const active = hosts.filter(({ isActive }) => isActive);
  return newest(active.filter((host) => whyOver(host, now) === undefined)) ?? newest(active) ?? newest(hosts);
}

/** By CreatedAt, then by id: the same answer whoever asks. */
export function newest<Host extends HostSession>(hosts: readonly Host[]): Host | undefined {
  const age = (host: Host) => host.createdAt.getTime();
  return hosts.toSorted((a, b) => age(a) - age(b) || a.hostSessionId - b.hostSessionId).at(-1);
}
