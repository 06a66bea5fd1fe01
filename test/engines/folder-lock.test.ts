import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { acquireFolderLock, withFolderLock } from '../../lib/engines/folder-lock';
import { ToolkitError } from '../../lib/errors';

const HOLDER = join(__dirname, '../helpers/folder-lock-holder.cjs');

/** Longer than any wait that should succeed, so that a test that reaches it fails for its own reason. */
const PATIENCE = { waitMs: 20_000 };
const AT_ONCE = { waitMs: 0 };

/** A waiter polls every 20 to 100 ms; the rest is for a busy machine. */
const SOON_MS = 2000;

interface Owner {
  pid: number;
  startedAt: string;
  host: string;
  namespace: string;
  id: string;
  since: string;
}

/** An error as another process tells it. */
interface Refusal extends Error {
  code: string;
  why: string;
  hint: string;
}

interface Answer {
  value?: unknown;
  error?: Refusal;
}

/** A process or thread that does what it is told, one thing at a time. */
interface Holder {
  readonly pid: number;
  readonly ask: (verb: string, details?: object) => Promise<unknown>;
  readonly kill: () => Promise<void>;
}

const root = mkdtempSync(join(tmpdir(), 'folder-lock-'));

/** Started once, for starting a process costs more than most tests. */
const crowd: Holder[] = [];

/** The owner file of a process that was killed while it held a lock. */
let dead: Owner;

test.before(async () => {
  crowd.push(...Array.from({ length: 6 }, startProcess));
  const folder = emptyFolder();
  const holder = startProcess();
  await holder.ask('hold', { folder });
  await holder.kill();
  dead = readLock(folder);
});

test.after.always(async () => {
  await Promise.all(crowd.map((holder) => holder.kill()));
  rmSync(root, { recursive: true, force: true });
});

function emptyFolder(): string {
  return mkdtempSync(join(root, 'folder-'));
}

async function take(answers: Promise<unknown[]>): Promise<unknown> {
  const [answer] = await answers as [Answer];
  if (answer.error !== undefined) throw Object.assign(new Error(), answer.error);
  return answer.value;
}

function startProcess(): Holder {
  const child = fork(HOLDER);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return {
    pid: child.pid as number,
    ask(verb, details = {}) {
      const answers = once(child, 'message');
      child.send({ verb, ...details });
      return take(answers);
    },
    kill,
  };
}

function processOf(t: ExecutionContext): Holder {
  const holder = startProcess();
  t.teardown(holder.kill);
  return holder;
}

function threadOf(t: ExecutionContext): Holder {
  const worker = new Worker(HOLDER);
  const kill = async (): Promise<void> => {
    await worker.terminate();
  };
  t.teardown(kill);
  return {
    pid: process.pid,
    ask(verb, details = {}) {
      const answers = once(worker, 'message');
      worker.postMessage({ verb, ...details });
      return take(answers);
    },
    kill,
  };
}

function readLock(folder: string, name = 'lock'): Owner {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as Owner;
}

/** Puts an owner file in place in one step, as a lock is made. */
function forge(folder: string, owner: Owner, name = 'lock'): void {
  const draft = join(folder, `draft-${randomUUID()}`);
  writeFileSync(draft, JSON.stringify(owner));
  renameSync(draft, join(folder, name));
}

/** What an owner file of this very process looks like. */
async function livingOwner(): Promise<Owner> {
  const folder = emptyFolder();
  const lock = await acquireFolderLock(folder, AT_ONCE);
  const owner = readLock(folder);
  lock.release();
  return owner;
}

/** The same process, as it would write at another open. */
function again(owner: Owner): Owner {
  return { ...owner, id: randomUUID() };
}

async function refusal(t: ExecutionContext, folder: string, waitMs = 0): Promise<ToolkitError> {
  const error = await t.throwsAsync(acquireFolderLock(folder, { waitMs }), { instanceOf: ToolkitError });
  t.is(error.code, 'LOCKED');
  return error;
}

async function countTogether(t: ExecutionContext, holders: Holder[], times: number): Promise<void> {
  const folder = emptyFolder();
  const file = join(folder, 'counter');
  writeFileSync(file, '0');
  await Promise.all(holders.map((holder) => holder.ask('count', { folder, times })));
  t.is(readFileSync(file, 'utf8'), String(holders.length * times));
  t.deepEqual(readdirSync(folder), ['counter']);
}

test.serial('six processes that count in one file lose nothing', async (t) => {
  await countTogether(t, crowd, 40);
});

test.serial('worker threads and other processes count in one file and lose nothing', async (t) => {
  await countTogether(t, [threadOf(t), threadOf(t), ...crowd.slice(0, 1)], 20);
});

test.serial('however many rush at a dead owner, never do two get in', async (t) => {
  await Promise.all(crowd.map((holder) => holder.ask('dawdle', { mostMs: 20 })));
  const folder = emptyFolder();
  const rush = { folder, witness: join(folder, 'witness'), stayMs: 20 };
  for (let round = 0; round < 40; round += 1) {
    forge(folder, again(dead));
    const outcomes = await Promise.all(crowd.map((holder) => holder.ask('rush', rush)));
    t.true(outcomes.includes('held'), `nobody got in: ${outcomes.join(' ')}`);
  }
  await Promise.all(crowd.map((holder) => holder.ask('dawdle', { mostMs: 0 })));
  t.deepEqual(readdirSync(folder), []);
});

test.serial('a waiter takes over from a holder that is killed, at once', async (t) => {
  const folder = emptyFolder();
  const holder = processOf(t);
  await holder.ask('hold', { folder });
  const waiting = acquireFolderLock(folder, PATIENCE);
  await sleep(150);
  t.is(readLock(folder).pid, holder.pid);
  await holder.kill();
  const killed = performance.now();
  const lock = await waiting;
  t.true(performance.now() - killed < SOON_MS);
  t.is(readLock(folder).pid, process.pid);
  lock.release();
});

const unix = process.platform === 'win32' ? test.skip : test.serial;

unix('a killed holder that its parent has not reaped is dead all the same', async (t) => {
  const folder = emptyFolder();
  const parent = processOf(t);
  const pid = await parent.ask('bear', { folder }) as number;
  process.kill(parent.pid, 'SIGSTOP');
  process.kill(pid, 'SIGKILL');
  const lock = await acquireFolderLock(folder, { waitMs: SOON_MS });
  t.notThrows(() => process.kill(pid, 0), 'the zombie still has its pid');
  lock.release();
});

test.serial('an owner whose pid now belongs to another process is dead', async (t) => {
  const folder = emptyFolder();
  const owner = await livingOwner();
  const other = crowd[0] as Holder;
  forge(folder, { ...owner, pid: other.pid });
  const lock = await acquireFolderLock(folder, AT_ONCE);
  t.is(readLock(folder).pid, process.pid);
  lock.release();
});

test.serial('an owner with our own pid and another start is dead', async (t) => {
  const folder = emptyFolder();
  const owner = await livingOwner();
  forge(folder, { ...again(owner), startedAt: `${owner.startedAt}0` });
  (await acquireFolderLock(folder, AT_ONCE)).release();
  t.deepEqual(readdirSync(folder), []);
});

test.serial('an owner whose start nobody could tell is alive as long as its pid is', async (t) => {
  const folder = emptyFolder();
  const owner = again({ ...await livingOwner(), startedAt: '' });
  forge(folder, owner);
  const error = await refusal(t, folder);
  t.true(error.hint.includes(join(folder, 'lock')));
  forge(folder, { ...dead, startedAt: '' });
  (await acquireFolderLock(folder, AT_ONCE)).release();
});

test.serial('an owner on another host is alive, and the words say which host', async (t) => {
  const folder = emptyFolder();
  const owner = { ...dead, host: 'elsewhere.example' };
  forge(folder, owner);
  const error = await refusal(t, folder, 150);
  t.true(error.why.includes('elsewhere.example'));
  t.true(error.hint.includes(join(folder, 'lock')));
  t.deepEqual(readLock(folder), owner);
});

test.serial('an owner in another pid namespace of this host is alive', async (t) => {
  const folder = emptyFolder();
  const owner = { ...dead, namespace: 'pid:[1]' };
  forge(folder, owner);
  const error = await refusal(t, folder, 150);
  t.true(error.hint.includes(join(folder, 'lock')));
  t.deepEqual(readLock(folder), owner);
});

test.serial('two opens in one process exclude each other', async (t) => {
  const folder = emptyFolder();
  const first = await acquireFolderLock(folder, AT_ONCE);
  const error = await refusal(t, folder, 150);
  t.true(error.why.startsWith('This same process'));
  const second = acquireFolderLock(folder, PATIENCE);
  first.release();
  (await second).release();
});

test.serial('worker threads exclude each other and the main thread', async (t) => {
  const folder = emptyFolder();
  const [one, two] = [threadOf(t), threadOf(t)];
  await one.ask('hold', { folder });
  await refusal(t, folder);
  await t.throwsAsync(two.ask('hold', { folder }), { code: 'LOCKED' });
  await one.ask('free');
  await two.ask('hold', { folder });
  await refusal(t, folder);
  await two.ask('free');
});

test.serial('while a living process claims a dead owner, nobody else removes it', async (t) => {
  const folder = emptyFolder();
  const claim = `lock.takeover-${dead.id}`;
  forge(folder, dead);
  forge(folder, again(await livingOwner()), claim);
  const waiting = acquireFolderLock(folder, PATIENCE);
  await refusal(t, folder, 150);
  t.deepEqual(readLock(folder), dead);
  rmSync(join(folder, claim));
  (await waiting).release();
});

test.serial('a claimer that died, and one that died claiming after it, are taken over', async (t) => {
  const folder = emptyFolder();
  const claimer = again(dead);
  forge(folder, dead);
  forge(folder, claimer, `lock.takeover-${dead.id}`);
  forge(folder, again(dead), `lock.takeover-${claimer.id}`);
  (await acquireFolderLock(folder, AT_ONCE)).release();
  t.deepEqual(readdirSync(folder), []);
});

test.serial('what dead processes left is swept, and nothing else', async (t) => {
  const folder = emptyFolder();
  const living = again(await livingOwner());
  const alive = [`lock.candidate-${living.id}`, `lock.takeover-${living.id}`];
  const foreign = ['lock.candidate-mine', 'lock.txt', 'PG_VERSION'];
  for (const name of alive) forge(folder, living, name);
  for (const name of foreign) forge(folder, dead, name);
  forge(folder, dead, `lock.candidate-${dead.id}`);
  forge(folder, dead, `lock.takeover-${dead.id}`);
  writeFileSync(join(folder, `lock.candidate-${randomUUID()}`), '{"pid":');
  (await acquireFolderLock(folder, AT_ONCE)).release();
  t.deepEqual(readdirSync(folder).sort(), [...alive, ...foreign].sort());
});

test.serial('who still waits at the end is told who holds the folder', async (t) => {
  const folder = emptyFolder();
  const holder = crowd[0] as Holder;
  await holder.ask('hold', { folder });
  const began = performance.now();
  const error = await refusal(t, folder, 300);
  const waited = performance.now() - began;
  t.true(waited >= 300 && waited < SOON_MS, `waited ${waited} ms`);
  const { host, since } = readLock(folder);
  t.is(error.message, `The folder ${folder} is in use.`);
  t.is(error.why, `Process ${holder.pid} on host ${host} has held it since ${since}.`);
  t.is(error.hint, 'Only one use at a time is safe. Try again when that one has ended.');
  await holder.ask('free');
  (await acquireFolderLock(folder, AT_ONCE)).release();
});

for (const content of ['', '{"pid":1', 'null', '{"pid":0,"id":"../x"}']) {
  test.serial(`a lock that reads ${JSON.stringify(content)} is left alone and named`, async (t) => {
    const folder = emptyFolder();
    const file = join(folder, 'lock');
    writeFileSync(file, content);
    const error = await refusal(t, folder, 150);
    t.is(error.hint, `If no process of this toolkit is running, remove ${file} and try again.`);
    t.is(readFileSync(file, 'utf8'), content);
  });
}

test.serial('a release frees nobody else, and a second one does nothing', async (t) => {
  const folder = emptyFolder();
  const lock = await acquireFolderLock(folder, AT_ONCE);
  const stranger = again(await livingOwner());
  forge(folder, stranger);
  lock.release();
  t.deepEqual(readLock(folder), stranger);
  rmSync(join(folder, 'lock'));
  const next = await acquireFolderLock(folder, AT_ONCE);
  lock.release();
  t.true(existsSync(join(folder, 'lock')));
  next.release();
  next.release();
  t.deepEqual(readdirSync(folder), []);
});

test.serial('aborting ends the wait with the reason given', async (t) => {
  const folder = emptyFolder();
  const lock = await acquireFolderLock(folder, AT_ONCE);
  const controller = new AbortController();
  const waiting = acquireFolderLock(folder, { ...PATIENCE, signal: controller.signal });
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 50);
  t.is(await t.throwsAsync(waiting), reason);
  lock.release();
  const late = acquireFolderLock(folder, { ...PATIENCE, signal: controller.signal });
  t.is(await t.throwsAsync(late), reason);
  t.deepEqual(readdirSync(folder), []);
});

test.serial('withFolderLock gives back the result and the lock, and after a failure the lock', async (t) => {
  const folder = emptyFolder();
  const result = await withFolderLock(folder, AT_ONCE, async () => {
    await refusal(t, folder);
    return 7;
  });
  t.is(result, 7);
  const failure = new Error('no luck');
  t.is(await t.throwsAsync(withFolderLock(folder, AT_ONCE, () => Promise.reject(failure))), failure);
  t.deepEqual(readdirSync(folder), []);
});

test.serial('a missing folder is made, for its owner alone', async (t) => {
  const folder = join(emptyFolder(), 'a', 'b');
  (await acquireFolderLock(folder, AT_ONCE)).release();
  t.true(existsSync(folder));
  if (process.platform !== 'win32') t.is(statSync(folder).mode & 0o777, 0o700);
});

test.serial('a file system without hard links is refused with words', async (t) => {
  const folder = emptyFolder();
  const holder = crowd[5] as Holder;
  await holder.ask('withoutLinks', { yes: true });
  t.teardown(() => holder.ask('withoutLinks', { yes: false }));
  const error = await t.throwsAsync<Refusal>(holder.ask('hold', { folder }), { code: 'CONFIG' });
  t.is(error.message, `The folder ${folder} cannot be locked.`);
  t.true(error.why.includes('hard links (EPERM)'));
  t.true(error.hint.includes('another file system'));
  t.deepEqual(readdirSync(folder), []);
});
