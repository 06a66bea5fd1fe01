'use strict';
// One process of a crowd: changes credentials at random until its time is over, then tells what came of it.
//   node crowd-member.cjs SECONDS ID,ID,…
const toolkit = require('../../lib/register.cjs');

const [seconds, list] = process.argv.slice(2);
const ids = list.split(',').map(Number);
const pick = (values) => values[Math.floor(Math.random() * values.length)];
const some = () => {
  const chosen = ids.filter(() => Math.random() < 0.4);
  return chosen.length > 0 ? chosen : [pick(ids)];
};

// What another run may have come first with; all else, a deadlock above all, is wrong.
const EXPECTED = ['HOST_SESSION_NOT_FOUND'];

async function work({ database, keys, permit }) {
  const told = { done: 0, refused: {}, wrong: [] };
  const end = Date.now() + Number(seconds) * 1000;
  const terms = { actor: `process ${process.pid}`, reason: null, expiresAt: undefined, ifExists: 'rotate' };
  const verbs = [
    (some) => toolkit.provisioning(database, some, terms),
    (some) => toolkit.rotating(database, some, terms),
    (some) => toolkit.revoking({ by: 'KSessionsId', ids: some }, terms),
  ];
  const delivery = { handOver: () => Promise.resolve(), withdraw: () => undefined };
  while (Date.now() < end) {
    try {
      const verb = await pick(verbs)(some());
      for (const result of await toolkit.applyChanges(database, permit, keys, verb, delivery)) {
        if (!(result instanceof toolkit.ToolkitError)) told.done += 1;
        else if (EXPECTED.includes(result.code)) told.refused[result.code] = (told.refused[result.code] ?? 0) + 1;
        else told.wrong.push(`${result.code}: ${result.message} ${result.why}`);
      }
    } catch (error) {
      told.wrong.push(`${error.code ?? error.name}: ${error.message} ${error.why ?? ''}`);
    }
  }
  return told;
}

const request = {
  settings: toolkit.readSettings(process.env),
  actor: 'crowd',
  waitMs: 60_000,
  onOpen: () => undefined,
  onNotice: () => undefined,
};
toolkit.withAccess(request, work).then(
  (told) => process.stdout.write(JSON.stringify(told)),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  },
);
