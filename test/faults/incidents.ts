/**
 * Are the replays of incidents able to fail? Each break takes away what stops one of them, in a copy of the package; its
 * replay must then fail, and hold in a copy where nothing is broken.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { PACKAGE_ROOT } from '../../lib/config/settings';
import type { Lane } from '../helpers/lanes';
import { THEMES } from '../incidents/all';
import { titleOf } from '../incidents/incident';

/** One place of the code, and what stands there without what stops the incident. */
export interface Break {
  readonly id: `I-${string}`;
  readonly what: string;
  readonly file: string;
  readonly code: string;
  readonly broken: string;
  /** Where its replay sees it, if not on every lane of the incident. */
  readonly lanes?: readonly Lane['name'][];
}

export const BREAKS: readonly Break[] = [
  { id: 'I-01', what: 'protected names are not looked at', file: 'lib/guard/guard.ts', code: 'return names.some((other) => fold(other) === fold(name));', broken: 'return false;' },
  { id: 'I-02', what: 'a refused login does not say where it was read', file: 'lib/errors.ts', code: 'they were read from ${place.login}', broken: 'they were wrong' },
  { id: 'I-03', what: 'a runtime may call itself production', file: 'lib/guard/guard.ts', code: 'if (meansProduction(value)) throw', broken: 'if (false) throw' },
  { id: 'I-05', what: 'a connection string may lead elsewhere', file: 'lib/config/credentials.ts', code: '  assertRepeatsTarget(facts, {', broken: '  void ({' },
  { id: 'I-08', what: 'names are compared by their beginning', file: 'lib/guard/guard.ts', code: 'fold(other) === fold(name)', broken: 'fold(name).startsWith(fold(other))' },
  { id: 'I-10', what: 'the source may be a protected database', file: 'lib/guard/guard.ts', code: "for (const role of ['canvas', 'source'] as const) assertNotProtected", broken: "for (const role of ['canvas'] as const) assertNotProtected" },
  { id: 'I-10', what: 'the gate does not say which environment the source is of', file: 'lib/checks/guard.ts', code: 'assertSourceMark(source.admission, found)', broken: 'undefined', lanes: ['postgres', 'mssql'] },
  { id: 'I-10', what: 'a source of another environment is taken', file: 'lib/access.ts', code: '    await requireSourceMark(database);\n', broken: '', lanes: ['postgres', 'mssql'] },
  { id: 'I-18', what: 'a batch does not look where it is', file: 'lib/migrations/script-file.ts', code: 'this.#add(`${this.#protection()}\\n${body}`);', broken: 'this.#add(body);' },
  { id: 'I-20', what: 'a canvas row of the same title is not looked for', file: 'lib/hosts/survey.ts', code: 'export async function findNamesakes(reader: Reader, titles: readonly string[], now: Date): Promise<Map<string, number[]>> {', broken: '$&\n  if (titles.length > 0) return new Map();' },
  { id: 'I-24', what: 'a dry run is a run', file: 'lib/cli/changes.ts', code: "if (run.words.flag('dry-run')) return preview(task);", broken: '' },
  { id: 'I-25', what: 'the gate does not set the exit code', file: 'lib/cli/gate.ts', code: 'process.exitCode = fault.exit;', broken: '' },
  { id: 'I-28', what: 'a script may ask where nobody is', file: 'lib/cli/confirm.ts', code: 'if (!isTerminal()) throw faults.noTerminal(option);', broken: '' },
  { id: 'I-33', what: 'the hash copy does not follow', file: 'lib/hosts/store.ts', code: 'HostGuid: hash, ModifiedAt: writer.now })', broken: "HostGuid: hash.replace(/.$/, '-'), ModifiedAt: writer.now })" },
  { id: 'I-36', what: 'a row that ended counts as live', file: 'lib/hosts/authenticate.ts', code: "  revoked: 'revoked',\n", broken: "  revoked: 'valid',\n" },
  { id: 'I-37', what: 'an id wraps', file: 'lib/cli/words.ts', code: 'if (id < 1 || id > MAX_KSESSIONS_ID) throw', broken: 'if (id < 1) throw' },
  { id: 'I-38', what: 'the public constant is a key like any other', file: 'lib/config/keys.ts', code: 'if (key.includes(PUBLIC_LEGACY_KEY)) {', broken: 'if (false) {' },
  { id: 'I-40', what: 'the stored hash opens, too', file: 'lib/hosts/authenticate.ts', code: 'if (guid === undefined) return { answer: unknown(undefined), host: undefined };', broken: "if (guid === undefined) return { answer: { ...unknown(undefined), verdict: 'valid' }, host: undefined };" },
  { id: 'I-41', what: 'expiry is not looked at', file: 'lib/hosts/authenticate.ts', code: "  expired: 'expired',\n", broken: "  expired: 'valid',\n" },
  { id: 'I-42', what: 'an administrator is a login like any other', file: 'lib/checks/security.ts', code: 'observed(await findExcess(database),', broken: 'observed((await findExcess(database)).slice(0, 0),', lanes: ['postgres', 'mssql'] },
];

const PARTS = ['lib', 'migrations', 'seeds', 'scripts', 'test', 'docs', 'knexfile.ts', 'package.json', 'package-lock.json', 'tsconfig.json', 'targets.json'];

function copyAll(): string {
  const folder = mkdtempSync(join(tmpdir(), 'canvas-host-broken-'));
  for (const part of PARTS) cpSync(join(PACKAGE_ROOT, part), join(folder, part), { recursive: true });
  // A folder of its own: AVA keeps in it what leads to the project.
  const installed = join(PACKAGE_ROOT, 'node_modules');
  mkdirSync(join(folder, 'node_modules'));
  for (const name of readdirSync(installed).filter((one) => one !== '.cache')) {
    symlinkSync(join(installed, name), join(folder, 'node_modules', name), 'junction');
  }
  return folder;
}

const REPLAYS = THEMES.flatMap(({ file, incidents }) => incidents.map((incident) => ({ file, incident })));

const replayOf = (id: string) => REPLAYS.find(({ incident }) => incident.id === id);

/** The breaks that a replay on a lane is to see. */
export function breaksOn(lane: Lane): Break[] {
  const isReplayed = (id: string) => lane.name === 'pglite' || replayOf(id)?.incident.once === undefined;
  return BREAKS.filter(({ id, lanes }) => isReplayed(id) && lanes?.includes(lane.name) !== false);
}

const SERVERS = { TEST_POSTGRES_URL: 'postgres', TEST_MSSQL_URL: 'mssql' } as const;

/** This process's variables, with no server but the lane's: what other lanes make would be for nothing. */
function envFor({ name }: Lane): NodeJS.ProcessEnv {
  const others = Object.entries(SERVERS).filter(([, server]) => server !== name);
  return { ...process.env, ...Object.fromEntries(others.map(([variable]) => [variable, undefined])) };
}

/** @returns whether the replay of an incident held in a copy of the package, and what was printed */
async function replayIn(folder: string, id: string, lane: Lane): Promise<{ held: boolean; printed: string }> {
  const replay = replayOf(id);
  if (replay === undefined) throw new Error(`There is no incident ${id}.`);
  const { file, incident } = replay;
  const words = [join(folder, 'node_modules', 'ava', 'entrypoints', 'cli.mjs'), `test/incidents/${file}.test.ts`, `--match=${titleOf(incident, lane)}`];
  const child = spawn(process.execPath, words, { cwd: folder, env: envFor(lane), stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'close') as Promise<[number]>]);
  return { held: code === 0, printed: stdout + stderr };
}

/** @returns what is wrong: a replay that cannot fail, or one that fails by itself */
export async function breakIncident({ broken, code, file, id, what }: Break, lane: Lane): Promise<string[]> {
  const folder = copyAll();
  try {
    const whole = await replayIn(folder, id, lane);
    if (!whole.held) return [`${id} does not hold where nothing is broken:\n${whole.printed}`];
    const path = join(folder, file);
    const before = readFileSync(path, 'utf8');
    const after = before.replaceAll(code, broken);
    if (after === before) return [`${id}: ${file} no longer holds what was to be broken`];
    writeFileSync(path, after);
    const { held, printed } = await replayIn(folder, id, lane);
    if (held) return [`${id} holds, though ${what}`];
    // A replay that was not run at all proves nothing.
    return printed.includes(`${id}: `) ? [] : [`${id} was not replayed:\n${printed}`];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
