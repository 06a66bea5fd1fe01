import test from 'ava';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { access, pgliteLane, type Scratch } from '../helpers/lanes';
import { long } from '../helpers/long';
import { commandOf } from '../helpers/script';
import { shareScratch } from '../helpers/shared';
import { hostSessions, provisionHere, verifies } from '../helpers/state';

const shared = shareScratch(pgliteLane);
const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

/** Runs a shell line in which `provision` is the command; the exit code is that of the command. */
function shell(scratch: Scratch, line: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const setup = `provision() { "${commandOf('provision').join('" "')}" "$@"; }; set -o pipefail; cd "${scratch.folder}"; `;
  const child = spawn('bash', ['-c', setup + line], { env: scratch.env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

const unixLong = process.platform === 'win32' ? test.skip : long;

/** The reader is there as long as the command is, however slow the machine, and takes nothing; the pipe is full. */
const UNREAD =
  '(head -c 65536 /dev/zero; provision 15; code=$?; touch ended; exit $code) | while [ ! -e ended ]; do sleep 0.2; done';

/** Lines whose reader is not there for the GUID: the old one must keep working, and the command must end. */
const LOST: readonly (readonly [string, string, RegExp])[] = [
  ['a full disk', 'provision 15 > /dev/full', /TIMEOUT: .+could not be handed over[^]*ENOSPC/],
  ['a reader that left', 'provision 15 | true', /TIMEOUT: .+could not be handed over[^]*EPIPE/],
  ['a closed output', 'provision 15 >&-', /USAGE: Nobody would see the host GUID/],
  ['the null device', 'provision 15 > /dev/null', /USAGE: Nobody would see the host GUID/],
  ['a full disk beside --out', 'provision 15 --out new.txt > /dev/full', /TIMEOUT: .+ENOSPC/s],
  ['a reader that never reads', UNREAD, /TIMEOUT: .+could not be handed over[^]*ETIMEDOUT/],
];

unixLong('when nobody is there for the GUID, nothing is changed, the earlier GUID still works, and the command ends', async (t) => {
  t.timeout(120_000);
  const scratch = shared();
  const { guid } = await access(scratch, (open) => provisionHere(open, { ksessionsId: 15 }));
  for (const [what, line, expected] of LOST) {
    const result = await shell(scratch, line);
    t.is(result.code, 2, `${what}: ${result.stderr}`);
    t.regex(result.stderr, expected, what);
    t.notRegex(result.stderr, /^ +at /m, `${what}: no stack trace`);
  }
  t.false(existsSync(join(scratch.folder, 'new.txt')), 'a void GUID stays in no file');
  await access(scratch, async (open) => {
    const [row] = await hostSessions(open, 15);
    t.true(verifies(open, guid, row));
    t.is(row?.actions.length, 1);
  });
});

/** Here the reader has the GUID; what else cannot be told changes nothing about that. */
const TOLD = [
  'provision 1 | head -8',
  'provision 212 --quiet 2> /dev/full',
  'provision 215 --quiet 2>&-',
  'provision 218 --quiet 2> >(true)',
];

unixLong('a reader that leaves after the GUID, and notices that nobody takes: the command succeeds', async (t) => {
  const scratch = shared();
  const guids = new Map<number, string>();
  for (const line of TOLD) {
    const result = await shell(scratch, line);
    t.is(result.code, 0, `${line}\n${result.stderr}`);
    guids.set(Number(/\d+/.exec(line)?.[0]), GUID.exec(result.stdout)?.[0] ?? '');
  }
  await access(scratch, async (open) => {
    for (const [id, guid] of guids) t.true(verifies(open, guid, (await hostSessions(open, id))[0]), String(id));
  });
});
