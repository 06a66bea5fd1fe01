/** What was typed, to values: ids, durations, whole seconds. Strict: what is not understood is refused. */
import { userInfo } from 'node:os';
import { DateTime, Duration } from 'luxon';
import { faults } from '../errors';
import { HostGuid } from '../hosts/credential';
import { MAX_KSESSIONS_ID } from '../source';

/** More than this in one range is a slip of the fingers. */
const MAX_RANGE = 100_000;

/**
 * KSESSIONS ids and ranges (`15`, `20-30`), each once, in the order given.
 * @throws ToolkitError USAGE for anything that is not plain decimal digits from 1 to 2147483647
 */
export function parseIds(words: readonly string[]): number[] {
  const ids = words.flatMap(parseIdWord);
  return [...new Set(ids)];
}

function parseIdWord(word: string): number[] {
  const range = /^(\d{1,10})-(\d{1,10})$/.exec(word);
  if (range === null) return [parseId(word, word)];
  const first = parseId(range[1] ?? '', word);
  const last = parseId(range[2] ?? '', word);
  if (last < first || last - first >= MAX_RANGE) throw faults.badId(word);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function parseId(digits: string, word: string): number {
  const id = /^\d{1,10}$/.test(digits) ? Number(digits) : 0;
  if (id < 1 || id > MAX_KSESSIONS_ID) throw faults.badId(word);
  return id;
}

/** Canvas ids are BIGINT; one beyond 2^53 would be rounded to another. */
const LINK = /^(\d{1,15})=(\d{1,10}|none)$/;

/**
 * Which KSESSIONS session a canvas session is: `219=15`, or `215=none`.
 * @throws ToolkitError USAGE
 */
export function parseLink(text: string): { canvasSessionId: number; ksessionsId: number | null } {
  const [, canvas = '0', ksessions = ''] = LINK.exec(text) ?? [];
  if (Number(canvas) < 1) {
    throw faults.usage(
      `--link ${JSON.stringify(text)} cannot be used.`,
      'It takes a canvas session id and a KSESSIONS id, or none.',
      'Write --link CANVAS=KSESSIONS, for example --link 219=15, or --link 215=none. Nothing was done.',
    );
  }
  return { canvasSessionId: Number(canvas), ksessionsId: ksessions === 'none' ? null : parseId(ksessions, text) };
}

/** Units of the short form, as luxon names them. */
const UNITS = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days', w: 'weeks' } as const;

/**
 * An expiry: an ISO 8601 date or time (UTC unless it says otherwise), or a duration from now (`90d`, `12h`, `P3M`).
 * @throws ToolkitError USAGE when it is neither, or not in the future
 */
export function parseExpiry(text: string, now = new Date()): Date {
  const duration = parseDuration(text);
  // ISO 8601 lets `23` be an hour of today; nobody means that here.
  if (duration === undefined && !/^\d{4}-\d{2}-\d{2}/.test(text)) {
    throw faults.badExpiry(text, 'It is neither an ISO 8601 date nor a duration.');
  }
  const time =
    duration === undefined
      ? DateTime.fromISO(text, { zone: 'utc' })
      : DateTime.fromJSDate(now, { zone: 'utc' }).plus(duration);
  if (!time.isValid) throw faults.badExpiry(text, 'It is neither an ISO 8601 time nor a duration.');
  if (time.toMillis() <= now.getTime()) throw faults.badExpiry(text, 'It is not in the future.');
  if (time.year > 9999) throw faults.badExpiry(text, 'No database column holds a year beyond 9999.');
  return time.toJSDate();
}

function parseDuration(text: string): Duration | undefined {
  const short = /^(\d{1,6})([smhdw])$/.exec(text);
  if (short !== null) {
    return Duration.fromObject({ [UNITS[short[2] as keyof typeof UNITS]]: Number(short[1]) });
  }
  const iso = text.startsWith('P') ? Duration.fromISO(text) : undefined;
  return iso?.isValid === true ? iso : undefined;
}

/** A length of time, to be counted from a clock: months and days are not of one length. */
export interface Span {
  before(now: Date): Date;
  after(now: Date): Date;
}

/**
 * A duration (`90d`, `12h`, `P3M`).
 * @throws ToolkitError USAGE
 */
export function parseSpan(option: string, text: string): Span {
  const duration = parseDuration(text);
  if (duration === undefined || duration.toMillis() <= 0) {
    throw faults.usage(
      `${option} ${JSON.stringify(text)} cannot be used.`,
      'It takes a duration greater than zero.',
      `Write ${option} 90d, 12h or P3M. Nothing was done.`,
    );
  }
  const at = (now: Date) => DateTime.fromJSDate(now, { zone: 'utc' });
  return { before: (now) => at(now).minus(duration).toJSDate(), after: (now) => at(now).plus(duration).toJSDate() };
}

/**
 * A whole number that is typed in plain digits.
 * @throws ToolkitError USAGE
 */
export function parseCount(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw faults.usage(`${option} ${JSON.stringify(text)} cannot be used.`, 'It takes a whole number in plain digits.');
}

/**
 * Whole seconds to milliseconds.
 * @throws ToolkitError USAGE
 */
export function parseSeconds(option: string, text: string, most: number): number {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= most)) {
    throw faults.usage(`${option} ${JSON.stringify(text)} cannot be used.`, `It takes whole seconds, at most ${most}.`);
  }
  return seconds * 1000;
}

/**
 * Free text that goes into a column: no control characters, no GUID, not empty, not longer than the column.
 * @throws ToolkitError USAGE
 */
export function parseText(option: string, text: string, length: number): string {
  const trimmed = text.trim();
  if (trimmed === '') throw faults.usage(`${option} is empty.`, 'It takes a text.');
  if (/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/u.test(trimmed)) {
    throw faults.usage(`${option} holds control characters.`, 'They would garble the audit trail.');
  }
  if (HostGuid.isWithin(trimmed)) throw faults.guidInText(option);
  if (trimmed.length > length) {
    throw faults.usage(`${option} is too long.`, `It has ${trimmed.length} characters; the column holds ${length}.`);
  }
  return trimmed;
}

/** Who acts: `--created-by`, else the user of the operating system. @throws ToolkitError USAGE where it has no name */
export function actorOf(createdBy: string | undefined): string {
  if (createdBy !== undefined) return parseText('--created-by', createdBy, 128);
  try {
    return userInfo().username;
  } catch (cause) {
    throw faults.noActor(cause);
  }
}

/** The user of the operating system, or undefined where it has no name for it, as in some containers. */
export function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
