import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { access, pgliteLane, postgresLane, postgresUrl, type Scratch } from '../helpers/lanes';
import { hostSessions, provisionHere, verifies } from '../helpers/state';
import { commandOf } from '../helpers/script';
import { loadTerminals, runOnTerminal, type Reply } from '../helpers/terminal';

const QUESTION = /Replace it\?/;
const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;
/** The engine plays no part in asking; a server makes the commands start sooner. */
const lane = postgresUrl === undefined ? pgliteLane : postgresLane;
const withServer = postgresUrl === undefined ? test.skip : test.serial;

const REGISTER = join(PACKAGE_ROOT, 'lib', 'register.cjs');

const reply = (keys: string): Reply[] => [{ to: QUESTION, keys }];

function provisioned(scratch: Scratch): Promise<string> {
  return access(scratch, async (open) => (await provisionHere(open, { ksessionsId: 15 })).guid);
}

/** Which of some GUIDs open session 15, and what happened to it. */
function look(scratch: Scratch, ...guids: string[]) {
  return access(scratch, async (open) => {
    const [row, ...others] = await hostSessions(open, 15);
    return { valid: guids.filter((guid) => verifies(open, guid, row)), actions: row?.actions, others };
  });
}

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
  test.serial('on a terminal Enter and Ctrl-C leave a live credential as it is', async (t) => {
    const scratch = await lane.ready(t);
    const guid = await provisioned(scratch);
    const command = commandOf('provision', ['15']);
    const entered = await runOnTerminal(terminals, scratch, command, reply('\r'));
    t.is(entered.code, 4, entered.screen);
    t.regex(entered.screen, /live host GUID: made by suite, in use since 20[^]*Replace it\?[^]*CONFLICT: /);
    t.notRegex(entered.screen, GUID);
    const interrupted = await runOnTerminal(terminals, scratch, command, reply('\x03'));
    t.true([4, 130].includes(interrupted.code), interrupted.screen);
    t.regex(interrupted.screen, QUESTION);
    t.notRegex(interrupted.screen, GUID);
    t.deepEqual(await look(scratch, guid), { valid: [guid], actions: ['provisioned'], others: [] });
  });

  test.serial('on a terminal y replaces it', async (t) => {
    const scratch = await lane.ready(t);
    const guid = await provisioned(scratch);
    const command = commandOf('provision', ['15']);
    const { code, screen } = await runOnTerminal(terminals, scratch, command, reply('y'));
    t.is(code, 0, screen);
    t.regex(screen, QUESTION);
    const [made = ''] = GUID.exec(screen) ?? [];
    const actions = ['provisioned', 'rotated'];
    t.deepEqual(await look(scratch, guid, made), { valid: [made], actions, others: [] });
  });

  test.serial('on a terminal nothing is asked where none is live, nor with --if-exists rotate', async (t) => {
    const scratch = await lane.ready(t);
    for (const words of [['15'], ['15', '--if-exists', 'rotate']]) {
      const { code, screen } = await runOnTerminal(terminals, scratch, commandOf('provision', words));
      t.is(code, 0, screen);
      t.notRegex(screen, QUESTION);
      t.regex(screen, GUID);
    }
    t.deepEqual((await look(scratch)).actions, ['provisioned', 'rotated']);
  });

  const unixWithServer = process.platform === 'win32' ? test.skip : withServer;

  unixWithServer('what is piped into a command on a terminal is no answer: nothing is asked', async (t) => {
    const scratch = await lane.ready(t);
    const guid = await provisioned(scratch);
    const shell = ['/bin/sh', '-c', 'printf "n\\n" | "$@"', 'sh', ...commandOf('provision', ['15'])];
    const { code, screen } = await runOnTerminal(terminals, scratch, shell);
    t.is(code, 0, screen);
    t.notRegex(screen, QUESTION);
    const [made = ''] = GUID.exec(screen) ?? [];
    t.deepEqual((await look(scratch, guid, made)).valid, [made]);
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
  const scratch = await lane.ready(t);
  const guid = await provisioned(scratch);
  const { code, stdout, stderr } = await runPiped(scratch, commandOf('provision', ['15', '--quiet']), 'n\n');
  t.is(code, 0, stderr);
  t.notRegex(stderr, QUESTION);
  t.deepEqual((await look(scratch, guid, stdout)).valid, [stdout]);
});
