/** What CREATE, ALTER and DROP may cost. Each function says whether it understood its statement; its first word is behind it. */
import { createEventTrigger, createRule, createWithBody } from './code-rules';
import type { Judge } from './judge';
import { outsideTransaction, permissions } from './session-rules';
import { Cursor, isWord, splitAt } from './statements';
import { alterTable, createIndex, createTable, isEndOfDrop } from './table-rules';

export function create(judge: Judge): boolean {
  const { cursor } = judge;
  if (!cursor.take('OR', 'REPLACE')) cursor.take('OR', 'ALTER');
  if (cursor.take('TABLE')) return createTable(judge);
  if (['UNIQUE', 'CLUSTERED', 'NONCLUSTERED', 'INDEX'].includes(cursor.peek())) return createIndex(judge);
  if (cursor.take('SCHEMA')) return createSchema(judge);
  cursor.take('CONSTRAINT');
  switch (cursor.peek()) {
    case 'EVENT':
      return createEventTrigger(judge);
    case 'RULE':
      return createRule(judge);
    case 'SECURITY':
      return permissions(judge);
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

export function alter(judge: Judge): boolean {
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
    case 'POLICY':
      return permissions(judge);
    case 'SECURITY':
      return alterSecurityPolicy(judge);
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

/** Turned off, rows show that it hid. */
function alterSecurityPolicy(judge: Judge): boolean {
  const { tokens } = judge.piece;
  const isOff = tokens.some((token, at) => isWord(token, 'STATE') && isWord(tokens[at + 2], 'OFF'));
  if (!isOff) return permissions(judge);
  judge.add('protection-off', 'A security policy');
  return true;
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
  DOMAIN: 'drop-code',
  RULE: 'drop-code',
} as const;

export function drop(judge: Judge): boolean {
  const { cursor } = judge;
  const kind = cursor.takeOne(...Object.keys(DROPPED)) as keyof typeof DROPPED | undefined;
  if (kind === undefined) return dropElsewhere(judge);
  if (cursor.take('CONCURRENTLY')) judge.add('outside-transaction', `DROP ${kind} CONCURRENTLY`);
  cursor.take('IF', 'EXISTS');
  return splitAt(cursor.rest, ',')
    .map((part) => {
      const parts = new Cursor(part);
      const isSchemaless = kind === 'SCHEMA' || (kind === 'INDEX' && judge.dialect === 'mssql');
      const isOnTable = (kind === 'TRIGGER' || kind === 'RULE') && judge.dialect === 'postgres';
      const name = isSchemaless || isOnTable ? parts.name(judge.dialect)?.join('.') : judge.ownName(parts);
      if (name === undefined) return false;
      judge.add(DROPPED[kind], name);
      if (parts.take('ON')) judge.ownName(parts);
      parts.group();
      return isEndOfDrop(judge, parts, name);
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
      return permissions(judge);
    case 'POLICY':
    case 'SECURITY':
      judge.add('protection-off', 'A policy');
      return true;
    case 'OWNED':
      judge.add('drop-owned', 'DROP OWNED');
      if (isWord(judge.piece.tokens.at(-1), 'CASCADE')) judge.add('drop-dependents', 'them');
      return judge.cursor.take('OWNED', 'BY');
    default:
      return false;
  }
}
