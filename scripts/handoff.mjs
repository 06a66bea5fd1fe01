#!/usr/bin/env zx
// Writes the SQL bundle for a database that this toolkit must not connect to. Opens nothing.
import { createRequire } from 'node:module';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { faults, render, renderMigrations: show } = toolkit;

/** What goes with --provision alone. */
const CREDENTIAL_OPTIONS = {
  file: { type: 'string', describe: 'Read ids from this file, - is standard input' },
  guids: { type: 'string', describe: 'A new file for the GUIDs, which only you can read; never in the bundle' },
  'if-exists': { type: 'string', choices: ['rotate', 'fail'], describe: 'Where a live GUID exists (else fail)' },
  expires: { type: 'string', describe: 'ISO 8601 time or duration (90d, 12h); it must be in the future' },
  'created-by': { type: 'string', describe: 'Who decided this (else the user of the operating system)' },
  reason: { type: 'string', describe: 'Why, for the audit trail' },
};

await toolkit.runCommand({
  script: 'handoff.mjs',
  summary:
    'Writes preflight.sql, migrate.sql, verify.sql and MANIFEST.json for a SQL Server database that an administrator ' +
    'runs them on; with --provision also provision.sql and verify-credentials.sql, and the GUIDs to a file of their ' +
    'own. Connects to nothing.',
  positionals: '[--provision ids…]',
  options: {
    out: { type: 'string', describe: 'A new or empty folder for the files; nothing is ever overwritten' },
    database: { type: 'string', describe: 'The name of the database the scripts are for; in any other they refuse' },
    provision: { type: 'boolean', describe: 'Make host GUIDs for these KSESSIONS ids: 15, 15 212, 20-30' },
    ...CREDENTIAL_OPTIONS,
  },
  examples: [
    ['$0 --database KSESSIONS --out handoff', 'the scripts for the production database'],
    ['$0 --database KSESSIONS --out handoff --provision 15 212 --guids guids.txt', 'and two credentials with them'],
  ],
  async run({ settings, words, print }) {
    const { database, out } = placeOf(words);
    const order = await orderOf(words, settings, database);
    const more = order && toolkit.composeCredentials(database, order.key, order.terms, order.orders);
    const files = await toolkit.composeHandoff(database, undefined, more);
    if (order === undefined) toolkit.writeHandoff(out, files);
    else toolkit.deliverFirst(order.guids, out, order.orders, () => toolkit.writeHandoff(out, files));
    const handed = order && { guids: order.guids, credentials: more.manifest.credentials };
    await print(
      words.flag('json')
        ? render.jsonLine(show.handoffJson(out, database, files, handed))
        : show.handoffText(out, database, files, handed),
    );
  },
});

function placeOf(words) {
  const [out, database] = ['out', 'database'].map((option) => words.text(option));
  if (words.text('target') !== undefined) {
    throw faults.usage('handoff takes no --target.', 'It connects to nothing.', 'Name the database: --database NAME.');
  }
  if (out === undefined) throw faults.usage('No folder was named.', 'The files go somewhere.', 'Give --out DIR.');
  if (database === undefined) {
    throw faults.usage('No database was named.', 'The scripts refuse every other one.', 'Give --database NAME.');
  }
  return { out, database };
}

async function orderOf(words, settings, database) {
  if (!words.flag('provision')) {
    const [given] = Object.keys(CREDENTIAL_OPTIONS).filter((option) => words.text(option) !== undefined);
    if (given !== undefined) throw faults.handoffWithout(`--${given}`);
    if (words.positionals.length > 0) throw faults.handoffWithout(`The id ${words.positionals[0]}`);
    return undefined;
  }
  const guids = words.text('guids');
  if (guids === undefined) throw faults.handoffNeedsGuids();
  const { ids } = await toolkit.readChoice(words);
  const terms = { ...toolkit.readTerms(words), ifExists: words.text('if-exists') ?? 'fail' };
  return { guids, terms, orders: toolkit.makeOrders(ids), key: toolkit.readHandoffKey(settings, database) };
}
