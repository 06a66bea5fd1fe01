/** User and password of a target, from the environment or a file; never from the list of targets. */
import { faults } from '../errors';
import { assertRepeatsTarget, parseConnectionString } from './connection-string';
import { readSecretFile } from './secret-file';
import { variable, type Settings } from './settings';
import type { Address, ServerTarget, Target } from './targets';

/** `password` is a function so that no printer of objects shows it. */
export interface Login {
  readonly user: string;
  readonly password: (() => string) | undefined;
  /** The variables that it was read from, for whoever has to look after it. */
  readonly from: string;
}

/** What the login is for: schema changes may have one of their own. */
export type Purpose = 'use' | 'migrate';

export interface Logins {
  readonly canvas: Login;
  readonly source: Login;
  /** What was read and is not followed, for people. */
  readonly notices: readonly string[];
}

const NOBODY: Login = { user: '', password: undefined, from: 'nowhere' };

/** SqlClient's own default; the old configuration said an hour, which hid every stall (I-27). */
const LONGEST_CONNECT_SECONDS = 15;

/**
 * The logins of both connections; one object where both have the same variables.
 * @throws ToolkitError CONFIG when a variable is missing, empty, given twice, or its file cannot be read;
 *   GUARD_DIFFERS when a connection string leads elsewhere than the target
 */
export function readLogins(settings: Settings, target: Target, purpose: Purpose): Logins {
  if (target.engine === 'pglite') return { canvas: NOBODY, source: NOBODY, notices: [] };
  const notices: string[] = [];
  const source = readLogin(settings, target, target.source, notices);
  const isShared = target.source.credentials === target.canvas.credentials;
  // A string is compared with the address of each role it serves, shared or not.
  const canvas = isShared && isOneAddress(target) ? source : readLogin(settings, target, target.canvas, notices);
  const own = purpose === 'migrate' ? readPair(settings, `${target.canvas.credentials}_MIGRATE`) : undefined;
  if (target.engine === 'mssql') for (const login of [own ?? canvas, source]) assertSqlLogin(login);
  return { canvas: own ?? canvas, source, notices };
}

/** https://learn.microsoft.com/sql/t-sql/statements/create-login-transact-sql: no SQL login has a backslash in its name. */
function assertSqlLogin({ from, user }: Login): void {
  if (user.includes('\\')) throw faults.windowsLogin(user, from);
}

/** The files that passwords are read from, that of schema changes included. */
export function passwordFiles({ env }: Settings, target: Target): string[] {
  if (target.engine === 'pglite') return [];
  const prefixes = [target.canvas.credentials, target.source.credentials, `${target.canvas.credentials}_MIGRATE`];
  const named = [...new Set(prefixes)].map((prefix) => variable(env, `${prefix}_PASSWORD_FILE`));
  return named.filter((path) => path !== undefined);
}

function isOneAddress({ canvas, source }: ServerTarget): boolean {
  return canvas.server === source.server && canvas.port === source.port && canvas.database === source.database;
}

function readLogin(settings: Settings, target: ServerTarget, address: Address, notices: string[]): Login {
  const prefix = address.credentials;
  const name = `${prefix}_CONNECTION_STRING`;
  const text = variable(settings.env, name);
  const pair = readPair(settings, prefix);
  if (text !== undefined && pair !== undefined) throw faults.twoSources(name, `${prefix}_USER`);
  const login = text === undefined ? pair : readString(text, name, target, address, notices);
  if (login === undefined) throw faults.noLogin(`${prefix}_USER`, target.name);
  return login;
}

function readString(
  text: string,
  name: string,
  target: ServerTarget,
  address: Address,
  notices: string[],
): Login {
  const facts = parseConnectionString(text, name);
  assertRepeatsTarget(facts, { ...address, engine: target.engine }, name);
  if (facts.encrypt === false && target.encrypt) throw faults.stringWeakensTls(name, 'Encrypt');
  if (facts.trustServerCertificate === true && !target.trustServerCertificate) {
    throw faults.stringWeakensTls(name, 'TrustServerCertificate');
  }
  if ((facts.connectTimeoutSeconds ?? 0) > LONGEST_CONNECT_SECONDS) {
    notices.push(
      `${name}: a connect time-out of ${facts.connectTimeoutSeconds} s is not followed; it is ${LONGEST_CONNECT_SECONDS} s.`,
    );
  }
  const { user, password } = facts;
  if (user === undefined) throw faults.noLogin(`User ID in ${name}`, target.name);
  return { user, password: password === undefined ? undefined : () => password, from: name };
}

/** `PREFIX_USER` with `PREFIX_PASSWORD` or `PREFIX_PASSWORD_FILE`; undefined where there is no user. */
function readPair(settings: Settings, prefix: string): Login | undefined {
  const user = variable(settings.env, `${prefix}_USER`);
  const inline = variable(settings.env, `${prefix}_PASSWORD`);
  const file = variable(settings.env, `${prefix}_PASSWORD_FILE`);
  if (inline !== undefined && file !== undefined) {
    throw faults.twoSources(`${prefix}_PASSWORD`, `${prefix}_PASSWORD_FILE`);
  }
  if (user === undefined) {
    if (inline !== undefined || file !== undefined) throw faults.passwordWithoutUser(prefix);
    return undefined;
  }
  // One trailing line end belongs to the editor, not to the password.
  const password = file === undefined ? inline : readSecretFile(file).replace(/\r?\n$/, '');
  const from = `${prefix}_USER and ${prefix}_PASSWORD${file === undefined ? '' : '_FILE'}`;
  return { user, password: password === undefined ? undefined : () => password, from };
}
