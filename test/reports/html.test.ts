import test from 'ava';
import axe from 'axe-core';
import { createHash } from 'node:crypto';
import { JSDOM } from 'jsdom';
import { tally } from '../../lib/reports/report';
import { toHtml } from '../../lib/reports/html';
import { plain } from '../../lib/reports/text';
import { CHECKED, CLEAN, NASTY, REFUSED, REPORT } from './sample';
import { long } from '../helpers/long';

const REPORTS = { report: REPORT, refused: REFUSED, clean: CLEAN, checked: CHECKED };

const documentOf = (html: string) => new JSDOM(html).window.document;
const textOf = (element: Element | null) => element?.textContent?.replace(/\s+/g, ' ').trim() ?? '';

long('nothing runs and nothing is loaded but what the policy names by its hash', (t) => {
  for (const [name, report] of Object.entries(REPORTS)) {
    const document = documentOf(toHtml(report));
    const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.getAttribute('content') ?? '';
    t.regex(policy, /^default-src 'none'; style-src '[^' ]+'; script-src '[^' ]+'; base-uri 'none'; form-action 'none'$/, name);
    for (const tag of ['script', 'style']) {
      const [element, ...others] = document.querySelectorAll(tag);
      t.is(others.length, 0, `${name}: one ${tag}`);
      const hash = createHash('sha256').update(element?.textContent ?? '', 'utf8').digest('base64');
      t.true(policy.includes(`${tag}-src 'sha256-${hash}'`), `${name}: ${tag}`);
    }
    const attributes = [...document.querySelectorAll('*')].flatMap((element) => [...element.attributes]);
    t.deepEqual(attributes.filter((one) => one.name.startsWith('on') || ['style', 'src', 'srcset', 'action'].includes(one.name)), [], name);
    t.deepEqual(attributes.filter((one) => /^(xlink:)?href$/.test(one.name) && !one.value.startsWith('#')), [], name);
    t.is(document.querySelectorAll('b b, iframe, object, embed, base, link, img').length, 0, name);
  }
});

test('a title with markup and signs of control stands there as its own text, in the direction of its script', (t) => {
  const document = documentOf(toHtml(REPORT));
  const told = plain(NASTY).replace(/\s+/g, ' ').trim();
  const places = [...document.querySelectorAll('[dir="auto"]')].filter((element) => textOf(element).includes(told));
  t.true(places.length >= 2, 'as evidence and as drift');
  t.notRegex(toHtml(REPORT), /[\u202A-\u202E\u2066-\u2069]/);
  t.true([...document.querySelectorAll('svg title')].some((title) => textOf(title).includes(told.slice(0, 20))));
});

test('the verdict comes first, every check stands in its group, and the counts are those of the other formats', (t) => {
  for (const [name, report] of Object.entries(REPORTS)) {
    const document = documentOf(toHtml(report));
    t.is(document.querySelector('h1, h2, h3')?.tagName, 'H1', `${name}: no heading stands before it`);
    const verdict = { pass: /^PASS$/, fail: /^FAIL$/, error: /^NOT KNOWN/ }[report.verdict];
    t.regex(textOf(document.querySelector('h1')), verdict);
    const counted = Object.entries(tally(report.checks));
    for (const [status, count] of counted) {
      t.is(document.querySelectorAll(`.check.${status}`).length, count, `${name}: ${status}`);
      t.is(textOf(document.querySelector(`.tally .${status} b`)), String(count), `${name}: ${status}`);
    }
    for (const check of report.checks) t.true(textOf(document.querySelector('main')).includes(check.id), check.id);
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    t.is(new Set(ids).size, ids.length, `${name}: ids are one of a kind`);
    for (const link of document.querySelectorAll('a')) t.not(document.getElementById(link.getAttribute('href')?.slice(1) ?? ''), null, link.outerHTML);
  }
});

long('what does not hold is told in full, the worst first, with commands that can be copied', (t) => {
  const document = documentOf(toHtml(REPORT));
  const cards = [...document.querySelectorAll('article.card')];
  t.deepEqual(cards.map(({ id }) => id), ['data.orphans', 'migrations.pending', 'schema.columns', 'migrations.lock-row']);
  const orphans = document.getElementById('data.orphans');
  t.is(textOf(orphans?.querySelector('.command') ?? null), 'npx zx scripts/consolidate.mjs --target staging');
  t.regex(textOf(orphans), /To mend it: Look first: npx zx [^,]+, then the same with --apply/);
});

long('where and when, both connections as they named themselves, and what was left out', (t) => {
  const main = textOf(documentOf(toHtml(REPORT)).querySelector('main'));
  for (const words of [
    'staging (staging)', 'canvas_staging on PostgreSQL 17.2 at db.internal:5432', 'ksessions_staging on PostgreSQL 17.2 at db.internal:5432',
    '2026-03-04 05:06:07 UTC, in 4.3 s', '1.2.3', '--skip source', 'source.gone Every linked session is in KSESSIONS. Left out by --skip.',
  ]) t.true(main.includes(words), words);
  const clean = documentOf(toHtml(CLEAN));
  t.regex(textOf(clean.querySelector('main')), /Left out 1 canary\.orphan The database refuses [^.]+\. Attempted with --canary only\.$/);
  t.is(textOf(clean.querySelector('.sentence')), 'Nothing that was looked at stands in the way.', 'nobody chose a part');
  t.regex(textOf(documentOf(toHtml(REPORT)).querySelector('.sentence')), /2 checks left out: a part of a gate is no gate\.$/);
  const refused = textOf(documentOf(toHtml(REFUSED)).querySelector('main'));
  t.true(refused.includes('db.internal:5432 refused the connection (ECONNREFUSED).'));
  t.true(refused.includes('not known: it was not opened'));
});

test('the picture draws every table and column, each in the class of its mark, and each drawn foreign key', (t) => {
  const document = documentOf(toHtml(REPORT));
  const { tables } = REPORT.overview?.schema ?? { tables: [] };
  const drawn = (selector: string) => [...document.querySelectorAll(`svg.schema ${selector}`)];
  t.deepEqual(drawn('.table').map((one) => one.getAttribute('class')), [
    'table otherwise', 'table noted', 'table foreign', 'table foreign', 'table same', 'table missing',
  ]);
  const rows = tables.flatMap(({ columns, troubles }) => [...columns, ...troubles]).map(({ mark }) => `row ${mark}`);
  t.deepEqual(drawn('.row').map((one) => one.getAttribute('class')).sort(), rows.sort());
  t.deepEqual(drawn('.key').map((one) => one.getAttribute('class')).sort(), ['key foreign', 'key missing', 'key noted', 'key otherwise', 'key same']);
  t.is(document.querySelector('.schema .key.missing title')?.textContent, 'HostSessions (SessionId) refers to Sessions, on delete cascade, missing');
  for (const { name } of tables) t.true(textOf(document.querySelector('.as-text')).includes(name), 'the same stands there as text');
});

test('no table overlaps another, whatever refers to what', (t) => {
  const document = documentOf(toHtml(REPORT));
  const frames = [...document.querySelectorAll('svg.schema .frame')].map((frame) => {
    const [x = 0, y = 0, width = 0, height = 0] = ['x', 'y', 'width', 'height'].map((name) => Number(frame.getAttribute(name)));
    return { left: x, top: y, right: x + width, bottom: y + height };
  });
  t.is(frames.length, 6);
  for (const [place, one] of frames.entries()) {
    for (const other of frames.slice(place + 1)) {
      t.true(one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top);
    }
  }
});

test('the numbers of credentials stand beside their bars, and the longest bar is the greatest number', (t) => {
  const document = documentOf(toHtml(REPORT));
  const [states, ages] = document.querySelectorAll('.chart');
  const rows = [...(states?.querySelectorAll('tr') ?? [])].map((row) => [textOf(row.querySelector('th')), textOf(row.querySelector('.number')), row.querySelector('.fill')?.getAttribute('width')]);
  t.deepEqual(rows, [
    ['live', '12,043', '100'], ['expired', '250', '2'], ['revoked', '31', '1'], ['none yet', '7', '1'],
    ['revoked and made active again', '0', '0'], ['the login reads another hash', '1', '1'],
  ]);
  t.is(ages?.querySelectorAll('tr').length, 5);
  t.true(textOf(document.querySelector('main')).includes('The <weather> could not be read: it rained.'));
});

long('axe finds nothing that can be judged without a browser', async (t) => {
  for (const [name, report] of Object.entries(REPORTS)) {
    const { window } = new JSDOM(toHtml(report), { runScripts: 'outside-only' });
    window.eval(axe.source);
    // What is drawn has to be seen; html.browser.test.ts looks at it.
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run({ rules: { 'color-contrast': { enabled: false } } } as unknown as axe.RunOptions);
    t.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], name);
  }
});
