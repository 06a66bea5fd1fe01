/** docs/release-checklist.md against the commands it names: what it says to type exists, and so do its exit codes. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from 'yargs';
import { SHARED_OPTIONS, type CommandDefinition } from '../../lib/cli/command';
import { readDefinitions } from '../../lib/cli/manual';
import { knownWords, CHECKS } from '../../lib/checks/registry';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { EXIT_OF } from '../../lib/errors';

const TEXT = readFileSync(join(PACKAGE_ROOT, 'docs', 'release-checklist.md'), 'utf8').replaceAll('\r\n', '\n');
const LINES = [...TEXT.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));

const { scripts } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** The words of a line as a shell would cut it; quotes hold some together. */
const wordsOf = (line: string) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');

interface Call {
  readonly script: string;
  readonly words: readonly string[];
}

/** What a line runs: `npx zx scripts/NAME.mjs WORDS`, or `npm run NAME -- WORDS` by way of package.json. */
function callOf(line: string): Call | undefined {
  const [first, second, name = '', ...words] = wordsOf(line);
  if (first === 'npx' && second === 'zx') return { script: name.replace('scripts/', ''), words };
  if (first !== 'npm' || second !== 'run' || (words.length > 0 && words[0] !== '--')) return undefined;
  const [, script = '', given = ''] = /scripts\/(\S+\.mjs)(?: (.+))?$/.exec(scripts[name] ?? '') ?? [];
  return { script, words: [...wordsOf(given), ...words.slice(1)] };
}

/** What is wrong with the words of a command. */
function faultsOf({ options: own, positionals, repeatable = [] }: CommandDefinition, words: readonly string[]): string[] {
  const options: Readonly<Record<string, Options>> = { ...SHARED_OPTIONS, ...own };
  const faults: string[] = [];
  const seen: string[] = [];
  for (let place = 0; place < words.length; place += 1) {
    const word = words[place] ?? '';
    const name = word.replace(/^--/, '');
    const option = options[name];
    if (!word.startsWith('--')) {
      if (positionals === '') faults.push(`${word}: it takes no words`);
      continue;
    }
    if (option === undefined) faults.push(`${word}: no such option`);
    if (seen.includes(name) && !repeatable.includes(name)) faults.push(`${word}: twice`);
    seen.push(name);
    if (option?.type !== 'string') continue;
    place += 1;
    const value = words[place];
    if (value === undefined || value.startsWith('--')) faults.push(`${word}: no value`);
    if (option.choices !== undefined && !option.choices.includes(value ?? '')) faults.push(`${word} ${value}: no such choice`);
    if (['only', 'skip'].includes(name) && !knownWords(CHECKS).includes(value ?? '')) faults.push(`${word} ${value}: no such check`);
  }
  return faults;
}

test.serial('every command line can be typed: its script is there, with its options, choices and checks', async (t) => {
  const definitions = new Map((await readDefinitions()).map((one) => [one.script, one]));
  t.true(LINES.length > 15, 'the lines are found');
  for (const line of LINES) {
    const call = callOf(line);
    const definition = call && definitions.get(call.script);
    t.not(definition, undefined, line);
    if (call !== undefined && definition !== undefined) t.deepEqual(faultsOf(definition, call.words), [], line);
  }
  const verify = definitions.get('verify.mjs') as CommandDefinition;
  for (const words of [['--targt'], ['--target'], ['--format', 'pdf'], ['15'], ['--json', '15'], ['--out', 'a', '--out', 'b'], ['--only', 'nothing']]) {
    t.is(faultsOf(verify, words).length, 1, words.join(' '));
  }
});

test('every exit code that it names is one that commands end with', (t) => {
  const named = [...TEXT.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  t.true(named.length > 15);
  const known = new Set<number>([0, ...Object.values(EXIT_OF)]);
  t.deepEqual(named.filter((code) => !known.has(code)), []);
});

test('it leads through all steps, in order, and every page it refers to is there', (t) => {
  const order = ['check-config.mjs', 'migrate:status', 'release-check', '--guid-file', 'handoff.mjs'].map((step) => LINES.findIndex((line) => line.includes(step)));
  t.deepEqual(order, order.toSorted((a, b) => a - b));
  t.false(order.includes(-1));
  for (const [, page = ''] of TEXT.matchAll(/\]\(([^)#]+)\)/g)) t.notThrows(() => readFileSync(join(PACKAGE_ROOT, 'docs', page)), page);
});
