/**
 * What statements would make, by name, and which names they would free: a plan compares it with what is there. Only what
 * is certain counts: a statement that nobody understands makes nothing here, and is judged in safety.ts.
 */
import type { Dialect } from '../engines/engine';
import type { Token } from './lexer';
import { Cursor, isWord, piecesOf, piecesOfBody, splitAt, type Piece } from './statements';

/**
 * `relation`: a view or a sequence. `key`: a constraint with an index of its name. `identity`: a column whose ids are made
 * by the database only.
 */
export type MadeKind = 'table' | 'relation' | 'index' | 'key' | 'constraint' | 'trigger' | 'routine' | 'column' | 'identity';

/** One thing that a statement would make. */
export interface Made {
  readonly kind: MadeKind;
  /** What it belongs to; of a table, itself. */
  readonly table: string;
  readonly name: string;
  /** Of a trigger: what it runs at. */
  readonly events: readonly string[];
  /** `IF NOT EXISTS`: where the name is taken, nothing is done. */
  readonly isOptional: boolean;
}

/** What one statement does to names. */
export interface Effect {
  readonly makes: readonly Made[];
  /** In lower case; which object of that name is meant does not matter. */
  readonly frees: readonly string[];
}

export function effectOf(dialect: Dialect, statement: string): Effect {
  const pieces = [...statementsIn(dialect, piecesOf(dialect, statement))];
  return {
    makes: pieces.flatMap((piece) => makesOf(dialect, piece)),
    frees: pieces.flatMap((piece) => freesOf(dialect, piece)),
  };
}

/** The statements among pieces, those within `DO` and within literals that are run too. */
function* statementsIn(dialect: Dialect, pieces: readonly Piece[]): Generator<Piece> {
  for (const piece of pieces) {
    if (piece.kind !== 'statement') continue;
    const inner = innerPieces(dialect, piece);
    if (inner === undefined) yield piece;
    else yield* statementsIn(dialect, inner);
  }
}

function innerPieces(dialect: Dialect, piece: Piece): Piece[] | undefined {
  const cursor = new Cursor(piece.tokens);
  if (dialect === 'postgres') {
    if (cursor.take('DO')) return piecesOfBody(cursor.literal() ?? '');
    const text = piece.isInBody && cursor.take('EXECUTE') ? cursor.literal() : undefined;
    return text === undefined ? undefined : piecesOf(dialect, text);
  }
  if (cursor.takeOne('EXEC', 'EXECUTE') === undefined) return undefined;
  const group = cursor.group();
  if (group === undefined) return undefined;
  const parts = splitAt(group, '+');
  return parts.every((part) => part.length === 1 && part[0]?.kind === 'string')
    ? piecesOf(dialect, parts.map(([part]) => part?.value).join(''))
    : undefined;
}

// --- what is made --------------------------------------------------------------------------------------------------

function makesOf(dialect: Dialect, { tokens }: Piece): Made[] {
  const cursor = new Cursor(tokens);
  if (cursor.take('CREATE')) return createdBy(dialect, cursor);
  if (cursor.take('ALTER', 'TABLE')) return alteredBy(dialect, cursor);
  return [];
}

const lastOf = (parts: readonly string[] | undefined) => parts?.at(-1);

function createdBy(dialect: Dialect, cursor: Cursor): Made[] {
  if (!cursor.take('OR', 'REPLACE')) cursor.take('OR', 'ALTER');
  cursor.takeOne('UNIQUE', 'CONSTRAINT', 'MATERIALIZED');
  cursor.takeOne('CLUSTERED', 'NONCLUSTERED');
  const word = cursor.takeOne('TABLE', 'INDEX', 'TRIGGER', 'FUNCTION', 'PROCEDURE', 'PROC', 'VIEW', 'SEQUENCE');
  cursor.take('CONCURRENTLY');
  const isOptional = cursor.take('IF', 'NOT', 'EXISTS');
  const name = lastOf(cursor.name(dialect));
  if (word === undefined || name === undefined) return [];
  switch (word) {
    case 'TABLE':
      return tableWithKeys(dialect, name, isOptional, cursor.group() ?? []);
    case 'INDEX':
    case 'TRIGGER': {
      const on = cursor.rest.findIndex((token) => isWord(token, 'ON'));
      const target = new Cursor(cursor.rest.slice(on + 1));
      target.take('ONLY');
      const table = on < 0 ? undefined : lastOf(target.name(dialect));
      if (table === undefined) return [];
      const events = word === 'INDEX' ? [] : eventsOf(dialect === 'postgres' ? cursor.rest.slice(0, on) : target.rest);
      return [{ kind: word === 'INDEX' ? 'index' : 'trigger', table, name, events, isOptional }];
    }
    default: {
      const kind = word === 'VIEW' || word === 'SEQUENCE' ? 'relation' : 'routine';
      return [{ kind, table: name, name, events: [], isOptional }];
    }
  }
}

const EVENTS = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'];

/** The events of a trigger stand before its body, which begins with AS. */
function eventsOf(tokens: readonly Token[]): string[] {
  const as = tokens.findIndex((token) => isWord(token, 'AS'));
  const head = as < 0 ? tokens : tokens.slice(0, as);
  return head.filter((token) => isWord(token, ...EVENTS)).map(({ value }) => value);
}

function tableWithKeys(dialect: Dialect, name: string, isOptional: boolean, elements: readonly Token[]): Made[] {
  const common = { table: name, events: [], isOptional };
  return [{ kind: 'table', name, ...common }, ...constraintsIn(dialect, elements).map((one) => ({ ...one, ...common }))];
}

/** The named constraints of a table, those of its columns too. */
function constraintsIn(dialect: Dialect, tokens: readonly Token[]): Pick<Made, 'kind' | 'name'>[] {
  return tokens.flatMap((token, at) => {
    const name = isWord(token, 'CONSTRAINT') ? lastOf(new Cursor(tokens.slice(at + 1)).name(dialect)) : undefined;
    const kind = isWord(tokens[at + 2], 'PRIMARY', 'UNIQUE') ? ('key' as const) : ('constraint' as const);
    return name === undefined ? [] : [{ kind, name }];
  });
}

function alteredBy(dialect: Dialect, cursor: Cursor): Made[] {
  cursor.take('IF', 'EXISTS');
  cursor.take('ONLY');
  const table = lastOf(cursor.name(dialect));
  if (table === undefined) return [];
  if (cursor.take('WITH')) cursor.takeOne('CHECK', 'NOCHECK');
  const isAdding = cursor.peek() === 'ADD';
  return splitAt(cursor.rest, ',').flatMap((part) => {
    const action = new Cursor(part);
    // In T-SQL one ADD stands for all that follows.
    const adds = action.take('ADD') || (dialect === 'mssql' && isAdding);
    return adds ? addedBy(dialect, table, action) : identityIn(dialect, table, action);
  });
}

function addedBy(dialect: Dialect, table: string, action: Cursor): Made[] {
  const common = { table, events: [], isOptional: false };
  const constraints = constraintsIn(dialect, action.rest).map((one) => ({ ...one, ...common }));
  action.take('COLUMN');
  const isOptional = action.take('IF', 'NOT', 'EXISTS');
  if (isWord(action.rest[0], 'CONSTRAINT', 'PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK', 'DEFAULT')) return constraints;
  const column = lastOf(action.name(dialect));
  return column === undefined ? constraints : [{ ...common, kind: 'column', name: column, isOptional }, ...constraints];
}

function identityIn(dialect: Dialect, table: string, action: Cursor): Made[] {
  if (dialect !== 'postgres' || !action.take('ALTER')) return [];
  action.take('COLUMN');
  const name = lastOf(action.name(dialect));
  const isAlways = action.take('SET', 'GENERATED', 'ALWAYS') || action.take('ADD', 'GENERATED', 'ALWAYS');
  return name === undefined || !isAlways ? [] : [{ kind: 'identity', table, name, events: [], isOptional: true }];
}

// --- what is freed -------------------------------------------------------------------------------------------------

/** Every name of a statement that drops or renames: more than it frees, and never less. */
function freesOf(dialect: Dialect, { tokens }: Piece): string[] {
  const isDrop = isWord(tokens[0], 'DROP');
  const isAlter = isWord(tokens[0], 'ALTER') && tokens.some((token) => isWord(token, 'DROP', 'RENAME', 'TRANSFER'));
  const isRename = dialect === 'mssql' && tokens.some((token) => token.text.toLowerCase() === 'sp_rename');
  if (!isDrop && !isAlter && !isRename) return [];
  // sp_rename takes its names as literals: N'canvas.T.I', in brackets or not.
  return tokens
    .filter(({ kind }) => kind !== 'symbol')
    .flatMap((token) => (token.kind === 'string' ? token.value.split('.') : [token.text]))
    .map((name) => name.replace(/^[["]|[\]"]$/g, '').toLowerCase());
}
