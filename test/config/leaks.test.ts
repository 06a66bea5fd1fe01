import test, { type ExecutionContext } from 'ava';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findLeaks } from '../../lib/config/leaks';
import { chooseTarget } from '../../lib/config/targets';
import { entryFor, scratchFolder, TEST_KEY, writeTargets } from '../helpers/lanes';

const PASSWORD = 'nobody\'s "own" password & more';

/** What is found where one file stands beside the list of targets. */
function leaksIn(t: ExecutionContext, name: string, text: string, password = PASSWORD): string[] {
  const folder = scratchFolder(t);
  const { settings } = writeTargets(folder, entryFor('127.0.0.1', 5432, 'canvas'), { SCRATCH_USER: 'app', SCRATCH_PASSWORD: password });
  writeFileSync(join(folder, name), text);
  const { files, leaks } = findLeaks(settings, chooseTarget(settings));
  t.true(files.some((file) => basename(file) === 'targets.json'));
  return leaks.map(({ file, what }) => `${basename(file)}: ${what}`);
}

test('a password is found as it is, in JSON and in a URL, and a key as it is', (t) => {
  t.deepEqual(leaksIn(t, '.env', `PASSWORD=${PASSWORD}\n`), ['.env: a password']);
  t.deepEqual(leaksIn(t, 'appsettings.Development.json', JSON.stringify({ Default: `Password=${PASSWORD};` })), ['appsettings.Development.json: a password']);
  t.deepEqual(leaksIn(t, '.env.local', `URL=postgres://app:${encodeURIComponent(PASSWORD)}@host/canvas`), ['.env.local: a password']);
  t.deepEqual(leaksIn(t, 'dev.env', `CANVAS_HMAC_KEY=${TEST_KEY}`), ['dev.env: an HMAC key']);
});

test('a short one counts where it is a value, and other files are nobody\'s business here', (t) => {
  t.deepEqual(leaksIn(t, '.env', 'PASSWORD="123"', '123'), ['.env: a password']);
  t.deepEqual(leaksIn(t, '.env', 'PORT=51234', '123'), []);
  t.deepEqual(leaksIn(t, 'notes.txt', PASSWORD), []);
  t.deepEqual(leaksIn(t, '.env', 'PASSWORD_FILE=/run/secrets/password'), []);
});
