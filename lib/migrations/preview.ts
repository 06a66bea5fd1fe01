/** What a run would do, and what stands in its way. Only reads: creates nothing and needs no write permission. */
import type { Database, Reader } from '../engines/database';
import type { Row } from '../engines/rows';
import { faults, type ToolkitError } from '../errors';
import { assertMark } from '../guard/guard';
import { findObstacles, type Obstacles } from './apply';
import { readMarker } from './enrol';
import { loadMigration, readMigrations, type MigrationFile } from './files';
import { LEDGER_TABLE, readLedger } from './ledger';
import { compare, faultOf, type Standing } from './plan';
import { sentenceOf } from './preflight';
import { recordStatements } from './record';
import { assess, type Finding } from './safety';
import { hasTable, readSchema, type LiveSchema } from './live-schema';
import { namesFor } from './sql';

/** Where a database stands. */
export interface Status extends Standing {
  /** Whether the database has its mark and its books; without them nothing was applied. */
  readonly isEnrolled: boolean;
  /** What would stop each pending migration now, as far as its tables exist. */
  readonly obstacles: ReadonlyMap<string, Obstacles>;
}

/**
 * Reads where a database stands. It need not be enrolled: the guard knows who it is, and that is enough for reading.
 * @throws ToolkitError GUARD_MARKER where it is marked as something else than this target
 */
export async function migrationStatus({ canvas }: Database, folder?: string): Promise<Status> {
  const marker = await readMarker(canvas);
  if (marker !== undefined) assertMark(canvas.admission, marker);
  const hasBooks = await hasTable(canvas, LEDGER_TABLE);
  const standing = compare(readMigrations(folder), hasBooks ? await readLedger(canvas) : []);
  const obstacles = new Map<string, Obstacles>();
  if (standing.pending.length > 0) {
    const live = await readSchema(canvas);
    for (const file of standing.pending) obstacles.set(file.name, await obstaclesOf(canvas, file, live));
  }
  return { ...standing, isEnrolled: marker !== undefined && hasBooks, obstacles };
}

/** A table that is not there yet is no obstacle: an earlier one of the pending migrations makes it. */
function obstaclesOf(canvas: Reader, file: MigrationFile, live: LiveSchema): Promise<Obstacles> {
  return findObstacles(canvas, loadMigration(file), live);
}

/** One pending migration as it would run. */
export interface PreviewStep extends Obstacles {
  readonly name: string;
  /** Its SQL in the dialect of the target, exactly as it would be sent. */
  readonly statements: readonly string[];
  /** What that may cost, with the safe way to do it; it stops nothing. */
  readonly safety: readonly Finding[];
}

/** The SQL of what is pending, and what it may cost. */
export async function previewLatest({ engine: { dialect }, canvas }: Database, status: Status): Promise<PreviewStep[]> {
  const rowCounts = await countRows(canvas, status.pending);
  const steps: PreviewStep[] = [];
  for (const file of status.pending) {
    const statements = await recordStatements(dialect, (knex) => loadMigration(file).up(knex));
    const obstacles = status.obstacles.get(file.name) ?? { schema: [], rows: [] };
    steps.push({ name: file.name, statements, safety: assess(dialect, statements, { rowCounts }), ...obstacles });
  }
  return steps;
}

/** How much there is to lose or to lock: the tables that migrations have an opinion of; none has no rows. */
async function countRows(canvas: Reader, files: readonly MigrationFile[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const { table: qualified } = namesFor(canvas.dialect);
  for (const table of new Set(files.flatMap((file) => Object.keys(loadMigration(file).shape ?? {})))) {
    const [row] = (await hasTable(canvas, table)) ? await canvas.ask<Row>(`SELECT COUNT(*) AS "n" FROM ${qualified(table)}`) : [];
    counts[table] = Number(row?.['n'] ?? 0);
  }
  return counts;
}

/** What `latest` would stop at, or undefined; the embedded target enrols itself. @param allowLate whether late files would be let through */
export function firstRefusal({ target, canvas }: Database, status: Status, allowLate = false): ToolkitError | undefined {
  if (!status.isEnrolled && target.engine !== 'pglite') return faults.notEnrolled(target.name, canvas.admission.identity);
  const problem = status.problems.find(({ kind }) => !(allowLate && kind === 'late'));
  if (problem !== undefined) return faultOf(problem);
  for (const [name, { schema, rows }] of status.obstacles) {
    if (schema.length > 0) return faults.schemaUnsupported(name, 'before', schema.map(({ sentence }) => sentence));
    if (rows.length > 0) return faults.dataNotReady(name, target.name, rows.map(sentenceOf));
  }
  return undefined;
}
