/**
 * What the statements of a migration may cost: lost data, locks, names that lead elsewhere, what no transaction
 * undoes. A plan shows it; it stops nothing. It fails closed: a statement is judged only where all of it was
 * understood, and whatever else there is becomes a finding of its own.
 */
import type { Dialect } from '../engines/engine';
import { callRoutine, doBlock, execute, executeText, inBody } from './code-rules';
import type { Finding } from './findings';
import { Judge, type Facts, type Scope } from './judge';
import type { Token } from './lexer';
import { alter, create, drop } from './object-rules';
import { deleteRows, insertRows, mergeRows, select, truncate, updateRows, withQueries } from './row-rules';
import {
  comment, consistencyCheck, disableTrigger, lockTable, outsideTransaction, permissions, reassign, reindex, resetPostgres,
  setMssql, setPostgres, transactionControl, useDatabase,
} from './session-rules';
import { SCHEMA } from './sql';
import { Cursor, findWord, isWord, piecesOf, type Piece } from './statements';

export type { Finding } from './findings';
export type { Facts } from './judge';

/**
 * @param statements of one migration, as they would be sent, in order
 * @param facts what is known of the database; without it every table that was there before counts as filled
 * @returns findings in the order of the statements
 */
export function assess(dialect: Dialect, statements: readonly string[], facts: Facts = {}): Finding[] {
  const scope: Scope = { dialect, facts, made: new Set(), routines: new Set(), assess: (piece) => assessPiece(scope, piece) };
  return statements.flatMap((text) => piecesOf(dialect, text).flatMap((piece) => assessPiece(scope, piece)));
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
  const { tokens } = judge.piece;
  for (const [at, token] of tokens.entries()) {
    const begins = token.kind === 'symbol' && token.value === '(' && isWord(tokens[at + 1], 'INSERT', 'UPDATE', 'DELETE', 'MERGE');
    if (!begins) continue;
    const inside = new Cursor(tokens.slice(at)).group();
    if (inside === undefined) continue;
    // `UPDATE (column)` asks a trigger which column changed.
    judge.lookInto({ ...judge.piece, kind: 'statement', tokens: inside });
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
  const isCreated = isWord(tokens[0], 'CREATE');
  const isIndex = isCreated && tokens.slice(1, 3).some((token) => isWord(token, 'INDEX'));
  for (const [at, token] of tokens.entries()) {
    const isCalled = (token.kind === 'word' || token.kind === 'name') && tokens[at + 1]?.value === '(';
    if (!isCalled || tokens[at + 1]?.kind !== 'symbol') continue;
    const parts = nameBefore(tokens, at);
    const before = tokens[at - 2 * parts.length + 1];
    const isNamed = (isIndex && isWord(before, 'ON', 'USING')) || (isWord(tokens[0], 'CREATE', 'DROP') && isWord(before, 'FUNCTION', 'PROCEDURE'));
    if (isNamed || isWord(before, ...BEFORE_RELATION)) continue;
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
  PREPARE: (judge) => judge.cursor.peek() === 'TRANSACTION' && transactionControl(judge),
  RELEASE: transactionControl,
  SAVEPOINT: transactionControl,
  START: (judge) => judge.cursor.peek() === 'TRANSACTION' && transactionControl(judge),
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
  REASSIGN: reassign,
  REINDEX: reindex,
  RESET: resetPostgres,
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
