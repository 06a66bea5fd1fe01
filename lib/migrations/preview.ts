/** What a run would do, and what stands in its way. Only reads: creates nothing and needs no write permission. */
import type { Database, Reader } from '../engines/database';
import type { Row } from '../engines/rows';
import { faults, type ToolkitError } from '../errors';
import { assertMark } from '../guard/guard';
import { ENROLMENT_SHAPE, readMarker } from './enrol';
import { loadMigration, readMigrations, type MigrationFile } from './files';
import { LEDGER_TABLE, readBooks } from './ledger';
import { compare, faultOf, type Standing } from './plan';
import { assess, type Finding } from './safety';
import { hasTable, readTriggers } from './live-schema';
import { lookAhead, refusalOfObstacles, type Obstacles, type Prospect } from './obstacles';
import { foreignTriggers, unite, type Difference } from './schema';
import { namesFor } from './sql';

/** Where a database stands. */
export interface Status extends Standing {
  /** Whether the database has its mark and its books; without them nothing was applied. */
  readonly isEnrolled: boolean;
  /** Each pending migration with what would stop it now, as far as its tables exist. */
  readonly prospects: readonly Prospect[];
  /** Triggers on our tables that no migration expects. They stop none of them, and may change what is written later. */
  readonly foreignTriggers: readonly Difference[];
}

/**
 * Reads where a database stands. It need not be enrolled: the guard knows who it is, and that is enough for reading.
 * @throws ToolkitError GUARD_MARKER where it is marked as something else than this target
 */
export async function migrationStatus({ canvas }: Database, folder?: string): Promise<Status> {
  const marker = await readMarker(canvas);
  if (marker !== undefined) assertMark(canvas.admission, marker);
  const hasBooks = await hasTable(canvas, LEDGER_TABLE);
  const files = readMigrations(folder);
  const standing = compare(files, hasBooks ? await readBooks(canvas, files) : []);
  return {
    ...standing,
    isEnrolled: marker !== undefined && hasBooks,
    prospects: await lookAhead(canvas, standing.pending),
    foreignTriggers: await findForeignTriggers(canvas, files.filter(({ name }) => !isQuestioned(standing, name))),
  };
}

/** A file with a problem is told as that; it may not even load. */
const isQuestioned = ({ problems }: Standing, name: string) => problems.some((problem) => problem.name === name);

async function findForeignTriggers(canvas: Reader, files: readonly MigrationFile[]): Promise<Difference[]> {
  const expected = unite([ENROLMENT_SHAPE, ...files.map((file) => loadMigration(file).shape ?? {})]);
  const found = await readTriggers(canvas, Object.keys(expected));
  return Object.entries(expected).flatMap(([table, part]) => foreignTriggers(table, part, found.get(table) ?? []));
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
  const rowCounts = await countRows(canvas, status.prospects);
  return status.prospects.map(({ file, obstacles, up }) => ({
    name: file.name,
    statements: up,
    safety: assess(dialect, up, { rowCounts }),
    ...obstacles,
  }));
}

/** How much there is to lose or to lock: the tables that migrations have an opinion of; none has no rows. */
async function countRows(canvas: Reader, prospects: readonly Prospect[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const { table: qualified } = namesFor(canvas.dialect);
  for (const table of new Set(prospects.flatMap(({ migration }) => Object.keys(migration.shape ?? {})))) {
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
  const refusals = status.prospects.map(({ file, obstacles: { rows, ...others } }) => ({
    now: refusalOfObstacles(file.name, target.name, { ...others, rows: [] }),
    later: refusalOfObstacles(file.name, target.name, { ...others, rows }),
  }));
  // The whole list is looked at before the first one runs; rows are looked at when their migration comes.
  return refusals.find(({ now }) => now !== undefined)?.now ?? refusals.find(({ later }) => later !== undefined)?.later;
}
