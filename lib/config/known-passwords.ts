/** Passwords that protect nothing. Compared by hash; neither this list nor a message holds one. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** SHA-256, hex, of each in lower case and UTF-8: placeholders, defaults, and constants that were public once. */
const LIST = join(__dirname, 'password-hashes.json');

let hashes: ReadonlySet<string> | undefined;

/** Is a text one that others know, in whatever case? */
export function isKnownSecret(text: string): boolean {
  hashes ??= new Set(JSON.parse(readFileSync(LIST, 'utf8')) as string[]);
  return hashes.has(createHash('sha256').update(text.toLowerCase(), 'utf8').digest('hex'));
}

/** What a deployment fills in: `${NAME}`, `#{NAME}#`, `<name>`, `__NAME__`, `%NAME%`, `{{name}}`, a row of one sign. */
const TOKEN = /^(?:\$\{.*\}|#\{.*\}#?|<.*>|\[.*\]|\{\{?.*\}\}?|__\w+__|%\w+%|\$\(\w+\)|@Microsoft\.KeyVault\(.*\)|(.)\1*|\u2026)$/is;

export const isToken = (text: string) => TOKEN.test(text);

/**
 * What is wrong with a password, in words that do not hold it; undefined where nothing is to be seen.
 * @param names of user, database and server, which are no secret
 */
export function weaknessOf(password: string, names: readonly (string | undefined)[]): string | undefined {
  if (password.trim() === '') return 'is empty';
  if (isToken(password)) return 'is a placeholder that nobody has filled in';
  if (isKnownSecret(password)) return 'is a placeholder, or is known from elsewhere';
  const isName = names.some((name) => name?.toLowerCase() === password.toLowerCase());
  return isName ? 'is the name of the user, the database or the server' : undefined;
}
