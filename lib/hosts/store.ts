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

/** The canvas side of one KSESSIONS id. */
export interface CanvasState {
  readonly canvasSessionId: number;
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

/** @returns the canvas session linked to a KSESSIONS id, and its live host session, or undefined */
export async function findCanvasState(reader: Reader, ksessionsId: number): Promise<CanvasState | undefined> {
  const [row] = await reader.ask<Row>(
    `SELECT h.*, s."SessionId" AS "CanvasSessionId", s."HostGuid" AS "HostGuid" FROM canvas."Sessions" s
     LEFT JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" AND h."IsActive" = ?
     WHERE s."KSessionsId" = ?`,
    [true, ksessionsId],
  );
  if (row === undefined) return undefined;
  return {
    canvasSessionId: idOf(row, 'CanvasSessionId'),
    hashCopy: textOf(row, 'HostGuid'),
    live: row['HostSessionId'] === null ? undefined : toHostSession(row),
  };
}

/**
 * A host session, live or ended, and the hash copy of its canvas session in the same instant: one statement, so that
 * no other run can come between the two.
 */
export async function findWithHashCopy(
  reader: Reader,
  hostSessionId: number,
): Promise<(HostSession & { readonly hashCopy: string }) | undefined> {
  const [row] = await reader.ask<Row>(
    `SELECT h.*, s."HostGuid" AS "HostGuid" FROM canvas."HostSessions" h
     JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId" WHERE h."HostSessionId" = ?`,
    [hostSessionId],
  );
  return row === undefined ? undefined : { ...toHostSession(row), hashCopy: textOf(row, 'HostGuid') };
}

/** The title of a session as its canvas row has it. */
export function canvasTitleOf({ title }: SourceSession): string {
  return cut(title, TITLE_LENGTH);
}

/** Makes the canvas session of a KSESSIONS id, with its hash copy. @returns the id the database gave it */
export async function insertCanvasSession(writer: Writer, session: SourceSession, hash: string): Promise<number> {
  return insertOne(writer, SESSIONS, 'SessionId', {
    GroupId: uuidV4(),
    KSessionsId: session.ksessionsId,
    Title: canvasTitleOf(session),
    Description: session.description === null ? null : cut(session.description, DESCRIPTION_LENGTH),
    Status: 'Created',
    HostGuid: hash,
    CreatedAt: writer.now,
    ModifiedAt: writer.now,
  });
}

/** Makes the host session that carries a credential. @returns the id the database gave it */
export async function insertHostSession(
  writer: Writer,
  canvasSessionId: number,
  credential: StoredCredential,
  createdBy: string,
): Promise<number> {
  return insertOne(writer, HOST_SESSIONS, 'HostSessionId', {
    SessionId: canvasSessionId,
    ...credentialColumns(credential),
    CreatedAt: writer.now,
    CreatedBy: createdBy,
    IsActive: true,
  });
}

/** Puts a new credential into a live row. CreatedAt and CreatedBy stay; who and why stand in the event. */
export async function replaceCredential(
  writer: Writer,
  hostSessionId: number,
  credential: StoredCredential,
  head: ChainHead,
): Promise<void> {
  await updateOne(writer, HOST_SESSIONS, { HostSessionId: hostSessionId, IsActive: true }, {
    ...credentialColumns(credential),
    ...headColumns(head),
    UpdatedAt: writer.now,
    // The last use was that of the credential that ends here.
    LastUsedAt: null,
  });
}

/** Ends a live row; it is never revived. One that was revoked once before keeps who did it and when. */
export async function endHostSession(
  writer: Writer,
  { hostSessionId, revokedAt }: Pick<HostSession, 'hostSessionId' | 'revokedAt'>,
  endedBy: string,
  head: ChainHead,
): Promise<void> {
  await updateOne(writer, HOST_SESSIONS, { HostSessionId: hostSessionId, IsActive: true }, {
    ...headColumns(head),
    IsActive: false,
    ...(revokedAt === null ? { RevokedAt: writer.now, RevokedBy: endedBy } : {}),
    UpdatedAt: writer.now,
  });
}

/** Stores the head of a new chain. */
export async function setChainHead(writer: Writer, hostSessionId: number, head: ChainHead): Promise<void> {
  await updateOne(writer, HOST_SESSIONS, { HostSessionId: hostSessionId }, headColumns(head));
}

/** Sets the hash copy the application's login reads; '' when no credential is live. */
export async function setHashCopy(writer: Writer, canvasSessionId: number, hash: string): Promise<void> {
  await updateOne(writer, SESSIONS, { SessionId: canvasSessionId }, { HostGuid: hash, ModifiedAt: writer.now });
}

/** Says which KSESSIONS session a canvas session is; null: none. */
export async function setLink(writer: Writer, canvasSessionId: number, ksessionsId: number | null): Promise<void> {
  await updateOne(writer, SESSIONS, { SessionId: canvasSessionId }, { KSessionsId: ksessionsId, ModifiedAt: writer.now });
}

/**
 * @returns the id the database gave the row
 * @throws ToolkitError DATA_NOT_READY where its identity was set to numbers that nobody can type
 */
async function insertOne(writer: Writer, table: string, idColumn: string, values: object): Promise<number> {
  const rows: unknown = await writer.table(table).insert(values, [idColumn]);
  const id = idOf((rows as Row[])[0], idColumn);
  if (id < 1) throw faults.idBelowOne(table, id, writer.permit.target.name);
  return id;
}

/** One row or an error: an update that misses its row must not pass for done (I-22). */
async function updateOne(writer: Writer, table: string, key: object, values: object): Promise<void> {
  const count = await writer.table(table).where(key).update<number>(values);
  if (count !== 1) throw new Error(`An update of canvas.${table} met ${count} rows instead of one.`);
}

function credentialColumns(credential: StoredCredential) {
  return {
    HostGuidHash: credential.hash,
    HashKeyId: credential.hashKeyId,
    GuidFingerprint: credential.fingerprint,
    ExpiresAt: credential.expiresAt,
  };
}

function headColumns(head: ChainHead) {
  return { LastSequence: head.sequence, LastEventHash: head.hash };
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
