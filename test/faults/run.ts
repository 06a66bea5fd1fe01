/**
 * `npm run faults -- [--lanes postgres,pglite] [--only migrations,credentials] [--rounds N] [--runners 6,20]
 * [--beginnings empty,half] [--jobs N]`: every experiment at full size, one line each, and one for each violation when
 * it shows; exits 1 when one found something. `--only` takes single experiments too: races, latest, rollback; bulk,
 * crowd; incidents. Jobs are the runs of migrate that are killed side by side, each on a database of its own.
 */
import { parseArgs } from 'node:util';
import { lanes, type Lane } from '../helpers/lanes';
import { BulkGallows, crowd } from './credentials';
import { breakIncident, breaksOn } from './incidents';
import { Gallows, owning, race, type Beginning, type Verb } from './migrations';

const { values } = parseArgs({
  options: {
    lanes: { type: 'string', default: 'postgres,pglite' },
    rounds: { type: 'string', default: '50' },
    runners: { type: 'string', default: '6,20' },
    beginnings: { type: 'string', default: 'empty,half' },
    only: { type: 'string', default: 'migrations,credentials' },
    jobs: { type: 'string', default: '2' },
  },
});

function complain(title: string, wrong: readonly string[]): void {
  for (const what of wrong) process.stdout.write(`     ${title}: ${what}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

function tell(title: string, runs: number, violations: number, remark = ''): void {
  process.stdout.write(`${violations === 0 ? 'ok  ' : 'FAIL'} ${title}: ${runs} runs, ${violations} violations${remark}\n`);
}

/** Does work for each item, so many at a time. @returns how many violations there were */
async function forEach<T>(title: string, items: readonly T[], jobs: number, work: (item: T) => Promise<readonly string[]>): Promise<number> {
  const left = items.entries();
  let violations = 0;
  const worker = async () => {
    for (const [place, item] of left) {
      const wrong = await work(item);
      complain(title, wrong);
      violations += wrong.length;
      if (place % 10 === 9) process.stderr.write(`     ${title}: ${place + 1} of ${items.length}\n`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return violations;
}

async function killEverywhere(lane: Lane, verb: Verb): Promise<void> {
  const title = `${lane.name}: SIGKILL at every statement boundary of ${verb}`;
  await owning(async (owner) => {
    const gallows = new Gallows(owner, lane, verb);
    const boundaries = await gallows.boundaries();
    const violations = await forEach(title, boundaries, Number(values.jobs), (boundary) => gallows.kill(boundary));
    const remark = gallows.unneeded === 0 ? '' : `; ${gallows.unneeded} did without their statement and were killed at the end of its transaction`;
    tell(title, boundaries.length, violations, remark);
  });
}

async function raceAll(lane: Lane, runners: number, beginning: Beginning): Promise<void> {
  const title = `${lane.name}: ${runners} runners at once, ${beginning} database, ${values.rounds} rounds`;
  const rounds = [...Array(Number(values.rounds)).keys()];
  const counts = new Map<string, number>();
  const violations = await forEach(title, rounds, 1, async () => {
    const { wrong, ends } = await race(lane, runners, beginning);
    for (const end of ends) counts.set(end, (counts.get(end) ?? 0) + 1);
    return wrong;
  });
  const told = [...counts].sort().map(([end, count]) => `${count} exit ${end}`);
  tell(title, rounds.length * runners, violations, `; ${told.join(', ')}`);
}

async function killBulk(lane: Lane): Promise<void> {
  await owning(async (owner) => {
    const gallows = await BulkGallows.build(owner, lane, 5_000);
    const rounds = Number(values.rounds);
    const title = `${lane.name}: SIGKILL at a random moment of rotate --all, then --resume`;
    const violations = await forEach(title, [...Array(rounds).keys()], 1, (round) => gallows.kill(round, Math.random()));
    tell(title, rounds, violations);
  });
}

async function crowdAll(lane: Lane): Promise<void> {
  await owning(async (owner) => {
    const { done, refused, wrong } = await crowd(owner, lane, 64, 60);
    const title = `${lane.name}: 64 processes change five sessions for 60 s: ${done} changes, refused ${JSON.stringify(refused)}`;
    complain(title, wrong);
    tell(title, 64, wrong.length);
  });
}

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  migrations: ['races', 'latest', 'rollback'],
  credentials: ['bulk', 'crowd'],
  incidents: ['incidents'],
};

const listed = (words: string) => words.split(',');

/** The experiments that were asked for; nobody should take a mistyped one for a good end. */
function chosen(): ReadonlySet<string> {
  const names = listed(values.only).flatMap((word) => GROUPS[word] ?? [word]);
  const unknown = names.find((name) => !Object.values(GROUPS).flat().includes(name));
  if (unknown !== undefined) throw new Error(`There is no experiment ${unknown}.`);
  return new Set(names);
}

async function onServer(lane: Lane, experiments: ReadonlySet<string>): Promise<void> {
  for (const runners of experiments.has('races') ? listed(values.runners).map(Number) : []) {
    for (const beginning of listed(values.beginnings)) await raceAll(lane, runners, beginning as Beginning);
  }
  if (experiments.has('bulk')) await killBulk(lane);
  if (experiments.has('crowd')) await crowdAll(lane);
}

async function breakAll(lane: Lane): Promise<void> {
  const title = `${lane.name}: what stops an incident is taken away, and its replay fails`;
  const breaks = breaksOn(lane);
  const violations = await forEach(title, breaks, Number(values.jobs), (one) => breakIncident(one, lane));
  tell(title, breaks.length, violations, `; ${breaks.map(({ id }) => id).join(', ')}`);
}

async function main(): Promise<void> {
  const experiments = chosen();
  for (const lane of lanes().filter(({ name }) => listed(values.lanes).includes(name))) {
    if (experiments.has('incidents')) await breakAll(lane);
    if (lane.name === 'postgres') await onServer(lane, experiments);
    for (const verb of ['latest', 'rollback'] as const) if (experiments.has(verb)) await killEverywhere(lane, verb);
  }
  const missing = listed(values.lanes).filter((name) => !lanes().some((lane) => lane.name === name));
  for (const name of missing) process.stdout.write(`skip ${name}: its server is not configured\n`);
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
