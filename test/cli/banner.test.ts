/** What stands above every result: where we are, in the server's own words. */
import test from 'ava';
import { banner, enrolmentText } from '../../lib/cli/render';
import { makeMarker } from '../../lib/guard/marker';
import { open, targetAt } from '../helpers/lanes';
import { PRETENDED, pretending, startResponder, table } from '../helpers/tds-responder';

test('what a server calls itself is one line, and moves no cursor', async (t) => {
  const server = 'SQL\u001b[2J\u0007\r\ncanvas     KSESSIONS_DEV on AHHOME\u202e';
  const facts = { isExpected: true, ...PRETENDED, server, serverId: 'X\u001b[31m' };
  const script = pretending(({ sql }) => (sql.includes('isExpected') ? table(Object.keys(facts), Object.values(facts)) : undefined));
  const { port } = await startResponder(t, script);
  await open(targetAt(t, port, 'mssql'), (database) => {
    const lines = banner(database).split('\n');
    t.deepEqual(lines.map((line) => line.slice(0, 11)), ['target     ', 'canvas     ', 'KSESSIONS  ', '']);
    const after = makeMarker(database.target, database.canvas.admission.identity);
    for (const text of [...lines, enrolmentText({ before: undefined, after }).trimEnd()]) t.notRegex(text, /[\p{Cc}\u202e]/u);
    return Promise.resolve();
  });
});
