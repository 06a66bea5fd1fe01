/**
 * Runs a script to its end, or kills it with SIGKILL at one of its statements.
 *
 * What the database holds after a statement is what it holds before the next, so `npm test` kills where a test says
 * that it tells most. At both sides of each statement: CANVAS_FAULTS=all, before npx ava and the file.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../lib/engines/database';
import { databaseOf, entryFor, mssqlUrl, postgresUrl, writeTargets, type Lane, type Scratch } from './lanes';
import { start, type Finished } from './script';
import { startProxy, type Hook, type Proxy } from './server-proxy';

/** Are all boundaries wanted? */
export const isEverySide = process.env['CANVAS_FAULTS'] === 'all';

/** A place to be killed at: before a statement is sent, or when its answer has come. */
export interface Boundary {
  readonly moment: 'before' | 'after';
  readonly index: number;
}

/** A boundary, with the statement it belongs to. */
export interface Place extends Boundary {
  readonly sql: string;
}

export interface Ran {
  readonly finished: Finished;
  /** The text of each statement, in order. */
  readonly statements: readonly string[];
}

export const isBegin = (sql: string) => /^begin\b/i.test(sql);
export const isCommit = (sql: string) => /^commit\b/i.test(sql);

/** Both sides of each statement, from the first to the last. */
export function placesOf(statements: readonly string[]): Place[] {
  return statements.flatMap((sql, index): Place[] => [
    { moment: 'before', index, sql },
    { moment: 'after', index, sql },
  ]);
}

const PRELOAD = join(__dirname, 'kill-at-statement.cjs');

/** @param at where it is killed; undefined lets it run to its end */
export function runAndKill(lane: Lane, scratch: Scratch, script: string, words: readonly string[], at?: Boundary): Promise<Ran> {
  return lane.name === 'pglite' ? inProcess(scratch, script, words, at) : throughProxy(lane, scratch, script, words, at);
}

async function inProcess(scratch: Scratch, script: string, words: readonly string[], at?: Boundary): Promise<Ran> {
  const file = join(scratch.folder, 'statements');
  rmSync(file, { force: true });
  const finished = await start(scratch, script, words, {
    NODE_OPTIONS: `--require ${JSON.stringify(PRELOAD)}`,
    STATEMENTS_FILE: file,
    KILL_AT: at === undefined ? '' : `${at.moment} ${at.index}`,
  }).finished;
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return { finished, statements: lines.map((line) => JSON.parse(line) as string) };
}

function throughProxy(lane: Lane, scratch: Scratch, script: string, words: readonly string[], at?: Boundary): Promise<Ran> {
  const kill = (moment: Boundary['moment']): Hook => {
    return (index) => (at?.moment === moment && at.index === index ? 'kill' : 'pass');
  };
  const hooks = { onStatement: kill('before'), afterAnswer: kill('after') };
  return runThroughProxy(lane, scratch, [script, ...words], () => hooks);
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

/**
 * Runs a script with a proxy between it and its server.
 * @param hooksOf what the proxy does at statements and answers
 */
export async function runThroughProxy(
  { name }: Lane,
  scratch: Scratch,
  [script = '', ...words]: readonly string[],
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
export async function waitForDeadClients({ engine, canvas }: Database): Promise<void> {
  if (engine.name === 'pglite') return;
  for (;;) {
    const [row] = await canvas.ask<{ others: string | number }>(SERVERS[engine.name].others);
    if (Number(row?.others) === 0) return;
    await sleep(20);
  }
}
