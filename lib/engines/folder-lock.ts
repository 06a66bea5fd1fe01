/**
 * One user of a folder at a time. PGlite has no lock of its own: two processes on one folder silently
 * lose acknowledged commits, and a mere reader is enough.
 *
 * The lock is a file that says who holds it, the owner. It is written completely under another name and
 * then linked to `lock`: link(2) is atomic and refuses an existing name on Linux, macOS and NTFS, so a
 * lock is never seen half written. An owner that has ended is taken over at once; age plays no part.
 *
 * Worker threads share a pid, so a random id tells owners apart; pid and start time only tell whether
 * an owner can still be alive. Wherever that cannot be known, it counts as alive. A lock that a worker
 * thread leaves behind therefore lasts as long as its process.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  linkSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ToolkitError } from '../errors';

/** A folder held by nobody else until `release`; calling that again never frees a stranger's lock. */
export interface FolderLock {
  release(): void;
}

/** How long to wait for the present holder; 0 tries once. Aborting ends the wait with the signal's reason. */
export interface FolderLockOptions {
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

/** The content of a lock file. */
interface Owner {
  readonly pid: number;
  /** Tells two processes with the same pid apart; empty when this machine would not say. */
  readonly startedAt: string;
  readonly host: string;
  /** The pid namespace on Linux: a sandbox or container may share our host name, but not our pids. */
  readonly namespace: string;
  readonly id: string;
  readonly since: string;
}

/** What a process has to say about itself; a zombie has ended, though its pid still answers. */
interface Life {
  readonly startedAt: string;
  readonly zombie: boolean;
}

/** Who or what stands in the way: the file, and its owner when the file names one. */
interface Obstacle {
  readonly file: string;
  readonly owner?: Owner;
}

/** 'changed' means somebody moved meanwhile: look again at once. */
type Attempt = FolderLock | Obstacle | 'changed';

const LOCK = 'lock';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LEFTOVER = new RegExp(`^lock\\.(candidate|takeover)-${UUID.source.slice(1)}`);

/** What link(2) says where hard links are unknown. Windows has no word of its own for it and says EISDIR. */
const NO_LINKS = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR'];

const POLL_MS = { least: 20, most: 100 };
const ASK_MS = 10_000;

const run = promisify(execFile);

/**
 * Makes the folder where it is missing and takes its lock. Throws LOCKED, naming the holder, when it is
 * still held after `waitMs`, and CONFIG on a file system without hard links.
 */
export async function acquireFolderLock(folder: string, options: FolderLockOptions): Promise<FolderLock> {
  const place = resolve(folder);
  const deadline = performance.now() + options.waitMs;
  mkdirSync(place, { recursive: true, mode: 0o700 });
  for (;;) {
    options.signal?.throwIfAborted();
    const attempt = await tryLock(place, LOCK);
    if (attempt === 'changed') continue;
    if ('release' in attempt) {
      await sweep(place);
      return attempt;
    }
    const left = deadline - performance.now();
    if (left <= 0) throw locked(place, attempt);
    await pause(left, options.signal);
  }
}

/** Holds the folder's lock while `work` runs, and gives it back however that ends. */
export async function withFolderLock<T>(
  folder: string,
  options: FolderLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await acquireFolderLock(folder, options);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** An abort ends the pause early; the loop around it then throws the reason. */
async function pause(left: number, signal: AbortSignal | undefined): Promise<void> {
  const jitter = POLL_MS.least + Math.random() * (POLL_MS.most - POLL_MS.least);
  await sleep(Math.min(jitter, left), undefined, { signal }).catch(() => {});
}

/** One look at the lock of that name: free, held, or left behind by an owner that has ended. */
async function tryLock(place: string, name: string): Promise<Attempt> {
  const file = join(place, name);
  const owner = readOwner(file);
  if (owner === 'none') return linkOwner(place, file);
  if (owner === 'unreadable') return { file };
  if (!(await hasEnded(owner))) return { file, owner };
  return removeDead(place, file, owner);
}

/**
 * Several may see the same dead owner, and the slowest must not remove the lock that the fastest has made
 * since. So the right to remove is a lock too, on a name that belongs to this dead owner alone. Who has
 * it looks once more; nobody else can put another file in that place between look and removal. A
 * claimer that dies is taken over in the same way.
 */
async function removeDead(place: string, file: string, dead: Owner): Promise<Attempt> {
  const claim = await tryLock(place, `lock.takeover-${dead.id}`);
  if (claim === 'changed' || !('release' in claim)) return claim;
  try {
    removeIfOwned(file, dead.id);
  } finally {
    claim.release();
  }
  return 'changed';
}

async function linkOwner(place: string, file: string): Promise<Attempt> {
  const owner = await newOwner();
  const candidate = join(place, `lock.candidate-${owner.id}`);
  // Flushed, so that a loss of power leaves no empty lock behind.
  writeFileSync(candidate, JSON.stringify(owner), { flag: 'wx', flush: true });
  try {
    linkSync(candidate, file);
    return { release: () => removeIfOwned(file, owner.id) };
  } catch (error) {
    return explainRefusal(place, file, candidate, error);
  } finally {
    rmSync(candidate, { force: true });
  }
}

function explainRefusal(place: string, file: string, candidate: string, error: unknown): Attempt {
  const code = codeOf(error);
  // ENOENT: a sweep took our candidate while it was still half written.
  if (code === 'EEXIST' || code === 'ENOENT') return 'changed';
  if (!NO_LINKS.includes(code)) throw error;
  // Windows also says EPERM for a name that is just being deleted while somebody reads it.
  if (canLink(place, candidate)) return { file };
  throw withoutLinks(place, error);
}

function canLink(place: string, candidate: string): boolean {
  const probe = join(place, `lock.candidate-${randomUUID()}`);
  try {
    linkSync(candidate, probe);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { force: true });
  }
}

async function newOwner(): Promise<Owner> {
  return {
    pid: process.pid,
    startedAt: await ownStart(),
    host: hostname(),
    namespace: pidNamespace(),
    id: randomUUID(),
    since: new Date().toISOString(),
  };
}

/** Safe only for our own id, or with the claim on a dead one: then nobody else may replace the file. */
function removeIfOwned(file: string, id: string): void {
  const owner = readOwner(file);
  if (typeof owner === 'object' && owner.id === id) rmSync(file, { force: true });
}

/**
 * Removes what dead processes left. Needs the lock: while we hold it, the owner that any claim here is
 * about can never be in `lock` again, so removing a claim gives nobody a right. A candidate that is
 * still being written may go too; its writer starts over.
 */
async function sweep(place: string): Promise<void> {
  try {
    for (const name of readdirSync(place).filter((name) => LEFTOVER.test(name))) {
      const file = join(place, name);
      const owner = readOwner(file);
      if (owner === 'none') continue;
      if (owner === 'unreadable' || await hasEnded(owner)) rmSync(file, { force: true });
    }
  } catch {
    // What cannot be removed does no harm, and the lock is ours.
  }
}

function readOwner(file: string): Owner | 'none' | 'unreadable' {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isOwner(value) ? value : 'unreadable';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'none' : 'unreadable';
  }
}

/** Strict, for the id becomes part of a file name, and kill(2) takes pids below 1 for groups. */
function isOwner(value: unknown): value is Owner {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startedAt, host, namespace, id, since } = value as Record<string, unknown>;
  return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0
    && typeof id === 'string' && UUID.test(id)
    && [startedAt, host, namespace, since].every((word) => typeof word === 'string');
}

/** Owners whose start time was compared once; only Windows needs it, where asking takes a PowerShell. */
const recognised = new Set<string>();

async function hasEnded(owner: Owner): Promise<boolean> {
  if (!isVisible(owner)) return false;
  if (!pidAnswers(owner.pid)) return true;
  if (recognised.has(owner.id)) return false;
  const life = await lifeOf(owner.pid);
  if (life === undefined) return false;
  if (life.zombie) return true;
  if (owner.startedAt !== '' && life.startedAt !== owner.startedAt) return true;
  if (process.platform === 'win32') recognised.add(owner.id);
  return false;
}

/** Whether its pid means the same process to us as to itself. */
function isVisible(owner: Owner): boolean {
  return owner.host === hostname() && owner.namespace === pidNamespace();
}

function pidAnswers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

let own: Promise<string> | undefined;

function ownStart(): Promise<string> {
  own ??= lifeOf(process.pid).then((life) => life?.startedAt ?? '');
  return own;
}

async function lifeOf(pid: number): Promise<Life | undefined> {
  try {
    if (process.platform === 'linux') return linuxLife(pid);
    if (process.platform === 'win32') return await windowsLife(pid);
    return await bsdLife(pid);
  } catch {
    return undefined;
  }
}

/** proc(5): the command may hold blanks and parentheses, so fields are counted after its last ')'. */
function linuxLife(pid: number): Life | undefined {
  // In a new pid namespace that kept the old /proc, the numbers there are other processes.
  if (readlinkSync('/proc/self') !== String(process.pid)) return undefined;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, threads, start] = [fields[0], fields[17], fields[19]];
  if (state === undefined || threads === undefined || start === undefined) return undefined;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  // The first thread can be a zombie while others of the process still end, and still write.
  return { startedAt: `${boot}:${start}`, zombie: (state === 'Z' || state === 'X') && Number(threads) <= 1 };
}

/**
 * macOS and BSD. Each column needs its own -o, for a header runs to the end of its argument; locale and
 * zone are fixed, because the text is compared with one that another user's process may have written.
 */
async function bsdLife(pid: number): Promise<Life | undefined> {
  const { stdout } = await run('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], {
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC0' },
    timeout: ASK_MS,
  });
  const [stat, ...start] = stdout.trim().split(/\s+/);
  if (stat === undefined || start.length === 0) return undefined;
  return { startedAt: start.join(' '), zombie: stat.startsWith('Z') };
}

async function windowsLife(pid: number): Promise<Life | undefined> {
  const question = `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`;
  const { stdout } = await run('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', question], {
    windowsHide: true,
    timeout: ASK_MS,
  });
  const startedAt = stdout.trim();
  return /^\d+$/.test(startedAt) ? { startedAt, zombie: false } : undefined;
}

function pidNamespace(): string {
  if (process.platform !== 'linux') return '';
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function locked(place: string, { file, owner }: Obstacle): ToolkitError {
  const what = `The folder ${place} is in use.`;
  if (owner === undefined) {
    return new ToolkitError('LOCKED', {
      what,
      why: `${file} does not say who holds it; a loss of power can leave such a file behind.`,
      hint: `If no process of this toolkit is running, remove ${file} and try again.`,
    });
  }
  const holder = owner.pid === process.pid && isVisible(owner) ? 'This same process,' : 'Process';
  return new ToolkitError('LOCKED', {
    what,
    why: `${holder} ${owner.pid} on host ${owner.host} has held it since ${owner.since}.`,
    hint: isVisible(owner) && owner.startedAt !== ''
      ? 'Only one use at a time is safe. Try again when that one has ended.'
      : `Whether it still runs cannot be seen from here. If it has ended, remove ${file} and try again.`,
  });
}

function withoutLinks(place: string, cause: unknown): ToolkitError {
  return new ToolkitError('CONFIG', {
    what: `The folder ${place} cannot be locked.`,
    why: `Its file system refuses hard links (${codeOf(cause)}), and without a lock two processes lose data.`,
    hint: 'Put the folder on another file system: a local disk, not FAT, exFAT or a shared folder.',
  }, { cause });
}
