/**
 * What kills and races must not do to migrations, as experiments that return what went wrong. `npm test` runs a few
 * (test/migrations/faults.test.ts), `npm run faults` all.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { withOpenTarget } from '../../lib/access';
import type { Database } from '../../lib/engines/database';
import { withTransaction } from '../../lib/engines/database';
import type { Permit } from '../../lib/guard/guard';
import { requirePermit } from '../../lib/migrations/enrol';
import { readMigrations } from '../../lib/migrations/files';
import { HISTORY_TABLE, LEDGER_TABLE, isLockRowFree } from '../../lib/migrations/ledger';
import { MIGRATION_LOCK, migrateLatest, rollback } from '../../lib/migrations/run';
import { readSchema } from '../../lib/migrations/live-schema';
import { fingerprint } from '../../lib/migrations/schema';
import { open, type Lane, type Scratch } from '../helpers/lanes';
import { isBegin, isCommit, runAndKill, runThroughProxy, waitForDeadClients, type Boundary, type Ran } from '../helpers/gallows';
import { contents, legacyTarget } from '../helpers/legacy';
import { jsonLines, start, type Finished } from '../helpers/script';
import type { Hook } from '../helpers/server-proxy';

/** Who takes away what an experiment made: an AVA test, or a list. */
type Owner = Parameters<typeof legacyTarget>[0];

/** Runs `work` with an owner that ends with it. */
export async function owning<T>(work: (owner: Owner) => Promise<T>): Promise<T> {
  const teardowns: (() => unknown)[] = [];
  try {
    return await work({ teardown: (one: () => unknown) => void teardowns.push(one) });
  } finally {
    for (const teardown of teardowns.reverse()) await teardown();
  }
}

export type Verb = 'latest' | 'rollback';

const WORDS: Record<Verb, readonly string[]> = { latest: ['latest'], rollback: ['rollback', '--to', '0'] };

const NAMES = readMigrations().map(({ name }) => name);

/** What a database holds when a verb has done its work. */
interface Truth {
  readonly fingerprint: string;
  readonly objects: readonly string[];
  readonly rows: unknown;
}

/** One experiment: a database that somebody adopts, and a verb to be killed in. */
export class Gallows {
  #template: Scratch | undefined;
  #truth: Truth | undefined;
  /** The statements of an undisturbed run. */
  statements: readonly string[] = [];
  /** How many runs did without their statement, and were killed at the end of its transaction. */
  unneeded = 0;

  constructor(
    readonly owner: Owner,
    readonly lane: Lane,
    readonly verb: Verb,
  ) {}

  /** A database as the verb finds it. The embedded one is made once and copied: making it takes seconds. */
  async #start(owner: Owner): Promise<Scratch> {
    if (this.lane.name !== 'pglite') return this.#prepared(owner);
    this.#template ??= await this.#prepared(this.owner);
    const copy = await this.lane.empty(owner);
    cpSync(join(this.#template.folder, 'embedded'), join(copy.folder, 'embedded'), { recursive: true });
    return copy;
  }

  async #prepared(owner: Owner): Promise<Scratch> {
    const scratch = await legacyTarget(owner, this.lane, 'c');
    if (this.verb === 'rollback') await open(scratch, async (database) => finish(database, 'latest', await requirePermit(database)));
    return scratch;
  }

  /** @returns every boundary from the first writing transaction on */
  async boundaries(): Promise<Boundary[]> {
    const scratch = await this.#start(this.owner);
    const { finished, statements } = await runAndKill(this.lane, scratch, 'migrate', WORDS[this.verb]);
    if (finished.code !== 0) throw new Error(finished.stderr);
    this.statements = statements;
    this.#truth = await open(scratch, truthOf);
    const begin = statements.findIndex((sql) => /^begin\b/i.test(sql));
    return statements.flatMap((_sql, index) =>
      index < begin ? [] : [{ moment: 'before' as const, index }, { moment: 'after' as const, index }],
    );
  }

  /** Kills one run, and lets another finish. @returns what went wrong */
  kill(at: Boundary): Promise<string[]> {
    return owning(async (owner) => {
      const scratch = await this.#start(owner);
      const { finished } = await this.#runAndKill(scratch, at);
      const place = `killed ${at.moment} ${this.statements[at.index]?.slice(0, 80)}: `;
      if (finished.signal !== 'SIGKILL') return [`${place}was not killed (${finished.code}) ${finished.stderr}`];
      const request = { settings: scratch.settings, waitMs: 1000, onOpen: () => undefined, onNotice: () => undefined };
      const wrong = await withOpenTarget(request, async (database) => {
        await waitForDeadClients(database);
        const permit = await requirePermit(database);
        await finish(database, this.verb, permit);
        return this.#violations(database, permit);
      }).catch((error: unknown) => [error instanceof Error ? `${error.name}: ${error.message}` : String(error)]);
      return wrong.map((what) => place + what);
    });
  }

  /**
   * On a server others write too, and where they do a run reads again what it knew: a statement is found by its
   * transaction and its text, not by its place among all of them.
   */
  #runAndKill(scratch: Scratch, { moment, index }: Boundary): Promise<Ran> {
    if (this.lane.name === 'pglite') return runAndKill(this.lane, scratch, 'migrate', WORDS[this.verb], { moment, index });
    const wanted = this.statements.slice(0, index + 1);
    return runThroughProxy(this.lane, scratch, ['migrate', ...WORDS[this.verb]], (proxy) => {
      const kill = (now: Boundary['moment']): Hook => (place) => {
        const sent = proxy().statements.slice(0, place + 1);
        if (isSamePlace(sent, wanted)) return now === moment ? 'kill' : 'pass';
        if (now !== 'before' || !isPast(sent, wanted)) return 'pass';
        this.unneeded += 1;
        return 'kill';
      };
      return { onStatement: kill('before'), afterAnswer: kill('after') };
    });
  }

  async #violations(database: Database, permit: Permit): Promise<string[]> {
    const wrong = await booksOf(database, this.verb === 'latest' ? NAMES : []);
    const truth = await truthOf(database);
    for (const part of ['fingerprint', 'objects', 'rows'] as const) {
      if (JSON.stringify(truth[part]) !== JSON.stringify(this.#truth?.[part])) wrong.push(`${part} differ from an undisturbed run`);
    }
    if (!(await isLockRowFree(database.canvas))) wrong.push('the lock row is not free');
    await withTransaction(database, permit, MIGRATION_LOCK, () => Promise.resolve());
    return wrong;
  }
}

/** The statements of the transaction that the last one belongs to, or of the time between two. */
const ownOf = (sent: readonly string[]) =>
  sent.slice(Math.max(0, sent.findLastIndex((sql, place) => isBegin(sql) || (place > 0 && isCommit(sent[place - 1] ?? '')))));

/** How many transactions began and ended before the last statement. */
const stageOf = (sent: readonly string[]) => sent.filter(isBegin).length + sent.slice(0, -1).filter(isCommit).length;

function isSamePlace(sent: readonly string[], wanted: readonly string[]): boolean {
  const last = wanted.at(-1);
  const times = (all: readonly string[]) => ownOf(all).filter((sql) => sql === last).length;
  return sent.at(-1) === last && stageOf(sent) === stageOf(wanted) && times(sent) === times(wanted);
}

/** Did a transaction come to its end without the statement that was wanted in it? */
function isPast(sent: readonly string[], wanted: readonly string[]): boolean {
  const stages = stageOf(sent) - stageOf(wanted);
  return stages > 0 || (stages === 0 && isCommit(sent.at(-1) ?? ''));
}

async function finish(database: Database, verb: Verb, permit: Permit): Promise<void> {
  if (verb === 'latest') await migrateLatest(database, permit, { actor: 'suite' });
  else await rollback(database, permit, { to: '0' });
}

/** Each migration exactly once, in both books. */
async function booksOf({ canvas }: Database, expected: readonly string[]): Promise<string[]> {
  const ledger = await canvas.ask<{ name: string }>(`SELECT "Name" AS "name" FROM canvas."${LEDGER_TABLE}" ORDER BY 1`);
  const history = await canvas.ask<{ name: string }>(`SELECT "name" FROM canvas."${HISTORY_TABLE}" ORDER BY 1`);
  return Object.entries({ ledger, history }).flatMap(([book, rows]) => {
    const names = rows.map(({ name }) => name);
    return names.join() === expected.join() ? [] : [`the ${book} has ${names.join(', ') || 'nothing'}`];
  });
}

async function truthOf({ canvas }: Database): Promise<Truth> {
  const { tables, objects } = await readSchema(canvas);
  return { fingerprint: fingerprint(tables), objects: [...objects].sort(), rows: await contents((sql) => canvas.ask(sql)) };
}

/** Where a race begins. */
export type Beginning = 'empty' | 'half';

/** How a race ended. */
export interface RaceEnd {
  /** How each runner ended: its exit code, and the code of its error. */
  readonly ends: readonly string[];
  readonly wrong: readonly string[];
}

function endOf(finished: Finished): string {
  const codes = jsonLines(finished).flatMap(({ code }) => (typeof code === 'string' ? [code] : []));
  return [String(finished.code), ...codes].join(' ');
}

/** Many runners at once. */
export function race(lane: Lane, runners: number, beginning: Beginning): Promise<RaceEnd> {
  return owning(async (owner) => {
    const scratch = await legacyTarget(owner, lane, 'a');
    if (beginning === 'half') {
      await open(scratch, async (database) => {
        const permit = await requirePermit(database);
        await migrateLatest(database, permit, { actor: 'suite' });
        await rollback(database, permit, { to: NAMES[1] });
      });
    }
    const runs = Array.from({ length: runners }, () => start(scratch, 'migrate', ['latest', '--json']).finished);
    const ends = await Promise.all(runs);
    // Exit 4 with another code would be a refusal of what was never wrong.
    const wrong = ends.filter((one) => !['0', '4 LOCKED'].includes(endOf(one))).map((one) => `exit ${endOf(one)}: ${one.stderr}`);
    const books = await open(scratch, (database) => booksOf(database, NAMES));
    return { ends: ends.map(endOf), wrong: [...wrong, ...books] };
  });
}
