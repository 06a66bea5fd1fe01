#!/usr/bin/env zx
// Writes the SQL bundle for a database that this toolkit must not connect to. Opens nothing.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { faults, render, renderMigrations: show } = toolkit;

await toolkit.runCommand({
  script: 'handoff.mjs',
  summary:
    'Writes preflight.sql, migrate.sql, verify.sql and MANIFEST.json for a SQL Server database that an administrator ' +
    'runs them on. Connects to nothing.',
  positionals: '',
  options: {
    out: { type: 'string', describe: 'A new or empty folder for the files; nothing is ever overwritten' },
    database: { type: 'string', describe: 'The name of the database the scripts are for; in any other they refuse' },
  },
  examples: [['$0 --database KSESSIONS --out handoff', 'the scripts for the production database']],
  async run({ words, print }) {
    const [out, database] = ['out', 'database'].map((option) => words.text(option));
    if (words.text('target') !== undefined) {
      throw faults.usage('handoff takes no --target.', 'It connects to nothing.', 'Name the database: --database NAME.');
    }
    if (out === undefined) throw faults.usage('No folder was named.', 'The files go somewhere.', 'Give --out DIR.');
    if (database === undefined) {
      throw faults.usage('No database was named.', 'The scripts refuse every other one.', 'Give --database NAME.');
    }
    const files = await toolkit.composeHandoff(database);
    toolkit.writeHandoff(out, files);
    await print(
      words.flag('json')
        ? render.jsonLine(show.handoffJson(out, database, files))
        : show.handoffText(out, database, files),
    );
  },
});
