/** Makes the tests of a theme: of every incident on each lane that is reachable, or one. */
import test from 'ava';
import { lanes, pgliteLane, type Lane } from '../helpers/lanes';
import { shareBoth } from '../helpers/shared';
import { titleOf, type Incident } from './incident';

export function replayAll(incidents: readonly Incident[]): void {
  for (const lane of lanes()) replayOn(lane, incidents);
}

function replayOn(lane: Lane, incidents: readonly Incident[]): void {
  const { scratch, withCleared } = shareBoth(lane);
  for (const incident of incidents.filter(({ once }) => once === undefined || lane === pgliteLane)) {
    test.serial(titleOf(incident, lane), (t) => incident.replay(t, { lane, scratch, cleared: (work) => withCleared(t, work) }));
  }
}
