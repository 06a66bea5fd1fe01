/** What the logins may do, and where the secrets are. */
import { passwordFiles, readLogins } from '../config/credentials';
import { keyFiles } from '../config/keys';
import { findLeaks } from '../config/leaks';
import { isShared } from '../config/secret-file';
import { isLoopback, type ServerTarget } from '../config/targets';
import { findExcess, findHarm, seesTls, type Database } from '../engines/database';
import { holds, many, observed, type Check, type Circumstances } from './check';

const GRANTS = 'Give the toolkit a login as docs/guard.md has it';

const harm: Check = {
  id: 'security.harm',
  title: 'The logins could write to no protected database, and not to KSESSIONS',
  severity: 'critical',
  async look({ database }) {
    if (database.target.engine === 'pglite') return holds('The embedded database has no other beside it, and its KSESSIONS rows are samples');
    return observed(await findHarm(database), `${GRANTS}; "strict": true in the target refuses any other`, 'Asked on both connections');
  },
};

const logins: Check = {
  id: 'security.login',
  title: 'The logins are no administrators and own nothing',
  severity: 'major',
  async look({ database }) {
    if (database.target.engine === 'pglite') return holds('The embedded database is a process of your own');
    return observed(await findExcess(database), `${GRANTS}; schema changes have one of their own (..._MIGRATE_USER)`, 'Asked on both connections');
  },
};

/** What ends TLS on the way, as a pooler may, reads all that passes. */
const tls: Check = {
  id: 'security.tls',
  title: 'TLS is on wherever a network lies between',
  severity: 'critical',
  async look({ database, target }) {
    if (target.engine === 'pglite') return holds('The embedded database has no network');
    const remote = (['canvas', 'source'] as const).filter((role) => !isLoopback(target[role].server));
    if (!target.encrypt && remote.length === 0) return holds('No TLS, and both connections stay on this machine');
    return observed(await plainOnes(database, target), 'Turn "encrypt" on in the target, and dial the server itself', 'TLS on both connections, certificate checked');
  },
};

async function plainOnes(database: Database, target: ServerTarget): Promise<string[]> {
  const sentences: string[] = [];
  for (const role of ['canvas', 'source'] as const) {
    const place = `The ${role} connection to ${target[role].server}`;
    if (!target.encrypt) sentences.push(`${place} has no TLS.`);
    else if ((await seesTls(database, database[role])) === false) sentences.push(`${place} has TLS here and none at the server: something between reads it.`);
    else if (target.trustServerCertificate && !isLoopback(target[role].server)) sentences.push(`${place} takes any certificate.`);
  }
  return sentences;
}

const keys: Check = {
  id: 'security.keys',
  title: 'HMAC keys are configured, and none of them is easy to guess',
  severity: 'major',
  look({ keys: ring }) {
    const { all } = ring();
    const weak = all.flatMap(({ id, weakness }) => (weakness === undefined ? [] : [`Key ${id}: ${weakness}.`]));
    return observed(
      weak,
      'Make one (openssl rand -base64 32), put it first into CANVAS_HMAC_KEY_FILE, then npx zx scripts/rotate.mjs --key-older',
      `${many(all.length, 'key')}, each of at least 32 bytes`,
    );
  },
};

const secretFiles: Check<Circumstances> = {
  id: 'security.secret-files',
  title: 'Files with keys and passwords can be read by their owner alone',
  severity: 'major',
  look({ settings, target }) {
    const files = [...keyFiles(settings, target), ...passwordFiles(settings, target)];
    const shared = files.filter(isShared);
    return observed(
      shared.map((file) => `${file} can be read by others.`),
      `chmod 600 ${shared.join(' ')}; then change what stood in them`,
      files.length === 0 ? 'No secret of this run comes from a file' : `${many(files.length, 'file')} looked at`,
    );
  },
};

const secretsInFiles: Check<Circumstances> = {
  id: 'security.secrets-in-files',
  title: 'No key and no password of this run stands in a file of configuration',
  severity: 'major',
  look({ settings, target }) {
    const { files, leaks } = findLeaks(settings, target);
    return observed(
      leaks.map(({ file, what }) => `${what} of this run stands in ${file}.`).map((sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1)),
      'Take it out, put it into a file that only you can read (..._FILE), and change it: whoever read the file has it',
      `${many(files.length, 'file')} looked at: targets*.json, .env*, appsettings*.json`,
    );
  },
};

const timeOuts: Check<Circumstances> = {
  id: 'security.time-outs',
  title: 'No time-out is so long that it hides a stall',
  severity: 'minor',
  look({ settings, target }) {
    const { notices } = readLogins(settings, target, 'use');
    return observed(notices, 'Take the time-out out of the connection string: it is not followed (I-27)', 'No other is configured than what is followed');
  },
};

/** Those that need no connection: what they find may be why none is made. */
export const SECRET_CHECKS: readonly Check<Circumstances>[] = [secretFiles, secretsInFiles, timeOuts];

export const SECURITY_CHECKS: readonly Check[] = [harm, logins, tls, keys];
