/**
 * Whether configuration files agree with the target, with each other, and with what each is for. Pure: from files that were
 * read (lib/config/appsettings.ts). Evidence names file and key, and never a value that could be a secret.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { ENVIRONMENT_KEYS, environmentOf, type ConfigurationFile, type Layer, type Setting } from '../config/appsettings';
import { assertRepeatsTarget, type ConnectionFacts } from '../config/connection-string';
import {
  componentsOf, connectionsOf, effectiveOf, environmentOfDatabase, environmentsOf, placeOf, serverOf,
  type Connection, type Effective, type KnownDatabase,
} from '../config/connections';
import { isKnownSecret, isToken, weaknessOf } from '../config/known-passwords';
import { isLoopback, type ServerTarget, type Target } from '../config/targets';
import { ToolkitError } from '../errors';
import { many, observed, type Check, type Circumstances, type Severity } from './check';

/** What was read. */
export interface Configuration {
  readonly files: readonly ConfigurationFile[];
  readonly connections: readonly Connection[];
  /** Those of this toolkit, for their passwords; what its login may do, and how it is dialled, is looked at elsewhere. */
  readonly own: readonly Connection[];
  /** The databases of all targets of the list. */
  readonly known: readonly KnownDatabase[];
}

/**
 * @param targets all of the list, for the environments their databases belong to
 * @param own the connections of this toolkit: its login is compared with those of the components (I-02)
 */
export function toConfiguration(files: readonly ConfigurationFile[], targets: readonly Target[], own: readonly Connection[] = []): Configuration {
  const known = targets.flatMap((target) =>
    target.engine === 'pglite'
      ? []
      : [target.canvas, target.source].map(({ database }) => ({ database, environment: target.environment })),
  );
  return { files, connections: files.flatMap(connectionsOf), own, known };
}

/** What one check finds, as sentences. */
type Find = (configuration: Configuration, target: Target) => readonly string[];

interface Rule {
  readonly what: string;
  readonly title: string;
  readonly severity: Severity;
  readonly find: Find;
  readonly remedy: string;
}

/** The checks over files that were read. @param target one without a server leaves nothing to compare with */
export function configurationChecks(configuration: Configuration, { engine }: Target): Check<Circumstances>[] {
  const rules = RULES.filter(({ find }) => engine !== 'pglite' || find !== differsFromTarget);
  return rules.map(({ find, remedy, severity, title, what }) => ({
    id: `configuration.${what}`,
    title,
    severity,
    look: ({ target }) => {
      const { connections, files } = configuration;
      const sentences = [...new Set(find(configuration, target))];
      return observed(sentences, remedy, `${many(connections.length, 'connection string')} in ${many(files.length, 'source')}`);
    },
  }));
}

const at = ({ file, key }: Pick<Connection, 'file' | 'key'>) => `${file.path}: ${key}`;

/** Where a connection leads, in words. */
const leadsTo = ({ facts }: Connection) =>
  `${facts?.database ?? 'no database'} on ${facts?.server ?? 'no server'}${facts?.port === undefined ? '' : `,${facts.port}`}`;

/** Every component in every environment for which anybody has a file, and in one for which nobody has. */
function everywhere({ connections, files }: Configuration): Effective[] {
  return componentsOf(files).flatMap((component) =>
    [undefined, ...environmentsOf(files)].flatMap((environment) => effectiveOf(connections, component, environment)),
  );
}

// --- files ---------------------------------------------------------------------------------------------------------

const repeatedKeys: Find = ({ files }) =>
  files.flatMap((file) =>
    file.repeated.map(({ key, lines }) => {
      const outcome = file.layer === 'env file' ? 'which one wins depends on who reads it' : '.NET refuses the whole file';
      return `${file.path}: ${key}: it is there more than once (lines ${lines.join(', ')}), and ${outcome}.`;
    }),
  );

const unreadable: Find = ({ connections }) =>
  connections.flatMap((connection) => {
    const { facts, refusal } = connection;
    if (refusal !== undefined) return [`${at(connection)}: ${refusal.why}`];
    const missing = [...(facts?.server === undefined ? ['server'] : []), ...(facts?.database === undefined ? ['database'] : [])];
    return missing.map((what) => `${at(connection)}: it names no ${what}, so something else decides.`);
  });

// --- where they lead -----------------------------------------------------------------------------------------------

const fold = (name: string) => name.toLowerCase();
const isAmong = (names: readonly string[], name: string | undefined) =>
  name !== undefined && names.some((one) => fold(one) === fold(name));

const isProtected = (target: Target) => (database: string) => isAmong(target.protectedDatabases, database);

const environmentIn = ({ known }: Configuration, target: Target, { facts }: Connection) =>
  environmentOfDatabase(facts?.database, isProtected(target), known);

const differsFromTarget: Find = (configuration, target) => {
  if (target.engine === 'pglite') return [];
  const { connections, files } = configuration;
  const compared = componentsOf(files).flatMap((component) => {
    const environment = environmentsOf(files, component).find((one) => one === target.environment);
    return effectiveOf(connections, component, environment).map(({ winner }) => winner);
  });
  // What was compared with nothing is no pass.
  if (!compared.some(({ role }) => role === 'canvas')) {
    return [`No file says in ${target.environment} where canvas is (DefaultConnection): target ${target.name} was compared with nothing.`];
  }
  return compared.flatMap((connection) => differenceFrom(target, connection));
};

function differenceFrom(target: ServerTarget, connection: Connection): string[] {
  const { facts, role } = connection;
  if (facts === undefined || role === undefined) return [];
  try {
    assertRepeatsTarget(facts, { ...target[role], engine: target.engine }, at(connection));
    return [];
  } catch (error) {
    if (!(error instanceof ToolkitError)) throw error;
    return [`${at(connection)}: it leads elsewhere than target ${target.name}. ${error.why}`];
  }
}

const isOfProduction = ({ environment }: ConfigurationFile) => environment === 'production';

/** A bare name, beside a connection string or in place of one. */
const NAMES_DATABASE = /(?:database|catalog|db|dbname|databasename)$/i;

const productionInReach: Find = ({ connections, files }, target) => {
  const inStrings = connections
    .filter(({ facts, file }) => !isOfProduction(file) && isOfProductionPlace(facts, target))
    .map((connection) => `${at(connection)}: it leads to ${leadsTo(connection)}, which is production.`);
  const spoken = new Set(connections.map(at));
  const bare = files
    .filter((file) => !isOfProduction(file))
    .flatMap((file) => file.settings.map((setting) => ({ file, ...setting })))
    .filter(({ file, key, value }) => !spoken.has(at({ file, key })) && NAMES_DATABASE.test(key) && isProtected(target)(value().trim()))
    .map((setting) => `${at(setting)}: it names ${setting.value().trim()}, which is production.`);
  return [...inStrings, ...bare];
};

function isOfProductionPlace(facts: ConnectionFacts | undefined, { protectedDatabases, protectedServers }: Target): boolean {
  return isAmong(protectedDatabases, facts?.database) || isAmong(protectedServers, facts?.server);
}

const wrongEnvironment: Find = (configuration, target) => {
  const { connections, files } = configuration;
  const connected = componentsOf(files).flatMap((component) =>
    environmentsOf(files, component).flatMap((environment) =>
      effectiveOf(connections, component, environment).flatMap(({ winner }) => {
        const found = environmentIn(configuration, target, winner);
        // Production where it does not belong has a check of its own.
        if (found === undefined || found === environment || found === 'production') return [];
        return [`${at(winner)}: it leads to ${leadsTo(winner)}, which is ${found}; ${component} uses it in ${environment}.`];
      }),
    ),
  );
  return [...connected, ...files.flatMap((file) => chosenEnvironments(file, target))];
};

/** What a variable says that .NET runs in: production, or another than the target is. */
function chosenEnvironments(file: ConfigurationFile, target: Target): string[] {
  return file.settings
    .filter(({ key }) => isAmong(ENVIRONMENT_KEYS, key))
    .flatMap(({ key, value }) => {
      const said = environmentOf(value().trim());
      const isExpected = said === file.environment || said === target.environment;
      if (said === undefined || isExpected || (said !== 'production' && target.engine === 'pglite')) return [];
      return [`${file.path}: ${key}: it chooses ${said}; the target is ${target.environment}.`];
    });
}

const disagree: Find = (configuration) => {
  const all = everywhere(configuration);
  const groups = new Map<string, Effective[]>();
  for (const one of all) {
    const key = `${one.winner.name}\0${one.environment ?? ''}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].filter((group) => placesOf(group.map(({ winner }) => winner)).size > 1).map(([first, ...rest]) => {
    const told = [first, ...rest].flatMap((one) => (one === undefined ? [] : [`${at(one.winner)} leads to ${leadsTo(one.winner)}`]));
    return `Components differ: ${told.join('; ')}.`;
  });
};

const placesOf = (connections: readonly Connection[]) => new Set(connections.flatMap(({ facts }) => placeOf(facts) ?? []));

const rolesDiffer: Find = (configuration, target) => {
  const { connections, files } = configuration;
  return componentsOf(files).flatMap((component) =>
    [undefined, ...environmentsOf(files, component)].flatMap((environment) => {
      const effective = effectiveOf(connections, component, environment).map(({ winner }) => winner);
      const [canvas, source] = (['canvas', 'source'] as const).map((role) => effective.find((one) => one.role === role));
      if (canvas === undefined || source === undefined || !isTorn(configuration, target, canvas, source)) return [];
      return [`${at(canvas)} leads to ${leadsTo(canvas)}, and ${at(source)} to ${leadsTo(source)}.`];
    }),
  );
};

/** One place, unless the target says that they are two; then at least one environment. */
function isTorn(configuration: Configuration, target: Target, canvas: Connection, source: Connection): boolean {
  const isTwo = target.engine !== 'pglite' && (target.canvas.database !== target.source.database || target.canvas.server !== target.source.server);
  if (!isTwo) return placesOf([canvas, source]).size > 1;
  const [one, other] = [canvas, source].map((connection) => environmentIn(configuration, target, connection));
  return one !== undefined && other !== undefined && one !== other;
}

// --- layers --------------------------------------------------------------------------------------------------------

/** Who wins without a word, and over what: by what leads elsewhere, or goes in by another name. */
function silentWins(configuration: Configuration, isMeant: (file: ConfigurationFile) => boolean): string[] {
  return everywhere(configuration).flatMap(({ beaten: [next], winner }) => {
    if (next === undefined || !isMeant(winner.file) || !isOtherwise(winner, next)) return [];
    return [`${at(winner)}: it wins over ${next.file.path}, silently: ${leadsTo(winner)} in place of ${leadsTo(next)}.`];
  });
}

const isOtherwise = (winner: Connection, next: Connection) =>
  placeOf(winner.facts) !== placeOf(next.facts) || winner.facts?.user !== next.facts?.user;

const overrides: Find = (configuration) => silentWins(configuration, ({ layer }) => layer !== 'environment');

const layers: Find = (configuration) => silentWins(configuration, ({ layer }) => layer === 'environment');

// --- logins --------------------------------------------------------------------------------------------------------

const weakPasswords: Find = ({ connections, own }) =>
  [...connections, ...own].flatMap((connection) => {
    const { facts, hasEmptyPassword } = connection;
    const password = hasEmptyPassword ? '' : facts?.password;
    const weakness = password === undefined ? undefined : weaknessOf(password, [facts?.user, facts?.database, facts?.server]);
    return weakness === undefined ? [] : [`${at(connection)}: the password ${weakness}.`];
  });

/** Compared by a hash whose key nobody else has and which ends with this call. */
const differentPasswords: Find = ({ connections, own }) => {
  const key = randomBytes(32);
  const logins = new Map<string, { readonly digest: string; readonly connection: Connection }[]>();
  for (const connection of [...connections, ...own]) {
    const { facts, hasEmptyPassword } = connection;
    const password = hasEmptyPassword ? '' : facts?.password;
    const server = serverOf(facts);
    if (password === undefined || server === undefined || facts?.user === undefined) continue;
    const login = `${fold(facts.user)}\0${server}`;
    const digest = createHmac('sha256', key).update(password, 'utf8').digest('hex');
    logins.set(login, [...(logins.get(login) ?? []), { digest, connection }]);
  }
  return [...logins.values()]
    .filter((all) => new Set(all.map(({ digest }) => digest)).size > 1)
    .map((all) => {
      const [first] = all;
      const places = all.map(({ connection }) => at(connection)).join('; ');
      return `Login ${first?.connection.facts?.user} on ${first?.connection.facts?.server} has different passwords: ${places}.`;
    });
};

/** Logins that may do everything. */
const ALL_POWERFUL = ['sa', 'postgres'];

const powerfulLogins: Find = ({ connections }) =>
  connections
    .filter(({ facts }) => isAmong(ALL_POWERFUL, facts?.user))
    .map((connection) => `${at(connection)}: it logs in as ${connection.facts?.user}, who may do everything on the server.`);

// --- the line ------------------------------------------------------------------------------------------------------

/** Longer, nobody waits for a server; an hour hid every stall (I-27). 0 is for ever. */
const LONGEST_TIMEOUT_SECONDS = 60;

const longTimeouts: Find = ({ connections }) =>
  connections.flatMap((connection) => {
    const seconds = connection.facts?.connectTimeoutSeconds;
    if (seconds === undefined || (seconds > 0 && seconds <= LONGEST_TIMEOUT_SECONDS)) return [];
    return [`${at(connection)}: it waits ${seconds === 0 ? 'for ever' : `${seconds} s`} for a connection, which hides every stall.`];
  });

const weakTls: Find = ({ connections }) =>
  connections.flatMap((connection) => {
    const { facts } = connection;
    if (facts?.server === undefined || isLoopback(facts.server)) return [];
    return [
      ...(facts.encrypt === false ? [`${at(connection)}: TLS is off on the way to ${facts.server}.`] : []),
      ...(facts.trustServerCertificate === true ? [`${at(connection)}: any certificate is taken for that of ${facts.server}.`] : []),
    ];
  });

// --- secrets -------------------------------------------------------------------------------------------------------

/** The end of a key that says a secret stands there, with the dashes and dots left out. */
const SECRET_KEY =
  /(?:secret|password|passwd|pwd|passphrase|token|hmac|salt|(?:api|access|private|signing|encryption|hmac|secret|hash|shared|master)key)$/i;

/** `Jwt:Key` says it by its section. */
const SECRET_SECTION = /(?:jwt|hmac|sign|encrypt|host|token|auth|secur)\w*:key$/i;

const secretsInFiles: Find = ({ files }) =>
  files.flatMap((file) =>
    file.settings
      .filter((setting) => isPublicSecret(setting) || (!BECOME_VARIABLES.includes(file.layer) && isSecret(setting)))
      .map((setting) => `${at({ file, ...setting })}: ${isPublicSecret(setting) ? 'it holds a constant that is known' : 'it holds a secret'}.`),
  );

/** Where secrets belong: they are in no repository. */
const BECOME_VARIABLES: readonly Layer[] = ['env file', 'variables'];

const bareKey = (key: string) => key.replace(/[_.-]/g, '');

const saysSecret = ({ key }: Setting) => (SECRET_KEY.test(bareKey(key)) && !/publickeytoken$/i.test(bareKey(key))) || SECRET_SECTION.test(bareKey(key));

function isSecret(setting: Setting): boolean {
  const value = setting.value().trim();
  return saysSecret(setting) && value !== '' && !isToken(value) && !/^(?:true|false|-?\d{1,6}(?:\.\d+)?)$/i.test(value);
}

/** A constant that was in a source once is none, wherever it stands; short words are placeholders and not meant here. */
const isPublicSecret = (setting: Setting) => setting.value().length >= 16 && isKnownSecret(setting.value().trim());

// --- the list ------------------------------------------------------------------------------------------------------

const RULES: readonly Rule[] = [
  {
    what: 'keys', title: 'No key stands twice in a file', severity: 'major', find: repeatedKeys,
    remedy: 'Keep the one that is meant; upper and lower case are the same to .NET',
  },
  {
    what: 'strings', title: 'Every connection string can be read, and names server and database', severity: 'major', find: unreadable,
    remedy: 'Write it as Server=host,1433;Database=name;User ID=name;Password=…, in plain ASCII, with a SQL login',
  },
  {
    what: 'target', title: 'The components use the database of the target', severity: 'critical', find: differsFromTarget,
    remedy: 'Write server, port and database as targets.json has them, or name the target that is meant (--target)',
  },
  {
    what: 'production', title: 'Nothing names production but files for production', severity: 'critical', find: productionInReach,
    remedy: 'Move it to appsettings.Production.json of the deployment; a file that other environments read must not know it',
  },
  {
    what: 'environment', title: 'Each environment uses a database of its own', severity: 'critical', find: wrongEnvironment,
    remedy: 'Give the environment a connection string of its own in its own file, and unset variables that choose another one',
  },
  {
    what: 'components', title: 'All components use one database', severity: 'critical', find: disagree,
    remedy: 'Decide which one is meant, and write it into each of the files',
  },
  {
    what: 'roles', title: 'Canvas and KSESSIONS connections belong together', severity: 'critical', find: rolesDiffer,
    remedy: 'Let both name the same server and database; where they are two by design, say so in targets.json ("source") and name the target',
  },
  {
    what: 'overrides', title: 'No local file and no variable leads a component elsewhere', severity: 'major', find: overrides,
    remedy: 'Take it out where it wins, or out of the file beneath it, so that only one says where the component connects',
  },
  {
    what: 'layers', title: 'No file for an environment takes the place of another connection', severity: 'minor', find: layers,
    remedy: 'Leave the connection out of appsettings.json, so that an environment without a file of its own has none',
  },
  {
    what: 'passwords', title: 'No password is a placeholder, or known from elsewhere', severity: 'major', find: weakPasswords,
    remedy: 'Change it on the server, and give it by a variable or a secret store instead of the file',
  },
  {
    what: 'same-password', title: 'One login has one password', severity: 'major', find: differentPasswords,
    remedy: 'One of them does not open the server: find out which, and write the right one',
  },
  {
    what: 'time-outs', title: 'No time-out hides a stall', severity: 'major', find: longTimeouts,
    remedy: 'Write Connection Timeout=15; this toolkit follows no longer one',
  },
  {
    what: 'tls', title: 'The line to the server is protected', severity: 'major', find: weakTls,
    remedy: 'Write Encrypt=true;TrustServerCertificate=false; a private authority is installed on the machine',
  },
  {
    what: 'login', title: 'Nobody logs in as administrator of the server', severity: 'major', find: powerfulLogins,
    remedy: 'Make a login that may read and write schema canvas and read dbo (docs/guard.md), and use that',
  },
  {
    what: 'secrets', title: 'No file holds a secret', severity: 'major', find: secretsInFiles,
    remedy: 'Take it out of the file, make a new one, and give it by a variable or a secret store',
  },
];
