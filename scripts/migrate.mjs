#!/usr/bin/env zx
// Brings schema canvas up to date, or says what is pending.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { actorOf, faults, render } = toolkit;

await toolkit.runCommand({
  script: 'migrate.mjs',
  summary: 'latest applies what is pending (the default); status says what is, and exits 4 when something is.',
  positionals: '[latest|status]',
  options: {
    'created-by': toolkit.WRITING_OPTIONS['created-by'],
    wait: toolkit.WRITING_OPTIONS.wait,
  },
  examples: [['$0 status --target dev', 'what would be applied']],
  async run(run) {
    const [verb = 'latest', ...rest] = run.words.positionals;
    if (!['latest', 'status'].includes(verb) || rest.length > 0) {
      throw faults.usage(`Unknown words: ${run.words.positionals.join(' ')}`, 'It takes latest or status.');
    }
    const actor = actorOf(run.words.text('created-by'));
    await toolkit.withOpenTarget(toolkit.accessRequest(run, actor, 'migrate'), (database) =>
      verb === 'status' ? status(run, database) : latest(run, database, actor),
    );
  },
});

async function latest(run, database, actor) {
  const permit = await toolkit.permitFor(database, { actor, onNotice: (text) => run.notice(`${text}\n`) });
  const onApplied = (name, durationMs) => run.notice(`Applied ${name} (${durationMs} ms)\n`);
  const applied = await toolkit.migrateLatest(database, permit, { actor, onApplied });
  await tell(run, { status: 'migrated', applied }, `${applied.length} applied; the schema is up to date.\n`);
}

async function status(run, database) {
  await toolkit.permitFor(database, { actor: 'status', onNotice: (text) => run.notice(`${text}\n`) });
  const pending = await toolkit.pendingMigrations(database.canvas);
  if (pending.length > 0) throw faults.migrationsPending(database.target.name, pending);
  await tell(run, { status: 'up-to-date', pending }, 'The schema is up to date.\n');
}

async function tell(run, json, text) {
  await run.print(run.words.flag('json') ? render.jsonLine({ schema: 'canvas-host/1', ...json }) : text);
}
