'use strict';
// Writes rows of a table into the embedded database of the target that the environment names, one transaction
// each, and says so on stdout when a row is committed. Arguments: the table, the writer's name, how many rows
// between two opens, and the numbers to write.
const { writeSync } = require('node:fs');

require('../../lib/register.cjs');
const { withAccess } = require('../../lib/access');
const { readSettings } = require('../../lib/config/settings');
const { withTransaction } = require('../../lib/engines/database');

const [table, name, batch, ...numbers] = process.argv.slice(2);

const request = {
  settings: readSettings(process.env),
  waitMs: 120_000,
  actor: name,
  onOpen: () => undefined,
  onNotice: () => undefined,
};

/** A row may be there already: its writer was killed after the commit, before it could say so. */
async function writeOne({ database, permit }, number) {
  const row = { Writer: name, Number: Number(number) };
  await withTransaction(database, permit, undefined, (writer) =>
    writer.table(table).insert(row).onConflict(['Writer', 'Number']).ignore(),
  );
  writeSync(1, `${number}\n`);
}

async function main() {
  while (numbers.length > 0) {
    const next = numbers.splice(0, Number(batch));
    await withAccess(request, async (access) => {
      for (const number of next) await writeOne(access, number);
    });
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
