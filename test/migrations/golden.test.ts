import test from 'ava';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { loadMigration, readMigrations } from '../../lib/migrations/files';
import { recordStatements } from '../../lib/migrations/record';

const FOLDER = join(PACKAGE_ROOT, 'test', 'golden');

// A migration is history: what it emits must never change, whatever happens to the helpers it uses. A deliberate
// change of an unreleased migration: delete its golden file, run the tests once, read the new one.
for (const dialect of ['postgres', 'mssql'] as const) {
  for (const file of readMigrations()) {
    for (const direction of ['up', 'down'] as const) {
      test(`${dialect}: ${file.name} emits what it always did, ${direction}`, async (t) => {
        const statements = await recordStatements(dialect, (knex) => loadMigration(file)[direction](knex));
        const text = statements.map((statement) => `${statement}\n${dialect === 'mssql' ? 'GO' : ';'}\n`).join('\n');
        const golden = join(FOLDER, `${file.name}.${direction === 'up' ? '' : 'down.'}${dialect}.sql`);
        if (!existsSync(golden) && process.env['CI'] === undefined) writeFileSync(golden, text);
        t.is(text, readFileSync(golden, 'utf8'));
      });
    }
  }
}
