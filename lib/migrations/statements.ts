/**
 * A text as the statements it is made of, control structure taken off: `IF … BEGIN … END`, `DO $$ … $$` and
 * `EXEC (N'…')` are looked into. T-SQL needs no semicolons, so there a statement ends where the next one begins.
 */
import type { Dialect } from '../engines/engine';
import { tokenize, type Token } from './lexer';

/** A piece of a text: one statement, or the condition of an IF. */
export interface Piece {
  readonly kind: 'statement' | 'condition';
  readonly tokens: readonly Token[];
  readonly text: string;
  /** Within a body: there INTO fills a variable and EXECUTE runs a text. */
  readonly isInBody: boolean;
}

/** Walks over tokens, one decision at a time. */
export class Cursor {
  #at = 0;

  constructor(readonly tokens: readonly Token[]) {}

  get isAtEnd(): boolean {
    return this.#at >= this.tokens.length;
  }

  get rest(): readonly Token[] {
    return this.tokens.slice(this.#at);
  }

  /** The next unquoted word or symbol, or ''. */
  peek(ahead = 0): string {
    const token = this.tokens[this.#at + ahead];
    return token === undefined || token.kind === 'name' || token.kind === 'string' ? '' : token.value;
  }

  /** Steps over these words, if they come next, all of them. */
  take(...words: readonly string[]): boolean {
    if (!words.every((word, ahead) => this.peek(ahead) === word)) return false;
    this.#at += words.length;
    return true;
  }

  /** Steps over one of these words. */
  takeOne(...words: readonly string[]): string | undefined {
    const word = words.find((candidate) => this.peek() === candidate);
    if (word !== undefined) this.#at += 1;
    return word;
  }

  /** A string literal. */
  literal(): string | undefined {
    const token = this.tokens[this.#at];
    if (token?.kind !== 'string') return undefined;
    this.#at += 1;
    return token.value;
  }

  /** A name of one to four parts, folded as PostgreSQL does; '' for a part that is left out (`db..t`). */
  name(dialect: Dialect): string[] | undefined {
    const parts: string[] = [];
    for (;;) {
      const token = this.tokens[this.#at];
      if (token?.kind === 'word' || token?.kind === 'name') {
        parts.push(token.kind === 'word' && dialect === 'postgres' ? token.text.toLowerCase() : token.text);
        this.#at += 1;
      } else if (parts.length > 0 && token?.value === '.' && token.kind === 'symbol') {
        parts.push('');
      } else {
        return undefined;
      }
      if (this.peek() !== '.') return parts;
      this.#at += 1;
    }
  }

  /** The tokens within the parentheses that come next. */
  group(): readonly Token[] | undefined {
    if (this.peek() !== '(') return undefined;
    const end = closing(this.tokens, this.#at);
    if (end === undefined) return undefined;
    const inside = this.tokens.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inside;
  }
}

function closing(tokens: readonly Token[], open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    depth += step(tokens[at]);
    if (depth === 0) return at;
  }
  return undefined;
}

/** How a token changes the depth of parentheses. */
function step(token: Token | undefined): number {
  if (token?.kind !== 'symbol') return 0;
  return token.value === '(' ? 1 : token.value === ')' ? -1 : 0;
}

/** Tokens at depth 0 between separators. */
export function splitAt(tokens: readonly Token[], separator: string): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    depth += step(token);
    if (depth === 0 && token.kind === 'symbol' && token.value === separator) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

/** Words at depth 0, each with what stands before and after it. */
export function* topLevel(tokens: readonly Token[]): Generator<{ token: Token; at: number }> {
  let depth = 0;
  for (const [at, token] of tokens.entries()) {
    depth += step(token);
    if (depth === 0) yield { token, at };
  }
}

/** The place of a word at depth 0, or -1. */
export function findWord(tokens: readonly Token[], word: string): number {
  for (const { token, at } of topLevel(tokens)) if (token.kind === 'word' && token.value === word) return at;
  return -1;
}

/** Is this word at that place, unquoted? */
export const isWord = (token: Token | undefined, ...words: readonly string[]) =>
  token?.kind === 'word' && words.includes(token.value);

/** The pieces of one text as it would be sent. */
export function piecesOf(dialect: Dialect, text: string): Piece[] {
  const tokens = tokenize(dialect, text);
  return dialect === 'mssql' ? piecesOfBatch(tokens, text) : piecesOfScript(tokens, text);
}

function toPiece(tokens: readonly Token[], text: string, kind: Piece['kind'], isInBody: boolean): Piece {
  const [first] = tokens;
  const last = tokens.at(-1);
  return { kind, tokens, isInBody, text: text.slice(first?.start ?? 0, last?.end ?? 0) };
}

/** The text of a piece from one of its tokens on. */
export function textFrom({ text, tokens }: Piece, rest: readonly Token[]): string {
  return text.slice((rest[0]?.start ?? 0) - (tokens[0]?.start ?? 0));
}

// --- PostgreSQL ----------------------------------------------------------------------------------------------------

function piecesOfScript(tokens: readonly Token[], text: string): Piece[] {
  return splitAt(tokens, ';')
    .filter((part) => part.length > 0)
    .map((part) => toPiece(part, text, 'statement', false));
}

/** The pieces of a PL/pgSQL body. */
export function piecesOfBody(body: string): Piece[] {
  const pieces: Piece[] = [];
  let isDeclaring = false;
  for (const part of splitAt(tokenize('postgres', body), ';')) {
    if (isWord(part[0], 'DECLARE')) isDeclaring = true;
    const begin = isDeclaring ? findWord(part, 'BEGIN') : 0;
    // A declaration may call a function, as a condition may.
    if (begin !== 0) pieces.push(toPiece(begin < 0 ? part : part.slice(0, begin), body, 'condition', true));
    if (begin < 0) continue;
    isDeclaring = false;
    pieces.push(...withoutStructure(part.slice(begin), body));
  }
  return pieces.filter(({ tokens }) => tokens.length > 0);
}

/** `BEGIN IF condition THEN statement` to its condition and its statement; `END IF` to nothing. */
function withoutStructure(part: readonly Token[], body: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = part;
  for (;;) {
    const [first, second] = rest;
    if (isWord(first, 'BEGIN', 'ELSE', 'EXCEPTION')) {
      rest = rest.slice(1);
    } else if (isWord(first, 'IF', 'ELSIF', 'WHEN')) {
      const then = thenOf(rest);
      pieces.push(toPiece(rest.slice(1, then), body, 'condition', true));
      rest = rest.slice(then + 1);
    } else {
      const isEnd = isWord(first, 'END') && (rest.length === 1 || (rest.length === 2 && isWord(second, 'IF')));
      if (!isEnd) pieces.push(toPiece(rest, body, 'statement', true));
      return pieces;
    }
  }
}

/** The THEN that belongs to the condition and not to a CASE within it. */
function thenOf(tokens: readonly Token[]): number {
  let cases = 0;
  for (const { token, at } of topLevel(tokens)) {
    if (isWord(token, 'CASE')) cases += 1;
    if (isWord(token, 'END')) cases -= 1;
    if (isWord(token, 'THEN') && cases === 0) return at;
  }
  return tokens.length;
}

// --- T-SQL ---------------------------------------------------------------------------------------------------------

/** Words that begin a statement wherever they stand outside parentheses, but for the places `isContinued` knows. */
const STARTERS = new Set([
  'ALTER', 'BACKUP', 'BEGIN', 'BREAK', 'BULK', 'CHECKPOINT', 'CLOSE', 'COMMIT', 'CONTINUE', 'CREATE', 'DBCC', 'DEALLOCATE',
  'DECLARE', 'DELETE', 'DENY', 'DISABLE', 'DROP', 'ELSE', 'ENABLE', 'END', 'EXEC', 'EXECUTE', 'FETCH', 'GO', 'GOTO', 'GRANT',
  'IF', 'INSERT', 'KILL', 'MERGE', 'OPEN', 'PRINT', 'RAISERROR', 'RECONFIGURE', 'RESTORE', 'RETURN', 'REVERT', 'REVOKE',
  'ROLLBACK', 'SAVE', 'SELECT', 'SET', 'SHUTDOWN', 'THROW', 'TRUNCATE', 'UPDATE', 'UPDATETEXT', 'USE', 'WAITFOR', 'WHILE',
  'WRITETEXT',
]);

/** What takes the rest of its batch as its body. */
const WITH_BODY = ['TRIGGER', 'PROCEDURE', 'PROC', 'FUNCTION', 'VIEW'];

function piecesOfBatch(tokens: readonly Token[], text: string): Piece[] {
  const pieces: Piece[] = [];
  let current: Token[] = [];
  let depth = 0;
  let cases = 0;
  const flush = () => {
    if (current.length > 0) pieces.push(...piecesOfSegment(current, text));
    current = [];
  };
  for (const [at, token] of tokens.entries()) {
    depth += step(token);
    if (depth === 0) {
      if (isDefinition(current, token)) {
        pieces.push(toPiece([...current, ...tokens.slice(at)], text, 'statement', false));
        return pieces;
      }
      const isEndOfCase = cases > 0 && isWord(token, 'END');
      if (isWord(token, 'CASE')) cases += 1;
      if (isEndOfCase) cases -= 1;
      const isInCase = isEndOfCase || (cases > 0 && isWord(token, 'ELSE'));
      if (token.kind === 'symbol' && token.value === ';') {
        flush();
        cases = 0;
        continue;
      }
      if (!isInCase && isWord(token, ...STARTERS) && !isContinued(current, token, tokens[at + 1])) {
        flush();
        cases = 0;
      }
    }
    current.push(token);
    if (depth === 0 && isWholeSegment(current, tokens[at + 1])) flush();
  }
  flush();
  return pieces;
}

/** `CREATE TRIGGER`, and `CREATE OR ALTER TRIGGER`: the second word says it, and all that follows belongs to it. */
function isDefinition(current: readonly Token[], token: Token): boolean {
  if (!isWord(token, ...WITH_BODY)) return false;
  const words = current.map(({ value }) => value).join(' ');
  return ['CREATE', 'ALTER', 'CREATE OR', 'CREATE OR ALTER'].includes(words);
}

/** A starter that goes on with the statement it stands in. Each line is one place of the grammar. */
function isContinued(current: readonly Token[], token: Token, following: Token | undefined): boolean {
  const head = current[0];
  const before = current.at(-1);
  if (isWord(head, 'GRANT', 'DENY', 'REVOKE')) {
    return current.length === 1 || before?.value === ',' || isWord(before, 'FOR', 'GRANT', 'OPTION');
  }
  if (isWord(head, 'MERGE')) return isWord(before, 'THEN', 'UPDATE');
  if (isWord(head, 'UPDATE') && isWord(token, 'SET')) return findWord(current, 'SET') < 0;
  if (isWord(head, 'CREATE') && isWord(token, 'ALTER')) return isWord(before, 'OR');
  if (isWord(head, 'ALTER') && isWord(current[1], 'DATABASE')) return isWord(token, 'SET');
  if (isWord(head, 'ALTER') && isWord(current[1], 'INDEX')) return isWord(token, 'DISABLE') && !isWord(following, 'TRIGGER');
  if (isWord(token, 'IF') && isWord(following, 'EXISTS')) {
    return (isWord(head, 'DROP') && current.length === 2) || isWord(before, 'COLUMN', 'CONSTRAINT');
  }
  if (!isWord(head, 'ALTER', 'CREATE') || !isWord(current[1], 'TABLE')) return false;
  if (isWord(token, 'DELETE', 'UPDATE')) return isWord(before, 'ON') && isWord(following, 'CASCADE', 'NO', 'SET');
  if (isWord(token, 'SET') && isWord(before, 'DELETE', 'UPDATE')) return isWord(following, 'NULL', 'DEFAULT');
  const isFirstAction = isWholeName(current.slice(2));
  return isWord(head, 'ALTER') && isFirstAction && isWord(token, 'DROP', 'ALTER', 'SET', 'ENABLE', 'DISABLE');
}

function isWholeName(tokens: readonly Token[]): boolean {
  const cursor = new Cursor(tokens);
  return cursor.name('mssql') !== undefined && cursor.isAtEnd;
}

/** BEGIN, END and ELSE are a segment by themselves, so that what follows them is one of its own. */
function isWholeSegment(current: readonly Token[], following: Token | undefined): boolean {
  if (current.length !== 1) return isWord(current[0], 'BEGIN', 'END') && isWord(current[1], 'TRY', 'CATCH');
  if (isWord(current[0], 'ELSE')) return true;
  if (isWord(current[0], 'END')) return !isWord(following, 'TRY', 'CATCH');
  const transaction = ['TRY', 'CATCH', 'TRAN', 'TRANSACTION', 'DISTRIBUTED', 'DIALOG', 'CONVERSATION', 'ATOMIC'];
  return isWord(current[0], 'BEGIN') && !isWord(following, ...transaction);
}

function piecesOfSegment(segment: readonly Token[], text: string): Piece[] {
  const [head, second] = segment;
  if (isWord(head, 'IF', 'WHILE')) return [toPiece(segment.slice(1), text, 'condition', false)];
  const isBlock = isWord(head, 'BEGIN', 'END') && (segment.length === 1 || isWord(second, 'TRY', 'CATCH'));
  if (isBlock || (isWord(head, 'ELSE') && segment.length === 1)) return [];
  return [toPiece(segment, text, 'statement', false)];
}
