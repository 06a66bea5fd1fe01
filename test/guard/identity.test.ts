import test from 'ava';
import { jsonLines, run, runHere } from '../helpers/script';
import { databaseOf, open, postgresLane, postgresUrl, protecting, retarget } from '../helpers/lanes';
import { leadElsewhere, staySilent } from '../helpers/misleading-servers';
import { startProxy } from '../helpers/server-proxy';
import { rowsOf } from '../helpers/state';

const server = postgresUrl === undefined ? test.skip : test.serial;
const url = new URL(postgresUrl ?? 'postgres://127.0.0.1');
const at = { engine: 'postgres' as const, host: url.hostname, port: Number(url.port || 5432) };

server('postgres: a server that leads to another database is refused after one question, nothing written', async (t) => {
  const wanted = await postgresLane.ready(t);
  const other = await postgresLane.ready(t);
  const proxy = await startProxy(at);
  t.teardown(() => proxy.close());
  const port = await leadElsewhere(t, proxy.port, databaseOf(other));
  const before = await open(other, rowsOf);
  for (const script of ['provision', 'migrate'] as const) {
    const result = await runHere(retarget(wanted, { port }), script, script === 'provision' ? ['15', '--json'] : ['--json']);
    t.is(result.code, 3, result.stderr);
    t.like(jsonLines(result)[0], { code: 'GUARD_IDENTITY', exit: 3 });
    t.true(String(jsonLines(result)[0]?.['why']).includes(databaseOf(other)), 'in the words of the server');
  }
  t.is(proxy.statements.length, 2, 'one question for each of the two runs');
  t.true(proxy.statements.every((sql) => /^SELECT current_database\(\) = /.test(sql)), proxy.statements.join('\n'));
  t.deepEqual(await open(other, rowsOf), before);
});

server('postgres: the source is asked in its own role, and refused in it', async (t) => {
  const canvas = await postgresLane.ready(t);
  const source = await postgresLane.ready(t);
  const port = await leadElsewhere(t, at.port, databaseOf(source));
  const result = await runHere(retarget(canvas, { source: { port } }), 'provision', ['15']);
  t.is(result.code, 3, result.stderr);
  t.regex(result.stderr, /GUARD_IDENTITY: The source connection of target scratch reached another database/);
});

server('postgres: a protected name is refused by what the server says it is, whatever was dialled', async (t) => {
  const scratch = await postgresLane.ready(t);
  // Not one of the built-in names: whoever looks for those on this server meanwhile would find it.
  const name = databaseOf(await postgresLane.bare(t));
  const through = protecting(retarget(scratch, { port: await leadElsewhere(t, at.port, name) }), name);
  const result = await runHere(through, 'provision', ['15']);
  t.is(result.code, 3, result.stderr);
  t.regex(result.stderr, new RegExp(`GUARD_PROTECTED: Target scratch leads to a protected database: ${name}`));
});

server('postgres: a session in another database names both ids rightly, from both databases', async (t) => {
  const canvas = await postgresLane.ready(t);
  const source = await postgresLane.ready(t);
  const result = await runHere(retarget(canvas, { source: { database: databaseOf(source) } }), 'provision', ['212', '--json']);
  t.is(result.code, 0, result.stderr);
  t.like(jsonLines(result)[0], { ksessionsId: 212, canvasSessionId: 1, transcripts: 2 });
  t.regex(result.stderr, new RegExp(`canvas {5}${databaseOf(canvas)} on .+\nKSESSIONS {2}${databaseOf(source)} on `));
});

server('postgres: a server that stays silent ends the command, and the message says where', async (t) => {
  t.timeout(60_000);
  const scratch = await postgresLane.empty(t);
  const result = await run(retarget(scratch, { port: await staySilent(t) }), 'provision', ['15']);
  t.is(result.code, 2, result.stderr);
  t.regex(result.stderr, /^TIMEOUT: .+while connecting.+\n {2}the canvas connection of target scratch .+\n/m);
});

server('postgres: nothing is asked at all when the configuration refuses', async (t) => {
  const scratch = await postgresLane.ready(t);
  const proxy = await startProxy(at);
  t.teardown(() => proxy.close());
  const through = retarget(scratch, { port: proxy.port });
  for (const [env, words] of [
    [{ NODE_ENV: 'production' }, []],
    [{ ASPNETCORE_ENVIRONMENT: 'Production' }, []],
    [{}, ['--target', 'prod']],
    [{}, ['--target', 'KSESSIONS']],
  ] as const) {
    const result = await runHere(through, 'provision', ['15', ...words], env);
    t.is(result.code, 3, result.stderr);
  }
  t.is((await runHere(retarget(through, { database: 'kqur' }), 'provision', ['15'])).code, 3);
  t.deepEqual(proxy.statements, []);
});
