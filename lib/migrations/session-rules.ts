/** What statements about transactions, rights, settings and locks may cost. Each function says whether it understood. */
import type { Judge } from './judge';
import { isWord } from './statements';

/** The first words, which say what it is. */
const firstWords = ({ piece }: Judge) => piece.tokens.slice(0, 2).map(({ value }) => value).join(' ');

export function outsideTransaction(judge: Judge): boolean {
  judge.add('outside-transaction', firstWords(judge));
  return true;
}

export function transactionControl(judge: Judge): boolean {
  judge.add('transaction-control', firstWords(judge));
  return true;
}

export function permissions(judge: Judge): boolean {
  judge.add('permissions', firstWords(judge));
  return true;
}

export function reassign(judge: Judge): boolean {
  judge.add('reassign-owned', firstWords(judge));
  return judge.cursor.take('OWNED', 'BY');
}

const SETTINGS_MSSQL = [
  'NOCOUNT', 'XACT_ABORT', 'ANSI_NULLS', 'ANSI_PADDING', 'ANSI_WARNINGS', 'ARITHABORT', 'CONCAT_NULL_YIELDS_NULL',
  'QUOTED_IDENTIFIER',
];

export function setMssql(judge: Judge): boolean {
  const { cursor } = judge;
  if (cursor.peek().startsWith('@') || cursor.take('DEADLOCK_PRIORITY')) return true;
  if (cursor.take('LOCK_TIMEOUT')) return timeoutChanged(judge);
  if (cursor.take('TRANSACTION', 'ISOLATION', 'LEVEL')) return true;
  if (cursor.take('IDENTITY_INSERT')) {
    judge.add('explicit-ids', judge.ownName() ?? 'A table');
    return true;
  }
  // Turned off, these change how the text itself is read, or let a failed statement be passed over.
  while (cursor.takeOne(...SETTINGS_MSSQL) !== undefined) cursor.take(',');
  return cursor.take('ON') && cursor.isAtEnd;
}

const SETTINGS_POSTGRES = ['TIMEZONE', 'CLIENT_MIN_MESSAGES', 'WORK_MEM', 'MAINTENANCE_WORK_MEM'];

const TIMEOUTS_POSTGRES = [
  'LOCK_TIMEOUT', 'STATEMENT_TIMEOUT', 'TRANSACTION_TIMEOUT', 'IDLE_IN_TRANSACTION_SESSION_TIMEOUT', 'IDLE_SESSION_TIMEOUT',
  'DEADLOCK_TIMEOUT',
];

/** The runner sets these for the whole transaction, and a migration must not undo that. */
function timeoutChanged(judge: Judge): boolean {
  judge.add('timeout-changed', firstWords(judge));
  return true;
}

export function resetPostgres(judge: Judge): boolean {
  return judge.cursor.takeOne('ALL', ...TIMEOUTS_POSTGRES) !== undefined && timeoutChanged(judge);
}

export function setPostgres(judge: Judge): boolean {
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
  if (cursor.takeOne(...TIMEOUTS_POSTGRES) !== undefined) return timeoutChanged(judge);
  return cursor.takeOne(...SETTINGS_POSTGRES) !== undefined;
}

export function comment(judge: Judge): boolean {
  const { cursor, dialect } = judge;
  if (!cursor.take('ON') || cursor.takeOne('TABLE', 'COLUMN', 'INDEX', 'FUNCTION', 'SCHEMA') === undefined) return false;
  return judge.isOwnSchema(cursor.name(dialect)?.[0]) && cursor.take('IS');
}

export function lockTable(judge: Judge): boolean {
  const { cursor } = judge;
  cursor.take('TABLE');
  const table = judge.table();
  if (table !== undefined) judge.add('table-lock', table.label);
  return table !== undefined;
}

export function reindex(judge: Judge): boolean {
  const { cursor } = judge;
  const kind = cursor.takeOne('TABLE', 'INDEX', 'SCHEMA', 'DATABASE', 'SYSTEM');
  if (kind === 'DATABASE' || kind === 'SYSTEM' || cursor.peek() === 'CONCURRENTLY') return outsideTransaction(judge);
  judge.add('index-lock', cursor.name('postgres')?.join('.') ?? 'The table');
  return kind !== undefined;
}

export function consistencyCheck(judge: Judge): boolean {
  const { cursor } = judge;
  if (!cursor.take('CHECKIDENT')) return false;
  const words = cursor.group() ?? [];
  if (words.some((token) => isWord(token, 'RESEED'))) judge.add('identity-moved', words[0]?.value ?? 'a table');
  return true;
}

export function disableTrigger(judge: Judge): boolean {
  judge.add('protection-off', 'A trigger');
  return judge.cursor.take('TRIGGER');
}

export function useDatabase(judge: Judge): boolean {
  judge.add('other-database', judge.cursor.name('mssql')?.join('.') ?? 'USE');
  return judge.cursor.isAtEnd;
}
