#!/usr/bin/env zx
// Lists sessions and the state of their credential. Reads only.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { faults, parseIds, render, renderListing: show } = toolkit;

await toolkit.runCommand({
  script: 'list.mjs',
  summary:
    'KSESSIONS sessions and the state of their host GUID, then canvas sessions that have one and stand for no KSESSIONS ' +
    'session. Reads only, and needs no HMAC key; without one it cannot say whether a key is still configured.',
  positionals: '[ids…]',
  complete: 'ids',
  options: {
    search: { type: 'string', describe: 'Only titles that contain this text, whatever the case' },
    state: { type: 'string', choices: toolkit.CREDENTIAL_STATES, describe: 'Only this state; may be repeated' },
    key: { type: 'string', choices: toolkit.KEY_STANDINGS, describe: 'Only what this key hashed; may be repeated' },
  },
  repeatable: ['state', 'key'],
  examples: [
    ['$0', 'all of them'],
    ['$0 15 212-218', 'these'],
    ['$0 --search islam --state live', 'live ones with that word in the title'],
    ['$0 --state expired --quiet', 'only the KSESSIONS ids'],
  ],
  async run(run) {
    const { notice, words } = run;
    const request = {
      ids: parseIds(words.positionals),
      search: words.text('search'),
      states: words.texts('state'),
      keys: words.texts('key'),
    };
    const reading = { ...toolkit.readingRequest(run), needs: toolkit.CONSOLIDATE_NEEDS };
    await toolkit.withReading(reading, async ({ database, keys }) => {
      const { head, row } = await formOf(words, database);
      const tally = new show.ListingTally();
      for await (const page of toolkit.listSessions(database, keys, request)) {
        const text = (tally.total === 0 && page.length > 0 ? head : '') + page.map(row).join('');
        tally.count(page);
        if (text !== '' && !(await run.stream(text))) return;
      }
      notice(tally.text());
      const uses = await toolkit.keysInUse(database.canvas, keys, await toolkit.readClock(database));
      notice(show.keyUseText(uses, database.target.name));
      if (isSelectionEmpty(request, tally)) throw faults.noneOfIds(request.ids, database.source.admission.identity.database);
    });
  },
});

async function formOf(words, database) {
  if (words.flag('json')) return { head: '', row: (session) => render.jsonLine(show.listedJson(database, session)) };
  return words.flag('quiet') ? { head: '', row: show.listedId } : show.openTable();
}

/** Nothing but ids was asked for, and none of them is there. */
function isSelectionEmpty({ ids, keys, search, states }, { total }) {
  return total === 0 && ids.length > 0 && search === undefined && states.length + keys.length === 0;
}
