/** What CREATE and ALTER of tables and indexes may cost. Each function says whether it understood its statement. */
import type { Judge, Table } from './judge';
import type { Token } from './lexer';
import { Cursor, findWord, isWord, splitAt, topLevel } from './statements';

const CONSTRAINT_HEADS = ['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK'];

/** `CREATE TABLE` is behind the cursor. */
export function createTable(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('IF', 'NOT', 'EXISTS');
  const name = judge.ownName();
  const group = cursor.group();
  if (name === undefined || group === undefined) return false;
  judge.made(name);
  const table: Table = { name, label: name, isFilled: false };
  const isUnderstood = allOf(group, (element) => addElement(judge, table, element, true));
  if (judge.dialect === 'mssql' && cursor.take('ON')) cursor.name('mssql');
  if (cursor.take('WITH')) cursor.group();
  return isUnderstood && cursor.isAtEnd;
}

/** `CREATE` is behind the cursor, `[UNIQUE] … INDEX` comes. */
export function createIndex(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('UNIQUE');
  cursor.takeOne('CLUSTERED', 'NONCLUSTERED');
  if (!cursor.take('INDEX')) return false;
  const isConcurrent = cursor.take('CONCURRENTLY');
  if (isConcurrent) judge.add('outside-transaction', 'CREATE INDEX CONCURRENTLY');
  cursor.take('IF', 'NOT', 'EXISTS');
  if (cursor.peek() === 'ON') judge.add('unnamed-constraint', 'The index');
  else cursor.name(judge.dialect);
  if (!cursor.take('ON')) return false;
  cursor.take('ONLY');
  const table = judge.table();
  if (cursor.take('USING')) cursor.name(judge.dialect);
  if (table === undefined || cursor.group() === undefined) return false;
  const isOnline = isOnlineIndex(cursor.rest);
  if (isOnline) judge.add('online-edition', table.label);
  if (table.isFilled && !isConcurrent && !isOnline) judge.add('index-lock', table.label);
  return isIndexTail(judge);
}

/** INCLUDE, WHERE, WITH, a place: nothing of it is another statement, for those were split off before. */
function isIndexTail({ cursor }: Judge): boolean {
  if (cursor.take('INCLUDE')) cursor.group();
  const isExpression = cursor.peek() === 'WHERE';
  if (isExpression) return true;
  if (cursor.take('WITH')) cursor.group();
  if (cursor.takeOne('ON', 'TABLESPACE') !== undefined) cursor.name('mssql');
  return cursor.isAtEnd || cursor.peek() === 'WHERE';
}

/** `WITH (ONLINE = ON)`, with whatever else stands in the parentheses. */
function isOnlineIndex(rest: readonly Token[]): boolean {
  return rest.some((token, at) => isWord(token, 'ONLINE') && rest[at + 1]?.value === '=' && isWord(rest[at + 2], 'ON'));
}

/** `ALTER TABLE` is behind the cursor. */
export function alterTable(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('IF', 'EXISTS');
  cursor.take('ONLY');
  const table = judge.table();
  if (table === undefined || cursor.isAtEnd) return false;
  if (judge.dialect === 'mssql') return alterTableMssql(judge, table);
  return allOf(cursor.rest, (action) => alterTablePostgres(judge, table, action));
}

/** Judges every part between commas, those after one that was not understood too. */
function allOf(tokens: readonly Token[], judgePart: (part: readonly Token[]) => boolean): boolean {
  return splitAt(tokens, ',').map(judgePart).every(Boolean);
}

// --- what both add -------------------------------------------------------------------------------------------------

/** A column or a constraint, of a new table or added to one. */
function addElement(judge: Judge, table: Table, element: readonly Token[], isChecked: boolean): boolean {
  const [head] = element;
  if (head === undefined || isWord(head, 'LIKE', 'EXCLUDE', 'INDEX', 'PERIOD')) return false;
  const isConstraint = isWord(head, ...CONSTRAINT_HEADS) || (judge.dialect === 'mssql' && isWord(head, 'DEFAULT'));
  const isKnown = ['PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK', 'DEFAULT'].some((word) => findWord(element, word) >= 0);
  if (isConstraint && !isKnown) return false;
  judgeNames(judge, element, isConstraint);
  judgeReference(judge, element);
  if (!table.isFilled) return isConstraint || element.length > 1;
  judgeRules(judge, table, element, isChecked);
  return isConstraint || addColumn(judge, table, element);
}

function judgeNames(judge: Judge, element: readonly Token[], isConstraint: boolean): void {
  const kinds = ['PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN', ...(judge.dialect === 'mssql' ? ['DEFAULT'] : [])];
  const subject = isConstraint ? '' : ` of column ${element[0]?.text}`;
  for (const { token, at } of topLevel(element)) {
    const isOwnReference = isWord(token, 'REFERENCES') && findWord(element, 'FOREIGN') < 0;
    if (!isWord(token, ...kinds) && !isOwnReference) continue;
    if (!isWord(element[at - 2], 'CONSTRAINT')) judge.add('unnamed-constraint', `${token.value}${subject}`);
  }
}

/** A foreign key locks and binds the table it refers to. */
function judgeReference(judge: Judge, element: readonly Token[]): void {
  const at = findWord(element, 'REFERENCES');
  if (at >= 0) judge.ownName(new Cursor(element.slice(at + 1)));
}

function judgeRules(judge: Judge, table: Table, element: readonly Token[], isChecked: boolean): void {
  const has = (word: string) => findWord(element, word) >= 0;
  if (has('REFERENCES') || has('CHECK')) {
    const isUnchecked = !isChecked || (has('NOT') && has('VALID'));
    const rule = isUnchecked ? 'untrusted-constraint' : has('REFERENCES') ? 'foreign-key-lock' : 'check-lock';
    judge.add(rule, isUnchecked ? nameOf(element) : table.label);
  }
  if ((has('UNIQUE') || has('PRIMARY')) && !has('USING')) judge.add('index-lock', table.label);
}

function nameOf(element: readonly Token[]): string {
  return isWord(element[0], 'CONSTRAINT') ? (element[1]?.text ?? '') : `The rule on ${element[0]?.text}`;
}

/** Types that make their own values. */
const SERIAL = ['SERIAL', 'BIGSERIAL', 'SMALLSERIAL', 'SERIAL4', 'SERIAL8'];

function addColumn(judge: Judge, table: Table, element: readonly Token[]): boolean {
  if (element.length < 2) return false;
  const has = (word: string) => findWord(element, word) >= 0;
  const makesValues = has('IDENTITY') || has('GENERATED') || isWord(element[1], ...SERIAL);
  const isRequired = hasNotNull(element) || has('PRIMARY');
  const isComputed = judge.dialect === 'mssql' && isWord(element[1], 'AS');
  if (isRequired && !makesValues && !isComputed && !has('DEFAULT')) {
    judge.add('not-null-without-default', `${table.label}.${element[0]?.text}`);
  }
  if (makesValues || hasCostlyDefault(judge, element, isRequired)) judge.add('rewrite-lock', table.label);
  return true;
}

function hasNotNull(element: readonly Token[]): boolean {
  return element.some((token, at) => isWord(token, 'NOT') && isWord(element[at + 1], 'NULL'));
}

/**
 * PostgreSQL keeps a constant once and for all rows; a call may give another value for each. SQL Server does so in
 * some editions only, and not WITH VALUES.
 */
function hasCostlyDefault(judge: Judge, element: readonly Token[], isRequired: boolean): boolean {
  const at = findWord(element, 'DEFAULT');
  if (at < 0) return false;
  if (judge.dialect === 'mssql') return isRequired || findWord(element, 'VALUES') >= 0;
  const value = element.slice(at + 1);
  return value.some((token, place) => token.value === '(' && ['word', 'name'].includes(value[place - 1]?.kind ?? ''));
}

// --- PostgreSQL ----------------------------------------------------------------------------------------------------

function alterTablePostgres(judge: Judge, table: Table, action: readonly Token[]): boolean {
  const cursor = new Cursor(action);
  const verb = cursor.takeOne('ADD', 'DROP', 'ALTER', 'RENAME', 'VALIDATE', 'ENABLE', 'DISABLE', 'SET', 'OWNER', 'FORCE', 'NO');
  switch (verb) {
    case 'ADD':
      if (cursor.take('COLUMN')) cursor.take('IF', 'NOT', 'EXISTS');
      return addElement(judge, table, cursor.rest, true);
    case 'DROP':
      return dropPart(judge, table, cursor);
    case 'ALTER':
      return alterColumnPostgres(judge, table, cursor);
    case 'RENAME':
      judge.add('rename', table.label);
      return true;
    case 'VALIDATE':
      return cursor.take('CONSTRAINT');
    case 'ENABLE':
      return enablePostgres(judge, table, cursor);
    case 'DISABLE':
      judge.add('protection-off', `What DISABLE names on ${table.label}`);
      return true;
    case 'NO':
      judge.add('protection-off', `Row level security of ${table.label}, for its owner,`);
      return cursor.take('FORCE', 'ROW', 'LEVEL', 'SECURITY');
    case 'FORCE':
    case 'OWNER':
      judge.add('permissions', `${verb} of ${table.label}`);
      return true;
    case 'SET':
      if (!cursor.take('SCHEMA')) return false;
      judge.add('other-schema', `The new place of ${table.label}`);
      return true;
    case undefined:
    default:
      return false;
  }
}

function enablePostgres(judge: Judge, table: Table, cursor: Cursor): boolean {
  if (cursor.take('ROW', 'LEVEL', 'SECURITY')) {
    judge.add('permissions', `Row level security of ${table.label}`);
    return true;
  }
  // It then fires for nobody but a replica.
  if (cursor.take('REPLICA')) judge.add('protection-off', `A trigger of ${table.label}`);
  else cursor.take('ALWAYS');
  return cursor.takeOne('TRIGGER', 'RULE') !== undefined;
}

function alterColumnPostgres(judge: Judge, table: Table, cursor: Cursor): boolean {
  cursor.take('COLUMN');
  const column = cursor.name('postgres');
  if (column === undefined) return false;
  const label = `${table.label}.${column.join('.')}`;
  if (cursor.take('SET', 'DATA', 'TYPE') || cursor.take('TYPE')) {
    judge.add('type-change', label);
    if (table.isFilled) judge.add('rewrite-lock', table.label);
    return true;
  }
  if (cursor.take('SET', 'NOT', 'NULL')) {
    if (table.isFilled) judge.add('not-null-lock', label);
    return true;
  }
  if (cursor.take('SET', 'GENERATED', 'BY', 'DEFAULT') || cursor.take('DROP', 'IDENTITY')) {
    judge.add('explicit-ids', table.label);
    return true;
  }
  if (cursor.peek() === 'RESTART' || (cursor.peek() === 'SET' && cursor.peek(1) === 'START')) {
    judge.add('identity-moved', table.label);
    return true;
  }
  return ['SET GENERATED', 'SET DEFAULT', 'SET STATISTICS', 'DROP DEFAULT', 'DROP NOT', 'ADD GENERATED'].some((words) =>
    cursor.take(...words.split(' ')),
  );
}

/** `DROP` is behind the cursor. */
function dropPart(judge: Judge, table: Table, cursor: Cursor): boolean {
  const isConstraint = cursor.take('CONSTRAINT');
  if (!isConstraint) cursor.take('COLUMN');
  cursor.take('IF', 'EXISTS');
  const name = cursor.name(judge.dialect)?.join('.');
  if (name === undefined) return false;
  if (isConstraint) judge.add('drop-constraint', name);
  else judge.add('drop-column', `${table.label}.${name}`);
  return isEndOfDrop(judge, cursor, name);
}

/** @returns whether what comes after the name of what is dropped was understood */
export function isEndOfDrop(judge: Judge, rest: Cursor, name: string): boolean {
  if (rest.isAtEnd) return true;
  const how = rest.takeOne('CASCADE', 'RESTRICT', 'WITH');
  if (how === 'CASCADE') judge.add('drop-dependents', name);
  return how !== undefined;
}

// --- T-SQL ---------------------------------------------------------------------------------------------------------

function alterTableMssql(judge: Judge, table: Table): boolean {
  const { cursor } = judge;
  const check = cursor.take('WITH') ? cursor.takeOne('CHECK', 'NOCHECK') : undefined;
  const verb = cursor.takeOne('ADD', 'DROP', 'ALTER', 'CHECK', 'NOCHECK', 'ENABLE', 'DISABLE', 'REBUILD');
  switch (verb) {
    case 'ADD':
      return allOf(cursor.rest, (element) => addElement(judge, table, element, check !== 'NOCHECK'));
    case 'DROP':
      return dropParts(judge, table);
    case 'ALTER':
      return alterColumnMssql(judge, table);
    case 'CHECK':
      if (check === 'CHECK') judge.add('check-lock', table.label);
      else judge.add('untrusted-constraint', cursor.rest.map(({ value }) => value).join(' '));
      return cursor.take('CONSTRAINT');
    case 'NOCHECK':
      judge.add('protection-off', `A constraint of ${table.label}`);
      return cursor.take('CONSTRAINT');
    case 'ENABLE':
      return cursor.take('TRIGGER');
    case 'DISABLE':
      judge.add('protection-off', `A trigger of ${table.label}`);
      return cursor.take('TRIGGER');
    case 'REBUILD':
      judge.add('rewrite-lock', table.label);
      return true;
    case undefined:
    default:
      return false;
  }
}

/** `DROP COLUMN a, b, CONSTRAINT c`: a word holds until the next one; none at all means a constraint. */
function dropParts(judge: Judge, table: Table): boolean {
  let isColumn = false;
  return allOf(judge.cursor.rest, (part) => {
    if (isWord(part[0], 'COLUMN')) isColumn = true;
    if (isWord(part[0], 'CONSTRAINT')) isColumn = false;
    const bare = isWord(part[0], 'COLUMN', 'CONSTRAINT') ? part.slice(1) : part;
    const word = isColumn ? 'COLUMN' : 'CONSTRAINT';
    const keyword = { kind: 'word', value: word, text: word, start: 0, end: 0 } as const;
    return dropPart(judge, table, new Cursor([keyword, ...bare]));
  });
}

function alterColumnMssql(judge: Judge, table: Table): boolean {
  const { cursor } = judge;
  if (!cursor.take('COLUMN')) return false;
  const column = cursor.name('mssql');
  if (column === undefined || cursor.isAtEnd || isWord(cursor.rest[0], 'ADD', 'DROP')) return false;
  const label = `${table.label}.${column.join('.')}`;
  // It always names the type, the same or another: which one cannot be seen here.
  judge.add('type-change', label);
  if (table.isFilled) judge.add(hasNotNull(cursor.rest) ? 'not-null-lock' : 'rewrite-lock', label);
  return true;
}
