/** What kills and crowds must not do to credentials, as experiments that return what went wrong. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Access } from '../../lib/access';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import { HostGuid } from '../../lib/hosts/credential';
import { waitForDeadClients } from '../helpers/gallows';
import { access, execute, open, type Lane, type Owner, type Scratch } from '../helpers/lanes';
import { start } from '../helpers/script';
import { hostSessions } from '../helpers/state';

/** The first of the sessions that are added to the samples. */
const FIRST_ID = 100_000;

async function addSessions(open: Access, count: number): Promise<void> {
  const last = FIRST_ID + count - 1;
  await execute(
    open,
    `INSERT INTO dbo."Sessions" ("SessionID", "SessionName") SELECT n, 'Session ' || n FROM generate_series(${FIRST_ID}, ${last}) n`,
    `INSERT INTO dbo."SessionTranscripts" ("TranscriptID", "SessionID", "Transcript")
     SELECT n, n, '<p>Text</p>' FROM generate_series(${FIRST_ID}, ${last}) n`,
  );
}

// --- killed in the middle ----------------------------------------------------------------------------------------

/** A database of many live credentials, in which `rotate --all` is killed and resumed, again and again. */
export class BulkGallows {
  readonly #scratch: Scratch;
  readonly #rotations = new Map<number, number>();
  /** How long an undisturbed run takes here, in milliseconds. */
  readonly #wholeMs: number;

  private constructor(scratch: Scratch, wholeMs: number) {
    this.#scratch = scratch;
    this.#wholeMs = wholeMs;
  }

  static async build(t: Owner, lane: Lane, sessions: number): Promise<BulkGallows> {
    const scratch = await lane.ready(t);
    await access(scratch, (open) => addSessions(open, sessions));
    const began = Date.now();
    const made = await start(scratch, 'provision', ['--all', '--if-exists', 'keep', '--out', 'first', '--quiet']).finished;
    if (made.code !== 0) throw new Error(made.stderr);
    const gallows = new BulkGallows(scratch, Date.now() - began);
    await gallows.#count(await gallows.#rotated());
    return gallows;
  }

  /** Kills a run at a moment of its life, resumes it until it ends, and looks. @param moment from 0 to 1 */
  async kill(round: number, moment: number): Promise<string[]> {
    const file = `round-${round}`;
    const path = join(this.#scratch.folder, file);
    const running = start(this.#scratch, 'rotate', ['--all', '--out', file, '--quiet']);
    await sleep(moment * this.#wholeMs);
    running.child.kill('SIGKILL');
    await running.finished;
    const words = existsSync(path) ? ['--resume', file] : ['--out', file];
    const rest = await start(this.#scratch, 'rotate', ['--all', ...words, '--quiet']).finished;
    if (rest.code !== 0) return [`round ${round}: the resumed run ended with ${rest.code}: ${rest.stderr}`];
    await open(this.#scratch, waitForDeadClients);
    const wrong = [...(await this.#count(await this.#rotated())), ...(await this.#unverified(path))];
    readdirSync(this.#scratch.folder).filter((name) => name.startsWith(file)).forEach((name) => rmSync(join(this.#scratch.folder, name)));
    return wrong.map((what) => `round ${round}, killed at ${moment.toFixed(2)}: ${what}`);
  }

  #rotated(): Promise<Map<number, number>> {
    return open(this.#scratch, async ({ canvas }) => {
      const rows = await canvas.ask<{ id: string; n: string }>(
        `SELECT "KSessionsId" AS id, count(*) FILTER (WHERE "Action" = 'rotated') AS n FROM canvas."HostSessionEvents" GROUP BY 1`,
      );
      return new Map(rows.map(({ id, n }) => [Number(id), Number(n)]));
    });
  }

  /** Each session was rotated once since it was counted last. */
  #count(now: ReadonlyMap<number, number>): Promise<string[]> {
    const wrong = [...now].filter(([id, n]) => this.#rotations.has(id) && n !== (this.#rotations.get(id) ?? 0) + 1);
    for (const [id, n] of now) this.#rotations.set(id, n);
    return Promise.resolve(wrong.map(([id]) => `KSESSIONS ${id} was not rotated exactly once`));
  }

  /** The file has each session once, and each of its GUIDs opens it. */
  #unverified(path: string): Promise<string[]> {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => line.split(' '));
    return access(this.#scratch, async ({ database, keys }) => {
      const rows = await database.canvas.ask<{ id: string; hash: string }>(
        `SELECT s."KSessionsId" AS id, h."HostGuidHash" AS hash FROM canvas."Sessions" s
         JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" AND h."IsActive" AND h."HostGuidHash" = s."HostGuid"`,
      );
      const live = new Map(rows.map(({ hash, id }) => [id, hash]));
      const wrong = lines.filter(([id = '', guid = '']) => HostGuid.parse(guid)?.hash(keys.signing) !== live.get(id));
      const ids = new Set(lines.map(([id]) => id));
      return [
        ...wrong.map(([id]) => `the GUID of KSESSIONS ${id} that was delivered does not verify`),
        ...(ids.size === live.size && lines.length === live.size ? [] : [`${lines.length} GUIDs of ${ids.size} sessions were delivered for ${live.size}`]),
      ];
    });
  }
}

// --- many at once ------------------------------------------------------------------------------------------------

/** The sample sessions a crowd works on. */
const CROWDED = [1, 15, 212, 215, 218];

/** What one process of a crowd tells in the end. */
interface Told {
  readonly done: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

/**
 * Processes that provision, rotate and revoke five sessions at random, one or several at a time, for a while.
 * @returns what went wrong, and how much was done
 */
export async function crowd(t: Owner, lane: Lane, processes: number, seconds: number): Promise<{ wrong: string[]; done: number; refused: Record<string, number> }> {
  const scratch = await lane.ready(t);
  const told = await Promise.all(Array.from({ length: processes }, () => member(scratch, seconds)));
  const wrong = told.flatMap((one) => one.wrong);
  const refused: Record<string, number> = {};
  for (const one of told) for (const [code, n] of Object.entries(one.refused)) refused[code] = (refused[code] ?? 0) + n;
  await access(scratch, async (open) => {
    for (const id of CROWDED) {
      const rows = await hostSessions(open, id);
      const live = rows.filter(({ isActive }) => isActive);
      if (live.length > 1) wrong.push(`KSESSIONS ${id} has ${live.length} live host sessions`);
      if (rows.some(({ hashCopy }) => hashCopy !== (live[0]?.hash ?? ''))) wrong.push(`KSESSIONS ${id}: the hash copy is not that of the live one`);
      wrong.push(...rows.flatMap(({ chain, hostSessionId }) => (chain.holds ? [] : [`host session ${hostSessionId}: ${chain.why}`])));
    }
  });
  return { wrong, done: told.reduce((sum, one) => sum + one.done, 0), refused };
}

function member(scratch: Scratch, seconds: number): Promise<Told> {
  const file = join(PACKAGE_ROOT, 'test', 'faults', 'crowd-member.cjs');
  const child = spawn(process.execPath, [file, String(seconds), CROWDED.join()], { cwd: scratch.folder, env: scratch.env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve(code === 0 ? (JSON.parse(stdout) as Told) : { done: 0, refused: {}, wrong: [`a process ended with ${code}: ${stderr}`] });
    });
  });
}
