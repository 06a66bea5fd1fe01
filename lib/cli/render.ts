/** Results as people and programs read them. Both ids always stand there, labelled. */
import type { Database } from '../engines/database';
import type { ToolkitError } from '../errors';
import type { Marker } from '../guard/marker';
import type { Outcome } from '../hosts/change';
import type { Plan } from '../hosts/plan';
import type { Receipt } from '../hosts/writing';
import type { Enrolment } from '../migrations/enrol';
import { plain } from '../reports/text';

export { plain };

/** Version of the JSON lines; a field that changes its meaning changes it. */
export const SCHEMA = 'canvas-host/1';

export const SAMPLE_DATA = 'This is sample data in the embedded database; the GUID opens nothing else.';

/** Labelled values, one a line. */
export const rows = (pairs: readonly (readonly [string, string | number | null])[]) =>
  pairs.map(([label, value]) => `${label.padEnd(20)}${plain(String(value ?? '-'))}\n`).join('');

/** A number and what it counts. */
export const many = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** One JSON object, one line. */
export const jsonLine = (value: object) => `${JSON.stringify(value)}\n`;

/** Where we are, in the words of the database itself (I-09): both connections. */
export function banner({ target, canvas, source }: Database): string {
  const name = (reader: typeof canvas) => {
    const { database, server, serverId, databaseId } = reader.admission.identity;
    return plain(`${database} on ${server} (ids ${serverId}/${databaseId})`);
  };
  const sample = target.engine === 'pglite' ? ', sample data' : '';
  return (
    `target     ${target.name} (${target.environment}${sample})\n` +
    `canvas     ${name(canvas)}\n` +
    `KSESSIONS  ${name(source)}\n`
  );
}

/** The target as every JSON object carries it. */
export function targetJson({ target, canvas }: Database) {
  const { server, database } = canvas.admission.identity;
  const sample = target.engine === 'pglite' ? { sampleData: true } : {};
  return { name: target.name, engine: target.engine, server, database, environment: target.environment, ...sample };
}

/** One session that was provisioned, rotated, kept or revoked. @param hostGuid null where none is shown */
export function receiptJson(database: Database, receipt: Receipt, hostGuid: string | null): object {
  return {
    schema: SCHEMA,
    status: receipt.status,
    target: targetJson(database),
    ksessionsId: receipt.session.ksessionsId,
    canvasSessionId: receipt.canvasSessionId,
    hostSessionId: receipt.hostSessionId,
    title: receipt.session.title,
    transcripts: receipt.session.transcripts,
    hostGuid,
    fingerprint: receipt.fingerprint,
    createdBy: receipt.createdBy,
    reason: receipt.reason,
    expiresAt: receipt.expiresAt?.toISOString() ?? null,
    operationId: receipt.operationId,
    at: receipt.at.toISOString(),
  };
}

/** What a dry run found it would do. */
export function planJson(database: Database, plan: Plan): object {
  return {
    schema: SCHEMA,
    status: 'dry-run',
    action: plan.action,
    target: targetJson(database),
    ksessionsId: plan.session.ksessionsId,
    canvasSessionId: plan.canvasSessionId,
    hostSessionId: plan.live?.hostSessionId ?? null,
    title: plan.session.title,
    transcripts: plan.session.transcripts,
    hostGuid: null,
    fingerprint: plan.live?.fingerprint ?? null,
    createdBy: plan.live?.createdBy ?? null,
    expiresAt: plan.expiresAt?.toISOString() ?? null,
  };
}

/** An error, for programs. */
export function errorJson(error: ToolkitError): object {
  return {
    schema: SCHEMA,
    status: 'error',
    code: error.code,
    exit: error.exit,
    ...(error.ksessionsId === undefined ? {} : { ksessionsId: error.ksessionsId }),
    ...(error.operationId === undefined ? {} : { operationId: error.operationId }),
    message: error.message,
    why: error.why,
    hint: error.hint,
  };
}

/** An error, for people: what, why or where, what to do. */
export function errorText(error: ToolkitError): string {
  return `${error.code}: ${plain(error.message)}\n  ${plain(error.why)}\n  ${plain(error.hint)}\n`;
}

/** The block that carries the GUID; it is printed before the commit, and the line after it says that it holds. */
export function receiptText(receipt: Receipt, hostGuid: string | null, out?: string): string {
  const elsewhere = receipt.status === 'kept' ? '(unchanged; it was shown once, when it was made)' : `written to ${out}`;
  return rows([
    ['KSESSIONS id', receipt.session.ksessionsId],
    ['Title', receipt.session.title],
    ...(receipt.session.transcripts === null ? [] : [['Transcripts', receipt.session.transcripts] as const]),
    ['Canvas session id', receipt.canvasSessionId],
    ['Host session id', receipt.hostSessionId],
    ['Expires', receipt.expiresAt?.toISOString() ?? 'never'],
    ['Fingerprint', receipt.fingerprint],
    ['Host GUID', hostGuid ?? elsewhere],
  ]);
}

/** How the GUID of one session ended. */
export function endedText(outcome: Outcome): string {
  const { canvasSessionId, createdBy, fingerprint, hostSessionId, session } = outcome;
  return (
    rows([
      ['KSESSIONS id', session.ksessionsId],
      ['Title', session.title],
      ['Canvas session id', canvasSessionId],
      ['Host session id', hostSessionId],
      ['Made by', createdBy],
      ['Fingerprint', fingerprint],
    ]) + endLine(outcome)
  );
}

/** The line of an end, after the commit and the look back. */
export function endLine({ status }: Outcome): string {
  return status === 'kept'
    ? 'Nothing to end: it has no live host GUID. Nothing was changed.\n'
    : "Revoked: committed and read back. It ends at the application's next login.\n";
}

/** The line of a GUID, after the commit and the look back. */
export function doneText(outcome: Outcome): string {
  const { status, session, isSuperseded } = outcome;
  if (status === 'kept') return `Kept: KSESSIONS ${session.ksessionsId} has a live host GUID; nothing was changed.\n`;
  if (isSuperseded) {
    return `Committed, and replaced since by another run: this GUID of KSESSIONS ${session.ksessionsId} is void again.\n`;
  }
  const verb = status === 'rotated' ? 'Rotated' : 'Provisioned';
  return `${verb}: committed and read back. The host GUID is shown this once; only its hash is stored.\n`;
}

/** What a person is asked about. */
export function liveText({ session, live }: Plan): string {
  const since = (live?.updatedAt ?? live?.createdAt)?.toISOString() ?? 'unknown';
  return (
    `KSESSIONS ${session.ksessionsId} "${plain(session.title)}" has a live host GUID: made by ${plain(live?.createdBy ?? 'unknown')}, ` +
    `in use since ${since}, expires ${live?.expiresAt?.toISOString() ?? 'never'}, fingerprint ${live?.fingerprint ?? 'not recorded'}.\n` +
    'A host who uses it will be locked out.\n'
  );
}

/** How many of a set a person is asked about, and the first of them. */
export function liveSetText(plans: readonly Plan[], total: number): string {
  const shown = plans.slice(0, 5).map(({ live, session }) =>
    `  KSESSIONS ${session.ksessionsId} "${plain(session.title)}", fingerprint ${live?.fingerprint ?? 'not recorded'}\n`,
  );
  const rest = plans.length > shown.length ? `  and ${plans.length - shown.length} more\n` : '';
  return `${plans.length} of ${total} sessions have a live host GUID; hosts who use one will be locked out:\n${shown.join('')}${rest}`;
}

/** Whose credential ended. Goes to stderr: a live host may just have been locked out. */
export function replacedText(outcome: Outcome): string {
  const { replaced, replacedActor, session } = outcome;
  if (replaced === undefined) return '';
  return (
    `The earlier host GUID of KSESSIONS ${session.ksessionsId} stopped working: made by ${plain(replacedActor ?? 'unknown')}, ` +
    `in use since ${replaced.since.toISOString()}, fingerprint ${replaced.fingerprint ?? 'not recorded'}.\n`
  );
}

const WOULD = {
  provision: 'make a first host GUID',
  rotate: 'replace the live host GUID',
  keep: 'keep what is there',
  revoke: 'end the live host GUID',
} as const satisfies Record<Plan['action'], string>;

/** A dry run, for people. */
export function planText(plan: Plan): string {
  const { action, canvasSessionId, expiresAt, live, session } = plan;
  return rows([
    ['KSESSIONS id', session.ksessionsId],
    ['Title', session.title],
    ...(session.transcripts === null ? [] : [['Transcripts', session.transcripts] as const]),
    ['Canvas session id', canvasSessionId ?? 'would be made'],
    ['Host session id', live?.hostSessionId ?? 'would be made'],
    ['Expires', expiresAt?.toISOString() ?? 'never'],
    ['Would', WOULD[action]],
  ]);
}

export const DRY_RUN = 'Dry run: nothing was written and no GUID was made.\n';

/** What came of many. */
export function tallyText(counts: Readonly<Record<string, number>>, out: string | undefined): string {
  const told = Object.entries(counts).filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`);
  // A file that nothing went into is not left behind.
  const areMade = ['provisioned', 'rotated'].some((status) => (counts[status] ?? 0) > 0);
  const where = out === undefined || !areMade ? '' : ` GUIDs are in ${out}, which only you can read.`;
  return `${told.length === 0 ? 'Nothing to do' : told.join(', ')}.${where}\n`;
}

/** An enrolment, as old and new identity where the database moved. */
export function enrolmentText({ before, after }: Enrolment): string {
  const say = (marker: Marker) =>
    plain(`${marker.target} (${marker.environment}): ${marker.database}, ids ${marker.serverId}/${marker.databaseId}`);
  const isSame = before !== undefined && say(before) === say(after);
  if (isSame) return `Already enrolled as ${say(after)}\n`;
  return `${before === undefined ? '' : `Was      ${say(before)}\n`}Enrolled ${say(after)}\n`;
}
