/**
 * Every statement that a command sends to a server, in order, as files for people to review: one for what each command
 * begins with (opening), and one a command for what follows. The embedded engine gets those of PostgreSQL. A deliberate
 * change: delete the files in test/golden/commands, run this file once in each lane without CI set, and read the new ones.
 */
import test, { type ExecutionContext } from 'ava';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { withAccess, type Access } from '../../lib/access';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import type { Dialect } from '../../lib/engines/engine';
import type { Identity } from '../../lib/guard/marker';
import { access, execute, lanes, open, type Lane, type Scratch } from '../helpers/lanes';
import { PHRASES } from '../helpers/phrases';
import { runHere } from '../helpers/script';
import { provisionHere } from '../helpers/state';
import { statementsOf, type Sent } from '../helpers/statements';

const FOLDER = join(PACKAGE_ROOT, 'test', 'golden', 'commands');

/** A command as it is typed, and the name of its file. */
type Step = readonly [file: string, words: string, exit: number];

/** On a database that nobody has enrolled. `DATABASE` is what the server calls it. */
const NEW: readonly Step[] = [
  ['enrol', 'enrol --target scratch --confirm DATABASE', 0],
  ['status', 'migrate status', 4],
];

/** On one that is ready, each after the one before it. */
const READY: readonly Step[] = [
  ['provision-dry-run', 'provision 15 --dry-run', 0],
  ['provision-first', 'provision 15', 0],
  ['provision-again', 'provision 15', 0],
  ['rotate', 'rotate 15', 0],
  ['list', 'list', 0],
  ['audit', 'audit', 0],
  ['audit-one', 'audit 15', 0],
  ['revoke', 'revoke 15', 0],
];

/** And after two sessions were disordered. */
const DISORDERED: readonly Step[] = [
  ['consolidate-plan', 'consolidate', 1],
  ['consolidate-apply', 'consolidate --apply', 0],
];

const servers = lanes().filter(({ name }) => name !== 'pglite');
if (servers.length === 0) test.skip('statements of the commands: skipped, no server to send them to is set', () => undefined);

for (const lane of servers) {
  const title = (what: string) => `${lane.name}: what the commands send to ${what} is what was reviewed`;

  test.serial(title('a new database'), async (t) => {
    const scratch = await lane.bare(t);
    const identity = await identityOf(scratch);
    for (const [file, words, exit] of NEW) {
      const sent = await sentBy(t, scratch, words.replace('DATABASE', identity.database), exit);
      compare(t, lane, file, `-- ${words}`, identity, sent);
    }
  });

  test.serial(title('one that is ready'), async (t) => {
    t.timeout(600_000);
    const scratch = await lane.ready(t);
    const identity = await identityOf(scratch);
    const opening = await statementsOf(() => openAsCommands(scratch));
    compare(t, lane, 'opening', '-- What every command sends first', identity, opening);
    const steps = async (list: readonly Step[]) => {
      for (const [file, words, exit] of list) {
        const sent = await sentBy(t, scratch, words, exit);
        // Whoever needs no key does not ask which ones are missing: the last statement of those that all others begin with.
        const begun = isDeepStrictEqual(sent.slice(0, opening.length), opening) ? opening.length : opening.length - 1;
        t.deepEqual(sent.slice(0, begun), opening.slice(0, begun), file);
        const after = begun === opening.length ? 'after' : 'after all but the last of';
        compare(t, lane, file, `-- ${words}: ${after} opening.${lane.name}.sql`, identity, sent.slice(begun));
      }
    };
    await steps(READY);
    await access(scratch, (all) => disorder(all, PHRASES[lane.dialect]));
    await steps(DISORDERED);
  });
}

/** Opens a target as every command does, and does nothing with it. */
function openAsCommands({ settings }: Scratch): Promise<void> {
  const told = () => undefined;
  return withAccess({ settings, waitMs: 30_000, actor: 'suite', onOpen: told, onNotice: told }, () => Promise.resolve());
}

/** A hash copy that is not that of the live row, and an identity behind its rows. */
async function disorder(all: Access, { restartSessions }: (typeof PHRASES)[Dialect]): Promise<void> {
  for (const ksessionsId of [212, 215]) await provisionHere(all, { ksessionsId });
  await execute(all, `UPDATE canvas."Sessions" SET "HostGuid" = '' WHERE "KSessionsId" = 215`, restartSessions);
}

const identityOf = (scratch: Scratch) => open(scratch, ({ canvas }) => Promise.resolve(canvas.admission.identity));

function sentBy(t: ExecutionContext, scratch: Scratch, words: string, exit: number): Promise<Sent[]> {
  const [script = '', ...rest] = words.split(' ');
  return statementsOf(async () => {
    const { code, stderr } = await runHere(scratch, script, rest);
    t.is(code, exit, stderr);
  });
}

function compare(t: ExecutionContext, lane: Lane, file: string, head: string, identity: Identity, sent: readonly Sent[]): void {
  const golden = join(FOLDER, `${file}.${lane.name}.sql`);
  const text = `${head}\n\n${sent.map((one) => paragraphOf(lane, identity, one)).join('\n')}`;
  if (!existsSync(golden) && process.env['CI'] === undefined) writeFileSync(golden, text);
  const reviewed = readFileSync(golden, 'utf8');
  // Where the lines break is no statement's meaning.
  if (flat(text) === flat(reviewed)) t.pass();
  else t.is(text, reviewed, file);
}

const flat = (text: string) => text.replace(/\s+/g, ' ');

/** A statement with the kinds of its values over it, and without what is this run's own. */
function paragraphOf({ dialect }: Lane, { database, serverId }: Identity, { kinds, sql }: Sent): string {
  const [mark, end] = dialect === 'mssql' ? [(place: number) => `@p${place}`, 'GO'] : [(place: number) => `$${place + 1}`, ';'];
  const values = kinds.map((kind, place) => `${mark(place)} ${kind}`).join(', ');
  const stable = sql.trim().replace(/;$/, '').replaceAll(`'${serverId}'`, `'SERVER'`).replaceAll(`'${database}`, `'DATABASE`);
  return `${values === '' ? '' : `-- ${values}\n`}${stable}\n${end}\n`;
}
