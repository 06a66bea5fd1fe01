/** Where host GUIDs go, once: stdout, or the file of `--out`; and what is told of each session when that is certain. */
import type { Database } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Delivery, Outcome, Result } from '../hosts/change';
import type { Receipt } from '../hosts/writing';
import { beginHandOver, endHandOver } from './interrupts';
import { doneText, endedText, endLine, jsonLine, receiptJson, receiptText, replacedText, SAMPLE_DATA } from './render';
import { failureOf, headOf, recordOf, type FileFormat } from './results';
import { createSecretFile, isOutputLost, type SecretFile } from './streams';

export interface OutputRequest {
  readonly database: Database;
  readonly print: (text: string) => Promise<void>;
  readonly notice: (text: string) => void;
  readonly report: (error: unknown) => Promise<ToolkitError>;
  readonly format: 'text' | 'json' | 'quiet';
  /** The file for the GUIDs, or undefined for stdout. */
  readonly file: OutFile | undefined;
  /** One session alone: it is told in full, and its error is the command's. */
  readonly isOne: boolean;
  /** Each session is told in words; otherwise only how many there were. */
  readonly tellsEach: boolean;
  /** Are GUIDs made? */
  readonly makesGuids: boolean;
}

/** The open file of `--out` or `--resume`. */
export interface OutFile {
  readonly path: string;
  readonly format: FileFormat;
  readonly file: SecretFile;
}

export interface Output {
  readonly delivery: Delivery;
  /** Tells what came of a session, after the commit and the look back. */
  conclude(result: Result): Promise<void>;
}

/** @throws ToolkitError USAGE when the file exists, CONFIG when it cannot be made */
export function newOutFile(path: string, format: FileFormat): OutFile {
  const file = createSecretFile(path);
  return { path, format, file: { ...file, ...headed(file, headOf(format)) } };
}

/** The head goes with the first record: a run that hands over nothing leaves no file. */
function headed(file: SecretFile, head: string): Pick<SecretFile, 'write' | 'withdraw'> {
  let isBegun = false;
  let wasBegun = false;
  return {
    write(text) {
      wasBegun = isBegun;
      file.write(isBegun ? text : head + text);
      isBegun = true;
    },
    withdraw() {
      isBegun = wasBegun;
      file.withdraw();
    },
  };
}

/** @throws ToolkitError USAGE when nobody would see the GUIDs */
export function openOutput(request: OutputRequest): Output {
  const { file, makesGuids } = request;
  if (makesGuids && file === undefined && isOutputLost()) throw faults.outputLost();
  return { delivery: file === undefined ? toStdout(request) : toFile(request, file), conclude: (result) => conclude(request, result) };
}

function show({ database, file, format }: OutputRequest, receipt: Receipt, hostGuid: string | null): string {
  if (format === 'json') return jsonLine(receiptJson(database, receipt, hostGuid));
  if (format === 'text') return receiptText(receipt, hostGuid, file?.path);
  return hostGuid === null ? '' : `${hostGuid}\n`;
}

/** One session a transaction: no transaction waits on a reader for more than its own GUID. */
function toStdout(request: OutputRequest): Delivery {
  return {
    async handOver(issued) {
      begin(issued.map(({ receipt }) => receipt));
      for (const { guid, receipt } of issued) await request.print(show(request, receipt, guid.reveal()));
    },
    withdraw: () => undefined,
  };
}

/** One alone is told before the commit, as on stdout; of many, a slow reader must not hold the transaction. */
function toFile(request: OutputRequest, { file, format }: OutFile): Delivery {
  return {
    async handOver(issued) {
      begin(issued.map(({ receipt }) => receipt));
      file.write(issued.map(({ guid, receipt }) => recordOf(format, receipt, guid)).join(''));
      if (request.isOne) for (const { receipt } of issued) await request.print(show(request, receipt, null));
    },
    withdraw: () => file.withdraw(),
  };
}

function begin(receipts: readonly Receipt[]): void {
  beginHandOver({
    ksessionsIds: receipts.flatMap(({ session }) => session.ksessionsId ?? []),
    operationId: receipts[0]?.operationId ?? null,
  });
}

async function conclude(request: OutputRequest, result: Result): Promise<void> {
  const { isOne } = request;
  if (result instanceof ToolkitError) {
    if (isOne) throw result;
    record(request, (format) => failureOf(format, result));
    await request.report(result);
  } else {
    if (['kept', 'revoked'].includes(result.status)) record(request, (format) => recordOf(format, result, null));
    await concludeOutcome(request, result);
  }
  endHandOver();
}

/** What holds no GUID is written after the commit: a disk that is full then changes nothing about that. */
function record({ file, notice }: OutputRequest, make: (format: FileFormat) => string): void {
  const text = file === undefined ? '' : make(file.format);
  if (text === '') return;
  try {
    file?.file.write(text);
  } catch (error) {
    notice(`${file?.path} could not be written to: ${faults.fileUnwritable('', error).why} Told here instead: ${text}`);
  }
}

async function concludeOutcome(request: OutputRequest, outcome: Outcome): Promise<void> {
  const { database, file, format, isOne, notice, print, tellsEach } = request;
  if (!tellsEach && format !== 'json') return;
  const isEnded = outcome.status === 'revoked' || (outcome.status === 'kept' && !request.makesGuids);
  const isShown = (file === undefined || isOne) && ['provisioned', 'rotated'].includes(outcome.status);
  const sample = database.target.engine === 'pglite' && request.makesGuids ? `${SAMPLE_DATA}\n` : '';
  const done = isEnded ? endLine(outcome) : doneText(outcome) + sample;
  if (outcome.status === 'rotated') notice(replacedText(outcome));
  // The GUID is out and holds: a reader that left after it (`| head -8`) changes nothing about that.
  const tell = (text: string) => (text === '' ? Promise.resolve() : print(text).catch(() => notice(text)));
  if (isEnded && format === 'text') return tell(endedText(outcome));
  if (!isShown) await tell(show(request, outcome, null));
  if (format === 'text') await tell(done);
  else notice(done);
}
