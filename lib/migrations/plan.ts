/** Pure: files × ledger → the steps to take, or why not. */
import { faults } from '../errors';
import type { MigrationFile } from './files';
import type { Applied } from './ledger';

/**
 * The migrations still to apply, oldest first.
 * @throws ToolkitError MIGRATION_EDITED when an applied file is edited or gone, or a pending one is older than an
 *   applied one (it would have run in another order elsewhere)
 */
export function planLatest(files: readonly MigrationFile[], applied: readonly Applied[]): MigrationFile[] {
  for (const row of applied) {
    const file = files.find(({ name }) => name === row.name);
    if (file === undefined) throw faults.migrationMissing(row.name);
    if (file.checksum !== row.checksum) throw faults.migrationEdited(row.name);
  }
  const done = new Set(applied.map(({ name }) => name));
  const pending = files.filter(({ name }) => !done.has(name));
  const newest = applied.at(-1)?.name;
  const late = pending.find(({ name }) => newest !== undefined && name < newest);
  if (late !== undefined && newest !== undefined) throw faults.migrationLate(late.name, newest);
  return pending;
}
