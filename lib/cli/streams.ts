/** Writing out, so that "written" means handed to the operating system, bounded in time. */
import {
  accessSync, closeSync, constants, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, statSync, unlinkSync, writeFileSync,
} from 'node:fs';
import { devNull } from 'node:os';
import { dirname } from 'node:path';
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

/** What a write says once its reader has left. */
const LEFT = ['EPIPE', 'EOF', 'ERR_STREAM_DESTROYED'];

/**
 * Writes however long the reader takes: a pager waits for its person. Not for what is told while a transaction is open.
 * @returns false once the reader has left (`| head`)
 * @throws ToolkitError CONFIG when the output takes no more, as a full disk does
 */
export function writePatiently(stream: Writable, text: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (!error) resolve(true);
      else if (LEFT.includes((error as NodeJS.ErrnoException).code ?? '')) resolve(false);
      else reject(faults.outputFailed(error));
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
  return secretFile(openNew(path), 0, (size) => {
    if (size === 0) unlinkSync(path);
  });
}

/**
 * A file of an earlier run, to be continued behind its first bytes; what follows them is cut off.
 * @param size bytes that stay
 * @throws ToolkitError CONFIG when it cannot be written
 */
export function continueSecretFile(path: string, size: number): SecretFile {
  const file = openOld(path);
  ftruncateSync(file, size);
  fsyncSync(file);
  return secretFile(file, size, () => undefined);
}

function secretFile(file: number, sizeAtFirst: number, whenClosed: (size: number) => void): SecretFile {
  let size = sizeAtFirst;
  let sizeBefore = size;
  return {
    write(text) {
      sizeBefore = size;
      size += Buffer.byteLength(text, 'utf8');
      // Until all of it is taken: a disk that fills up takes a part first.
      writeFileSync(file, text);
      fsyncSync(file);
    },
    withdraw() {
      size = sizeBefore;
      ftruncateSync(file, size);
      fsyncSync(file);
    },
    close() {
      closeSync(file);
      whenClosed(size);
    },
  };
}

function openOld(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_APPEND);
  } catch (error) {
    throw faults.fileUnwritable(path, error);
  }
}

function openNew(path: string): number {
  try {
    // Appending: after a withdrawal the next write goes to the end that is left.
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw faults.outExists(path);
    throw faults.fileUnwritable(path, error);
  }
}

/**
 * Can a report be written there when the looking, which may take minutes, is over?
 * @throws ToolkitError USAGE when the file exists, CONFIG when its folder takes none
 */
export function requireRoomFor(path: string): void {
  if (existsSync(path)) throw faults.outExists(path);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw faults.fileUnwritable(path, error);
  }
}
