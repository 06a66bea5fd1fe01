/** Does a GUID authenticate: where it comes from, never the command line, and what is told of it. */
import { text as readAll } from 'node:stream/consumers';
import type { Options } from 'yargs';
import type { Access } from '../access';
import { readSecretFile } from '../config/secret-file';
import { readClock, type Database } from '../engines/database';
import { faults } from '../errors';
import { authenticateAndRecord, authenticateHost, type RecordedAuthentication } from '../hosts/authenticate';
import type { Run, Words } from './command';
import { jsonLine, rows, SCHEMA, targetJson } from './render';

export const GUID_CHECK_OPTIONS = {
  'guid-file': { type: 'string', describe: 'Does the host GUID in this file, which only you can read, authenticate? - is standard input' },
  'record-use': { type: 'boolean', describe: 'Where it does, store that it was used now; else nothing is written' },
} as const satisfies Record<string, Options>;

/** Options of the gate, with which no GUID is checked. */
const OF_THE_GATE = ['list', 'only', 'skip', 'out'];

/** A GUID to check, as it was given. */
export interface GivenGuid {
  readonly line: number;
  readonly text: string;
}

/**
 * The GUIDs of `--guid-file`: one, or one a line; or what `--out` wrote, where each follows its id.
 * @returns undefined without that option
 * @throws ToolkitError CONFIG for a file that cannot be read or that others may read, USAGE for one without a GUID
 */
export async function readGuids(words: Words): Promise<GivenGuid[] | undefined> {
  const file = words.text('guid-file');
  if (file === undefined && words.flag('record-use')) throw faults.guidFileNeeded();
  if (file === undefined) return undefined;
  const [other] = OF_THE_GATE.filter((option) => words.flag(option) || words.texts(option).length > 0);
  if (other !== undefined) throw faults.notWithGuidFile(other);
  const content = file === '-' ? await readAll(process.stdin) : readSecretFile(file);
  const lines = content.replace(/^\uFEFF/, '').split('\n').map((line, index) => ({ line: index + 1, text: guidOf(line.trim()) }));
  const given = lines.filter(({ text }) => text !== '');
  if (given.length === 0) throw faults.noGuid(file === '-' ? 'standard input' : file);
  return given;
}

/** Of a session that was left as it is, or revoked, `--out` wrote no GUID. */
function guidOf(line: string): string {
  const [, text] = /^(?:\d{1,10}|canvas\/\d{1,16}) +(\S+)$/.exec(line) ?? [];
  if (text === undefined) return line;
  return ['kept', 'revoked'].includes(text) ? '' : text;
}

/**
 * Checks each GUID, and with `--record-use` records the use of those that are valid.
 * @throws ToolkitError GUID_REJECTED when one of them opens no session
 */
export async function checkGuids(run: Run, open: Access, given: readonly GivenGuid[]): Promise<void> {
  const isOne = given.length === 1;
  let rejected = 0;
  let isRead = true;
  for (const guid of given) {
    const answer = await check(open, guid.text, run.words.flag('record-use'));
    if (isRead) isRead = await run.stream(textOf(run.words, open.database, guid, answer, isOne));
    if (answer.warning !== undefined) run.notice(warningText(guid, answer));
    if (answer.verdict === 'valid') continue;
    if (isOne) throw rejectionOf(answer, open.database);
    rejected += 1;
  }
  if (rejected > 0) throw faults.guidsRejected(rejected, given.length, open.database.target.name);
}

async function check({ database, keys, permit }: Access, text: string, records: boolean): Promise<RecordedAuthentication> {
  if (records) return authenticateAndRecord(database, permit, keys, text);
  return { ...(await authenticateHost(database.canvas, keys, text, await readClock(database))), usedAt: undefined };
}

// --- told --------------------------------------------------------------------------------------------------------

function textOf(words: Words, database: Database, guid: GivenGuid, answer: RecordedAuthentication, isOne: boolean): string {
  if (words.flag('json')) return jsonLine(checkJson(database, guid, answer));
  if (words.flag('quiet')) return `${answer.verdict}\n`;
  return isOne ? checkText(answer) : checkLine(guid, answer);
}

function checkJson(database: Database, { line }: GivenGuid, answer: RecordedAuthentication): object {
  const { advice, fingerprint, of, usedAt, verdict, warning } = answer;
  return {
    schema: SCHEMA,
    status: verdict === 'valid' ? 'authenticated' : 'rejected',
    verdict,
    target: targetJson(database),
    line,
    fingerprint: fingerprint ?? null,
    ksessionsId: of?.ksessionsId ?? null,
    canvasSessionId: of?.canvasSessionId ?? null,
    hostSessionId: of?.hostSessionId ?? null,
    expiresAt: of?.expiresAt?.toISOString() ?? null,
    usedAt: usedAt?.toISOString() ?? null,
    warning: warning ?? null,
    advice: advice ?? null,
  };
}

function checkText({ fingerprint, of, usedAt, verdict }: RecordedAuthentication): string {
  return rows([
    ['Host GUID', verdict],
    ['Fingerprint', fingerprint ?? null],
    ...(of === undefined
      ? []
      : ([
          ['KSESSIONS id', of.ksessionsId],
          ['Canvas session id', of.canvasSessionId],
          ['Host session id', of.hostSessionId],
          ['Expires', of.expiresAt?.toISOString() ?? 'never'],
        ] as const)),
    ...(usedAt === undefined ? [] : [['Use recorded', usedAt.toISOString()] as const]),
  ]);
}

function checkLine({ line }: GivenGuid, { fingerprint, of, verdict }: RecordedAuthentication): string {
  const whose =
    of === undefined
      ? ''
      : `  KSESSIONS ${of.ksessionsId ?? '-'}, canvas session ${of.canvasSessionId}, host session ${of.hostSessionId}`;
  return `line ${String(line).padEnd(6)}  ${verdict.padEnd(12)}  ${fingerprint ?? 'no GUID'}${whose}\n`;
}

function warningText({ line }: GivenGuid, { advice }: RecordedAuthentication): string {
  return (
    `Warning: the host GUID of line ${line} was made under the key of the old tool, which is public: whoever read its source ` +
    `could have made it, too.\n  ${advice}\n`
  );
}

/** Why one is rejected, and what its operator can do. */
function rejectionOf({ fingerprint, of, verdict }: RecordedAuthentication, { target }: Database): Error {
  const another =
    typeof of?.ksessionsId === 'number'
      ? `To make another: npx zx scripts/provision.mjs ${of.ksessionsId} --target ${target.name}`
      : `npx zx scripts/list.mjs --target ${target.name} shows what is live.`;
  const [why, hint] = {
    valid: ['', ''],
    expired: ['It is past its date.', another],
    revoked: ['It was revoked.', another],
    'copy-differs': [
      "Its host session is live, but the application's login reads another hash (canvas.Sessions.HostGuid).",
      `To see it and to mend it: npx zx scripts/consolidate.mjs --target ${target.name}`,
    ],
    unknown:
      fingerprint === undefined
        ? ['The text is no GUID; a stored hash is none.', 'Give the GUID as it was handed over.']
        : [
            'No host session has it under a key that is configured here; one that was replaced is unknown, too.',
            `Check that target ${target.name} is meant. The trail tells by its fingerprint what became of it: npx zx scripts/audit.mjs --target ${target.name}`,
          ],
  }[verdict] as [string, string];
  return faults.guidRejected(fingerprint, why, hint);
}
