/** The guide to the release gate (docs/verify.md): its tables are made from the checks themselves. */
import { groupOf, GROUPS, type Check, type Group, type Severity, type Status } from '../checks/check';
import { CANARY } from '../checks/gate';
import { CHECKS } from '../checks/registry';
import { FORMATS, type Format } from '../reports/formats';
import { table } from './manual';

const SEVERITY: Record<Severity, string> = {
  critical: 'a host is locked out, somebody gets in who should not, or a write goes to the wrong place',
  major: 'a rule of the database, of the books or of the configuration does not hold',
  minor: 'nothing is wrong yet; somebody should look',
};

const STATUS: Record<Status, string> = {
  pass: 'it was looked at, and it holds',
  fail: 'it does not hold',
  warn: 'it does not hold, and is minor',
  error: 'it could not be found out: a right is missing, a key is not configured, the target could not be opened. That is no pass',
  skipped: '`--skip` or `--only` left it out, or it is a canary and nobody asked for those; the report says which',
};

const FORMAT: Record<Format, string> = {
  text: 'for a terminal',
  json: 'one object, one line, `"schema": "canvas-verify/1"`; `--json` is the same',
  junit: 'for a CI system that shows tests',
  markdown: 'for a pull request or a release note',
  html: 'one file without anything outside of it, with the schema drawn as it is',
};

const EXITS = [
  ['0', 'everything that was looked at holds, or is less severe than `--fail-on` (default `major`)'],
  ['1', 'something does not hold, or a check could not be looked at'],
  ['2', 'the command line or the configuration is wrong, or no server answered; the report says so too'],
  ['3', 'the guard refused the target'],
] as const;

/** What stands before the tables of a group. */
const ABOUT: Partial<Record<Group, string>> = {
  data: 'Each row is looked at, whatever constraints the schema has: a restore or a disabled constraint leaves rows that break them.',
  credentials: 'The application\'s login compares with one column and looks at nothing else, so what is active there opens.',
  source: 'KSESSIONS may be another database: ids go there page by page.',
  audit: 'Every event of every chain is read, and its seal computed anew, which takes the HMAC keys. Without one of them a chain is `error`.',
  security: 'Asked of the server in the name of the login that the target uses: give `verify` the login that provisions.',
  canary:
    'Only with `--canary`. Each attempt is a transaction of its own, ended at the first error and always rolled back; it needs the ' +
    'right to write, locks what it touches for a moment (the trail as a whole, once), and uses up identity values.',
};

const all: readonly Check<never>[] = [...CHECKS.beforehand, ...CHECKS.there];

/** The text of docs/verify.md. */
export function composeVerifyGuide(): string {
  const groups = (Object.keys(GROUPS) as Group[]).filter((group) => all.some(({ id }) => groupOf(id) === group));
  const parts = [
    '# The release gate',
    `\`npx zx scripts/verify.mjs --target NAME\` makes ${all.length} checks and says whether a release may go out: for each one what it ` +
      'saw, with the ids of the rows, and the command that mends it. It reads only; not even an identity value is used up. ' +
      'The tables on this page are made from the checks (`npm run docs`), and a test compares.',
    ['```sh', 'npx zx scripts/verify.mjs --target staging', 'npx zx scripts/verify.mjs --target staging --only data --only audit.chains',
      'npx zx scripts/verify.mjs --target staging --skip source --format junit --out verify.xml', '```'].join('\n'),
    'A check is left out by its id or its group. What is left out stays in the report, with the reason: a part of a gate is no gate.',
    'What shows once is looked at a second time before it counts, since other runs may be at work.',
    '## Verdict and exit code',
    table([['exit', 'meaning'], ...EXITS]),
    table([['status', 'meaning'], ...Object.entries(STATUS)]),
    table([['severity', 'meaning'], ...Object.entries(SEVERITY)]),
    '## Formats',
    table([['format', 'what for'], ...Object.keys(FORMATS).map((name) => [`\`${name}\``, FORMAT[name as Format]])]),
    '`--out FILE` writes the report to a new file, and the verdict to stdout.',
    ...groups.flatMap(sectionOf),
    '## Rights',
    'The login of docs/guard.md is enough for everything but canaries of a table that it may not write. What a login may not ask is ' +
      '`error`, never `pass`.',
  ];
  return `${parts.join('\n\n')}\n`;
}

function sectionOf(group: Group): string[] {
  const checks = all.filter(({ id }) => groupOf(id) === group);
  const title = `## ${GROUPS[group]}${group === CANARY ? ' (`--canary`)' : ''}`;
  const rows = checks.map(({ id, severity, title: holds }) => [`\`${id}\``, holds, severity]);
  return [title, ...(ABOUT[group] === undefined ? [] : [ABOUT[group]]), table([['check', 'holds when', 'severity'], ...rows])];
}
