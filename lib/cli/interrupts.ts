/**
 * Ctrl-C ends a command at once (one that works through batches, after the current one): a server rolls back what was not committed, and the embedded engine survives being
 * killed. Only between the hand-over of a GUID and the word on what became of it does an interrupt wait, so that the
 * word is said.
 */
import { faults, type ToolkitError } from '../errors';

/** A commit that is not answered by then is not waited for. */
const PATIENCE_MS = 10_000;

interface HandedOver {
  readonly ksessionsIds: readonly number[];
  readonly operationId: string | null;
}

let handedOver: HandedOver | undefined;
let whenSettled: (() => void) | undefined;

/** A GUID is out, and what became of it is not told yet. */
export function beginHandOver(what: HandedOver): void {
  handedOver = what;
}

/** What became of the GUID is told. */
export function endHandOver(): void {
  handedOver = undefined;
  whenSettled?.();
}

let finishFirst: (() => void) | undefined;

/**
 * While many sessions are changed, the first interrupt only asks to end after the current batch; the next one ends at
 * once, as everywhere.
 * @param ask told of the first interrupt
 * @returns a function that ends this
 */
export function finishBatchFirst(ask: () => void): () => void {
  finishFirst = ask;
  return () => (finishFirst = undefined);
}

/**
 * Listens for SIGINT and SIGTERM.
 * @param end prints the error and ends the process
 * @returns a function that stops listening
 */
export function listenForInterrupts(end: (error: ToolkitError) => void): () => void {
  const interrupt = () => {
    const ask = finishFirst;
    finishFirst = undefined;
    if (ask !== undefined) return ask();
    if (handedOver === undefined || whenSettled !== undefined) return end(wordFor(handedOver));
    const timer = setTimeout(() => end(wordFor(handedOver)), PATIENCE_MS);
    whenSettled = () => {
      clearTimeout(timer);
      end(faults.interrupted());
    };
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return () => {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  };
}

function wordFor(what: HandedOver | undefined): ToolkitError {
  return what === undefined ? faults.interrupted() : faults.interruptedInCommit(what.ksessionsIds, what.operationId);
}
