/** Where a host GUID goes, once: stdout, or the file of `--out`. */
import type { Database } from '../engines/database';
import { faults, type ToolkitError } from '../errors';
import type { HandOver, Outcome, Receipt } from '../hosts/provision';
import { doneText, jsonLine, receiptJson, receiptText, replacedText, SAMPLE_DATA } from './render';
import { fileSink } from './streams';

export interface OutputRequest {
  readonly database: Database;
  readonly print: (text: string) => Promise<void>;
  readonly notice: (text: string) => void;
  readonly format: 'text' | 'json' | 'quiet';
  /** A new file for the GUIDs, or undefined for stdout. */
  readonly out: string | undefined;
}

export interface Output {
  /** Called inside the transaction, before its commit. */
  readonly handOver: HandOver;
  /** Called after the commit and the look back. */
  conclude(outcome: Outcome): Promise<void>;
  close(): void;
}

/** @throws ToolkitError USAGE when the file of `out` exists */
export function openOutput(request: OutputRequest): Output {
  const { database, format, notice, out, print } = request;
  const file = out === undefined ? undefined : fileSink(out);
  const show = (receipt: Receipt, hostGuid: string | null) => {
    if (format === 'json') return jsonLine(receiptJson(database, receipt, hostGuid));
    if (format === 'text') return receiptText(receipt, hostGuid, out);
    return hostGuid === null ? '' : `${hostGuid}\n`;
  };
  return {
    async handOver(receipt, guid) {
      await file?.write(`${receipt.session.ksessionsId} ${guid.reveal()}\n`);
      await print(show(receipt, file === undefined ? guid.reveal() : null));
    },
    async conclude(outcome) {
      if (outcome.status === 'kept') await print(show(outcome, null));
      const replaced = replacedText(outcome);
      if (replaced !== undefined) notice(replaced);
      const done = doneText(outcome) + (database.target.engine === 'pglite' ? `${SAMPLE_DATA}\n` : '');
      if (format === 'text') await print(done);
      else notice(done);
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
  report: (error: unknown) => Promise<ToolkitError>,
  work: (id: number) => Promise<void>,
): Promise<void> {
  if (ids.length === 1) return work(ids[0] as number);
  let failed = 0;
  for (const id of ids) {
    await work(id).catch(async (error: unknown) => {
      failed += 1;
      await report(error);
    });
  }
  if (failed > 0) throw faults.partial(failed, ids.length);
}
