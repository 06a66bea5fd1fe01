/** Pure: files × ledger × goal → the steps to take, or why not. */
import { faults, type ToolkitError } from '../errors';
import type { MigrationFile } from './files';
import type { Applied, Entry } from './ledger';

/** Why files and ledger do not fit together. */
export type Problem =
  | { readonly kind: 'edited' | 'missing' | 'unrecorded' | 'damaged'; readonly name: string }
  | { readonly kind: 'renamed'; readonly name: string; readonly to: string }
  | { readonly kind: 'late'; readonly name: string; readonly newest: string };

/** How the files and the ledger stand to each other. */
export interface Standing<T extends Entry = Applied> {
  /** As they were applied, first to last. */
  readonly applied: readonly T[];
  /** Oldest first. */
  readonly pending: readonly MigrationFile[];
  readonly problems: readonly Problem[];
}

/** Compares; refuses nothing. */
export function compare<T extends Entry>(files: readonly MigrationFile[], applied: readonly T[]): Standing<T> {
  const done = new Set(applied.map(({ name }) => name));
  const pending = files.filter(({ name }) => !done.has(name));
  const problems = [...historyProblems(files, applied, pending), ...damaged(applied), ...lateOnes(applied, pending)];
  return { applied, pending, problems };
}

function historyProblems(
  files: readonly MigrationFile[],
  applied: readonly Entry[],
  pending: readonly MigrationFile[],
): Problem[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  return applied.flatMap(({ name, checksum, batch }): Problem[] => {
    if (checksum === undefined || batch === undefined) return [{ kind: 'unrecorded', name }];
    const file = byName.get(name);
    if (file !== undefined) return file.checksum === checksum ? [] : [{ kind: 'edited', name }];
    const twin = pending.find((other) => other.checksum === checksum);
    return [twin === undefined ? { kind: 'missing', name } : { kind: 'renamed', name, to: twin.name }];
  });
}

/** Nobody knows what they made. */
function damaged(applied: readonly (Entry & Partial<Pick<Applied, 'isDamaged'>>)[]): Problem[] {
  return applied.filter(({ isDamaged }) => isDamaged === true).map(({ name }) => ({ kind: 'damaged', name }));
}

/** Older than an applied one: elsewhere it would have run in another order. */
function lateOnes(applied: readonly Entry[], pending: readonly MigrationFile[]): Problem[] {
  const newest = applied.reduce((latest, { name }) => (name > latest ? name : latest), '');
  return pending.filter(({ name }) => name < newest).map(({ name }) => ({ kind: 'late', name, newest }));
}

/** A problem in our words. */
export function faultOf(problem: Problem): ToolkitError {
  switch (problem.kind) {
    case 'edited':
      return faults.migrationEdited(problem.name);
    case 'missing':
      return faults.migrationMissing(problem.name);
    case 'renamed':
      return faults.migrationRenamed(problem.name, problem.to);
    case 'damaged':
      return faults.ledgerDamaged(problem.name);
    case 'unrecorded':
      return faults.booksDiffer(problem.name);
    case 'late':
      return faults.migrationLate(problem.name, problem.newest);
  }
}

/** What stops a run: a late file does not where it was asked for. */
function assertNothingStops(problems: readonly Problem[], allowLate: boolean): void {
  const [first] = problems.filter(({ kind }) => !(allowLate && kind === 'late'));
  if (first !== undefined) throw faultOf(first);
}

/**
 * The migrations still to apply, oldest first.
 * @throws ToolkitError MIGRATION_EDITED when an applied file is edited, renamed or gone, when history and ledger
 *   differ, or when a pending file is older than an applied one and that was not asked for
 */
export function planLatest(
  files: readonly MigrationFile[],
  applied: readonly Entry[],
  allowLate = false,
): readonly MigrationFile[] {
  const { pending, problems } = compare(files, applied);
  assertNothingStops(problems, allowLate);
  return pending;
}

/** `--to 0`: everything. */
export const BEGINNING = '0';

/** One migration to take back, and what the ledger says of it. */
export interface RollbackStep {
  readonly file: MigrationFile;
  readonly applied: Applied;
}

/**
 * The migrations to take back, the last applied first.
 * @param to the last that stays, by its name, in the order they were applied; undefined takes the last batch back
 * @throws ToolkitError MIGRATION_EDITED as `planLatest` (but late files do not matter); USAGE for a name that was not
 *   applied
 */
export function planRollback(
  files: readonly MigrationFile[],
  applied: readonly Applied[],
  to: string | undefined,
): readonly RollbackStep[] {
  assertNothingStops(compare(files, applied).problems, true);
  if (to !== undefined && to !== BEGINNING && !applied.some(({ name }) => name === to)) {
    throw faults.rollbackToUnknown(to, applied.map(({ name }) => name));
  }
  const lastBatch = applied.at(-1)?.batch;
  const kept = to === undefined ? applied.findIndex(({ batch }) => batch === lastBatch) : applied.findIndex(({ name }) => name === to) + 1;
  return applied.slice(Math.max(0, kept)).reverse().flatMap((one) => {
    const file = files.find(({ name }) => name === one.name);
    return file === undefined ? [] : [{ file, applied: one }];
  });
}
