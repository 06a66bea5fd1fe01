/** provision.mjs without ids, as somebody at a terminal uses it. */
import test from 'ava';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { withFolderLock } from '../../lib/engines/folder-lock';
import { access, asAdmin, databaseOf, pgliteLane, postgresLane, postgresUrl } from '../helpers/lanes';
import { long } from '../helpers/long';
import { commandOf, run } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { count, hostSessions, verifies } from '../helpers/state';
import { loadTerminals, runOnTerminal, type Reply } from '../helpers/terminal';

const PROMPT = /scratch \(test\)> /;
const QUESTION = /Replace it\?/;
const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const DOWN = '\x1b[B';

/** The engine plays no part in asking; a server makes the commands start sooner. */
const lane = postgresUrl === undefined ? pgliteLane : postgresLane;
const withServer = postgresUrl === undefined ? test.skip : test.serial;

/** One target for the file, each test with KSESSIONS ids of its own. */
const shared = shareScratch(lane);

/** Each typed at the prompt. */
const typed = (...lines: string[]): Reply[] => lines.map((line) => ({ to: PROMPT, keys: `${line}\r` }));

const guidsIn = (text: string) => [...new Set(text.match(GUID))];

const credentialsOf = (ksessionsId: number) =>
  access(shared(), async (open) => (await hostSessions(open, ksessionsId)).map(({ actions, chain }) => ({ actions, holds: chain.holds })));

test.serial('without a terminal nothing is asked: what is piped in is no command', async (t) => {
  const { code, stderr, stdout } = await run(shared(), 'provision', []);
  t.deepEqual([code, stdout], [2, '']);
  t.regex(stderr, /^USAGE: No id was given\./);
});

const terminals = loadTerminals();
if ('missing' in terminals) {
  test.skip(`terminal: skipped, @lydell/node-pty does not load here: ${terminals.missing}`, () => undefined);
} else {
  const work = async (replies: readonly Reply[], words: readonly string[] = []) => {
    const { code, screen } = await runOnTerminal(terminals, shared(), commandOf('provision', words), replies);
    return { code, screen: stripVTControlCharacters(screen).replace(/\r+\n/g, '\n') };
  };

  test.serial('an id is provisioned; a live one is asked about, No being the default; errors are told and the prompt comes again', async (t) => {
    const { code, screen } = await work([
      ...typed('15', '15'),
      { to: QUESTION, keys: '\r' },
      ...typed('15'),
      { to: QUESTION, keys: 'y' },
      ...typed('show 15', '', 'lst', '0x0f', '-15', '99999', 'show 99999', 'list all', 'search', 'exit now', 'help', 'list', 'exit'),
    ]);
    t.is(code, 0, screen);
    t.regex(screen, /target {5}scratch \(test/, 'it says first where it is');
    t.is(screen.match(/target {5}scratch/g)?.length, 1, 'and once, as long as that is so');
    t.regex(screen, /live host GUID: made by \S+, in use since 20\S+, expires never, fingerprint [0-9a-f]{16}[^]*Replace it\?[^]*CONFLICT: The live host GUID of KSESSIONS session 15 was left/);
    t.regex(screen, /show 15\n[^]*Host GUID {11}live\nMade by[^]*In use since {8}20[^]*Expires {13}never[^]*Fingerprint {9}[0-9a-f]{16}/);
    t.regex(screen, /lst\nUSAGE: There is no command "lst"\.\n {2}There are: <id>, list, search <text>, show <id>, help, clear, exit\.\n {2}/);
    for (const word of ['0x0f', '-15']) t.regex(screen, new RegExp(`USAGE: "${word}" is not a KSESSIONS id`));
    t.is(screen.match(/SESSION_NOT_FOUND: There is no KSESSIONS session 99999/g)?.length, 2);
    t.regex(screen, /USAGE: list takes nothing[^]*USAGE: search takes something[^]*USAGE: exit takes nothing/);
    t.regex(screen, /search <text> {2}sessions whose title/);
    t.regex(screen, /list\nKSESSIONS id[^]*Need For Messengers[^]*8 listed: 7 none, 1 live/);
    const guids = guidsIn(screen);
    t.is(guids.length, 2, 'the first one and the one that replaced it');
    await access(shared(), async (open) => {
      const [row, ...others] = await hostSessions(open, 15);
      t.deepEqual([row?.actions, row?.chain.holds, others], [['provisioned', 'rotated'], true, []]);
      t.true(verifies(open, guids[1] ?? '', row));
    });
  });

  long('a search offers what it finds, and makes nothing without a yes', async (t) => {
    const listed = /Which one\?[^]*212 {2}Need For Messengers[^]*213 {2}Qualities of the Messengers/;
    const asked = /Need For Messengers\r?\n[^]*Host GUID {11}none[^]*Make its host GUID\?/;
    const before = await work([
      ...typed('search nothing like it', 'search MESSENGERS'),
      { to: listed, keys: CTRL_C },
      ...typed('search MESSENGERS'),
      { to: listed, keys: '\r' },
      { to: asked, keys: '\r' },
      ...typed('search MESSENGERS'),
      { to: listed, keys: `${DOWN}\r` },
      { to: /Qualities of the Messengers\r?\n[^]*Make its host GUID\?/, keys: CTRL_D },
      ...typed('search MESSENGERS'),
      { to: listed, keys: CTRL_D },
      ...typed('help', 'exit'),
    ]);
    t.is(before.code, 0, before.screen);
    t.regex(before.screen, /help\n<id> [^]*> exit\n/, 'the prompt comes again after each');
    t.regex(before.screen, /No session of KSESSIONS has that in its title/);
    t.deepEqual([guidsIn(before.screen), await credentialsOf(212), await credentialsOf(213)], [[], [], []]);

    const after = await work([
      ...typed('search messengers'),
      { to: listed, keys: '\r' },
      { to: asked, keys: 'y' },
      ...typed('search need for'),
      { to: /212 {2}Need For Messengers/, keys: '\r' },
      { to: QUESTION, keys: '\r' },
      ...typed('exit'),
    ]);
    t.is(after.code, 0, after.screen);
    t.is(guidsIn(after.screen).length, 1);
    t.deepEqual(await credentialsOf(212), [{ actions: ['provisioned'], holds: true }]);
  });

  long('Ctrl-D ends it, and so does Ctrl-C, each with its exit code', async (t) => {
    const ended = await work([{ to: PROMPT, keys: CTRL_D }]);
    t.is(ended.code, 0, ended.screen);
    const interrupted = await work([{ to: PROMPT, keys: `15${CTRL_C}` }]);
    t.is(interrupted.code, 130, interrupted.screen);
    t.deepEqual(guidsIn(ended.screen + interrupted.screen), []);
  });

  long('pasted lines are commands one after the other; none is an answer, and none is lost', async (t) => {
    const { code, screen } = await work([
      { to: PROMPT, keys: '215\r215\ry\rhel' },
      { to: QUESTION, keys: '\r' },
      { to: /no command "y"[^]*hel$/, keys: 'p\r' },
      ...typed('exit'),
    ]);
    t.is(code, 0, screen);
    t.regex(screen, /ends this, as Ctrl-D does/);
    t.is(guidsIn(screen).length, 1);
    t.deepEqual(await credentialsOf(215), [{ actions: ['provisioned'], holds: true }]);
  });

  long('a dry run stays one', async (t) => {
    const { code, screen } = await work([{ to: /scratch \(test, dry run\)> /, keys: '218\r' }, { to: /dry run\)> /, keys: 'exit\r' }], ['--dry-run']);
    t.is(code, 0, screen);
    t.regex(screen, /Would +make a first host GUID[^]*Dry run/);
    t.deepEqual([guidsIn(screen), await credentialsOf(218)], [[], []]);
  });

  test.serial('options for programs and for many sessions do not go with it', async (t) => {
    for (const option of [['--json'], ['--quiet'], ['--out', join(shared().folder, 'guids.txt')]]) {
      const { code, screen } = await work([], option);
      t.is(code, 2, screen);
      t.regex(screen, new RegExp(`USAGE: No id was given, and ${option[0]} does not go with a prompt`));
    }
  });

  const onUnix = process.platform === 'win32' ? test.skip : test.serial;

  onUnix('with a pipe at either end it does not begin', async (t) => {
    for (const line of ['printf "1281\\n" | "$@"', '"$@" | cat']) {
      const { screen } = await runOnTerminal(terminals, shared(), ['/bin/sh', '-c', line, 'sh', ...commandOf('provision')]);
      t.regex(screen, /^USAGE: No id was given\./);
      t.notRegex(screen, PROMPT);
    }
    t.deepEqual(await credentialsOf(1281), []);
  });

  test.serial('the embedded database is free while the prompt waits', async (t) => {
    const scratch = await pgliteLane.ready(t);
    let isFree = false;
    const { code, screen } = await runOnTerminal(terminals, scratch, commandOf('provision'), [
      {
        to: PROMPT,
        keys: '15\r',
        before: () => withFolderLock(join(scratch.folder, 'embedded'), { waitMs: 0 }, () => Promise.resolve((isFree = true))),
      },
      ...typed('exit'),
    ]);
    t.is(code, 0, screen);
    t.true(isFree);
    t.is(guidsIn(screen).length, 1);
  });

  withServer('no connection is open while the prompt waits, and the guard asks anew for each command', async (t) => {
    const database = databaseOf(shared());
    const change = (to: string) => asAdmin(`UPDATE canvas."Environment" SET "Target" = '${to}'`, database);
    const connections = () =>
      access(shared(), (open) => count(open.database, `pg_stat_activity WHERE datname = '${database}' AND pid <> pg_backend_pid()`));
    const seen: number[] = [];
    const { code, screen } = await work([
      { to: PROMPT, keys: '2343\r', before: async () => void seen.push(await connections()) },
      { to: PROMPT, keys: '2343\r', before: () => change('another') },
      { to: PROMPT, keys: 'show 2343\r', before: () => change('scratch') },
      ...typed('exit'),
    ]);
    t.is(code, 0, screen);
    t.deepEqual(seen, [0]);
    t.regex(screen, /GUARD_MARKER: [^]*show 2343\n[^]*Host GUID {11}live/);
    t.is(guidsIn(screen).length, 1);
  });
}
