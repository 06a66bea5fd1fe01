'use strict';
// A process or worker thread that takes folder locks on command. Each message is { verb, ...arguments };
// the answer is { value } or { error }. See the verbs below.
const { fork } = require('node:child_process');
const fs = require('node:fs');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { parentPort } = require('node:worker_threads');

require('../../lib/register.cjs');
const { acquireFolderLock, withFolderLock } = require('../../lib/engines/folder-lock');

const { linkSync, readFileSync, rmSync } = fs;
const clock = new Int32Array(new SharedArrayBuffer(4));
let delayMs = 0;
let held;
let child;

function slowly(operation) {
  return (path, ...rest) => {
    if (delayMs > 0 && Math.random() < 0.2) Atomics.wait(clock, 0, 0, Math.random() * delayMs);
    return operation(path, ...rest);
  };
}

Object.assign(fs, { linkSync: slowly(linkSync), readFileSync: slowly(readFileSync), rmSync: slowly(rmSync) });

function refuseLink() {
  throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
}

const verbs = {
  async hold({ folder, waitMs = 0 }) {
    held = await acquireFolderLock(folder, { waitMs });
  },

  free() {
    held.release();
  },

  /** Adds one to the number in a file, often; without exclusion some of it is lost. */
  async count({ folder, times }) {
    const file = join(folder, 'counter');
    for (let i = 0; i < times; i += 1) {
      await withFolderLock(folder, { waitMs: 60_000 }, async () => {
        const number = Number(fs.readFileSync(file, 'utf8'));
        await sleep(Math.random() * 2);
        fs.writeFileSync(file, String(number + 1));
      });
      await sleep(Math.random() * 10);
    }
  },

  /** Tries once; whoever gets in leaves a witness for a moment, and fails when there is one already. */
  async rush({ folder, witness, stayMs }) {
    try {
      await withFolderLock(folder, { waitMs: 0 }, async () => {
        fs.closeSync(fs.openSync(witness, 'wx'));
        await sleep(stayMs);
        fs.unlinkSync(witness);
      });
      return 'held';
    } catch (error) {
      if (error.code === 'LOCKED') return 'locked';
      throw error;
    }
  },

  /** A machine where now and then a file operation takes its time: the slow meet locks that are new. */
  dawdle({ mostMs }) {
    delayMs = mostMs;
  },

  /** A file system that knows no hard links. */
  withoutLinks({ yes }) {
    fs.linkSync = yes ? refuseLink : slowly(linkSync);
  },

  /** A child of this process takes the lock; the answer is the child's pid. */
  async bear({ folder }) {
    child = fork(join(__dirname, 'folder-lock-holder.cjs'));
    child.send({ verb: 'hold', folder });
    await new Promise((resolve) => child.once('message', resolve));
    return child.pid;
  },
};

async function obey({ verb, ...rest }) {
  try {
    answer({ value: await verbs[verb](rest) });
  } catch (error) {
    const { name, code, message, why, hint } = error;
    answer({ error: { name, code, message, why, hint } });
  }
}

function answer(message) {
  if (parentPort) parentPort.postMessage(message);
  else process.send(message);
}

(parentPort ?? process).on('message', obey);
// A holder never outlives the test that started it.
if (!parentPort) process.on('disconnect', () => process.exit());
