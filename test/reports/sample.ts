/** One report with everything in it that a format could stumble over; its times and versions are fixed. */
import type { Check, Severity, Status } from '../../lib/checks/check';
import type { CheckRecord } from '../../lib/checks/gate';
import type { Overview } from '../../lib/checks/overview';
import type { PicturedTable } from '../../lib/checks/picture';
import type { Report } from '../../lib/reports/report';

/** A title as nobody should write one: markup, a bar, a line end, right to left, an override, half of a character, a control sign. */
export const NASTY = '<script>alert(1)</script> | "quoted" & \'so\'\nnext_line* معنى كلمة الإسلام \u202Egnitrats \uD800 \u0007 ]]> ```';

type Rest = Partial<Pick<CheckRecord, 'evidence' | 'remedy' | 'durationMs'>>;

function record(id: Check['id'], severity: Severity, status: Status, title: string, rest: Rest = {}): CheckRecord {
  return { id, title, severity, status, evidence: [], remedy: null, durationMs: 12, ...rest };
}

const CHECKS: readonly CheckRecord[] = [
  record('guard.canvas', 'critical', 'pass', 'The canvas connection is the database that the target names', {
    evidence: ['canvas_staging on db.internal, for target staging (staging)'],
  }),
  record('guard.marker', 'critical', 'pass', 'The database is enrolled for this target', { evidence: ['Enrolled for staging (staging)'] }),
  record('migrations.pending', 'major', 'fail', 'Every migration of this version is applied', {
    evidence: ['20261122000400_constraints is not applied.'],
    remedy: 'npm run migrate -- --target staging',
    durationMs: 1234,
  }),
  record('migrations.lock-row', 'minor', 'warn', 'Knex\'s lock row is free', {
    evidence: ['The one row of canvas.knex_migrations_lock does not say that it is free.'],
    remedy: 'npm run migrate -- --target staging',
  }),
  record('schema.columns', 'major', 'error', 'Every column is there', {
    evidence: ['The server took longer than it may.', 'It was asked for the columns of schema canvas.'],
    remedy: 'Try again; ask who is busy there.',
  }),
  record('data.orphans', 'critical', 'fail', 'Every host session belongs to a canvas session', {
    evidence: [`canvas session 7, KSESSIONS 15, host session 3: ${NASTY}`, 'canvas session 8, KSESSIONS 16, host session 4', 'and 3 more'],
    remedy: 'Look first: npx zx scripts/consolidate.mjs --target staging, then the same with --apply',
  }),
  record('credentials.expired', 'minor', 'pass', 'No live credential is past its date', { evidence: ['1204 live credentials'] }),
  record('canary.orphan', 'critical', 'skipped', 'The database refuses a host session of a canvas session that is not there', {
    evidence: ['Attempted with --canary only.'], durationMs: 0,
  }),
  record('source.gone', 'major', 'skipped', 'Every linked session is in KSESSIONS', { evidence: ['Left out by --skip.'], durationMs: 0 }),
];

const column = (name: string, type: string, rest: Partial<PicturedTable['columns'][number]> = {}) =>
  ({ name, type, nullable: false, isKey: false, mark: 'same', ...rest }) as const;

/** Every mark, on a table, a column and a foreign key; one table refers to another of its pile, one to itself, one to another schema. */
const TABLES: readonly PicturedTable[] = [
  {
    name: 'Sessions', mark: 'otherwise', foreignKeys: [], troubles: [{ mark: 'otherwise', what: 'lost uniqueness' }],
    columns: [
      column('SessionId', 'bigint', { isKey: true }),
      column('Title', 'text(50)', { nullable: true, mark: 'otherwise' }),
      column(`<b>${NASTY}`, 'text', { nullable: true, mark: 'noted' }),
      column('KSessionsId', 'bigint', { nullable: true, mark: 'missing' }),
    ],
  },
  {
    name: 'HostSessions', mark: 'noted', troubles: [{ mark: 'noted', what: 'index by_hand' }],
    columns: [column('HostSessionId', 'bigint', { isKey: true }), column('SessionId', 'bigint')],
    foreignKeys: [
      { columns: ['SessionId'], references: 'Sessions', onDelete: 'cascade', mark: 'missing' },
      { columns: ['SessionId'], references: 'Sessions', onDelete: 'no action', mark: 'noted' },
    ],
  },
  { name: 'HostSessionEvents', mark: 'same', columns: [column('EventId', 'bigint', { isKey: true })], foreignKeys: [], troubles: [] },
  { name: 'MigrationLedger', mark: 'missing', columns: [column('Name', 'exact(200)', { mark: 'missing' })], foreignKeys: [], troubles: [] },
  {
    name: 'Questions', mark: 'foreign', troubles: [],
    columns: [column('QuestionId', 'bigint', { isKey: true, mark: 'foreign' }), column('SessionId', 'bigint', { mark: 'foreign' })],
    foreignKeys: [
      { columns: ['SessionId'], references: 'Sessions', onDelete: 'cascade', mark: 'otherwise' },
      { columns: ['AuthorId'], references: 'dbo.Users', onDelete: 'no action', mark: 'foreign' },
    ],
  },
  {
    name: 'Answers', mark: 'foreign', troubles: [],
    columns: [column('AnswerId', 'bigint', { isKey: true, mark: 'foreign' }), column('QuestionId', 'bigint', { mark: 'foreign' })],
    foreignKeys: [
      { columns: ['QuestionId'], references: 'Questions', onDelete: 'cascade', mark: 'same' },
      { columns: ['AnswerId'], references: 'Answers', onDelete: 'no action', mark: 'foreign' },
    ],
  },
];

const OVERVIEW: Overview = {
  schema: {
    tables: TABLES,
    drift: [
      { kind: 'type', severity: 'fault', table: 'Sessions', sentence: 'canvas.Sessions.Title: expected text(200), found text(50).' },
      { kind: 'extra', severity: 'information', table: 'Sessions', sentence: `canvas.Sessions.<b>${NASTY} is there and no migration expects it: a column text.` },
    ],
  },
  credentials: {
    byState: { none: 7, live: 12043, expired: 250, revoked: 31, revived: 0, 'copy-differs': 1 },
    byAge: [
      { age: 'under 30 days', count: 9000 }, { age: '30 to 90 days', count: 3000 }, { age: '90 to 180 days', count: 42 },
      { age: '180 days to a year', count: 1 }, { age: 'over a year', count: 0 },
    ],
  },
  gaps: ['The <weather> could not be read: it rained.'],
};

export const REPORT: Report = {
  schema: 'canvas-verify/1',
  verdict: 'fail',
  target: {
    name: 'staging',
    engine: 'postgres',
    environment: 'staging',
    server: 'PostgreSQL 17.2 at db.internal:5432',
    database: 'canvas_staging',
    source: { server: 'PostgreSQL 17.2 at db.internal:5432', database: 'ksessions_staging' },
    sampleData: false,
  },
  startedAt: '2026-03-04T05:06:07.089Z',
  durationMs: 4321,
  toolVersion: '1.2.3',
  failOn: 'major',
  only: [],
  skip: ['source'],
  refusal: null,
  checks: CHECKS,
  overview: OVERVIEW,
  steps: [],
};

/** The same at the end of a release check. */
export const CHECKED: Report = {
  ...REPORT,
  steps: [
    { name: 'check-config', outcome: 'not-run', exit: 1, told: 'No file was named: --config FILES.' },
    { name: 'migrate status', outcome: 'fail', exit: 4, told: `One migration is pending: ${NASTY}` },
    { name: 'verify', outcome: 'error', exit: 2, told: 'The database cannot be reached.' },
    { name: 'rest', outcome: 'pass', exit: 0, told: 'Nothing was found.' },
  ],
};

/** A run that came to nothing: the target could not be opened. */
export const REFUSED: Report = {
  ...REPORT,
  verdict: 'error',
  target: { ...REPORT.target, name: 'staging', engine: 'postgres', environment: 'staging', server: null, database: null, source: null, sampleData: false },
  skip: [],
  refusal: {
    code: 'UNREACHABLE',
    what: 'The database cannot be reached.',
    why: 'db.internal:5432 refused the connection (ECONNREFUSED).',
    hint: 'Check that the server runs and that this machine may reach it.',
  },
  overview: null,
  checks: CHECKS.map((check) => ({
    ...check, status: 'error' as const, evidence: ['Not looked at: The database cannot be reached.'], remedy: 'Check that the server runs.', durationMs: 0,
  })),
};

/** A run in which everything holds. */
export const CLEAN: Report = {
  ...REPORT,
  verdict: 'pass',
  skip: [],
  checks: CHECKS.map((check) => (check.id.startsWith('canary.') ? check : { ...check, status: 'pass' as const, evidence: ['12 rows looked at'], remedy: null })),
  overview: { schema: { tables: [], drift: [] }, credentials: null, gaps: [] },
};
