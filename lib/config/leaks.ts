/** Secrets of this run that stand in the open, in the files where people put them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readLogins } from './credentials';
import { findKeys } from './keys';
import { PACKAGE_ROOT, type Settings } from './settings';
import type { Target } from './targets';

/** Files of configuration, in the folder of the toolkit and in that of the list of targets. */
const CONFIGURATION = /^(targets.*\.json|\.env.*|.+\.env|appsettings.*\.json)$/i;

/** A shorter one may stand in any text by chance: it counts where it is a value of its own. */
const LONG_ENOUGH = 8;

export interface Leak {
  readonly file: string;
  readonly what: 'an HMAC key' | 'a password';
}

/**
 * Where the secrets of a target stand in the open. Neither they nor a part of them leaves this function.
 * @returns what was found, and the files that were looked at
 * @throws ToolkitError CONFIG where a secret or a file cannot be read
 */
export function findLeaks(settings: Settings, target: Target): { readonly leaks: Leak[]; readonly files: string[] } {
  const passwords = passwordsOf(settings, target);
  const keys = findKeys(settings, target)?.all ?? [];
  const files = [...new Set([PACKAGE_ROOT, dirname(settings.targetsFile)])].flatMap(configurationIn);
  const leaks = files.flatMap((file): Leak[] => {
    const text = readFileSync(file, 'utf8');
    return [
      ...(keys.some((key) => key.standsIn(text)) ? [{ file, what: 'an HMAC key' as const }] : []),
      ...(passwords.some((password) => standsIn(text, password)) ? [{ file, what: 'a password' as const }] : []),
    ];
  });
  return { leaks, files };
}

function configurationIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && CONFIGURATION.test(entry.name)).map(({ name }) => join(folder, name));
}

function passwordsOf(settings: Settings, target: Target): string[] {
  const logins = (['use', 'migrate'] as const).map((purpose) => readLogins(settings, target, purpose));
  const all = logins.flatMap(({ canvas, source }) => [canvas.password?.(), source.password?.()]);
  return [...new Set(all)].filter((password) => password !== undefined);
}

/** As it is, and as JSON and URLs write it. */
function standsIn(text: string, password: string): boolean {
  const spellings = [password, JSON.stringify(password).slice(1, -1), encodeURIComponent(password)];
  return spellings.some((spelling) => (spelling.length >= LONG_ENOUGH ? text.includes(spelling) : values(text).has(spelling)));
}

const values = (text: string) => new Set(text.split(/[\s=:;,"']+/));
