import test from 'ava';
import fc from 'fast-check';
import type { Dialect } from '../../lib/engines/engine';
import { loadMigration, readMigrations } from '../../lib/migrations/files';
import { RULES } from '../../lib/migrations/findings';
import { tokenize, type Token } from '../../lib/migrations/lexer';
import { recordStatements } from '../../lib/migrations/record';
import { assess, type Facts } from '../../lib/migrations/safety';
import { BOTH, MSSQL, POSTGRES, type Case } from './safety.table';

const CASES: Record<Dialect, readonly Case[]> = { postgres: [...BOTH, ...POSTGRES], mssql: [...BOTH, ...MSSQL] };
const DIALECTS = ['postgres', 'mssql'] as const;

const rulesOf = (dialect: Dialect, ...statements: string[]) => assess(dialect, statements).map(({ rule }) => rule).sort();

for (const dialect of DIALECTS) {
  test(`${dialect}: ${CASES[dialect].length} statements are found by exactly their rules`, (t) => {
    const wrong = CASES[dialect]
      .map(([statement, rules, reason]) => ({ statement, reason, expected: [...rules].sort(), found: rulesOf(dialect, statement) }))
      .filter(({ expected, found }) => expected.join() !== found.join());
    t.deepEqual(wrong, []);
  });

  test(`${dialect}: comments, spaces and case around and within a statement change no finding`, (t) => {
    const cases = CASES[dialect].filter(([text]) => tokenize(dialect, text).every(({ kind }) => kind !== 'broken'));
    const space = fc.constantFrom(' ', '\t', '\r\n', '/* x */', `/* ' /* " */ [ $$ ; */`, `-- it's; $$\n`, '\n--\n');
    fc.assert(
      fc.property(fc.constantFrom(...cases), fc.array(space, { minLength: 1, maxLength: 9 }), fc.boolean(), ([text], spaces, upper) => {
        const disguised = tokenize(dialect, text)
          .map((token, at) => `${spaces[at % spaces.length]}${writtenAs(text, token, upper)}`)
          .join('');
        t.deepEqual(rulesOf(dialect, `${disguised} ${spaces.join('')}`), rulesOf(dialect, text), disguised);
      }),
      { numRuns: 1000 },
    );
  });

  test(`${dialect}: a harmful statement is found wherever in a text it stands`, (t) => {
    const harmless = CASES[dialect].filter(([, rules]) => rules.length === 0).map(([text]) => text);
    // What takes the rest of its batch as its body says what is in it, not what follows.
    const before = harmless.filter((text) => !/^\s*CREATE (OR ALTER )?(TRIGGER|VIEW|SCHEMA)/i.test(text) && !text.includes('--'));
    for (const text of before) {
      t.deepEqual(rulesOf(dialect, `${text}; DROP TABLE canvas.Z`), ['drop-table'], text);
      t.deepEqual(rulesOf(dialect, `DROP TABLE canvas.Z; ${text}`), ['drop-table'], text);
    }
    t.true(before.length > 10);
  });

  test(`${dialect}: what the migrations themselves cost, on a database that has rows and on one that has none`, async (t) => {
    const found = async (facts?: Facts) => {
      const all: string[][] = [];
      for (const file of readMigrations()) {
        const statements = await recordStatements(dialect, (knex) => loadMigration(file).up(knex));
        all.push(assess(dialect, statements, facts).map(({ rule, what }) => `${rule}: ${what}`));
      }
      return all;
    };
    const writersWait = (table: string) => `index-lock: Writers of ${table} wait until the index is built.`;
    const checked = (table: string) =>
      `foreign-key-lock: ${table} and the table it refers to are locked while every row is checked.`;
    const [s, h] = ['canvas.Sessions', 'canvas.HostSessions'];
    const locks = [checked(h), writersWait(s), writersWait(h), writersWait(h), writersWait(h)];
    t.deepEqual(await found(), [[], [], [], locks]);
    t.deepEqual(await found({ rowCounts: {} }), [[], [], [], []]);
    t.deepEqual(await found({ rowCounts: { Sessions: 219, HostSessions: 0 } }), [
      [], [], [], [writersWait(`${s} (219 rows)`)],
    ]);
  });
}

/** An unquoted word in another case; everything else as it was. */
function writtenAs(text: string, { kind, start, end }: Token, upper: boolean): string {
  const written = text.slice(start, end);
  if (kind !== 'word') return written;
  return upper ? written.toUpperCase() : written.toLowerCase();
}

test('what a body would do when it runs is told as that', (t) => {
  const laterOf = (dialect: Dialect, text: string) => assess(dialect, [text]).map(({ rule, runsLater = false }) => `${rule} ${runsLater}`);
  const trigger = 'CREATE TRIGGER canvas.t ON canvas.E INSTEAD OF UPDATE AS IF 1 = 1 ROLLBACK TRANSACTION';
  t.true(laterOf('mssql', trigger).includes('transaction-control true'));
  t.deepEqual(laterOf('mssql', 'IF 1 = 1 ROLLBACK TRANSACTION'), ['transaction-control false']);
  const procedure = 'CREATE PROCEDURE canvas.p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$';
  t.true(laterOf('postgres', procedure).includes('transaction-control true'));
  t.deepEqual(laterOf('postgres', 'DO $$ BEGIN COMMIT; END $$'), ['transaction-control false']);
});

test('every rule is shown by a statement, and says what it is about and a safer way', (t) => {
  const shown = new Set([...CASES.postgres, ...CASES.mssql].flatMap(([, rules]) => rules));
  t.deepEqual([...shown].sort(), Object.keys(RULES).sort());
  const [finding] = assess('mssql', ['  DROP TABLE\n  canvas.HostSessions ']);
  t.deepEqual(finding, {
    rule: 'drop-table',
    severity: 'danger',
    statement: 'DROP TABLE canvas.HostSessions',
    what: 'All rows of canvas.HostSessions are lost.',
    saferWay: 'Stop using it first; rename it in one release and drop it in a later one, with a backup that was restored once.',
  });
});
