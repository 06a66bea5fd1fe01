/** Which sessions were asked for: ids, a file of ids, or all of a kind. One way at a time, and never none. */
import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import type { Options } from 'yargs';
import { faults } from '../errors';
import type { Words } from './command';
import { parseIds, parseSpan, type Span } from './words';

/** Options that choose sessions, for commands that take many. */
export const CHOICE_OPTIONS = {
  all: { type: 'boolean', describe: 'Every session the command can work on' },
  file: { type: 'string', describe: 'Read ids from this file, - is standard input: ids and ranges between blanks' },
} as const satisfies Record<string, Options>;

/** Options that choose among live credentials; given together, all must hold. */
export const FILTER_OPTIONS = {
  'older-than': { type: 'string', describe: 'Those in use for that long or longer (90d, 12h, P3M)' },
  'expiring-within': { type: 'string', describe: 'Those that expire within that time (7d)' },
} as const satisfies Record<string, Options>;

/** What was chosen. */
export interface Choice {
  /** undefined: by the rest. */
  readonly ids: readonly number[] | undefined;
  readonly olderThan: Span | undefined;
  readonly expiringWithin: Span | undefined;
  /** The flags among the choosing options that are set, `all` included. */
  readonly flags: readonly string[];
}

/**
 * Reads which sessions were asked for.
 * @param flags the choosing flags that this command has beside `all`
 * @throws ToolkitError USAGE for none, or for two ways at once; CONFIG for a file that cannot be read
 */
export async function readChoice(words: Words, flags: readonly string[] = []): Promise<Choice> {
  const file = words.text('file');
  const span = (option: keyof typeof FILTER_OPTIONS) => {
    const text = words.text(option);
    return text === undefined ? undefined : parseSpan(`--${option}`, text);
  };
  const [olderThan, expiringWithin] = [span('older-than'), span('expiring-within')];
  const set = ['all', ...flags].filter((flag) => words.flag(flag));
  const isFiltered = olderThan !== undefined || expiringWithin !== undefined || set.some((flag) => flag !== 'all');
  const ways = [
    ...(words.positionals.length > 0 ? ['ids'] : []),
    ...(file === undefined ? [] : ['--file']),
    ...(set.includes('all') ? ['--all'] : []),
    ...(isFiltered ? ['a filter'] : []),
  ];
  if (ways.length === 0) throw faults.noIds();
  if (ways.length > 1) {
    throw faults.usage(`Sessions are chosen in ${ways.length} ways: ${ways.join(', ')}.`, 'It could be read both ways. Nothing was done.', 'Choose one.');
  }
  const typed = file === undefined ? words.positionals : await wordsOf(file);
  const ids = isFiltered || set.includes('all') ? undefined : parseIds(typed);
  if (ids?.length === 0) throw faults.noIds();
  return { ids, olderThan, expiringWithin, flags: set };
}

async function wordsOf(file: string): Promise<string[]> {
  const content = file === '-' ? await readAll(process.stdin) : readIdFile(file);
  return content.replace(/^\uFEFF/, '').split(/\s+/).filter((word) => word !== '');
}

function readIdFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw faults.fileUnreadable(file, cause);
  }
}
