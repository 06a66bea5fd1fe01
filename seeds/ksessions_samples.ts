import type { Knex } from 'knex';
import { faults } from '../lib/errors';

/**
 * Sample KSESSIONS rows (schema dbo), for embedded and test targets. Re-runnable: rows that are there are set to what
 * stands here, others are left alone. In real databases schema dbo belongs to another system and is never written.
 */
export async function seed(knex: Knex): Promise<void> {
  assertSampleTarget(knex);
  await createTables(knex);
  await replace(knex, 'Groups', 'GroupID', GROUPS);
  await replace(knex, 'Categories', 'CategoryID', CATEGORIES);
  await replace(knex, 'Sessions', 'SessionID', SESSIONS.map(toSessionRow));
  await replace(knex, 'SessionTranscripts', 'TranscriptID', SESSIONS.flatMap(toTranscriptRows));
}

/** Whoever opens the database says in Knex's userParams what it is; silence refuses. */
function assertSampleTarget(knex: Knex): void {
  const { engine, environment } = knex.userParams as { engine?: string; environment?: string };
  if (engine !== 'pglite' && environment !== 'test') throw faults.seedRefused(environment ?? 'unknown');
}

const GROUPS = [
  { GroupID: 14, GroupName: 'Foundations of Faith', IsActive: true },
  { GroupID: 18, GroupName: 'تدبر القرآن', IsActive: null },
];

const CATEGORIES = [
  { CategoryID: 52, CategoryName: 'Prophethood', GroupID: 14, SortOrder: 1 },
  { CategoryID: 55, CategoryName: 'Reflections', GroupID: 18, SortOrder: 1 },
];

interface Sample {
  readonly id: number;
  readonly title: string;
  readonly description?: string;
  readonly group?: number;
  readonly category?: number;
  /** NULL counts as active. */
  readonly active?: boolean | null;
  readonly transcripts: number;
}

const SESSIONS: readonly Sample[] = [
  { id: 1, title: 'Quran authentication content', transcripts: 1 },
  {
    id: 15,
    title: 'Review of the word ISLAM',
    description:
      'I review the linguistic meanings of the words ISLAM, explaining the various nuances in its meanings.',
    transcripts: 1,
  },
  { id: 212, title: 'Need For Messengers', group: 14, category: 52, transcripts: 2 },
  { id: 213, title: 'Qualities of the Messengers', group: 14, category: 52, transcripts: 0 },
  { id: 215, title: 'Success through Islamic lens', transcripts: 1 },
  { id: 218, title: 'معنى كلمة الإسلام', active: null, transcripts: 1 },
  { id: 1281, title: 'Réflexions sur la création', group: 18, category: 55, transcripts: 1 },
  { id: 2343, title: 'Closing questions', active: true, transcripts: 1 },
];

const MADE = new Date('2024-01-01T00:00:00Z');

function toSessionRow(sample: Sample) {
  return {
    SessionID: sample.id,
    GroupID: sample.group ?? 14,
    CategoryID: sample.category ?? 52,
    SessionName: sample.title,
    Description: sample.description ?? null,
    IsActive: sample.active === undefined ? true : sample.active,
    CreatedDate: MADE,
  };
}

function toTranscriptRows(sample: Sample) {
  return Array.from({ length: sample.transcripts }, (_, index) => ({
    TranscriptID: sample.id * 10 + index,
    SessionID: sample.id,
    Transcript: `<p>Sample transcript ${index + 1} of ${sample.title}</p>`,
    CreatedDate: MADE,
  }));
}

type Columns = (table: Knex.CreateTableBuilder) => void;

/** Only columns that have a use here; the real tables have a few more. */
const TABLES: Readonly<Record<string, Columns>> = {
  Groups: (table) => {
    table.integer('GroupID').primary();
    table.string('GroupName', 150);
    table.boolean('IsActive');
  },
  Categories: (table) => {
    table.integer('CategoryID').primary();
    table.string('CategoryName', 150);
    table.integer('GroupID');
    table.integer('SortOrder');
  },
  Sessions: (table) => {
    table.integer('SessionID').primary();
    ['GroupID', 'Sequence', 'CategoryID'].forEach((column) => table.integer(column));
    table.string('SessionName', 255);
    table.string('Description', 500);
    table.string('MediaPath', 255);
    table.boolean('IsActive');
    ['SessionDate', 'CreatedDate', 'ChangedDate'].forEach((column) => table.dateTime(column));
  },
  SessionTranscripts: (table) => {
    table.integer('TranscriptID').primary();
    table.integer('SessionID');
    table.text('Transcript');
    ['CreatedDate', 'ChangedDate'].forEach((column) => table.dateTime(column));
  },
};

async function createTables(knex: Knex): Promise<void> {
  // Every SQL Server database has it.
  if ((knex.client as Knex.Client).dialect !== 'mssql') await knex.raw('CREATE SCHEMA IF NOT EXISTS dbo');
  for (const [table, columns] of Object.entries(TABLES)) {
    if (await knex.schema.withSchema('dbo').hasTable(table)) continue;
    await knex.schema.withSchema('dbo').createTable(table, columns);
  }
}

/** Not every engine can insert or update in one statement. */
async function replace(knex: Knex, table: string, key: string, rows: readonly Record<string, unknown>[]): Promise<void> {
  const there = () => knex.withSchema('dbo').table(table);
  await there().whereIn(key, rows.map((row) => row[key] as number)).delete();
  await there().insert(rows);
}
