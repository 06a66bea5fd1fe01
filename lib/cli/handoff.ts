/** GUIDs that are handed over before anything could make them valid: to a file that stays here when a bundle leaves. */
import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { faults, ToolkitError } from '../errors';
import type { Order } from '../hosts/handoff';
import { createSecretFile } from './streams';

/**
 * Puts GUIDs into a new file that only the user can read, synced to disk, and then does the rest. If that fails they are
 * void, and the file is taken away again.
 * @param path of that file
 * @param folder where the rest goes
 * @throws ToolkitError USAGE when the file exists or lies in that folder, CONFIG when it cannot be written, and as `rest`
 */
export function deliverFirst(path: string, folder: string, orders: readonly Order[], rest: () => void): void {
  if (isInside(canonical(folder), canonical(path))) throw faults.guidsInBundle(path, folder);
  const file = createSecretFile(path);
  try {
    file.write(orders.map(({ guid, ksessionsId }) => `${ksessionsId} ${guid.reveal()}\n`).join(''));
    rest();
  } catch (error) {
    file.withdraw();
    throw error instanceof ToolkitError ? error : faults.fileUnwritable(path, error);
  } finally {
    file.close();
  }
}

/** Without links, as far as the path exists. */
function canonical(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const parent = dirname(whole);
    return parent === whole ? whole : join(canonical(parent), basename(whole));
  }
}

/** Case is not looked at: to some file systems it is nothing, and a refusal too many costs a name. */
function isInside(folder: string, path: string): boolean {
  const way = relative(folder.toLowerCase(), path.toLowerCase());
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
