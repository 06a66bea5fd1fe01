/** Drift: schema canvas as it is against what the applied migrations make of it (lib/migrations/schema.ts compares). */
import { ENROLMENT_SHAPE } from '../migrations/enrol';
import { loadMigration, readMigrations } from '../migrations/files';
import { LEDGER_TABLE, readEntries } from '../migrations/ledger';
import { hasTable } from '../migrations/live-schema';
import { differences, unite, type Difference, type DifferenceKind, type ExpectedSchema } from '../migrations/schema';
import { many, observed, type Check, type Severity, type Subject } from './check';

/**
 * What must be there: what the migrations that the books name make; of all of them where there are no books. A pending one
 * is no drift, and has a check of its own.
 */
export async function expectedSchema({ database: { canvas } }: Pick<Subject, 'database'>): Promise<ExpectedSchema> {
  const files = readMigrations();
  const applied = (await hasTable(canvas, LEDGER_TABLE)) ? new Set((await readEntries(canvas)).map(({ name }) => name)) : undefined;
  const shapes = files.filter(({ name }) => applied?.has(name) !== false).map((file) => loadMigration(file).shape ?? {});
  return { ...unite(shapes), ...ENROLMENT_SHAPE };
}

/** All that is otherwise, faults and information. */
export async function findDrift(subject: Pick<Subject, 'database' | 'schema'>): Promise<Difference[]> {
  return differences(await expectedSchema(subject), await subject.schema());
}

/** One check for each kind of difference that people mend in one way. */
function driftCheck(what: string, title: string, kinds: readonly DifferenceKind[], severity: Severity = 'major'): Check {
  const wanted = severity === 'minor' ? 'information' : 'fault';
  return {
    id: `schema.${what}`,
    title,
    severity,
    async look(subject) {
      const drift = (await findDrift(subject)).filter((one) => one.severity === wanted && kinds.includes(one.kind));
      const tables = Object.keys(await expectedSchema(subject));
      return observed(
        drift.map(({ sentence }) => sentence),
        severity === 'minor'
          ? 'Find out who made it and whether it is needed; where it is, write a migration for it'
          : `Put it right by hand as the migration has it (npm run migrate:plan shows the SQL on a fresh database); disable or drop what none expects. Then: npm run verify -- --target ${subject.target.name}`,
        `${many(tables.length, 'table')} compared`,
      );
    },
  };
}

const ANY_KIND: readonly DifferenceKind[] = [
  'missing table', 'missing column', 'type', 'nullability', 'default', 'identity', 'primary key', 'missing index', 'index filter', 'lost uniqueness',
  'missing foreign key', 'delete rule', 'untrusted foreign key', 'append-only', 'taken name', 'disabled trigger',
  'foreign trigger', 'extra',
];

export const SCHEMA_CHECKS: readonly Check[] = [
  driftCheck('tables', 'Every table is there', ['missing table']),
  driftCheck('columns', 'Every column is there', ['missing column']),
  driftCheck('types', 'Every column has its type', ['type']),
  driftCheck('nullability', 'Columns are NULL and NOT NULL as they should be', ['nullability']),
  driftCheck('defaults', 'Every default is there', ['default']),
  driftCheck('identity', 'Ids are made by the database, and explicit ones are refused', ['identity'], 'critical'),
  driftCheck('keys', 'Every primary key is there', ['primary key']),
  driftCheck('uniqueness', 'What must be unique is unique', ['lost uniqueness', 'index filter'], 'critical'),
  driftCheck('indexes', 'Every index is there and usable', ['missing index']),
  driftCheck('foreign-keys', 'Every foreign key is there, checked, and deletes as it should', ['missing foreign key', 'delete rule', 'untrusted foreign key']),
  driftCheck('triggers', 'The trail cannot be changed, and no trigger of others acts on our rows', ['append-only', 'disabled trigger', 'foreign trigger'], 'critical'),
  driftCheck('besides', 'Nothing is there that no migration expects', ANY_KIND, 'minor'),
];
