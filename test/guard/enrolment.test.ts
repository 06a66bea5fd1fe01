import test, { type ExecutionContext } from 'ava';
import { spawnSync } from 'node:child_process';
import { withTransaction } from '../../lib/engines/database';
import { ToolkitError } from '../../lib/errors';
import { access, asAdmin, databaseOf, execute, postgresLane, postgresUrl, retarget, type Scratch } from '../helpers/lanes';
import { jsonLines, run, runHere } from '../helpers/script';
import { provisionHere, rowsOf } from '../helpers/state';

// One database is a copy of another only on a server: the embedded engine has one database.
const server = postgresUrl === undefined ? test.skip : test.serial;

/** Runs the main command and expects the guard to refuse it, with three lines and nothing on stdout. */
async function refused(t: ExecutionContext, scratch: Scratch, code: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const result = await runHere(scratch, 'provision', ['15'], env);
  t.is(result.code, 3, result.stderr);
  t.regex(result.stderr, new RegExp(`^${code}: .+\n {2}.+\n {2}.+\n$`, 'm'));
  t.is(result.stdout, '');
  return result.stderr;
}

async function copyDatabase(t: ExecutionContext, scratch: Scratch, how: 'template' | 'dump'): Promise<Scratch> {
  const original = databaseOf(scratch);
  const copy = `${original}_${how}`;
  t.teardown(() => asAdmin(`DROP DATABASE IF EXISTS ${copy} WITH (FORCE)`));
  if (how === 'template') {
    await asAdmin(`CREATE DATABASE ${copy} TEMPLATE ${original}`);
  } else {
    await asAdmin(`CREATE DATABASE ${copy}`);
    const url = new URL(postgresUrl ?? '');
    const at = (database: string) => Object.assign(new URL(url), { pathname: `/${database}` }).toString();
    const dump = spawnSync('pg_dump', ['-d', at(original)], { encoding: 'utf8', maxBuffer: 1e9 });
    t.is(dump.status, 0, dump.stderr);
    const load = spawnSync('psql', ['-q', '-v', 'ON_ERROR_STOP=1', '-d', at(copy)], { input: dump.stdout, encoding: 'utf8' });
    t.is(load.status, 0, load.stderr);
  }
  return retarget(scratch, { database: copy });
}

server('postgres: a database that nobody enrolled is refused, with the command that enrols it', async (t) => {
  const scratch = await postgresLane.empty(t);
  const told = await refused(t, scratch, 'GUARD_NOT_ENROLLED');
  t.regex(told, /npx zx scripts\/enrol\.mjs --target scratch/);
  const latest = await runHere(scratch, 'migrate', ['latest']);
  t.is(latest.code, 3, latest.stderr);
  const status = await runHere(scratch, 'migrate', ['status']);
  t.is(status.code, 3, 'it reads, prints what it read, and ends with the command that enrols');
  t.regex(status.stdout, /20261122000100_canvas_tables/);
});

server('postgres: enrolment wants the server-reported name, is idempotent, then migrations are asked for', async (t) => {
  const scratch = await postgresLane.empty(t);
  const name = databaseOf(scratch);
  const wrong = await runHere(scratch, 'enrol', ['--target', 'scratch', '--confirm', name.toUpperCase()]);
  t.is(wrong.code, 3);
  t.regex(wrong.stderr, /GUARD_MARKER: Enrolment as scratch was not confirmed/);
  const silent = await runHere(scratch, 'enrol', ['--target', 'scratch']);
  t.is(silent.code, 2, 'without a terminal nothing asks');
  t.regex(silent.stderr, /--confirm NAME/);
  const unnamed = await runHere(scratch, 'enrol', ['--confirm', name]);
  t.is(unnamed.code, 2, 'the default target is not enrolled by accident');
  for (const [enrol, expected] of [[run, /^Enrolled scratch/], [runHere, /^Already enrolled/]] as const) {
    const result = await enrol(scratch, 'enrol', ['--target', 'scratch', '--confirm', name]);
    t.is(result.code, 0, result.stderr);
    t.regex(result.stdout, expected);
  }
  const pending = await run(scratch, 'provision', ['15', '--json']);
  t.is(pending.code, 4);
  t.like(jsonLines(pending)[0], { code: 'MIGRATIONS_PENDING', hint: 'Run: npm run migrate -- --target scratch' });
  t.is((await runHere(scratch, 'migrate', ['status'])).code, 4);
  t.is((await runHere(scratch, 'migrate', [])).code, 0);
  t.is((await runHere(scratch, 'migrate', ['status'])).code, 0);
});

for (const how of ['template', 'dump'] as const) {
  server(`postgres: a copy of an enrolled database (${how}) is refused until it is enrolled itself`, async (t) => {
    const scratch = await postgresLane.ready(t);
    const copy = await copyDatabase(t, scratch, how);
    const told = await refused(t, copy, 'GUARD_MARKER');
    t.regex(told, /database is .+, the mark says /);
    const enrolled = await runHere(copy, 'enrol', ['--target', 'scratch', '--confirm', databaseOf(copy)]);
    t.is(enrolled.code, 0, enrolled.stderr);
    t.regex(enrolled.stdout, /^Was {6}scratch .+\nEnrolled scratch .+\n$/);
    t.is((await runHere(copy, 'provision', ['15'])).code, 0);
    t.is((await runHere(scratch, 'provision', ['15'])).code, 0, 'the original is still what it was');
  });
}

server('postgres: a renamed database and an edited mark are refused', async (t) => {
  const scratch = await postgresLane.ready(t);
  const edited = (statement: string) => access(scratch, (open) => execute(open, statement));
  await edited(`UPDATE canvas."Environment" SET "DatabaseId" = '1'`);
  t.regex(await refused(t, scratch, 'GUARD_MARKER'), /database id is \d+, the mark says 1\./);
  await runHere(scratch, 'enrol', ['--target', 'scratch', '--confirm', databaseOf(scratch)]);
  const renamed = `${databaseOf(scratch)}_renamed`;
  t.teardown(() => asAdmin(`DROP DATABASE IF EXISTS ${renamed} WITH (FORCE)`));
  await asAdmin(`ALTER DATABASE ${databaseOf(scratch)} RENAME TO ${renamed}`);
  await refused(t, retarget(scratch, { database: renamed }), 'GUARD_MARKER');
});

server('postgres: a production mark refuses for ever, enrolment included', async (t) => {
  const scratch = await postgresLane.ready(t);
  await access(scratch, (open) => execute(open, `UPDATE canvas."Environment" SET "Environment" = 'production'`));
  await refused(t, scratch, 'GUARD_MARKER');
  const enrolment = await runHere(scratch, 'enrol', ['--target', 'scratch', '--confirm', databaseOf(scratch)]);
  t.is(enrolment.code, 3);
  t.regex(enrolment.stderr, /GUARD_MARKER: This database cannot be target[^]*refuses for ever/);
});

server('postgres: a connection whose search path was changed behind the guard writes nothing', async (t) => {
  const scratch = await postgresLane.ready(t);
  await access(scratch, async (open) => {
    const before = await rowsOf(open.database);
    await open.database.canvas.ask(`SELECT set_config('search_path', 'public', false)`);
    const error = await t.throwsAsync(provisionHere(open, { ksessionsId: 15 }), { instanceOf: ToolkitError });
    t.is(error.code, 'GUARD_IDENTITY');
    const direct = withTransaction(open.database, open.permit, undefined, () => Promise.resolve());
    await t.throwsAsync(direct, { instanceOf: ToolkitError });
    t.deepEqual(await rowsOf(open.database), before);
  });
});

server('postgres: the variables of the driver lead nowhere', async (t) => {
  const scratch = await postgresLane.ready(t);
  const env = {
    PGHOST: '127.0.0.2', PGPORT: '1', PGDATABASE: 'postgres', PGUSER: 'nobody', PGPASSWORD: 'x', PGSSLMODE: 'require',
    PGREPLICATION: 'database', PGSSLNEGOTIATION: 'direct', PGCLIENTENCODING: 'LATIN1',
    PGOPTIONS: '-c search_path=public -c default_transaction_read_only=off', PGPASSFILE: '/nonexistent',
  };
  // A process of its own: the driver reads them when it is loaded.
  const result = await run(scratch, 'provision', ['15'], env);
  t.is(result.code, 0, result.stderr);
  t.regex(result.stderr, new RegExp(`canvas {5}${databaseOf(scratch)} on `));
});

server('postgres: --wait 0 does not wait, and --wait is not without end', async (t) => {
  const scratch = await postgresLane.ready(t);
  await access(scratch, ({ database, permit }) =>
    withTransaction(database, permit, 'ksessions/15', async () => {
      const result = await runHere(scratch, 'provision', ['15', '--wait', '0', '--json']);
      t.is(result.code, 4, result.stderr);
      t.like(jsonLines(result)[0], { code: 'LOCKED', ksessionsId: 15 });
    }),
  );
});

server('postgres: what one target enrolled, another may not take', async (t) => {
  const scratch = await postgresLane.ready(t);
  await access(scratch, (open) => execute(open, `UPDATE canvas."Environment" SET "Target" = 'other'`));
  const result = await runHere(scratch, 'enrol', ['--target', 'scratch', '--confirm', databaseOf(scratch)]);
  t.is(result.code, 3);
  t.regex(result.stderr, /GUARD_MARKER: This database belongs to target other/);
});

server('postgres: "strict" refuses a login that could harm the source, and enrolment warns of it', async (t) => {
  const scratch = await postgresLane.ready(t);
  const told = await refused(t, retarget(scratch, { strict: true }), 'GUARD_PROTECTED');
  t.regex(told, /may write to the source table dbo\.Sessions/);
  const enrolment = await runHere(scratch, 'enrol', ['--target', 'scratch', '--confirm', databaseOf(scratch)]);
  t.regex(enrolment.stderr, /Warning: The login may write to the source table dbo\.Sessions/);
});

server('postgres: the least-privilege login can do its work and no harm', async (t) => {
  const scratch = await postgresLane.ready(t);
  const role = databaseOf(scratch).replace('canvas_test', 'canvas_role');
  const grants = [
    `CREATE ROLE ${role} LOGIN`,
    `GRANT USAGE ON SCHEMA canvas, dbo TO ${role}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA canvas, dbo TO ${role}`,
    `GRANT INSERT, UPDATE ON canvas."Sessions", canvas."HostSessions" TO ${role}`,
    `GRANT INSERT ON canvas."HostSessionEvents" TO ${role}`,
  ];
  t.teardown(() => asAdmin(`DROP ROLE IF EXISTS ${role}`));
  await access(scratch, (open) => execute(open, ...grants));
  const limited = { ...retarget(scratch, { strict: true }) };
  const result = await runHere(limited, 'provision', ['15'], { SCRATCH_USER: role });
  t.is(result.code, 0, result.stderr);
  t.is((await runHere(limited, 'provision', ['15'], { SCRATCH_USER: role })).code, 0);
  await access(scratch, (open) => execute(open, `DROP OWNED BY ${role}`));
});
