/** The report as Markdown, for the ticket of a release: the verdict, what does not hold, and the rest folded away. */
import type { CheckRecord } from '../checks/gate';
import { partsOf, type RemedyPart } from './remedy';
import { byGroup, findingsOf, placesOf, verdictSentence, type Report } from './report';
import { plain } from './text';

/** A report as GitHub-flavoured Markdown. */
export function toMarkdown(report: Report): string {
  const parts = [
    `## Release gate: ${verdictSentence(report)}`,
    table([['', ''], ...placesOf(report).map(([label, value]) => [label, escaped(value)])]),
    report.refusal === null ? '' : `**The target could not be opened.** ${[report.refusal.what, report.refusal.why, report.refusal.hint].map(escaped).join(' ')}`,
    steps(report),
    whatDoesNotHold(report),
    ...byGroup(report.checks).map(({ checks, title }) => folded(title, checks)),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function steps({ steps: all }: Report): string {
  if (all.length === 0) return '';
  return table([['step', 'outcome', 'exit', ''], ...all.map(({ exit, name, outcome, told }) => [name, outcome, String(exit), escaped(told)])]);
}

function whatDoesNotHold(report: Report): string {
  const open = findingsOf(report);
  if (open.length === 0) return '';
  const rows = open.map(({ evidence, id, remedy, severity, status, title }) => [
    status,
    severity,
    `\`${id}\`<br>${escaped(title)}`,
    evidence.map(escaped).join('<br>'),
    remedy === null ? '' : partsOf(plain(remedy)).map(remedyPart).join(''),
  ]);
  return `### What does not hold\n\n${table([['status', 'severity', 'check', 'evidence', 'to mend it'], ...rows])}`;
}

function folded(title: string, checks: readonly CheckRecord[]): string {
  const holding = checks.filter(({ status }) => status === 'pass').length;
  const rows = checks.map((check) => [check.status, `\`${check.id}\``, escaped(check.title), check.evidence.map(escaped).join('<br>')]);
  const summary = `<summary>${title}: ${holding} of ${checks.length} hold</summary>`;
  return `<details>\n${summary}\n\n${table([['status', 'check', 'what holds', 'evidence'], ...rows])}\n\n</details>`;
}

/** A command holds neither a bar nor a backtick: remedy.ts knows its signs. */
const remedyPart = ({ kind, text }: RemedyPart) => (kind === 'command' ? `\`${text}\`` : escaped(text));

function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** A title may hold anything: it must stay in its cell, and must not become markup of either language. */
const escaped = (text: string) =>
  plain(text)
    .replace(/[\\`*_[\]|~]/g, (sign) => `\\${sign}`)
    .replace(/[&<>]/g, (sign) => ENTITIES[sign] ?? '');
