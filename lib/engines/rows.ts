/** Values out of rows. Drivers disagree (BIGINT as text, GUIDs in upper case, bits as 0 and 1); these do not. */

export type Row = Readonly<Record<string, unknown>>;

/** @throws Error for a column that is not there or NULL */
export function textOf(row: Row, column: string): string {
  const text = textOrNull(row, column);
  if (text === null) throw new Error(`Column ${column} is NULL or missing.`);
  return text;
}

/** @throws Error for a column that is not there, or holds no text */
export function textOrNull(row: Row, column: string): string | null {
  const value = row[column];
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return value.toString();
  throw new Error(`Column ${column} is missing or holds no text.`);
}

/** A UUID in lower case. */
export function uuidOf(row: Row, column: string): string {
  return textOf(row, column).toLowerCase();
}

/** @throws Error for anything but a date */
export function dateOf(row: Row, column: string): Date {
  const date = dateOrNull(row, column);
  if (date === null) throw new Error(`Column ${column} is NULL.`);
  return date;
}

/** @throws Error for anything but a date or NULL */
export function dateOrNull(row: Row, column: string): Date | null {
  const value = row[column];
  if (value === null || value instanceof Date) return value;
  throw new Error(`Column ${column} is missing or holds no date.`);
}

/**
 * An id as it stands in a row: one made by hand may be zero or below. BIGINT comes as text; one beyond 2^53 must not be
 * rounded to another id (I-37).
 */
export function idOf(row: Row | undefined, column: string): number {
  const value = row?.[column];
  const id = value == null ? Number.NaN : Number(value);
  if (!Number.isSafeInteger(id)) throw new Error(`Column ${column} holds no id.`);
  return id;
}

/** A whole number; NULL counts as the fallback. */
export function numberOf(row: Row | undefined, column: string, fallback: number): number {
  const number = Number(row?.[column] ?? fallback);
  if (!Number.isSafeInteger(number)) throw new Error(`Column ${column} holds no whole number.`);
  return number;
}

/** A flag, as boolean or bit. */
export function flagOf(row: Row, column: string): boolean {
  return row[column] === true || row[column] === 1;
}
