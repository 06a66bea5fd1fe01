/** The allow-list: a name to a `Target`. Operators choose a name; they never give a connection string. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { closest, distance } from 'fastest-levenshtein';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { faults } from '../errors';
import { parseJson } from './json';
import type { Settings } from './settings';
// eslint-disable-next-line @typescript-eslint/no-require-imports -- Ajv writes CommonJS without types
const valid = require('./targets.validator.cjs') as ValidateFunction<TargetsFile>;

export type EngineName = 'pglite' | 'postgres' | 'mssql';

/** Names no target may use, whatever a file says. A file can add to them, never take away. */
export const BUILT_IN_PROTECTED = ['KSESSIONS', 'KQUR'] as const;

/** Where one connection goes. `credentials` is the prefix of the variables that hold user and password. */
export interface Address {
  readonly server: string;
  readonly port: number;
  readonly database: string;
  readonly serverName: string | undefined;
  readonly credentials: string;
}

interface Common {
  readonly name: string;
  /** As the file says it: the guard decides what it means, and unknown counts as production. */
  readonly environment: string;
  readonly protectedDatabases: readonly string[];
  readonly protectedServers: readonly string[];
}

export interface EmbeddedTarget extends Common {
  readonly engine: 'pglite';
  /** Absolute folder of the embedded database, its lock and its key. */
  readonly folder: string;
}

export interface ServerTarget extends Common {
  readonly engine: 'postgres' | 'mssql';
  readonly canvas: Address;
  readonly source: Address;
  readonly encrypt: boolean;
  readonly trustServerCertificate: boolean;
  /** Absolute path of a private certificate authority's PEM file. */
  readonly ca: string | undefined;
  readonly strict: boolean;
  readonly legacyKey: 'verify' | undefined;
}

export type Target = EmbeddedTarget | ServerTarget;

interface AddressEntry {
  server?: string;
  port?: number;
  database?: string;
  serverName?: string;
  credentials?: string;
}

interface TargetEntry extends AddressEntry {
  engine: EngineName;
  environment?: string;
  path?: string;
  encrypt?: boolean;
  trustServerCertificate?: boolean;
  ca?: string;
  strict?: boolean;
  legacyKey?: 'verify';
  source?: AddressEntry;
}

interface TargetsFile {
  default: string;
  protected?: { databases?: string[]; servers?: string[] };
  targets: Record<string, TargetEntry>;
}

const DEFAULT_PORT = { postgres: 5432, mssql: 1433 } as const;

/**
 * Reads the allow-list and picks the target the settings name.
 * @throws ToolkitError CONFIG when the file cannot be read or breaks the schema (every fault is told at once),
 *   GUARD_TARGET_UNKNOWN when no target has that name
 */
export function chooseTarget(settings: Settings): Target {
  const file = readTargetsFile(settings.targetsFile);
  const name = settings.targetName ?? file.default;
  const entry = Object.hasOwn(file.targets, name) ? file.targets[name] : undefined;
  if (entry === undefined) {
    const known = Object.keys(file.targets);
    throw faults.unknownTarget(name, known, nearest(name, known), settings.targetsFile);
  }
  return toTarget(name, entry, file, dirname(settings.targetsFile));
}

/** Every target of the allow-list. @throws ToolkitError CONFIG when it cannot be read or breaks the schema */
export function allTargets({ targetsFile }: Settings): Target[] {
  const file = readTargetsFile(targetsFile);
  return Object.entries(file.targets).map(([name, entry]) => toTarget(name, entry, file, dirname(targetsFile)));
}

/** The names of the allow-list. @throws ToolkitError CONFIG when it cannot be read or breaks the schema */
export function targetNames({ targetsFile }: Settings): string[] {
  return Object.keys(readTargetsFile(targetsFile).targets);
}

/** The known name a slip of the fingers away, if there is one. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const candidate = closest(name.toLowerCase(), known);
  return distance(name.toLowerCase(), candidate) <= 2 ? candidate : undefined;
}

function readTargetsFile(path: string): TargetsFile {
  const parsed = parseJson(readText(path), { comments: false });
  if ('faults' in parsed) throw faults.targetsInvalid(path, parsed.faults);
  if (!valid(parsed.value)) throw faults.targetsInvalid(path, sayErrors(valid.errors ?? []));
  return parsed.value;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw faults.targetsUnreadable(path, cause);
  }
}

/** What a text must be, by the last part of its path; of anything else it is a name of the list's own. */
const FORMS: Readonly<Record<string, string>> = {
  server: 'must be a host name or an address; a named instance is reached by its host and "port"',
  credentials: 'must be the beginning of names of variables: capital letters, digits and _',
  default: 'may hold letters, digits and _ . - only',
  targets: 'may hold letters, digits and _ . - only',
};
const PLAIN = 'must be plain ASCII without blanks at its ends: other letters can look alike';

/** That a target fits neither kind is said by what keeps it from its own kind. */
const sayErrors = (errors: readonly ErrorObject[]) => errors.filter(({ keyword }) => keyword !== 'if').map(sayError);

/** Ajv's own paths and messages, plus the word that its messages leave out. */
function sayError(error: ErrorObject): string {
  const params = error.params as Record<string, unknown>;
  const place = error.instancePath || '/';
  const extra = params['additionalProperty'] ?? params['propertyName'] ?? params['allowedValues'] ?? error.propertyName;
  const detail = extra === undefined ? '' : ` (${JSON.stringify(extra)})`;
  const form = error.keyword === 'pattern' ? (FORMS[place.split('/').at(-1) ?? ''] ?? PLAIN) : (error.message ?? 'is not valid');
  return `${place} ${form}${detail}`;
}

function toTarget(name: string, entry: TargetEntry, file: TargetsFile, folder: string): Target {
  const common: Common = {
    name,
    environment: entry.environment ?? 'not given',
    protectedDatabases: [...BUILT_IN_PROTECTED, ...(file.protected?.databases ?? [])],
    protectedServers: file.protected?.servers ?? [],
  };
  if (entry.engine === 'pglite') {
    return { ...common, engine: 'pglite', folder: resolve(folder, entry.path ?? '.canvas') };
  }
  const canvas = toAddress(entry, DEFAULT_PORT[entry.engine]);
  const source = sourceAddress(canvas, entry.source);
  assertTls(name, entry, [canvas, source]);
  return {
    ...common,
    engine: entry.engine,
    canvas,
    source,
    encrypt: entry.encrypt ?? true,
    trustServerCertificate: entry.trustServerCertificate ?? false,
    ca: entry.ca === undefined ? undefined : resolve(folder, entry.ca),
    strict: entry.strict ?? false,
    legacyKey: entry.legacyKey,
  };
}

/** The schema requires server, database and credentials of a server target. */
function toAddress(entry: AddressEntry, port: number): Address {
  return {
    server: entry.server ?? '',
    port: entry.port ?? port,
    database: entry.database ?? '',
    serverName: entry.serverName,
    credentials: entry.credentials ?? '',
  };
}

/** What `source` leaves out is that of the target itself; another server does not inherit the server's own name. */
function sourceAddress(canvas: Address, entry: AddressEntry = {}): Address {
  const sameServer = entry.server === undefined || entry.server === canvas.server;
  return {
    server: entry.server ?? canvas.server,
    port: entry.port ?? canvas.port,
    database: entry.database ?? canvas.database,
    serverName: entry.serverName ?? (sameServer ? canvas.serverName : undefined),
    credentials: entry.credentials ?? canvas.credentials,
  };
}

/** What the network between could read or change needs TLS, and a certificate that is checked (I-42). */
function assertTls(target: string, entry: TargetEntry, addresses: readonly Address[]): void {
  const weak = [
    entry.encrypt === false ? '"encrypt": false' : undefined,
    entry.trustServerCertificate === true ? '"trustServerCertificate": true' : undefined,
  ].find((setting) => setting !== undefined);
  const remote = addresses.find(({ server }) => !isLoopback(server));
  if (weak !== undefined && remote !== undefined) throw faults.weakTls(target, weak, remote.server);
}

/** By its name or number; an engine that is dialled without TLS looks at the socket as well. */
export function isLoopback(server: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(server);
}
