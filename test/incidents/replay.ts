/** Makes a test of every incident of a theme; each carries its number. */
import test from 'ava';
import { pgliteLane } from '../helpers/lanes';
import { shareAccess, shareScratch } from '../helpers/shared';
import type { Incident } from './incident';

export function replayAll(incidents: readonly Incident[]): void {
  const scratch = shareScratch(pgliteLane);
  const withCleared = shareAccess(pgliteLane);
  for (const { happened, id, replay } of incidents) {
    test.serial(`${id}: ${happened}`, (t) => replay(t, { scratch, cleared: (work) => withCleared(t, work) }));
  }
}
