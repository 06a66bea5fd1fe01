/** What Tab offers: asked of the scripts, and of real shells with the function that completion.mjs prints. */
import test from 'ava';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ASK_COMPLETION } from '../../lib/cli/completion';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { withFolderLock } from '../../lib/engines/folder-lock';
import { pgliteLane, scratchFolder, targetAt, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { runHere } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { loadTerminals, runOnTerminal } from '../helpers/terminal';

const shared = shareScratch(pgliteLane);

const IDS = ['1', '15', '212', '215', '218', '1281', '2343'];

/** What a script answers to a Tab behind these words. */
async function offered(scratch: Scratch, script: string, words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { code, stderr, stdout } = await runHere(scratch, script, [ASK_COMPLETION, ...words], { SHELL: 'bash', ...env });
  return { code, stderr, words: stdout.split('\n').slice(0, -1) };
}

long('options, their choices, verbs, targets and the ids of the embedded database are offered', async (t) => {
  const of = async (script: string, ...words: string[]) => {
    const { code, stderr, words: found } = await offered(shared(), script, words);
    t.is(code, null, stderr);
    t.is(stderr, '');
    return found;
  };
  const options = await of('provision', '--');
  for (const word of ['--target', '--if-exists', '--dry-run', '--no-color', '--help', '--version']) t.true(options.includes(word), word);
  t.false((await of('revoke', '--')).includes('--expires'), 'each script has its own');
  t.false((await of('provision', '15', '--dry-run', '--')).includes('--dry-run'), 'what is given is not offered again');
  t.deepEqual(await of('provision', '--if-exists', ''), ['rotate', 'keep', 'fail']);
  t.deepEqual(await of('provision', '--target', ''), ['scratch']);
  t.deepEqual(await of('migrate', ''), ['latest', 'status', 'plan', 'rollback']);
  t.deepEqual(await of('check-config', ''), [], 'files are the shell\'s to complete');
  t.true((await of('check-config', '--')).includes('--fail-on'));
  t.deepEqual(await of('provision', '--reason', ''), [], 'the value of a free text is the user\'s own');
  for (const script of ['provision', 'rotate', 'revoke']) t.deepEqual(await of(script, ''), IDS, script);
  t.deepEqual(await of('provision', '15', '--', '2'), IDS, 'behind -- nothing is an option');
});

test.serial('while another process has the embedded database open, no id is offered and nothing is waited for', async (t) => {
  await withFolderLock(join(shared().folder, 'embedded'), { waitMs: 60_000 }, async () => {
    const { code, stderr, words } = await offered(shared(), 'provision', ['2']);
    t.is(code, null);
    t.is(stderr, '');
    t.false(words.includes('212'));
  });
});

test.serial('a Tab makes no embedded database', async (t) => {
  const scratch = await pgliteLane.empty(t);
  const { stderr, words } = await offered(scratch, 'provision', ['2']);
  t.false(words.includes('212'));
  t.is(stderr, '');
  t.false(existsSync(join(scratch.folder, 'embedded')));
});

test.serial('a Tab dials no server', async (t) => {
  let dialled = 0;
  const server = createServer((socket) => {
    dialled += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  for (const engine of ['postgres', 'mssql'] as const) {
    const scratch = targetAt(t, (server.address() as AddressInfo).port, engine);
    const { stderr, words } = await offered(scratch, 'provision', ['--target', 'scratch', '']);
    t.false((await offered(shared(), 'provision', ['--target=elsewhere', ''])).words.includes('15'), 'of another target');
    t.true(words.includes('--dry-run'), words.join(' '));
    t.false(words.some((word) => /^\d/.test(word)));
    t.is(stderr, '');
  }
  t.is(dialled, 0);
});

test.serial('a list of targets that cannot be read leaves the options, and no error', async (t) => {
  const folder = scratchFolder(t);
  writeFileSync(join(folder, 'targets.json'), '{ "default": ');
  for (const env of [{ CANVAS_TARGETS_FILE: join(folder, 'targets.json') }, { CANVAS_TARGETS_FILE: '' }]) {
    const { code, stderr, words } = await offered(shared(), 'provision', ['--dry'], env);
    t.true(words.includes('--dry-run'));
    t.deepEqual([code, stderr], [null, '']);
    t.deepEqual((await offered(shared(), 'provision', ['--target', ''], env)).words, []);
  }
});

test.serial('a shell that is not known is refused, with the ones that are', async (t) => {
  const { code, stderr } = await runHere(shared(), 'completion', ['fish']);
  t.is(code, 2);
  t.regex(stderr, /^USAGE: There is no completion for "fish"\.\n {2}It takes one of bash, zsh\./);
});

const printed = async (shell: string) => {
  const { code, stdout } = await runHere(shared(), 'completion', [shell]);
  const file = join(shared().folder, `completion.${shell}`);
  writeFileSync(file, stdout);
  return { code, file };
};

/** Is a shell here? */
const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;

const withBash = has('bash') && process.platform !== 'win32' ? test.serial : test.skip;

withBash('in bash the function that is printed completes scripts, options, targets and ids, in this checkout alone', async (t) => {
  const { code, file } = await printed('bash');
  t.is(code, 0);
  // Another folder with scripts of that name, whose code a Tab must not run.
  const stranger = join(shared().folder, 'stranger');
  mkdirSync(join(stranger, 'scripts'), { recursive: true });
  t.teardown(() => rmSync(stranger, { recursive: true }));
  writeFileSync(join(stranger, 'scripts', 'provision.mjs'), `import('node:fs').then((fs) => fs.writeFileSync('ran', ''));`);
  const lines = [
    ['npx', 'zx', 'scripts/pro'],
    ['npx', 'zx', './scripts/ro'],
    ['npx', 'zx', 'scr'],
    ['npx', 'zx', 'scripts/provision.mjs', '--if-e'],
    ['npx', 'zx', 'scripts/provision.mjs', '--target', '=', 'scr'],
    ['npx', 'zx', 'scripts/provision.mjs', '--target', '='],
    ['zx', 'scripts/rotate.mjs', '2'],
    ['npx', 'zx', 'scripts/absent.mjs', ''],
    ['npx', 'jest', 'scripts/pro'],
  ];
  const tab = (words: readonly string[]) =>
    `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _canvas_host; echo "$? \${COMPREPLY[*]}"`;
  const script = [
    `source '${file}'`,
    `cd '${PACKAGE_ROOT}'`,
    ...lines.map(tab),
    `cd '${stranger}'`,
    tab(['npx', 'zx', 'scripts/pro']),
    tab(['npx', 'zx', 'scripts/provision.mjs', '--']),
    tab(['npx', 'zx', `${PACKAGE_ROOT}/scripts/mi`]),
    'complete -p npx zx',
  ].join('\n');
  const bash = spawn('bash', ['--norc', '-c', script], { env: shared().env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(bash.stdout), text(bash.stderr)]);
  t.is(stderr, '');
  const [names = '', ...rest] = stdout.split('\n');
  t.is(names, '0 scripts/provision.mjs');
  t.is(rest[0], '0 ./scripts/rotate.mjs');
  t.regex(rest[1] ?? '', /^0 .*scripts\/migrate\.mjs scripts\/provision\.mjs/);
  t.deepEqual(rest.slice(2, 11), [
    '0 --if-exists', '0 scratch', '0 scratch', '0 212 215 218 2343', '0 ', '0 ', '0 ', '0 ', `0 ${PACKAGE_ROOT}/scripts/migrate.mjs`,
  ]);
  t.false(existsSync(join(stranger, 'ran')));
  t.regex(rest[11] ?? '', /-o default -F _canvas_host npx/, 'file names, where nothing is offered');
});

const terminals = loadTerminals();
if ('missing' in terminals || !has('zsh')) {
  test.skip(`zsh: skipped, ${'missing' in terminals ? terminals.missing : 'it is not installed here'}`, () => undefined);
} else {
  test.serial('in zsh Tab completes scripts, options, targets and ids', async (t) => {
    const { file } = await printed('zsh');
    const { screen } = await runOnTerminal(terminals, shared(), ['zsh', '-f', '-i'], [
      { to: /[#%] /, keys: `cd '${PACKAGE_ROOT}'; source '${file}'; PS1='ready> '\r` },
      { to: /ready> /, keys: 'npx zx scripts/provi\t' },
      { to: /scripts\/provision\.mjs\W/, keys: '--if-e\t' },
      { to: /--if-exists\W/, keys: 'rot\t' },
      { to: /rotate\W/, keys: '--target=scr\t' },
      { to: /--target=scratch\W/, keys: '128\t' },
      { to: /1281\W/, keys: '\x15exit\r' },
    ]);
    t.regex(screen, /1281[^]*exit/, screen);
  });
}
