/** HTML, SVG and XML by template: what is put in is escaped, unless it is markup itself. There is no other way in. */

/** Text that is markup already. Only `markup` makes it. */
export class Markup {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  /** @param parts literal text of this code, never of a value */
  static of(parts: readonly string[], values: readonly Content[]): Markup {
    return new Markup(parts.map((part, place) => part + written(values[place])).join(''));
  }
}

/** What a template takes: null and undefined leave nothing. */
export type Content = string | number | Markup | null | undefined | readonly Content[];

/** A template whose values are escaped, as text and as the value of an attribute in double quotes. */
export const markup = (parts: TemplateStringsArray, ...values: readonly Content[]): Markup => Markup.of(parts, values);

function written(value: Content): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Markup) return value.toString();
  return typeof value === 'object' ? value.map(written).join('') : escaped(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** What XML 1.0 cannot hold, half of a character included: no reader would take the file. */
const IMPOSSIBLE = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

const escaped = (text: string) => text.replace(IMPOSSIBLE, '\uFFFD').replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '');
