/** Where the connection strings of configuration files lead: to the target, to one place, and nowhere near production. */
import { ENVIRONMENT_KEYS, environmentOf, type ConfigurationFile } from '../config/appsettings';
import { assertRepeatsTarget, type ConnectionFacts } from '../config/connection-string';
import { componentsOf, effectiveOf, environmentOfDatabase, environmentsOf, placeOf, type Connection, type Effective } from '../config/connections';
import type { ServerTarget, Target } from '../config/targets';
import { ToolkitError } from '../errors';
import { at, isAmong, type Configuration, type Find } from './configuration-facts';

/** Where a connection leads, in words. */
const leadsTo = ({ facts }: Connection) =>
  `${facts?.database ?? 'no database'} on ${facts?.server ?? 'no server'}${facts?.port === undefined ? '' : `,${facts.port}`}`;

/** Every component in every environment for which anybody has a file, and in one for which nobody has. */
function everywhere({ connections, files }: Configuration): Effective[] {
  return componentsOf(files).flatMap((component) =>
    [undefined, ...environmentsOf(files)].flatMap((environment) => effectiveOf(connections, component, environment)),
  );
}

const isProtected = (target: Target) => (database: string) => isAmong(target.protectedDatabases, database);

const environmentIn = ({ known }: Configuration, target: Target, { facts }: Connection) =>
  environmentOfDatabase(facts?.database, isProtected(target), known);

export const differsFromTarget: Find = (configuration, target) => {
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

export const productionInReach: Find = ({ connections, files }, target) => {
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

export const wrongEnvironment: Find = (configuration, target) => {
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

export const disagree: Find = (configuration) => {
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

export const rolesDiffer: Find = (configuration, target) => {
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

export const overrides: Find = (configuration) => silentWins(configuration, ({ layer }) => layer !== 'environment');

export const layers: Find = (configuration) => silentWins(configuration, ({ layer }) => layer === 'environment');
