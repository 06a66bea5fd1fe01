import test from 'ava';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validateXML } from 'xmllint-wasm';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { FORMATS, type Format } from '../../lib/reports/formats';
import { toJunit } from '../../lib/reports/junit';
import { toMarkdown } from '../../lib/reports/markdown';
import { aimedAt, partsOf } from '../../lib/reports/remedy';
import { tally, type Report } from '../../lib/reports/report';
import { toText } from '../../lib/reports/text';
import { matchesGolden } from './golden';
import { CHECKED, CLEAN, NASTY, REFUSED, REPORT } from './sample';

const REPORTS = { report: REPORT, refused: REFUSED, clean: CLEAN, checked: CHECKED };
const ENDINGS: Readonly<Record<Format, string>> = { text: 'txt', json: 'json', junit: 'xml', markdown: 'md', html: 'html' };

/** The look of the HTML is no matter for a golden file. */
const bare = (text: string) =>
  text.replace(/<(style|script)>[^]*?<\/\1>/g, '<$1></$1>').replace(/sha256-[\w+/=]+/g, 'sha256-…');

for (const [format, write] of Object.entries(FORMATS)) {
  test(`${format}: a report, a refusal and a clean run are written as the golden files have them`, (t) => {
    for (const [name, report] of Object.entries(REPORTS)) matchesGolden(t, `${name}.${ENDINGS[format as Format]}`, format === 'html' ? bare(write(report)) : write(report));
  });
}

const SCHEMA = readFileSync(join(PACKAGE_ROOT, 'test', 'fixtures', 'reports', 'junit.xsd'), 'utf8');

async function faultsOf(xml: string): Promise<string[]> {
  const { errors } = await validateXML({ xml: [{ fileName: 'report.xml', contents: xml }], schema: [SCHEMA] });
  return errors.map(({ message }) => message);
}

test('junit: every report is valid by its schema, which refuses what is not', async (t) => {
  for (const report of Object.values(REPORTS)) t.deepEqual(await faultsOf(toJunit(report)), []);
  const xml = toJunit(REPORT);
  for (const [from, to] of [['errors="1"', ''], ['<skipped ', '<omitted '], ['time="0.012"', 'time="-1"'], ['&lt;script', '<script']] as const) {
    t.not((await faultsOf(xml.replace(from, to))).length, 0, to);
  }
});

/** How often each outcome stands in a text. */
const countOf = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

/** What each format says of the outcomes; JUnit has no warning, and no word for what passed. */
function outcomesIn(report: Report): Record<'text' | 'markdown' | 'json', unknown> {
  const [text, markdown] = [toText(report), toMarkdown(report)];
  const words = { pass: 'ok   ', fail: 'FAIL ', warn: 'warn ', error: 'ERROR', skipped: 'skip ' };
  const rest = markdown.slice(markdown.indexOf('<details>'));
  const each = (count: (status: string, word: string) => number) =>
    Object.fromEntries(Object.entries(words).map(([status, word]) => [status, count(status, word)]));
  return {
    text: each((_status, word) => countOf(text.replace(/^Steps\n(?: .+\n)+/m, ''), new RegExp(`^  ${word} `, 'gm'))),
    markdown: each((status) => countOf(rest, new RegExp(`^\\| ${status} `, 'gm'))),
    json: tally((JSON.parse(FORMATS.json(report)) as Report).checks),
  };
}

test('the formats agree on how many checks ended which way', (t) => {
  for (const report of Object.values(REPORTS)) {
    const expected = tally(report.checks);
    t.deepEqual(outcomesIn(report), { text: expected, markdown: expected, json: expected });
    const xml = toJunit(report);
    const sum = (name: string) => [...xml.matchAll(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`, 'g'))].reduce((all, [, n]) => all + Number(n), 0);
    const steps = (...outcomes: readonly string[]) => report.steps.filter(({ outcome }) => outcomes.includes(outcome)).length;
    t.is(sum('tests'), report.checks.length + report.steps.length);
    t.is(sum('failures'), expected.fail + steps('fail'));
    t.is(sum('errors'), expected.error + steps('error', 'not-run'));
    t.is(sum('skipped'), expected.skipped);
    t.is(countOf(xml, /<system-out>warn/g), expected.warn);
    t.regex(xml, new RegExp(`^<testsuites [^>]*tests="${sum('tests')}" failures="${sum('failures')}" errors="${sum('errors')}"`, 'm'));
  }
});

test('junit: a failure is what stops a release, as --fail-on has it', (t) => {
  const failures = (failOn: Report['failOn']) => countOf(toJunit({ ...REPORT, failOn }), /<failure /g);
  t.deepEqual([failures('critical'), failures('major'), failures('minor')], [1, 2, 3]);
});

test('json is one object on one line', (t) => {
  for (const report of Object.values(REPORTS)) {
    const text = FORMATS.json(report);
    t.regex(text, /^\{.+\}\n$/);
    t.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(report)));
  }
});

test('a title with markup, bars, line ends and signs of control stays text in its place', (t) => {
  const xml = toJunit(REPORT);
  t.notRegex(xml, /<script|\]\]>|[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u);
  t.true(xml.includes('معنى كلمة الإسلام'));
  const markdown = toMarkdown(REPORT);
  t.notRegex(markdown, /<script|next_line\*|\u202E/);
  t.is(markdown.split('\n').filter((line) => line.includes('egnitrats') || line.includes('next\\_line\\*')).length, 2, 'in two cells, each in one line');
  const rows = markdown.split('\n').filter((line) => line.includes('script'));
  t.true(rows.every((row) => [4, 5].includes(row.split(/(?<!\\)\|/).length - 2)));
  const text = toText(REPORT);
  t.true(text.includes(NASTY.replace(/[\p{Cc}\u202E\uD800]/gu, ' ')), 'a terminal is not spoken to');
});

test('the commands of a remedy go to the target that was asked for', (t) => {
  const aimed: [remedy: string, told: string][] = [
    ['Make a first one: npx zx scripts/provision.mjs 15. Nothing was done.', 'Make a first one: npx zx scripts/provision.mjs 15 --target dev. Nothing was done.'],
    ['Run: npm run migrate', 'Run: npm run migrate -- --target dev'],
    ['npm run migrate:rollback -- --to NAME, where', 'npm run migrate:rollback -- --to NAME --target dev, where'],
    ['npx zx scripts/rotate.mjs --target staging --key-older', 'npx zx scripts/rotate.mjs --target staging --key-older'],
    ['npx zx scripts/handoff.mjs --database NAME', 'npx zx scripts/handoff.mjs --database NAME'],
    ['Nothing was done.', 'Nothing was done.'],
  ];
  for (const [remedy, told] of aimed) t.is(aimedAt('dev', remedy), told);
  t.is(aimedAt('dev; rm', 'Run: npm run migrate'), 'Run: npm run migrate');
});

test('what can be copied out of a remedy is told apart from its words', (t) => {
  const commands = (remedy: string) => partsOf(remedy).filter(({ kind }) => kind === 'command').map(({ text }) => text);
  t.deepEqual(commands('npm run migrate -- --target dev'), ['npm run migrate -- --target dev']);
  t.deepEqual(commands('npx zx scripts/rotate.mjs 15 212 20-30 --target dev, and tell the hosts.'), ['npx zx scripts/rotate.mjs 15 212 20-30 --target dev']);
  t.deepEqual(commands('Put it right (npm run migrate:plan shows how), then npx zx scripts/verify.mjs --target a.b.'), [
    'npm run migrate:plan', 'npx zx scripts/verify.mjs --target a.b',
  ]);
  t.deepEqual(commands('npx zx scripts/consolidate.mjs --link 219=15 --apply --target dev'), ['npx zx scripts/consolidate.mjs --link 219=15 --apply --target dev']);
  t.deepEqual(commands('npx zx scripts/consolidate.mjs --apply mends it'), ['npx zx scripts/consolidate.mjs --apply']);
  t.deepEqual(commands('Ask who restored it.'), []);
  for (const remedy of ['Look first: npm run verify, then mend', 'npm run verify', 'words alone']) {
    t.is(partsOf(remedy).map(({ text }) => text).join(''), remedy);
  }
});
