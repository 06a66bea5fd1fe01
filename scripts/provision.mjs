#!/usr/bin/env zx
// Provisions host GUIDs for KSESSIONS sessions, or rotates them where live ones exist.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { faults } = toolkit;

await toolkit.runCommand({
  script: 'provision.mjs',
  summary: 'Makes the host GUID of KSESSIONS sessions, or replaces it where a live one exists. Shown once, never stored. Without ids, on a terminal, it asks.',
  positionals: '[ids…]',
  complete: 'ids',
  options: {
    ...toolkit.CHANGE_OPTIONS,
    ...toolkit.GUID_OPTIONS,
    ...toolkit.CHOICE_OPTIONS,
    'if-exists': { type: 'string', choices: ['rotate', 'keep', 'fail'], describe: 'Where a live GUID exists' },
  },
  examples: [
    ['$0 15', 'KSESSIONS session 15'],
    ['$0', 'on a terminal: asks for ids, lists, searches by title'],
    ['GUID=$($0 15 --quiet)', 'only the GUID on stdout'],
    ['$0 15 212 215-218 --json', 'several, as JSON lines'],
    ['$0 --all --if-exists keep --out guids.txt', 'every session that has a transcript and no live GUID'],
  ],
  async run(run) {
    const { words } = run;
    const { actor } = toolkit.readTerms(words);
    if (toolkit.isInteractive(words)) return toolkit.interact(run, actor, (access, ids) => provision(run, access, ids));
    const { ids } = await toolkit.readChoice(words);
    toolkit.assertChange(words, ids, true);
    if (ids === undefined && words.text('if-exists') === undefined) throw faults.ifExistsNeeded();
    await toolkit.withAccess(toolkit.accessRequest(run, actor), (access) => provision(run, access, ids));
  },
});

async function provision(run, access, ids) {
  const terms = { ...toolkit.readTerms(run.words), ifExists: run.words.text('if-exists') };
  const sessions = await sessionsOf(run, access, ids);
  const verbFor = (asked) => (batch) => toolkit.provisioning(access.database, batch.ids, asked);
  const confirmed =
    terms.ifExists === undefined
      ? await toolkit.agreeToReplace({ run, access, sessions, verbFor: verbFor(withDefault(terms)) })
      : undefined;
  const asked = { ...withDefault(terms), confirmed };
  await toolkit.changeSessions({ run, access, sessions, verbFor: verbFor(asked), makesGuids: true });
}

function withDefault(terms) {
  return { ...terms, ifExists: terms.ifExists ?? 'rotate' };
}

async function sessionsOf(run, { database }, ids) {
  if (ids !== undefined) return { pages: () => toolkit.pagesOfIds(ids), total: ids.length, isSet: false };
  const { sessions, withoutTranscripts } = await toolkit.countProvisionable(database.source);
  if (withoutTranscripts > 0) run.notice(`Left out, for they have no transcript: ${withoutTranscripts} of the sessions of KSESSIONS.\n`);
  return { pages: () => toolkit.pagesOfProvisionable(database.source), total: sessions, isSet: true };
}
