/**
 * Whether configuration files agree with the target, with each other, and with what each is for. Pure: from files that were
 * read (lib/config/appsettings.ts). Evidence names file and key, and never a value that could be a secret.
 */
import type { Target } from '../config/targets';
import { many, observed, type Check, type Circumstances, type Severity } from './check';
import { at, type Configuration, type Find } from './configuration-facts';
import { differsFromTarget, disagree, layers, overrides, productionInReach, rolesDiffer, wrongEnvironment } from './configuration-places';
import { differentPasswords, longTimeouts, powerfulLogins, secretsInFiles, weakPasswords, weakTls } from './configuration-secrets';

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
