/**
 * Code within statements: bodies, literals that are run, routines that are called. A literal is looked into; what is put
 * together while it runs is a finding. Each function says whether it understood its statement; its first word is behind it.
 */
import type { Judge } from './judge';
import type { Token } from './lexer';
import { permissions } from './session-rules';
import { Cursor, findWord, isWord, piecesOfBody, splitAt, textFrom } from './statements';

/** What runs later is judged as if it ran now: a trigger that deletes is no better than a DELETE. */
export function createWithBody(judge: Judge): boolean {
  const { cursor, dialect } = judge;
  const kind = cursor.takeOne('TRIGGER', 'FUNCTION', 'PROCEDURE', 'PROC', 'VIEW');
  if (dialect === 'postgres') return kind === 'TRIGGER' ? createTriggerPostgres(judge) : createBodyPostgres(judge, kind);
  if (judge.ownName() === undefined) return false;
  if (kind === 'TRIGGER' && !(cursor.take('ON') && judgeTriggered(judge, cursor))) return false;
  const as = findWord(cursor.rest, 'AS');
  const body = cursor.rest.slice(as + 1);
  if (as < 0 || body.length === 0) return false;
  judge.lookIntoText(textFrom(judge.piece, body), true);
  return true;
}

/** The table that a trigger is put on; whoever writes to one that was there before did not ask for it. */
function judgeTriggered(judge: Judge, name: Cursor): boolean {
  const table = judge.table(name);
  if (table === undefined) return false;
  if (!judge.isMadeHere(table.name)) judge.add('new-trigger', table.label);
  return true;
}

/** The function of a trigger, behind EXECUTE: judged where this migration makes it, else code of somebody else. */
function judgeTriggerCode(judge: Judge): boolean {
  const runs = findWord(judge.cursor.rest, 'EXECUTE');
  const routine = new Cursor(judge.cursor.rest.slice(runs + 1));
  if (runs < 0 || routine.takeOne('FUNCTION', 'PROCEDURE') === undefined) return false;
  const name = judge.ownName(routine);
  if (name === undefined) return false;
  if (!judge.scope.routines.has(name.toLowerCase())) judge.add('unknown-routine', `${name}()`);
  return true;
}

/** It runs at whatever anybody does to the schema. */
export function createEventTrigger(judge: Judge): boolean {
  judge.add('permissions', 'CREATE EVENT TRIGGER');
  return judge.cursor.take('EVENT', 'TRIGGER') && judgeTriggerCode(judge);
}

/** A rule of PostgreSQL does something else than the statement says. */
export function createRule(judge: Judge): boolean {
  const { cursor } = judge;
  const to = findWord(cursor.rest, 'TO');
  const action = findWord(cursor.rest, 'DO');
  if (to < 0 || action < to || !judgeTriggered(judge, new Cursor(cursor.rest.slice(to + 1)))) return false;
  const does = new Cursor(cursor.rest.slice(action + 1));
  does.takeOne('ALSO', 'INSTEAD');
  if (does.take('NOTHING')) return does.isAtEnd;
  if (does.isAtEnd || does.peek() === '(') return false;
  judge.lookIntoText(textFrom(judge.piece, does.rest), true);
  return true;
}

function createTriggerPostgres(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.name('postgres');
  const on = cursor.rest.findIndex((token) => isWord(token, 'ON'));
  if (on < 0) return false;
  return judgeTriggered(judge, new Cursor(cursor.rest.slice(on + 1))) && judgeTriggerCode(judge);
}

function createBodyPostgres(judge: Judge, kind: string | undefined): boolean {
  const { cursor } = judge;
  const name = judge.ownName();
  if (name === undefined) return false;
  if (kind !== 'VIEW') judge.scope.routines.add(name.toLowerCase());
  if (kind === 'VIEW') {
    const as = findWord(cursor.rest, 'AS');
    return as >= 0 && isWord(cursor.rest[as + 1], 'SELECT', 'WITH', 'VALUES');
  }
  if (findWord(cursor.rest, 'DEFINER') >= 0) judge.add('permissions', 'SECURITY DEFINER');
  const as = findWord(cursor.rest, 'AS');
  const body = cursor.rest[as + 1];
  const language = cursor.rest[findWord(cursor.rest, 'LANGUAGE') + 1];
  if (as < 0 || body?.kind !== 'string') return false;
  return judgeBody(judge, body.value, language?.value.toLowerCase(), true);
}

function judgeBody(judge: Judge, body: string, language: string | undefined, runsLater = false): boolean {
  if (language === 'sql') {
    judge.lookIntoText(body, runsLater);
    return true;
  }
  if (language !== 'plpgsql') return false;
  for (const piece of piecesOfBody(body)) judge.lookInto(piece, runsLater);
  return true;
}

/** Statements that only a body has; what they call is looked at with all calls. */
export function inBody(judge: Judge): boolean {
  return judge.piece.isInBody;
}

export function doBlock(judge: Judge): boolean {
  const { cursor } = judge;
  let language = 'plpgsql';
  if (cursor.take('LANGUAGE')) language = cursor.name('postgres')?.join('.') ?? '';
  const body = cursor.literal();
  if (cursor.take('LANGUAGE')) language = cursor.name('postgres')?.join('.') ?? '';
  return body !== undefined && cursor.isAtEnd && judgeBody(judge, body, language);
}

/** EXECUTE of PL/pgSQL runs a text, that of SQL a prepared statement. */
export function executeText(judge: Judge): boolean {
  const { cursor } = judge;
  const text = judge.piece.isInBody ? cursor.literal() : undefined;
  const isWhole = cursor.isAtEnd || cursor.peek() === 'USING';
  if (text === undefined || !isWhole) judge.add('dynamic-sql', '');
  else judge.lookIntoText(text);
  return true;
}

/** Procedures of SQL Server that only take a lock or describe. */
const HARMLESS_PROCEDURES = ['sp_getapplock', 'sp_releaseapplock', 'sp_addextendedproperty'];

export function execute(judge: Judge): boolean {
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
  if (isLiteral) judge.lookIntoText(parts.map(([part]) => part?.value).join(''));
  else judge.add('dynamic-sql', '');
  if (judge.cursor.take('AT')) judge.add('other-database', judge.cursor.name('mssql')?.join('.') ?? 'EXEC … AT');
  return judge.cursor.isAtEnd;
}

function executeParameter(judge: Judge): boolean {
  const { cursor } = judge;
  const text = cursor.literal();
  if (text !== undefined && (cursor.isAtEnd || cursor.peek() === ',')) {
    judge.lookIntoText(text);
  } else {
    judge.add('dynamic-sql', '');
  }
  return true;
}

export function callRoutine(judge: Judge): boolean {
  judge.add('unknown-routine', judge.cursor.name(judge.dialect)?.join('.') ?? 'CALL');
  return true;
}
