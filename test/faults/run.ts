/**
 * `npm run faults -- [--rounds N] [--runners 6,20] [--lanes postgres,pglite] [--only migrations,credentials]`: every experiment at full size, one line
 * each; exits 1 when one found something.
 */
import { parseArgs } from 'node:util';
import { lanes, type Lane } from '../helpers/lanes';
import { BulkGallows, crowd } from './credentials';
import { Gallows, owning, race, type Beginning, type Verb } from './migrations';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    runners: { type: 'string', default: '6,20' },
    lanes: { type: 'string', default: 'postgres,pglite' },
    only: { type: 'string', default: 'migrations,credentials' },
  },
});

function tell(title: string, count: number, wrong: readonly string[]): void {
  process.stdout.write(`${wrong.length === 0 ? 'ok  ' : 'FAIL'} ${title}: ${count} runs, ${wrong.length} violations\n`);
  for (const what of wrong) process.stdout.write(`     ${what}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

async function killEverywhere(lane: Lane, verb: Verb): Promise<void> {
  await owning(async (owner) => {
    const gallows = new Gallows(owner, lane, verb);
    const boundaries = await gallows.boundaries();
    const wrong: string[] = [];
    for (const boundary of boundaries) wrong.push(...(await gallows.kill(boundary)));
    tell(`${lane.name}: SIGKILL at every statement boundary of ${verb}`, boundaries.length, wrong);
  });
}

async function raceAll(lane: Lane, runners: number, beginning: Beginning): Promise<void> {
  const wrong: string[] = [];
  const rounds = Number(values.rounds);
  for (let round = 0; round < rounds; round += 1) wrong.push(...(await race(lane, runners, beginning)));
  tell(`${lane.name}: ${runners} runners at once, ${beginning} database, ${rounds} rounds`, rounds * runners, wrong);
}

async function killBulk(lane: Lane): Promise<void> {
  await owning(async (owner) => {
    const gallows = await BulkGallows.build(owner, lane, 5_000);
    const rounds = Number(values.rounds);
    const wrong: string[] = [];
    for (let round = 0; round < rounds; round += 1) wrong.push(...(await gallows.kill(round, Math.random())));
    tell(`${lane.name}: SIGKILL at a random moment of rotate --all, then --resume`, rounds, wrong);
  });
}

async function crowdAll(lane: Lane): Promise<void> {
  await owning(async (owner) => {
    const { done, refused, wrong } = await crowd(owner, lane, 64, 60);
    tell(`${lane.name}: 64 processes change five sessions for 60 s: ${done} changes, refused ${JSON.stringify(refused)}`, 64, wrong);
  });
}

async function faultMigrations(lane: Lane): Promise<void> {
  if (lane.name === 'postgres') {
    for (const runners of values.runners.split(',').map(Number)) {
      await raceAll(lane, runners, 'empty');
      await raceAll(lane, runners, 'half');
    }
  }
  await killEverywhere(lane, 'latest');
  await killEverywhere(lane, 'rollback');
}

async function main(): Promise<void> {
  const wanted = values.lanes.split(',');
  const only = values.only.split(',');
  for (const lane of lanes().filter(({ name }) => wanted.includes(name))) {
    if (only.includes('migrations')) await faultMigrations(lane);
    if (only.includes('credentials') && lane.name === 'postgres') {
      await killBulk(lane);
      await crowdAll(lane);
    }
  }
  const missing = wanted.filter((name) => !lanes().some((lane) => lane.name === name));
  for (const name of missing) process.stdout.write(`skip ${name}: its server is not configured\n`);
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
