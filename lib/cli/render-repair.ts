/** Repairs, and what is left to a person, as people and programs read them. */
import type { Database } from '../engines/database';
import type { Done, LinkPlan, Repair, Step, Summary } from '../hosts/consolidate';
import type { Finding } from '../hosts/survey';
import { plain, SCHEMA, targetJson } from './render';

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
      return `Identity of canvas.${table}: the next id was ${next}, the largest is ${largest}; ${verb} ${Math.max(largest, 1)}.\n`;
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
        hint: `Decide which one it is; for each other one: ${link} CANVAS=none${
          canvasSessionIds.some(isUntypable) ? `; where CANVAS is below 1, by hand: ${setLink('CANVAS', 'NULL')}` : ''
        }`,
        look: lookAt('Sessions', 'SessionId', canvasSessionIds),
      };
    case 'impossible-link':
      return {
        message: `${session} is linked to a KSESSIONS id that no session can have.`,
        hint: isUntypable(canvasId)
          ? `Its own id cannot be typed either; take the link away by hand: ${setLink(canvasId, 'NULL')}`
          : `Take the link away, then give it the right one: ${link} ${canvasId}=none`,
        look: lookAt('Sessions', 'SessionId', canvasSessionIds),
      };
    case 'unlinked':
      return {
        message: `${session} is open (host session ${hosts}), and nobody has said which KSESSIONS session it is.`,
        hint: isUntypable(canvasId)
          ? `Its id was made by hand and cannot be typed. Link it by hand: ${setLink(canvasId, 'KSESSIONS')}; or end it in the application.`
          : `Neither its id nor its title proves it. ${link} ${canvasId}=KSESSIONS, or ${canvasId}=none where it is none.`,
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

/** An id made by hand, which no option takes. */
const isUntypable = (id: number) => id < 1;

const setLink = (canvasId: number | string, to: string) =>
  `UPDATE canvas."Sessions" SET "KSessionsId" = ${to} WHERE "SessionId" = ${canvasId}`;

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
