/**
 * Every statement on canvas.Sessions and canvas.HostSessions.
 *
 *   KSESSIONS id        dbo.Sessions.SessionID, what the operator types
 *   canvas session id   canvas.Sessions.SessionId, made by the database; equal to a KSESSIONS id only by accident
 *   host session        the row of canvas.HostSessions that carries the credential of one canvas session
 *   hash                Base64 of the keyed hash of the host GUID; what is stored
 *   hash copy           canvas.Sessions.HostGuid; the application's login compares with it and with nothing else
 *   live                IsActive: at most one host session of a canvas session is
 */
import { v4 as uuidV4 } from 'uuid';
import type { ChainHead } from '../audit';
import type { Reader, Writer } from '../engines/database';
import { dateOf, dateOrNull, flagOf, idOf, numberOf, textOf, textOrNull, type Row } from '../engines/rows';
import { collated, ID, insertSet, rowset, rowsetOf, rowsetOfIds, updateSet, updateWhatIsThere, type Columns } from '../engines/rowset';
import { faults } from '../errors';
import type { SourceSession } from '../source';

const SESSIONS = 'Sessions';
const HOST_SESSIONS = 'HostSessions';

/** Column lengths in characters; what is longer is cut, as the application's own forms do. */
const TITLE_LENGTH = 200;
const DESCRIPTION_LENGTH = 1000;

export interface HostSession {
  readonly hostSessionId: number;
  readonly hash: string;
  readonly hashKeyId: string | null;
  readonly fingerprint: string | null;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly expiresAt: Date | null;
  /** When this credential replaced an earlier one; null when it is the row's first. */
  readonly updatedAt: Date | null;
  /** With IsActive set it is a revived row of the old tool (I-36): it is settled, and never live. */
  readonly revokedAt: Date | null;
  readonly isActive: boolean;
  readonly head: ChainHead;
}

/** Why an active row is live no more: it was revoked and made active again (I-36), or is past its date. */
export function whyOver({ expiresAt, revokedAt }: HostSession, now: Date): 'revived' | 'expired' | undefined {
  if (revokedAt !== null) return 'revived';
  return expiresAt !== null && expiresAt <= now ? 'expired' : undefined;
}

/** One canvas session and its credential. */
export interface CanvasState {
  readonly canvasSessionId: number;
  /** null where nobody has said which KSESSIONS session it is. */
  readonly ksessionsId: number | null;
  readonly title: string | null;
  readonly hashCopy: string;
  /** The active row, which may be over. */
  readonly live: HostSession | undefined;
}

/** The hash of a new credential and what goes with it. */
export interface StoredCredential {
  readonly hash: string;
  readonly hashKeyId: string;
  readonly fingerprint: string;
  /** undefined leaves a row's date as it is, to the microsecond. */
  readonly expiresAt: Date | null | undefined;
}

/**
 * Canvas sessions, each with its active host session.
 * @param by what the ids are: KSESSIONS ids or canvas session ids
 */
export async function findCanvasStates(
  reader: Reader,
  by: 'KSessionsId' | 'SessionId',
  ids: readonly number[],
): Promise<CanvasState[]> {
  const rows = await reader.ask<Row>(
    `SELECT h.*, s."SessionId" AS "CanvasSessionId", s."KSessionsId" AS "KSessionsId", s."Title" AS "Title", s."HostGuid" AS "HostGuid"
     FROM ${rowset(reader.dialect, 'r', ID)} JOIN canvas."Sessions" s ON s."${by}" = r."id"
     LEFT JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" AND h."IsActive" = ?`,
    [rowsetOfIds(ids), true],
  );
  return rows.map((row) => ({
    canvasSessionId: idOf(row, 'CanvasSessionId'),
    ksessionsId: row['KSessionsId'] === null ? null : idOf(row, 'KSessionsId'),
    title: textOrNull(row, 'Title'),
    hashCopy: textOf(row, 'HostGuid'),
    live: row['HostSessionId'] === null ? undefined : toHostSession(row),
  }));
}

/** What stands of a credential after it was changed, beside the hash copy and the event the change wrote. */
export interface ReadBack {
  /** undefined where the application has deleted the session since: the trail stays. */
  readonly stored: { readonly hash: string; readonly hashCopy: string; readonly isActive: boolean } | undefined;
  /** The newest event, as the host session has it. */
  readonly headHash: string | null;
  /** The seal of the event at the place asked for; null where there is none. */
  readonly eventHash: string | null;
  /** Who acted in the event before that one. */
  readonly actorBefore: string | null;
}

/**
 * Reads host sessions back, each with the hash copy of its canvas session and an event, in the same instant: one
 * statement, so that no other run can come between them.
 * @param places host sessions, each with the sequence number of an event
 * @returns by host session id
 */
export async function readBack(
  reader: Reader,
  places: readonly { readonly hostSessionId: number; readonly sequence: number }[],
): Promise<Map<number, ReadBack>> {
  const rows = await reader.ask<Row>(
    `SELECT r."id" AS "id", h."HostGuidHash" AS "hash", s."HostGuid" AS "copy", h."IsActive" AS "active",
       h."LastEventHash" AS "head", e."EventHash" AS "event", b."Actor" AS "before"
     FROM ${rowset(reader.dialect, 'r', { id: 'id', sequence: 'integer' })}
     LEFT JOIN canvas."HostSessions" h ON h."HostSessionId" = r."id" LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
     LEFT JOIN canvas."HostSessionEvents" e ON e."HostSessionId" = r."id" AND e."Sequence" = r."sequence"
     LEFT JOIN canvas."HostSessionEvents" b ON b."HostSessionId" = r."id" AND b."Sequence" = r."sequence" - 1`,
    [rowsetOf(places.map(({ hostSessionId, sequence }) => ({ id: hostSessionId, sequence })))],
  );
  return new Map(rows.map((row) => [idOf(row, 'id'), toReadBack(row)]));
}

function toReadBack(row: Row): ReadBack {
  const [hash, hashCopy] = [textOrNull(row, 'hash'), textOrNull(row, 'copy')];
  return {
    stored: hash === null || hashCopy === null ? undefined : { hash, hashCopy, isActive: flagOf(row, 'active') },
    headHash: textOrNull(row, 'head'),
    eventHash: textOrNull(row, 'event'),
    actorBefore: textOrNull(row, 'before'),
  };
}

/** The title of a session as its canvas row has it. */
export function canvasTitleOf({ title }: SourceSession): string {
  return cut(title, TITLE_LENGTH);
}

const SESSION_COLUMNS = {
  GroupId: 'uuid', KSessionsId: 'id', Title: 'text', Description: 'text', Status: 'text', HostGuid: 'text', CreatedAt: 'time',
  ModifiedAt: 'time',
} as const satisfies Columns;

/** Makes the canvas sessions of KSESSIONS sessions, with their hash copies. @returns the ids the database gave, by KSESSIONS id */
export async function insertCanvasSessions(
  writer: Writer,
  sessions: readonly { readonly session: SourceSession; readonly hash: string }[],
): Promise<Map<number, number>> {
  const rows = sessions.map(({ hash, session }) => ({
    GroupId: uuidV4(),
    KSessionsId: session.ksessionsId,
    Title: canvasTitleOf(session),
    Description: session.description === null ? null : cut(session.description, DESCRIPTION_LENGTH),
    Status: 'Created',
    HostGuid: hash,
    CreatedAt: writer.now,
    ModifiedAt: writer.now,
  }));
  const made = await insertSet(writer, SESSIONS, SESSION_COLUMNS, rows, ['SessionId', 'KSessionsId']);
  return new Map(made.map((row) => [idOf(row, 'KSessionsId'), madeId(writer, SESSIONS, row, 'SessionId')]));
}

/**
 * The id the database gave a row.
 * @throws ToolkitError DATA_NOT_READY where its identity was set to numbers that nobody can type
 */
function madeId(writer: Writer, table: string, row: Row, idColumn: string): number {
  const id = idOf(row, idColumn);
  if (id < 1) throw faults.idBelowOne(table, id, writer.permit.target.name);
  return id;
}

/** A host session to make, for a canvas session. */
export interface NewHostSession {
  readonly canvasSessionId: number;
  readonly credential: StoredCredential;
}

const HOST_COLUMNS = {
  SessionId: 'id', HostGuidHash: 'text', HashKeyId: 'text', GuidFingerprint: 'text', ExpiresAt: 'time', CreatedAt: 'time',
  CreatedBy: 'text', IsActive: 'flag',
} as const satisfies Columns;

/** Makes the host sessions that carry credentials. @returns the ids the database gave, by canvas session id */
export async function insertHostSessions(
  writer: Writer,
  hostSessions: readonly NewHostSession[],
  createdBy: string,
): Promise<Map<number, number>> {
  const rows = hostSessions.map(({ canvasSessionId, credential }) => ({
    SessionId: canvasSessionId,
    HostGuidHash: credential.hash,
    HashKeyId: credential.hashKeyId,
    GuidFingerprint: credential.fingerprint,
    ExpiresAt: credential.expiresAt ?? null,
    CreatedAt: writer.now,
    CreatedBy: createdBy,
    IsActive: true,
  }));
  const made = await insertSet(writer, HOST_SESSIONS, HOST_COLUMNS, rows, ['HostSessionId', 'SessionId']);
  return new Map(made.map((row) => [idOf(row, 'SessionId'), madeId(writer, HOST_SESSIONS, row, 'HostSessionId')]));
}

/** Only a live row is changed: an ended one is never revived. */
const ONLY_ACTIVE = { condition: `"${HOST_SESSIONS}"."IsActive" = ?`, bindings: [true] };

const HEAD_COLUMNS = { HostSessionId: 'id', LastSequence: 'integer', LastEventHash: 'text' } as const satisfies Columns;

/** A credential that takes the place of a live one, and the event that says so. */
export interface Replacement {
  readonly hostSessionId: number;
  readonly credential: StoredCredential;
  readonly head: ChainHead;
}

/** Puts new credentials into live rows. CreatedAt and CreatedBy stay; who and why stand in the events. */
export async function replaceCredentials(writer: Writer, replacements: readonly Replacement[]): Promise<void> {
  await updateSet(
    writer,
    {
      table: HOST_SESSIONS,
      key: 'HostSessionId',
      columns: {
        ...HEAD_COLUMNS, HostGuidHash: 'text', HashKeyId: 'text', GuidFingerprint: 'text', ExpiresAt: 'time', IsDated: 'flag',
        UpdatedAt: 'time', LastUsedAt: 'time',
      },
      values: {
        ExpiresAt: `CASE WHEN r."IsDated" = ${writer.dialect === 'mssql' ? '1' : 'true'} THEN r."ExpiresAt" ELSE "${HOST_SESSIONS}"."ExpiresAt" END`,
        IsDated: null,
      },
      onlyWhere: ONLY_ACTIVE,
    },
    // Column by column, here and where a row of many is made: V8 gives a literal with a spread in it several times the room.
    replacements.map(({ credential, head, hostSessionId }) => ({
      HostSessionId: hostSessionId,
      LastSequence: head.sequence,
      LastEventHash: head.hash,
      HostGuidHash: credential.hash,
      HashKeyId: credential.hashKeyId,
      GuidFingerprint: credential.fingerprint,
      ExpiresAt: credential.expiresAt ?? null,
      IsDated: credential.expiresAt !== undefined,
      UpdatedAt: writer.now,
      // The last use was that of the credential that ends here.
      LastUsedAt: null,
    })),
  );
}

/** A live row that ends, and the event that says so. */
export interface Ending {
  readonly hostSession: Pick<HostSession, 'hostSessionId' | 'revokedAt'>;
  readonly head: ChainHead;
}

/** Ends live rows; they are never revived. One that was revoked once before keeps who did it and when. */
export async function endHostSessions(writer: Writer, endings: readonly Ending[], endedBy: string): Promise<void> {
  const by = collated(writer.dialect, 'r."RevokedBy"', 'usual');
  await updateSet(
    writer,
    {
      table: HOST_SESSIONS,
      key: 'HostSessionId',
      columns: { ...HEAD_COLUMNS, IsActive: 'flag', RevokedAt: 'time', RevokedBy: 'text', UpdatedAt: 'time' },
      values: {
        RevokedAt: `COALESCE("${HOST_SESSIONS}"."RevokedAt", r."RevokedAt")`,
        RevokedBy: `COALESCE("${HOST_SESSIONS}"."RevokedBy", ${by})`,
      },
      onlyWhere: ONLY_ACTIVE,
    },
    endings.map(({ head, hostSession }) => ({
      HostSessionId: hostSession.hostSessionId,
      LastSequence: head.sequence,
      LastEventHash: head.hash,
      IsActive: false,
      RevokedAt: writer.now,
      // Whoever revoked it before may not have left a name.
      RevokedBy: hostSession.revokedAt === null ? endedBy : null,
      UpdatedAt: writer.now,
    })),
  );
}

/** Stores when a credential was last used, while it is still the one that was judged. @returns whether it is */
export async function recordUse(writer: Writer, { hash, hostSessionId }: HostSession): Promise<boolean> {
  // A case-insensitive collation must not make two hashes equal.
  const stored = collated(writer.dialect, `"${HOST_SESSIONS}"."HostGuidHash"`, 'exact');
  const isStill = `${ONLY_ACTIVE.condition} AND "${HOST_SESSIONS}"."RevokedAt" IS NULL AND ${stored} = ?`;
  const met = await updateWhatIsThere(
    writer,
    {
      table: HOST_SESSIONS,
      key: 'HostSessionId',
      columns: { HostSessionId: 'id', LastUsedAt: 'time' },
      onlyWhere: { condition: isStill, bindings: [...ONLY_ACTIVE.bindings, hash] },
    },
    [{ HostSessionId: hostSessionId, LastUsedAt: writer.now }],
  );
  return met === 1;
}

/** Stores the heads of chains, by host session id. */
export async function setChainHeads(writer: Writer, heads: ReadonlyMap<number, ChainHead>): Promise<void> {
  const rows = [...heads].map(([hostSessionId, { hash, sequence }]) => ({ HostSessionId: hostSessionId, LastSequence: sequence, LastEventHash: hash }));
  await updateSet(writer, { table: HOST_SESSIONS, key: 'HostSessionId', columns: HEAD_COLUMNS }, rows);
}

/** Sets the hash copies the application's login reads, by canvas session id; '' where no credential is live. */
export async function setHashCopies(writer: Writer, hashes: ReadonlyMap<number, string>): Promise<void> {
  await updateSet(
    writer,
    { table: SESSIONS, key: 'SessionId', columns: { SessionId: 'id', HostGuid: 'text', ModifiedAt: 'time' } },
    [...hashes].map(([canvasSessionId, hash]) => ({ SessionId: canvasSessionId, HostGuid: hash, ModifiedAt: writer.now })),
  );
}

/** Says which KSESSIONS session a canvas session is; null: none. */
export async function setLink(writer: Writer, canvasSessionId: number, ksessionsId: number | null): Promise<void> {
  await updateSet(
    writer,
    { table: SESSIONS, key: 'SessionId', columns: { SessionId: 'id', KSessionsId: 'id', ModifiedAt: 'time' } },
    [{ SessionId: canvasSessionId, KSessionsId: ksessionsId, ModifiedAt: writer.now }],
  );
}

export function toHostSession(row: Row): HostSession {
  return {
    hostSessionId: idOf(row, 'HostSessionId'),
    hash: textOf(row, 'HostGuidHash'),
    hashKeyId: textOrNull(row, 'HashKeyId'),
    fingerprint: textOrNull(row, 'GuidFingerprint'),
    createdAt: dateOf(row, 'CreatedAt'),
    createdBy: textOrNull(row, 'CreatedBy'),
    expiresAt: dateOrNull(row, 'ExpiresAt'),
    updatedAt: dateOrNull(row, 'UpdatedAt'),
    revokedAt: dateOrNull(row, 'RevokedAt'),
    isActive: flagOf(row, 'IsActive'),
    head: { sequence: numberOf(row, 'LastSequence', 0), hash: textOrNull(row, 'LastEventHash') },
  };
}

/** Cuts to a column's length without splitting a character in two. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = text.slice(0, length);
  return /[\uD800-\uDBFF]$/.test(end) ? end.slice(0, -1) : end;
}
