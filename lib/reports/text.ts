/** The report for a terminal: the verdict last, where the eye is; what passed in one line each. */
import type { CheckRecord } from '../checks/gate';
import type { Status } from '../checks/check';
import { byGroup, verdictSentence, type Report, type Step } from './report';

const MARKS: Record<Status, string> = { pass: 'ok   ', fail: 'FAIL ', warn: 'warn ', error: 'ERROR', skipped: 'skip ' };

/** A title may hold anything: a line end would forge a line, an escape would speak to the terminal. */
export const plain = (text: string) => text.replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069]+/gu, ' ');

/** A report as lines of text. */
export function toText(report: Report): string {
  const groups = byGroup(report.checks).map(({ checks, title }) => `${title}\n${checks.map(checkLines).join('')}\n`);
  const refusal = report.refusal === null ? '' : `The target could not be opened: ${plain(report.refusal.what)}\n\n`;
  const steps = report.steps.length === 0 ? '' : `Steps\n${report.steps.map(stepLine).join('')}\n`;
  return `${groups.join('')}${refusal}${steps}${verdictSentence(report)}\n`;
}

const STEP_MARKS: Readonly<Record<Step['outcome'], string>> = { pass: MARKS.pass, fail: MARKS.fail, error: MARKS.error, 'not-run': 'NOT  ' };

const stepLine = ({ name, outcome, told }: Step) => `  ${STEP_MARKS[outcome]} ${name.padEnd(28)} ${plain(told)}\n`;

function checkLines({ evidence, id, remedy, status, title }: CheckRecord): string {
  const head = `  ${MARKS[status]} ${id.padEnd(28)} ${title}\n`;
  if (status === 'pass' || status === 'skipped') return head;
  const told = evidence.map((sentence) => `${' '.repeat(10)}${plain(sentence)}\n`).join('');
  return `${head}${told}${remedy === null ? '' : `${' '.repeat(10)}To mend it: ${plain(remedy)}\n`}`;
}
