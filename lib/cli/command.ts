/** A command defined once: the words it takes, and the one place that catches, prints and sets the exit code. */
import { basename } from 'node:path';
import yargs, { type Options } from 'yargs';
import type { AccessRequest } from '../access';
import type { Purpose } from '../config/credentials';
import { packageVersion, readSettings, type Settings } from '../config/settings';
import { CommitUnknown } from '../engines/database';
import { faults, redacted, ToolkitError } from '../errors';
import { HostGuid } from '../hosts/credential';
import { aimedAt } from '../reports/remedy';
import { ASK_COMPLETION, completionsOf, type Completable } from './completion';
import { banner, errorJson, errorText, jsonLine } from './render';
import { listenForInterrupts } from './interrupts';
import { isStuck, survive, writeFlushed, writePatiently } from './streams';
import { parseSeconds, userName } from './words';

/** Parsed words: strings stay strings, whatever they look like. */
export interface Words {
  readonly positionals: readonly string[];
  /** The value of a string option, or undefined. */
  text(option: string): string | undefined;
  /** The values of an option that may be repeated. */
  texts(option: string): readonly string[];
  /** Whether a flag is set. */
  flag(option: string): boolean;
}

/** What a command gets to work with. */
export interface Run {
  readonly words: Words;
  readonly settings: Settings;
  /** The result: stdout. */
  readonly print: (text: string) => Promise<void>;
  /** The same for much of it, while no transaction is open: waits for a pager. False once the reader has left. */
  readonly stream: (text: string) => Promise<boolean>;
  /** Progress and notices: stderr. */
  readonly notice: (text: string) => void;
  /** An error of one of many ids, told as it happens. */
  readonly report: (error: unknown) => Promise<ToolkitError>;
}

export interface CommandDefinition extends Completable {
  /** File name of the script, for usage texts. */
  readonly script: string;
  readonly summary: string;
  /** The positional words as usage shows them, or '' where there are none. */
  readonly positionals: string;
  /** Those of the string options that may be given more than once. */
  readonly repeatable?: readonly string[];
  readonly examples: readonly (readonly [string, string])[];
  readonly run: (run: Run) => Promise<void>;
}

/** Options that every command shares. */
export const SHARED_OPTIONS = {
  target: { type: 'string', describe: 'Name in the list of targets (else CANVAS_TARGET, else its default)' },
  json: { type: 'boolean', describe: 'One JSON object per id, one per line, on stdout' },
  quiet: { type: 'boolean', describe: 'Only the result itself on stdout' },
  color: { type: 'boolean', default: true, describe: 'Colours; --no-color and NO_COLOR turn them off' },
  verbose: { type: 'boolean', describe: 'Causes and stack traces of errors' },
} as const satisfies Record<string, Options>;

/** Options of the commands that write. */
export const WRITING_OPTIONS = {
  'dry-run': { type: 'boolean', describe: 'Every read, check and guard; print the plan; write nothing' },
  'created-by': { type: 'string', describe: 'Who does this (else the user of the operating system)' },
  reason: { type: 'string', describe: 'Why, for the audit trail' },
  wait: { type: 'string', default: '30', describe: 'Seconds to wait for a lock' },
} as const satisfies Record<string, Options>;

let collect: ((definition: CommandDefinition) => void) | undefined;

/**
 * The commands that scripts define, which are not run.
 * @param load imports the scripts
 */
export async function definitionsOf(load: () => Promise<unknown>): Promise<CommandDefinition[]> {
  const found: CommandDefinition[] = [];
  collect = (definition) => void found.push(definition);
  try {
    await load();
  } finally {
    collect = undefined;
  }
  return found;
}

/**
 * Runs a command for this process: parses, works, and sets the exit code. Never throws.
 * @param definition the command
 */
export async function runCommand(definition: CommandDefinition): Promise<void> {
  if (collect !== undefined) return collect(definition);
  const words = wordsAfterScript(definition.script);
  if (words[0] === ASK_COMPLETION) return printCompletions(definition, words.slice(1));
  // Known before parsing, so that a usage error too comes in the form that was asked for.
  const options = optionsOf(words);
  const isJson = options.includes('--json');
  const isVerbose = options.includes('--verbose');
  if (options.includes('--no-color')) turnColoursOff();
  // Of packages, and nothing that a user could mend: tedious makes Node warn of each server that is named by its address.
  process.noDeprecation = !isVerbose;
  survive(process.stdout, process.stderr);
  let target: string | undefined;
  const report = (error: unknown) => printError(error, target, isJson, isVerbose);
  const release = listenForInterrupts((error) => {
    void report(error).finally(() => process.exit(error.exit));
  });
  try {
    const parsed = await parse(definition, words);
    if (parsed !== undefined) {
      target = parsed.text('target');
      await definition.run({
        words: parsed,
        settings: readSettings(process.env, { target }),
        print: (text) => writeFlushed(process.stdout, text),
        stream: (text) => writePatiently(process.stdout, text),
        notice: (text) => void process.stderr.write(text),
        report,
      });
    }
    process.exitCode ??= 0;
  } catch (error) {
    process.exitCode = (await report(error)).exit;
  } finally {
    release();
  }
  // What nobody reads would keep the process alive for ever, a void GUID in its hands.
  if (await isStuck(process.stdout)) process.exit();
}

/** Whoever colours, as the questions do, asks the environment; there FORCE_COLOR would win. */
function turnColoursOff(): void {
  process.env['NO_COLOR'] = '1';
  delete process.env['FORCE_COLOR'];
}

/** One a line. Nobody reads an error of a Tab. */
async function printCompletions(definition: CommandDefinition, words: readonly string[]): Promise<void> {
  const options = { ...SHARED_OPTIONS, ...definition.options };
  const found = await completionsOf({ ...definition, options }, words, (given) => readSettings(process.env, given)).catch(() => []);
  await writeFlushed(process.stdout, found.map((word) => `${word}\n`).join('')).catch(() => undefined);
}

/** The words before `--`, after which nothing is an option. */
function optionsOf(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  return end < 0 ? words : words.slice(0, end);
}

/** How a run opens its target: the banner on stderr before any work, notices after it. */
export function accessRequest({ settings, words, notice }: Run, actor: string, purpose: Purpose = 'use'): AccessRequest {
  return {
    purpose,
    settings,
    actor,
    waitMs: parseSeconds('--wait', words.text('wait') ?? '30', 3600),
    onOpen: (database) => notice(banner(database)),
    onNotice: (text) => notice(`${text}\n`),
  };
}

/** The same for a command that only reads. On first use the embedded target makes itself in the name of this user. */
export function readingRequest(run: Run): AccessRequest {
  return accessRequest(run, userName() ?? 'unknown');
}

/** Under zx, argv is [node, zx, script, words…]; under node it is [node, script, words…]. */
function wordsAfterScript(script: string): string[] {
  const index = process.argv.findIndex((word, place) => place > 0 && basename(word) === script);
  return process.argv.slice(index + 1);
}

async function parse(definition: CommandDefinition, words: readonly string[]): Promise<Words | undefined> {
  const options = { ...SHARED_OPTIONS, ...definition.options };
  refuseGuids(words, options);
  refuseValuesOfFlags(words, options);
  let printed: string | undefined;
  const parser = yargs([])
    .scriptName(`npx zx scripts/${definition.script}`)
    .usage(`$0 ${definition.positionals}\n\n${definition.summary}`)
    .options(options)
    .example(definition.examples.map(([line, what]) => [line, what] as [string, string]))
    .version(packageVersion())
    .help()
    .locale('en')
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .strictOptions()
    .exitProcess(false)
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': true,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
      'boolean-negation': true,
    })
    .fail((message: string | undefined, error: Error | undefined) => {
      const what = message ?? error?.message ?? 'The command line was not understood.';
      throw faults.usage(what.replace(/\s*\n\s*/g, ' '), 'Nothing was done.');
    });
  const parsed = (await parser.parse(withDashes(words, options), {}, (_error, _argv, output) => {
    printed = output === '' ? undefined : output;
  })) as Record<string, unknown>;
  if (printed !== undefined) {
    await writeFlushed(process.stdout, `${printed}\n`);
    return undefined;
  }
  return toWords(parsed, options, definition);
}

/** A credential that was typed is known to more than who typed it, whatever the command would have made of it. */
function refuseGuids(words: readonly string[], options: Readonly<Record<string, Options>>): void {
  for (const [place, word] of words.entries()) {
    const [, name, value] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
    const option = name ?? (isValue(words[place - 1], options) ? words[place - 1]?.slice(2) : undefined);
    // Thirty-two hex digits may be the name of a file, or of a database.
    const isItsOwn = option !== undefined && option !== 'guid-file' && options[option]?.type === 'string';
    if (!isItsOwn && HostGuid.parse(value ?? word) !== undefined) throw faults.guidOnCommandLine();
  }
}

/** yargs reads `--dry-run=no` as a dry run that is off; a flag takes no value here. */
function refuseValuesOfFlags(words: readonly string[], options: Readonly<Record<string, Options>>): void {
  const flags = optionsOf(words).filter((_word, index) => !isValue(words[index - 1], options));
  for (const word of flags) {
    // yargs would take the digits of a negative number for options.
    if (/^-\d/.test(word)) throw faults.badId(word);
    const [, name] = /^--(?:no-)?([^=]+)=/.exec(word) ?? [];
    if (name !== undefined && (options[name]?.type === 'boolean' || ['help', 'version'].includes(name))) {
      throw faults.usage(`--${name} takes no value.`, `${JSON.stringify(word)} could be read both ways.`, `Write --${name} or leave it out.`);
    }
    if (/^--no-/.test(word) && word !== '--no-color') {
      throw faults.usage(`Unknown option ${word}.`, 'Only --no-color begins with --no-.');
    }
  }
}

/** `--file -` means standard input; yargs would take the dash for a word of its own. */
function withDashes(words: readonly string[], options: Readonly<Record<string, Options>>): string[] {
  const end = optionsOf(words).length;
  const joined: string[] = [];
  for (const [place, word] of words.entries()) {
    if (word === '-' && place < end && isValue(words[place - 1], options)) joined.push(`${joined.pop()}=-`);
    else joined.push(word);
  }
  return joined;
}

/** Is a word the value of the option before it? */
function isValue(before: string | undefined, options: Readonly<Record<string, Options>>): boolean {
  return before?.startsWith('--') === true && options[before.slice(2)]?.type === 'string';
}

function toWords(
  parsed: Record<string, unknown>,
  options: Readonly<Record<string, Options>>,
  definition: CommandDefinition,
): Words {
  const positionals = (parsed['_'] as unknown[]).map(String);
  if (definition.positionals === '' && positionals.length > 0) {
    throw faults.usage(`Unknown word ${JSON.stringify(positionals[0])}.`, `${definition.script} takes options only.`);
  }
  const values = new Map<string, unknown>();
  for (const [name, { type, default: fallback }] of Object.entries(options)) {
    const value = parsed[name];
    const given = [value].flat();
    if (given.length > 1 && definition.repeatable?.includes(name) !== true) {
      throw faults.usage(`--${name} is given twice.`, 'Which one is meant cannot be known.');
    }
    if (type === 'string' && given.includes('')) throw faults.usage(`--${name} has no value.`, 'It takes one.');
    values.set(name, value ?? fallback);
  }
  return {
    positionals,
    text: (option) => values.get(option) as string | undefined,
    texts: (option) => [values.get(option) ?? []].flat() as string[],
    flag: (option) => values.get(option) === true,
  };
}

/** @returns the error in our words, after printing it */
async function printError(error: unknown, target: string | undefined, isJson: boolean, isVerbose: boolean): Promise<ToolkitError> {
  const known = error instanceof ToolkitError ? error : inWords(error);
  const told = target === undefined ? known : known.advising(aimedAt(target, known.hint));
  if (isJson) await writeFlushed(process.stdout, jsonLine(errorJson(told))).catch(() => undefined);
  process.stderr.write(errorText(told));
  if (isVerbose) process.stderr.write(`${causes(known).join('\n  caused by ')}\n`);
  return known;
}

function inWords(error: unknown): ToolkitError {
  return error instanceof CommitUnknown ? faults.commitUnknown(error) : faults.internal(error);
}

function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const several = error instanceof AggregateError ? error.errors.flatMap(causes) : [];
  return [redacted(error.stack ?? error.message), ...several, ...causes(error.cause)];
}
