/**
 * Credentials for a database that this toolkit must not connect to: the GUIDs are made here, and scripts carry their
 * hashes there. They hold neither a GUID nor the key; what each event's warrant lets them say is in audit.ts.
 */
import { v4 as uuidV4 } from 'uuid';
import { warrantIdOf } from '../audit';
import type { HmacKey } from '../config/keys';
import { faults } from '../errors';
import { readMigrations } from '../migrations/files';
import { headOf, type HandoffFile, type MoreScripts } from '../migrations/handoff';
import { requirePlainName, ScriptFile } from '../migrations/script-file';
import { HostGuid } from './credential';
import { ORDERS, orderRow, preparePlace, provisionEach, WARRANTS, warrantRows, type Order, type OrderTerms } from './handoff-batch';
import { CLAIMS, claimRow, insistOnOutcomes, prepareClaims, showOutcomes } from './handoff-outcomes';

export type { Order, OrderTerms };

/** A person reads the script before it is run. */
const MOST_ORDERS = 1000;

/** Rows of one INSERT; SQL Server takes 1000. */
const ROWS = 100;

const ORDER_OF_RUN = ['migrate.sql (if it was not run yet)', 'provision.sql', 'verify-credentials.sql'];

/** An operation and a GUID for each id. @throws ToolkitError USAGE for more than a person reads */
export function makeOrders(ksessionsIds: readonly number[]): Order[] {
  if (ksessionsIds.length > MOST_ORDERS) throw faults.tooManyHandedOff(ksessionsIds.length, MOST_ORDERS);
  return ksessionsIds.map((ksessionsId) => ({ ksessionsId, operationId: uuidV4(), guid: HostGuid.make() }));
}

/**
 * The scripts that provision the orders in one database, and what the manifest says of them. Opens nothing; the same
 * orders give the same bytes.
 * @param key the one that the application of that database checks GUIDs with
 * @param folder of the migrations
 * @throws ToolkitError USAGE for a name that is not plain
 */
export function composeCredentials(database: string, key: HmacKey, terms: OrderTerms, orders: readonly Order[], folder?: string): MoreScripts {
  requirePlainName(database);
  const { actor, expiresAt, ifExists, reason } = terms;
  const scripts: HandoffFile[] = [
    { name: 'provision.sql', text: provisionScript(database, key, terms, orders, folder) },
    { name: 'verify-credentials.sql', text: outcomesScript(database, key, orders) },
  ];
  const told = orders.map(({ guid, ksessionsId, operationId }) => ({ ksessionsId, operationId, fingerprint: guid.fingerprint(key) }));
  const credentials = {
    keyId: key.id,
    warrantId: warrantIdOf(key),
    actor,
    reason,
    expiresAt: expiresAt?.toISOString() ?? null,
    ifExists,
    operations: told,
  };
  return { scripts, manifest: { credentials } };
}

function provisionScript(database: string, key: HmacKey, terms: OrderTerms, orders: readonly Order[], folder: string | undefined): string {
  const does = [
    `Provisions the host GUIDs of ${orders.length} KSESSIONS sessions. It holds hashes, no GUID and no key. Besides schema canvas`,
    'it reads dbo.Sessions and dbo.SessionTranscripts and changes nothing there.',
    'Each session is a transaction of its own, and is told in a line when that is committed. At the first that fails the',
    'script ends; those before it hold. Run again, it goes on after the last one that was committed.',
    `Where a live host GUID exists: ${terms.ifExists === 'fail' ? 'it ends there' : 'that one is replaced and stops working'}.`,
    'The warrants let their holder write the events of these operations: keep the script as a record, and from others.',
  ];
  const script = new ScriptFile(database, headOf('provision.sql', database, does, 'credentials', ORDER_OF_RUN));
  const warrants = orders.flatMap((order, at) => warrantRows(key, order, terms, at + 1));
  script.batch([ORDERS, WARRANTS].map(dropOld).join('\n'));
  script.batch(preparePlace(readMigrations(folder)));
  insertRows(script, ORDERS, 'place, ksessionsId, operationId, lockName, hash, fingerprint', orders.map((order, at) => orderRow(key, order, at + 1)));
  insertRows(script, WARRANTS, 'place, action, warrant', warrants);
  script.after(ORDERS, provisionEach(key, terms, orders.length, warrants.length));
  script.after(ORDERS, `DROP TABLE ${WARRANTS};\nDROP TABLE ${ORDERS};\nPRINT N'Done. Now run verify-credentials.sql.';`);
  return script.end();
}

/** Of an earlier run in the same session. */
const dropOld = (table: string) => `IF OBJECT_ID(N'tempdb..${table}') IS NOT NULL DROP TABLE ${table};`;

function insertRows(script: ScriptFile, table: string, columns: string, rows: readonly string[]): void {
  for (let start = 0; start < rows.length; start += ROWS) {
    script.after(table, `INSERT INTO ${table} (${columns}) VALUES\n${rows.slice(start, start + ROWS).join(',\n')};`);
  }
}

function outcomesScript(database: string, key: HmacKey, orders: readonly Order[]): string {
  const does = ['Tells which operations of provision.sql were committed, and what became of them. Changes nothing.'];
  const script = new ScriptFile(database, headOf('verify-credentials.sql', database, does, 'credentials', ORDER_OF_RUN));
  script.batch(dropOld(CLAIMS));
  script.batch(prepareClaims());
  insertRows(script, CLAIMS, 'place, ksessionsId, operationId, fingerprint', orders.map((order, at) => claimRow(key, order, at + 1)));
  script.after(CLAIMS, showOutcomes());
  script.after(CLAIMS, insistOnOutcomes());
  return script.end();
}
