/**
 * A prompt for who works through sessions one by one. Nothing is open while it waits: each command opens the target by
 * the way of every command and closes it again, so an idle prompt has no connection to lose and no lock to keep others
 * out with, and the guard asks anew each time.
 */
import { requireTarget, withAccess, withReading, type Access, type AccessRequest, type ReadAccess } from '../access';
import { faults } from '../errors';
import { listSessions, type ListedSession, type ListRequest } from '../hosts/listing';
import { assertChange } from './changes';
import { accessRequest, type Run, type Words } from './command';
import { confirm, isTerminal, pick, screen } from './confirm';
import { endHandOver } from './interrupts';
import { LineReader } from './line-reader';
import { banner, plain } from './render';
import { listedText, ListingTally, openTable } from './render-listing';
import { parseIds } from './words';

/** Options that are for programs, or for many sessions. */
const NOT_HERE = { flags: ['json', 'quiet'], texts: ['out', 'resume', 'max-failures'] } as const;

/** More than anybody picks from; the rest is told. */
const MOST_TO_PICK_FROM = 200;

/** Clears the screen, and what was scrolled off it: GUIDs may stand there. */
const CLEAR = '\x1b[H\x1b[2J\x1b[3J';

/** What a command of the prompt works with. */
interface Session {
  readonly run: Run;
  readonly request: AccessRequest;
  readonly provision: (ids: readonly number[]) => Promise<void>;
}

interface Command {
  readonly usage: string;
  readonly what: string;
  readonly run: (session: Session, text: string) => Promise<void>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  list: { usage: 'list', what: 'all sessions and the state of their host GUID', run: list },
  search: { usage: 'search <text>', what: 'sessions whose title contains it, to pick one from', run: search },
  show: { usage: 'show <id>', what: 'one session and its host GUID, as far as it is stored', run: show },
  help: { usage: 'help', what: 'these lines', run: help },
  clear: { usage: 'clear', what: 'an empty screen', run: clear },
};

const EXIT = 'exit';

/**
 * Was no session chosen, by somebody at a terminal? Without one nothing ever prompts.
 * @throws ToolkitError USAGE for an option that does not go with a prompt
 */
export function isInteractive(words: Words): boolean {
  const isChosen = words.positionals.length > 0 || words.flag('all') || words.text('file') !== undefined;
  if (isChosen || !isTerminal()) return false;
  const given = [
    ...NOT_HERE.flags.filter((option) => words.flag(option)),
    ...NOT_HERE.texts.filter((option) => words.text(option) !== undefined),
  ];
  if (given[0] !== undefined) throw faults.notInteractive(given[0]);
  return true;
}

/**
 * Reads and carries out commands until the end of input. An error of one is told, and the next one is asked for.
 * @param provision provisions sessions, and asks before it replaces a live credential
 * @throws ToolkitError INTERRUPTED for Ctrl-C at the prompt; what keeps the target from being opened at all
 */
export async function interact(
  run: Run,
  actor: string,
  provision: (access: Access, ids: readonly number[]) => Promise<void>,
): Promise<void> {
  const request = sayOnce(accessRequest(run, actor), run.notice);
  const session: Session = {
    run,
    request,
    async provision(ids) {
      assertChange(run.words, ids, true);
      await withAccess(request, (access) => provision(access, ids));
    },
  };
  await withAccess(request, () => Promise.resolve());
  run.notice('Type a KSESSIONS id to make its host GUID, or help.\n');
  const lines = new LineReader(screen(), [...Object.keys(COMMANDS), EXIT]);
  const prompt = promptOf(run);
  for (let line = await lines.next(prompt); line !== undefined && line.trim() !== EXIT; line = await lines.next(prompt)) {
    await perform(session, line.trim())
      .catch(run.report)
      .finally(endHandOver);
  }
}

/** Where we are is told when it is first known, and when it is no longer the same; what is to be noticed, once. */
function sayOnce(request: AccessRequest, notice: Run['notice']): AccessRequest {
  let said = '';
  const noticed = new Set<string>();
  return {
    ...request,
    onOpen(database) {
      const text = banner(database);
      if (text !== said) notice(text);
      said = text;
    },
    onNotice(text) {
      if (!noticed.has(text)) request.onNotice(text);
      noticed.add(text);
    },
  };
}

function promptOf({ settings, words }: Run): string {
  const { environment, name } = requireTarget(settings);
  return `${name} (${environment}${words.flag('dry-run') ? ', dry run' : ''})> `;
}

async function perform(session: Session, line: string): Promise<void> {
  const [word = '', ...rest] = line.split(/\s+/);
  if (word === '') return;
  if (/^[-+]?\d/.test(word)) return session.provision(parseIds([word, ...rest]));
  // Alone it never comes here.
  if (word === EXIT) throw misused(EXIT, 'nothing', EXIT);
  const command = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  if (command === undefined) throw faults.unknownCommand(word, [...Object.values(COMMANDS).map(({ usage }) => usage), EXIT]);
  const text = line.slice(word.length).trim();
  const takesText = command.usage !== word;
  if (takesText !== (text !== '')) throw misused(word, takesText ? 'something' : 'nothing', command.usage);
  await command.run(session, text);
}

const misused = (word: string, takes: string, usage: string) => faults.usage(`${word} takes ${takes}.`, 'Nothing was done.', `Type: ${usage}`);

// --- the commands ------------------------------------------------------------------------------------------------

const ALL: ListRequest = { ids: [], search: undefined, states: [], keys: [] };

async function list({ request, run }: Session): Promise<void> {
  const table = await openTable();
  const tally = new ListingTally();
  await withReading(request, async ({ database, keys }) => {
    for await (const page of listSessions(database, keys, ALL)) {
      const head = tally.total === 0 && page.length > 0 ? table.head : '';
      await run.stream(head + page.map((session) => table.row(session)).join(''));
      tally.count(page);
    }
  });
  run.notice(tally.text());
}

async function show({ request, run }: Session, text: string): Promise<void> {
  const ids = parseIds([text]);
  const found = await withReading(request, async (access) => {
    const sessions = await find(access, { ...ALL, ids });
    const [ksessionsId = 0] = ids;
    if (sessions.length === 0) throw faults.sessionNotFound(ksessionsId, access.database.source.admission.identity.database);
    return sessions;
  });
  await run.print(found.map(listedText).join('\n'));
}

async function search({ provision, request, run }: Session, text: string): Promise<void> {
  const found = await withReading(request, (access) => find(access, { ...ALL, search: text }));
  const known = found.filter(({ isInKSessions }) => isInKSessions);
  if (known.length === 0) return run.notice('No session of KSESSIONS has that in its title.\n');
  if (known.length > MOST_TO_PICK_FROM) run.notice(`The first ${MOST_TO_PICK_FROM} of ${known.length}; say more of the title to see others.\n`);
  const picked = await pick(
    'Which one? Typing narrows the list.',
    known.slice(0, MOST_TO_PICK_FROM).map((session) => ({ value: session, label: `${session.ksessionsId}  ${plain(session.title)}`, hint: session.state })),
  );
  if (picked?.ksessionsId === undefined || picked.ksessionsId === null) return;
  await run.print(listedText(picked));
  // A live one is asked about anyway, unless an option has answered that.
  const isAsked = picked.state === 'live' && run.words.text('if-exists') === undefined;
  if (isAsked || (await confirm('Make its host GUID?', 'ids'))) await provision([picked.ksessionsId]);
}

async function find({ database, keys }: ReadAccess, request: ListRequest): Promise<ListedSession[]> {
  const found: ListedSession[] = [];
  for await (const page of listSessions(database, keys, request)) found.push(...page);
  return found;
}

function help({ run }: Session): Promise<void> {
  const lines = [
    ['<id>', 'makes its host GUID; asks before it replaces a live one'],
    ...Object.values(COMMANDS).map(({ usage, what }) => [usage, what]),
    [EXIT, 'ends this, as Ctrl-D does'],
  ];
  return run.print(lines.map(([usage = '', what]) => `${usage.padEnd(15)}${what}\n`).join(''));
}

function clear(): Promise<void> {
  screen().write(CLEAR);
  return Promise.resolve();
}
