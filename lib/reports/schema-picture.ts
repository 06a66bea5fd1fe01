/** The picture of the schema as inline SVG: tables with their columns, foreign keys as curves, each in the class of its mark. */
import type { Mark, PicturedForeignKey, PicturedTable } from '../checks/picture';
import { markup, type Markup } from './markup';
import { plain } from './text';

/** In units of the drawing, which are pixels where it is not scaled. */
const WIDTH = 270;
const GAP = 96;
const ROW = 19;
const HEAD = 30;
const FOOT = 7;
const BETWEEN = 26;
const MARGIN = 44;

interface Placed {
  readonly table: PicturedTable;
  /** 0 is in the middle: who refers to nobody; left and right of it stand those that refer. */
  readonly pile: Pile;
  readonly x: number;
  readonly y: number;
}

const PILES = [-1, 0, 1] as const;
type Pile = (typeof PILES)[number];

/** Draws tables; none: nothing. */
export function drawSchema(tables: readonly PicturedTable[]): Markup | undefined {
  if (tables.length === 0) return undefined;
  const placed = place(tables);
  const width = 2 * MARGIN + 3 * WIDTH + 2 * GAP;
  const height = Math.max(...placed.map(({ table, y }) => y + heightOf(table))) + 8;
  return markup`<svg class="schema" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="schema-picture">
<title id="schema-picture">${titleOf(tables)}</title>
<g class="keys">${placed.map((from) => from.table.foreignKeys.map((key) => curve(from, key, placed)))}</g>
${placed.map(box)}
</svg>`;
}

function titleOf(tables: readonly PicturedTable[]): string {
  const wrong = tables.filter(({ mark }) => mark === 'otherwise' || mark === 'missing').map(({ name }) => name);
  const names = tables.map(({ name }) => name).join(', ');
  return `The tables of schema canvas: ${names}. ${wrong.length === 0 ? 'None differs from what the migrations make.' : `Not as the migrations make them: ${wrong.join(', ')}.`}`;
}

// --- places --------------------------------------------------------------------------------------------------------

/** Who is referred to stands in the middle, who refers at either side, who does neither where there is room. */
function place(tables: readonly PicturedTable[]): Placed[] {
  const names = new Set(tables.map(({ name }) => name));
  const parents = ({ foreignKeys, name }: PicturedTable) => foreignKeys.filter(({ references }) => references !== name && names.has(references));
  const referred = new Set(tables.flatMap((table) => parents(table).map(({ references }) => references)));
  const middle = tables.filter((table) => parents(table).length === 0 && referred.has(table.name));
  const sides = tables.filter((table) => parents(table).length > 0);
  const apart = tables.filter((table) => parents(table).length === 0 && !referred.has(table.name));
  const ends: Record<Pile, number> = { [-1]: 8, 0: 8, 1: 8 };
  const placed: Placed[] = [];
  const put = (table: PicturedTable, among: readonly Pile[]) => {
    const pile = among.reduce((best, one) => (ends[one] < ends[best] ? one : best));
    const y = ends[pile];
    ends[pile] = y + heightOf(table) + BETWEEN;
    placed.push({ table, pile, x: MARGIN + (pile + 1) * (WIDTH + GAP), y });
  };
  const isBesideMiddle = (table: PicturedTable) => parents(table).some(({ references }) => middle.some(({ name }) => name === references));
  const pileOfParent = (table: PicturedTable) => placed.find((one) => parents(table).some(({ references }) => references === one.table.name))?.pile;
  for (const table of middle) put(table, [0]);
  for (const table of sides.filter(isBesideMiddle)) put(table, [1, -1]);
  for (const table of sides.filter((one) => !isBesideMiddle(one))) put(table, [pileOfParent(table) ?? 1]);
  for (const table of apart) put(table, PILES);
  return placed;
}

const heightOf = ({ columns, troubles }: PicturedTable) => HEAD + ROW * (columns.length + troubles.length) + FOOT;

// --- foreign keys --------------------------------------------------------------------------------------------------

/** From the column that refers to the key that is referred to; one to a table that is not drawn is left out. */
function curve(from: Placed, key: PicturedForeignKey, placed: readonly Placed[]): Markup | undefined {
  const to = placed.find(({ table }) => table.name === key.references);
  if (to === undefined) return undefined;
  const sides = sidesOf(from.pile, to.pile);
  const [x1, y1] = [from.x + (sides.from === 'right' ? WIDTH : 0), rowOf(from, (column) => key.columns.includes(column.name))];
  const [x2, y2] = [to.x + (sides.to === 'right' ? WIDTH : 0), rowOf(to, ({ isKey }) => isKey)];
  const pull = (side: Side) => (side === 'right' ? 1 : -1) * (from.pile === to.pile ? MARGIN - 8 : GAP / 2);
  const what = `${from.table.name} (${key.columns.join(', ')}) refers to ${key.references}, on delete ${key.onDelete}${WORDS[key.mark]}`;
  return markup`
<g class="key ${key.mark}"><title>${plain(what)}</title><path d="M${x1} ${y1} C${x1 + pull(sides.from)} ${y1} ${x2 + pull(sides.to)} ${y2} ${x2} ${y2}"/><circle cx="${x2}" cy="${y2}" r="3.5"/></g>`;
}

type Side = 'left' | 'right';

/** Two of one pile are joined along its outer side. */
function sidesOf(from: Pile, to: Pile): { from: Side; to: Side } {
  if (from === to) return from < 0 ? { from: 'left', to: 'left' } : { from: 'right', to: 'right' };
  return from < to ? { from: 'right', to: 'left' } : { from: 'left', to: 'right' };
}

/** The height of the middle of a column's row; of the head where there is no such column. */
function rowOf({ table, y }: Placed, isIt: (column: PicturedTable['columns'][number]) => boolean): number {
  const row = table.columns.findIndex(isIt);
  return row < 0 ? y + HEAD / 2 : y + HEAD + ROW * (row + 0.5);
}

// --- tables --------------------------------------------------------------------------------------------------------

/** What a mark says, where it says more than that all is well. */
export const WORDS: Readonly<Record<Mark, string>> = {
  same: '',
  otherwise: ', not as the migrations make it',
  missing: ', missing',
  noted: ', otherwise than the migrations make it, which harms nothing',
  foreign: '',
};

/** A sign for each mark, so that colour is not all there is. */
export const SIGNS: Readonly<Record<Mark, string>> = { same: '', otherwise: '! ', missing: '✕ ', noted: '+ ', foreign: '' };

function box({ table, x, y }: Placed): Markup {
  const height = heightOf(table);
  const rows = [
    ...table.columns.map(({ isKey, mark, name, nullable, type }) => ({
      mark, isKey, left: name, right: `${type}${nullable ? '' : ' *'}`, told: `${table.name}.${name} ${type}${nullable ? '' : ', not null'}${WORDS[mark]}`,
    })),
    ...table.troubles.map(({ mark, what }) => ({ mark, isKey: false, left: what, right: '', told: `${table.name}: ${what}${WORDS[mark]}` })),
  ];
  return markup`<g class="table ${table.mark}"><rect class="frame" x="${x}" y="${y}" width="${WIDTH}" height="${height}" rx="7"/>
<path class="head" d="M${x} ${y + HEAD} V${y + 7} a7 7 0 0 1 7 -7 H${x + WIDTH - 7} a7 7 0 0 1 7 7 V${y + HEAD} Z"/>
<text class="name" x="${x + 11}" y="${y + 20}">${SIGNS[table.mark]}${short(table.name, 34)}</text>
${rows.map((row, index) => {
  const top = y + HEAD + ROW * index;
  return markup`<g class="row ${row.mark}"><title>${plain(row.told)}</title>${row.mark === 'same' || row.mark === 'foreign' ? undefined : markup`<rect class="stripe" x="${x + 1}" y="${top + 1}" width="${WIDTH - 2}" height="${ROW - 1}"/>`}<text class="${row.isKey ? 'column pk' : 'column'}" x="${x + 11}" y="${top + 14}">${SIGNS[row.mark]}${short(row.left, row.right === '' ? 38 : 25)}</text><text class="type" x="${x + WIDTH - 11}" y="${top + 14}">${short(row.right, 16)}</text></g>\n`;
})}</g>`;
}

/** A name cut to what fits; the whole one is in the title. */
function short(text: string, length: number): string {
  const signs = [...plain(text)];
  return signs.length <= length ? signs.join('') : `${signs.slice(0, length - 1).join('')}…`;
}
