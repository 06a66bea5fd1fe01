/** What became of orders, asked in T-SQL: of the trail whether they were committed, of the rows what they are now. */
import type { HmacKey } from '../config/keys';
import { THROWN } from '../migrations/script-file';
import { tableName } from '../migrations/shape-facts';
import { literal, SCHEMA } from '../migrations/sql';
import type { Order } from './handoff-batch';

/** The orders that are asked about, and the answers. */
export const CLAIMS = '#canvas_claims';

const EVENTS = tableName('HostSessionEvents');

/** Temporary tables have the collation of another database, and hashes differ in case. */
const EXACT = 'COLLATE Latin1_General_100_BIN2';

/** Insists on the trail, then makes the table of the claims. */
export function prepareClaims(): string {
  return `IF OBJECT_ID(N'${SCHEMA}.HostSessionEvents', N'U') IS NULL
  THROW ${THROWN.ledger}, N'MIGRATIONS_PENDING: there is no trail here yet. No operation was committed.', 1;
CREATE TABLE ${CLAIMS} (place int NOT NULL, ksessionsId int NOT NULL, operationId uniqueidentifier NOT NULL,
  fingerprint nvarchar(16) ${EXACT} NOT NULL, status nvarchar(20) NULL, trail nvarchar(20) NULL, canvasSessionId bigint NULL,
  hostSessionId bigint NULL, expiresAt datetime2(3) NULL, committedAt datetime2(3) NULL);`;
}

/** @param place from 1 */
export function claimRow(key: HmacKey, { guid, ksessionsId, operationId }: Order, place: number): string {
  return `(${place}, ${ksessionsId}, ${literal(operationId)}, N${literal(guid.fingerprint(key))})`;
}

const HOST_OF_CLAIM = `${tableName('HostSessions')} h JOIN ${tableName('Sessions')} s ON s.[SessionId] = h.[SessionId]
  WHERE h.[HostSessionId] = c.hostSessionId`;

/**
 * The links of the chain can be followed without the key: no gap, each event after the one before it, and the head. The
 * seals need the key, and are checked on a restored copy.
 */
const TRAIL_IS_BROKEN = `EXISTS (SELECT 1 FROM ${EVENTS} e LEFT JOIN ${EVENTS} b
      ON b.[HostSessionId] = e.[HostSessionId] AND b.[Sequence] = e.[Sequence] - 1
    WHERE e.[HostSessionId] = c.hostSessionId
      AND (COALESCE(e.[PreviousHash], N'') <> COALESCE(b.[EventHash], N'') OR (e.[Sequence] <> 1 AND b.[Sequence] IS NULL)))
  OR EXISTS (SELECT 1 FROM ${tableName('HostSessions')} h WHERE h.[HostSessionId] = c.hostSessionId AND NOT EXISTS (
    SELECT 1 FROM ${EVENTS} e WHERE e.[HostSessionId] = h.[HostSessionId] AND e.[Sequence] = h.[LastSequence]
      AND e.[EventHash] = h.[LastEventHash] AND NOT EXISTS (
        SELECT 1 FROM ${EVENTS} n WHERE n.[HostSessionId] = h.[HostSessionId] AND n.[Sequence] > e.[Sequence])))`;

/** Fills in what became of each claim, and shows it. */
export function showOutcomes(): string {
  return `UPDATE c SET canvasSessionId = e.[SessionId], hostSessionId = e.[HostSessionId], expiresAt = e.[ExpiresAt], committedAt = e.[OccurredAt]
FROM ${CLAIMS} c JOIN ${EVENTS} e ON e.[OperationId] = c.operationId AND e.[NewFingerprint] = c.fingerprint ${EXACT};
UPDATE c SET trail = CASE WHEN ${TRAIL_IS_BROKEN} THEN N'BROKEN' ELSE N'linked' END,
  status = CASE
    WHEN NOT EXISTS (SELECT 1 FROM ${HOST_OF_CLAIM} AND h.[GuidFingerprint] = c.fingerprint ${EXACT} AND h.[IsActive] = 1
      AND h.[RevokedAt] IS NULL AND (h.[ExpiresAt] IS NULL OR h.[ExpiresAt] > SYSUTCDATETIME())) THEN N'ENDED SINCE'
    WHEN EXISTS (SELECT 1 FROM ${HOST_OF_CLAIM} AND s.[HostGuid] ${EXACT} <> h.[HostGuidHash] ${EXACT}) THEN N'COPY DIFFERS'
    ELSE N'LIVE' END
FROM ${CLAIMS} c WHERE c.hostSessionId IS NOT NULL;
UPDATE ${CLAIMS} SET status = N'NOT COMMITTED' WHERE hostSessionId IS NULL;
SELECT c.status, c.trail, c.ksessionsId, c.canvasSessionId, c.hostSessionId, LOWER(CAST(c.operationId AS nvarchar(36))) AS operationId,
  c.fingerprint, c.expiresAt, c.committedAt
FROM ${CLAIMS} c ORDER BY c.place;`;
}

/** Ends with an error where a GUID that was made does not hold for a reason that nobody chose. */
export function insistOnOutcomes(): string {
  return `IF EXISTS (SELECT 1 FROM ${CLAIMS} c WHERE c.status = N'NOT COMMITTED')
  THROW ${THROWN.data}, N'Some operations were not committed: the GUIDs of those rows are void.', 1;
IF EXISTS (SELECT 1 FROM ${CLAIMS} c WHERE c.status = N'COPY DIFFERS' OR c.trail = N'BROKEN')
  THROW ${THROWN.shape}, N'Some credentials or their trail are not as they were written: the rows above name them.', 1;
PRINT N'All operations were committed.';`;
}
