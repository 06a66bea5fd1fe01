/** The one group that writes, and only where it is asked for: each attempt is rolled back (lib/hosts/attempts.ts). */
import { ATTEMPTS, refusalOf, type Attempt } from '../hosts/attempts';
import { requirePermit } from '../migrations/enrol';
import { holds, observed, type Check } from './check';

/** Triggers of SQL Server do not see TRUNCATE: nothing of the schema is missing. */
const LOGIN_MAY_EMPTY =
  'Give the toolkit a login as docs/guard.md has it: on SQL Server only the want of a right (ALTER on the table) refuses TRUNCATE';

function canary(what: keyof typeof ATTEMPTS, refused: string): Check {
  const attempt: Attempt = ATTEMPTS[what];
  return {
    id: `canary.${what}`,
    title: `The database refuses ${refused}`,
    severity: 'critical',
    async look({ database, target }) {
      const refusal = await refusalOf(database, await requirePermit(database), attempt);
      if (refusal !== undefined) return holds(`Refused (${refusal}), and rolled back`);
      return observed(
        [`The database took ${refused}; it was rolled back.`],
        what === 'event-truncate' && database.canvas.dialect === 'mssql'
          ? LOGIN_MAY_EMPTY
          : `See what is missing: npx zx scripts/verify.mjs --only schema --target ${target.name}`,
        '',
      );
    },
  };
}

export const CANARY_CHECKS: readonly Check[] = [
  canary('second-live', 'a second live host session of one canvas session'),
  canary('second-canvas-row', 'a second canvas session of one KSESSIONS session'),
  canary('orphan', 'a host session of a canvas session that is not there'),
  canary('explicit-id', 'an id that it did not make'),
  canary('taken-sequence', 'an event in the place of another'),
  canary('event-update', 'a change of an event'),
  canary('event-delete', 'the removal of an event'),
  canary('event-truncate', 'the removal of all events'),
];
