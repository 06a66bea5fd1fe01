/** What a statement may cost, and the safe way to do it: the wordings of lib/migrations/safety.ts, away from its logic. */
import type { Dialect } from '../engines/engine';

/** danger: do not run it as it stands; warning: choose the moment or another way; note: good to know. */
export type Severity = 'danger' | 'warning' | 'note';

export interface Finding {
  readonly rule: Rule;
  readonly severity: Severity;
  /** The statement as it stands in the text; shortened when it is long. */
  readonly statement: string;
  readonly what: string;
  readonly saferWay: string;
  /** It stands in the body of a routine or trigger: the migration makes it and does not run it. */
  readonly runsLater?: true;
}

interface Wording {
  readonly severity: Severity;
  readonly what: (subject: string) => string;
  readonly saferWay: string | Readonly<Record<Dialect, string>>;
}

const REHEARSE = 'Read it, and rehearse it on a copy of the database first.';
const QUIET = 'Run it when nobody works, or in steps';
const NOT_VALID = 'Add it NOT VALID, then VALIDATE CONSTRAINT in a migration of its own: that lets others write.';
const OWN_SCHEMA = 'Migrations change schema canvas only; ask the owner of the other one.';

export const RULES = {
  // --- loss of data ---
  'drop-table': {
    severity: 'danger',
    what: (table) => `All rows of ${table} are lost.`,
    saferWay: 'Stop using it first; rename it in one release and drop it in a later one, with a backup that was restored once.',
  },
  'drop-column': {
    severity: 'danger',
    what: (column) => `All values of ${column} are lost, and programs that name it fail.`,
    saferWay: 'Stop reading and writing it first; drop it in a later migration.',
  },
  'drop-schema': {
    severity: 'danger',
    what: (name) => `${name} is dropped with what is in it.`,
    saferWay: 'Drop what belongs to this migration, by name.',
  },
  'drop-owned': {
    severity: 'danger',
    what: (statement) => `${statement} drops all that belongs to a role, whatever it is, and its rights in this database.`,
    saferWay: 'Drop what belongs to this migration, by name.',
  },
  'drop-dependents': {
    severity: 'danger',
    what: (name) => `CASCADE takes along whatever depends on ${name}, without a word of what that is.`,
    saferWay: 'Drop what depends on it first, by name; without CASCADE the server names what is left.',
  },
  truncate: {
    severity: 'danger',
    what: (table) => `All rows of ${table} are lost, past row triggers.`,
    saferWay: 'Delete the rows that are meant, with a WHERE, and count them before.',
  },
  'delete-all': {
    severity: 'danger',
    what: (table) => `DELETE without a condition: all rows of ${table} are lost.`,
    saferWay: 'Give a WHERE that names the rows, and count them before.',
  },
  'delete-rows': {
    severity: 'warning',
    what: (table) => `Rows of ${table} are lost.`,
    saferWay: 'Show which rows they are before; put them aside where they may be wanted again.',
  },
  'update-all': {
    severity: 'danger',
    what: (table) => `UPDATE without a condition: every row of ${table} is overwritten and locked.`,
    saferWay: 'Give a WHERE that names the rows (… IS NULL when filling a column), and do it in batches.',
  },
  'update-rows': {
    severity: 'note',
    what: (table) => `Values of ${table} are overwritten; a rollback of the migration cannot bring them back.`,
    saferWay: 'Keep the old value in a column of its own where it may be wanted again.',
  },
  'merge-rows': {
    severity: 'warning',
    what: (table) => `MERGE changes rows of ${table}, and its conditions are easy to get wrong.`,
    saferWay: 'Use an UPDATE and an INSERT … WHERE NOT EXISTS, each readable by itself.',
  },
  'type-change': {
    severity: 'danger',
    what: (column) => `The type of ${column} changes: values that do not fit are cut off or stop the migration.`,
    saferWay: 'Add a column of the new type, fill it, move the programs over, drop the old one in a later migration.',
  },
  'identity-moved': {
    severity: 'warning',
    what: (subject) => `The next id of ${subject} is moved: set too low, it gives out ids that are taken.`,
    saferWay: 'Set it from MAX in the same statement, under a lock on the table.',
  },
  'explicit-ids': {
    severity: 'warning',
    what: (table) => `${table} takes ids made by hand, which the identity does not know of.`,
    saferWay: 'Let the database make the ids.',
  },
  rename: {
    severity: 'warning',
    what: (subject) => `${subject} gets another name: programs that use the old one fail at that moment.`,
    saferWay: 'Add the new one beside the old one, move the programs over, drop the old one later.',
  },
  // --- rules lost ---
  'drop-constraint': {
    severity: 'warning',
    what: (name) => `The rule ${name} no longer holds, and rows that break it may come in.`,
    saferWay: 'Add its successor in the same migration, before it goes.',
  },
  'drop-index': {
    severity: 'warning',
    what: (name) => `The index ${name} goes: uniqueness it stood for is lost, and queries that used it slow down.`,
    saferWay: 'Make its successor first, in the same migration.',
  },
  'drop-code': {
    severity: 'warning',
    what: (name) => `${name} is dropped; what it did or refused ends with it.`,
    saferWay: 'Replace it in the same migration, or show that nothing uses it.',
  },
  'protection-off': {
    severity: 'danger',
    what: (subject) => `${subject} is turned off: what it refuses may come in, for everybody.`,
    saferWay: 'Leave it on. Where a repair must pass it, do the repair with its own rule in a statement of its own.',
  },
  'new-trigger': {
    severity: 'warning',
    what: (table) => `From then on each write to ${table} runs code that the programs which write know nothing of.`,
    saferWay: {
      postgres: 'Put it on a table that this migration makes, or show that every writer still does what it did.',
      mssql: 'Put it on a table that this migration makes: OUTPUT without INTO fails on one with a trigger (error 334).',
    },
  },
  'untrusted-constraint': {
    severity: 'warning',
    what: (name) => `${name} is not checked against the rows that are there, so the database does not rely on it.`,
    saferWay: {
      postgres: 'VALIDATE CONSTRAINT in a later migration.',
      mssql: 'Add it WITH CHECK; or check it later: ALTER TABLE … WITH CHECK CHECK CONSTRAINT ….',
    },
  },
  // --- locks ---
  'index-lock': {
    severity: 'warning',
    what: (table) => `Writers of ${table} wait until the index is built.`,
    saferWay: {
      postgres: `${QUIET}; or CREATE INDEX CONCURRENTLY outside of a transaction, beforehand: this migration will find it.`,
      mssql: `${QUIET}; or WITH (ONLINE = ON) beforehand, where the edition has it: this migration will find it.`,
    },
  },
  'foreign-key-lock': {
    severity: 'warning',
    what: (table) => `${table} and the table it refers to are locked while every row is checked.`,
    saferWay: { postgres: NOT_VALID, mssql: `${QUIET}: WITH NOCHECK first, WITH CHECK CHECK CONSTRAINT later.` },
  },
  'check-lock': {
    severity: 'warning',
    what: (table) => `${table} is locked while every row is checked.`,
    saferWay: { postgres: NOT_VALID, mssql: `${QUIET}: WITH NOCHECK first, WITH CHECK CHECK CONSTRAINT later.` },
  },
  'not-null-lock': {
    severity: 'warning',
    what: (column) => `Every row is read under a full lock to see that ${column} is not NULL.`,
    saferWay: {
      postgres: 'Add a CHECK (… IS NOT NULL) NOT VALID, validate it, then SET NOT NULL, which then reads nothing.',
      mssql: 'Fill the column first, then run it when nobody works.',
    },
  },
  'rewrite-lock': {
    severity: 'warning',
    what: (table) => `${table} is written anew under a full lock: nobody reads or writes meanwhile.`,
    saferWay: 'Add the column without it, fill it in batches, then set the rule.',
  },
  'table-lock': {
    severity: 'warning',
    what: (table) => `${table} is locked until the transaction ends.`,
    saferWay: 'Take the weakest lock that does, as late as can be.',
  },
  'online-edition': {
    severity: 'note',
    what: () => 'ONLINE = ON fails on editions that do not have it.',
    saferWay: 'Ask SERVERPROPERTY(\'EngineEdition\') first: 3, 5 and 8 have it.',
  },
  'not-null-without-default': {
    severity: 'danger',
    what: (column) => `${column} is NOT NULL without a default: it fails as soon as the table has a row.`,
    saferWay: 'Add it NULL, fill it, then set NOT NULL; or give a default.',
  },
  // --- names ---
  'unnamed-constraint': {
    severity: 'warning',
    what: (constraint) => `${constraint} has no name; the database makes one up, on SQL Server another one each time.`,
    saferWay: 'Name it: CONSTRAINT … .',
  },
  'unqualified-name': {
    severity: 'warning',
    what: (name) => `${name} names no schema: which one is meant depends on the login and the session.`,
    saferWay: 'Write canvas. before it.',
  },
  'other-schema': {
    severity: 'danger',
    what: (name) => `${name} is not in schema canvas.`,
    saferWay: OWN_SCHEMA,
  },
  'other-database': {
    severity: 'danger',
    what: (name) => `${name} reaches another database.`,
    saferWay: 'A migration stays in the database that the guard asked; open the other one as a target of its own.',
  },
  'search-path': {
    severity: 'warning',
    what: (setting) => `${setting} changes which objects later statements mean.`,
    saferWay: 'Write the schema before each name.',
  },
  permissions: {
    severity: 'warning',
    what: (statement) => `${statement} changes who may do what.`,
    saferWay: 'Keep rights out of migrations: an administrator grants them, the harm check looks at them.',
  },
  'reassign-owned': {
    severity: 'warning',
    what: (statement) => `${statement} gives all that belongs to a role to another one, in every schema.`,
    saferWay: 'Name what changes hands: ALTER TABLE … OWNER TO …; or leave it to an administrator.',
  },
  // --- transactions ---
  'timeout-changed': {
    severity: 'warning',
    what: (setting) => `${setting} changes how long statements wait, and how long others wait behind them.`,
    saferWay: 'Leave it out: a run lets a schema change wait 5 s for a lock, and then work as long as it needs.',
  },
  'outside-transaction': {
    severity: 'danger',
    what: (statement) => `${statement} cannot run in a transaction, or is not undone by its rollback.`,
    saferWay: 'Run it by hand, outside of the migration; make the migration find its result.',
  },
  'transaction-control': {
    severity: 'danger',
    what: (statement) => `${statement} ends or nests the transaction of the migration: what follows is not undone.`,
    saferWay: 'Leave it out; every migration runs in one transaction with its ledger row.',
  },
  // --- what cannot be judged ---
  'dynamic-sql': {
    severity: 'danger',
    what: () => 'The statement is put together while it runs, so nobody can tell what it will be.',
    saferWay: 'Write the statement out, or give it as one literal.',
  },
  'unknown-routine': {
    severity: 'danger',
    what: (name) => `${name} is called, and what it does is not known from here.`,
    saferWay: 'Write out what it does; or read it before you run this.',
  },
  'not-understood': {
    severity: 'danger',
    what: (beginning) => `This statement is not understood (${beginning}), so nothing is known of what it does.`,
    saferWay: REHEARSE,
  },
} as const satisfies Record<string, Wording>;

export type Rule = keyof typeof RULES;

/** How much of a long statement stands in a finding. */
const SHOWN = 300;

/** A finding about one statement. @param subject the table, column or name it is about */
export function finding(dialect: Dialect, rule: Rule, text: string, subject: string): Finding {
  const { severity, what, saferWay }: Wording = RULES[rule];
  const flat = text.replace(/\s+/g, ' ').trim();
  return {
    rule,
    severity,
    statement: flat.length > SHOWN ? `${flat.slice(0, SHOWN)}…` : flat,
    what: what(subject),
    saferWay: typeof saferWay === 'string' ? saferWay : saferWay[dialect],
  };
}
