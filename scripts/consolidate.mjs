#!/usr/bin/env zx
// Mends what the old application left, as far as the rows decide it, and names what a person must decide.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { actorOf, faults, parseLink, parseText, render, renderRepair } = toolkit;

await toolkit.runCommand({
  script: 'consolidate.mjs',
  summary:
    'Shows what the old application left that is not right: several live GUIDs of one session, revoked ones that are ' +
    'active again, hash copies that differ, identities behind their rows. --apply mends it; no row is merged or deleted.',
  positionals: '',
  options: {
    ...toolkit.WRITING_OPTIONS,
    apply: { type: 'boolean', describe: 'Mend what can be mended; without it the plan is shown' },
    link: { type: 'string', describe: 'CANVAS=KSESSIONS: which session a canvas session is; CANVAS=none: it is none' },
  },
  examples: [
    ['$0 --target dev', 'the plan; exit 1 when there is something in it'],
    ['$0 --target dev --apply', 'mends; exit 1 when something is left to decide'],
    ['$0 --target dev --link 219=15 --apply', 'canvas session 219 is KSESSIONS session 15'],
  ],
  async run(run) {
    const { words } = run;
    const request = toRequest(words);
    const link = words.text('link');
    const asked = link === undefined ? undefined : { ...request, ...parseLink(link) };
    const access = { ...toolkit.accessRequest(run, request.actor, 'migrate'), needs: toolkit.CONSOLIDATE_NEEDS };
    await toolkit.withAccess(access, (open) => (asked === undefined ? mend(run, open, request) : setLink(run, open, asked)));
  },
});

function toRequest(words) {
  if (words.flag('apply') && words.flag('dry-run')) {
    throw faults.usage('--apply and --dry-run exclude each other.', 'Without --apply nothing is written anyway.');
  }
  const reason = words.text('reason');
  return {
    actor: actorOf(words.text('created-by')),
    reason: reason === undefined ? null : parseText('--reason', reason, toolkit.MAX_REASON),
    apply: words.flag('apply'),
  };
}

async function mend(run, { database, permit, keys }, request) {
  const { json, text } = printers(run);
  const summary = await toolkit.consolidate(database, permit, keys, request, async (step, done) => {
    await json(() => renderRepair.stepJson(database, step, done));
    await text(() => renderRepair.stepText(database, step, done));
  });
  await json(() => renderRepair.summaryJson(database, summary));
  await text(() => renderRepair.summaryText(summary));
  const { findings, isApplied, repairs } = summary;
  if (findings + (isApplied ? 0 : repairs) > 0) throw faults.toDecide(isApplied ? 0 : repairs, findings);
}

async function setLink(run, { database, permit, keys }, request) {
  const { json, text } = printers(run);
  const { plan, done } = await toolkit.link(database, permit, keys, request);
  await json(() => renderRepair.linkJson(database, plan, done));
  await text(() => renderRepair.linkText(plan, done));
}

function printers({ words, print }) {
  return {
    json: (make) => (words.flag('json') ? print(render.jsonLine(make())) : undefined),
    text: (make) => (words.flag('json') || words.flag('quiet') ? undefined : print(make())),
  };
}
