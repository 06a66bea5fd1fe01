/** One piece of a migration under judgement: where its names lead, what its tables hold, what was found. */
import type { Dialect } from '../engines/engine';
import { finding, type Finding, type Rule } from './findings';
import { SCHEMA } from './sql';
import { Cursor, piecesOf, type Piece } from './statements';

/** What is known of the database. Without it every table that was there before counts as filled. */
export interface Facts {
  /** Rows of the tables of schema canvas by name; a table that is not named here does not exist. */
  readonly rowCounts?: Readonly<Record<string, number>>;
}

/** What holds for all statements of one assessment. */
export interface Scope {
  readonly dialect: Dialect;
  readonly facts: Facts;
  /** Tables that an earlier statement makes, in lower case. */
  readonly made: Set<string>;
  /** Routines that an earlier statement makes, in lower case: they were judged there. */
  readonly routines: Set<string>;
  /** What a piece within a piece costs. */
  readonly assess: (piece: Piece) => Finding[];
}

/** A table as a statement names it. */
export interface Table {
  readonly name: string;
  /** For a reader: with its schema, and its rows where they are known. */
  readonly label: string;
  /** Had it rows before this migration, as far as anyone knows? */
  readonly isFilled: boolean;
}

export class Judge {
  readonly scope: Scope;
  readonly piece: Piece;
  readonly cursor: Cursor;
  readonly findings: Finding[] = [];

  constructor(scope: Scope, piece: Piece) {
    this.scope = scope;
    this.piece = piece;
    this.cursor = new Cursor(piece.tokens);
  }

  get dialect(): Dialect {
    return this.scope.dialect;
  }

  /** Notes a finding, once for each subject. */
  add(rule: Rule, subject: string): void {
    const found = finding(this.dialect, rule, this.piece.text, subject);
    if (!this.findings.some(({ what }) => what === found.what)) this.findings.push(found);
  }

  /** Judges a piece that stands in this one. @param runsLater whether this one only makes it */
  lookInto(piece: Piece, runsLater = false): void {
    const found = this.scope.assess(piece);
    this.findings.push(...(runsLater ? found.map((one) => ({ ...one, runsLater: true as const })) : found));
  }

  /** Judges a text that this one runs, or makes. */
  lookIntoText(text: string, runsLater = false): void {
    for (const piece of piecesOf(this.dialect, text)) this.lookInto(piece, runsLater);
  }

  /** What is neither known nor looked at is a finding of its own. */
  notUnderstood(): void {
    const beginning = this.piece.tokens.slice(0, 4).map(({ value }) => value);
    this.add('not-understood', beginning.join(' ').slice(0, 60));
  }

  /** The name that comes next, and whether it is one of ours. @returns undefined where none comes */
  ownName(cursor = this.cursor): string | undefined {
    const parts = cursor.name(this.dialect);
    if (parts === undefined) return undefined;
    this.#judgeName(parts);
    return parts.join('.');
  }

  /** The table that comes next. */
  table(cursor = this.cursor): Table | undefined {
    const name = this.ownName(cursor);
    if (name === undefined) return undefined;
    const table = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
    const rows = this.#rowsOf(table);
    const isFilled = rows === undefined ? !this.scope.made.has(table) && !isTemporary(name) : rows > 0;
    return { name, label: rows === undefined ? name : `${name} (${rows} rows)`, isFilled };
  }

  /** Remembers that the table of that name was made by this migration. */
  made(name: string): void {
    this.scope.made.add(name.slice(name.lastIndexOf('.') + 1).toLowerCase());
  }

  /** Does an earlier statement of this migration make that table? */
  isMadeHere(name: string): boolean {
    return this.scope.made.has(name.slice(name.lastIndexOf('.') + 1).toLowerCase());
  }

  #rowsOf(table: string): number | undefined {
    const { rowCounts } = this.scope.facts;
    if (rowCounts === undefined) return undefined;
    return Object.entries(rowCounts).find(([name]) => name.toLowerCase() === table)?.[1] ?? 0;
  }

  #judgeName(parts: readonly string[]): void {
    const name = parts.join('.');
    if (isTemporary(name)) return;
    if (parts.length > 2) this.add('other-database', name);
    else if (parts.length === 1) this.add('unqualified-name', name);
    else if (!this.isOwnSchema(parts[0])) this.add('other-schema', name);
  }

  /** SQL Server's usual collation knows no case; where it does, another case is an error there and not here. */
  isOwnSchema(name: string | undefined): boolean {
    return (this.dialect === 'mssql' ? name?.toLowerCase() : name) === SCHEMA;
  }
}

/** SQL Server's own sign for tables and variables that end with the session. */
const isTemporary = (name: string) => name.startsWith('#') || name.startsWith('@');
