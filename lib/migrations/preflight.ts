/**
 * Rows that would break a constraint. A migration that adds one exports what finds them; it is asked before the
 * migration begins, within its transaction, and by whoever looks ahead.
 */
import type { Dialect } from '../engines/engine';
import type { Row } from '../engines/rows';
import type { Catalogue } from './live-schema';

/** One question. */
export interface Preflight {
  /** For programs. */
  readonly check: string;
  /** For people: what it finds, in the plural. */
  readonly finds: string;
  /** Objects it reads, as `listObjects` names them; while one is absent there is nothing to find. */
  readonly needs: readonly string[];
  /** One row per finding, whose columns are ids and counts, never values; ordered by nothing. */
  readonly sql: Readonly<Record<Dialect, string>>;
}

/** Rows in the way. */
export interface PreflightFinding {
  readonly check: string;
  readonly finds: string;
  readonly total: number;
  /** The first of them. */
  readonly rows: readonly Readonly<Record<string, number>>[];
}

/** More would not be read by anyone. */
const SHOWN = 10;

/** The same text in both dialects. */
export const inBoth = (sql: string): Preflight['sql'] => ({ postgres: sql, mssql: sql });

/** @param objects what is there @returns the questions that found rows */
export async function findRowsInTheWay(
  catalogue: Catalogue,
  objects: ReadonlySet<string>,
  questions: readonly Preflight[],
): Promise<PreflightFinding[]> {
  const findings: PreflightFinding[] = [];
  for (const { check, finds, needs, sql } of questions) {
    if (!needs.every((object) => objects.has(object))) continue;
    const rows = await catalogue.ask<Row>(
      `SELECT f.*, COUNT(*) OVER () AS "total" FROM (${sql[catalogue.dialect]}) f ORDER BY 1 OFFSET 0 ROWS FETCH NEXT ${SHOWN} ROWS ONLY`,
    );
    const [first] = rows;
    if (first !== undefined) findings.push({ check, finds, total: Number(first['total']), rows: rows.map(numbersOf) });
  }
  return findings;
}

/** Counts and BIGINT come as text from some drivers. */
function numbersOf(row: Row): Record<string, number> {
  const own = Object.entries(row).filter(([column]) => column !== 'total');
  return Object.fromEntries(own.map(([column, value]) => [column, Number(value)]));
}

/** `2 canvas sessions with … (SessionId 5, Active 2; SessionId 7, Active 3).` */
export function sentenceOf({ finds, total, rows }: PreflightFinding): string {
  const each = rows.map((row) => Object.entries(row).map(([column, value]) => `${column} ${value}`).join(', '));
  const more = total > rows.length ? '; …' : '';
  return `${total} ${finds} (${each.join('; ')}${more}).`;
}
