/** The wrong database: I-01 to I-11. */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import knexFactory from 'knex';
import { mssqlClient } from '../../lib/engines/mssql-client';
import { ToolkitError } from '../../lib/errors';
import { enrol } from '../../lib/migrations/enrol';
import { seed } from '../../seeds/ksessions_samples';
import { databaseOf, entryFor, open, protecting, retarget, scratchFolder, targetAt, writeTargets, type Scratch } from '../helpers/lanes';
import { jsonLines, runHere } from '../helpers/script';
import { snapshot } from '../helpers/state';
import { pretending, refusal, startResponder, table } from '../helpers/tds-responder';
import { checkFiles, connectionTo, notHolding, type Incident, type Stage } from './incident';

/** A port of the loopback that counts who knocks. */
async function door(t: ExecutionContext): Promise<{ port: number; knocks: () => number }> {
  let knocks = 0;
  const server = createServer((socket) => {
    knocks += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, knocks: () => knocks };
}

const LOGIN = { SCRATCH_USER: 'app', SCRATCH_PASSWORD: 'canary-PASSWORD' };

/** A target of a server that never answers, by what its entry says. */
function targetOf(t: ExecutionContext, port: number, changes: object, env: NodeJS.ProcessEnv = LOGIN): Scratch {
  return writeTargets(scratchFolder(t), { ...entryFor('127.0.0.1', port, 'KSESSIONS_DEV', 'mssql'), ...changes }, env);
}

/** A target whose server refuses the login. The embedded engine has neither: there a server is made up. */
async function withoutLogin(t: ExecutionContext, { lane, scratch }: Stage, login: NodeJS.ProcessEnv): Promise<Scratch> {
  if (lane.name !== 'pglite') return { ...scratch(), env: { ...scratch().env, ...login } };
  const { port } = await startResponder(t, ({ kind }) => (kind === 'login' ? refusal(18456, "Login failed for user 'app'.", 14) : undefined));
  return targetOf(t, port, {}, login);
}

/** Marks a database as one of an environment. */
function enrolIn(environment: string, scratch: Scratch): Promise<unknown> {
  return open(retarget(scratch, { environment }), (database) => enrol(database, database.canvas.admission.identity.database, 'suite'));
}

export const WRONG_DATABASE: readonly Incident[] = [
  {
    id: 'I-01',
    happened: 'The provisioner was configured for KSESSIONS, the production database, while the application used KSESSIONS_DEV',
    stops: 'A target whose database is protected is refused before anything is dialled, in either role; check-config finds components that differ',
    where: ['lib/guard/guard.ts', 'lib/config/targets.ts', 'lib/checks/configuration-places.ts'],
    once: 'it is refused before anything is dialled',
    async replay(t) {
      const { port, knocks } = await door(t);
      for (const changes of [{ database: 'KSESSIONS' }, { database: 'ksessions' }, { source: { database: 'KSESSIONS' } }]) {
        for (const script of ['provision', 'rotate', 'revoke'] as const) {
          const result = await runHere(targetOf(t, port, changes), script, ['15', '--json']);
          t.is(result.code, 3, result.stderr);
          t.like(jsonLines(result)[0], { code: 'GUARD_PROTECTED', exit: 3 });
        }
      }
      t.is(knocks(), 0, 'nobody knocked');
      const found = await checkFiles(t, {
        'web/appsettings.json': connectionTo('KSESSIONS_DEV'),
        'provisioner/appsettings.json': connectionTo('KSESSIONS'),
      });
      t.deepEqual(found, ['configuration.target', 'configuration.production', 'configuration.components']);
    },
  },
  {
    id: 'I-02',
    happened: 'The password was the placeholder 123; authentication failed late and said nothing useful',
    stops: 'A login that the server refuses ends the command at once, naming the variables to look at and no password; check-config knows placeholders',
    where: ['lib/engines/mssql.ts', 'lib/errors.ts', 'lib/config/known-passwords.ts'],
    async replay(t, stage) {
      const scratch = await withoutLogin(t, stage, { SCRATCH_USER: 'nobody_of_that_name', SCRATCH_PASSWORD: '123-canary' });
      const result = await runHere(scratch, 'provision', ['15', '--verbose']);
      t.is(result.code, 2, result.stderr);
      t.regex(result.stderr, /^CONFIG: .*login.*\n/im);
      t.regex(result.stderr, /SCRATCH_USER and SCRATCH_PASSWORD/, 'where the login comes from');
      t.notRegex(result.stderr + result.stdout, /123-canary/);
      const found = await checkFiles(t, {
        'web/appsettings.json': connectionTo('KSESSIONS_DEV'),
        'provisioner/appsettings.json': connectionTo('KSESSIONS_DEV', 'User Id=canvas_app;Password=123'),
      });
      t.deepEqual(found, ['configuration.passwords', 'configuration.same-password']);
    },
  },
  {
    id: 'I-03',
    happened: 'Setting one environment variable to "Production" was enough to write to production, without a question',
    stops: 'A runtime that calls itself production is refused, whatever the target; no variable opens anything',
    where: ['lib/guard/guard.ts'],
    async replay(t, { scratch }) {
      const before = await open(scratch(), snapshot);
      for (const variable of ['ASPNETCORE_ENVIRONMENT', 'DOTNET_ENVIRONMENT', 'NODE_ENV']) {
        const result = await runHere(scratch(), 'provision', ['15'], { [variable]: 'Production' });
        t.is(result.code, 3, result.stderr);
        t.regex(result.stderr, /^GUARD_PRODUCTION: /m);
        t.is(result.stdout, '');
      }
      const named = await runHere(retarget(scratch(), { environment: 'production' }), 'provision', ['15']);
      t.is(named.code, 3, 'nor does a target that says so');
      t.deepEqual(await open(scratch(), snapshot), before);
    },
  },
  {
    id: 'I-04',
    happened: 'With no configuration found, because it ran from another folder, it fell back to a connection string in its source',
    stops: 'A list of targets that is not found is an error; the working directory plays no part in what is found',
    where: ['lib/config/settings.ts', 'lib/config/targets.ts'],
    once: 'which list of targets is read does not depend on the engine',
    async replay(t, { scratch }) {
      const absent = join(scratch().folder, 'absent.json');
      const result = await runHere(scratch(), 'provision', ['15'], { CANVAS_TARGETS_FILE: absent });
      t.is(result.code, 2, result.stderr);
      t.regex(result.stderr, /^CONFIG: .*absent\.json/m);
      t.is(result.stdout, '');
      const elsewhere = join(scratch().folder, 'elsewhere');
      mkdirSync(elsewhere, { recursive: true });
      writeFileSync(join(elsewhere, 'targets.json'), '{ "default": "trap", "targets": {} }');
      const there = await runHere({ ...scratch(), folder: elsewhere }, 'provision', ['15', '--dry-run', '--json']);
      t.is(there.code, 0, there.stderr);
      t.like(jsonLines(there)[0], { target: { name: 'scratch' } });
    },
  },
  {
    id: 'I-05',
    happened: 'Two configuration files disagreed, and a production deployment wrote tokens to the development database',
    stops: 'A connection string may only repeat what the target says; before a release check-config finds files that differ or lead to another environment',
    where: ['lib/config/connection-string.ts', 'lib/config/credentials.ts', 'lib/checks/configuration-places.ts'],
    once: 'it is refused before anything is dialled',
    async replay(t) {
      const { port, knocks } = await door(t);
      const string = (database: string, more = '') =>
        `Data Source=127.0.0.1,${port};Initial Catalog=${database};User Id=app;Password=canary-PASSWORD${more}`;
      for (const text of [string('KSESSIONS'), string('KSESSIONS_DEV2'), string('KSESSIONS_DEV', ';Database=KSESSIONS')]) {
        const result = await runHere(targetOf(t, port, {}, { SCRATCH_CONNECTION_STRING: text }), 'provision', ['15']);
        t.true([2, 3].includes(Number(result.code)), result.stderr);
        t.regex(result.stderr, /^(GUARD_DIFFERS|CONFIG): /m);
        t.notRegex(result.stderr, /canary/);
      }
      t.is(knocks(), 0);
      const found = await checkFiles(t, {
        'web/appsettings.json': connectionTo('KSESSIONS_DEV'),
        'web/appsettings.Production.json': connectionTo('KSESSIONS'),
        'provisioner/appsettings.json': connectionTo('KSESSIONS_DEV'),
        'provisioner/appsettings.Production.json': connectionTo('KSESSIONS_DEV'),
      });
      t.true(found.includes('configuration.components'), found.join());
      t.true(found.includes('configuration.environment'), found.join());
    },
  },
  {
    id: 'I-06',
    happened: 'A local override file silently pointed the production application at development, for two hours of outage',
    stops: 'Nothing but the one list of targets says where a name leads here; of the application\'s own files check-config says which one wins silently',
    where: ['lib/config/settings.ts', 'lib/config/targets.ts', 'lib/config/appsettings.ts', 'lib/checks/configuration-places.ts'],
    once: 'which list of targets is read does not depend on the engine',
    async replay(t, { scratch }) {
      const { folder } = scratch();
      const trap = JSON.stringify({ ConnectionStrings: { DefaultConnection: 'Server=elsewhere;Database=KSESSIONS' } });
      const overrides = ['.env', '.env.local', 'targets.local.json', 'targets.Development.json', 'appsettings.json', 'appsettings.Local.json'];
      for (const name of overrides) writeFileSync(join(folder, name), name.startsWith('.env') ? 'CANVAS_TARGET=elsewhere\nNODE_ENV=production\n' : trap);
      const result = await runHere(scratch(), 'provision', ['212', '--json', '--dry-run']);
      t.is(result.code, 0, result.stderr);
      t.like(jsonLines(result)[0], { target: { name: 'scratch', engine: 'pglite' } });
      t.regex(result.stderr, /^target {5}scratch \(test/m, 'and it says where it is, before any work');
      const found = await checkFiles(t, {
        'web/appsettings.json': connectionTo('KSESSIONS_DEV'),
        'web/appsettings.Production.json': connectionTo('KSESSIONS'),
        'web/appsettings.Local.json': connectionTo('KSESSIONS_TEST'),
      });
      t.true(found.includes('configuration.overrides'), found.join());
    },
  },
  {
    id: 'I-07',
    happened: 'A "test" ran against production, deleted participants of a live session, and reported PASSED',
    stops: 'Sample rows refuse every target that is neither embedded nor a test; the gate writes nothing, identity values included',
    where: ['seeds/ksessions_samples.ts', 'lib/checks/gate.ts'],
    async replay(t, { lane, scratch }) {
      for (const environment of ['production', 'development', 'staging']) {
        // Every environment is the user's own on the embedded engine; there another one is asked for.
        const engine = lane.name === 'pglite' ? 'postgres' : lane.name;
        const knex = knexFactory({ client: 'pg' }).withUserParams({ engine, environment });
        await t.throwsAsync(seed(knex), { instanceOf: ToolkitError, message: /sample/i }, environment);
      }
      const before = await open(scratch(), snapshot);
      const result = await runHere(scratch(), 'verify', ['--json']);
      t.is(jsonLines(result).length, 1, result.stderr);
      t.deepEqual(await open(scratch(), snapshot), before);
    },
  },
  {
    id: 'I-08',
    happened: 'A guard compared names by substring and let errors pass: KSESSIONS is a prefix of KSESSIONS_DEV',
    stops: 'Names are compared whole, the server compares its own, and an identity that cannot be had is a refusal',
    where: ['lib/guard/guard.ts'],
    async replay(t, { lane, scratch }) {
      const { port, knocks } = await door(t);
      const whole = await runHere(targetOf(t, port, { database: 'KSESSIONS_DEV' }), 'provision', ['15']);
      t.is(whole.code, 2, 'KSESSIONS_DEV is not KSESSIONS: it is dialled');
      t.regex(whole.stderr, /^UNREACHABLE: /m);
      t.true(knocks() > 0);
      const production = await runHere(targetOf(t, port, { database: 'KSESSIONS' }), 'provision', ['15']);
      t.is(production.code, 3);
      const unknown = pretending(({ sql }) => (sql.includes('isExpected') ? table(['isExpected'], [null]) : undefined));
      const silent = await startResponder(t, unknown);
      const refused = await runHere(targetAt(t, silent.port, 'mssql'), 'provision', ['15']);
      t.is(refused.code, 3, refused.stderr);
      t.regex(refused.stderr, /^GUARD_IDENTITY: /m);
      t.false(silent.statements().some((sql) => /INSERT|UPDATE|HostSessions/.test(sql)), 'nothing else was asked');
      // No name is protected on the embedded engine: it has no other database beside it.
      if (lane.name === 'pglite') return;
      const name = databaseOf(scratch());
      const admitted = await runHere(protecting(scratch(), name.slice(0, -1)), 'provision', ['15', '--dry-run']);
      t.is(admitted.code, 0, admitted.stderr);
      const itself = await runHere(protecting(scratch(), name.toUpperCase()), 'provision', ['15', '--dry-run']);
      t.is(itself.code, 3, itself.stderr);
      t.regex(itself.stderr, /^GUARD_PROTECTED: /m);
    },
  },
  {
    id: 'I-09',
    happened: 'Log lines said KSESSIONS_DEV whichever database was in use: nobody could see where they were',
    stops: 'Before any work stderr names database and server as they named themselves, and a server with another name is refused',
    where: ['lib/cli/render.ts', 'lib/engines/database.ts'],
    async replay(t, { lane, scratch }) {
      const told = await runHere(scratch(), 'provision', ['15', '--dry-run', '--quiet']);
      const name = lane.name === 'pglite' ? 'postgres' : databaseOf(scratch());
      const product = lane.dialect === 'mssql' ? 'SQL Server' : 'PostgreSQL';
      t.regex(told.stderr, new RegExp(`^canvas {5}${name} on ${product} .+ \\(ids .+/.+\\)\nKSESSIONS {2}${name} on ${product} `, 'm'), 'in the words of the server');
      const { port } = await startResponder(t, pretending());
      const other = targetOf(t, port, { database: 'KSESSIONS_DEV' }, { SCRATCH_USER: 'suite', SCRATCH_PASSWORD: 'canary-PASSWORD' });
      const lying = pretending(({ sql }) =>
        sql.includes('isExpected')
          ? table(['isExpected', 'server', 'serverId', 'database', 'databaseId'], [0, 'SQL Server 16', 'AHHOME', 'KSESSIONS_TEST', '2025'])
          : undefined,
      );
      const elsewhere = await startResponder(t, lying);
      const result = await runHere(retarget(other, { port: elsewhere.port }), 'provision', ['15']);
      t.is(result.code, 3, result.stderr);
      t.regex(result.stderr, /^GUARD_IDENTITY: [^]*KSESSIONS_TEST/m, 'what it is, not what was dialled');
    },
  },
  {
    id: 'I-10',
    happened: 'The two connections, canvas and source, pointed at different environments',
    stops: 'Both are asked who they are, in their own role; a protected source is refused like a protected canvas database, and so is one that is marked as of another environment',
    where: ['lib/guard/guard.ts', 'lib/access.ts', 'lib/checks/guard.ts'],
    async replay(t, { lane, scratch }) {
      const { port, knocks } = await door(t);
      const split = await runHere(targetOf(t, port, { source: { database: 'KSESSIONS' } }), 'provision', ['15']);
      t.is(split.code, 3, split.stderr);
      t.regex(split.stderr, /^GUARD_PROTECTED: [^]*source/im, 'it says which of the two');
      t.is(knocks(), 0);
      const look = (target: Scratch) => runHere(target, 'verify', ['--json', '--only', 'guard']);
      t.is((await look(scratch())).code, 0, 'one database is of one environment');
      // The embedded engine has one connection for both roles.
      if (lane.name === 'pglite') return;
      const other = await lane.bare(t);
      const apart = retarget(scratch(), { source: { database: databaseOf(other) } });
      await enrolIn('staging', other);
      const found = await look(apart);
      t.is(found.code, 1, found.stderr);
      t.deepEqual(notHolding(found), ['guard.environment']);
      t.regex(found.stdout, new RegExp(`${databaseOf(other)} is marked \\\\"staging\\\\"; the target is test\\.`));
      const refused = await runHere(apart, 'provision', ['15']);
      t.is(refused.code, 3, refused.stderr);
      t.regex(refused.stderr, /^GUARD_MARKER: The KSESSIONS database [^]+ is marked "staging"; the target is test\./m);
      const turned = await runHere(retarget(apart, { database: databaseOf(other), source: { database: databaseOf(scratch()) } }), 'provision', ['15']);
      t.is(turned.code, 3, turned.stderr);
      t.regex(turned.stderr, /^GUARD_MARKER: /m, 'and the canvas connection is refused at once');
      await enrolIn('test', other);
      t.is((await look(apart)).code, 0, 'two databases of one environment');
    },
  },
  {
    id: 'I-11',
    happened: 'With two clients in one process a statement queued for development was executed on production',
    stops: 'Each connection of our SQL Server client has a queue of its own',
    where: ['lib/engines/mssql-client.ts'],
    once: 'a statement must be held back between two connections, which no server does at will',
    async replay(t) {
      let release = () => {};
      const opened = new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
      const development = await startResponder(t, ({ sql }) => (sql === 'slow' ? opened : undefined));
      const production = await startResponder(t);
      const clientOf = (port: number) => {
        const configuration = {
          server: '127.0.0.1',
          authentication: { type: 'default' as const, options: { userName: 'suite', password: 'secret' } },
          options: { port, database: 'canvas', encrypt: false, abortTransactionOnError: true },
        };
        const knex = knexFactory({ client: mssqlClient(() => configuration), connection: {}, pool: { min: 0, max: 1 } });
        t.teardown(() => knex.destroy());
        return knex;
      };
      const [mine, other] = [clientOf(development.port), clientOf(production.port)];
      const work = mine.transaction((trx) => Promise.all([trx.raw('slow'), trx.raw('DELETE everything')]));
      while (!development.statements().includes('slow')) await new Promise((resolve) => setTimeout(resolve, 1));
      await other.raw('harmless');
      release();
      await work;
      t.false(production.statements().includes('DELETE everything'), production.statements().join());
      t.true(development.statements().includes('DELETE everything'));
    },
  },
];
