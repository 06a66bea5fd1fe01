import { readFileSync } from 'node:fs';
import type { ServerTarget } from '../config/targets';
import { faults } from '../errors';

/**
 * The private authority that a target names for its server's certificate, in the words of Node's TLS options.
 * @throws ToolkitError CONFIG where its file cannot be read
 */
export function authorityOf({ ca }: ServerTarget): { readonly ca?: string } {
  if (ca === undefined) return {};
  try {
    return { ca: readFileSync(ca, 'utf8') };
  } catch (cause) {
    throw faults.fileUnreadable(ca, cause);
  }
}
