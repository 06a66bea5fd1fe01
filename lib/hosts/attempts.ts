/**
 * Attempts to break what the database must refuse, each in a transaction of its own that is always rolled back. Nothing of
 * one stays but identity values, which a server does not take back. No other place writes what must not be written.
 */
import { v4 as uuidV4 } from 'uuid';
import { withTransaction, type Database, type Writer } from '../engines/database';
import type { Refusal } from '../engines/engine';
import { idOf, type Row } from '../engines/rows';
import { insertSet, type Columns } from '../engines/rowset';
import type { Permit } from '../guard/guard';
import { MAX_KSESSIONS_ID } from '../source';

/** One invariant, and how somebody would break it. */
export interface Attempt {
  /** How the database must refuse. */
  readonly refusals: readonly Refusal[];
  /** What has to be there first; that it works is no part of the question. */
  readonly prepare: (writer: Writer) => Promise<number>;
  /** @param id what `prepare` made */
  readonly breakIt: (writer: Writer, id: number) => Promise<unknown>;
}

/** Carries "it was not refused" out of the transaction, which ends with it. */
class Allowed extends Error {}

/**
 * Makes an attempt.
 * @returns how the database refused, or undefined where it did not
 * @throws what `prepare` throws, and any refusal of another kind: nothing is known then
 */
export async function refusalOf(database: Database, permit: Permit, { breakIt, prepare, refusals }: Attempt): Promise<Refusal | undefined> {
  let isPrepared = false;
  try {
    return await withTransaction(database, permit, undefined, async (writer) => {
      const id = await prepare(writer);
      isPrepared = true;
      await breakIt(writer, id);
      throw new Allowed();
    });
  } catch (error) {
    if (error instanceof Allowed) return undefined;
    const refusal = database.engine.refusalOf(error);
    if (isPrepared && refusal !== undefined && refusals.includes(refusal)) return refusal;
    throw error;
  }
}

// --- rows of nobody --------------------------------------------------------------------------------------------------

const SESSION = { GroupId: 'uuid', KSessionsId: 'id', HostGuid: 'text', CreatedAt: 'time', ModifiedAt: 'time' } as const satisfies Columns;

async function insertSession(writer: Writer, ksessionsId: number | null): Promise<number> {
  const row = { GroupId: uuidV4(), KSessionsId: ksessionsId, HostGuid: '', CreatedAt: writer.now, ModifiedAt: writer.now };
  const [made] = await insertSet(writer, 'Sessions', SESSION, [row], ['SessionId']);
  return idOf(made, 'SessionId');
}

const HOST = { SessionId: 'id', HostGuidHash: 'text', CreatedAt: 'time', IsActive: 'flag' } as const satisfies Columns;

async function insertLiveHost(writer: Writer, canvasSessionId: number): Promise<number> {
  await insertSet(writer, 'HostSessions', HOST, [{ SessionId: canvasSessionId, HostGuidHash: uuidV4(), CreatedAt: writer.now, IsActive: true }]);
  return canvasSessionId;
}

const EVENT = {
  OperationId: 'uuid', HostSessionId: 'id', SessionId: 'id', Sequence: 'integer', Action: 'text', Actor: 'text', OccurredAt: 'time',
  HashKeyId: 'text', EventHash: 'text',
} as const satisfies Columns;

/** An id below all that are there: no database made it, and no host session has it. */
async function freeId(writer: Writer, table: string, column: string): Promise<number> {
  const [row] = await writer.ask<Row>(`SELECT COALESCE(MIN(t."${column}"), 0) - 1 AS "id" FROM canvas."${table}" t`);
  return Math.min(idOf(row, 'id'), -1);
}

async function insertEvent(writer: Writer, hostSessionId: number): Promise<number> {
  const row = {
    OperationId: uuidV4(), HostSessionId: hostSessionId, SessionId: hostSessionId, Sequence: 1, Action: 'canary', Actor: 'canary',
    OccurredAt: writer.now, HashKeyId: 'canary', EventHash: 'canary',
  };
  await insertSet(writer, 'HostSessionEvents', EVENT, [row]);
  return hostSessionId;
}

const newEvent = async (writer: Writer) => insertEvent(writer, await freeId(writer, 'HostSessionEvents', 'HostSessionId'));

/** A KSESSIONS id that a canvas session is linked to; of an empty table one that is made so. */
async function linkedId(writer: Writer): Promise<number> {
  const [row] = await writer.ask<Row>(
    `SELECT MIN(s."KSessionsId") AS "id" FROM canvas."Sessions" s WHERE s."KSessionsId" BETWEEN 1 AND ${MAX_KSESSIONS_ID}`,
  );
  if (row?.['id'] != null) return idOf(row, 'id');
  await insertSession(writer, MAX_KSESSIONS_ID);
  return MAX_KSESSIONS_ID;
}

/** Whoever has no right to change events is refused before the trigger is asked, and that will do. */
const REFUSED_CHANGE: readonly Refusal[] = ['append-only', 'not granted'];

export const ATTEMPTS = {
  'second-live': {
    refusals: ['duplicate'],
    prepare: async (writer) => insertLiveHost(writer, await insertSession(writer, null)),
    breakIt: insertLiveHost,
  },
  'second-canvas-row': { refusals: ['duplicate'], prepare: linkedId, breakIt: insertSession },
  orphan: { refusals: ['foreign key'], prepare: (writer) => freeId(writer, 'Sessions', 'SessionId'), breakIt: insertLiveHost },
  'explicit-id': {
    refusals: ['explicit id'],
    prepare: (writer) => freeId(writer, 'Sessions', 'SessionId'),
    breakIt: (writer, id) =>
      insertSet(writer, 'Sessions', { SessionId: 'id', ...SESSION }, [
        { SessionId: id, GroupId: uuidV4(), KSessionsId: null, HostGuid: '', CreatedAt: writer.now, ModifiedAt: writer.now },
      ]),
  },
  'taken-sequence': { refusals: ['duplicate'], prepare: newEvent, breakIt: insertEvent },
  'event-update': {
    refusals: REFUSED_CHANGE,
    prepare: newEvent,
    breakIt: (writer, id) => writer.write('UPDATE canvas."HostSessionEvents" SET "Actor" = ? WHERE "HostSessionId" = ?', ['nobody', id]),
  },
  'event-delete': {
    refusals: REFUSED_CHANGE,
    prepare: newEvent,
    breakIt: (writer, id) => writer.write('DELETE FROM canvas."HostSessionEvents" WHERE "HostSessionId" = ?', [id]),
  },
  'event-truncate': {
    refusals: REFUSED_CHANGE,
    prepare: newEvent,
    breakIt: (writer) => writer.write('TRUNCATE TABLE canvas."HostSessionEvents"', []),
  },
} as const satisfies Record<string, Attempt>;
