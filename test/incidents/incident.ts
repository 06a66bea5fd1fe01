/**
 * An incident of the old tool and the canvas schema, and its replay: what was done then is done to this toolkit. The
 * definitions are data, so that docs/incidents.md is made from what is really replayed.
 *
 * To add one: put it into the file of its theme, with the number it is recorded under. `replay` does what was done then, as
 * far as a machine can, and asserts that it is refused or found; breaking what `where` names must make it fail.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import { CHECKS } from '../../lib/checks/registry';
import { readSettings } from '../../lib/config/settings';
import { readClock } from '../../lib/engines/database';
import { readSchema } from '../../lib/migrations/live-schema';
import { entryFor, scratchFolder, writeTargets, type Lane, type Scratch } from '../helpers/lanes';
import { runHere, type Finished } from '../helpers/script';

/** What a replay has to work with. */
export interface Stage {
  /** Where it is replayed. */
  readonly lane: Lane;
  /** A ready target of the lane that the replays of a file share, for scripts. */
  readonly scratch: () => Scratch;
  /** One that is kept open, cleared of canvas sessions; on a server it is the same, and what stood there before is gone. */
  readonly cleared: (work: (open: Access) => Promise<void>) => Promise<void>;
}

/** The checks that do not hold, of a report that a script printed with --json. */
export function notHolding({ stdout }: Pick<Finished, 'stdout'>): string[] {
  const { checks } = JSON.parse(stdout) as { checks: readonly { id: string; status: string }[] };
  return checks.filter(({ status }) => status === 'fail' || status === 'warn').map(({ id }) => id);
}

/** What one check of the gate says of an open target. @returns how many things it found */
export async function findingsOf({ database, keys }: Access, id: string): Promise<number> {
  const check = CHECKS.there.find((one) => one.id === id);
  if (check === undefined) throw new Error(`There is no check ${id}.`);
  const { found } = await check.look({
    settings: readSettings({}),
    target: database.target,
    database,
    keys: () => keys,
    now: await readClock(database),
    schema: () => readSchema(database.canvas),
    progress: () => undefined,
  });
  return found;
}

/** What check-config says of files: the web application and the provisioner, each with its own. @returns what does not hold */
export async function checkFiles(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string[]> {
  const scratch = writeTargets(scratchFolder(t), { ...entryFor('AHHOME', 1433, 'KSESSIONS_DEV', 'mssql'), environment: 'development', encrypt: true });
  for (const [name, connection] of Object.entries(files)) {
    const path = join(scratch.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify({ ConnectionStrings: { DefaultConnection: connection } }));
  }
  const folders = [...new Set(Object.keys(files).map((name) => join(scratch.folder, dirname(name))))];
  return notHolding(await runHere(scratch, 'check-config', [...folders, '--target', 'scratch', '--json']));
}

/** A connection string as the old components had it, for a database. */
export const connectionTo = (database: string, more = 'User Id=canvas_app;Password=canary-7Gq') =>
  `Data Source=AHHOME,1433;Initial Catalog=${database};${more}`;

export interface Incident {
  /** As it is recorded. */
  readonly id: `I-${string}`;
  /** What happened, in one sentence. */
  readonly happened: string;
  /** What stops or finds it here, in one sentence. */
  readonly stops: string;
  /** Where the code stands that does. */
  readonly where: readonly string[];
  /** Why it is replayed once, on the embedded engine: no engine has a part in it. Without it: on every lane. */
  readonly once?: string;
  readonly replay: (t: ExecutionContext, stage: Stage) => Promise<void> | void;
}

/** The name of its test. Where there is one on every lane, it begins with the lane's. */
export function titleOf({ happened, id, once }: Incident, lane: Lane): string {
  return `${once === undefined ? `${lane.name}: ` : ''}${id}: ${happened}`;
}
