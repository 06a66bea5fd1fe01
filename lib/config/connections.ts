/** The connections that configuration files name, and which of them win where: from files that were read. */
import { ToolkitError } from '../errors';
import { environmentOf, LAYERS, VARIABLES, type ConfigurationFile, type Setting } from './appsettings';
import { parseConnectionString, type ConnectionFacts } from './connection-string';
import { readLogins, type Login, type Logins } from './credentials';
import type { Settings } from './settings';
import type { ServerTarget, Target } from './targets';

/** What a connection is for, where its key says so. */
export type Role = 'canvas' | 'source';

/** The last part of the key of each connection that every component has, in lower case, and its role. */
const KNOWN: Readonly<Record<string, Role | undefined>> = { defaultconnection: 'canvas', ksessionsdb: 'source', kqurdb: undefined };

/** One connection string in one file. */
export interface Connection {
  readonly file: ConfigurationFile;
  /** As it is spelled there. */
  readonly key: string;
  /** The same for all components and layers that speak of the same connection. */
  readonly name: string;
  readonly role: Role | undefined;
  /** What the string says; undefined where it is refused. */
  readonly facts: ConnectionFacts | undefined;
  /** Why it is refused. */
  readonly refusal: ToolkitError | undefined;
  /** There is a password, and it is the empty one, which no reader of ours takes. */
  readonly hasEmptyPassword: boolean;
}

/** Every connection string of a file. A setting that is empty names nothing. */
export function connectionsOf(file: ConfigurationFile): Connection[] {
  return file.settings.filter(isConnection).map((setting) => toConnection(file, setting));
}

const lastOf = (key: string) => key.slice(key.lastIndexOf(':') + 1).toLowerCase();

const isKnown = (key: string) => Object.hasOwn(KNOWN, lastOf(key));

/** Under ConnectionStrings stand those of caches and queues too: what names no server or database is none of ours. */
const LOOKS_LIKE_ONE =
  /^\s*(?:mssql|sqlserver|postgres(?:ql)?):\/\/|(?:^|;)\s*(?:data source|server|addr|address|network address|initial catalog|database)\s*=/i;

function isConnection({ key, value }: Setting): boolean {
  const text = value();
  return text.trim() !== '' && (isKnown(key) || LOOKS_LIKE_ONE.test(text));
}

function toConnection(file: ConfigurationFile, { key, value }: Setting): Connection {
  const name = isKnown(key) ? lastOf(key) : key.toLowerCase();
  const origin = `${file.path}: ${key}`;
  const read = readString(value(), origin);
  const rest = read.facts === undefined ? withoutEmptyPassword(value()) : undefined;
  const about = { file, key, name, role: KNOWN[name], hasEmptyPassword: rest !== undefined };
  return { ...about, ...(rest === undefined ? read : readString(rest, origin)) };
}

function readString(text: string, origin: string): Pick<Connection, 'facts' | 'refusal'> {
  try {
    return { facts: parseConnectionString(text, origin), refusal: undefined };
  } catch (refusal) {
    if (!(refusal instanceof ToolkitError)) throw refusal;
    return { facts: undefined, refusal };
  }
}

/** A string that was refused, without its empty password; undefined where it has none. */
function withoutEmptyPassword(text: string): string | undefined {
  const pairs = text.split(';');
  const kept = pairs.filter((pair) => !/^\s*(?:password|pwd)\s*=\s*(?:""|'')?\s*$/i.test(pair));
  return pairs.length === kept.length ? undefined : kept.join(';');
}

/**
 * The logins that the variables of a target give this toolkit. Their files are nobody's component: what they lead to is
 * the target itself. None where the variables do not make a login; whoever connects is told why.
 */
export function ownConnections(settings: Settings, target: Target): Connection[] {
  if (target.engine === 'pglite') return [];
  const logins = loginsOf(settings, target);
  const roles = logins === undefined || logins.canvas === logins.source ? (['canvas'] as const) : (['canvas', 'source'] as const);
  return logins === undefined ? [] : roles.map((role) => ownConnection(target, role, logins[role]));
}

function loginsOf(settings: Settings, target: Target): Logins | undefined {
  try {
    return readLogins(settings, target, 'use');
  } catch (error) {
    if (error instanceof ToolkitError) return undefined;
    throw error;
  }
}

function ownConnection({ engine, ...target }: ServerTarget, role: Role, { password, user }: Login): Connection {
  const { credentials, database, port, server } = target[role];
  const file: ConfigurationFile = {
    path: VARIABLES, component: OWN_COMPONENT, layer: 'variables', environment: undefined, settings: [], repeated: [],
  };
  const place = { form: 'ado', scheme: engine, server, port, database, user } as const;
  // As the reader of strings hides it.
  const facts = Object.defineProperty(place, 'password', { get: () => password?.(), enumerable: false }) as ConnectionFacts;
  const key = `${credentials}_USER`;
  return { file, key, name: key, role: undefined, facts, refusal: undefined, hasEmptyPassword: false };
}

/** No folder is called that. */
const OWN_COMPONENT = '\0this toolkit';

// --- which wins ----------------------------------------------------------------------------------------------------

/** A connection as a component has it in one environment. */
export interface Effective {
  readonly component: string;
  /** undefined: in an environment for which it has no file. */
  readonly environment: string | undefined;
  readonly winner: Connection;
  /** What it wins over, the nearest first. */
  readonly beaten: readonly Connection[];
}

/** The components, in the order they were named. Variables alone are one. */
export function componentsOf(files: readonly ConfigurationFile[]): string[] {
  const named = files.flatMap(({ component }) => component ?? []);
  return named.length === 0 ? ['.'] : [...new Set(named)];
}

/** The environments that files of a component, or of any, are for. */
export function environmentsOf(files: readonly ConfigurationFile[], component?: string): string[] {
  const own = files.filter((file) => component === undefined || file.component === component);
  return [...new Set(own.flatMap(({ environment }) => environment ?? []))];
}

/**
 * What a component connects to.
 * @param environment one that a file is for, or undefined
 * @returns one for each name, in the order they were met
 */
export function effectiveOf(
  connections: readonly Connection[],
  component: string,
  environment: string | undefined,
): Effective[] {
  const isMeant = ({ file }: Connection) =>
    (file.component ?? component) === component && (file.environment === undefined || file.environment === environment);
  const byName = new Map<string, Connection[]>();
  for (const one of connections.filter(isMeant)) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);
  return [...byName.values()].flatMap((all) => {
    const [winner, ...beaten] = all.sort((a, b) => rankOf(b) - rankOf(a));
    return winner === undefined ? [] : [{ component, environment, winner, beaten }];
  });
}

/** Of two files of one layer, the one for an environment wins. */
const rankOf = ({ file }: Connection) => 2 * LAYERS.indexOf(file.layer) + (file.environment === undefined ? 0 : 1);

// --- where they lead -----------------------------------------------------------------------------------------------

const DEFAULT_PORT = { mssql: 1433, postgres: 5432 } as const;

/** Server, port and database, the same text for the same place; undefined where the string does not say. */
export function placeOf(facts: ConnectionFacts | undefined): string | undefined {
  const server = serverOf(facts);
  return server === undefined || facts?.database === undefined ? undefined : `${facts.database.toLowerCase()} on ${server}`;
}

/** Server and port. */
export function serverOf(facts: ConnectionFacts | undefined): string | undefined {
  if (facts?.server === undefined) return undefined;
  return `${facts.server.toLowerCase()}:${facts.port ?? DEFAULT_PORT[facts.scheme ?? 'mssql']}`;
}

/** A database that the list of targets knows, and whose it is. */
export interface KnownDatabase {
  readonly database: string;
  readonly environment: string;
}

/**
 * The environment that a database belongs to: production for a protected one, else by the list of targets, else by the
 * word at the end of its name; undefined where nothing says.
 */
export function environmentOfDatabase(
  database: string | undefined,
  isProtected: (database: string) => boolean,
  known: readonly KnownDatabase[],
): string | undefined {
  if (database === undefined) return undefined;
  if (isProtected(database)) return 'production';
  const listed = new Set(known.filter((one) => one.database.toLowerCase() === database.toLowerCase()).map(({ environment }) => environment));
  const [only] = listed;
  if (listed.size > 0) return listed.size === 1 ? only : undefined;
  const word = /[_-]([a-z]+)$/i.exec(database)?.[1];
  return word === undefined ? undefined : environmentOf(word);
}
