/**
 * A T-SQL script that protects itself. `GO` is the client's word: what ends one batch does not end the next, and not
 * every client stops at an error. So every batch asks by itself whether it is where it belongs, and turns execution off
 * for the rest of the session where it is not (I-18).
 */
import { faults } from '../errors';
import { literal } from './sql';

const text = (value: string) => `N${literal(value)}`;

/** Numbers of the errors a script throws. */
export const THROWN = { place: 51000, data: 51003, shape: 51004, marker: 51005, ledger: 51006, refused: 51007, lock: 51222 } as const;

/**
 * A text that a person typed, as an expression in ASCII that sqlcmd leaves alone: `$(` would be a variable of its own,
 * and a file without a byte order mark is read in the code page of the machine.
 */
export function typedText(value: string): string {
  const pieces = value.match(/[^\x20-\x7e]+|(?:[\x20-\x23\x25-\x7e]|\$(?!\())+|\$/g) ?? [''];
  return pieces.map((piece) => (/^[\x20-\x7e]*$/.test(piece) ? text(piece) : unescaped(piece))).join(' + ');
}

/** JSON_VALUE knows surrogate pairs whatever the collation; NCHAR does not. */
function unescaped(piece: string): string {
  const units = Array.from({ length: piece.length }, (_, at) => piece.charCodeAt(at).toString(16).padStart(4, '0'));
  return `JSON_VALUE(N'["${units.map((unit) => `\\u${unit}`).join('')}"]', N'$[0]')`;
}

/** The database a script is for. Its name stands in comments and literals, so nothing but a plain name is taken. */
const PLAIN_NAME = /^[A-Za-z0-9_.-]{1,128}$/;

/** @throws ToolkitError USAGE for a name that is not plain */
export function requirePlainName(database: string): void {
  if (!PLAIN_NAME.test(database)) throw faults.badDatabaseName(database);
}

/**
 * Tells, turns execution off, and throws: the first is what sqlcmd and SSMS stop at, the second stops the batches after
 * this one where the client goes on, the third ends this one where the server knows no NOEXEC.
 */
function refuseWhen(condition: string, message: string): string {
  const said = text(message);
  return `IF ${condition} BEGIN RAISERROR (${said}, 16, 1); SET NOEXEC ON; THROW ${THROWN.place}, ${said}, 1; END;`;
}

/** Makes the batches of one script. */
export class ScriptFile {
  readonly #database: string;
  readonly #parts: string[] = [];

  /** @param about what stands at its head, line by line */
  constructor(database: string, about: readonly string[]) {
    this.#database = database;
    const lines = about.map((line) => `-- ${line}`.trimEnd());
    this.#parts.push(`${lines.join('\n')}\n:on error exit\n:setvar SqlcmdMode "on"\nGO\n`);
    this.batch(
      `${refuseWhen(`N'$(SqlcmdMode)' <> N'on'`, 'This script needs sqlcmd, or SSMS with Query > SQLCMD Mode.')}
${refuseWhen('@@TRANCOUNT <> 0', 'A transaction is open. End it first.')}
SET XACT_ABORT, NOCOUNT ON;
SET IMPLICIT_TRANSACTIONS OFF;
-- Filtered indexes need these; sqlcmd begins with QUOTED_IDENTIFIER OFF.
SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON;
SET NUMERIC_ROUNDABORT OFF;
SET LOCK_TIMEOUT 5000;`,
    );
  }

  /** Adds one batch; what it begins with is the protection. */
  batch(body: string): void {
    this.#add(`${this.#protection()}\n${body}`);
  }

  /** Adds one batch of a transaction that an earlier batch began and an error would have ended. */
  step(body: string): void {
    const lost = refuseWhen('@@TRANCOUNT = 0', 'An earlier step failed; its transaction was undone.');
    this.#add(`${this.#protection()}\n${lost}\n${body}`);
  }

  /** Adds one batch that works on a temporary table, which stands only where the batches before it succeeded. */
  after(table: string, body: string): void {
    const lost = refuseWhen(`OBJECT_ID(N'tempdb..${table}') IS NULL`, 'An earlier step failed. Nothing more is done.');
    this.#add(`${this.#protection()}\n${lost}\n${body}`);
  }

  /** The whole text. Its last batch gives the session back. */
  end(): string {
    const whole = `${this.#parts.join('\n')}\nSET NOEXEC OFF;\nGO\n`;
    // sqlcmd reads a file without a byte order mark in the code page of the machine.
    const foreign = /[^\n\x20-\x7e]/.exec(whole)?.[0];
    if (foreign !== undefined) throw new TypeError(`A script may hold ASCII only, not ${JSON.stringify(foreign)}.`);
    return whole;
  }

  #protection(): string {
    return refuseWhen(
      `ISNULL(DB_ID(${text(this.#database)}), -1) <> DB_ID()`,
      `This database is not ${this.#database}.`,
    );
  }

  #add(batch: string): void {
    // The client would take these lines and signs for its own words, in strings too; some need no colon.
    // https://learn.microsoft.com/sql/tools/sqlcmd/sqlcmd-commands
    const body = batch.replaceAll(`$(SqlcmdMode)`, '');
    const taken = /^\s*(?:(?:GO|QUIT|EXIT|RESET|ED)\b.*|:.*|!!.*)$|\$\(/im.exec(body)?.[0];
    if (taken !== undefined) throw new TypeError(`sqlcmd would take this for its own: ${taken}`);
    this.#parts.push(`${batch}\nGO\n`);
  }
}
