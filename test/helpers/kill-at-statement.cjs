'use strict';
// Loaded with --require into a process that uses the embedded engine: writes each statement into
// STATEMENTS_FILE, one JSON string a line, and ends the process with SIGKILL before or after the one that
// KILL_AT names (`before 12`, `after 12`, counted from 0). A simple query is one message; another statement
// begins with Parse and ends with Sync.
const { Buffer } = require('node:buffer');
const { appendFileSync } = require('node:fs');

const { STATEMENTS_FILE, KILL_AT = '' } = process.env;
const [moment, place] = KILL_AT.split(' ');
let index = -1;

function killAt(now) {
  if (moment === now && Number(place) === index) process.kill(process.pid, 'SIGKILL');
}

/** The text that ends with a zero byte, after `skip` others. */
function textAt(bytes, skip) {
  return Buffer.from(bytes.subarray(5)).toString('utf8').split('\0')[skip];
}

function begin(sql) {
  index += 1;
  appendFileSync(STATEMENTS_FILE, `${JSON.stringify(sql)}\n`);
  killAt('before');
}

// The toolkit imports the same module later, so this runs before its first statement.
import('@electric-sql/pglite').then(({ PGlite }) => {
  const { execProtocolStream } = PGlite.prototype;
  PGlite.prototype.execProtocolStream = async function (message, ...rest) {
    const type = String.fromCharCode(message[0]);
    if (type === 'Q') begin(textAt(message, 0));
    if (type === 'P') begin(textAt(message, 1));
    const answer = await execProtocolStream.call(this, message, ...rest);
    if (type === 'Q' || type === 'S') killAt('after');
    return answer;
  };
});
