/**
 * One migration, up or down, within a transaction that holds the lock and has asserted the database. The runner and
 * the `knex` command both come here: what the ledger says does not depend on who ran.
 */
import { packageVersion } from '../config/settings';
import type { Writer } from '../engines/database';
import type { Engine } from '../engines/engine';
import { faults } from '../errors';
import { loadMigration, type Migration, type MigrationFile } from './files';
import { recordInLedger, strikeOut, type Objects } from './ledger';
import { listObjects, readTables, readTakenNames, type LiveSchema } from './live-schema';
import { findLosses, lockWhatWasMade } from './losses';
import { findObstacles, refusalOfObstacles } from './obstacles';
import type { RollbackStep } from './plan';
import { recordMigration } from './record';
import { differences, isAbout, serves, type ExpectedSchema } from './schema';

/** A transaction at work on the schema. */
export interface Work {
  readonly engine: Engine;
  readonly writer: Writer;
}

/** What was done. */
export interface AppliedStep {
  readonly name: string;
  readonly durationMs: number;
  readonly objects: Objects;
}

/** The same, and what the schema holds since. */
export interface AppliedHere {
  readonly step: AppliedStep;
  readonly live: ReadonlySet<string>;
}

/**
 * Applies one migration and records it in the ledger.
 * @param live what the schema holds, where that is known for certain; it is read where it is left out
 * @throws ToolkitError CONFIG, DATA_NOT_READY, SCHEMA_UNSUPPORTED, and the driver's errors
 */
export async function applyMigration(
  { engine, writer }: Work,
  file: MigrationFile,
  actor: string,
  live?: ReadonlySet<string>,
): Promise<AppliedHere> {
  await engine.prepareSchemaChange(writer.sql);
  const recorded = await recordMigration(writer.dialect, file);
  const { migration } = recorded;
  const before = await readFor(migration, writer, live ?? (await listObjects(writer)));
  // Where nothing came in between, the names were looked at with the whole list.
  const taken = live === undefined ? await readTakenNames(writer) : [];
  const obstacles = await findObstacles(writer, recorded, { ...before, taken });
  const refusal = refusalOfObstacles(file.name, writer.permit.target.name, obstacles);
  if (refusal !== undefined) throw refusal;

  const start = performance.now();
  await migration.up(writer.sql);
  const durationMs = Math.round(performance.now() - start);

  const after = await readFor(migration, writer, await listObjects(writer));
  assertShape(file.name, migration.shape, after);
  const objects = {
    made: [...after.objects].filter((object) => !before.objects.has(object)).sort(),
    found: namesOf(migration.shape, after).filter((object) => before.objects.has(object)).sort(),
  };
  await recordInLedger(writer, {
    name: file.name,
    checksum: file.checksum,
    appliedAt: writer.now,
    durationMs,
    appliedBy: actor,
    toolVersion: packageVersion(),
    objects,
  });
  return { step: { name: file.name, durationMs, objects }, live: after.objects };
}

/** The names of all objects, and what the tables are that the migration has an opinion of. */
async function readFor({ shape = {} }: Migration, writer: Writer, objects: ReadonlySet<string>): Promise<LiveSchema> {
  const tables = Object.keys(shape).filter((table) => objects.has(`table ${table}`));
  return { tables: tables.length === 0 ? {} : await readTables(writer, tables), objects };
}

/** A migration that did something else than it promises does not stand (I-15, I-16). Of triggers it promises nothing. */
function assertShape(name: string, shape: ExpectedSchema = {}, live: LiveSchema): void {
  const wrong = differences(shape, live).filter(({ kind, severity }) => severity === 'fault' && kind !== 'foreign trigger');
  if (wrong.length > 0) throw faults.schemaUnsupported(name, 'after', wrong.map(({ sentence }) => sentence));
}

/** The names that the parts of a shape have in a database: indexes and foreign keys are found by what they are. */
function namesOf(shape: ExpectedSchema = {}, live: LiveSchema): string[] {
  return Object.entries(shape).flatMap(([table, part]) => {
    const columns = Object.keys(part.columns ?? {}).map((column) => `column ${table}.${column}`);
    const { indexes: allIndexes = [], foreignKeys: allKeys = [] } = live.tables[table] ?? {};
    const indexes = (part.indexes ?? []).flatMap((shape) =>
      allIndexes.filter((index) => serves(index, shape)).map((index) => `index ${table}.${index.name}`),
    );
    const keys = (part.foreignKeys ?? []).flatMap((shape) =>
      allKeys.filter((key) => isAbout(key, shape)).map((key) => `constraint ${table}.${key.name}`),
    );
    return [`table ${table}`, ...columns, ...indexes, ...keys];
  });
}

/**
 * Takes one migration back and strikes it out of both books. What it found stays, and so does everything else.
 * @throws ToolkitError DATA_NOT_READY when rows or values would be lost; CONFLICT when more or less would go than the
 *   migration made
 */
export async function revertMigration({ engine, writer }: Work, { file, applied }: RollbackStep): Promise<void> {
  const { made } = applied.objects;
  await engine.prepareSchemaChange(writer.sql);
  const before = await listObjects(writer);
  await lockWhatWasMade(writer, made, before);
  const losses = await findLosses(writer, made, before);
  if (losses.length > 0) throw faults.rollbackLosesData(file.name, losses);
  await loadMigration(file).down(writer.sql);
  assertExactly(file.name, made, before, await listObjects(writer));
  await strikeOut(writer, file.name);
}

function assertExactly(
  name: string,
  made: readonly string[],
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
): void {
  const others = [...before].filter((object) => !after.has(object) && !made.includes(object));
  if (others.length > 0) throw faults.rollbackTakesOther(name, others);
  const left = made.filter((object) => after.has(object));
  if (left.length > 0) throw faults.rollbackLeaves(name, left);
}
