/** The trail: whether it holds, and whether what is live agrees with it. */
import { faults } from '../errors';
import { isLive } from '../hosts/survey';
import { readTrail, type Chain } from '../hosts/trail';
import { textOf } from '../engines/rows';
import { many, MOST_TOLD, observed, type Check } from './check';
import { BOTH_IDS, consolidateCommand, HOSTS_WITH_SESSIONS, rowCheck } from './data';
import { idsOf } from './rows';

/** What a whole trail comes to, while it is read. */
class TrailTally {
  readonly sentences: string[] = [];
  readonly #missingKeys = new Set<string>();
  events = 0;
  chains = 0;
  broken = 0;
  #unsealed = 0;

  add({ canvasSessionId, hostSessionId, ksessionsId, state }: Chain): void {
    this.chains += 1;
    if (state.holds) return;
    if (state.missingKey !== undefined) {
      this.#unsealed += 1;
      this.#missingKeys.add(state.missingKey);
      return;
    }
    this.broken += 1;
    if (this.sentences.length >= MOST_TOLD) return;
    const ids = idsOf({ KSessionsId: ksessionsId, SessionId: canvasSessionId, HostSessionId: hostSessionId });
    this.sentences.push(`${ids}: the chain does not hold at event ${state.sequence}: ${state.why}.`);
  }

  /** What nobody could check is no pass. @throws ToolkitError CONFIG */
  requireKeys(): void {
    if (this.#unsealed > 0) throw faults.trailUnreadable([...this.#missingKeys].sort(), this.#unsealed);
  }
}

const chains: Check = {
  id: 'audit.chains',
  title: 'The trail is whole: no event was changed, removed or put in',
  severity: 'major',
  async look({ database: { canvas }, keys, progress, target }) {
    const tally = new TrailTally();
    for await (const steps of readTrail(canvas, keys(), undefined)) {
      for (const step of steps) {
        if (step.kind === 'event') tally.events += 1;
        else tally.add(step.chain);
      }
      progress(tally.events, 'events');
    }
    if (tally.broken === 0) tally.requireKeys();
    return observed(
      tally.sentences,
      `See the whole chain (npx zx scripts/audit.mjs KSESSIONS --target ${target.name}), and find out who can write past the trigger; a broken chain stays broken`,
      `${many(tally.events, 'event')} in ${many(tally.chains, 'chain')} checked`,
      tally.broken,
    );
  },
};

/** The old tool made such rows, and hands do. */
const trails = rowCheck({
  id: 'audit.trails',
  title: 'Every live host session has a trail',
  severity: 'major',
  questions: ({ now }) => [{
    columns: BOTH_IDS,
    from: `${HOSTS_WITH_SESSIONS} WHERE ${isLive('h')} AND (h."LastSequence" IS NULL OR h."LastSequence" = 0)
      AND NOT EXISTS (SELECT 1 FROM canvas."HostSessionEvents" e WHERE e."HostSessionId" = h."HostSessionId")`,
    order: 'h."HostSessionId"',
    bindings: [true, now],
    tell: (row) => `${idsOf(row)} is live, and no event says who made it.`,
  }],
  remedy: (subject) => consolidateCommand(subject, '--apply'),
});

const NEWEST = 'canvas."HostSessionEvents" e ON e."HostSessionId" = h."HostSessionId" AND e."Sequence" = h."LastSequence"';

/** By the row alone it opens; the trail, which nobody can write without the key, knows better. */
const ended = rowCheck({
  id: 'audit.ended',
  title: 'No live credential has ended by its trail',
  severity: 'critical',
  questions: ({ now }) => [{
    columns: `${BOTH_IDS}, e."Action" AS "Action"`,
    from: `canvas."HostSessions" h JOIN ${NEWEST} LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
      WHERE ${isLive('h')} AND e."Action" IN ('revoked', 'expired', 'consolidated')`,
    order: 'h."HostSessionId"',
    bindings: [true, now],
    tell: (row) => `${idsOf(row)} is live, and the newest event of its trail is "${textOf(row, 'Action')}": somebody revived it by hand.`,
  }],
  remedy: ({ target }) => `npx zx scripts/revoke.mjs KSESSIONS --target ${target.name}`,
});

/** The link stands outside of what the chain seals, and decides which session is opened (I-21). */
const links = rowCheck({
  id: 'audit.links',
  title: 'Every live credential is linked to the KSESSIONS session that its trail names',
  severity: 'critical',
  questions: ({ now }) => [{
    columns: `${BOTH_IDS}, COALESCE(e."KSessionsId", 0) AS "told"`,
    from: `canvas."HostSessions" h JOIN ${NEWEST} JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
      WHERE ${isLive('h')} AND s."KSessionsId" IS NOT NULL AND COALESCE(e."KSessionsId", 0) <> s."KSessionsId"`,
    order: 'h."HostSessionId"',
    bindings: [true, now],
    tell: (row) => `${idsOf(row)}: its trail names ${textOf(row, 'told') === '0' ? 'no KSESSIONS session' : `KSESSIONS ${textOf(row, 'told')}`}.`,
  }],
  remedy: (subject) => consolidateCommand(subject, '--link', 'CANVAS=KSESSIONS', '--apply'),
});

export const AUDIT_CHECKS: readonly Check[] = [chains, trails, ended, links];
