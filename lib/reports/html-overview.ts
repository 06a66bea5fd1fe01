/** The part of the HTML report that shows what stands in the database: the schema, and the credentials in numbers. */
import { MARKS, type Mark, type PicturedTable } from '../checks/picture';
import type { CredentialCounts, Drift, Overview } from '../checks/overview';
import type { CredentialState } from '../hosts/state';
import { markup, type Markup } from './markup';
import { drawSchema, SIGNS, WORDS } from './schema-picture';
import { plain } from './text';

/** Both pictures, and what could not be read; nothing where nobody could look. */
export function whatStandsThere(overview: Overview | null): Markup | undefined {
  if (overview === null) return undefined;
  const { credentials, gaps, schema } = overview;
  return markup`${schema === null ? undefined : schemaSection(schema.tables, schema.drift)}
${credentials === null ? undefined : credentialSection(credentials)}
${gaps.map((gap) => markup`<p class="card error" dir="auto">${plain(gap)}</p>`)}`;
}

// --- schema --------------------------------------------------------------------------------------------------------

const LEGEND: Readonly<Record<Mark, string>> = {
  same: 'as the migrations make it', otherwise: 'not as they make it', missing: 'missing', noted: 'besides, harmless', foreign: 'the application\'s own',
};

function schemaSection(tables: readonly PicturedTable[], drift: readonly Drift[]): Markup {
  const drawing = drawSchema(tables);
  const faults = drift.filter(({ severity }) => severity === 'fault').length;
  const verdict = faults === 0 ? 'Nothing differs from what the migrations make.' : `${faults} ${faults === 1 ? 'thing is' : 'things are'} not as the migrations make them.`;
  return markup`<section aria-labelledby="schema">
<h2 id="schema">Schema canvas as it is</h2>
<p>${verdict} ${drawing === undefined ? 'There is no table.' : undefined}</p>
${drawing === undefined ? undefined : markup`<ul class="legend">${MARKS.filter((mark) => isShown(mark, tables)).map((mark) => markup`<li class="${mark}">${SIGNS[mark]}${LEGEND[mark]}</li>`)}<li class="sign"><u>underlined</u> primary key</li><li class="sign">* not null</li></ul>
<div class="picture" role="region" aria-label="Picture of the schema" tabindex="0">
${drawing}
</div>`}
${drift.length === 0 ? undefined : driftList(drift)}
${tables.length === 0 ? undefined : markup`<details class="group as-text"><summary><h3>The same as text</h3></summary>
${tables.map(tableText)}</details>`}
</section>`;
}

const isShown = (mark: Mark, tables: readonly PicturedTable[]) =>
  tables.some((table) => [table, ...table.columns, ...table.foreignKeys, ...table.troubles].some((part) => part.mark === mark));

const driftList = (drift: readonly Drift[]) =>
  markup`<ul class="evidence drift">${drift.map(
    ({ sentence, severity }) => markup`<li class="${severity}" dir="auto"><b>${severity === 'fault' ? 'Drift' : 'Noted'}</b> ${plain(sentence)}</li>\n`,
  )}</ul>`;

function tableText({ columns, foreignKeys, mark, name, troubles }: PicturedTable): Markup {
  const keys = foreignKeys.map((key) => `(${key.columns.join(', ')}) refers to ${key.references}, on delete ${key.onDelete}${WORDS[key.mark]}`);
  const lines = [
    ...columns.map((column) => `${column.name} ${column.type}${column.nullable ? '' : ', not null'}${column.isKey ? ', primary key' : ''}${WORDS[column.mark]}`),
    ...keys,
    ...troubles.map((trouble) => `${trouble.what}${WORDS[trouble.mark]}`),
  ];
  return markup`<h4>${plain(name)}${WORDS[mark]}</h4><ul class="evidence">${lines.map((line) => markup`<li dir="auto">${plain(line)}</li>\n`)}</ul>`;
}

// --- credentials ---------------------------------------------------------------------------------------------------

const STATES: Readonly<Record<CredentialState, string>> = {
  live: 'live', expired: 'expired', revoked: 'revoked', none: 'none yet', revived: 'revoked and made active again', 'copy-differs': 'the login reads another hash',
};

function credentialSection({ byAge, byState }: CredentialCounts): Markup {
  const states = Object.entries(STATES).map(([state, label]) => ({ kind: state, label, count: byState[state as CredentialState] }));
  const ages = byAge.map(({ age, count }) => ({ kind: 'live', label: age, count }));
  return markup`<section aria-labelledby="credentials">
<h2 id="credentials">Credentials</h2>
<div class="charts">
${chart('Canvas sessions by the state of their credential', states)}
${chart('Live credentials by how long they have been in use', ages)}
</div>
</section>`;
}

interface Bar {
  readonly kind: string;
  readonly label: string;
  readonly count: number;
}

/** A table whose bars are drawn: it reads as one, too. */
function chart(caption: string, bars: readonly Bar[]): Markup {
  const most = Math.max(1, ...bars.map(({ count }) => count));
  return markup`<table class="chart"><caption>${caption}</caption><tbody>
${bars.map(
  ({ count, kind, label }) => markup`<tr class="${kind}${count === 0 ? ' none' : ''}"><th scope="row">${label}</th><td class="bar"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="10"/><rect class="fill" width="${count === 0 ? 0 : Math.max(1, Math.round((100 * count) / most))}" height="10"/></svg></td><td class="number">${count.toLocaleString('en')}</td></tr>\n`,
)}</tbody></table>`;
}
