/** Asks a person, never a pipe. */
import { faults } from '../errors';

/** @returns whether somebody sits at both ends: input and questions (which go to stderr's terminal) */
export function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/**
 * A question with the default No. End of input and Ctrl-C are No.
 * @param option the option that answers it without a terminal
 * @throws ToolkitError USAGE without a terminal
 */
export async function confirm(question: string, option: string): Promise<boolean> {
  if (!isTerminal()) throw faults.noTerminal(option);
  const { confirm: ask } = await import('@clack/prompts');
  // The library's own default is Yes.
  const answer = await ask({ message: question, initialValue: false, output: process.stderr });
  return answer === true;
}

/**
 * A line of text. End of input and Ctrl-C give the empty text.
 * @param option the option that answers it without a terminal
 * @throws ToolkitError USAGE without a terminal
 */
export async function askText(question: string, option: string): Promise<string> {
  if (!isTerminal()) throw faults.noTerminal(option);
  const { text } = await import('@clack/prompts');
  const answer = await text({ message: question, output: process.stderr });
  return typeof answer === 'string' ? answer.trim() : '';
}
