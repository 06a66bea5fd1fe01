import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { access, pgliteLane, postgresLane, postgresUrl, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { hostSessions, provisionHere, verifies } from '../helpers/state';
import { commandOf } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { loadTerminals, runOnTerminal, type Reply } from '../helpers/terminal';

const QUESTION = /Replace it\?/;
const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;
/** The engine plays no part in asking; a server makes the commands start sooner. */
const lane = postgresUrl === undefined ? pgliteLane : postgresLane;
const withServer = postgresUrl === undefined ? test.skip : test.serial;

const REGISTER = join(PACKAGE_ROOT, 'lib', 'register.cjs');

const reply = (keys: string): Reply[] => [{ to: QUESTION, keys }];

/** One target for the file, each test with KSESSIONS ids of its own: what stands in the end is looked at once. */
const shared = shareScratch(lane);

/** The GUIDs that worked before each of these was asked about. */
const earlier = new Map<number, string>();
/** What a test expects to find when all have run. */
const expected: { id: number; guid: string; actions: string[] }[] = [];

test.serial.before(async () => {
  await access(shared(), async (open) => {
    for (const id of [15, 212, 215, 218]) earlier.set(id, (await provisionHere(open, { ksessionsId: id })).guid);
  });
});

const guidIn = (text: string) => GUID.exec(text)?.[0] ?? 'none';

/** Runs a command with something piped into it and no terminal anywhere. */
async function runPiped({ env, folder }: Scratch, [file = '', ...args]: readonly string[], input: string) {
  const child = spawn(file, args, { cwd: folder, env, stdio: 'pipe' });
  // A command that does not read may end before it is written to.
  child.stdin.on('error', () => undefined).end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

const terminals = loadTerminals();
if ('missing' in terminals) {
  test.skip(`terminal: skipped, @lydell/node-pty does not load here: ${terminals.missing}`, () => undefined);
} else {
  test.serial('on a terminal Enter, Ctrl-C and Ctrl-D leave a live credential as it is', async (t) => {
    const command = commandOf('provision', ['15']);
    const entered = await runOnTerminal(terminals, shared(), command, reply('\r'));
    t.is(entered.code, 4, entered.screen);
    t.regex(entered.screen, /live host GUID: made by suite, in use since 20[^]*Replace it\?[^]*CONFLICT: /);
    t.notRegex(entered.screen, GUID);
    const interrupted = await runOnTerminal(terminals, shared(), command, reply('\x03'));
    t.true([4, 130].includes(interrupted.code), interrupted.screen);
    t.regex(interrupted.screen, QUESTION);
    t.notRegex(interrupted.screen, GUID);
    const ended = await runOnTerminal(terminals, shared(), command, reply('\x04'));
    t.is(ended.code, 4, ended.screen);
    t.regex(ended.screen, /Replace it\?[^]*CONFLICT: /);
    t.true(ended.screen.lastIndexOf('\x1b[?25h') > ended.screen.lastIndexOf('\x1b[?25l'), 'the cursor is shown again');
    expected.push({ id: 15, guid: earlier.get(15) ?? '', actions: ['provisioned'] });
  });

  test.serial('a question has colours; --no-color and NO_COLOR turn them off', async (t) => {
    const isColoured = async (words: readonly string[], env: NodeJS.ProcessEnv = {}) => {
      const scratch = { ...shared(), env: { ...shared().env, ...env } };
      const { code, screen } = await runOnTerminal(terminals, scratch, commandOf('provision', ['15', ...words]), reply('\r'));
      t.is(code, 4, screen);
      return ['32', '36', '90'].some((colour) => screen.includes(`\x1b[${colour}m`));
    };
    t.true(await isColoured([]));
    t.false(await isColoured(['--no-color'], { FORCE_COLOR: '1' }));
    t.false(await isColoured([], { NO_COLOR: '1' }));
  });

  test.serial('on a terminal y replaces it', async (t) => {
    const { code, screen } = await runOnTerminal(terminals, shared(), commandOf('provision', ['212']), reply('y'));
    t.is(code, 0, screen);
    t.regex(screen, QUESTION);
    expected.push({ id: 212, guid: guidIn(screen), actions: ['provisioned', 'rotated'] });
  });

  long('on a terminal nothing is asked where none is live, nor with --if-exists rotate', async (t) => {
    let last = '';
    for (const words of [['1'], ['1', '--if-exists', 'rotate']]) {
      const { code, screen } = await runOnTerminal(terminals, shared(), commandOf('provision', words));
      t.is(code, 0, screen);
      t.notRegex(screen, QUESTION);
      t.regex(screen, GUID);
      last = guidIn(screen);
    }
    expected.push({ id: 1, guid: last, actions: ['provisioned', 'rotated'] });
  });

  const unixWithServer = process.platform === 'win32' ? test.skip : withServer;

  unixWithServer('what is piped into a command on a terminal is no answer: nothing is asked', async (t) => {
    const shell = ['/bin/sh', '-c', 'printf "n\\n" | "$@"', 'sh', ...commandOf('provision', ['218'])];
    const { code, screen } = await runOnTerminal(terminals, shared(), shell);
    t.is(code, 0, screen);
    t.notRegex(screen, QUESTION);
    expected.push({ id: 218, guid: guidIn(screen), actions: ['provisioned', 'rotated'] });
  });
}

test.serial('without a terminal a question names the option to give; a piped y is no answer', async (t) => {
  const ask = `require(${JSON.stringify(REGISTER)}).confirm('Replace it?', '--if-exists')
    .then((answer) => console.log('answer', answer), ({ code, hint }) => console.log(code, hint))`;
  const scratch = await pgliteLane.empty(t);
  const { code, stdout, stderr } = await runPiped(scratch, [process.execPath, '-e', ask], 'y\n');
  t.is(code, 0, stderr);
  t.is(stdout, 'USAGE Give --if-exists instead.\n');
  t.is(stderr, '');
});

// A process on the embedded engine costs seconds: these two, which tell nothing of the engine, run where a server is.
withServer('without a terminal an existing credential is replaced, whatever is piped in', async (t) => {
  const { code, stdout, stderr } = await runPiped(shared(), commandOf('provision', ['215', '--quiet']), 'n\n');
  t.is(code, 0, stderr);
  t.notRegex(stderr, QUESTION);
  expected.push({ id: 215, guid: guidIn(stdout), actions: ['provisioned', 'rotated'] });
});

test.serial('after all of these, the GUID that was left or shown opens its session, and nothing else happened', async (t) => {
  await access(shared(), async (open) => {
    for (const { id, guid, actions } of expected) {
      const [row, ...others] = await hostSessions(open, id);
      t.true(verifies(open, guid, row), `KSESSIONS ${id}`);
      t.deepEqual([row?.actions, others], [actions, []], `KSESSIONS ${id}`);
    }
  });
});
