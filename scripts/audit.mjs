#!/usr/bin/env zx
// Prints the trail of events and checks that it holds. Reads only.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { faults, parseIds, render, renderTrail: show } = toolkit;

await toolkit.runCommand({
  script: 'audit.mjs',
  summary:
    'The trail of events of one KSESSIONS session, or of all, host session by host session, and whether each chain holds. ' +
    'Reads only, and needs the keys that sealed the events. With --quiet only what does not hold is printed.',
  positionals: '[id]',
  complete: 'ids',
  options: {},
  examples: [
    ['$0 15', 'who did what to session 15, when and why'],
    ['$0 --quiet', 'check everything; exit 1 when a chain does not hold'],
    ['$0 --json', 'one event a line, and at the end whether all hold'],
  ],
  async run(run) {
    const ids = parseIds(run.words.positionals);
    if (ids.length > 1) throw faults.usage('audit takes one id.', 'Without an id it prints the trail of all sessions.');
    const request = { ...toolkit.readingRequest(run), needs: toolkit.CONSOLIDATE_NEEDS };
    await toolkit.withAccess(request, ({ database, keys }) => audit(run, database, keys, ids[0]));
  },
});

async function audit(run, database, keys, id) {
  const { words } = run;
  const tally = new show.TrailTally();
  let isRead = true;
  for await (const steps of toolkit.readTrail(database.canvas, keys, id)) {
    tally.count(steps);
    const text = steps.map((step) => textOf(words, database, step)).join('');
    // Once nobody reads on, the check still goes to its end: the exit code tells of all chains.
    if (isRead && text !== '') isRead = await run.stream(text);
  }
  if (id !== undefined && tally.chains === 0) throw faults.noTrail(id, database.target.name);
  const withoutTrail = id === undefined ? await toolkit.countWithoutTrail(database.canvas) : 0;
  if (words.flag('json') && isRead) await run.stream(render.jsonLine(show.trailJson(database, tally, withoutTrail)));
  run.notice(show.trailText(tally, withoutTrail));
  if (tally.broken > 0) throw faults.trailBroken(tally);
}

function textOf(words, database, step) {
  if (words.flag('quiet') && (step.kind === 'event' || step.chain.state.holds)) return '';
  if (!words.flag('json')) return show.stepText(step);
  const json = show.stepJson(database, step);
  return json === undefined ? '' : render.jsonLine(json);
}
