/** Many processes on one embedded folder: what one was told to be committed is there for good. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Access } from '../../lib/access';
import { access, execute, pgliteLane, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';

const WRITER = join(__dirname, '../helpers/embedded-writer.cjs');
const TABLE = 'Scratchpad';

const WRITERS = ['one', 'two', 'three', 'four'];
const ROWS_EACH = 40;
const ROWS_PER_OPEN = 30;

/** In the middle of an open: neither at its first row nor at its last. */
const KILLED_AFTER = ROWS_PER_OPEN + 7;

/** A reader that opened the folder all the time would only keep the writers waiting. */
const READER_PAUSE_MS = 1500;

/**
 * Runs a writer for the rows that are not acknowledged yet, and notes each one it tells.
 * @param killAt ends it with SIGKILL when so many are acknowledged
 */
async function write({ env }: Scratch, name: string, acknowledged: Set<string>, killAt = Infinity) {
  const numbers = Array.from({ length: ROWS_EACH }, (_, index) => String(index + 1));
  const left = numbers.filter((number) => !acknowledged.has(`${name} ${number}`));
  const told = () => ROWS_EACH - numbers.filter((number) => !acknowledged.has(`${name} ${number}`)).length;
  const child = spawn(process.execPath, [...process.execArgv, WRITER, TABLE, name, String(ROWS_PER_OPEN), ...left], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  createInterface(child.stdout).on('line', (number) => {
    acknowledged.add(`${name} ${number}`);
    if (told() >= killAt) child.kill('SIGKILL');
  });
  const [stderr, [code, signal]] = await Promise.all([
    text(child.stderr),
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  return { code, signal, stderr, told: told() };
}

async function rowsThere({ database }: Access): Promise<Set<string>> {
  const rows = await database.canvas.ask<{ row: string }>(
    `SELECT "Writer" || ' ' || "Number" AS "row" FROM canvas."${TABLE}"`,
  );
  return new Set(rows.map(({ row }) => row));
}

long('four writers, one killed, and a reader: every acknowledged row stays', async (t) => {
  t.timeout(300_000);
  const scratch = await pgliteLane.ready(t);
  await access(scratch, (open) =>
    execute(
      open,
      `CREATE TABLE canvas."${TABLE}" ("Writer" text, "Number" int, PRIMARY KEY ("Writer", "Number"))`,
    ),
  );
  const acknowledged = new Set<string>();
  const writeAll = async (name: string, place: number) => {
    if (place === 0) {
      const killed = await write(scratch, name, acknowledged, KILLED_AFTER);
      t.is(killed.signal, 'SIGKILL', killed.stderr);
      t.true(killed.told < ROWS_EACH, 'it was killed in the middle');
    }
    const { code, stderr } = await write(scratch, name, acknowledged);
    t.is(code, 0, stderr);
  };
  let isOver = false;
  const over = Promise.all(WRITERS.map(writeAll)).finally(() => (isOver = true));

  let looks = 0;
  while (!isOver) {
    const before = [...acknowledged];
    const there = await access(scratch, rowsThere);
    looks += 1;
    t.deepEqual(before.filter((row) => !there.has(row)), [], 'what was told before the folder was opened');
    await Promise.race([over, sleep(READER_PAUSE_MS)]);
  }
  await over;
  t.true(looks > 1, 'the reader came in between');

  const there = await access(scratch, rowsThere);
  t.is(acknowledged.size, WRITERS.length * ROWS_EACH);
  t.deepEqual([...there].sort(), [...acknowledged].sort());
});
