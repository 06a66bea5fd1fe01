/**
 * What keeps pending migrations from being applied: asked of the whole list before the first of them runs, and of each
 * again under the lock. Only reads: creates nothing and needs no write permission.
 *
 * A migration makes what is missing and changes nothing that is there. So an object of another shape is in its way, and so
 * is a name that it needs and something else has.
 */
import type { Dialect } from '../engines/engine';
import { flagOf, type Row } from '../engines/rows';
import { faults, type ToolkitError } from '../errors';
import type { MigrationFile } from './files';
import { listObjects, readTables, readTakenNames, type Catalogue, type LiveSchema, type LiveTrigger, type TakenName } from './live-schema';
import { effectOf, type Effect, type Made } from './names';
import { findRowsInTheWay, sentenceOf, type PreflightFinding } from './preflight';
import { recordMigration, type Recorded } from './record';
import { assess, type Finding } from './safety';
import { difference, differences, type Difference, type DifferenceKind } from './schema';
import { conditionOf, refusalOf, SCHEMA } from './sql';

/** What keeps a migration from being applied to the schema and the rows as they are. */
export interface Obstacles {
  /** Statements that would end or nest the transaction it runs in. */
  readonly unfit: readonly Finding[];
  readonly schema: readonly Difference[];
  readonly rows: readonly PreflightFinding[];
}

/** What is there: the tables that migrations have an opinion of, and every name. */
export interface Present {
  readonly tables: LiveSchema['tables'];
  readonly taken: readonly TakenName[];
}

/** A pending migration, and what was found in its way. */
export interface Prospect extends Recorded {
  readonly obstacles: Obstacles;
}

/**
 * Looks ahead over pending migrations, oldest first. A table that is not there yet is no obstacle: an earlier one of
 * them makes it.
 * @throws ToolkitError CONFIG for a file that is no migration
 */
export async function lookAhead(catalogue: Catalogue, files: readonly MigrationFile[]): Promise<Prospect[]> {
  if (files.length === 0) return [];
  const recorded = await recordAll(catalogue, files);
  const { taken, tables } = await readPresent(catalogue, recorded);
  const objects = Object.keys(tables).length === 0 ? new Set<string>() : await listObjects(catalogue);
  const prospects: Prospect[] = [];
  for (const [at, one] of recorded.entries()) {
    const obstacles = await findObstacles(catalogue, one, { taken, tables, objects }, recorded.slice(0, at));
    prospects.push({ ...one, obstacles });
  }
  return prospects;
}

async function recordAll({ dialect }: Catalogue, files: readonly MigrationFile[]): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  for (const file of files) recorded.push(await recordMigration(dialect, file));
  return recorded;
}

/**
 * Insists that no pending migration is unfit and that nothing in the schema stands in the way of any of them. Rows are
 * not looked at here: what repairs them may need the columns that the first of them make.
 * @throws ToolkitError CONFIG, SCHEMA_UNSUPPORTED
 */
export async function requireClearWay(catalogue: Catalogue, files: readonly MigrationFile[], target: string): Promise<void> {
  const recorded = await recordAll(catalogue, files);
  const present = await readPresent(catalogue, recorded);
  for (const [at, one] of recorded.entries()) {
    const obstacles = { ...(await findInSchema(catalogue, one, present, recorded.slice(0, at))), rows: [] };
    const refusal = refusalOfObstacles(one.file.name, target, obstacles);
    if (refusal !== undefined) throw refusal;
  }
}

/** Insists that a migration can be taken back in one transaction. @throws ToolkitError CONFIG */
export async function requireWayBack(dialect: Dialect, file: MigrationFile): Promise<void> {
  const [statement] = brokenTransactions(dialect, (await recordMigration(dialect, file)).down);
  if (statement !== undefined) throw faults.migrationNotOneTransaction(file.name, statement.statement);
}

/** What a run would stop at, or undefined. */
export function refusalOfObstacles(name: string, target: string, { rows, schema, unfit }: Obstacles): ToolkitError | undefined {
  const [statement] = unfit;
  if (statement !== undefined) return faults.migrationNotOneTransaction(name, statement.statement);
  if (schema.length > 0) return faults.schemaUnsupported(name, 'before', schema.map(({ sentence }) => sentence));
  if (rows.length > 0) return faults.dataNotReady(name, target, rows.map(sentenceOf));
  return undefined;
}

async function readPresent(catalogue: Catalogue, recorded: readonly Recorded[]): Promise<Present> {
  const taken = await readTakenNames(catalogue);
  const known = new Set(taken.filter(({ what }) => what === 'table').map(({ name }) => name));
  const named = recorded.flatMap(({ migration }) => Object.keys(migration.shape ?? {}));
  const there = [...new Set(named)].filter((table) => known.has(table));
  return { taken, tables: there.length === 0 ? {} : await readTables(catalogue, there) };
}

/** @param before pending migrations that run before this one */
export async function findObstacles(
  catalogue: Catalogue,
  recorded: Recorded,
  present: Present & Pick<LiveSchema, 'objects'>,
  before: readonly Recorded[] = [],
): Promise<Obstacles> {
  return {
    ...(await findInSchema(catalogue, recorded, present, before)),
    rows: await findRowsInTheWay(catalogue, present.objects, recorded.migration.preflight ?? []),
  };
}

async function findInSchema(
  catalogue: Catalogue,
  { migration, up, down }: Recorded,
  present: Present,
  before: readonly Recorded[],
): Promise<Omit<Obstacles, 'rows'>> {
  const { dialect } = catalogue;
  const earlier = before.flatMap((one) => one.up).map((statement) => effectOf(dialect, statement));
  const own = up.map((statement): Effect & { statement: string } => ({ statement, ...effectOf(dialect, statement) }));
  const makes = [...earlier, ...own].flatMap((effect) => effect.makes);
  const frees = new Set([...earlier, ...own].flatMap((effect) => effect.frees));
  const wrong = differences(migration.shape ?? {}, present).filter((found) => isInTheWay(found, present.tables, makes));
  const collisions: Difference[] = [];
  for (const { statement, makes: made } of own) {
    for (const one of made) {
      const holder = holderOf(dialect, one, present.taken, frees);
      if (holder === undefined) continue;
      const met = await collisionOf(catalogue, statement, one, holder, present);
      if (met !== undefined) collisions.push(met);
    }
  }
  return {
    unfit: brokenTransactions(dialect, [...up, ...down]),
    schema: [...wrong, ...collisions],
  };
}

/** Statements that end or nest the transaction they run in; what a body says runs later, and is its own business. */
export function brokenTransactions(dialect: Dialect, statements: readonly string[]): Finding[] {
  return assess(dialect, statements).filter(({ rule, runsLater }) => rule === 'transaction-control' && runsLater !== true);
}

// --- shapes --------------------------------------------------------------------------------------------------------

/** What is otherwise than a migration expects and no `up` mends: it makes what is missing, it changes nothing. */
const NEVER_MENDED: readonly DifferenceKind[] = [
  'type', 'nullability', 'default', 'primary key', 'delete rule', 'untrusted foreign key',
];

function isInTheWay({ kind, severity, table, object }: Difference, tables: LiveSchema['tables'], makes: readonly Made[]): boolean {
  if (severity !== 'fault') return false;
  const column = object.slice(`${SCHEMA}.${table}.`.length);
  const isMade = (what: Made['kind']) => makes.some((one) => one.kind === what && one.table === table && one.name === column);
  if (kind === 'missing column') return !isMade('column');
  // Only PostgreSQL lets ids that are made on request become ids that are always made.
  if (kind === 'identity') return !(tables[table]?.columns[column]?.generated === true && isMade('identity'));
  return NEVER_MENDED.includes(kind);
}

// --- names ---------------------------------------------------------------------------------------------------------

/** Where each kind of thing must have its name for itself. An ALTER names a column that is there. */
const SCOPES: Record<Dialect, Readonly<Record<Made['kind'], readonly string[]>>> = {
  postgres: {
    table: ['relation', 'type'], relation: ['relation', 'type'], index: ['relation'], key: ['relation', 'constraint'],
    constraint: ['constraint'], trigger: ['trigger'], routine: ['routine'], column: [], identity: [],
  },
  mssql: {
    table: ['object'], relation: ['object'], index: ['index'], key: ['object', 'index'], constraint: ['object'],
    trigger: ['object'], routine: ['object'], column: [], identity: [],
  },
};

/** Scopes within which a name is looked for on its own table only. */
const OF_TABLE = ['constraint', 'trigger', 'index'];

function holderOf(
  dialect: Dialect,
  { kind, name, table }: Made,
  taken: readonly TakenName[],
  frees: ReadonlySet<string>,
): TakenName | undefined {
  const fold = (text: string) => (dialect === 'mssql' ? text.toLowerCase() : text);
  const isFreed = (one: TakenName) => frees.has(one.name.toLowerCase()) || (one.table !== null && frees.has(one.table.toLowerCase()));
  return taken.find(
    (one) =>
      SCOPES[dialect][kind].includes(one.scope) &&
      fold(one.name) === fold(name) &&
      (!OF_TABLE.includes(one.scope) || (one.table !== null && fold(one.table) === fold(table))) &&
      !isFreed(one),
  );
}

/** What a statement would meet at the name it gives, or undefined where it would not come to that. */
async function collisionOf(
  catalogue: Catalogue,
  statement: string,
  made: Made,
  holder: TakenName,
  present: Present,
): Promise<Difference | undefined> {
  const { kind, name, table } = made;
  const taken = difference('taken name', table, `the name ${name}`, `to be free for ${wordsFor(made)}`, wordsOf(holder));
  const condition = conditionOf(catalogue.dialect, statement);
  if (kind === 'table' && holder.what !== 'table') return taken;
  if (kind === 'trigger' && condition !== undefined) {
    // It is found by its name alone.
    const isOurs = holder.what.endsWith('trigger') && holder.table?.toLowerCase() === table.toLowerCase();
    return isOurs ? triggerOtherwise(made, present.tables[table]?.triggers ?? []) : taken;
  }
  // A condition that is none of ours may look at anything.
  const isUnknown = condition === undefined && /^\s*(?:DO|IF)\b/i.test(statement);
  if (made.isOptional || isUnknown) return undefined;
  return condition === undefined || (await wouldRun(catalogue, condition, present)) ? taken : undefined;
}

function wordsFor({ kind, table }: Made): string {
  if (kind === 'table' || kind === 'relation' || kind === 'routine') return `a ${kind === 'relation' ? 'view or sequence' : kind}`;
  return `${kind === 'index' ? 'an index' : kind === 'trigger' ? 'a trigger' : 'a constraint'} of ${SCHEMA}.${table}`;
}

const wordsOf = ({ table, what }: TakenName) => `the ${what}${table === null ? '' : ` of ${SCHEMA}.${table}`}`;

/** A condition looks at tables by a name that must be there; of a table that is yet to be made nothing is there. */
async function wouldRun(catalogue: Catalogue, condition: string, { taken }: Present): Promise<boolean> {
  const tables = [...condition.matchAll(/'"canvas"\."([^"]+)"'::regclass/g)].map(([, table]) => table);
  if (!tables.every((table) => taken.some(({ name, what }) => name === table && what === 'table'))) return true;
  const question = `SELECT CASE WHEN ${condition} THEN 1 ELSE 0 END AS "runs"`;
  const [row] = await catalogue.ask<Row>(question.replaceAll('?', '\\?'));
  return row === undefined || flagOf(row, 'runs');
}

/** A trigger of our name that does less than ours would: it is not replaced, only turned on; its function is. */
function triggerOtherwise({ events, name, table }: Made, triggers: readonly LiveTrigger[]): Difference | undefined {
  const found = triggers.find((trigger) => trigger.name.toLowerCase() === name.toLowerCase());
  if (found === undefined) return undefined;
  const isReplaced = found.routine?.replaceAll('"', '') === `${SCHEMA}.${refusalOf(table)}`;
  const does = isReplaced ? found.always : found.refuses;
  if (events.every((event) => does.includes(event))) return undefined;
  const expected = `one that always refuses ${events.join(', ')}`;
  return difference('append-only', table, `trigger ${name} of ${SCHEMA}.${table}`, expected, 'another one of that name');
}
