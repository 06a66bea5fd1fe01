/**
 * The runner: each migration in one transaction with its history and ledger rows. What is to be done is read under a
 * lock that ends with the transaction, so that nothing can stay locked and a killed run is simply continued.
 */
import { explain, withSchemaChange, type Database, type Reader, type Writer } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Permit } from '../guard/guard';
import { applyMigration, revertMigration, type AppliedHere, type AppliedStep } from './apply';
import { MIGRATIONS_FOLDER, readMigrations, type MigrationFile } from './files';
import { nextBatch, readBooks, readEntries, recordHistory, type Applied, type Entry } from './ledger';
import { findLosses, findOthers } from './losses';
import { requireClearWay, requireWayBack } from './obstacles';
import { compare, planLatest, planRollback, type RollbackStep } from './plan';
import { listObjects } from './live-schema';

/** Every runner takes this lock, the `knex` command too. */
export const MIGRATION_LOCK = 'migrate';

/** How often a migration that takes long says that it is alive. */
const SIGN_OF_LIFE_MS = 10_000;

export interface RunRequest {
  readonly folder?: string | undefined;
  readonly actor: string;
  /** Whether a file older than an applied one may run. */
  readonly allowLate?: boolean;
  /** Told after each migration was committed. */
  readonly onApplied?: (name: string, durationMs: number) => void;
  /** Told every 10 s while one is at work. */
  readonly onAlive?: (name: string, seconds: number) => void;
}

/** Names of the migrations still to apply. Creates nothing and needs no write permission. */
export async function pendingMigrations(reader: Reader, folder = MIGRATIONS_FOLDER): Promise<string[]> {
  return planLatest(readMigrations(folder), await readEntries(reader)).map(({ name }) => name);
}

/**
 * Applies what is pending. Runners at the same time take turns; each migration is applied once.
 * @returns the names this run applied
 * @throws ToolkitError CONFIG, MIGRATION_EDITED, DATA_NOT_READY, SCHEMA_UNSUPPORTED, LOCKED and the guard's
 */
export async function migrateLatest(database: Database, permit: Permit, request: RunRequest): Promise<string[]> {
  const files = readMigrations(request.folder);
  const plan = (applied: readonly Entry[]) => planLatest(files, applied, request.allowLate);
  const done: string[] = [];
  let batch: number | undefined;
  let last: Leaving | undefined;
  const { pending, problems } = compare(files, await readEntries(database.canvas));
  // What is wrong is judged under the lock: read beside a run at work, books can disagree on some servers.
  if (pending.length + problems.length === 0) return done;
  do {
    last = await withSchemaChange(database, permit, MIGRATION_LOCK, async (writer) => {
      const known = last !== undefined && writer.follows(last.writer) ? last : undefined;
      const applied = known === undefined ? await readBooks(writer, files) : [];
      const [next, ...rest] = known?.pending ?? plan(applied);
      if (next === undefined) return undefined;
      if (done.length === 0) await requireClearWay(writer, [next, ...rest], permit.target.name);
      batch ??= nextBatch(applied);
      return { ...(await applyNext(database, writer, next, batch, request, known?.live)), writer, pending: rest };
    });
    if (last === undefined) break;
    done.push(last.step.name);
    request.onApplied?.(last.step.name, last.step.durationMs);
  } while (last.pending.length > 0);
  return done;
}

/** What a transaction left. Under the next lock it is read anew, unless nobody else can have written in between. */
interface Leaving extends AppliedHere {
  readonly writer: Writer;
  readonly pending: readonly MigrationFile[];
}

async function applyNext(
  database: Database,
  writer: Writer,
  file: MigrationFile,
  batch: number,
  request: RunRequest,
  live?: ReadonlySet<string>,
): Promise<AppliedHere> {
  const { engine } = database;
  const apply = () => applyMigration({ engine, writer }, file, request.actor, live);
  const applied = await showingLife(file.name, request.onAlive, apply).catch((error: unknown) => {
    throw inMigration(database, faults.migrationFailed, file.name, error);
  });
  await recordHistory(writer, file.name, batch);
  return applied;
}

async function showingLife<T>(name: string, tell: RunRequest['onAlive'], work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const timer = setInterval(() => tell?.(name, Math.round((performance.now() - start) / 1000)), SIGN_OF_LIFE_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** A time-out or a lost connection says so itself; everything else is about the data or the schema. */
function inMigration(
  database: Database,
  fault: (name: string, cause: unknown) => ToolkitError,
  name: string,
  error: unknown,
): unknown {
  const known = explain(database, error);
  if (known instanceof ToolkitError && known.cause === undefined) return known;
  if (known instanceof ToolkitError && known.code !== 'CONFLICT') return known;
  return fault(name, known instanceof ToolkitError ? known.cause : known);
}

/** Thrown to roll a rehearsal back. */
class RehearsalOver extends Error {
  override readonly name = 'RehearsalOver';
}

/**
 * Applies what is pending in one transaction, and rolls it back: the real thing, with its locks, while it runs. Only
 * numbers that identities gave out stay used.
 * @throws ToolkitError as `migrateLatest`
 */
export async function rehearse(database: Database, permit: Permit, request: RunRequest): Promise<AppliedStep[]> {
  const files = readMigrations(request.folder);
  const steps: AppliedStep[] = [];
  await withSchemaChange(database, permit, MIGRATION_LOCK, async (writer) => {
    const applied = await readEntries(writer);
    for (const file of planLatest(files, applied, request.allowLate)) {
      steps.push((await applyNext(database, writer, file, nextBatch(applied), request)).step);
    }
    throw new RehearsalOver();
  }).catch((error: unknown) => {
    if (!(error instanceof RehearsalOver)) throw error;
  });
  return steps;
}

/** What a rollback is asked for. */
export interface RollbackRequest {
  readonly folder?: string;
  /** What stays, by its name; `0` is nothing; undefined is everything before the last batch. */
  readonly to: string | undefined;
  /** Told after each migration was taken back for good. */
  readonly onReverted?: (name: string) => void;
}

/**
 * Takes migrations back, the last one first. Whether data would be lost is asked of all of them before the first is
 * touched, and again of each under a lock on its tables.
 * @returns the names this run took back
 * @throws ToolkitError DATA_NOT_READY, CONFLICT, MIGRATION_EDITED, CONFIG, USAGE, LOCKED and the guard's
 */
export async function rollback(database: Database, permit: Permit, request: RollbackRequest): Promise<string[]> {
  const files = readMigrations(request.folder);
  const steps = planRollback(files, await readBooks(database.canvas, files), request.to);
  for (const { file } of steps) await requireWayBack(database.canvas.dialect, file);
  await assertNothingLost(database.canvas, steps);
  for (const step of steps) {
    await withSchemaChange(database, permit, MIGRATION_LOCK, (writer) => revertLast(database, writer, files, step));
    request.onReverted?.(step.file.name);
  }
  return steps.map(({ file }) => file.name);
}

async function assertNothingLost(reader: Reader, steps: readonly RollbackStep[]): Promise<void> {
  if (steps.length === 0) return;
  const objects = await listObjects(reader);
  const allMade = new Set(steps.flatMap(({ applied }) => applied.objects.made));
  for (const { file, applied } of steps) {
    const others = findOthers(applied.objects.made, allMade, objects);
    if (others.length > 0) throw faults.rollbackTakesOther(file.name, others);
    const losses = await findLosses(reader, applied.objects.made, objects);
    if (losses.length > 0) throw faults.rollbackLosesData(file.name, losses);
  }
}

async function revertLast(
  database: Database,
  writer: Writer,
  files: readonly MigrationFile[],
  { file }: RollbackStep,
): Promise<void> {
  const step = requireLast(files, await readBooks(writer, files), file.name);
  await revertMigration({ engine: database.engine, writer }, step).catch((error: unknown) => {
    throw inMigration(database, faults.rollbackFailed, file.name, error);
  });
}

/** The last applied migration, if it is the one that is meant. @throws ToolkitError CONFLICT where it is another */
export function requireLast(files: readonly MigrationFile[], applied: readonly Applied[], name: string): RollbackStep {
  if (!applied.some((one) => one.name === name)) throw faults.revertedMeanwhile(name);
  const last = applied.at(-1);
  if (last !== undefined && last.name !== name) throw faults.newerApplied(name, last.name);
  const [step] = planRollback(files, applied, applied.at(-2)?.name ?? '0');
  if (step === undefined) throw faults.revertedMeanwhile(name);
  return step;
}

/** The first pending migration, if it is the one that is meant. @throws ToolkitError CONFLICT, MIGRATIONS_PENDING */
export function requireNext(files: readonly MigrationFile[], applied: readonly Entry[], name: string): MigrationFile {
  const pending = planLatest(files, applied);
  const file = pending.find((one) => one.name === name);
  const [first] = pending;
  if (file === undefined || first === undefined) throw faults.appliedMeanwhile(name);
  if (first.name !== name) throw faults.olderPending(name, first.name);
  return file;
}
