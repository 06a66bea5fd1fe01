/** The file of `--out`: one record per session, written before the commit it belongs to, read again by `--resume`. */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { Options } from 'csv-stringify/sync';
import { faults, type ToolkitError } from '../errors';
import { HostGuid } from '../hosts/credential';
import type { Receipt } from '../hosts/writing';

/** lines: `ID GUID`; csv and ndjson: with both ids, the fingerprint and the operation. */
export const FILE_FORMATS = ['lines', 'csv', 'ndjson'] as const;

export type FileFormat = (typeof FILE_FORMATS)[number];

const COLUMNS = [
  'ksessionsId', 'canvasSessionId', 'hostSessionId', 'status', 'hostGuid', 'fingerprint', 'expiresAt', 'operationId', 'at', 'code',
  'message',
] as const;

type Cells = Partial<Record<(typeof COLUMNS)[number], string | number | null>>;

// The libraries are loaded where a CSV is wanted: most runs have none.
const load = createRequire(__filename);

function csvLine(values: readonly (string | number | null)[]): string {
  const { stringify } = load('csv-stringify/sync') as { stringify: (rows: unknown[][], options: Options) => string };
  // A spreadsheet would take a text that begins with = for a formula.
  return stringify([[...values]], { escape_formulas: true });
}

/** What stands at the head of a new file. */
export const headOf = (format: FileFormat) => (format === 'csv' ? csvLine(COLUMNS) : '');

/** @param guid null where none was made: a revocation, or one that was kept */
export function recordOf(format: FileFormat, receipt: Receipt, guid: HostGuid | null): string {
  const hostGuid = guid?.reveal() ?? null;
  if (format === 'lines') return `${receipt.session.ksessionsId ?? `canvas/${receipt.canvasSessionId}`} ${hostGuid ?? receipt.status}\n`;
  return cellsLine(format, {
    ksessionsId: receipt.session.ksessionsId,
    canvasSessionId: receipt.canvasSessionId,
    hostSessionId: receipt.hostSessionId,
    status: receipt.status,
    hostGuid,
    fingerprint: receipt.fingerprint,
    expiresAt: receipt.expiresAt?.toISOString() ?? null,
    operationId: receipt.operationId,
    at: receipt.at.toISOString(),
  });
}

/** A failure; a file of lines has none: it holds GUIDs. */
export function failureOf(format: FileFormat, error: ToolkitError): string {
  if (format === 'lines') return '';
  return cellsLine(format, { ksessionsId: error.ksessionsId ?? null, status: 'error', code: error.code, message: error.message });
}

function cellsLine(format: FileFormat, cells: Cells): string {
  const row = COLUMNS.map((column) => [column, cells[column] ?? null] as const);
  return format === 'csv' ? csvLine(row.map(([, value]) => value)) : `${JSON.stringify(Object.fromEntries(row))}\n`;
}

/** A record of an earlier run that holds a GUID. */
export interface Found {
  readonly ksessionsId: number;
  readonly guid: HostGuid;
  /** Where it begins, in bytes. */
  readonly offset: number;
}

/** The file of an earlier run. */
export interface Earlier {
  /** The KSESSIONS ids of all records that hold a GUID. */
  readonly ids: readonly number[];
  /** The last of those records: as many as one transaction can have written. */
  readonly tail: readonly Found[];
  /** Where the last whole line ends, in bytes: a killed run may have left a part of one. */
  readonly size: number;
  readonly content: Buffer;
}

/**
 * Reads the file of an earlier run. Records without a GUID are passed over: those sessions are asked about again.
 * @param most how many records one transaction can have written
 * @throws ToolkitError CONFIG when it cannot be read, or is no such file
 */
export function readEarlier(path: string, format: FileFormat, most: number): Earlier {
  const content = readBytes(path);
  const ids: number[] = [];
  let tail: Found[] = [];
  let size = 0;
  for (let end = content.indexOf(10, size), line = 1; end >= 0; end = content.indexOf(10, size), line += 1) {
    const text = content.toString('utf8', size, end).replace(/\r$/, '');
    const isHead = line === 1 && format === 'csv';
    const cells = isHead ? undefined : parseLine(text, format);
    if (isHead ? `${text}\n` !== headOf(format) : cells === undefined) throw faults.resultsUnreadable(path, format, line);
    const guid = HostGuid.parse(cells?.guid ?? '');
    if (cells !== undefined && guid !== undefined) {
      ids.push(cells.id);
      tail.push({ ksessionsId: cells.id, guid, offset: size });
      if (tail.length > 2 * most) tail = tail.slice(-most);
    }
    size = end + 1;
  }
  return { ids, tail: tail.slice(-most), size, content };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw faults.fileUnreadable(path, cause);
  }
}

interface Line {
  readonly id: number;
  readonly guid: string;
}

function parseLine(line: string, format: FileFormat): Line | undefined {
  const { hostGuid, ksessionsId } = cellsOf(line, format);
  return typeof ksessionsId === 'string' && /^\d{1,10}$/.test(ksessionsId) ? { id: Number(ksessionsId), guid: hostGuid ?? '' } : undefined;
}

function cellsOf(line: string, format: FileFormat): Partial<Record<string, string>> {
  if (format === 'lines') {
    const [ksessionsId, hostGuid] = line.split(' ');
    return { ksessionsId, hostGuid };
  }
  try {
    if (format === 'ndjson') {
      const { hostGuid, ksessionsId } = JSON.parse(line) as Record<string, unknown>;
      return { ksessionsId: String(ksessionsId), hostGuid: typeof hostGuid === 'string' ? hostGuid : '' };
    }
    const { parse } = load('csv-parse/sync') as { parse: (text: string) => string[][] };
    const [values = []] = parse(line);
    return Object.fromEntries(COLUMNS.map((column, place) => [column, values[place] ?? '']));
  } catch {
    return {};
  }
}
