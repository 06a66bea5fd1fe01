/** The rights that the guide gives to the login which provisions, as its own statements. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { asAdmin, databaseOf, type Owner, type Scratch } from './lanes';

const GUIDE = readFileSync(join(PACKAGE_ROOT, 'docs', 'guard.md'), 'utf8');

/** The statements of the guide that grant to the login that provisions, for a login made for a test. */
export function grantsOf(engine: 'PostgreSQL' | 'SQL Server', login: string): string[] {
  const start = GUIDE.indexOf(`\n${engine}, `);
  const block = /```sql\n([^]*?)```/.exec(GUIDE.slice(start))?.[1] ?? '';
  // The protected databases are on no test server.
  return block.split('\n').filter((line) => line.startsWith('GRANT')).map((line) => line.replace('canvas_app', login));
}

/** Makes such a login on PostgreSQL. @returns its name */
export async function grantedLogin(owner: Owner, scratch: Scratch, password: string): Promise<string> {
  const [login, database] = [`canvas_app_${randomBytes(4).toString('hex')}`, databaseOf(scratch)];
  await asAdmin(`CREATE ROLE ${login} LOGIN PASSWORD '${password}'`);
  owner.teardown(() => asAdmin(`DROP ROLE ${login}`));
  owner.teardown(() => asAdmin(`DROP OWNED BY ${login}`, database));
  for (const grant of grantsOf('PostgreSQL', login)) await asAdmin(grant, database);
  return login;
}
