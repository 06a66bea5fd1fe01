/**
 * The report as one HTML file that a release manager opens: nothing is loaded, nothing is sent, and it reads the same
 * without its script, which only filters and copies. Style and script are named in the policy by their hashes, so that
 * nothing a value may hold could ever run.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { many, type Status } from '../checks/check';
import { stops, type CheckRecord, type Verdict } from '../checks/gate';
import { whatStandsThere } from './html-overview';
import { markup, type Content, type Markup } from './markup';
import { partsOf, type RemedyPart } from './remedy';
import { byGroup, findingsOf, placesOf, stepsSentence, tally, VERDICT_WORDS, type Report, type Step } from './report';
import { plain } from './text';

/** A report as one HTML document. */
export function toHtml(report: Report): string {
  const [style, script] = [asset('html.css'), asset('html.client.js')];
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'`;
  const title = `${VERDICT_WORDS[report.verdict]} · ${report.target.name} · release gate`;
  const head = markup`<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>`;
  // The only text that no template escapes: two files of this folder.
  return `<!doctype html>
<html lang="en">
<head>
${head.toString()}
<style>${style}</style>
</head>
${body(report).toString()}
<script>${script}</script>
</html>
`;
}

const asset = (name: string) => readFileSync(join(__dirname, name), 'utf8').replaceAll('\r\n', '\n');

const hashOf = (text: string) => `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;

function body(report: Report): Markup {
  return markup`<body>
<a class="skip" href="#content">To the findings</a>
${banner(report)}
<main id="content">
${[places(report), steps(report), refusal(report), findings(report), groups(report), whatStandsThere(report.overview), leftOut(report)]}
</main>
<footer><p>Made by canvas-host-toolkit ${report.toolVersion}, started ${told(report.startedAt)}. The report only reads; no secret and no hash stands in it.</p></footer>
</body>`;
}

// --- the verdict ---------------------------------------------------------------------------------------------------

const VERDICT_SIGNS: Readonly<Record<Verdict, string>> = { pass: '✓', fail: '✕', error: '?' };

function banner(report: Report): Markup {
  const { target, verdict } = report;
  return markup`<header class="verdict ${verdict}">
<div class="sign" aria-hidden="true">${VERDICT_SIGNS[verdict]}</div>
<div>
<p class="kicker">Release gate for <b dir="auto">${told(target.name)}</b> <span class="chip">${told(target.environment)}</span>${target.sampleData ? markup` <span class="chip">sample data</span>` : undefined}</p>
<h1>${VERDICT_WORDS[verdict]}</h1>
<p class="sentence">${sentenceOf(report)}</p>
</div>
<ul class="tally">${tallyOf(report.checks)}</ul>
</header>`;
}

/** What the numbers beside it come to. */
function sentenceOf({ checks, failOn, only, skip, steps: all, verdict }: Report): string {
  const stopping = checks.filter((check) => stops(check, failOn)).length;
  const { error, skipped } = tally(checks);
  const isPart = only.length + skip.length === 0 ? '' : ` ${many(skipped, 'check')} left out: a part of a gate is no gate.`;
  const reasons = [
    stopping === 0 ? '' : `${many(stopping, 'check')} keep${stopping === 1 ? 's' : ''} it shut.`,
    error === 0 ? '' : `${many(error, 'check')} could not be found out.`,
    stepsSentence(all).trim(),
  ];
  const told = verdict === 'pass' ? 'Nothing that was looked at stands in the way.' : reasons.filter((reason) => reason !== '').join(' ');
  return `${told}${isPart}`;
}

const COUNTED: Readonly<Record<Status, string>> = {
  pass: 'passed', fail: 'failed', error: 'not known', warn: 'warned', skipped: 'left out',
};

function tallyOf(checks: readonly CheckRecord[]): Markup[] {
  const counts = tally(checks);
  return Object.entries(COUNTED).map(([status, word]) => {
    const count = counts[status as Status];
    return markup`<li class="${status}${count === 0 ? ' none' : ''}"><b>${count}</b> ${word}</li>`;
  });
}

function places(report: Report): Markup {
  const rows = placesOf(report).map(([label, value]) => markup`<div><dt>${label}</dt><dd dir="auto">${told(value)}</dd></div>\n`);
  return markup`<section class="places" aria-label="Where and when">
<dl>
${rows}</dl>
</section>`;
}

const OUTCOMES: Readonly<Record<Step['outcome'], [badge: Status, word: string]>> = {
  pass: ['pass', 'passed'], fail: ['fail', 'failed'], error: ['error', 'could not be done'], 'not-run': ['error', 'not run'],
};

/** A release check: the steps it went through, in order. */
function steps({ steps: all }: Report): Markup | undefined {
  if (all.length === 0) return undefined;
  return markup`<section aria-labelledby="steps">
<h2 id="steps">Steps</h2>
<ol class="steps">${all.map(({ exit, name, outcome, told }) => {
  const [status, word] = OUTCOMES[outcome];
  return markup`<li class="${status}"><p class="tags"><b>${name}</b> ${badge(status, word)}</p><p dir="auto">${plain(told)}</p><p class="small">exit ${exit}</p></li>`;
})}</ol>
</section>`;
}

function refusal({ refusal: words }: Report): Markup | undefined {
  if (words === null) return undefined;
  return markup`<section class="card error" aria-labelledby="refusal">
<h2 id="refusal">The target could not be opened</h2>
<p dir="auto"><code>${words.code}</code> ${told(words.what)}</p>
<p dir="auto">${told(words.why)}</p>
${remedyLine(words.hint)}
</section>`;
}

// --- the checks ----------------------------------------------------------------------------------------------------

const STATUS_WORDS: Readonly<Record<Status, string>> = { pass: 'pass', fail: 'fail', error: 'not known', warn: 'warning', skipped: 'left out' };
const STATUS_SIGNS: Readonly<Record<Status, string>> = { pass: '✓', fail: '✕', error: '?', warn: '!', skipped: '–' };

function findings(report: Report): Markup | undefined {
  const open = findingsOf(report);
  if (open.length === 0 && report.refusal !== null) return undefined;
  if (open.length === 0) {
    return markup`<section aria-labelledby="findings"><h2 id="findings">What does not hold</h2>
<p class="card pass">Nothing: everything that was looked at holds.</p></section>`;
  }
  return markup`<section aria-labelledby="findings">
<h2 id="findings">What does not hold <span class="count">${open.length}</span></h2>
${open.map(finding)}</section>`;
}

function finding(check: CheckRecord): Markup {
  const { evidence, id, remedy, severity, status, title } = check;
  return markup`<article class="card ${status}" id="${id}" aria-labelledby="${id}.title">
<p class="tags">${badge(status)} <span class="chip ${severity}">${severity}</span> <code>${id}</code></p>
<h3 id="${id}.title">${title}</h3>
${evidenceOf(evidence)}
${remedyLine(remedy)}
</article>
`;
}

function badge(status: Status, word = STATUS_WORDS[status]): Markup {
  return markup`<span class="badge ${status}"><span aria-hidden="true">${STATUS_SIGNS[status]}</span> ${word}</span>`;
}

const evidenceOf = (evidence: readonly string[]) =>
  evidence.length === 0 ? undefined : markup`<ul class="evidence">${evidence.map((sentence) => markup`<li dir="auto">${told(sentence)}</li>\n`)}</ul>`;

function remedyLine(remedy: string | null): Markup | undefined {
  if (remedy === null || remedy === '') return undefined;
  return markup`<p class="remedy"><b>To mend it:</b> <span dir="auto">${partsOf(told(remedy)).map(remedyPart)}</span></p>`;
}

const remedyPart = ({ kind, text }: RemedyPart): Content => (kind === 'command' ? markup`<code class="command">${text}</code>` : text);

function groups(report: Report): Markup {
  const { checks } = report;
  const told = new Set(findingsOf(report));
  return markup`<section aria-labelledby="checks">
<h2 id="checks">All checks <span class="count">${checks.length}</span></h2>
<div class="tools" hidden></div>
${byGroup(checks).map((group) => {
  const counts = tally(group.checks);
  const isQuiet = counts.fail + counts.error + counts.warn === 0;
  const summary = Object.entries(counts).filter(([, count]) => count > 0);
  return markup`<details class="group"${isQuiet ? undefined : markup` open`}>
<summary><h3>${group.title}</h3><span class="sums">${summary.map(([status, count]) => [badge(status as Status, `${count} ${STATUS_WORDS[status as Status]}`), ' '])}</span></summary>
<ul class="checks">
${group.checks.map((check) => checkLine(check, told.has(check)))}</ul>
</details>
`;
})}</section>`;
}

/** @param isToldAbove whether it has a place of its own, where all of it is told */
function checkLine({ durationMs, evidence, id, severity, status, title }: CheckRecord, isToldAbove: boolean): Markup {
  const more = isToldAbove ? markup`<p class="small"><a href="#${id}">What was found, and what mends it</a></p>` : evidenceOf(evidence);
  return markup`<li class="check ${status}" data-status="${status}">${badge(status)}<div><p class="title">${title}</p><p class="small"><code>${id}</code> · ${severity} · ${duration(durationMs)}</p>${more}</div></li>
`;
}

const duration = (milliseconds: number) => (milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`);

/** Each with its reason: somebody chose so, or nobody asked for it. */
function leftOut({ checks, only, skip }: Report): Markup {
  const skipped = checks.filter(({ status }) => status === 'skipped');
  const said = [...skip.map((word) => `--skip ${word}`), ...only.map((word) => `--only ${word}`)];
  const list = markup`<div class="card skipped">
${said.length === 0 ? undefined : markup`<p>Somebody chose a part of the gate: ${said.map((word) => [markup`<code>${told(word)}</code>`, ' '])}</p>`}
<ul class="evidence">${skipped.map(({ evidence, id, title }) => markup`<li><code>${id}</code> ${title}. ${evidence.map(told).join(' ')}</li>\n`)}</ul></div>`;
  return markup`<section aria-labelledby="left-out">
<h2 id="left-out">Left out ${skipped.length === 0 ? undefined : markup`<span class="count">${skipped.length}</span>`}</h2>
${skipped.length === 0 ? markup`<p class="card">Nothing: every check was looked at, or it was tried.</p>` : list}
</section>`;
}

/** A value as one line that says what it seems to say. */
const told = plain;
