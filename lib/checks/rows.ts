/** Rows that should not be there: found by sets, counted, and the first of them told with their ids. */
import type { Reader } from '../engines/database';
import { numberOf, textOrNull, type Row } from '../engines/rows';
import { MOST_TOLD } from './check';

/** One question. Every row of its answer is a finding. */
export interface Question {
  /** What a sentence about a row needs, with aliases; ids by the names of their columns. */
  readonly columns: string;
  /** What follows FROM. */
  readonly from: string;
  /** Ids come in this order. */
  readonly order: string;
  readonly bindings?: readonly (boolean | string | Date)[];
  readonly tell: (row: Row) => string;
}

/** What several questions found. */
export interface Found {
  readonly sentences: readonly string[];
  readonly found: number;
}

/** Asks: one statement each counts all rows and brings the first ones. */
export async function findRows(reader: Reader, ...questions: readonly Question[]): Promise<Found> {
  const sentences: string[] = [];
  let found = 0;
  for (const { bindings = [], columns, from, order, tell } of questions) {
    const rows = await reader.ask<Row>(
      `SELECT ${columns}, COUNT(*) OVER () AS "found" FROM ${from}
       ORDER BY ${order} OFFSET 0 ROWS FETCH NEXT ${MOST_TOLD} ROWS ONLY`,
      bindings,
    );
    sentences.push(...rows.map(tell));
    found += numberOf(rows[0], 'found', 0);
  }
  return { sentences, found };
}

/** How many rows a table of schema canvas has. */
export async function countOf(reader: Reader, table: string): Promise<number> {
  const [row] = await reader.ask<Row>(`SELECT COUNT(*) AS "n" FROM canvas."${table}"`);
  return numberOf(row, 'n', 0);
}

/** What the ids of a row are called. */
const LABELS = { KSessionsId: 'KSESSIONS', SessionId: 'canvas session', HostSessionId: 'host session' } as const;

/** The ids that a row has, labelled. Text, since an id may be beyond what JavaScript counts to (I-37). */
export function idsOf(row: Row): string {
  const told = Object.entries(LABELS)
    .filter(([column]) => column in row)
    .map(([column, label]) => `${label} ${textOrNull(row, column) ?? '(none)'}`)
    .join(', ');
  return told.charAt(0).toUpperCase() + told.slice(1);
}
