/** Asks a person, never a pipe. */
import type * as Prompts from '@clack/prompts';
import { faults } from '../errors';

/** @returns whether somebody sits at both ends: input and questions (which go to stderr's terminal) */
export function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Where questions are shown: stdout is for results, but where stderr leads into a file nobody would see them. */
export function screen(): NodeJS.WriteStream {
  return process.stderr.isTTY ? process.stderr : process.stdout;
}

/**
 * The library knows no end of input: Ctrl-D would close its line and leave the question open for ever, the cursor hidden,
 * and a command that has nothing else to do would end with exit 0.
 */
async function prompts(): Promise<typeof Prompts> {
  const library = await import('@clack/prompts');
  library.updateSettings({ aliases: { '\x04': 'cancel' } });
  return library;
}

/**
 * A question with the default No. End of input and Ctrl-C are No.
 * @param option the option that answers it without a terminal
 * @throws ToolkitError USAGE without a terminal
 */
export async function confirm(question: string, option: string): Promise<boolean> {
  if (!isTerminal()) throw faults.noTerminal(option);
  const { confirm: ask } = await prompts();
  // The library's own default is Yes.
  const answer = await ask({ message: question, initialValue: false, output: screen() });
  return answer === true;
}

/**
 * A line of text. End of input and Ctrl-C give the empty text.
 * @param option the option that answers it without a terminal
 * @throws ToolkitError USAGE without a terminal
 */
export async function askText(question: string, option: string): Promise<string> {
  if (!isTerminal()) throw faults.noTerminal(option);
  const { text } = await prompts();
  const answer = await text({ message: question, output: screen() });
  return typeof answer === 'string' ? answer.trim() : '';
}

/** Something to pick. */
export interface Choosable<T> {
  readonly value: T;
  readonly label: string;
  readonly hint: string;
}

/**
 * One of a list, which typing narrows. End of input and Ctrl-C pick none.
 * @throws ToolkitError USAGE without a terminal
 */
export async function pick<T>(question: string, choices: readonly Choosable<T>[]): Promise<T | undefined> {
  if (!isTerminal()) throw faults.noTerminal('ids');
  const { autocomplete, isCancel } = await prompts();
  // The library shows values; an index stands for each.
  const options = choices.map(({ hint, label }, value) => ({ value, label, hint }));
  const answer = await autocomplete({ message: question, options, maxItems: 10, output: screen() });
  return isCancel(answer) ? undefined : choices[answer]?.value;
}
