/** Every check against every fault: on a target where all is well, in a transaction that is rolled back. */
import test, { type ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import type { Check, Observation, Subject } from '../../lib/checks/check';
import { CANARY, isMeant } from '../../lib/checks/gate';
import { CHECKS } from '../../lib/checks/registry';
import { readKeys } from '../../lib/config/keys';
import type { Target } from '../../lib/config/targets';
import { withTransaction, Writer } from '../../lib/engines/database';
import { applyChanges } from '../../lib/hosts/change';
import { revoking } from '../../lib/hosts/revoke';
import { readSchema, type LiveSchema } from '../../lib/migrations/live-schema';
import { execute, type Lane, type Owner, type Scratch } from '../helpers/lanes';
import { shareOpened, type Opened } from '../helpers/shared';
import { provisionHere } from '../helpers/state';
import { exerciseCanaries } from './canary';
import { FAULTS, type Circumstance, type Fault } from './faults.table';

/** Canaries open a transaction of their own: canary.ts has them. */
const ALL = ([...CHECKS.beforehand, ...CHECKS.there] as readonly Check[]).filter(({ id }) => !isMeant(id, CANARY));

/** What a check said that does not hold, or why it could not be looked at. */
type Seen = Readonly<Record<string, string>>;

const ERROR = 'error: ';

/** Provisions, rotates and revokes through the toolkit: two live credentials and one that ended. */
export async function fill(open: Access): Promise<void> {
  for (const ksessionsId of [15, 15, 212, 1281]) await provisionHere(open, { ksessionsId });
  const verb = revoking({ by: 'KSessionsId', ids: [1281] }, { actor: 'suite', reason: null });
  await applyChanges(open.database, open.permit, open.keys, verb, { handOver: () => Promise.resolve(), withdraw: () => undefined });
}

class Undone extends Error {
  constructor(readonly seen: Seen) {
    super('What was seen is known; the fault goes.');
  }
}

/** What all checks say with a fault in place. Nothing of it stays. */
async function lookWith({ looker, opened }: Stage, statements: readonly string[], circumstance: Circumstance = {}): Promise<Seen> {
  const { database, permit } = opened.open;
  try {
    await withTransaction(database, permit, undefined, async (writer) => {
      for (const statement of statements) await writer.sql.raw(statement.replaceAll('LOGIN', looker ?? 'LOGIN'));
      if (looker !== undefined) await writer.sql.raw(`SET LOCAL ROLE ${looker}`);
      throw new Undone(await lookAtAll(opened, writer, circumstance));
    });
  } catch (error) {
    if (error instanceof Undone) return error.seen;
    throw error;
  }
  throw new Error('The transaction was not rolled back.');
}

async function lookAtAll({ open: { database, permit }, scratch }: Opened, writer: Writer, circumstance: Circumstance): Promise<Seen> {
  const seen: Record<string, string> = {};
  const { env, targetsFile = scratch.settings.targetsFile } = circumstance;
  const settings = { ...scratch.settings, targetsFile, env: { ...scratch.env, ...env } };
  const target = { ...database.target, ...circumstance.target } as Target;
  let schema: Promise<LiveSchema> | undefined;
  const subjectOf = (inside: Writer): Subject => ({
    settings,
    target,
    database: { ...database, target, canvas: inside, source: inside.withAdmission(database.source.admission) },
    keys: () => readKeys(settings, target),
    now: writer.now,
    schema: () => (schema ??= readSchema(inside)),
    progress: () => undefined,
  });
  for (const check of ALL) {
    const look = async (inside: Writer) => check.look(subjectOf(inside));
    const told = await within(writer, permit, look).then(toldOf, (error: unknown) => `${ERROR}${String(error)}`);
    if (told !== undefined) seen[check.id] = told;
  }
  return seen;
}

/** A statement that fails ends the transaction: on PostgreSQL a savepoint keeps that to one check. */
function within<T>(writer: Writer, permit: Opened['open']['permit'], look: (inside: Writer) => Promise<T>): Promise<T> {
  if (writer.dialect === 'mssql') return look(writer);
  return writer.sql.transaction((inner) => look(new Writer(inner, permit, writer, { now: writer.now })));
}

const toldOf = ({ evidence, found }: Observation) => (found === 0 ? undefined : `${found}: ${evidence.join(' ')}`);

function assertSeen(t: ExecutionContext, seen: Seen, failing: readonly string[], unknown: readonly string[]): void {
  const those = (isError: boolean) => Object.keys(seen).filter((id) => seen[id]?.startsWith(ERROR) === isError).sort();
  const detail = JSON.stringify(seen, null, 2);
  t.deepEqual(those(false), failing.toSorted(), detail);
  t.deepEqual(those(true), unknown.toSorted(), detail);
}

/** A login with the rights of the guide, in whose name everything is looked at; the faults are made by an administrator. */
export type MakeLooker = (owner: Owner, scratch: Scratch) => Promise<string>;

/** Where one fault after another is made. */
interface Stage {
  readonly opened: Opened;
  readonly looker: string | undefined;
}

/** What is true of an administrator, and no fault of the database. */
const OF_ADMINISTRATORS: readonly string[] = ['security.harm', 'security.login'];

/** The lane's part of the table. @param makeLooker undefined: an administrator looks */
export function exerciseFaults(lane: Lane, makeLooker?: MakeLooker): void {
  let looker: string | undefined;
  const opened = shareOpened(lane, async ({ open, scratch }, owner) => {
    await fill(open);
    looker = await makeLooker?.(owner, scratch);
  });
  const look = async (statements: readonly string[], circumstance?: Circumstance) => {
    const seen = await lookWith({ opened: opened(), looker }, statements, circumstance);
    const isSpared = (id: string) => lane.name === 'mssql' && looker === undefined && OF_ADMINISTRATORS.includes(id);
    return Object.fromEntries(Object.entries(seen).filter(([id]) => !isSpared(id)));
  };

  test.serial(`${lane.name}: where all is well, every check passes`, async (t) => {
    assertSeen(t, await look([]), [], []);
  });

  exerciseCanaries(lane, opened);

  for (const [id, fault] of Object.entries(FAULTS) as [string, Fault][]) {
    const { also = {}, circumstance, lanes, make, undo = {}, unknown = {} } = fault;
    const statements = make[lane.dialect];
    if (statements === undefined || lanes?.includes(lane.name) === false) continue;
    test.serial(`${lane.name}: ${id} sees its fault, and no other check does`, async (t) => {
      const seen = await look(statements, circumstance?.(opened().scratch.folder));
      await execute(opened().open, ...(undo[lane.dialect] ?? []));
      assertSeen(t, seen, [id, ...Object.keys(also)], Object.keys(unknown));
    });
  }
}
