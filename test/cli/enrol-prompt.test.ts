/** Enrolment as a person does it: the name of the database is typed, as the server reported it. */
import test from 'ava';
import { readMarker } from '../../lib/migrations/enrol';
import { access, execute, open, pgliteLane, postgresLane, postgresUrl } from '../helpers/lanes';
import { long } from '../helpers/long';
import { commandOf } from '../helpers/script';
import { rowsOf } from '../helpers/state';
import { loadTerminals, runOnTerminal } from '../helpers/terminal';

/** The engine plays no part in asking; a server makes the commands start sooner. */
const lane = postgresUrl === undefined ? pgliteLane : postgresLane;

const QUESTION = /The name of the database, as printed above after "canvas":/;

const terminals = loadTerminals();
if ('missing' in terminals) {
  test.skip(`terminal: skipped, @lydell/node-pty does not load here: ${terminals.missing}`, () => undefined);
} else {
  long('on a terminal the typed name enrols; Ctrl-C, Ctrl-D and another name leave everything as it was', async (t) => {
    const scratch = await lane.ready(t);
    await access(scratch, (one) => execute(one, 'DELETE FROM canvas."Environment"'));
    const look = () =>
      open(scratch, async (database) => ({
        name: database.canvas.admission.identity.database,
        mark: await readMarker(database.canvas),
        rows: await rowsOf(database),
      }));
    const before = await look();
    t.is(before.mark, undefined);
    const type = (keys: string) =>
      runOnTerminal(terminals, scratch, commandOf('enrol', ['--target', 'scratch']), [{ to: QUESTION, keys }]);

    for (const keys of ['\x03', '\x04', `${before.name}_2\r`]) {
      const { code, screen } = await type(keys);
      t.true([3, 130].includes(code), screen);
      t.regex(screen, new RegExp(`canvas {5}${before.name} on [^]*${QUESTION.source}`), 'it says first who it is');
    }
    t.deepEqual(await look(), before);

    const { code, screen } = await type(`${before.name}\r`);
    t.is(code, 0, screen);
    t.regex(screen, /Enrolled scratch/);
    t.like((await look()).mark, { target: 'scratch', environment: 'test', database: before.name });
  });
}
