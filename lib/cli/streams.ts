/** Writing out, so that "written" means handed to the operating system, bounded in time. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Writable } from 'node:stream';
import { faults } from '../errors';

/** A reader that stops reading must not hold a transaction open. */
const HAND_OVER_TIMEOUT_MS = 5_000;

/**
 * Node throws the error of a stream nobody listens to (a closed pipe, a full disk), wherever the program is then.
 * Whoever writes hears of it by `write`; whoever does not care must not die of it.
 */
export function survive(...streams: Writable[]): void {
  for (const stream of streams) stream.on('error', () => undefined);
}

/**
 * Writes to a stream and waits until the system has taken it.
 * @throws the stream's error, or one with code ETIMEDOUT after 5 s
 */
export function writeFlushed(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(Object.assign(new Error('nobody reads the output'), { code: 'ETIMEDOUT' }));
    }, HAND_OVER_TIMEOUT_MS);
    stream.write(text, (error) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Waits until a stream has nothing left to write, 5 s at most. @returns whether it has not */
export async function isStuck(stream: Writable): Promise<boolean> {
  if (stream.destroyed || stream.writableLength === 0) return false;
  return writeFlushed(stream, '').then(
    () => false,
    () => true,
  );
}

/** @returns whether standard output leads nowhere: closed (Node then opens the null device), or sent there */
export function isOutputLost(): boolean {
  try {
    const output = fstatSync(1);
    return output.isCharacterDevice() && output.rdev === statSync(devNull).rdev && process.platform !== 'win32';
  } catch {
    return true;
  }
}

/** A new file, every write synced to disk. */
export interface SecretFile {
  write(text: string): void;
  /** Takes the last write away again. */
  withdraw(): void;
  /** Closes it; an empty one is removed. */
  close(): void;
}

/**
 * A new file that only the user can read.
 * @throws ToolkitError USAGE when it exists, CONFIG when it cannot be made
 */
export function createSecretFile(path: string): SecretFile {
  const file = openNew(path);
  let size = 0;
  let sizeBefore = 0;
  return {
    write(text) {
      sizeBefore = size;
      size += Buffer.byteLength(text, 'utf8');
      writeSync(file, text);
      fsyncSync(file);
    },
    withdraw() {
      size = sizeBefore;
      ftruncateSync(file, size);
      fsyncSync(file);
    },
    close() {
      closeSync(file);
      if (size === 0) unlinkSync(path);
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
