/** Continuing a run that was ended: what of the GUIDs that were handed over holds. */
import { findIssued } from '../audit';
import type { KeyRing } from '../config/keys';
import { withTransaction, type Database } from '../engines/database';
import type { Permit } from '../guard/guard';
import type { HostGuid } from './credential';
import { lockOf } from './plan';

/** A GUID that was handed over before its commit. */
export interface HandedOver {
  readonly ksessionsId: number;
  readonly guid: HostGuid;
}

/**
 * GUIDs are handed over before they are committed, a transaction at a time: of a run that was killed, those of its last
 * transaction may all be void. Asked under the locks of that transaction: whoever gets them knows that it has ended.
 * @param handedOver what that transaction can have handed over
 * @returns of each, whether it was committed, whatever became of it since
 */
export async function wereCommitted(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  handedOver: readonly HandedOver[],
): Promise<boolean[]> {
  const claims = handedOver.map(({ guid, ksessionsId }) =>
    keys.all.map((key) => ({ ksessionsId, fingerprint: guid.fingerprint(key) })),
  );
  const locks = handedOver.map(({ ksessionsId }) => lockOf(null, ksessionsId));
  const issued = await withTransaction(database, permit, locks, (writer) => findIssued(writer, claims.flat()));
  const known = new Set(issued.map(({ fingerprint, ksessionsId }) => `${ksessionsId}/${fingerprint}`));
  return claims.map((ofOne) => ofOne.some(({ fingerprint, ksessionsId }) => known.has(`${ksessionsId}/${fingerprint}`)));
}
