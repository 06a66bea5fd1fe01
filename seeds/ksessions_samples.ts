import type { Knex } from 'knex';
import { faults } from '../lib/errors';

/**
 * Sample KSESSIONS rows (schema dbo), for embedded and test targets. Re-runnable: rows that are there are set to what
 * stands here, others are left alone. In real databases schema dbo belongs to another system and is never written.
 */
export async function seed(knex: Knex): Promise<void> {
  assertSampleTarget(knex);
  await createTables(knex);
  await upsert(knex, 'Groups', 'GroupID', GROUPS);
  await upsert(knex, 'Categories', 'CategoryID', CATEGORIES);
  await upsert(knex, 'Sessions', 'SessionID', SESSIONS.map(toSessionRow));
  await upsert(knex, 'SessionTranscripts', 'TranscriptID', SESSIONS.flatMap(toTranscriptRows));
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

const MADE = '2024-01-01T00:00:00Z';

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

/** Only columns that have a use here; the real tables have a few more. */
async function createTables(knex: Knex): Promise<void> {
  await knex.raw('CREATE SCHEMA IF NOT EXISTS dbo');
  const tables: Record<string, string> = {
    Groups: '"GroupID" int PRIMARY KEY, "GroupName" varchar(150), "IsActive" boolean',
    Categories: '"CategoryID" int PRIMARY KEY, "CategoryName" varchar(150), "GroupID" int, "SortOrder" int',
    Sessions:
      '"SessionID" int PRIMARY KEY, "GroupID" int, "Sequence" int, "CategoryID" int, "SessionName" varchar(255), ' +
      '"Description" varchar(500), "SessionDate" timestamptz, "MediaPath" varchar(255), "IsActive" boolean, ' +
      '"CreatedDate" timestamptz, "ChangedDate" timestamptz',
    SessionTranscripts:
      '"TranscriptID" int PRIMARY KEY, "SessionID" int, "Transcript" text, "CreatedDate" timestamptz, ' +
      '"ChangedDate" timestamptz',
  };
  for (const [table, columns] of Object.entries(tables)) {
    await knex.raw(`CREATE TABLE IF NOT EXISTS dbo."${table}" (${columns})`);
  }
}

async function upsert(knex: Knex, table: string, key: string, rows: readonly object[]): Promise<void> {
  await knex.withSchema('dbo').table(table).insert(rows).onConflict(key).merge();
}
