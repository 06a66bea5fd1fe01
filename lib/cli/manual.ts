/** The reference of all commands (docs/cli.md), made from their own definitions, so that it cannot say anything else. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Options } from 'yargs';
import { PACKAGE_ROOT } from '../config/settings';
import { EXIT_OF, type Code } from '../errors';
import { definitionsOf, SHARED_OPTIONS, type CommandDefinition } from './command';

type Exit = (typeof EXIT_OF)[Code] | 0;

const MEANING: Record<Exit, string> = {
  0: 'done',
  1: 'something was found, or some of many ids failed',
  2: 'it could not be done: usage, configuration, connection',
  3: 'the guard refused',
  4: 'conflict: locked, pending migrations, a live GUID that was to be kept',
  5: 'not found',
  130: 'interrupted',
};

/** yargs' own. */
const HELP: Readonly<Record<string, Options>> = {
  help: { type: 'boolean', describe: 'What the command takes' },
  version: { type: 'boolean', describe: 'The version of this toolkit' },
};

/** The definitions of all scripts, by name. */
export async function readDefinitions(): Promise<CommandDefinition[]> {
  const folder = join(PACKAGE_ROOT, 'scripts');
  const files = readdirSync(folder).filter((name) => name.endsWith('.mjs')).sort();
  return definitionsOf(async () => {
    // A module is evaluated once; another query makes it another module.
    for (const file of files) await import(`${pathToFileURL(join(folder, file)).href}?definition=${(reads += 1)}`);
  });
}

let reads = 0;

/** The text of docs/cli.md. */
export async function composeManual(): Promise<string> {
  const definitions = await readDefinitions();
  const parts = [
    '# Commands',
    'This page is made from the commands themselves: `npm run docs` writes it, and a test compares.',
    definitions.map(({ script }) => `- [${nameOf(script)}](#${nameOf(script)})`).join('\n'),
    ...definitions.map(sectionOf),
    '## Options that every command takes',
    optionTable({ ...SHARED_OPTIONS, ...HELP }),
    '## Exit codes',
    'An error has a code, which `--json` prints as `code`, beside the exit code.',
    exitTable(),
  ];
  return `${parts.join('\n\n')}\n`;
}

const nameOf = (script: string) => script.replace(/\.mjs$/, '');

function sectionOf({ examples, options, positionals, script, summary }: CommandDefinition): string {
  const command = `npx zx scripts/${script}`;
  const usage = ['```sh', `${command}${positionals === '' ? '' : ` ${positionals}`} [options]`, '```'].join('\n');
  const own = Object.keys(options).length === 0 ? 'It has no options of its own.' : optionTable(options);
  const shown = examples.map(([line, what]) => `${line.replaceAll('$0', command)}   # ${what}`).join('\n');
  const parts = [`## ${nameOf(script)}`, summary, usage, own, ...(shown === '' ? [] : [['```sh', shown, '```'].join('\n')])];
  return parts.join('\n\n');
}

function optionTable(options: Readonly<Record<string, Options>>): string {
  const rows = Object.entries(options).map(([name, { choices, default: fallback, describe, type }]) => [
    `\`--${name}\``,
    type === 'boolean' ? 'flag' : (choices?.join(', ') ?? 'text'),
    fallback === undefined || type === 'boolean' ? '' : String(fallback),
    describe ?? '',
  ]);
  return table([['option', 'takes', 'default', 'what it does'], ...rows]);
}

function exitTable(): string {
  const codes = Object.entries(EXIT_OF);
  const rows = Object.entries(MEANING).map(([exit, meaning]) => [
    exit,
    meaning,
    codes.filter(([, its]) => String(its) === exit).map(([code]) => code).join(', '),
  ]);
  return table([['exit', 'meaning', 'codes'], ...rows]);
}

/** Rows as a table of Markdown, the first one its head. */
export function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}
