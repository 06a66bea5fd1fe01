/** Migrations as people and programs read them. */
import type { Database } from '../engines/database';
import type { AppliedStep } from '../migrations/apply';
import { sha256, type HandoffFile } from '../migrations/handoff';
import type { Obstacles } from '../migrations/obstacles';
import { faultOf } from '../migrations/plan';
import { sentenceOf } from '../migrations/preflight';
import type { PreviewStep, Status } from '../migrations/preview';
import { plain, SCHEMA, targetJson } from './render';

const say = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** What a run did. @param status migrated or rolled-back, and under which key the names stand */
export function runJson(database: Database, status: 'migrated' | 'rolled-back', names: readonly string[]): object {
  const key = status === 'migrated' ? 'applied' : 'reverted';
  return { schema: SCHEMA, status, target: targetJson(database), [key]: names };
}

export function runText(status: 'migrated' | 'rolled-back', names: readonly string[]): string {
  if (status === 'migrated') return `${names.length} applied; the schema is up to date.\n`;
  return names.length === 0 ? 'Nothing to take back.\n' : `${say(names.length, 'migration')} taken back.\n`;
}

const obstaclesJson = ({ rows, schema, unfit }: Obstacles) => ({
  rowsInTheWay: rows,
  schemaInTheWay: schema,
  statementsInTheWay: unfit.map(({ statement }) => statement),
});

/** Everything in the way, one sentence each. */
const obstacleSentences = ({ rows, schema, unfit }: Obstacles): string[] => [
  ...unfit.map(({ statement, what }) => `${what} (${statement})`),
  ...schema.map(({ sentence }) => sentence),
  ...rows.map(sentenceOf),
];

export function statusJson(database: Database, status: Status): object {
  return {
    schema: SCHEMA,
    status: status.pending.length === 0 ? 'up-to-date' : 'pending',
    target: targetJson(database),
    enrolled: status.isEnrolled,
    applied: status.applied.map(({ objects, appliedAt, name, batch, checksum, appliedBy, durationMs, toolVersion }) => ({
      ...{ name, batch, checksum, appliedBy, durationMs, toolVersion },
      appliedAt: appliedAt?.toISOString() ?? null,
      ...objects,
    })),
    pending: status.prospects.map(({ file: { name }, obstacles }) => ({ name, ...obstaclesJson(obstacles) })),
    problems: status.problems,
    foreignTriggers: status.foreignTriggers,
  };
}

export function statusText(status: Status): string {
  const applied = status.applied.map(
    ({ name, appliedAt, appliedBy }) =>
      `applied  ${name}  ${appliedAt?.toISOString() ?? 'not in the ledger'}  by ${plain(appliedBy ?? 'unknown')}\n`,
  );
  const pending = status.prospects.map(({ file: { name }, obstacles }) => `pending  ${name}\n${obstaclesText(obstacles)}`);
  const problems = status.problems.map((problem) => `problem  ${faultOf(problem).message}\n`);
  const enrolled = status.isEnrolled ? [] : ['This database is not enrolled.\n'];
  const triggers = foreignTriggerSentences(status).map((sentence) => `trigger  ${plain(sentence)}\n`);
  const done = status.pending.length === 0 ? ['The schema is up to date.\n'] : [];
  return [...enrolled, ...applied, ...pending, ...problems, ...triggers, ...done].join('');
}

/** They stop no migration; what is written afterwards is another matter. */
const foreignTriggerSentences = ({ foreignTriggers }: Status) =>
  foreignTriggers.map(({ sentence, severity }) =>
    severity === 'fault' ? `${sentence} It can change, refuse or undo what is written there; look at it, then disable or drop it.` : sentence,
  );

function obstaclesText(obstacles: Obstacles): string {
  return obstacleSentences(obstacles).map((sentence) => `         in the way: ${plain(sentence)}\n`).join('');
}

export function planJson(database: Database, status: Status, steps: readonly PreviewStep[]): object {
  return {
    schema: SCHEMA,
    status: 'plan',
    target: targetJson(database),
    enrolled: status.isEnrolled,
    steps: steps.map(({ name, statements, safety, ...obstacles }) => ({ name, statements, safety, ...obstaclesJson(obstacles) })),
    problems: status.problems,
    foreignTriggers: status.foreignTriggers,
  };
}

/** SQL that can be read and, on the target's own engine, run as it stands. */
export function planText(status: Status, steps: readonly PreviewStep[], end: string): string {
  const comment = (text: string) => `-- ${plain(text)}\n`;
  const head = status.isEnrolled ? '' : comment('This database is not enrolled.');
  const problems = [
    ...status.problems.map((problem) => comment(`PROBLEM: ${faultOf(problem).message}`)),
    ...foreignTriggerSentences(status).map((sentence) => comment(`TRIGGER: ${sentence}`)),
  ].join('');
  const bodies = steps.map(({ name, statements, safety, ...obstacles }) => {
    const ways = obstacleSentences(obstacles).map((text) => comment(`IN THE WAY: ${text}`));
    const risks = safety.map(({ severity, what, saferWay }) => comment(`${severity.toUpperCase()}: ${what} ${saferWay}`));
    const body = statements.map((statement) => `${statement}\n${end}\n`).join('\n');
    return `${comment(`=== ${name}`)}${ways.join('')}${risks.join('')}\n${body}`;
  });
  if (steps.length === 0) return `${head}${problems}${comment('Nothing is pending.')}`;
  return `${head}${problems}${bodies.join('\n')}`;
}

export function rehearsalJson(database: Database, steps: readonly AppliedStep[]): object {
  const told = steps.map(({ objects, ...step }) => ({ ...step, ...objects }));
  return { schema: SCHEMA, status: 'rehearsed', target: targetJson(database), steps: told };
}

export function rehearsalText(steps: readonly AppliedStep[]): string {
  const lines = steps.map(
    ({ name, durationMs, objects: { made, found } }) =>
      `would apply  ${name}  (${durationMs} ms; makes ${say(made.length, 'object')}, finds ${found.length})\n`,
  );
  return `${lines.join('')}Rehearsed and rolled back: nothing was changed.\n`;
}

/** Credentials that a bundle carries. */
export interface HandedOver {
  /** The file with the GUIDs. */
  readonly guids: string;
  /** What the manifest says of them. */
  readonly credentials: {
    readonly keyId: string;
    readonly operations: readonly { readonly ksessionsId: number; readonly operationId: string; readonly fingerprint: string }[];
  };
}

/** What was written for an administrator. */
export function handoffJson(folder: string, database: string, files: readonly HandoffFile[], handed?: HandedOver): object {
  const written = files.map(({ name, text }) => ({ name, sha256: sha256(text) }));
  return { schema: SCHEMA, status: 'handed-off', database, out: folder, files: written, ...handed };
}

export function handoffText(folder: string, database: string, files: readonly HandoffFile[], handed?: HandedOver): string {
  return (
    files.map(({ name, text }) => `${sha256(text)}  ${name}\n`).join('') +
    `Written to ${plain(folder)}, for database ${database} and no other. Nothing was connected to or run.\n` +
    'An administrator compares the sums above, then runs preflight.sql, migrate.sql and verify.sql with sqlcmd.\n' +
    (handed === undefined ? '' : handedText(handed))
  );
}

function handedText({ credentials, guids }: HandedOver): string {
  const lines = credentials.operations.map(
    ({ fingerprint, ksessionsId, operationId }) => `KSESSIONS ${ksessionsId}  fingerprint ${fingerprint}  operation ${operationId}\n`,
  );
  return (
    'Then provision.sql and verify-credentials.sql. Until they have run, no GUID of this opens anything:\n' +
    `${lines.join('')}Hashed under key ${credentials.keyId}. The GUIDs are in ${plain(guids)}, which only you can read; keep it from the bundle.\n`
  );
}
