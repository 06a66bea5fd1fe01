/**
 * How often provisioning goes to the server, counted on the wire, and what for. A statement more is a wait more for
 * every operator and a longer lock for everybody else: whoever adds one adds its reason here.
 */
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { access, mssqlLane, mssqlUrl, pgliteLane, postgresLane, postgresUrl, retarget, type Lane } from '../helpers/lanes';
import { startProxy } from '../helpers/server-proxy';
import { provisionHere } from '../helpers/state';

/** Per trip: what it is known by. The comments say why the next one cannot go along. */
const FIRST = [
  /from dbo\."Sessions"/i, // does the session exist: before anything is locked
  /^begin/i,
  /advisory_xact_lock|sp_getapplock|system_identifier/i, // opens for writing, asserts, locks, reads the clock
  /left join canvas\."HostSessions"/i, // what is there decides what is written
  /"Title"/i, // a row of the same title that stands for no session may be this one
  /insert into .*Sessions/i, // its id, made by the database, goes into the host session
  /insert into .*HostSessions/i, // its id goes into the event
  /insert into .*HostSessionEvents/i, // its hash goes into the host session
  /update .*HostSessions/i,
  /^commit/i,
  /join canvas\."Sessions"[^]+HostSessionEvents/i, // read back over another statement, with the newest event
];

const ROTATION = [
  /from dbo\."Sessions"/i,
  /^begin/i,
  /advisory_xact_lock|sp_getapplock|system_identifier/i,
  /left join canvas\."HostSessions"/i,
  /insert into .*HostSessionEvents/i, // its hash goes into the host session
  /update .*HostSessions/i,
  /update .*Sessions/i, // the hash copy
  /^commit/i,
  /join canvas\."Sessions"[^]+HostSessionEvents/i,
];

function expectTrips(t: ExecutionContext, sent: readonly string[], trips: readonly RegExp[]): void {
  t.is(sent.length, trips.length, sent.join('\n'));
  trips.forEach((trip, place) => t.regex(sent[place] ?? '', trip));
}

const servers: [Lane, string | undefined, number][] = [
  [postgresLane, postgresUrl, 5432],
  [mssqlLane, mssqlUrl, 1433],
];
for (const [lane, url, port] of servers) {
  (url === undefined ? test.skip : test.serial)(`${lane.name}: provisioning takes exactly these trips to the server`, async (t) => {
    const server = new URL(url ?? '');
    const engine = lane.name === 'mssql' ? 'mssql' : 'postgres';
    const proxy = await startProxy({ engine, host: server.hostname, port: Number(server.port || port) });
    t.teardown(() => proxy.close());
    const scratch = await lane.ready(t);
    await access(retarget(scratch, { server: '127.0.0.1', port: proxy.port }), async (open) => {
      for (const trips of [FIRST, ROTATION]) {
        const before = proxy.statements.length;
        await provisionHere(open, { ksessionsId: 15 });
        expectTrips(t, proxy.statements.slice(before), trips);
      }
    });
  });
}

test.serial('pglite: provisioning asks the embedded engine exactly as often', async (t) => {
  const sent: string[] = [];
  const client = pg.Client.prototype as { query: (...words: unknown[]) => unknown };
  const original = Object.getOwnPropertyDescriptor(client, 'query')?.value as typeof client.query;
  t.teardown(() => void (client.query = original));
  client.query = function (this: pg.Client, ...words) {
    const [statement] = words as [string | { text: string }];
    sent.push(typeof statement === 'string' ? statement : statement.text);
    return Reflect.apply(original, this, words);
  };
  await access(await pgliteLane.ready(t), async (open) => {
    for (const trips of [FIRST, ROTATION]) {
      sent.length = 0;
      await provisionHere(open, { ksessionsId: 15 });
      expectTrips(t, sent, trips);
    }
  });
});
