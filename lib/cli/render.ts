/** Results as people and programs read them. Both ids always stand there, labelled. */
import type { Database } from '../engines/database';
import type { ToolkitError } from '../errors';
import type { Marker } from '../guard/marker';
import type { Done, LinkPlan, Repair, Step, Summary } from '../hosts/consolidate';
import type { Outcome, ProvisionPlan, Receipt } from '../hosts/provision';
import type { Finding } from '../hosts/survey';
import type { Enrolment } from '../migrations/enrol';

/** Version of the JSON lines; a field that changes its meaning changes it. */
export const SCHEMA = 'canvas-host/1';

export const SAMPLE_DATA = 'This is sample data in the embedded database; the GUID opens nothing else.';

/** A title may hold anything: a line end would forge a line, an escape would speak to the terminal. */
export const plain = (text: string) => text.replace(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]+/gu, ' ');

const rows = (pairs: readonly (readonly [string, string | number | null])[]) =>
  pairs.map(([label, value]) => `${label.padEnd(20)}${plain(String(value ?? '-'))}\n`).join('');

/** One JSON object, one line. */
export const jsonLine = (value: object) => `${JSON.stringify(value)}\n`;

/** Where we are, in the words of the database itself (I-09): both connections. */
export function banner({ target, canvas, source }: Database): string {
  const name = (reader: typeof canvas) => {
    const { database, server, serverId, databaseId } = reader.admission.identity;
    return `${database} on ${server} (ids ${serverId}/${databaseId})`;
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

/** One provisioned, rotated or kept session. @param hostGuid null where none is shown */
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
export function planJson(database: Database, plan: ProvisionPlan): object {
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
    ['Transcripts', receipt.session.transcripts],
    ['Canvas session id', receipt.canvasSessionId],
    ['Host session id', receipt.hostSessionId],
    ['Expires', receipt.expiresAt?.toISOString() ?? 'never'],
    ['Fingerprint', receipt.fingerprint],
    ['Host GUID', hostGuid ?? elsewhere],
  ]);
}

/** The line after the commit and the look back. */
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
export function liveText({ session, live }: ProvisionPlan): string {
  const since = (live?.updatedAt ?? live?.createdAt)?.toISOString() ?? 'unknown';
  return (
    `KSESSIONS ${session.ksessionsId} "${plain(session.title)}" has a live host GUID: made by ${plain(live?.createdBy ?? 'unknown')}, ` +
    `in use since ${since}, fingerprint ${live?.fingerprint ?? 'not recorded'}.\n` +
    'A host who uses it will be locked out.\n'
  );
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

/** A dry run, for people. */
export function planText(plan: ProvisionPlan): string {
  const action = {
    provision: 'make a first host GUID',
    rotate: 'replace the live host GUID',
    keep: 'keep the live host GUID',
  }[plan.action];
  return (
    rows([
      ['KSESSIONS id', plan.session.ksessionsId],
      ['Title', plan.session.title],
      ['Transcripts', plan.session.transcripts],
      ['Canvas session id', plan.canvasSessionId ?? 'would be made'],
      ['Host session id', plan.live?.hostSessionId ?? 'would be made'],
      ['Expires', plan.expiresAt?.toISOString() ?? 'never'],
      ['Would', action],
    ]) + 'Dry run: nothing was written and no GUID was made.\n'
  );
}

/** An enrolment, as old and new identity where the database moved. */
export function enrolmentText({ before, after }: Enrolment): string {
  const say = (marker: Marker) =>
    `${marker.target} (${marker.environment}): ${marker.database}, ids ${marker.serverId}/${marker.databaseId}`;
  const isSame = before !== undefined && say(before) === say(after);
  if (isSame) return `Already enrolled as ${say(after)}\n`;
  return `${before === undefined ? '' : `Was      ${say(before)}\n`}Enrolled ${say(after)}\n`;
}

// --- repair ------------------------------------------------------------------------------------------------------

/** One step of a repair: done, planned, or left to a person. */
export function stepJson(database: Database, step: Step, done: Done | undefined): object {
  const status = step.kind === 'finding' ? 'finding' : done === undefined ? 'dry-run' : 'consolidated';
  const common = { schema: SCHEMA, status, target: targetJson(database), ...doneJson(done) };
  switch (step.kind) {
    case 'identity':
      return { ...common, action: 'identity', ...step.identity };
    case 'repair':
      return { ...common, action: 'repair', ...repairJson(step.repair) };
    case 'finding':
      return { ...common, ...step.finding, ...wordsOfFinding(step.finding, database.target.name) };
  }
}

function doneJson(done: Done | undefined): object {
  return { operationId: done?.operationId ?? null, at: done?.at.toISOString() ?? null };
}

function repairJson({ adopts, copy, ends, session, stays }: Repair): object {
  return {
    ksessionsId: session.ksessionsId,
    canvasSessionId: session.canvasSessionId,
    title: session.title,
    stays: stays?.hostSessionId ?? null,
    adopts,
    ends: ends.map(({ hostSession, why }) => ({ hostSessionId: hostSession.hostSessionId, why })),
    hashCopy: copy === undefined ? null : { was: copy.was, becomes: stays?.hostSessionId ?? 'empty' },
  };
}

/** Canvas and KSESSIONS id, labelled, and the title. */
function sessionText(canvasSessionId: number, ksessionsId: number | null, title: string | null): string {
  const linked = ksessionsId === null ? 'not linked' : `KSESSIONS ${ksessionsId}`;
  return `Canvas session ${canvasSessionId} (${linked})${title === null ? '' : ` "${plain(title)}"`}`;
}

/** One step of a repair, for people. */
export function stepText({ target }: Database, step: Step, done: Done | undefined): string {
  switch (step.kind) {
    case 'identity': {
      const { largest, next, table } = step.identity;
      const verb = done === undefined ? 'would move to' : 'moved to';
      return `Identity of canvas.${table}: the next id was ${next}, the largest is ${largest}; ${verb} ${largest}.\n`;
    }
    case 'repair':
      return repairText(step.repair);
    case 'finding':
      return findingText(step.finding, target.name);
  }
}

const ENDS = {
  superseded: 'ends: another one is newer',
  revived: 'ends: it was revoked, and active again',
  expired: 'ends: it is past its date',
} as const;

function repairText({ adopts, copy, ends, session, stays }: Repair): string {
  const lines = [
    ...ends.map(({ hostSession, why }) => `host session ${hostSession.hostSessionId} ${ENDS[why]}`),
    ...(stays === undefined
      ? []
      : [`host session ${stays.hostSessionId} stays${adopts ? '; its trail begins (adopted)' : ''}`]),
    ...(copy === undefined ? [] : [`hash copy: ${copyText(copy.was)}, then ${copyText(stays?.hostSessionId ?? 'empty')}`]),
  ];
  const head = sessionText(session.canvasSessionId, session.ksessionsId, session.title);
  return `${head}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function copyText(owner: number | 'empty' | 'unknown'): string {
  if (owner === 'empty') return 'empty (no GUID opens the session)';
  return owner === 'unknown' ? 'that of no host session of it' : `that of host session ${owner}`;
}

function findingText(finding: Finding, target: string): string {
  const { hint, look, message } = wordsOfFinding(finding, target);
  return `To decide: ${plain(message)}\n  ${plain(hint)}\n  ${look}\n`;
}

/** What is to be decided, what settles it, and the statement that shows the rows. */
function wordsOfFinding(finding: Finding, target: string): { message: string; hint: string; look: string } {
  const { canvasSessionIds, hostSessionIds, kind, ksessionsId, title } = finding;
  const [canvasId = 0] = canvasSessionIds;
  const hosts = hostSessionIds.join(', ');
  const lookAt = (table: string, column: string, ids: readonly number[]) =>
    `SELECT * FROM canvas."${table}" WHERE "${column}" IN (${ids.join(', ')})`;
  const link = `npx zx scripts/consolidate.mjs --target ${target} --apply --link`;
  const session = sessionText(canvasId, ksessionsId, title);
  switch (kind) {
    case 'two-canvas-rows':
      return {
        message: `KSESSIONS ${ksessionsId} "${title ?? ''}" has canvas sessions ${canvasSessionIds.join(', ')} (live host sessions: ${hosts || 'none'}).`,
        hint: `Decide which one it is; for each other one: ${link} CANVAS=none`,
        look: lookAt('Sessions', 'SessionId', canvasSessionIds),
      };
    case 'unlinked':
      return {
        message: `${session} is open (host session ${hosts}), and nobody has said which KSESSIONS session it is.`,
        hint: `Neither its id nor its title proves it. ${link} ${canvasId}=KSESSIONS, or ${canvasId}=none where it is none.`,
        look: lookAt('Sessions', 'SessionId', canvasSessionIds),
      };
    case 'copy-alone':
      return {
        message: `${session} has a hash that opens it, and no host session.`,
        hint: 'Provision its KSESSIONS session (link it first): that replaces the hash. Or leave it, if it must stay open.',
        look: lookAt('Sessions', 'SessionId', canvasSessionIds),
      };
    case 'orphan':
      return {
        message: `Host session ${hosts} belongs to canvas session ${canvasId}, which is not there.`,
        hint: 'It opens nothing. Restore the canvas session from a backup, or delete this row by hand.',
        look: lookAt('HostSessions', 'HostSessionId', hostSessionIds),
      };
    case 'same-hash':
      return {
        message: `Host sessions ${hosts} of canvas session ${canvasId} have the same hash.`,
        hint: 'The unique index on (SessionId, HostGuidHash) is gone; delete the row that is of no use by hand.',
        look: lookAt('HostSessions', 'HostSessionId', hostSessionIds),
      };
  }
}

/** The last line of a repair, for programs. */
export function summaryJson(database: Database, { findings, isApplied, repairs, rowsAfter, rowsBefore }: Summary): object {
  const rowsOf = (table: string) => ({ before: rowsBefore[table] ?? null, after: rowsAfter[table] ?? null });
  const tables = Object.keys({ ...rowsBefore, ...rowsAfter });
  return {
    schema: SCHEMA,
    status: 'summary',
    target: targetJson(database),
    applied: isApplied,
    repairs,
    findings,
    rows: Object.fromEntries(tables.map((table) => [table, rowsOf(table)])),
  };
}

/** The end of a repair, for people: what was done, and that no row was lost. */
export function summaryText({ findings, isApplied, repairs, rowsAfter, rowsBefore }: Summary): string {
  const tables = Object.keys({ ...rowsBefore, ...rowsAfter });
  const counts = tables.map((table) => {
    const [before, after] = [rowsBefore[table] ?? 'absent', rowsAfter[table] ?? 'absent'];
    return `  ${plain(table).padEnd(24)}${before === after ? before : `${before}, then ${after}`}\n`;
  });
  const verb = isApplied ? 'mended' : 'to mend (nothing was written; --apply does it)';
  const end = repairs + findings === 0 ? 'Nothing to do.' : `${repairs} ${verb}, ${findings} to decide.`;
  return `Rows of schema canvas\n${counts.join('')}${end}\n`;
}

/** A link made, taken away or declared, or what would be. */
export function linkJson(database: Database, plan: LinkPlan, done: Done | undefined): object {
  return {
    schema: SCHEMA,
    status: plan.action === 'nothing' || done !== undefined ? 'linked' : 'dry-run',
    action: plan.action,
    target: targetJson(database),
    ksessionsId: plan.ksessionsId,
    canvasSessionId: plan.session.canvasSessionId,
    title: plan.session.title,
    ...doneJson(done),
  };
}

/** The same, for people. */
export function linkText({ action, ksessionsId, session }: LinkPlan, done: Done | undefined): string {
  const now = sessionText(session.canvasSessionId, session.ksessionsId, session.title);
  const then = ksessionsId === null ? 'stands for no KSESSIONS session' : `is KSESSIONS ${ksessionsId}`;
  if (action === 'nothing') return `${now}: nothing to do.\n`;
  return `${now}: ${done === undefined ? 'would be recorded: it' : 'recorded: it'} ${then}.\n`;
}
