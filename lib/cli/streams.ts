/** Writing out, so that "written" means handed to the operating system, bounded in time. */
import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { faults } from '../errors';

/** A reader that stops reading must not hold a transaction open. */
const HAND_OVER_TIMEOUT_MS = 5_000;

/** Takes texts; each is flushed when the promise resolves. */
export interface Sink {
  write(text: string): Promise<void>;
  close(): void;
}

/**
 * A stream as a sink.
 * @throws (from `write`) the stream's error, or one with code ETIMEDOUT after 5 s
 */
export function streamSink(stream: Writable): Sink {
  return { write: (text) => writeFlushed(stream, text), close: () => undefined };
}

function writeFlushed(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error | null) => {
      clearTimeout(timer);
      stream.off('error', end);
      if (error) reject(error);
      else resolve();
    };
    const timer = setTimeout(() => {
      end(Object.assign(new Error('nobody reads the output'), { code: 'ETIMEDOUT' }));
    }, HAND_OVER_TIMEOUT_MS);
    // EPIPE comes as an event; without a listener it would end the process inside a transaction.
    stream.on('error', end);
    stream.write(text, end);
  });
}

/**
 * A new file that only the user can read; every write is synced to disk. An empty one is taken
 * away again by `close`.
 * @throws ToolkitError USAGE when it exists, CONFIG when it cannot be made
 */
export function fileSink(path: string): Sink {
  const file = openNew(path);
  let isEmpty = true;
  return {
    write(text) {
      try {
        isEmpty = false;
        writeSync(file, text);
        fsyncSync(file);
        return Promise.resolve();
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    },
    close() {
      closeSync(file);
      if (isEmpty) unlinkSync(path);
    },
  };
}

function openNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw faults.outExists(path);
    throw faults.fileUnwritable(path, error);
  }
}
