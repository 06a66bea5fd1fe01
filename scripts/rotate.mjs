#!/usr/bin/env zx
// Replaces live host GUIDs by new ones. A session without a live one is refused.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');

await toolkit.runCommand({
  script: 'rotate.mjs',
  summary: 'Replaces the live host GUID of KSESSIONS sessions by a new one. The earlier one stops working at once.',
  positionals: '[ids…]',
  complete: 'ids',
  options: {
    ...toolkit.CHANGE_OPTIONS,
    ...toolkit.GUID_OPTIONS,
    ...toolkit.CHOICE_OPTIONS,
    ...toolkit.FILTER_OPTIONS,
    'key-older': { type: 'boolean', describe: 'Those that were not made under the newest key' },
  },
  examples: [
    ['$0 15 --reason "the host lost it"', 'one'],
    ['$0 --older-than 90d --out guids.csv --format csv', 'all in use for 90 days or longer'],
    ['$0 --key-older --out guids.txt', 'after a new key was put first'],
    ['$0 --all --resume guids.txt', 'the rest of a run that was ended'],
  ],
  async run(run) {
    const { words } = run;
    const choice = await toolkit.readChoice(words, ['key-older']);
    toolkit.assertChange(words, choice.ids, true);
    const terms = toolkit.readTerms(words);
    await toolkit.withAccess(toolkit.accessRequest(run, terms.actor), async (access) => {
      const sessions = await sessionsOf(run, access, choice);
      await toolkit.agreeToSet({ run, sessions }, 'replaces');
      const verbFor = (batch) => toolkit.rotating(access.database, batch.ids, terms);
      await toolkit.changeSessions({ run, access, sessions, verbFor, makesGuids: true });
    });
  },
});

async function sessionsOf(run, { database, keys }, { expiringWithin, flags, ids, olderThan }) {
  if (ids !== undefined) return { pages: () => toolkit.pagesOfIds(ids), total: ids.length, isSet: false };
  const now = await toolkit.readClock(database);
  const filter = {
    now,
    isOver: false,
    olderThan: olderThan?.before(now),
    expiringBy: expiringWithin?.after(now),
    otherKeyThan: flags.includes('key-older') ? keys.signing.id : undefined,
  };
  const { linked, unlinked } = await toolkit.countLive(database.canvas, filter);
  if (unlinked > 0) {
    run.notice(
      `${unlinked} live GUIDs belong to canvas sessions that no KSESSIONS session is linked to, and are left as they are: ` +
        `npx zx scripts/consolidate.mjs --target ${database.target.name} lists them.\n`,
    );
  }
  return { pages: () => toolkit.pagesOfLive(database.canvas, filter), total: linked, isSet: true };
}
