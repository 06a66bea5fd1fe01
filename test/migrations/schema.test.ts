import test, { type ExecutionContext } from 'ava';
import { withTransaction } from '../../lib/engines/database';
import { UNKNOWN_FILTER } from '../../lib/migrations/catalogue';
import { loadMigration, readMigrations } from '../../lib/migrations/files';
import { readSchema, readTables, type LiveSchema } from '../../lib/migrations/live-schema';
import { differences, fingerprint, unite, type Difference } from '../../lib/migrations/schema';
import { access, lanes } from '../helpers/lanes';
import { long } from '../helpers/long';
import type { Access } from '../../lib/access';
import { CANVAS } from './canvas.shape';

const ROLL_BACK = 'roll back';
const S = 'canvas."Sessions"';
const H = 'canvas."HostSessions"';
const E = 'canvas."HostSessionEvents"';

/** The schema after some statements, which leave no trace. */
async function schemaAfter(t: ExecutionContext, { database, permit }: Access, change: string): Promise<LiveSchema> {
  const seen: LiveSchema[] = [];
  await t.throwsAsync(
    withTransaction(database, permit, undefined, async (writer) => {
      await writer.sql.raw(change);
      seen.push(await readSchema(writer));
      throw new Error(ROLL_BACK);
    }),
    { message: ROLL_BACK },
    change,
  );
  return seen[0] as LiveSchema;
}

/** A function that undoes what called it. */
const SILENT = `CREATE FUNCTION canvas.by_hand() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`;

type Brief = readonly [kind: Difference['kind'], severity: Difference['severity'], object: string, actual: string];

const brief = ({ kind, severity, object, actual }: Difference): Brief => [kind, severity, object, actual];

/** A change by hand, and exactly what must be told of it. */
interface ByHand {
  readonly title: string;
  readonly change: string;
  readonly told: readonly Brief[];
}

const ON_POSTGRES: readonly ByHand[] = [
  {
    title: 'a dropped table',
    change: `DROP TABLE ${H}`,
    told: [['missing table', 'fault', 'canvas.HostSessions', 'none']],
  },
  {
    title: 'a dropped column',
    change: `ALTER TABLE ${S} DROP COLUMN "Title"`,
    told: [['missing column', 'fault', 'canvas.Sessions.Title', 'none']],
  },
  {
    title: 'a column of another kind',
    change: `ALTER TABLE ${S} ALTER COLUMN "MaxParticipants" TYPE bigint`,
    told: [['type', 'fault', 'canvas.Sessions.MaxParticipants', 'bigint']],
  },
  {
    title: 'a time without zone',
    change: `ALTER TABLE ${S} ALTER COLUMN "CreatedAt" TYPE timestamp`,
    told: [['type', 'fault', 'canvas.Sessions.CreatedAt', 'other:timestamp without time zone']],
  },
  {
    title: 'a narrower text',
    change: `ALTER TABLE ${S} ALTER COLUMN "Description" TYPE varchar(999)`,
    told: [['type', 'fault', 'canvas.Sessions.Description', 'text(999)']],
  },
  {
    title: 'a wider text, as information',
    change: `ALTER TABLE ${S} ALTER COLUMN "Title" TYPE varchar(201)`,
    told: [['type', 'information', 'canvas.Sessions.Title', 'text(201)']],
  },
  {
    title: 'a finer time, as information',
    change: `ALTER TABLE ${E} ALTER COLUMN "OccurredAt" TYPE timestamptz`,
    told: [['type', 'information', 'canvas.HostSessionEvents.OccurredAt', 'time']],
  },
  {
    title: 'a coarser time',
    change: `ALTER TABLE ${H} ALTER COLUMN "UpdatedAt" TYPE timestamptz(3)`,
    told: [['type', 'fault', 'canvas.HostSessions.UpdatedAt', 'instant']],
  },
  {
    title: 'a hash compared under a collation',
    change: `ALTER TABLE ${E} ALTER COLUMN "EventHash" TYPE varchar(44) COLLATE "default"`,
    told: [['type', 'fault', 'canvas.HostSessionEvents.EventHash', 'text(44)']],
  },
  {
    title: 'a text compared byte by byte, as information',
    change: `ALTER TABLE ${H} ALTER COLUMN "HostGuidHash" TYPE varchar(128) COLLATE "C"`,
    told: [['type', 'information', 'canvas.HostSessions.HostGuidHash', 'exact(128)']],
  },
  {
    title: 'a computed column',
    change: `ALTER TABLE ${S} DROP COLUMN "ParticipantCount",
      ADD COLUMN "ParticipantCount" integer GENERATED ALWAYS AS ("MaxParticipants" / 2) STORED`,
    told: [
      ['type', 'fault', 'canvas.Sessions.ParticipantCount', 'other:computed integer'],
      ['default', 'information', 'canvas.Sessions.ParticipantCount', `default '"MaxParticipants" / 2'`],
    ],
  },
  {
    title: 'a column that may be NULL and must not',
    change: `ALTER TABLE ${H} ALTER COLUMN "IsActive" DROP NOT NULL`,
    told: [['nullability', 'fault', 'canvas.HostSessions.IsActive', 'NULL']],
  },
  {
    title: 'a column that must not be NULL and may',
    change: `ALTER TABLE ${H} ALTER COLUMN "LastUsedAt" SET NOT NULL`,
    told: [['nullability', 'fault', 'canvas.HostSessions.LastUsedAt', 'NOT NULL']],
  },
  {
    title: 'a lost default',
    change: `ALTER TABLE ${S} ALTER COLUMN "HostGuid" DROP DEFAULT`,
    told: [['default', 'fault', 'canvas.Sessions.HostGuid', 'no default']],
  },
  {
    title: 'another default',
    change: `ALTER TABLE ${S} ALTER COLUMN "ModifiedAt" SET DEFAULT '0001-01-01T00:00:01Z'`,
    told: [['default', 'fault', 'canvas.Sessions.ModifiedAt', `default '0001-01-01T00:00:01Z'`]],
  },
  {
    title: 'a default nobody expects, as information',
    change: `ALTER TABLE ${H} ALTER COLUMN "IsActive" SET DEFAULT true`,
    told: [['default', 'information', 'canvas.HostSessions.IsActive', `default 'true'`]],
  },
  {
    title: 'a lost identity',
    change: `ALTER TABLE ${S} ALTER COLUMN "SessionId" DROP IDENTITY`,
    told: [['identity', 'fault', 'canvas.Sessions.SessionId', 'no such identity']],
  },
  {
    title: 'an identity that takes explicit ids',
    change: `ALTER TABLE ${S} ALTER COLUMN "SessionId" SET GENERATED BY DEFAULT`,
    told: [['identity', 'fault', 'canvas.Sessions.SessionId', 'no such identity']],
  },
  {
    title: 'a lost primary key',
    change: `ALTER TABLE ${H} DROP CONSTRAINT "PK_HostSessions"`,
    told: [['primary key', 'fault', 'primary key of canvas.HostSessions', 'none']],
  },
  {
    title: 'another primary key',
    change: `ALTER TABLE ${H} DROP CONSTRAINT "PK_HostSessions", ADD PRIMARY KEY ("HostSessionId", "SessionId")`,
    told: [['primary key', 'fault', 'primary key of canvas.HostSessions', '(HostSessionId, SessionId)']],
  },
  {
    title: 'a dropped index',
    change: 'DROP INDEX canvas."IX_HostSessions_HostGuidHash"',
    told: [['missing index', 'fault', 'index on canvas.HostSessions (HostGuidHash)', 'none']],
  },
  {
    title: 'an index on the same columns in another order',
    change: `DROP INDEX canvas."IX_HostSessions_SessionGuidHash";
      CREATE UNIQUE INDEX "IX_HostSessions_SessionGuidHash" ON ${H} ("HostGuidHash", "SessionId")`,
    told: [
      ['lost uniqueness', 'fault', 'index on canvas.HostSessions (SessionId, HostGuidHash)', 'none'],
      ['extra', 'information', 'index IX_HostSessions_SessionGuidHash on canvas.HostSessions',
        '(HostGuidHash, SessionId) unique'],
    ],
  },
  {
    title: 'an index that lost its uniqueness',
    change: `DROP INDEX canvas."UX_HostSessionEvents_Sequence";
      CREATE INDEX "UX_HostSessionEvents_Sequence" ON ${E} ("HostSessionId", "Sequence")`,
    told: [
      ['lost uniqueness', 'fault', 'index on canvas.HostSessionEvents (HostSessionId, Sequence)',
        '(HostSessionId, Sequence) not unique'],
      ['extra', 'information', 'index UX_HostSessionEvents_Sequence on canvas.HostSessionEvents',
        '(HostSessionId, Sequence) not unique'],
    ],
  },
  {
    title: 'an index that lost its filter',
    change: `DROP INDEX canvas."UX_HostSessions_OneActive";
      CREATE UNIQUE INDEX "UX_HostSessions_OneActive" ON ${H} ("SessionId")`,
    told: [
      ['index filter', 'fault', 'index on canvas.HostSessions (SessionId)', '(SessionId) unique'],
      ['extra', 'information', 'index UX_HostSessions_OneActive on canvas.HostSessions', '(SessionId) unique'],
    ],
  },
  {
    title: 'an index with the opposite filter',
    change: `DROP INDEX canvas."UX_HostSessions_OneActive";
      CREATE UNIQUE INDEX "UX_HostSessions_OneActive" ON ${H} ("SessionId") WHERE NOT "IsActive"`,
    told: [
      ['index filter', 'fault', 'index on canvas.HostSessions (SessionId)', '(SessionId) unique where (NOT "IsActive")'],
      ['extra', 'information', 'index UX_HostSessions_OneActive on canvas.HostSessions',
        '(SessionId) unique where (NOT "IsActive")'],
    ],
  },
  {
    title: 'an index on an expression',
    change: `DROP INDEX canvas."IX_HostSessions_HostGuidHash";
      CREATE INDEX "IX_HostSessions_HostGuidHash" ON ${H} (lower("HostGuidHash"))`,
    told: [
      ['missing index', 'fault', 'index on canvas.HostSessions (HostGuidHash)', 'none'],
      ['extra', 'information', 'index IX_HostSessions_HostGuidHash on canvas.HostSessions', '((expression)) not unique'],
    ],
  },
  {
    title: 'an index that cannot be used',
    change: `DROP INDEX canvas."IX_HostSessions_HostGuidHash"; CREATE INDEX ON ${H} USING hash ("HostGuidHash")`,
    told: [
      ['missing index', 'fault', 'index on canvas.HostSessions (HostGuidHash)',
        '(HostGuidHash) not unique, disabled, invalid or of another kind'],
      ['extra', 'information', 'index HostSessions_HostGuidHash_idx on canvas.HostSessions',
        '(HostGuidHash) not unique, disabled, invalid or of another kind'],
    ],
  },
  {
    title: 'nothing of an index under another name, of the same filter in other words, or that carries more columns',
    change: `DROP INDEX canvas."UX_HostSessions_OneActive"; DROP INDEX canvas."IX_HostSessions_HostGuidHash";
      CREATE UNIQUE INDEX by_hand ON ${H} ("SessionId") WHERE "IsActive" = true;
      CREATE INDEX by_hand_too ON ${H} ("HostGuidHash") INCLUDE ("IsActive")`,
    told: [],
  },
  {
    title: 'nothing of a unique constraint in place of a unique index',
    change: `DROP INDEX canvas."IX_HostSessions_SessionGuidHash"; ALTER TABLE ${H} ADD UNIQUE ("SessionId", "HostGuidHash")`,
    told: [],
  },
  {
    title: 'a dropped foreign key',
    change: `ALTER TABLE ${H} DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId"`,
    told: [['missing foreign key', 'fault', 'foreign key of canvas.HostSessions (SessionId)', 'none']],
  },
  {
    title: 'another delete rule',
    change: `ALTER TABLE ${H} DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId",
      ADD CONSTRAINT fk FOREIGN KEY ("SessionId") REFERENCES ${S}`,
    told: [['delete rule', 'fault', 'foreign key of canvas.HostSessions (SessionId) fk', 'no action']],
  },
  {
    title: 'a second foreign key that stops what the first one lets through',
    change: `ALTER TABLE ${H} ADD CONSTRAINT fk FOREIGN KEY ("SessionId") REFERENCES ${S} ON DELETE RESTRICT`,
    told: [['delete rule', 'fault', 'foreign key of canvas.HostSessions (SessionId) fk', 'restrict']],
  },
  {
    title: 'a foreign key that was never checked',
    change: `ALTER TABLE ${H} DROP CONSTRAINT "FK_HostSessions_Sessions_SessionId",
      ADD CONSTRAINT fk FOREIGN KEY ("SessionId") REFERENCES ${S} ON DELETE CASCADE NOT VALID`,
    told: [
      ['untrusted foreign key', 'fault', 'foreign key of canvas.HostSessions (SessionId) fk', 'not checked against its rows'],
    ],
  },
  {
    title: 'a foreign key that is turned off',
    change: `ALTER TABLE ${H} DISABLE TRIGGER ALL`,
    told: [
      ['untrusted foreign key', 'fault',
        'foreign key of canvas.HostSessions (SessionId) FK_HostSessions_Sessions_SessionId', 'disabled'],
    ],
  },
  {
    title: 'a foreign key nobody expects, as information',
    change: `ALTER TABLE ${E} ADD CONSTRAINT fk FOREIGN KEY ("HostSessionId") REFERENCES ${H}`,
    told: [
      ['extra', 'information', 'foreign key fk of canvas.HostSessionEvents',
        '(HostSessionId) to HostSessions (HostSessionId) on delete no action'],
    ],
  },
  {
    title: 'a disabled trigger',
    change: `ALTER TABLE ${E} DISABLE TRIGGER "TR_HostSessionEvents_NoTruncate"`,
    told: [
      ['disabled trigger', 'fault', 'trigger TR_HostSessionEvents_NoTruncate on canvas.HostSessionEvents', 'disabled'],
    ],
  },
  {
    title: 'a dropped trigger',
    change: `DROP TRIGGER "TR_HostSessionEvents_AppendOnly" ON ${E}`,
    told: [['append-only', 'fault', 'canvas.HostSessionEvents', 'changes allowed']],
  },
  {
    title: 'a trigger whose function lets everything pass',
    change: `CREATE OR REPLACE FUNCTION canvas."RefuseHostSessionEventsChange"() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF false THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$`,
    told: [
      ['append-only', 'fault', 'canvas.HostSessionEvents', 'changes allowed'],
      ['foreign trigger', 'fault', 'trigger TR_HostSessionEvents_AppendOnly on canvas.HostSessionEvents', 'enabled'],
      ['foreign trigger', 'fault', 'trigger TR_HostSessionEvents_NoTruncate on canvas.HostSessionEvents', 'enabled'],
    ],
  },
  {
    title: 'a trigger with a condition',
    change: `DROP TRIGGER "TR_HostSessionEvents_AppendOnly" ON ${E};
      CREATE TRIGGER "TR_HostSessionEvents_AppendOnly" BEFORE UPDATE OR DELETE ON ${E} FOR EACH ROW
      WHEN (OLD."Action" = 'rotated') EXECUTE FUNCTION canvas."RefuseHostSessionEventsChange"()`,
    told: [
      ['append-only', 'fault', 'canvas.HostSessionEvents', 'changes allowed'],
      ['foreign trigger', 'fault', 'trigger TR_HostSessionEvents_AppendOnly on canvas.HostSessionEvents', 'enabled'],
    ],
  },
  {
    title: 'a column and an index nobody expects, as information',
    change: `ALTER TABLE ${S} ADD COLUMN "Colour" text; CREATE INDEX by_title ON ${S} ("Title")`,
    told: [
      ['extra', 'information', 'canvas.Sessions.Colour', 'a column other:text'],
      ['extra', 'information', 'index by_title on canvas.Sessions', '(Title) not unique'],
    ],
  },
  {
    title: 'a trigger nobody expects',
    change: `${SILENT}; CREATE TRIGGER by_hand BEFORE UPDATE ON ${H} FOR EACH ROW EXECUTE FUNCTION canvas.by_hand()`,
    told: [['foreign trigger', 'fault', 'trigger by_hand on canvas.HostSessions', 'enabled']],
  },
  {
    title: 'a trigger nobody expects that is turned off, as information',
    change: `${SILENT}; CREATE TRIGGER by_hand BEFORE UPDATE ON ${S} FOR EACH ROW EXECUTE FUNCTION canvas.by_hand();
      ALTER TABLE ${S} DISABLE TRIGGER by_hand`,
    told: [['foreign trigger', 'information', 'trigger by_hand on canvas.Sessions', 'disabled']],
  },
  {
    title: 'a trigger that refuses new events',
    change: `CREATE TRIGGER by_hand BEFORE INSERT ON ${E} FOR EACH ROW EXECUTE FUNCTION canvas."RefuseHostSessionEventsChange"()`,
    told: [['foreign trigger', 'fault', 'trigger by_hand on canvas.HostSessionEvents', 'enabled']],
  },
  {
    title: 'nothing of tables that belong to others',
    change: 'CREATE TABLE canvas."Registrations" ("Id" serial); CREATE TABLE canvas."Users" ("Name" text)',
    told: [],
  },
];

/** What has a wording of its own on SQL Server; each works on other TDS servers too. */
const ON_MSSQL: readonly ByHand[] = [
  {
    title: 'a dropped table',
    change: 'DROP TABLE canvas.HostSessions',
    told: [['missing table', 'fault', 'canvas.HostSessions', 'none']],
  },
  {
    title: 'a dropped column',
    change: 'ALTER TABLE canvas.Sessions DROP COLUMN Title',
    told: [['missing column', 'fault', 'canvas.Sessions.Title', 'none']],
  },
  {
    title: 'a narrower text and one that loses letters',
    change: `ALTER TABLE canvas.Sessions DROP COLUMN Title; ALTER TABLE canvas.Sessions DROP COLUMN Description;
      ALTER TABLE canvas.Sessions ADD Title nvarchar(199) NULL;
      ALTER TABLE canvas.Sessions ADD Description varchar(1000) NULL`,
    told: [
      ['type', 'fault', 'canvas.Sessions.Title', 'text(199)'],
      ['type', 'fault', 'canvas.Sessions.Description', 'other:varchar'],
    ],
  },
  {
    title: 'a wider text, as information',
    change: `ALTER TABLE canvas.Sessions DROP COLUMN Title; ALTER TABLE canvas.Sessions ADD Title nvarchar(201) NULL`,
    told: [['type', 'information', 'canvas.Sessions.Title', 'text(201)']],
  },
  {
    title: 'a fingerprint compared without case',
    change: `ALTER TABLE canvas.HostSessions DROP COLUMN GuidFingerprint;
      ALTER TABLE canvas.HostSessions ADD GuidFingerprint nvarchar(16) NULL`,
    told: [['type', 'fault', 'canvas.HostSessions.GuidFingerprint', 'text(16)']],
  },
  {
    title: 'a column that must not be NULL and may',
    change: `ALTER TABLE canvas.HostSessions DROP COLUMN LastUsedAt;
      ALTER TABLE canvas.HostSessions ADD LastUsedAt datetime2 NOT NULL`,
    told: [['nullability', 'fault', 'canvas.HostSessions.LastUsedAt', 'NOT NULL']],
  },
  {
    title: 'a default nobody expects, as information',
    change: 'ALTER TABLE canvas.HostSessions ADD CONSTRAINT df DEFAULT 1 FOR IsActive',
    told: [['default', 'information', 'canvas.HostSessions.IsActive', `default '1'`]],
  },
  {
    title: 'a lost primary key',
    change: 'ALTER TABLE canvas.HostSessions DROP CONSTRAINT PK_HostSessions',
    told: [['primary key', 'fault', 'primary key of canvas.HostSessions', 'none']],
  },
  {
    title: 'a dropped index',
    change: 'DROP INDEX IX_HostSessions_HostGuidHash ON canvas.HostSessions',
    told: [['missing index', 'fault', 'index on canvas.HostSessions (HostGuidHash)', 'none']],
  },
  {
    title: 'a dropped foreign key',
    change: 'ALTER TABLE canvas.HostSessions DROP CONSTRAINT FK_HostSessions_Sessions_SessionId',
    told: [['missing foreign key', 'fault', 'foreign key of canvas.HostSessions (SessionId)', 'none']],
  },
  {
    title: 'another delete rule',
    change: `ALTER TABLE canvas.HostSessions DROP CONSTRAINT FK_HostSessions_Sessions_SessionId;
      ALTER TABLE canvas.HostSessions ADD CONSTRAINT fk FOREIGN KEY (SessionId) REFERENCES canvas.Sessions (SessionId)`,
    told: [['delete rule', 'fault', 'foreign key of canvas.HostSessions (SessionId) fk', 'no action']],
  },
  {
    title: 'a dropped trigger',
    change: 'DROP TRIGGER canvas.TR_HostSessionEvents_AppendOnly',
    told: [['append-only', 'fault', 'canvas.HostSessionEvents', 'changes allowed']],
  },
  {
    title: 'a column nobody expects, as information',
    change: 'ALTER TABLE canvas.Sessions ADD Colour nvarchar(max) NULL',
    told: [['extra', 'information', 'canvas.Sessions.Colour', 'a column other:nvarchar(max)']],
  },
  {
    title: 'a trigger nobody expects',
    change: 'CREATE TRIGGER canvas.by_hand ON canvas.HostSessions AFTER INSERT AS SELECT 1',
    told: [['foreign trigger', 'fault', 'trigger by_hand on canvas.HostSessions', 'enabled']],
  },
];

const BY_HAND = { postgres: ON_POSTGRES, mssql: ON_MSSQL } as const;

const TABLES = Object.keys(CANVAS);

for (const lane of lanes()) {
  long(`${lane.name}: each change by hand is told, and nothing else is`, async (t) => {
    await access(await lane.ready(t), async (open) => {
      const before = await readSchema(open.database.canvas);
      t.deepEqual(differences(CANVAS, before), [], 'nothing on a fresh database');
      for (const table of TABLES) {
        const some = await readTables(open.database.canvas, [table, 'NoSuchTable']);
        t.deepEqual(some[table], before.tables[table], 'a table read alone is the same table');
      }
      const whole = fingerprint(before.tables, TABLES);
      const isAllShown = before.tables['Sessions']?.indexes.every(({ filter }) => filter !== UNKNOWN_FILTER) === true;
      if (isAllShown) t.is(whole, fingerprint(CANVAS), 'the fingerprint is the same on every engine');
      else t.is(lane.name, 'mssql', 'only another TDS server keeps filters to itself');
      for (const { title, change, told } of BY_HAND[lane.dialect]) {
        const live = await schemaAfter(t, open, change);
        t.deepEqual(differences(CANVAS, live).map(brief), told, title);
        const isSame = fingerprint(live.tables, TABLES) === whole;
        t.is(isSame, told.length === 0, `the fingerprint tells: ${title}`);
      }
      const after = await readSchema(open.database.canvas);
      t.deepEqual(after, before, 'nothing of it stayed');

      const wrongKey = differences({ Sessions: { primaryKey: ['KSessionsId'] }, HostSessions: {} }, before);
      t.deepEqual(
        wrongKey.map(({ sentence }) => sentence),
        ['primary key of canvas.Sessions: expected (KSessionsId), found (SessionId).'],
        'parts that an expectation leaves out are not looked at',
      );
    });
  });
}

test('expectations add up: later ones add columns, indexes and keys, and replace what they name again', (t) => {
  const { Sessions, HostSessions } = CANVAS;
  const first = { Sessions: { ...Sessions, columns: { Title: Sessions.columns.HostGuid }, indexes: [] } };
  const second = { Sessions: { columns: Sessions.columns, indexes: Sessions.indexes }, HostSessions };
  const together = unite([first, second]);
  t.deepEqual(together['Sessions'] as object, Sessions);
  t.deepEqual(together['HostSessions']?.indexes, HostSessions.indexes);
});

test('what the migrations promise, all together, is what the contract says', (t) => {
  const promised = unite(readMigrations().map((file) => loadMigration(file).shape ?? {}));
  const whole = Object.fromEntries(
    Object.entries(promised).map(([table, { columns = {}, primaryKey = [], indexes = [], foreignKeys = [], appendOnly = false }]) => [
      table,
      { columns, primaryKey, indexes, foreignKeys, appendOnly },
    ]),
  );
  t.deepEqual(Object.keys(whole).sort(), [...TABLES].sort());
  t.is(fingerprint(whole, TABLES), fingerprint(CANVAS));
});
