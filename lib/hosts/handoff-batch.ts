/**
 * Provisioning in T-SQL: what `provision.ts`, `store.ts` and `audit.ts` do about one session, in one batch
 * that does it for each order in turn. It is written for SQL Server; where a plain way works on other TDS servers too
 * (no binary concatenation, no XML), that is the way taken.
 */
import { WARRANT_HALF, warrantFor, warrantIdOf, type WarrantFacts } from '../audit';
import type { HmacKey } from '../config/keys';
import { MARKER_TABLE } from '../guard/marker';
import type { MigrationFile } from '../migrations/files';
import { LOCK_WAIT_MS } from '../migrations/handoff';
import { LEDGER_TABLE } from '../migrations/ledger';
import { THROWN, typedText } from '../migrations/script-file';
import { tableName } from '../migrations/shape-facts';
import { literal, SCHEMA } from '../migrations/sql';
import type { HostGuid } from './credential';
import { lockOf } from './plan';
import { opensUnlinked } from './survey';

/** What is asked of each session. */
export interface OrderTerms {
  readonly actor: string;
  readonly reason: string | null;
  /** undefined: none for a new credential, the existing date for a rotated one. */
  readonly expiresAt: Date | undefined;
  /** Where a live credential exists. Nobody can be asked there, and a GUID that is made and not used helps nobody. */
  readonly ifExists: 'rotate' | 'fail';
}

/** One session that is to be provisioned elsewhere: an operation and a transaction of its own. */
export interface Order {
  readonly ksessionsId: number;
  readonly operationId: string;
  readonly guid: HostGuid;
}

/** The orders stand here while a script runs; that they do says that what is needed is there. */
export const ORDERS = '#canvas_orders';
export const WARRANTS = '#canvas_warrants';

const SESSIONS = tableName('Sessions');
const HOST_SESSIONS = tableName('HostSessions');
const EVENTS = tableName('HostSessionEvents');
const LEDGER = tableName(LEDGER_TABLE);

const text = (value: string) => `N${literal(value)}`;

/** Temporary tables have the collation of another database, and fingerprints differ in case. */
const EXACT = 'COLLATE Latin1_General_100_BIN2';

// --- what must be there --------------------------------------------------------------------------------------------

/** Insists on a database that migrate.sql of the same bundle has brought up to date, then makes the tables of the orders. */
export function preparePlace(migrations: readonly MigrationFile[]): string {
  const isThere = (name: string) => `OBJECT_ID(${text(name)}) IS NOT NULL`;
  const known = migrations.map(({ checksum, name }) => `(${text(name)}, ${text(checksum)})`).join(',\n  ');
  return `IF NOT (${isThere(`${SCHEMA}.${MARKER_TABLE}`)} AND ${isThere(`${SCHEMA}.${LEDGER_TABLE}`)})
  THROW ${THROWN.ledger}, N'MIGRATIONS_PENDING: first run migrate.sql of this bundle.', 1;
IF NOT EXISTS (SELECT 1 FROM ${tableName(MARKER_TABLE)} WHERE [Environment] = N'production')
  THROW ${THROWN.marker}, N'This database is not marked as production: its hosts are provisioned by provision.mjs.', 1;
DECLARE @known TABLE (name nvarchar(255) ${EXACT} NOT NULL, checksum nvarchar(64) ${EXACT} NOT NULL);
INSERT INTO @known (name, checksum) VALUES
  ${known};
IF EXISTS (SELECT 1 FROM @known k WHERE NOT EXISTS (
    SELECT 1 FROM ${LEDGER} l WHERE l.[Name] = k.name ${EXACT} AND l.[Checksum] = k.checksum ${EXACT}))
  THROW ${THROWN.ledger}, N'MIGRATIONS_PENDING: first run migrate.sql of this bundle.', 1;
IF EXISTS (SELECT 1 FROM ${LEDGER} l WHERE NOT EXISTS (SELECT 1 FROM @known k WHERE l.[Name] = k.name ${EXACT}))
  THROW ${THROWN.ledger}, N'The ledger has migrations that this bundle has not: take the newer bundle.', 1;
IF NOT (${isThere('dbo.Sessions')} AND ${isThere('dbo.SessionTranscripts')})
  THROW ${THROWN.shape}, N'SCHEMA_UNSUPPORTED: dbo.Sessions and dbo.SessionTranscripts are not in this database.', 1;
CREATE TABLE ${ORDERS} (place int NOT NULL, ksessionsId int NOT NULL, operationId uniqueidentifier NOT NULL,
  lockName nvarchar(64) NOT NULL, hash nvarchar(44) ${EXACT} NOT NULL, fingerprint nvarchar(16) ${EXACT} NOT NULL);
CREATE TABLE ${WARRANTS} (place int NOT NULL, action varchar(20) NOT NULL, warrant varchar(${2 * WARRANT_HALF}) ${EXACT} NOT NULL);`;
}

// --- orders --------------------------------------------------------------------------------------------------------

/** A row of the orders. @param place from 1 */
export function orderRow(key: HmacKey, { guid, ksessionsId, operationId }: Order, place: number): string {
  const cells = [lockOf(null, ksessionsId), guid.hash(key), guid.fingerprint(key)].map(text).join(', ');
  return `(${place}, ${ksessionsId}, ${literal(operationId)}, ${cells})`;
}

/** What may become of an order; which of it does, the database decides. */
function decidedOf({ guid, ksessionsId, operationId }: Order, key: HmacKey, terms: OrderTerms): WarrantFacts[] {
  const { actor, expiresAt, ifExists, reason } = terms;
  const common = { operationId, ksessionsId, actor, reason };
  const newFingerprint = guid.fingerprint(key);
  return [
    { ...common, action: 'provisioned', newFingerprint, expiresAt: expiresAt ?? null },
    ...(ifExists === 'rotate' ? [{ ...common, action: 'rotated' as const, newFingerprint, expiresAt: expiresAt ?? ('kept' as const) }] : []),
    // An active row that is over ends first.
    { ...common, action: 'expired', newFingerprint: null, expiresAt: 'kept' },
    { ...common, action: 'consolidated', newFingerprint: null, expiresAt: 'kept' },
  ];
}

/** The warrants of an order: without that for a rotation, nobody can make one of it. */
export function warrantRows(key: HmacKey, order: Order, terms: OrderTerms, place: number): string[] {
  return decidedOf(order, key, terms).map((facts) => `(${place}, ${literal(facts.action)}, ${literal(warrantFor(key, facts))})`);
}

// --- the batch -----------------------------------------------------------------------------------------------------

/** Throws with the session's id. @param parts expressions that follow it */
const refuse = (number: number, code: string, ...parts: string[]) =>
  `BEGIN
          SET @message = CONCAT(${[text(`${code}: KSESSIONS session `), '@ksessionsId', ...parts].join(', ')});
          THROW ${number}, @message, 1;
        END;`;

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base64 of the 32 bytes in @digest, of which the last group has two. */
const DIGEST_AS_BASE64 = `(
        SELECT STUFF(STRING_AGG(CONCAT(SUBSTRING(@base64, g.bits / 262144 + 1, 1), SUBSTRING(@base64, g.bits / 4096 % 64 + 1, 1),
          SUBSTRING(@base64, g.bits / 64 % 64 + 1, 1), SUBSTRING(@base64, g.bits % 64 + 1, 1)), '') WITHIN GROUP (ORDER BY g.place), 44, 1, '=')
        FROM (SELECT p.place, CASE p.place WHEN 10 THEN CAST(SUBSTRING(@digest, 31, 2) AS int) * 256
            ELSE CAST(SUBSTRING(@digest, p.place * 3 + 1, 3) AS int) END AS bits
          FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) p (place)) g)`;

const jsonText = (value: string) => `CASE WHEN ${value} IS NULL THEN 'null' ELSE CONCAT('"', ${value}, '"') END`;
const jsonTime = (value: string) => `CAST(DATEDIFF_BIG(MILLISECOND, @epoch, ${value}) AS varchar(20))`;

/**
 * Appends an event of @action with @newFingerprint and @expiry to the chain whose head is @sequence and @previousHash.
 * The bytes that are hashed are those of `sealUnder` (audit.ts): always in a variable of type varchar, for of a nvarchar
 * the server would hash other ones.
 */
const APPEND_EVENT = `SET @sequence = @sequence + 1;
      SET @warrant = (SELECT w.warrant FROM ${WARRANTS} w WHERE w.place = @place AND w.action = @action);
      IF @warrant IS NULL THROW ${THROWN.refused}, N'There is no warrant for this.', 1;
      SET @sealed = CONCAT(LEFT(@warrant, ${WARRANT_HALF}), '[', @hostId, ',', @canvasId, ',', @sequence, ',"', @action, '",',
        ${jsonText('@oldFingerprint')}, ',',
        COALESCE(${jsonTime('@expiry')}, 'null'), ',',
        ${jsonTime('@now')}, ',',
        ${jsonText('@previousHash')}, ']');
      SET @digest = HASHBYTES('SHA2_256', @sealed);
      SET @eventHash = ${DIGEST_AS_BASE64};
      SET @sealed = CONCAT(RIGHT(@warrant, ${WARRANT_HALF}), @eventHash);
      SET @digest = HASHBYTES('SHA2_256', @sealed);
      SET @eventHash = ${DIGEST_AS_BASE64};
      INSERT INTO ${EVENTS} ([OperationId], [HostSessionId], [SessionId], [KSessionsId], [Sequence], [Action], [Actor],
        [Reason], [OldFingerprint], [NewFingerprint], [ExpiresAt], [OccurredAt], [HashKeyId], [PreviousHash], [EventHash])
      VALUES (@operationId, @hostId, @canvasId, @ksessionsId, @sequence, @action, @actor,
        @reason, @oldFingerprint, @newFingerprint, @expiry, @now, @warrantId, @previousHash, @eventHash);`;

const ONE_ROW = `IF @@ROWCOUNT <> 1 THROW ${THROWN.refused}, N'The host session changed meanwhile.', 1;`;

/** Cut to the column, without splitting a character in two. */
const cutTo = (length: number, value: string) => {
  const cut = `CAST(${value} AS nvarchar(${length})) ${EXACT}`;
  return `CASE WHEN UNICODE(SUBSTRING(${cut}, ${length}, 1)) BETWEEN 55296 AND 56319
          THEN SUBSTRING(${cut}, 1, ${length - 1}) ELSE CAST(${value} AS nvarchar(${length})) END`;
};

/** What is there: the checks of provisioning, in its order. */
const LOOK = `IF @orderedExpiry <= @now
        ${refuse(THROWN.refused, 'USAGE', `N': the date of expiry has passed.'`)}
      SELECT @isThere = 1, @title = ${cutTo(200, `COALESCE(s.[SessionName], N'')`)},
        @description = ${cutTo(1000, 's.[Description]')}
      FROM [dbo].[Sessions] s WHERE s.[SessionID] = @ksessionsId;
      IF @isThere IS NULL
        ${refuse(THROWN.refused, 'SESSION_NOT_FOUND', `N' is not in dbo.Sessions.'`)}
      IF NOT EXISTS (SELECT 1 FROM [dbo].[SessionTranscripts] t WHERE t.[SessionID] = @ksessionsId)
        ${refuse(THROWN.refused, 'NO_TRANSCRIPTS', `N' has no transcript.'`)}
      SELECT @canvasId = s.[SessionId] FROM ${SESSIONS} s WHERE s.[KSessionsId] = @ksessionsId;
      SELECT @hostId = h.[HostSessionId], @oldFingerprint = h.[GuidFingerprint], @rowExpiry = h.[ExpiresAt], @revokedAt = h.[RevokedAt],
        @sequence = COALESCE(h.[LastSequence], 0), @previousHash = h.[LastEventHash]
      FROM ${HOST_SESSIONS} h WHERE h.[SessionId] = @canvasId AND h.[IsActive] = 1;
      IF @canvasId IS NULL
        SELECT @namesakes = STRING_AGG(CAST(s.[SessionId] AS nvarchar(max)), N', ') FROM ${SESSIONS} s
        WHERE LOWER(LTRIM(RTRIM(s.[Title]))) = LOWER(LTRIM(RTRIM(@title))) AND ${opensUnlinked('1', '@now')};
      IF @namesakes IS NOT NULL
        ${refuse(THROWN.refused, 'CONFLICT', `N' may be canvas session '`, 'LEFT(@namesakes, 200)', `N', which has the same title, opens, and is linked to none.'`)}
      SET @ending = CASE WHEN @revokedAt IS NOT NULL THEN 'consolidated' WHEN @rowExpiry <= @now THEN 'expired' END;
      SET @verb = CASE WHEN @hostId IS NULL OR @ending IS NOT NULL THEN 'provisioned' ELSE 'rotated' END;
      IF @verb = 'rotated' AND @ifExists = 'fail'
        ${refuse(THROWN.refused, 'CONFLICT', `N' has a live host GUID (fingerprint '`, `COALESCE(@oldFingerprint, N'not recorded')`, `N'), and --if-exists was fail.'`)}`;

/** A row that is over is never revived; one that was revoked once before keeps who did it and when. */
const END_WHAT_IS_OVER = `IF @ending IS NOT NULL
      BEGIN
        SELECT @action = @ending, @newFingerprint = NULL, @expiry = @rowExpiry;
        ${APPEND_EVENT.replaceAll('\n', '\n  ')}
        UPDATE ${HOST_SESSIONS} SET [IsActive] = 0, [RevokedAt] = COALESCE([RevokedAt], @now), [UpdatedAt] = @now,
          [RevokedBy] = COALESCE([RevokedBy], CASE WHEN [RevokedAt] IS NULL THEN @actor END),
          [LastSequence] = @sequence, [LastEventHash] = @eventHash
        WHERE [HostSessionId] = @hostId AND [IsActive] = 1;
        ${ONE_ROW}
        SELECT @hostId = NULL, @oldFingerprint = NULL, @sequence = 0, @previousHash = NULL;
      END;`;

/** Ids are read back by what is unique: a trigger of the application could change SCOPE_IDENTITY. */
const WRITE = `IF @verb = 'provisioned' AND @canvasId IS NULL
      BEGIN
        INSERT INTO ${SESSIONS} ([GroupId], [KSessionsId], [Title], [Description], [Status], [HostGuid], [CreatedAt], [ModifiedAt])
        VALUES (NEWID(), @ksessionsId, @title, @description, N'Created', @hash, @now, @now);
        SELECT @canvasId = s.[SessionId] FROM ${SESSIONS} s WHERE s.[KSessionsId] = @ksessionsId;
      END;
      IF @verb = 'provisioned'
      BEGIN
        INSERT INTO ${HOST_SESSIONS} ([SessionId], [HostGuidHash], [HashKeyId], [GuidFingerprint], [ExpiresAt], [CreatedAt], [CreatedBy], [IsActive])
        VALUES (@canvasId, @hash, @keyId, @fingerprint, @orderedExpiry, @now, @actor, 1);
        SELECT @hostId = h.[HostSessionId] FROM ${HOST_SESSIONS} h WHERE h.[SessionId] = @canvasId AND h.[IsActive] = 1;
      END
      ELSE
      BEGIN
        UPDATE ${HOST_SESSIONS} SET [HostGuidHash] = @hash, [HashKeyId] = @keyId, [GuidFingerprint] = @fingerprint,
          [ExpiresAt] = COALESCE(@orderedExpiry, [ExpiresAt]), [UpdatedAt] = @now, [LastUsedAt] = NULL
        WHERE [HostSessionId] = @hostId AND [IsActive] = 1;
        ${ONE_ROW}
      END;
      IF @canvasId < 1 OR @hostId < 1
        ${refuse(THROWN.data, 'DATA_NOT_READY', `N' got an id below 1: an identity was set to numbers that nobody can type.'`)}
      SELECT @action = @verb, @newFingerprint = @fingerprint,
        @expiry = CASE WHEN @verb = 'rotated' THEN COALESCE(@orderedExpiry, @rowExpiry) ELSE @orderedExpiry END;
      ${APPEND_EVENT}
      UPDATE ${HOST_SESSIONS} SET [LastSequence] = @sequence, [LastEventHash] = @eventHash
      WHERE [HostSessionId] = @hostId AND [IsActive] = 1;
      ${ONE_ROW}
      UPDATE ${SESSIONS} SET [HostGuid] = @hash, [ModifiedAt] = @now WHERE [SessionId] = @canvasId;
      ${ONE_ROW}
      SET @status = @verb;`;

const lineOf = (canvasId: string, hostId: string, ...rest: string[]) =>
  `CONCAT(N'KSESSIONS ', @ksessionsId, N'  canvas session ', ${canvasId}, N'  host session ', ${hostId}, N'  operation ',
      LOWER(CAST(@operationId AS nvarchar(36))), N'  ', ${rest.join(', ')})`;

/**
 * Does each order in a transaction of its own, in their order, and ends with the first that fails. What was committed
 * by an earlier run of the script is told and not done again.
 * @param warrants how many there are
 */
export function provisionEach(key: HmacKey, terms: OrderTerms, orders: number, warrants: number): string {
  const { actor, expiresAt, ifExists, reason } = terms;
  const expiry = expiresAt === undefined ? 'NULL' : literal(expiresAt.toISOString().replace('Z', ''));
  return `DECLARE @actor nvarchar(128) = ${typedText(actor)};
DECLARE @reason nvarchar(1000) = ${reason === null ? 'NULL' : typedText(reason)};
DECLARE @ifExists varchar(6) = ${literal(ifExists)}, @orderedExpiry datetime2(3) = ${expiry};
DECLARE @keyId nvarchar(16) = ${text(key.id)}, @warrantId nvarchar(16) = ${text(warrantIdOf(key))};
DECLARE @place int = 0, @ksessionsId int, @operationId uniqueidentifier, @lock nvarchar(255), @hash nvarchar(44), @fingerprint nvarchar(16);
DECLARE @code int, @now datetime2(3), @isThere bit, @title nvarchar(200), @description nvarchar(1000), @namesakes nvarchar(max);
DECLARE @canvasId bigint, @hostId bigint, @oldFingerprint nvarchar(16), @rowExpiry datetime2, @revokedAt datetime2;
DECLARE @verb varchar(20), @ending varchar(20), @status varchar(20), @message nvarchar(2048);
DECLARE @action varchar(20), @newFingerprint nvarchar(16), @expiry datetime2(3), @sequence int, @previousHash nvarchar(44);
DECLARE @warrant varchar(${2 * WARRANT_HALF}), @sealed varchar(1000), @digest varbinary(32), @eventHash varchar(44);
DECLARE @base64 varchar(64) = '${BASE64}', @epoch datetime2(3) = '1970-01-01T00:00:00';

IF (SELECT COUNT(*) FROM ${ORDERS}) <> ${orders} OR (SELECT COUNT(*) FROM ${WARRANTS}) <> ${warrants}
  THROW ${THROWN.refused}, N'Not all orders are there. Nothing was done.', 1;
SET @code = (SELECT COUNT(*) FROM ${HOST_SESSIONS} h WHERE h.[IsActive] = 1 AND h.[HashKeyId] <> @keyId);
IF @code > 0
BEGIN
  SET @message = CONCAT(N'Note: ', @code, N' live host sessions are under another key than ', @keyId, N'. Does this application know that key?');
  PRINT @message;
END;

WHILE @place < ${orders}
BEGIN
  SELECT @place = @place + 1, @isThere = NULL, @title = NULL, @description = NULL, @namesakes = NULL, @canvasId = NULL, @hostId = NULL,
    @oldFingerprint = NULL, @rowExpiry = NULL, @revokedAt = NULL, @sequence = 0, @previousHash = NULL, @status = NULL;
  SELECT @ksessionsId = o.ksessionsId, @operationId = o.operationId, @hash = o.hash, @fingerprint = o.fingerprint,
    @lock = o.lockName
  FROM ${ORDERS} o WHERE o.place = @place;
  SET @lock = CONCAT(DB_NAME(), N'/', @lock);
  BEGIN TRY
    BEGIN TRANSACTION;
    EXEC @code = sp_getapplock @Resource = @lock, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = ${LOCK_WAIT_MS};
    IF @code < 0
        ${refuse(THROWN.lock, 'LOCKED', `N' is being worked on by another run.'`)}
    SET @now = SYSUTCDATETIME();
    SELECT @canvasId = e.[SessionId], @hostId = e.[HostSessionId], @status = 'done before' FROM ${EVENTS} e
    WHERE e.[OperationId] = @operationId AND e.[NewFingerprint] = @fingerprint;
    IF @status IS NULL
    BEGIN
      ${LOOK}
      ${END_WHAT_IS_OVER}
      ${WRITE}
    END;
    COMMIT TRANSACTION;
    SET @message = ${lineOf('@canvasId', '@hostId', '@status')};
    PRINT @message;
  END TRY
  BEGIN CATCH
    IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
    SET @message = LEFT(${lineOf(`N'-'`, `N'-'`, `N'FAILED: '`, 'ERROR_MESSAGE()')}, 2048);
    PRINT @message;
    SET @message = CONCAT(N'It was undone and its GUID is void. Sessions after it, which were not begun: ', ${orders} - @place, N'.');
    PRINT @message;
    THROW;
  END CATCH;
END;`;
}
