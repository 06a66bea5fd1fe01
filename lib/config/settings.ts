/** Environment and command line to `Settings`. Nothing here is trusted yet: `targets.ts` and the guard judge it. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { faults } from '../errors';

/** The package root. Paths never depend on the working directory (a fallback from another folder was I-04). */
export const PACKAGE_ROOT = join(__dirname, '..', '..');

/** The version in package.json. */
export function packageVersion(): string {
  const text = readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Variables by which a runtime says that it is production; any of them refuses. */
export const RUNTIME_ENVIRONMENTS = ['NODE_ENV', 'ASPNETCORE_ENVIRONMENT', 'DOTNET_ENVIRONMENT'] as const;

/** What the user asked for, as read. Not trusted. */
export interface Settings {
  readonly targetsFile: string;
  readonly targetName: string | undefined;
  readonly runtimeEnvironments: Readonly<Record<string, string>>;
  /** The variables themselves, for credentials and keys, whose names depend on the target. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/**
 * @param env the process environment
 * @param words what the command line says; it wins over the environment
 * @throws ToolkitError CONFIG when a variable is set but empty: an empty value is a broken script, not a default
 */
export function readSettings(env: NodeJS.ProcessEnv, words: { target?: string | undefined } = {}): Settings {
  const runtimeEnvironments: Record<string, string> = {};
  for (const name of RUNTIME_ENVIRONMENTS) {
    const value = env[name];
    if (value !== undefined && value !== '') runtimeEnvironments[name] = value;
  }
  const targetsFile = variable(env, 'CANVAS_TARGETS_FILE');
  return {
    targetsFile: targetsFile === undefined ? join(PACKAGE_ROOT, 'targets.json') : resolve(targetsFile),
    targetName: words.target ?? variable(env, 'CANVAS_TARGET'),
    runtimeEnvironments,
    env,
  };
}

/**
 * One variable, or undefined when it is not set.
 * @throws ToolkitError CONFIG when it is set to nothing
 */
export function variable(env: Readonly<NodeJS.ProcessEnv>, name: string): string | undefined {
  const value = env[name];
  if (value === undefined) return undefined;
  if (value.trim() === '') throw faults.emptyVariable(name);
  return value;
}
