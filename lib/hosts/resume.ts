/** Continuing a run that was ended: what of the GUIDs that were handed over holds. */
import { findIssued } from '../audit';
import type { KeyRing } from '../config/keys';
import type { Reader } from '../engines/database';
import type { HostGuid } from './credential';

/** A GUID that was handed over before its commit. */
export interface HandedOver {
  readonly ksessionsId: number;
  readonly guid: HostGuid;
}

/**
 * GUIDs are handed over before they are committed, a transaction at a time: of a run that was killed, those of its last
 * transaction may all be void.
 * @returns of each, whether it was committed, whatever became of it since
 */
export async function wereCommitted(reader: Reader, keys: KeyRing, handedOver: readonly HandedOver[]): Promise<boolean[]> {
  const claims = handedOver.map(({ guid, ksessionsId }) =>
    keys.all.map((key) => ({ ksessionsId, fingerprint: guid.fingerprint(key) })),
  );
  const issued = await findIssued(reader, claims.flat());
  const known = new Set(issued.map(({ fingerprint, ksessionsId }) => `${ksessionsId}/${fingerprint}`));
  return claims.map((ofOne) => ofOne.some(({ fingerprint, ksessionsId }) => known.has(`${ksessionsId}/${fingerprint}`)));
}
