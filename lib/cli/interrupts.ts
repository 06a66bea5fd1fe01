/**
 * Ctrl-C ends a command at once: a server rolls back what was not committed, and the embedded engine survives being
 * killed. Only between the hand-over of a GUID and the word on what became of it does an interrupt wait, so that the
 * word is said.
 */
import { faults, type ToolkitError } from '../errors';

/** A commit that is not answered by then is not waited for. */
const PATIENCE_MS = 10_000;

interface HandedOver {
  readonly ksessionsId: number;
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

/**
 * Listens for SIGINT and SIGTERM.
 * @param end prints the error and ends the process
 * @returns a function that stops listening
 */
export function listenForInterrupts(end: (error: ToolkitError) => void): () => void {
  const interrupt = () => {
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
  return what === undefined ? faults.interrupted() : faults.interruptedInCommit(what.ksessionsId, what.operationId);
}
