/** What statements on rows may cost. Each function says whether it understood its statement; its first word is behind it. */
import type { Judge } from './judge';
import type { Token } from './lexer';
import { Cursor, findWord, isWord, splitAt, textFrom, topLevel } from './statements';

/** TOP (n) of T-SQL and ONLY of PostgreSQL stand before the name. */
function skipLimits({ cursor }: Judge): void {
  if (cursor.take('TOP')) {
    if (cursor.group() === undefined) cursor.name('mssql');
    cursor.take('PERCENT');
  }
  cursor.take('ONLY');
}

export function deleteRows(judge: Judge): boolean {
  const { cursor } = judge;
  skipLimits(judge);
  cursor.take('FROM');
  cursor.take('ONLY');
  const table = rowsTarget(judge);
  if (table === undefined) return false;
  judge.add(isBounded(cursor.rest) ? 'delete-rows' : 'delete-all', table);
  return true;
}

export function updateRows(judge: Judge): boolean {
  const { cursor } = judge;
  if (cursor.take('STATISTICS')) return true;
  skipLimits(judge);
  const table = rowsTarget(judge);
  if (table === undefined || findWord(cursor.rest, 'SET') < 0) return false;
  judge.add(isBounded(cursor.rest) ? 'update-rows' : 'update-all', table);
  return true;
}

/** T-SQL may name an alias whose table stands after FROM or JOIN. */
function rowsTarget(judge: Judge): string | undefined {
  const { cursor, dialect } = judge;
  const isAlias = dialect === 'mssql' && cursor.rest[1]?.value !== '.' && findWord(cursor.rest, 'FROM') > 0;
  const source = isAlias ? sourceOf(cursor.rest, cursor.rest[0]) : undefined;
  if (source === undefined) return judge.table()?.label;
  cursor.name(dialect);
  return judge.table(source)?.label;
}

/** Where among its sources a statement gives a table that alias. */
function sourceOf(tokens: readonly Token[], alias: Token | undefined): Cursor | undefined {
  for (const { token, at } of topLevel(tokens)) {
    if (!isWord(token, 'FROM', 'JOIN', 'APPLY') && token.value !== ',') continue;
    const source = new Cursor(tokens.slice(at + 1));
    if (source.name('mssql') === undefined) continue;
    source.take('AS');
    if (source.rest[0]?.text.toLowerCase() === alias?.text.toLowerCase()) return new Cursor(tokens.slice(at + 1));
  }
  return undefined;
}

/** Words of a condition that ask no column anything. */
const CONSTANT_WORDS = ['NOT', 'AND', 'OR', 'TRUE', 'FALSE', 'NULL', 'IS', 'IN', 'LIKE', 'BETWEEN'];

/** Is there a WHERE that tells rows apart? `WHERE 1 = 1` and `WHERE id = id` do not. */
function isBounded(tokens: readonly Token[]): boolean {
  const where = findWord(tokens, 'WHERE');
  if (where < 0) return false;
  const condition = tokens.slice(where + 1);
  const [left, sign, right] = condition;
  const isItself = condition.length === 3 && sign?.value === '=' && left?.kind === right?.kind && left?.value === right?.value;
  const asksColumn = condition.some((token) => token.kind === 'name' || (token.kind === 'word' && !isWord(token, ...CONSTANT_WORDS)));
  return asksColumn && !isItself;
}

export function insertRows(judge: Judge): boolean {
  const { cursor } = judge;
  skipLimits(judge);
  cursor.take('INTO');
  const table = judge.table();
  if (table === undefined) return false;
  const isOverriding = cursor.rest.some((token, at) => isWord(token, 'OVERRIDING') && isWord(cursor.rest[at + 1], 'SYSTEM'));
  if (isOverriding) judge.add('explicit-ids', table.label);
  // In T-SQL the SELECT or EXEC that fills it is a piece of its own.
  return judge.dialect === 'mssql' || !cursor.isAtEnd;
}

export function mergeRows(judge: Judge): boolean {
  const { cursor } = judge;
  skipLimits(judge);
  cursor.take('INTO');
  const table = judge.table();
  if (table === undefined) return false;
  judge.add('merge-rows', table.label);
  const deletes = cursor.rest.some((token, at) => isWord(token, 'THEN') && isWord(cursor.rest[at + 1], 'DELETE'));
  if (deletes) judge.add('delete-rows', table.label);
  return true;
}

export function truncate(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('TABLE');
  return splitAt(cursor.rest, ',')
    .map((part) => {
      const parts = new Cursor(part);
      parts.take('ONLY');
      const table = judge.table(parts);
      if (table === undefined) return false;
      judge.add('truncate', table.label);
      if (isWord(parts.rest.at(-1), 'CASCADE')) judge.add('drop-dependents', table.label);
      return true;
    })
    .every(Boolean);
}

/** SELECT … INTO makes a table; in a body of PL/pgSQL it fills a variable. */
export function select(judge: Judge): boolean {
  const into = findWord(judge.cursor.rest, 'INTO');
  if (into >= 0 && !judge.piece.isInBody) judge.ownName(new Cursor(judge.cursor.rest.slice(into + 1)));
  return true;
}

/** The queries in parentheses are judged with all nested ones; here it is the statement after them. */
export function withQueries(judge: Judge): boolean {
  const { piece, dialect, cursor } = judge;
  for (const { token, at } of topLevel(cursor.rest)) {
    if (!isWord(token, 'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE')) continue;
    const tokens = cursor.rest.slice(at);
    judge.lookInto({ ...piece, tokens, text: textFrom(piece, tokens) });
    return true;
  }
  // In T-SQL the statement after them is a piece of its own.
  return dialect === 'mssql' && cursor.rest.at(-1)?.value === ')';
}
