/**
 * Runs a script and ends it with SIGKILL at one of its statements: per engine, a way to stand between the two.
 *
 * What the database holds after a statement is what it holds before the next, so `npm test` kills where a test says
 * that it tells most. At both sides of each statement: CANVAS_FAULTS=all npx ava test/hosts/kill.test.ts
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Access } from '../../lib/access';
import {
  databaseOf, entryFor, mssqlLane, mssqlUrl, pgliteLane, postgresLane, postgresUrl, writeTargets, type Lane, type Scratch,
} from './lanes';
import { start, type Finished } from './script';
import { startProxy, type Hook, type Proxy } from './server-proxy';

/** Are all boundaries wanted? */
export const isEverySide = process.env['CANVAS_FAULTS'] === 'all';

/** A place to be killed at. */
export interface Boundary {
  readonly moment: 'before' | 'after';
  readonly index: number;
  readonly sql: string;
}

/** A script and its words. */
export type Command = readonly [script: string, ...words: string[]];

export interface Ran {
  readonly finished: Finished;
  /** The text of each statement, in order. */
  readonly statements: readonly string[];
}

/** A lane with a way to kill a process between two of its statements. */
export interface Gallows {
  readonly lane: Lane;
  /** Runs a command to its end, or until it is killed. */
  run(scratch: Scratch, command: Command, at?: Boundary): Promise<Ran>;
}

export const isBegin = (sql: string) => /^begin\b/i.test(sql);
export const isCommit = (sql: string) => /^commit\b/i.test(sql);

/** Both sides of each statement, from the first to the last. */
export function boundariesOf(statements: readonly string[]): Boundary[] {
  return statements.flatMap((sql, index): Boundary[] => [
    { moment: 'before', index, sql },
    { moment: 'after', index, sql },
  ]);
}

const PRELOAD = join(__dirname, 'kill-at-statement.cjs');

export const embeddedGallows: Gallows = {
  lane: pgliteLane,
  async run(scratch, [script, ...words], at) {
    const file = join(scratch.folder, 'statements');
    rmSync(file, { force: true });
    const { finished } = start(scratch, script, words, {
      NODE_OPTIONS: `--require ${JSON.stringify(PRELOAD)}`,
      STATEMENTS_FILE: file,
      KILL_AT: at === undefined ? '' : `${at.moment} ${at.index}`,
    });
    const result = await finished;
    const statements = readFileSync(file, 'utf8').trimEnd().split('\n');
    return { finished: result, statements: statements.map((line) => JSON.parse(line) as string) };
  },
};

const onServer = (lane: Lane): Gallows => ({
  lane,
  run(scratch, command, at) {
    const kill = (moment: Boundary['moment']): Hook => {
      return (index) => (at?.moment === moment && at.index === index ? 'kill' : 'pass');
    };
    const hooks = { onStatement: kill('before'), afterAnswer: kill('after') };
    return runThroughProxy(lane, scratch, command, () => hooks);
  },
});

export const serverGallows = onServer(postgresLane);
export const mssqlGallows = onServer(mssqlLane);

/** Every lane in which a process can be killed here. */
export function allGallows(): Gallows[] {
  return [
    embeddedGallows,
    ...(postgresUrl === undefined ? [] : [serverGallows]),
    ...(mssqlUrl === undefined ? [] : [mssqlGallows]),
  ];
}

/** Where a lane's server is, and how many connections of the toolkit it still has, but for the one that asks. */
const SERVERS = {
  postgres: {
    url: postgresUrl ?? '',
    port: 5432,
    others: `SELECT count(*) AS others FROM pg_catalog.pg_stat_activity
      WHERE application_name = 'canvas-host-toolkit' AND datname = current_database() AND pid <> pg_backend_pid()`,
  },
  mssql: {
    url: mssqlUrl ?? '',
    port: 1433,
    others: `SELECT COUNT(*) AS others FROM sys.dm_exec_sessions
      WHERE program_name = 'canvas-host-toolkit' AND database_id = DB_ID() AND session_id <> @@SPID`,
  },
};

/** Runs a command with a proxy between it and the server of a lane. @param env variables beside the target's */
export async function runThroughProxy(
  { name }: Lane,
  scratch: Scratch,
  [script, ...words]: Command,
  hooksOf: (proxy: () => Proxy) => { onStatement?: Hook; afterAnswer?: Hook },
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  if (name === 'pglite') throw new TypeError('The embedded engine has no server.');
  const { hostname, port } = new URL(SERVERS[name].url);
  let running: ReturnType<typeof start> | undefined;
  const proxy: Proxy = await startProxy({
    engine: name,
    host: hostname,
    port: Number(port || SERVERS[name].port),
    victim: () => running?.child,
    ...hooksOf(() => proxy),
  });
  try {
    const folder = join(scratch.folder, 'through-proxy');
    mkdirSync(folder, { recursive: true });
    const through = writeTargets(folder, entryFor('127.0.0.1', proxy.port, databaseOf(scratch), name));
    running = start({ ...scratch, env: { ...scratch.env, ...through.env } }, script, words, env);
    return { finished: await running.finished, statements: proxy.statements };
  } finally {
    await proxy.close();
  }
}

/** A server ends the transaction of a dead client when it notices; only then the truth can be seen. */
export async function waitForBackends({ database: { engine, canvas } }: Pick<Access, 'database'>): Promise<void> {
  if (engine.name === 'pglite') return;
  for (;;) {
    const [row] = await canvas.ask<{ others: string | number }>(SERVERS[engine.name].others);
    if (Number(row?.others) === 0) return;
    await sleep(20);
  }
}
