/** User and password of a target, from the environment or a file; never from the list of targets. */
import { readFileSync } from 'node:fs';
import { faults } from '../errors';
import { variable, type Settings } from './settings';
import type { Target } from './targets';

/** `password` is a function so that no printer of objects shows it. */
export interface Login {
  readonly user: string;
  readonly password: (() => string) | undefined;
}

const NOBODY: Login = { user: '', password: undefined };

/**
 * The logins of both connections; one object where both have the same variables.
 * @throws ToolkitError CONFIG when a variable is missing, empty, given twice, or its file cannot be read
 */
export function readLogins(settings: Settings, target: Target): { readonly canvas: Login; readonly source: Login } {
  if (target.engine === 'pglite') return { canvas: NOBODY, source: NOBODY };
  const canvas = readLogin(settings, target.canvas.credentials, target.name);
  const isShared = target.source.credentials === target.canvas.credentials;
  return { canvas, source: isShared ? canvas : readLogin(settings, target.source.credentials, target.name) };
}

function readLogin(settings: Settings, prefix: string, target: string): Login {
  const user = variable(settings.env, `${prefix}_USER`);
  if (user === undefined) throw faults.noLogin(`${prefix}_USER`, target);
  return { user, password: readPassword(settings, prefix) };
}

function readPassword(settings: Settings, prefix: string): (() => string) | undefined {
  const inline = variable(settings.env, `${prefix}_PASSWORD`);
  const file = variable(settings.env, `${prefix}_PASSWORD_FILE`);
  if (inline !== undefined && file !== undefined) {
    throw faults.twoSources(`${prefix}_PASSWORD`, `${prefix}_PASSWORD_FILE`);
  }
  const password = file === undefined ? inline : readPasswordFile(file);
  return password === undefined ? undefined : () => password;
}

/** One trailing line end belongs to the editor, not to the password. */
function readPasswordFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '').replace(/\r?\n$/, '');
  } catch (cause) {
    throw faults.fileUnreadable(path, cause);
  }
}
