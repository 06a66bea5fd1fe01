/** Where a host GUID goes, once: stdout, or the file of `--out`. */
import { explain, type Database } from '../engines/database';
import { faults, ToolkitError } from '../errors';
import type { Delivery, Outcome, Receipt } from '../hosts/provision';
import { beginHandOver, endHandOver } from './interrupts';
import { doneText, jsonLine, receiptJson, receiptText, replacedText, SAMPLE_DATA } from './render';
import { createSecretFile, isOutputLost } from './streams';

export interface OutputRequest {
  readonly database: Database;
  readonly print: (text: string) => Promise<void>;
  readonly notice: (text: string) => void;
  readonly format: 'text' | 'json' | 'quiet';
  /** A new file for the GUIDs, or undefined for stdout. */
  readonly out: string | undefined;
}

export interface Output {
  readonly delivery: Delivery;
  /** Tells what came of it, after the commit and the look back. */
  conclude(outcome: Outcome): Promise<void>;
  close(): void;
}

/** @throws ToolkitError USAGE when the file of `out` exists, or when nobody would see the GUID */
export function openOutput(request: OutputRequest): Output {
  const { database, format, notice, out, print } = request;
  if (out === undefined && isOutputLost()) throw faults.outputLost();
  const file = out === undefined ? undefined : createSecretFile(out);
  const show = (receipt: Receipt, hostGuid: string | null) => {
    if (format === 'json') return jsonLine(receiptJson(database, receipt, hostGuid));
    if (format === 'text') return receiptText(receipt, hostGuid, out);
    return hostGuid === null ? '' : `${hostGuid}\n`;
  };
  return {
    delivery: {
      async handOver(receipt, guid) {
        beginHandOver({ ksessionsId: receipt.session.ksessionsId, operationId: receipt.operationId });
        file?.write(`${receipt.session.ksessionsId} ${guid.reveal()}\n`);
        await print(show(receipt, file === undefined ? guid.reveal() : null));
      },
      withdraw: () => file?.withdraw(),
    },
    async conclude(outcome) {
      if (outcome.status === 'kept') await print(show(outcome, null));
      notice(replacedText(outcome));
      const done = doneText(outcome) + (database.target.engine === 'pglite' ? `${SAMPLE_DATA}\n` : '');
      // The GUID is out and holds: a reader that left after it (`| head -8`) changes nothing about that.
      if (format === 'text') await print(done).catch(() => notice(done));
      else notice(done);
      endHandOver();
    },
    close: () => file?.close(),
  };
}

/**
 * Works through ids. One id: its error is the command's. Many: each error is told as it happens, the rest goes on.
 * @throws ToolkitError PARTIAL when some of many failed
 */
export async function forEachId(
  ids: readonly number[],
  database: Database,
  report: (error: unknown) => Promise<ToolkitError>,
  work: (id: number) => Promise<void>,
): Promise<void> {
  let failed = 0;
  for (const id of ids) {
    await work(id).catch(async (error: unknown) => {
      const known = explain(database, error);
      const told = known instanceof ToolkitError ? known.about(id) : known;
      if (ids.length === 1) throw told;
      failed += 1;
      await report(told);
      endHandOver();
    });
  }
  if (failed > 0) throw faults.partial(failed, ids.length);
}
