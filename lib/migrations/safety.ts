/**
 * What the statements of a migration may cost: lost data, locks, names that lead elsewhere, what no transaction
 * undoes. A plan shows it; it stops nothing. It fails closed: a statement is judged only where all of it was
 * understood, and whatever else there is becomes a finding of its own.
 */
import type { Dialect } from '../engines/engine';
import type { Finding } from './findings';
import { Judge, type Facts, type Scope } from './judge';
import type { Token } from './lexer';
import { Cursor, findWord, isWord, piecesOf, piecesOfBody, splitAt, topLevel, type Piece } from './statements';
import { alterTable, createIndex, createTable } from './table-rules';
import { SCHEMA } from './sql';

export type { Finding } from './findings';
export type { Facts } from './judge';

/**
 * @param statements of one migration, as they would be sent, in order
 * @param facts what is known of the database; without it every table that was there before counts as filled
 * @returns findings in the order of the statements
 */
export function assess(dialect: Dialect, statements: readonly string[], facts: Facts = {}): Finding[] {
  const scope: Scope = { dialect, facts, made: new Set() };
  return statements.flatMap((text) => assessText(scope, text));
}

function assessText(scope: Scope, text: string): Finding[] {
  return piecesOf(scope.dialect, text).flatMap((piece) => assessPiece(scope, piece));
}

function assessPiece(scope: Scope, piece: Piece): Finding[] {
  const judge = new Judge(scope, piece);
  const isWhole = !piece.tokens.some(({ kind }) => kind === 'broken') && isBalanced(piece.tokens);
  const isUnderstood = piece.kind === 'condition' || judgeStatement(judge);
  if (!isWhole || !isUnderstood) judge.notUnderstood();
  judgeNested(judge);
  if (scope.dialect === 'mssql') judgeReach(judge);
  else judgeCalls(judge);
  return judge.findings;
}

function isBalanced(tokens: readonly Token[]): boolean {
  const signs = tokens.filter(({ kind }) => kind === 'symbol').map(({ value }) => value);
  let depth = 0;
  for (const sign of signs) {
    depth += sign === '(' ? 1 : sign === ')' ? -1 : 0;
    if (depth < 0) return false;
  }
  return depth === 0;
}

// --- every statement -----------------------------------------------------------------------------------------------

/** A statement may change rows from within parentheses: `WITH gone AS (DELETE …)`, `FROM (UPDATE … OUTPUT …)`. */
function judgeNested(judge: Judge): void {
  const { tokens, text } = judge.piece;
  for (const [at, token] of tokens.entries()) {
    const begins = token.kind === 'symbol' && token.value === '(' && isWord(tokens[at + 1], 'INSERT', 'UPDATE', 'DELETE', 'MERGE');
    if (!begins) continue;
    const inside = new Cursor(tokens.slice(at)).group();
    if (inside === undefined) continue;
    // `UPDATE (column)` asks a trigger which column changed.
    const inner = assessPiece(judge.scope, { ...judge.piece, kind: 'statement', tokens: inside, text });
    judge.findings.push(...inner);
  }
}

/** Schemas whose name may begin a column's name of three parts. */
const OWN_SCHEMAS = [SCHEMA, 'dbo', 'sys', 'information_schema', 'inserted', 'deleted'];

/** Names of three and four parts, and the functions that open a connection. */
function judgeReach(judge: Judge): void {
  const { tokens } = judge.piece;
  for (let at = 0; at < tokens.length; at += 1) {
    if (isWord(tokens[at], 'OPENROWSET', 'OPENQUERY', 'OPENDATASOURCE', 'OPENXML')) {
      judge.add('other-database', tokens[at]?.value ?? '');
    }
    const parts = new Cursor(tokens.slice(at)).name('mssql');
    if (parts === undefined) continue;
    const isColumn = parts.length === 3 && OWN_SCHEMAS.includes(parts[0]?.toLowerCase() ?? '');
    if (parts.length >= 3 && !isColumn) judge.add('other-database', parts.join('.'));
    at += 2 * (parts.length - 1);
  }
}

/** Functions of PostgreSQL that change nothing, and words before a parenthesis that are no functions. */
const HARMLESS = new Set(
  `abs any array array_agg array_length array_to_string avg between bigint bit bool_and bool_or boolean btrim by cardinality
  case cast ceil char character check clock_timestamp coalesce col_description concat concat_ws convert_from count
  current_database current_schema current_setting date date_part date_trunc decimal decode default dense_rank encode except
  exists extract filter first_value float floor format format_type from gen_random_uuid generate_series greatest group
  has_database_privilege has_table_privilege hashtextextended identity in include initcap int integer intersect interval into
  is json_agg json_build_object jsonb_agg jsonb_build_object key lag last_value lateral lead least left length like limit
  lower lpad ltrim max md5 min not now nullif numeric obj_description offset on only or order over overlay pg_get_constraintdef
  pg_get_expr pg_get_indexdef position quote_ident quote_literal rank references regexp_match regexp_replace replace
  returning right round row row_number row_to_json rpad rtrim select sha256 some split_part statement_timestamp stored
  string_agg strpos substr substring sum text then time timestamp timestamptz to_char to_date to_jsonb to_number to_regclass
  to_regnamespace to_regtype to_timestamp transaction_timestamp translate trim trunc union unique unnest upper using uuid
  values varchar varying version when where with and as else within all`.split(/\s+/),
);

/** Words after which a name with a parenthesis is a table or an alias with its columns. */
const BEFORE_RELATION = ['INTO', 'TABLE', 'REFERENCES', 'AS', 'EXISTS', 'ONLY', 'INDEX'];

/** A SELECT may call anything: what is called must be known to change nothing. */
function judgeCalls(judge: Judge): void {
  const { tokens } = judge.piece;
  const isIndex = isWord(tokens[0], 'CREATE');
  for (const [at, token] of tokens.entries()) {
    const isCalled = (token.kind === 'word' || token.kind === 'name') && tokens[at + 1]?.value === '(';
    if (!isCalled || tokens[at + 1]?.kind !== 'symbol') continue;
    const parts = nameBefore(tokens, at);
    const before = tokens[at - 2 * parts.length + 1];
    if (isWord(before, ...BEFORE_RELATION) || (isIndex && isWord(before, 'ON', 'FUNCTION', 'USING'))) continue;
    const isOfServer = parts.length === 1 || (parts.length === 2 && parts[0] === 'pg_catalog');
    if (!isOfServer || token.kind === 'name' || !HARMLESS.has(token.value.toLowerCase())) {
      judge.add('unknown-routine', `${parts.join('.')}()`);
    }
  }
}

/** The parts of a name that ends at a place. */
function nameBefore(tokens: readonly Token[], end: number): string[] {
  const parts = [tokens[end]?.value.toLowerCase() ?? ''];
  for (let at = end; tokens[at - 1]?.value === '.' && tokens[at - 1]?.kind === 'symbol'; at -= 2) {
    parts.unshift(tokens[at - 2]?.value.toLowerCase() ?? '');
  }
  return parts;
}

// --- statements by their first word --------------------------------------------------------------------------------

/** @returns whether the statement was understood */
type Rule = (judge: Judge) => boolean;

const understood: Rule = () => true;

const outsideTransaction: Rule = (judge) => {
  judge.add('outside-transaction', judge.piece.tokens.slice(0, 2).map(({ value }) => value).join(' '));
  return true;
};

const transactionControl: Rule = (judge) => {
  judge.add('transaction-control', judge.piece.tokens.slice(0, 2).map(({ value }) => value).join(' '));
  return true;
};

const permissions: Rule = (judge) => {
  judge.add('permissions', judge.piece.tokens.slice(0, 2).map(({ value }) => value).join(' '));
  return true;
};

/** The first word is behind the cursor. */
const COMMON: Readonly<Record<string, Rule>> = {
  ALTER: alter,
  CREATE: create,
  DELETE: deleteRows,
  DROP: drop,
  INSERT: insertRows,
  MERGE: mergeRows,
  SELECT: select,
  SET: (judge) => (judge.dialect === 'mssql' ? setMssql(judge) : setPostgres(judge)),
  TRUNCATE: truncate,
  UPDATE: updateRows,
  WITH: withQueries,
  BEGIN: transactionControl,
  COMMIT: transactionControl,
  ROLLBACK: transactionControl,
  GRANT: permissions,
  REVOKE: permissions,
  CHECKPOINT: understood,
};

const POSTGRES: Readonly<Record<string, Rule>> = {
  ...COMMON,
  ABORT: transactionControl,
  // In a body it ends a block that was not understood.
  END: (judge) => !judge.piece.isInBody && transactionControl(judge),
  PREPARE: transactionControl,
  RELEASE: transactionControl,
  SAVEPOINT: transactionControl,
  START: transactionControl,
  CLUSTER: outsideTransaction,
  DISCARD: outsideTransaction,
  VACUUM: outsideTransaction,
  ANALYZE: understood,
  CALL: callRoutine,
  COMMENT: comment,
  DO: doBlock,
  EXECUTE: executeText,
  LOCK: lockTable,
  PERFORM: inBody,
  RAISE: inBody,
  RETURN: inBody,
  NULL: inBody,
  REASSIGN: permissions,
  REINDEX: reindex,
};

const MSSQL: Readonly<Record<string, Rule>> = {
  ...COMMON,
  SAVE: transactionControl,
  BACKUP: outsideTransaction,
  RESTORE: outsideTransaction,
  KILL: outsideTransaction,
  RECONFIGURE: outsideTransaction,
  SHUTDOWN: outsideTransaction,
  DBCC: consistencyCheck,
  DECLARE: (judge) => findWord(judge.cursor.rest, 'CURSOR') < 0,
  DENY: permissions,
  DISABLE: disableTrigger,
  ENABLE: (judge) => judge.cursor.take('TRIGGER'),
  EXEC: execute,
  EXECUTE: execute,
  PRINT: understood,
  RAISERROR: understood,
  RETURN: understood,
  THROW: understood,
  USE: useDatabase,
};

const RULES: Readonly<Record<Dialect, Readonly<Record<string, Rule>>>> = { postgres: POSTGRES, mssql: MSSQL };

function judgeStatement(judge: Judge): boolean {
  const { cursor, dialect } = judge;
  const head = cursor.peek();
  if (judge.piece.isInBody && isAssignment(judge.piece.tokens)) return true;
  const rule = Object.hasOwn(RULES[dialect], head) ? RULES[dialect][head] : undefined;
  return rule !== undefined && cursor.take(head) && rule(judge);
}

/** `variable := expression`; what the expression calls is looked at with all calls. */
function isAssignment(tokens: readonly Token[]): boolean {
  return tokens[0]?.kind === 'word' && tokens[1]?.value === ':' && tokens[2]?.value === '=';
}

// --- CREATE, ALTER, DROP -------------------------------------------------------------------------------------------

function create(judge: Judge): boolean {
  const { cursor } = judge;
  if (!cursor.take('OR', 'REPLACE')) cursor.take('OR', 'ALTER');
  if (cursor.take('TABLE')) return createTable(judge);
  if (['UNIQUE', 'CLUSTERED', 'NONCLUSTERED', 'INDEX'].includes(cursor.peek())) return createIndex(judge);
  if (cursor.take('SCHEMA')) return createSchema(judge);
  cursor.take('CONSTRAINT');
  switch (cursor.peek()) {
    case 'TRIGGER':
    case 'FUNCTION':
    case 'PROCEDURE':
    case 'PROC':
    case 'VIEW':
      return createWithBody(judge);
    case 'SEQUENCE':
      cursor.take('SEQUENCE');
      cursor.take('IF', 'NOT', 'EXISTS');
      return judge.ownName() !== undefined;
    case 'USER':
    case 'LOGIN':
    case 'ROLE':
    case 'POLICY':
      return permissions(judge);
    case 'DATABASE':
    case 'TABLESPACE':
    case 'SUBSCRIPTION':
    case 'FULLTEXT':
      return outsideTransaction(judge);
    default:
      return false;
  }
}

function createSchema(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('IF', 'NOT', 'EXISTS');
  const name = cursor.name(judge.dialect)?.join('.');
  if (name === undefined) return false;
  if (!judge.isOwnSchema(name)) judge.add('other-schema', name);
  return cursor.isAtEnd;
}

/** What runs later is judged as if it ran now: a trigger that deletes is no better than a DELETE. */
function createWithBody(judge: Judge): boolean {
  const { cursor, dialect } = judge;
  const kind = cursor.takeOne('TRIGGER', 'FUNCTION', 'PROCEDURE', 'PROC', 'VIEW');
  if (dialect === 'postgres') return kind === 'TRIGGER' ? createTriggerPostgres(judge) : createBodyPostgres(judge, kind);
  if (judge.ownName() === undefined) return false;
  if (kind === 'TRIGGER' && !(cursor.take('ON') && judge.ownName() !== undefined)) return false;
  const as = findWord(cursor.rest, 'AS');
  const body = cursor.rest.slice(as + 1);
  if (as < 0 || body.length === 0) return false;
  judge.findings.push(...assessText(judge.scope, bodyText(judge.piece, body)));
  return true;
}

/** The text of the piece from a token on. */
function bodyText({ text, tokens }: Piece, body: readonly Token[]): string {
  return text.slice((body[0]?.start ?? 0) - (tokens[0]?.start ?? 0));
}

/** A trigger of PostgreSQL runs a function that was judged when it was made. */
function createTriggerPostgres(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.name('postgres');
  const on = cursor.rest.findIndex((token) => isWord(token, 'ON'));
  if (on < 0) return false;
  judge.ownName(new Cursor(cursor.rest.slice(on + 1)));
  const runs = findWord(cursor.rest, 'EXECUTE');
  if (runs < 0) return false;
  const routine = new Cursor(cursor.rest.slice(runs + 1));
  return routine.takeOne('FUNCTION', 'PROCEDURE') !== undefined && judge.ownName(routine) !== undefined;
}

function createBodyPostgres(judge: Judge, kind: string | undefined): boolean {
  const { cursor } = judge;
  if (judge.ownName() === undefined) return false;
  if (kind === 'VIEW') {
    const as = findWord(cursor.rest, 'AS');
    return as >= 0 && isWord(cursor.rest[as + 1], 'SELECT', 'WITH', 'VALUES');
  }
  if (findWord(cursor.rest, 'DEFINER') >= 0) judge.add('permissions', 'SECURITY DEFINER');
  const as = findWord(cursor.rest, 'AS');
  const body = cursor.rest[as + 1];
  const language = cursor.rest[findWord(cursor.rest, 'LANGUAGE') + 1];
  if (as < 0 || body?.kind !== 'string') return false;
  return judgeBody(judge, body.value, language?.value.toLowerCase());
}

function judgeBody(judge: Judge, body: string, language: string | undefined): boolean {
  if (language === 'sql') {
    judge.findings.push(...assessText(judge.scope, body));
    return true;
  }
  if (language !== 'plpgsql') return false;
  judge.findings.push(...piecesOfBody(body).flatMap((piece) => assessPiece(judge.scope, piece)));
  return true;
}

function alter(judge: Judge): boolean {
  const { cursor, dialect } = judge;
  switch (cursor.peek()) {
    case 'TABLE':
      return cursor.take('TABLE') && alterTable(judge);
    case 'INDEX':
      return cursor.take('INDEX') && alterIndex(judge);
    case 'DATABASE':
    case 'SYSTEM':
    case 'TABLESPACE':
    case 'FULLTEXT':
      return outsideTransaction(judge);
    case 'SCHEMA':
      judge.add(dialect === 'mssql' ? 'other-schema' : 'rename', 'A schema');
      return true;
    case 'SEQUENCE':
      cursor.take('SEQUENCE');
      judge.add('identity-moved', judge.ownName() ?? 'A sequence');
      return true;
    case 'ROLE':
    case 'USER':
    case 'LOGIN':
    case 'AUTHORIZATION':
    case 'DEFAULT':
      return permissions(judge);
    case 'TRIGGER':
    case 'FUNCTION':
    case 'PROCEDURE':
    case 'PROC':
    case 'VIEW':
      return dialect === 'mssql' && createWithBody(judge);
    default:
      return false;
  }
}

function alterIndex(judge: Judge): boolean {
  const { cursor, dialect } = judge;
  cursor.take('IF', 'EXISTS');
  const index = cursor.name(dialect)?.join('.');
  if (index === undefined) return false;
  if (dialect === 'postgres') {
    judge.add('rename', index);
    return cursor.take('RENAME', 'TO');
  }
  if (!cursor.take('ON')) return false;
  const table = judge.table();
  const verb = cursor.takeOne('REBUILD', 'DISABLE', 'REORGANIZE');
  if (verb === 'DISABLE') judge.add('protection-off', `The index ${index}`);
  if (verb === 'REBUILD' && table?.isFilled === true) judge.add('index-lock', table.label);
  return verb !== undefined;
}

/** What a DROP loses, by the kind of object. */
const DROPPED = {
  TABLE: 'drop-table',
  SCHEMA: 'drop-schema',
  INDEX: 'drop-index',
  TRIGGER: 'drop-code',
  FUNCTION: 'drop-code',
  PROCEDURE: 'drop-code',
  PROC: 'drop-code',
  VIEW: 'drop-code',
  SEQUENCE: 'drop-code',
  TYPE: 'drop-code',
} as const;

function drop(judge: Judge): boolean {
  const { cursor } = judge;
  const kind = cursor.takeOne(...Object.keys(DROPPED)) as keyof typeof DROPPED | undefined;
  if (kind === undefined) return dropElsewhere(judge);
  if (cursor.take('CONCURRENTLY')) judge.add('outside-transaction', `DROP ${kind} CONCURRENTLY`);
  cursor.take('IF', 'EXISTS');
  return splitAt(cursor.rest, ',')
    .map((part) => {
      const parts = new Cursor(part);
      const isSchemaless = kind === 'SCHEMA' || (kind === 'INDEX' && judge.dialect === 'mssql');
      const isOnTable = kind === 'TRIGGER' && judge.dialect === 'postgres';
      const name = isSchemaless || isOnTable ? parts.name(judge.dialect)?.join('.') : judge.ownName(parts);
      if (name === undefined) return false;
      judge.add(DROPPED[kind], name);
      if (parts.take('ON')) judge.ownName(parts);
      parts.group();
      return parts.isAtEnd || parts.takeOne('CASCADE', 'RESTRICT', 'WITH') !== undefined;
    })
    .every(Boolean);
}

function dropElsewhere(judge: Judge): boolean {
  switch (judge.cursor.peek()) {
    case 'DATABASE':
      judge.add('drop-schema', 'A database');
      return outsideTransaction(judge);
    case 'TABLESPACE':
    case 'FULLTEXT':
    case 'SUBSCRIPTION':
      return outsideTransaction(judge);
    case 'USER':
    case 'ROLE':
    case 'LOGIN':
    case 'OWNED':
    case 'POLICY':
      return permissions(judge);
    default:
      return false;
  }
}

// --- rows ----------------------------------------------------------------------------------------------------------

/** TOP (n) of T-SQL and ONLY of PostgreSQL stand before the name. */
function skipLimits({ cursor }: Judge): void {
  if (cursor.take('TOP')) {
    if (cursor.group() === undefined) cursor.name('mssql');
    cursor.take('PERCENT');
  }
  cursor.take('ONLY');
}

function deleteRows(judge: Judge): boolean {
  const { cursor } = judge;
  skipLimits(judge);
  cursor.take('FROM');
  cursor.take('ONLY');
  const table = rowsTarget(judge);
  if (table === undefined) return false;
  judge.add(isBounded(cursor.rest) ? 'delete-rows' : 'delete-all', table);
  return true;
}

function updateRows(judge: Judge): boolean {
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

function insertRows(judge: Judge): boolean {
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

function mergeRows(judge: Judge): boolean {
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

function truncate(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('TABLE');
  return splitAt(cursor.rest, ',')
    .map((part) => {
      const parts = new Cursor(part);
      parts.take('ONLY');
      const table = judge.table(parts);
      if (table !== undefined) judge.add('truncate', table.label);
      return table !== undefined;
    })
    .every(Boolean);
}

/** SELECT … INTO makes a table; in a body of PL/pgSQL it fills a variable. */
function select(judge: Judge): boolean {
  const into = findWord(judge.cursor.rest, 'INTO');
  if (into >= 0 && !judge.piece.isInBody) judge.ownName(new Cursor(judge.cursor.rest.slice(into + 1)));
  return true;
}

/** The queries in parentheses are judged with all nested ones; here it is the statement after them. */
function withQueries(judge: Judge): boolean {
  const { piece, scope, cursor } = judge;
  for (const { token, at } of topLevel(cursor.rest)) {
    if (!isWord(token, 'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE')) continue;
    const tokens = cursor.rest.slice(at);
    judge.findings.push(...assessPiece(scope, { ...piece, tokens, text: bodyText(piece, tokens) }));
    return true;
  }
  // In T-SQL the statement after them is a piece of its own.
  return scope.dialect === 'mssql' && cursor.rest.at(-1)?.value === ')';
}

// --- settings ------------------------------------------------------------------------------------------------------

const SETTINGS_MSSQL = [
  'NOCOUNT', 'XACT_ABORT', 'ANSI_NULLS', 'ANSI_PADDING', 'ANSI_WARNINGS', 'ARITHABORT', 'CONCAT_NULL_YIELDS_NULL',
  'QUOTED_IDENTIFIER',
];

function setMssql(judge: Judge): boolean {
  const { cursor } = judge;
  if (cursor.peek().startsWith('@') || cursor.take('LOCK_TIMEOUT') || cursor.take('DEADLOCK_PRIORITY')) return true;
  if (cursor.take('TRANSACTION', 'ISOLATION', 'LEVEL')) return true;
  if (cursor.take('IDENTITY_INSERT')) {
    judge.add('explicit-ids', judge.ownName() ?? 'A table');
    return true;
  }
  // Turned off, these change how the text itself is read, or let a failed statement be passed over.
  while (cursor.takeOne(...SETTINGS_MSSQL) !== undefined) cursor.take(',');
  return cursor.take('ON') && cursor.isAtEnd;
}

const SETTINGS_POSTGRES = [
  'LOCK_TIMEOUT', 'STATEMENT_TIMEOUT', 'TIMEZONE', 'CLIENT_MIN_MESSAGES', 'WORK_MEM', 'MAINTENANCE_WORK_MEM',
];

function setPostgres(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.takeOne('LOCAL', 'SESSION');
  if (cursor.take('TRANSACTION') || cursor.take('CONSTRAINTS')) return true;
  if (cursor.peek() === 'ROLE' || cursor.peek() === 'AUTHORIZATION') return permissions(judge);
  if (cursor.take('SEARCH_PATH')) {
    judge.add('search-path', 'SET search_path');
    return true;
  }
  if (cursor.take('SESSION_REPLICATION_ROLE')) {
    judge.add('protection-off', 'Every trigger and foreign key');
    return true;
  }
  return cursor.takeOne(...SETTINGS_POSTGRES) !== undefined;
}

// --- code that runs now --------------------------------------------------------------------------------------------

/** Statements that only a body has; what they call is looked at with all calls. */
function inBody(judge: Judge): boolean {
  return judge.piece.isInBody;
}

function doBlock(judge: Judge): boolean {
  const { cursor } = judge;
  let language = 'plpgsql';
  if (cursor.take('LANGUAGE')) language = cursor.name('postgres')?.join('.') ?? '';
  const body = cursor.literal();
  if (cursor.take('LANGUAGE')) language = cursor.name('postgres')?.join('.') ?? '';
  return body !== undefined && cursor.isAtEnd && judgeBody(judge, body, language);
}

/** EXECUTE of PL/pgSQL runs a text, that of SQL a prepared statement. */
function executeText(judge: Judge): boolean {
  const { cursor } = judge;
  const text = judge.piece.isInBody ? cursor.literal() : undefined;
  const isWhole = cursor.isAtEnd || cursor.peek() === 'USING';
  if (text === undefined || !isWhole) judge.add('dynamic-sql', '');
  else judge.findings.push(...assessText(judge.scope, text));
  return true;
}

/** Procedures of SQL Server that only take a lock or describe. */
const HARMLESS_PROCEDURES = ['sp_getapplock', 'sp_releaseapplock', 'sp_addextendedproperty'];

function execute(judge: Judge): boolean {
  const { cursor } = judge;
  if (cursor.take('AS')) return permissions(judge);
  const group = cursor.group();
  if (group !== undefined) return executeGroup(judge, group);
  if (cursor.peek().startsWith('@') && cursor.peek(1) === '=') cursor.take(cursor.peek(), '=');
  const parts = cursor.name('mssql')?.map((part) => part.toLowerCase());
  if (parts === undefined) return false;
  const name = parts.length === 2 && parts[0] === 'sys' ? (parts[1] ?? '') : parts.join('.');
  if (name === 'sp_executesql') return executeParameter(judge);
  if (name === 'sp_rename') judge.add('rename', cursor.literal() ?? 'An object');
  else if (!HARMLESS_PROCEDURES.includes(name)) judge.add('unknown-routine', name);
  return true;
}

/** `EXEC (N'…' + N'…')`: literals only, or nobody knows what it runs. */
function executeGroup(judge: Judge, group: readonly Token[]): boolean {
  const parts = splitAt(group, '+');
  const isLiteral = parts.every((part) => part.length === 1 && part[0]?.kind === 'string');
  if (isLiteral) judge.findings.push(...assessText(judge.scope, parts.map(([part]) => part?.value).join('')));
  else judge.add('dynamic-sql', '');
  if (judge.cursor.take('AT')) judge.add('other-database', judge.cursor.name('mssql')?.join('.') ?? 'EXEC … AT');
  return judge.cursor.isAtEnd;
}

function executeParameter(judge: Judge): boolean {
  const { cursor } = judge;
  const text = cursor.literal();
  if (text !== undefined && (cursor.isAtEnd || cursor.peek() === ',')) {
    judge.findings.push(...assessText(judge.scope, text));
  } else {
    judge.add('dynamic-sql', '');
  }
  return true;
}

function callRoutine(judge: Judge): boolean {
  judge.add('unknown-routine', judge.cursor.name(judge.dialect)?.join('.') ?? 'CALL');
  return true;
}

// --- the rest ------------------------------------------------------------------------------------------------------

function comment(judge: Judge): boolean {
  const { cursor, dialect } = judge;
  if (!cursor.take('ON') || cursor.takeOne('TABLE', 'COLUMN', 'INDEX', 'FUNCTION', 'SCHEMA') === undefined) return false;
  return judge.isOwnSchema(cursor.name(dialect)?.[0]) && cursor.take('IS');
}

function lockTable(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('TABLE');
  const table = judge.table();
  if (table !== undefined) judge.add('table-lock', table.label);
  return table !== undefined;
}

function reindex(judge: Judge): boolean {
  const { cursor } = judge;
  const kind = cursor.takeOne('TABLE', 'INDEX', 'SCHEMA', 'DATABASE', 'SYSTEM');
  if (kind === 'DATABASE' || kind === 'SYSTEM' || cursor.peek() === 'CONCURRENTLY') return outsideTransaction(judge);
  judge.add('index-lock', cursor.name('postgres')?.join('.') ?? 'The table');
  return kind !== undefined;
}

function consistencyCheck(judge: Judge): boolean {
  const { cursor } = judge;
  if (!cursor.take('CHECKIDENT')) return false;
  const words = cursor.group() ?? [];
  if (words.some((token) => isWord(token, 'RESEED'))) judge.add('identity-moved', words[0]?.value ?? 'a table');
  return true;
}

function disableTrigger(judge: Judge): boolean {
  judge.add('protection-off', 'A trigger');
  return judge.cursor.take('TRIGGER');
}

function useDatabase(judge: Judge): boolean {
  judge.add('other-database', judge.cursor.name('mssql')?.join('.') ?? 'USE');
  return judge.cursor.isAtEnd;
}
