#!/usr/bin/env zx
// Brings schema canvas up to date, says what is pending, shows or rehearses it, or takes it back.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { actorOf, faults, render, renderMigrations: show } = toolkit;

/** Each verb, and the options that are its own. */
const VERBS = {
  latest: { run: latest, options: ['allow-late'] },
  status: { run: status, options: [] },
  plan: { run: plan, options: ['allow-late', 'rehearse'] },
  rollback: { run: rollback, options: ['to'] },
};

await toolkit.runCommand({
  script: 'migrate.mjs',
  summary:
    'latest applies what is pending (the default). status says what is, and exits 4 when something is. plan prints the ' +
    'SQL and what stands in its way. rollback takes the last batch back. status and plan write nothing.',
  positionals: '[latest|status|plan|rollback]',
  complete: Object.keys(VERBS),
  options: {
    'created-by': toolkit.WRITING_OPTIONS['created-by'],
    wait: toolkit.WRITING_OPTIONS.wait,
    'allow-late': { type: 'boolean', describe: 'latest, plan: let a file run that is older than an applied one' },
    rehearse: { type: 'boolean', describe: 'plan: run it in a transaction that is rolled back; it locks while it runs' },
    to: { type: 'string', describe: 'rollback: what was applied after this migration; 0 is everything' },
  },
  examples: [
    ['$0 status --target dev', 'what would be applied'],
    ['$0 rollback --to 20261122000300_nullable_columns --target dev', 'what came after it'],
  ],
  async run(run) {
    const [name = 'latest', ...rest] = run.words.positionals;
    const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
    if (verb === undefined || rest.length > 0) {
      throw faults.usage(`Unknown words: ${run.words.positionals.join(' ')}`, `It takes one of ${Object.keys(VERBS).join(', ')}.`);
    }
    for (const option of ['allow-late', 'rehearse', 'to']) {
      const isGiven = run.words.flag(option) || run.words.text(option) !== undefined;
      if (isGiven && !verb.options.includes(option)) throw faults.usage(`${name} does not take --${option}.`, 'Nothing was done.');
    }
    const actor = actorOf(run.words.text('created-by'));
    await toolkit.withOpenTarget(toolkit.accessRequest(run, actor, 'migrate'), (database) => verb.run(run, database, actor));
  },
});

function requestOf(run, actor) {
  return {
    actor,
    allowLate: run.words.flag('allow-late'),
    onAlive: (name, seconds) => run.notice(`Still at ${name} (${seconds} s)\n`),
  };
}

async function latest(run, database, actor) {
  const permit = await toolkit.permitFor(database, { actor, onNotice: (text) => run.notice(`${text}\n`) });
  const onApplied = (name, durationMs) => run.notice(`Applied ${name} (${durationMs} ms)\n`);
  const applied = await toolkit.migrateLatest(database, permit, { ...requestOf(run, actor), onApplied });
  await tell(run, show.runJson(database, 'migrated', applied), show.runText('migrated', applied));
}

async function rollback(run, database) {
  const permit = await toolkit.requirePermit(database);
  const onReverted = (name) => run.notice(`Took back ${name}\n`);
  const reverted = await toolkit.rollback(database, permit, { to: run.words.text('to'), onReverted });
  await tell(run, show.runJson(database, 'rolled-back', reverted), show.runText('rolled-back', reverted));
}

async function status(run, database) {
  const found = await toolkit.migrationStatus(database);
  await tell(run, show.statusJson(database, found), show.statusText(found));
  const refusal = toolkit.firstRefusal(database, found);
  if (refusal !== undefined) throw refusal;
  const pending = found.pending.map(({ name }) => name);
  if (pending.length > 0) throw faults.migrationsPending(database.target.name, pending);
}

async function plan(run, database, actor) {
  if (run.words.flag('rehearse')) return rehearse(run, database, actor);
  const found = await toolkit.migrationStatus(database);
  const steps = await toolkit.previewLatest(database, found);
  const end = database.engine.dialect === 'mssql' ? 'GO' : ';';
  await tell(run, show.planJson(database, found, steps), show.planText(found, steps, end));
  const refusal = toolkit.firstRefusal(database, found, run.words.flag('allow-late'));
  if (refusal !== undefined) throw refusal;
}

async function rehearse(run, database, actor) {
  const permit = await toolkit.requirePermit(database);
  run.notice('Rehearsing: the tables are locked until it is rolled back.\n');
  const steps = await toolkit.rehearse(database, permit, requestOf(run, actor));
  await tell(run, show.rehearsalJson(database, steps), show.rehearsalText(steps));
}

async function tell(run, json, text) {
  await run.print(run.words.flag('json') ? render.jsonLine(json) : text);
}
