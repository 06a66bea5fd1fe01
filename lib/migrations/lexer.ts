/**
 * SQL as tokens: enough of T-SQL and PostgreSQL that no comment, string or quoted name can hide a statement or feign
 * one. What the server might read otherwise than we do becomes a `broken` token, which nobody downstream understands.
 */
import type { Dialect } from '../engines/engine';

export interface Token {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'symbol' | 'broken';
  /** A word in upper case, a quoted name or a string without its quotes, else as written. */
  readonly value: string;
  /** As written, without quotes. */
  readonly text: string;
  /** Place in the text. */
  readonly start: number;
  readonly end: number;
}

interface Lexis {
  readonly kind: Token['kind'] | 'nothing';
  readonly pattern: RegExp;
  /** The value of a match; as written where it is left out. */
  readonly value?: (match: RegExpExecArray) => string;
}

const unquoted = (quote: string) => (match: RegExpExecArray) => (match[1] ?? '').replaceAll(quote + quote, quote);

/** Beyond ASCII, upper-casing makes keywords of what no server reads as one (long s, dotless i). */
const upper = ([text]: RegExpExecArray) => (/^[\x20-\x7e]+$/.test(text) ? text.toUpperCase() : text);

const SPACE: Lexis = { kind: 'nothing', pattern: /[ \t\r\n\f\v]+/y };
/** Both servers nest block comments; `skipBlockComment` counts. */
const BLOCK_COMMENT = /\/\*|\*\//g;
const HEXADECIMAL: Lexis = { kind: 'number', pattern: /0x[0-9a-f]*/iy };
/** `1DROP` is two tokens for one server, one for another, an error for a third. */
const NUMBER_AND_WORD: Lexis = { kind: 'broken', pattern: /(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[\p{L}_$]+/iuy };
const NUMBER: Lexis = { kind: 'number', pattern: /(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy };
const QUOTED: Lexis = { kind: 'name', pattern: /"((?:[^"]|"")*)"/y, value: unquoted('"') };
/** Anything else, a quote that is never closed too: then the rest is read as words, and not understood. */
const SYMBOL: Lexis = { kind: 'symbol', pattern: /[^'"\0]/uy };
const BROKEN: Lexis = { kind: 'broken', pattern: /[^]/uy };

const LEXIS: Record<Dialect, readonly Lexis[]> = {
  postgres: [
    SPACE,
    { kind: 'nothing', pattern: /--[^\n\r]*/y },
    // Escapes are not undone, so what such a string says is not known.
    { kind: 'broken', pattern: /(?:E'(?:[^'\\]|'')*\\[^](?:[^'\\]|\\[^]|'')*'|U&'(?:[^']|'')*'|U&"(?:[^"]|"")*")/iy },
    { kind: 'string', pattern: /[NBXE]?'((?:[^']|'')*)'/iy, value: unquoted("'") },
    {
      kind: 'string',
      pattern: /\$((?:[A-Za-z_\u{80}-\u{10ffff}][\w\u{80}-\u{10ffff}]*)?)\$([^]*?)\$\1\$/uy,
      value: (match) => match[2] ?? '',
    },
    QUOTED,
    { kind: 'word', pattern: /[A-Za-z_\u{80}-\u{10ffff}][\w$\u{80}-\u{10ffff}]*/uy, value: upper },
    HEXADECIMAL,
    NUMBER_AND_WORD,
    NUMBER,
    SYMBOL,
    BROKEN,
  ],
  mssql: [
    SPACE,
    // Where a line ends, tools and server do not agree beyond LF and CR LF.
    { kind: 'nothing', pattern: /--[^\n\r\v\f\u0085\u2028\u2029]*(?:\r?\n|$)/y },
    { kind: 'broken', pattern: /--/y },
    { kind: 'string', pattern: /N?'((?:[^']|'')*)'/iy, value: unquoted("'") },
    QUOTED,
    { kind: 'name', pattern: /\[((?:[^\]]|\]\])*)\]/y, value: unquoted(']') },
    { kind: 'word', pattern: /[\p{L}_@#][\p{L}\p{N}_@$#]*/uy, value: upper },
    HEXADECIMAL,
    NUMBER_AND_WORD,
    NUMBER,
    SYMBOL,
    BROKEN,
  ],
};

/** The tokens of a text, without spaces and comments. */
export function tokenize(dialect: Dialect, text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (text.startsWith('/*', at)) {
      const end = endOfBlockComment(text, at);
      if (end === undefined) return [...tokens, neverClosed(text, at)];
      at = end;
      continue;
    }
    const { token, end } = next(LEXIS[dialect], text, at);
    if (token !== undefined) tokens.push(token);
    at = end;
  }
  return tokens;
}

function neverClosed(text: string, at: number): Token {
  return { kind: 'broken', value: text.slice(at), text: text.slice(at), start: at, end: text.length };
}

function next(lexis: readonly Lexis[], text: string, at: number): { token?: Token; end: number } {
  for (const { kind, pattern, value } of lexis) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null || match[0] === '') continue;
    const end = at + match[0].length;
    if (kind === 'nothing') return { end };
    const meaning = value?.(match) ?? match[0];
    return { token: { kind, value: meaning, text: kind === 'word' ? match[0] : meaning, start: at, end }, end };
  }
  throw new RangeError(`No token at ${at}.`);
}

function endOfBlockComment(text: string, start: number): number | undefined {
  let depth = 0;
  BLOCK_COMMENT.lastIndex = start;
  for (let match = BLOCK_COMMENT.exec(text); match !== null; match = BLOCK_COMMENT.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return BLOCK_COMMENT.lastIndex;
  }
  return undefined;
}
