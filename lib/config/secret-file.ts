/** Files that hold a password or a key. */
import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { faults } from '../errors';

/** Group and others: none of their bits may be set. */
const OTHERS = 0o077;

/**
 * The text of a secret file, without BOM.
 * @throws ToolkitError CONFIG when it cannot be read, or others may read it (Windows cannot tell that by mode)
 */
export function readSecretFile(path: string): string {
  const { mode, text } = readWithMode(path);
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0) throw faults.secretIsShared(path);
  if (text === undefined) throw faults.notUtf8(path);
  return text;
}

/**
 * May others than its owner read a file? One that is not there is nobody's.
 * @throws ToolkitError CONFIG on Windows, which cannot tell that by mode
 */
export function isShared(path: string): boolean {
  if (!existsSync(path)) return false;
  if (process.platform === 'win32') throw faults.modesUnknown(path);
  return (statSync(path).mode & OTHERS) !== 0;
}

function readWithMode(path: string): { readonly mode: number; readonly text: string | undefined } {
  try {
    const bytes = readFileSync(path);
    return { mode: statSync(path).mode, text: isUtf8(bytes) ? new TextDecoder().decode(bytes) : undefined };
  } catch (cause) {
    throw faults.fileUnreadable(path, cause);
  }
}
