#!/usr/bin/env zx
// Ends host GUIDs. The application's login refuses them from then on.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { faults } = toolkit;

await toolkit.runCommand({
  script: 'revoke.mjs',
  summary: 'Ends the live host GUID of KSESSIONS sessions. It is never revived: provisioning makes a new one.',
  positionals: '[ids…]',
  complete: 'ids',
  options: {
    ...toolkit.CHANGE_OPTIONS,
    ...toolkit.CHOICE_OPTIONS,
    ...toolkit.FILTER_OPTIONS,
    expired: { type: 'boolean', describe: 'Those past their date' },
  },
  examples: [
    ['$0 15 --reason "the host left"', 'one'],
    ['$0 --expired', 'those past their date, as a nightly job does'],
    ['$0 --older-than P1Y --dry-run', 'which are older than a year'],
  ],
  async run(run) {
    const { words } = run;
    const choice = await toolkit.readChoice(words, ['expired']);
    toolkit.assertChange(words, choice.ids, false);
    if (choice.flags.includes('expired') && choice.expiringWithin !== undefined) {
      throw faults.usage('--expired and --expiring-within exclude each other.', 'What is past its date expires no more.');
    }
    const terms = toolkit.readTerms(words);
    await toolkit.withAccess(toolkit.accessRequest(run, terms.actor), async (access) => {
      const sessions = await sessionsOf(access, choice);
      if (!choice.flags.includes('expired')) await toolkit.agreeToSet({ run, sessions }, 'ends');
      const verbFor = (batch) => toolkit.revoking(batch, terms);
      await toolkit.changeSessions({ run, access, sessions, verbFor, makesGuids: false });
    });
  },
});

/** Canvas sessions without a link too: a host must be shut out whatever the session is. */
async function sessionsOf({ database }, { expiringWithin, flags, ids, olderThan }) {
  if (ids !== undefined) return { pages: () => toolkit.pagesOfIds(ids), total: ids.length, isSet: false };
  const now = await toolkit.readClock(database);
  const filter = {
    now,
    isOver: flags.includes('expired') ? true : undefined,
    olderThan: olderThan?.before(now),
    expiringBy: expiringWithin?.after(now),
  };
  const { linked, unlinked } = await toolkit.countLive(database.canvas, filter);
  const pages = async function* () {
    yield* toolkit.pagesOfLive(database.canvas, filter);
    yield* toolkit.pagesOfUnlinked(database.canvas, filter);
  };
  return { pages, total: linked + unlinked, isSet: true };
}
