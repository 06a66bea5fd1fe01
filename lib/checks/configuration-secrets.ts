/** How the connections of configuration files log in, how safe their line is, and which secrets stand there. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Layer, Setting } from '../config/appsettings';
import { serverOf, type Connection } from '../config/connections';
import { isKnownSecret, isToken, weaknessOf } from '../config/known-passwords';
import { isLoopback } from '../config/targets';
import { at, fold, isAmong, type Find } from './configuration-facts';

// --- logins --------------------------------------------------------------------------------------------------------

export const weakPasswords: Find = ({ connections, own }) =>
  [...connections, ...own].flatMap((connection) => {
    const { facts, hasEmptyPassword } = connection;
    const password = hasEmptyPassword ? '' : facts?.password;
    const weakness = password === undefined ? undefined : weaknessOf(password, [facts?.user, facts?.database, facts?.server]);
    return weakness === undefined ? [] : [`${at(connection)}: the password ${weakness}.`];
  });

/** Compared by a hash whose key nobody else has and which ends with this call. */
export const differentPasswords: Find = ({ connections, own }) => {
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

export const powerfulLogins: Find = ({ connections }) =>
  connections
    .filter(({ facts }) => isAmong(ALL_POWERFUL, facts?.user))
    .map((connection) => `${at(connection)}: it logs in as ${connection.facts?.user}, who may do everything on the server.`);

// --- the line ------------------------------------------------------------------------------------------------------

/** Longer, nobody waits for a server; an hour hid every stall (I-27). 0 is for ever. */
const LONGEST_TIMEOUT_SECONDS = 60;

export const longTimeouts: Find = ({ connections }) =>
  connections.flatMap((connection) => {
    const seconds = connection.facts?.connectTimeoutSeconds;
    if (seconds === undefined || (seconds > 0 && seconds <= LONGEST_TIMEOUT_SECONDS)) return [];
    return [`${at(connection)}: it waits ${seconds === 0 ? 'for ever' : `${seconds} s`} for a connection, which hides every stall.`];
  });

export const weakTls: Find = ({ connections }) =>
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

export const secretsInFiles: Find = ({ files }) =>
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
