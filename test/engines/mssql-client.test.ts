/**
 * What Knex's own SQL Server client does wrong and ours must not: each scene runs on both, against a server that hears
 * everything. Where the stock client stops showing the defect, the override that cures it has lost its reason.
 */
import test, { type ExecutionContext } from 'ava';
import { createRequire } from 'node:module';
import { setImmediate as tick, setTimeout as sleep } from 'node:timers/promises';
import knexFactory, { type Knex } from 'knex';
import { Request, type Connection, type ConnectionConfiguration } from 'tedious';
import { limitStatements, mssqlClient, TransactionOver } from '../../lib/engines/mssql-client';
import { asMssqlAdmin, databaseOf, mssqlLane, mssqlUrl, type Scratch } from '../helpers/lanes';
import { refusal, ROLLED_BACK, startResponder, table, type Responder, type Script } from '../helpers/tds-responder';

/** Where a client connects, and how many connections it may have. */
interface Place {
  readonly port: number;
  readonly most?: number;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  /** How long the server may take to hear that it need not go on. */
  readonly cancelTimeout?: number;
  readonly encrypt?: boolean;
  /** The driver's own bound on a statement; 0 for none. */
  readonly requestTimeout?: number;
}

type Make = (place: Place) => Knex;

const quiet = { warn() {}, error() {}, deprecate() {}, debug() {} };

const makers: Record<'stock' | 'ours', Make> = {
  stock: ({ port, most = 1, database = 'canvas', user = 'suite', password = 'secret', encrypt = false }) =>
    knexFactory({
      client: 'mssql',
      connection: { server: '127.0.0.1', port, user, password, database, options: { encrypt, abortTransactionOnError: true } },
      pool: { min: 0, max: most },
      log: quiet,
    }),
  ours: (place) =>
    knexFactory({
      client: mssqlClient(() => configurationOf(place)),
      connection: {},
      pool: { min: 0, max: place.most ?? 1 },
      log: quiet,
    }),
};

function configurationOf(place: Place): ConnectionConfiguration {
  const { port, database = 'canvas', user = 'suite', password = 'secret', cancelTimeout = 5_000, encrypt = false, requestTimeout = 15_000 } = place;
  return {
    server: '127.0.0.1',
    authentication: { type: 'default', options: { userName: user, password } },
    options: { port, database, encrypt, abortTransactionOnError: true, cancelTimeout, requestTimeout },
  };
}

/** What a scene does with one client, and the facts that come of it. */
type Scene<Facts> = (t: ExecutionContext, make: Make) => Promise<Facts>;

const stockDialect = createRequire(__filename)('knex/lib/dialects/mssql/index.js') as {
  prototype: { requestQueue: unknown[] };
};

/** One test for each client. What the stock client shows is a defect of Knex 3.3. */
function bothClients<Facts>(title: string, scene: Scene<Facts>, expected: { stock: Facts; ours: Facts }): void {
  for (const client of ['stock', 'ours'] as const) {
    test.serial(`${title} (${client === 'ours' ? 'cured' : 'the defect of the stock client'})`, async (t) => {
      t.deepEqual(await scene(t, makers[client]), expected[client]);
      // The stock client's one queue is a field of its class: what a scene leaves in it would run in the next.
      stockDialect.prototype.requestQueue.length = 0;
    });
  }
}

/** Opens a client that ends with the test. */
function open(t: ExecutionContext, make: Make, place: Place): Knex {
  const knex = make(place);
  t.teardown(() => knex.destroy());
  return knex;
}

/** A door that a server waits at. */
function makeDoor(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Waits until a server has heard a statement. */
async function untilHeard(server: Responder, sql: string): Promise<void> {
  while (!server.statements().includes(sql)) await sleep(1);
}

/** Where a statement arrived: in a transaction, outside of any, or nowhere. */
function whereabouts(server: Responder, sql: string): 'in a transaction' | 'outside' | 'nowhere' {
  const heard = server.heard.find((one) => one.sql === sql);
  if (heard === undefined) return 'nowhere';
  return heard.transaction === null ? 'outside' : 'in a transaction';
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : String(error));
const ignore = () => undefined;

// --- which connection a statement runs on ----------------------------------------------------------------------------

bothClients(
  'I-11: a statement of a transaction runs on its own database while another database of the process works',
  async (t, make) => {
    const door = makeDoor();
    const one = await startResponder(t, ({ sql }) => (sql === 'slow' ? door.opened.then(ignore) : undefined));
    const other = await startResponder(t);
    const knex = open(t, make, one);
    const elsewhere = open(t, make, other);
    const work = knex.transaction((trx) => Promise.all([trx.raw('slow'), trx.raw('DELETE everything')]));
    await untilHeard(one, 'slow');
    await elsewhere.raw('harmless');
    await tick();
    door.open();
    await work;
    return { here: whereabouts(one, 'DELETE everything'), there: whereabouts(other, 'DELETE everything') };
  },
  { stock: { here: 'nowhere', there: 'outside' }, ours: { here: 'in a transaction', there: 'nowhere' } },
);

bothClients(
  'parallel statements of a transaction that is rolled back stay in it beside other work of the pool',
  async (t, make) => {
    const door = makeDoor();
    const server = await startResponder(t, ({ sql }) => (sql === 'slow' ? door.opened.then(ignore) : undefined));
    const knex = open(t, make, { port: server.port, most: 2 });
    const work = knex.transaction(async (trx) => {
      await Promise.all([trx.raw('slow'), trx.raw('INSERT to be undone')]);
      throw new Error('undo');
    });
    await untilHeard(server, 'slow');
    await knex.raw('other work');
    await tick();
    door.open();
    const undone = await work.catch((error: Error) => error.message);
    return { undone, insert: whereabouts(server, 'INSERT to be undone') };
  },
  { stock: { undone: 'undo', insert: 'outside' }, ours: { undone: 'undo', insert: 'in a transaction' } },
);

// --- a transaction that met an error ---------------------------------------------------------------------------------

/** Refuses one statement, as XACT_ABORT does. */
const refusing: Script = ({ sql }) => (sql === 'refused' ? [ROLLED_BACK, ...refusal(547, 'A rule is broken.')] : undefined);

bothClients(
  'after an error that is caught and gone on from, no further statement is sent and the commit is refused',
  async (t, make) => {
    const server = await startResponder(t, refusing);
    const outcome = await open(t, make, server)
      .transaction(async (trx) => {
        await trx.raw('refused').catch(ignore);
        await trx.raw('the next').catch((error: unknown) => t.true(error instanceof TransactionOver));
        return 'done';
      })
      .catch(nameOf);
    return { statements: server.statements(), next: whereabouts(server, 'the next'), outcome };
  },
  {
    stock: { statements: ['BEGIN', 'refused', 'the next', 'COMMIT'], next: 'outside', outcome: 'Error' },
    ours: { statements: ['BEGIN', 'refused'], next: 'nowhere', outcome: 'TransactionOver' },
  },
);

bothClients(
  'an error that leaves the transaction open on the server ends it here: nothing more is sent but ROLLBACK',
  async (t, make) => {
    const server = await startResponder(t, ({ sql }) => (sql === 'refused' ? refusal(1222, 'Lock time-out.') : undefined));
    const outcome = await open(t, make, server)
      .transaction(async (trx) => {
        await trx.raw('refused').catch(ignore);
        await trx.raw('the next').catch(ignore);
        return 'committed';
      })
      .catch(nameOf);
    return { statements: server.statements(), outcome };
  },
  {
    stock: { statements: ['BEGIN', 'refused', 'the next', 'COMMIT'], outcome: 'committed' },
    ours: { statements: ['BEGIN', 'refused', 'ROLLBACK'], outcome: 'TransactionOver' },
  },
);

bothClients(
  'a statement that waited behind one that is refused is never sent',
  async (t, make) => {
    const server = await startResponder(t, refusing);
    const knex = open(t, make, server);
    await knex.transaction((trx) => Promise.all([trx.raw('refused'), trx.raw('queued')])).catch(ignore);
    await knex.raw('later');
    await knex.raw('last');
    return whereabouts(server, 'queued');
  },
  { stock: 'outside', ours: 'nowhere' },
);

bothClients(
  'a rollback waits for the statement that is running, and what comes next is not in the old transaction',
  async (t, make) => {
    const door = makeDoor();
    const server = await startResponder(t, ({ sql }) => (sql === 'slow' ? door.opened.then(ignore) : undefined));
    const knex = open(t, make, server);
    const work = knex.transaction(async (trx) => {
      trx.raw('slow').catch(ignore);
      await untilHeard(server, 'slow');
      throw new Error('stop');
    }).catch(nameOf);
    await untilHeard(server, 'slow');
    await tick();
    door.open();
    await work;
    await knex.raw('next');
    return { statements: server.statements(), next: whereabouts(server, 'next') };
  },
  {
    stock: { statements: ['BEGIN', 'slow', 'next'], next: 'in a transaction' },
    ours: { statements: ['BEGIN', 'slow', 'ROLLBACK', 'next'], next: 'outside' },
  },
);

bothClients(
  'a connection that could not be rolled back is not used again',
  async (t, make) => {
    const server = await startResponder(t, ({ kind }) => (kind === 'rollback' ? refusal(1105, 'The log is full.') : undefined));
    const knex = open(t, make, server);
    await knex.transaction(() => Promise.reject(new Error('undo'))).catch(ignore);
    await knex.raw('next');
    return { next: whereabouts(server, 'next'), connection: server.heard.find(({ sql }) => sql === 'next')?.connection };
  },
  { stock: { next: 'in a transaction', connection: 0 }, ours: { next: 'outside', connection: 1 } },
);

bothClients(
  'a connection whose BEGIN failed is not used again: it may have begun',
  async (t, make) => {
    const server = await startResponder(t, ({ kind, connection }) =>
      kind === 'begin' && connection === 0 ? refusal(701, 'There is no memory left.') : undefined,
    );
    const knex = open(t, make, server);
    await knex.transaction((trx) => trx.raw('never')).catch(ignore);
    await knex.transaction((trx) => trx.raw('next')).catch(ignore);
    return { never: whereabouts(server, 'never'), connection: server.heard.find(({ sql }) => sql === 'next')?.connection };
  },
  { stock: { never: 'nowhere', connection: undefined }, ours: { never: 'nowhere', connection: 1 } },
);

test('there is no transaction within a transaction, and no isolation level that would be ignored', async (t) => {
  const server = await startResponder(t);
  const knex = open(t, makers.ours, server);
  await t.throwsAsync(knex.transaction((trx) => trx.transaction(() => Promise.resolve())), { message: /no transactions within/ });
  await t.throwsAsync(knex.transaction(() => Promise.resolve(), { isolationLevel: 'serializable' }), { message: /isolation/ });
  t.deepEqual(server.statements(), ['BEGIN', 'ROLLBACK']);
});

// --- the connection itself -------------------------------------------------------------------------------------------

bothClients(
  'a connection that has ended is given up at once',
  async (t, make) => {
    const server = await startResponder(t, ({ sql }) => (sql === 'the last' ? 'cut' : undefined));
    const knex = open(t, make, server);
    const client = knex.client as { acquireRawConnection(): Promise<object>; destroyRawConnection(raw: object): Promise<void> };
    const raw = (await client.acquireRawConnection()) as Connection;
    const ended = new Promise((resolve) => raw.once('end', resolve));
    await new Promise((resolve) => raw.execSqlBatch(new Request('the last', resolve)));
    await ended;
    // Stock waits for an event that was already told: for ever.
    return Promise.race([client.destroyRawConnection(raw).then(() => 'given up'), sleep(300).then(() => 'waiting')]);
  },
  { stock: 'waiting', ours: 'given up' },
);

bothClients(
  'a server that says it has no TLS never sees the password where TLS is on',
  async (t, make) => {
    const server = await startResponder(t);
    const code = await open(t, make, { port: server.port, encrypt: true }).raw('SELECT 1').then(
      () => 'connected',
      (error: { code: string }) => error.code,
    );
    return { code, heard: server.heard.map(({ kind }) => kind).slice(0, 3) };
  },
  {
    stock: { code: 'connected', heard: ['accept', 'prelogin', 'login'] },
    ours: { code: 'EENCRYPT', heard: ['accept', 'prelogin'] },
  },
);

bothClients(
  'nothing but the target says what is dialled: neither settings, options nor a URL of Knex',
  (_t, make) => {
    const dialled = [
      { connection: { database: 'KSESSIONS', server: 'PROD', port: 1, encrypt: true } },
      { connection: { options: { database: 'KSESSIONS', port: 1, instanceName: 'PROD', encrypt: true } } },
      { connection: 'mssql://suite:secret@PROD:1/KSESSIONS?server=PROD&encrypt=true' },
      { connection: 'mssql://suite:secret@127.0.0.1:1433/canvas?database=KSESSIONS' },
    ].map(({ connection }) => {
      const { client } = (make({ port: 1433 }).client as { config: Knex.Config }).config;
      const knex = knexFactory({ client: client as string, connection: connection as Knex.MsSqlConnectionConfig });
      const { server, options } = (knex.client as { _generateConnection(): ConnectionConfiguration })._generateConnection();
      return `${server}:${options?.port}/${options?.database}`;
    });
    return Promise.resolve(dialled);
  },
  {
    stock: ['PROD:1/KSESSIONS', 'undefined:undefined/KSESSIONS', 'PROD:1/KSESSIONS', '127.0.0.1:1433/KSESSIONS'],
    ours: Array.from({ length: 4 }, () => '127.0.0.1:1433/canvas'),
  },
);

// --- values and names ------------------------------------------------------------------------------------------------

bothClients(
  'a date is sent to the millisecond',
  async (t, make) => {
    const server = await startResponder(t);
    await open(t, make, server).raw('SELECT ?', [new Date('2026-01-02T03:04:05.678Z')]);
    return server.heard.at(-1)?.declared;
  },
  { stock: '@p0 datetime', ours: '@p0 datetime2(7)' },
);

bothClients(
  'a bracket in a name stays in it',
  (_t, make) => Promise.resolve(make({ port: 1 }).select('a]b').from('[c').toSQL().sql),
  { stock: 'select [ab] from [c]', ours: 'select [a]]b] from [[c]' },
);

bothClients(
  'OUTPUT has the names that were asked for, whatever the server calls them',
  async (t, make) => {
    const server = await startResponder(t, ({ kind }) => (kind === 'rpc' ? table(['sessionid', 'createdat'], [7, 'now']) : undefined));
    const rows: unknown = await open(t, make, server)('Sessions').insert({ Title: 'x' }, ['SessionId', 'CreatedAt']);
    return rows;
  },
  { stock: [{ sessionid: 7, createdat: 'now' }] as unknown, ours: [{ SessionId: 7, CreatedAt: 'now' }] },
);

bothClients(
  'the number of rows is read under any name of its column',
  async (t, make) => {
    const server = await startResponder(t, ({ kind }) => (kind === 'rpc' ? table(['@@rowcount'], [3]) : undefined));
    const count: unknown = await open(t, make, server)('Sessions').where({ SessionId: 7 }).update({ Title: 'x' });
    return count;
  },
  { stock: undefined, ours: 3 },
);

// --- streams ---------------------------------------------------------------------------------------------------------

const MANY = Array.from({ length: 5000 }, (_, number) => [number, `row ${number}`] as const);

const rowsServer: Script = ({ sql }) => (sql === 'rows' ? table(['Id', 'Title'], ...MANY) : undefined);

bothClients(
  'a stream that nobody reads holds few rows, and gives all of them in the end',
  async (t, make) => {
    const server = await startResponder(t, rowsServer);
    const stream = open(t, make, server).raw('rows').stream();
    await new Promise((resolve) => stream.once('readable', resolve));
    for (let turn = 0; turn < 200; turn += 1) await tick();
    const isFull = stream.readableLength + stream.writableLength > MANY.length / 10;
    let rows = 0;
    for await (const row of stream) rows += (row as { Id: number }).Id === rows ? 1 : 0;
    return { isFull, rows };
  },
  { stock: { isFull: true, rows: MANY.length }, ours: { isFull: false, rows: MANY.length } },
);

test('a stream that is left early gives its connection back', async (t) => {
  const server = await startResponder(t, rowsServer);
  const knex = open(t, makers.ours, server);
  for await (const row of knex.raw('rows').stream()) {
    t.deepEqual(row, { Id: 0, Title: 'row 0' });
    break;
  }
  await knex.raw('next');
  t.deepEqual(server.statements(), ['rows', 'next']);
});

test.serial('a stream may take longer than a statement, as long as something comes', async (t) => {
  const server = await startResponder(t, ({ sql }) => (sql === 'rows' ? 'endless' : undefined));
  const knex = open(t, makers.ours, { port: server.port, cancelTimeout: 200, requestTimeout: 200 });
  const began = performance.now();
  for await (const row of knex.raw('rows').stream()) {
    t.deepEqual(row, { n: 1 });
    if (performance.now() - began > 1500) break;
  }
});

test('an error reaches whoever reads the stream', async (t) => {
  const server = await startResponder(t, refusing);
  const stream = open(t, makers.ours, server).raw('refused').stream();
  await t.throwsAsync(async () => {
    for await (const row of stream) t.log(row);
  }, { message: /A rule is broken/ });
});

// --- time-outs -------------------------------------------------------------------------------------------------------

for (const [what, script] of [
  ['a server that is busy', ({ sql }) => (sql === 'slow' ? new Promise(ignore) : undefined)],
  ['a server that is gone in the middle of its answer', ({ sql }) => (sql === 'slow' ? 'half' : undefined)],
  ['a server whose answer does not end', ({ sql }) => (sql === 'slow' ? 'endless' : undefined)],
] as const satisfies readonly (readonly [string, Script])[]) {
  test(`the limit of a transaction ends its statements at ${what}, and those of no other`, async (t) => {
    const server = await startResponder(t, script);
    const knex = open(t, makers.ours, { port: server.port, cancelTimeout: 40, requestTimeout: 0 });
    const error = await t.throwsAsync(
      knex.transaction(async (trx) => {
        limitStatements(trx, 40);
        await trx.raw('slow');
      }),
    );
    t.is((error as { code?: string }).code, 'ETIMEOUT');
    await knex.transaction((trx) => trx.raw('next')).catch(ignore);
    t.is(whereabouts(server, 'next'), 'in a transaction');
  });
}

// --- the same on a real server ---------------------------------------------------------------------------------------

const real = mssqlUrl === undefined ? test.skip : test.serial;

/** A scratch database with one row in one table, and where to find it. */
async function oneRow(t: ExecutionContext): Promise<Place & { readonly database: string }> {
  const scratch: Scratch = await mssqlLane.empty(t);
  const database = databaseOf(scratch);
  await asMssqlAdmin('CREATE TABLE dbo.Kept (Id int NOT NULL)', database);
  await asMssqlAdmin('INSERT INTO dbo.Kept (Id) VALUES (1)', database);
  const { port, username, password } = new URL(mssqlUrl ?? '');
  return {
    port: Number(port || 1433), database, user: decodeURIComponent(username), password: decodeURIComponent(password), most: 2,
  };
}

/** Waits until a client has the slow statement in hand. */
function untilSlow(knex: Knex): Promise<void> {
  return new Promise((resolve) => knex.on('query', ({ sql }: { sql: string }) => (sql === SLOW ? resolve() : undefined)));
}

async function rowsIn(database: string): Promise<number> {
  const [row] = await asMssqlAdmin('SELECT COUNT(*) AS [n] FROM dbo.Kept', database);
  return Number(row?.['n']);
}

/** Runs long enough for another connection to answer meanwhile; every TDS server knows it. */
const SLOW = `DECLARE @n int = 0; WHILE @n < 100000 SET @n = @n + 1; SELECT @n AS [n]`;

for (const [client, left] of [['stock', { here: 1, there: 0 }], ['ours', { here: 1, there: 1 }]] as const) {
  const says = client === 'ours' ? 'cured' : 'the defect of the stock client';

  real(`mssql: I-11: a DELETE that is rolled back in one database leaves the rows of another alone (${says})`, async (t) => {
    const one = await oneRow(t);
    const other = await oneRow(t);
    const knex = open(t, makers[client], one);
    const elsewhere = open(t, makers[client], other);
    await elsewhere.raw('SELECT 1 AS [warm]');
    const started = untilSlow(knex);
    const work = knex.transaction(async (trx) => {
      await Promise.all([trx.raw(SLOW), trx.raw('DELETE FROM dbo.Kept')]);
      throw new Error('undo');
    });
    await started;
    await elsewhere.raw('SELECT 1 AS [harmless]');
    await work.catch(ignore);
    t.deepEqual({ here: await rowsIn(one.database), there: await rowsIn(other.database) }, left);
    stockDialect.prototype.requestQueue.length = 0;
  });

  real(`mssql: an INSERT of a transaction that is rolled back beside other work of the pool is undone (${says})`, async (t) => {
    const place = await oneRow(t);
    const knex = open(t, makers[client], place);
    await Promise.all([knex.raw('SELECT 1 AS [warm]'), knex.raw('SELECT 2 AS [warm]')]);
    const started = untilSlow(knex);
    const work = knex.transaction(async (trx) => {
      await Promise.all([trx.raw(SLOW), trx.raw('INSERT INTO dbo.Kept (Id) VALUES (2)')]);
      throw new Error('undo');
    });
    await started;
    await knex.raw('SELECT 1 AS [other]');
    await work.catch(ignore);
    t.is(await rowsIn(place.database), client === 'ours' ? 1 : 2);
    stockDialect.prototype.requestQueue.length = 0;
  });
}

real('mssql: a date comes back to the millisecond', async (t) => {
  const date = new Date('2026-01-02T03:04:05.678Z');
  const [row] = await open(t, makers.ours, await oneRow(t)).raw<{ date: Date }[]>('SELECT ? AS [date]', [date]);
  t.deepEqual(row?.date, date);
});
