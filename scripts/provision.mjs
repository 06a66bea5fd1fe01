#!/usr/bin/env zx
// Provisions a host GUID for KSESSIONS sessions, or rotates it where a live one exists.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { actorOf, faults, parseExpiry, parseIds, parseText, render } = toolkit;

await toolkit.runCommand({
  script: 'provision.mjs',
  summary: 'Makes the host GUID of KSESSIONS sessions, or replaces it where a live one exists. Shown once, never stored.',
  positionals: '[ids…]',
  options: {
    ...toolkit.WRITING_OPTIONS,
    expires: { type: 'string', describe: 'ISO 8601 time or duration (90d, 12h); it must be in the future' },
    'if-exists': { type: 'string', choices: ['rotate', 'keep', 'fail'], describe: 'Where a live GUID exists' },
    out: { type: 'string', describe: 'Write GUIDs to this new file, which only you can read, not to stdout' },
  },
  examples: [
    ['$0 15', 'KSESSIONS session 15'],
    ['GUID=$($0 15 --quiet)', 'only the GUID on stdout'],
    ['$0 15 212 215-218 --json', 'several, as JSON lines'],
  ],
  async run(run) {
    const { words } = run;
    const ids = parseIds(words.positionals);
    if (ids.length === 0) throw faults.noIds();
    const request = toRequest(words);
    const out = words.text('out');
    if (words.flag('dry-run') && out !== undefined && existsSync(out)) throw faults.outExists(out);
    await toolkit.withAccess(toolkit.accessRequest(run, request.actor), ({ database, permit, keys }) =>
      words.flag('dry-run')
        ? toolkit.forEachId(ids, database, run.report, (id) => preview(run, database, { ...request, ksessionsId: id }))
        : withOutput(run, database, (output) =>
            toolkit.forEachId(ids, database, run.report, async (id) => {
              const asked = await agree(run, database, { ...request, ksessionsId: id });
              const outcome = await toolkit.provision(database, permit, keys, asked, output.delivery);
              await output.conclude(outcome);
            }),
          ),
    );
  },
});

function toRequest(words) {
  const reason = words.text('reason');
  const expires = words.text('expires');
  return {
    actor: actorOf(words.text('created-by')),
    reason: reason === undefined ? null : parseText('--reason', reason, 1000),
    expiresAt: expires === undefined ? undefined : parseExpiry(expires),
    ifExists: words.text('if-exists'),
  };
}

async function preview({ words, print }, database, request) {
  const plan = await toolkit.previewProvision(database, withDefault(request));
  if (words.flag('quiet')) return;
  await print(words.flag('json') ? render.jsonLine(render.planJson(database, plan)) : render.planText(plan));
}

function withDefault(request) {
  return { ...request, ifExists: request.ifExists ?? 'rotate' };
}

/** On a terminal, replacing a live credential is asked first; elsewhere it is done, as the old tool did. */
async function agree(run, database, request) {
  if (request.ifExists !== undefined || !toolkit.isTerminal()) return withDefault(request);
  const plan = await toolkit.previewProvision(database, withDefault(request));
  if (plan.action !== 'rotate') return withDefault(request);
  run.notice(render.liveText(plan));
  if (!(await toolkit.confirm('Replace it?', '--if-exists'))) throw faults.notConfirmed(request.ksessionsId);
  return { ...withDefault(request), confirmed: plan.live.fingerprint };
}

async function withOutput(run, database, work) {
  const { words } = run;
  const output = toolkit.openOutput({
    database,
    print: run.print,
    notice: run.notice,
    format: words.flag('json') ? 'json' : words.flag('quiet') ? 'quiet' : 'text',
    out: words.text('out'),
  });
  try {
    return await work(output);
  } finally {
    output.close();
  }
}
