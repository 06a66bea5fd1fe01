#!/usr/bin/env zx
// Marks a database, once, as belonging to a target.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { actorOf, faults, render } = toolkit;

await toolkit.runCommand({
  script: 'enrol.mjs',
  summary: 'Marks the database of a target as belonging to it. Done once; every write checks the mark.',
  positionals: '',
  options: {
    'created-by': toolkit.WRITING_OPTIONS['created-by'],
    wait: toolkit.WRITING_OPTIONS.wait,
    confirm: { type: 'string', describe: 'The name the server reports for the database, as a confirmation' },
  },
  examples: [['$0 --target dev', 'asks for the name of the database']],
  async run(run) {
    if (run.words.text('target') === undefined) {
      throw faults.usage('No target was named.', 'Enrolment is never done by default.', 'Give --target NAME.');
    }
    const actor = actorOf(run.words.text('created-by'));
    await toolkit.withOpenTarget(toolkit.accessRequest(run, actor, 'migrate'), async (database) => {
      const confirmed =
        run.words.text('confirm') ??
        (await toolkit.askText('The name of the database, as printed above after "canvas":', '--confirm NAME'));
      for (const finding of await toolkit.findHarm(database)) run.notice(`Warning: ${render.plain(finding)}\n`);
      const enrolment = await toolkit.enrol(database, confirmed, actor);
      await run.print(
        run.words.flag('json')
          ? render.jsonLine({ schema: 'canvas-host/1', status: 'enrolled', ...enrolment })
          : render.enrolmentText(enrolment),
      );
    });
  },
});
