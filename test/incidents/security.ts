/** Security: I-38 to I-42. */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Access } from '../../lib/access';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { readClock } from '../../lib/engines/database';
import { applyChanges } from '../../lib/hosts/change';
import { authenticateHost } from '../../lib/hosts/authenticate';
import { revoking } from '../../lib/hosts/revoke';
import { entryFor, execute, scratchFolder, TEST_KEY, writeTargets } from '../helpers/lanes';
import { OLD_KEY } from '../helpers/legacy';
import { PHRASES } from '../helpers/phrases';
import { run, runHere } from '../helpers/script';
import { hostSessions, provisionHere } from '../helpers/state';
import { findingsOf, type Incident } from './incident';

const verdictOn = async ({ database, keys }: Access, text: string) =>
  (await authenticateHost(database.canvas, keys, text, await readClock(database))).verdict;

/** What a product's users run: no test, whose keys are made up. */
const PRODUCT = ['lib', 'scripts', 'migrations', 'seeds', 'targets.json', 'knexfile.ts'];

function filesOf(place: string): string[] {
  const path = join(PACKAGE_ROOT, place);
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).map((file) => join(path, file)).filter((file) => statSync(file).isFile());
}

export const SECURITY: readonly Incident[] = [
  {
    id: 'I-38',
    happened: 'The HMAC key and the database password were constants in the source',
    stops: 'Keys and passwords come from the environment or from files of their own; the old constant, now public, is refused as a key',
    where: ['lib/config/keys.ts', 'lib/config/credentials.ts'],
    once: 'which keys are taken does not depend on the engine',
    async replay(t, { scratch }) {
      for (const key of [OLD_KEY, OLD_KEY.padEnd(40, ' '), 'short']) {
        const result = await runHere(scratch(), 'provision', ['15'], { CANVAS_HMAC_KEY: key });
        t.is(result.code, 2, result.stderr);
        t.regex(result.stderr, /^CONFIG: /m);
        t.false((result.stderr + result.stdout).includes(OLD_KEY));
      }
      // A text with a digit: names of options and columns have none.
      const constants = /(?:password|pwd|secret|hmac_?key)["']?\s*[:=]\s*["'`](?!\$\{)(?=[^"'`]*\d)[^"'`\s]{3,}["'`]/i;
      const found = PRODUCT.flatMap(filesOf).filter((file) => constants.test(readFileSync(file, 'utf8')));
      t.deepEqual(found, []);
      const entry = { ...entryFor('127.0.0.1', 1, 'canvas', 'mssql'), password: 'x' };
      const listed = await runHere(writeTargets(scratchFolder(t), entry), 'provision', ['15']);
      t.is(listed.code, 2, 'the list of targets has no place for one');
      t.regex(listed.stderr, /password/);
    },
  },
  {
    id: 'I-39',
    happened: 'GUIDs and hashes were printed into log streams',
    stops: 'A GUID is written once, to stdout or to a file of the user\'s own; stderr has fingerprints, and nothing prints a hash',
    where: ['lib/hosts/credential.ts', 'lib/cli/output.ts', 'lib/engines/database.ts'],
    async replay(t, { scratch }) {
      const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;
      const hash = /[A-Za-z0-9+/]{43}=/;
      const result = await run(scratch(), 'provision', ['15', '--verbose'], { DEBUG: '*' });
      t.is(result.code, 0, result.stderr);
      const guid = /Host GUID +(\S+)/.exec(result.stdout)?.[1] ?? 'none';
      t.is(result.stdout.split(guid).length, 2, 'once');
      t.false(result.stderr.includes(guid));
      t.notRegex(result.stdout + result.stderr, hash);
      const out = join(scratch().folder, 'guids-of-i39.txt');
      const filed = await runHere(scratch(), 'provision', ['15', '--json', '--out', out]);
      t.is(filed.code, 0, filed.stderr);
      const kept = readFileSync(out, 'utf8').match(uuid)?.[0] ?? 'none';
      t.false((filed.stdout + filed.stderr).includes(kept));
      if (process.platform !== 'win32') t.is(statSync(out).mode & 0o077, 0, 'nobody else may read it');
    },
  },
  {
    id: 'I-40',
    happened: 'The login accepted the stored hash itself as the credential, and any GUID',
    stops: 'Only a GUID whose keyed hash stands in a live row opens a session; the stored hash is no GUID',
    where: ['lib/hosts/authenticate.ts', 'lib/hosts/credential.ts'],
    async replay(t, { cleared }) {
      await cleared(async (open) => {
        const { guid } = await provisionHere(open, { ksessionsId: 15 });
        const [row] = await hostSessions(open, 15);
        t.is(await verdictOn(open, guid), 'valid');
        for (const text of [row?.hash ?? '', row?.hashCopy ?? '', randomUUID(), '', '00000000-0000-0000-0000-000000000000']) {
          t.is(await verdictOn(open, text), 'unknown', text);
        }
      });
    },
  },
  {
    id: 'I-41',
    happened: 'Expiry, revocation and active state were never checked by the consumer',
    stops: 'Authentication looks at all of them, and revocation empties the one column that the old login reads',
    where: ['lib/hosts/authenticate.ts', 'lib/hosts/state.ts', 'lib/hosts/writing.ts'],
    async replay(t, { cleared, lane }) {
      const { yesterday } = PHRASES[lane.dialect];
      await cleared(async (open) => {
        const revoked = await provisionHere(open, { ksessionsId: 15 });
        const expired = await provisionHere(open, { ksessionsId: 212 });
        const { database, keys, permit } = open;
        const verb = revoking({ by: 'KSessionsId', ids: [15] }, { actor: 'suite', reason: null });
        await applyChanges(database, permit, keys, verb, { handOver: () => Promise.resolve(), withdraw: () => undefined });
        await execute(open, `UPDATE canvas."HostSessions" SET "ExpiresAt" = ${yesterday} WHERE "HostSessionId" = ${expired.outcome.hostSessionId}`);
        t.deepEqual([await verdictOn(open, revoked.guid), await verdictOn(open, expired.guid)], ['revoked', 'expired']);
        t.is((await hostSessions(open, 15))[0]?.hashCopy, '', 'out at the next login of the application');
      });
    },
  },
  {
    id: 'I-42',
    happened: 'Everything ran as sa, with Encrypt=false',
    stops: 'TLS is on; it can be turned off for the loopback alone, and a connection string cannot weaken it; the gate finds a login that is an administrator',
    where: ['lib/config/targets.ts', 'lib/config/credentials.ts', 'lib/checks/security.ts'],
    async replay(t, { cleared, lane }) {
      for (const weak of [{ encrypt: false }, { encrypt: true, trustServerCertificate: true }]) {
        const entry = { ...entryFor('db.internal', 1433, 'canvas', 'mssql'), ...weak };
        const result = await runHere(writeTargets(scratchFolder(t), entry, { SCRATCH_USER: 'sa', SCRATCH_PASSWORD: TEST_KEY }), 'provision', ['15']);
        t.is(result.code, 2, result.stderr);
        t.regex(result.stderr, /^CONFIG: [^]*(encrypt|trustServerCertificate)/m);
      }
      const text = 'Data Source=db.internal,1433;Initial Catalog=canvas;User Id=sa;Password=canary;Encrypt=false';
      const safe = { ...entryFor('db.internal', 1433, 'canvas', 'mssql'), encrypt: true };
      const weakened = await runHere(writeTargets(scratchFolder(t), safe, { SCRATCH_CONNECTION_STRING: text }), 'provision', ['15']);
      t.is(weakened.code, 3, weakened.stderr);
      t.regex(weakened.stderr, /Encrypt/);
      // The suite makes databases, so its login is one. The embedded engine has no logins.
      await cleared(async (open) => {
        t.is((await findingsOf(open, 'security.login')) > 0, lane.name !== 'pglite');
      });
    },
  },
];
