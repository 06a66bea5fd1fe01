/**
 * What Tab offers: options, their choices, names of targets, ids. A Tab dials no server, waits for no lock and prints no
 * error: ids are those of the embedded database, while nobody else has it open.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import yargs, { type Options } from 'yargs';
import { requireTarget, withOpenTarget } from '../access';
import { PACKAGE_ROOT, type Settings } from '../config/settings';
import { targetNames } from '../config/targets';
import { hasData } from '../engines/pglite';
import { pagesOfProvisionable } from '../hosts/selection';

/** The first word of a command line that asks what could stand in place of its last one: yargs' own convention. */
export const ASK_COMPLETION = '--get-yargs-completions';

export const SHELLS = ['bash', 'zsh'] as const;

/** What of a command can be completed. */
export interface Completable {
  readonly options: Readonly<Record<string, Options>>;
  /** What its positional words are: KSESSIONS ids, files, or one of these. */
  readonly complete?: 'files' | 'ids' | readonly string[];
}

/** The settings, with the target that a command line names. @throws ToolkitError CONFIG */
type Read = (words: { readonly target: string | undefined }) => Settings;

/**
 * What could stand in place of the last word. Never throws: what cannot be found out is not offered.
 * @param words behind the script, as far as they are typed; the last one may be empty
 */
export async function completionsOf({ complete, options }: Completable, words: readonly string[], read: Read): Promise<readonly string[]> {
  const [before, current = ''] = [words.at(-2), words.at(-1)];
  const settings = () => read({ target: targetIn(words) });
  const all = withTargets(options, () => targetNames(settings()));
  const isAfterEnd = words.slice(0, -1).includes('--');
  const option = isAfterEnd || before?.startsWith('--') !== true ? undefined : all[before.slice(2)];
  // The value of a text without choices is the user's own: the shell then offers files.
  if (option?.type === 'string') return option.choices === undefined ? [] : askYargs(all, words);
  if (current.startsWith('-')) return isAfterEnd ? [] : askYargs(all, words);
  // The shell completes these by itself where it is offered nothing.
  if (complete === 'files') return [];
  const positionals = complete === 'ids' ? await idsOf(settings).catch(() => []) : (complete ?? []);
  return positionals.length > 0 || isAfterEnd ? positionals : askYargs(all, words);
}

function withTargets(options: Readonly<Record<string, Options>>, readNames: () => readonly string[]): Record<string, Options> {
  const all: Record<string, Options> = { ...options };
  try {
    all['target'] = { ...all['target'], choices: readNames() };
  } catch {
    // A list that cannot be read is told by the command, not by Tab.
  }
  return all;
}

async function askYargs(options: Readonly<Record<string, Options>>, words: readonly string[]): Promise<string[]> {
  const known = yargs([])
    // Its own --help would print.
    .help(false)
    .version(false)
    .options({ ...options, help: { type: 'boolean', describe: 'Show help' }, version: { type: 'boolean', describe: 'Show version number' } })
    .parserConfiguration({ 'boolean-negation': true, 'camel-case-expansion': false, 'dot-notation': false })
    .exitProcess(false)
    .fail(() => undefined);
  return [...(await known.getCompletion([...words]))];
}

/** The target that is typed already. */
function targetIn(words: readonly string[]): string | undefined {
  const before = words.slice(0, -1);
  const named = before.map((word, place) => (word === '--target' ? before[place + 1] : /^--target=(.+)/.exec(word)?.[1]));
  return named.findLast((name) => name !== undefined);
}

/** One page of them is more than a screen holds. */
async function idsOf(read: () => Settings): Promise<string[]> {
  const settings = read();
  const target = requireTarget(settings);
  // To make the database on first use is a command's work.
  if (target.engine !== 'pglite' || !hasData(target.folder)) return [];
  const request = { settings, waitMs: 0, onOpen: () => undefined, onNotice: () => undefined };
  return withOpenTarget(request, async ({ source }) => {
    for await (const { ids } of pagesOfProvisionable(source)) return ids.map(String);
    return [];
  });
}

/** The shell's function, bound to this checkout: a Tab must run no code of whatever folder the user is in. */
export function completionScript(shell: (typeof SHELLS)[number]): string {
  const scripts = `'${join(PACKAGE_ROOT, 'scripts').replaceAll("'", "'\\''")}'`;
  return readFileSync(join(__dirname, `completion.${shell}`), 'utf8').replace('@scripts@', () => scripts);
}
