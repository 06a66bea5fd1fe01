/** Each canary, with what it proves in place and with it taken away. */
import test from 'ava';
import { CANARY_CHECKS } from '../../lib/checks/canary';
import type { Check, Subject } from '../../lib/checks/check';
import type { Dialect } from '../../lib/engines/engine';
import { execute, type Lane } from '../helpers/lanes';
import type { Opened } from '../helpers/shared';
import { rowsOf } from '../helpers/state';

/** What takes a protection away, and what puts it back. */
interface Removal {
  readonly off: readonly string[];
  readonly on: readonly string[];
}

const index = (name: string, definition: string): Removal => ({ off: [`DROP INDEX canvas."${name}"`], on: [`CREATE UNIQUE INDEX "${name}" ON canvas.${definition}`] });
const triggers: Removal = {
  off: ['ALTER TABLE canvas."HostSessionEvents" DISABLE TRIGGER USER'],
  on: ['ALTER TABLE canvas."HostSessionEvents" ENABLE TRIGGER USER'],
};
const identity = (how: string) => [`ALTER TABLE canvas."Sessions" ALTER COLUMN "SessionId" SET GENERATED ${how}`];

const FOREIGN_KEY = '"FK_HostSessions_Sessions_SessionId"';

/** SQL Server's are tried with everything in place. */
export const REMOVALS: Readonly<Record<string, Removal>> = {
  'canary.second-live': index('UX_HostSessions_OneActive', '"HostSessions" ("SessionId") WHERE "IsActive"'),
  'canary.second-canvas-row': index('IX_Sessions_KSessionsId', '"Sessions" ("KSessionsId") WHERE "KSessionsId" IS NOT NULL'),
  'canary.orphan': {
    off: [`ALTER TABLE canvas."HostSessions" DROP CONSTRAINT ${FOREIGN_KEY}`],
    on: [`ALTER TABLE canvas."HostSessions" ADD CONSTRAINT ${FOREIGN_KEY} FOREIGN KEY ("SessionId") REFERENCES canvas."Sessions" ("SessionId") ON DELETE CASCADE`],
  },
  'canary.explicit-id': { off: identity('BY DEFAULT'), on: identity('ALWAYS') },
  'canary.taken-sequence': index('UX_HostSessionEvents_Sequence', '"HostSessionEvents" ("HostSessionId", "Sequence")'),
  'canary.event-update': triggers,
  'canary.event-delete': triggers,
  'canary.event-truncate': triggers,
};

/** SQL Server's triggers do not see TRUNCATE: whoever may alter the table may empty it, and an administrator looks here. */
const isTaken = (id: string, dialect: Dialect) => id === 'canary.event-truncate' && dialect === 'mssql';

/** The lane's canaries. */
export function exerciseCanaries(lane: Lane, opened: () => Opened): void {
  const look = ({ look: ask }: Check) => ask({ database: opened().open.database, target: opened().open.database.target } as Subject);

  for (const check of CANARY_CHECKS) {
    test.serial(`${lane.name}: ${check.id} is refused, and leaves no row`, async (t) => {
      const { database } = opened().open;
      const before = await rowsOf(database);
      const { found, remedy } = await look(check);
      t.is(found, isTaken(check.id, lane.dialect) ? 1 : 0);
      if (isTaken(check.id, lane.dialect)) t.regex(remedy ?? '', /a login as docs\/guard\.md has it/, 'the schema lacks nothing');
      t.deepEqual(await rowsOf(database), before);
    });
    if (lane.dialect === 'mssql') continue;
    test.serial(`${lane.name}: ${check.id} is found where nothing refuses it, and leaves no row either`, async (t) => {
      const { open } = opened();
      const { off = [], on = [] } = REMOVALS[check.id] ?? {};
      const before = await rowsOf(open.database);
      await execute(open, ...off);
      const { evidence, found } = await look(check);
      await execute(open, ...on);
      t.is(found, 1, evidence.join());
      t.deepEqual(await rowsOf(open.database), before);
    });
  }
}
