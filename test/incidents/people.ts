/** Hangs and people: I-27 to I-31. */
import { explain } from '../../lib/engines/mssql';
import { ToolkitError } from '../../lib/errors';
import { hasten, relax } from '../helpers/fast-clock.cjs';
import { access, open, scratchFolder, targetAt, entryFor, writeTargets } from '../helpers/lanes';
import { jsonLines, run, runHere } from '../helpers/script';
import { hostSessions } from '../helpers/state';
import { pretending, startResponder } from '../helpers/tds-responder';
import type { Incident } from './incident';

/** The keys of a JSON line, as programs may rely on them (DESIGN: the public interface). */
const PROVISIONED = [
  'schema', 'status', 'target', 'ksessionsId', 'canvasSessionId', 'hostSessionId', 'title', 'transcripts', 'hostGuid', 'fingerprint',
  'createdBy', 'reason', 'expiresAt', 'operationId', 'at',
];
const FAILED = ['schema', 'status', 'code', 'exit', 'ksessionsId', 'message', 'why', 'hint'];

export const PEOPLE: readonly Incident[] = [
  {
    id: 'I-27',
    happened: 'Half of all runs hung without a message: one-hour time-outs hid every stall',
    stops: 'Every wait is bounded and its message names the stage; an hour in a connection string is not followed, and told',
    where: ['lib/engines/engine.ts', 'lib/engines/mssql.ts', 'lib/config/credentials.ts'],
    once: 'a server must fall silent, which none does at will',
    async replay(t) {
      t.teardown(() => relax());
      const silent = pretending(({ kind }) => {
        if (kind !== 'login') return undefined;
        hasten();
        return 'silence';
      });
      const { port } = await startResponder(t, silent);
      const error = await t.throwsAsync(open(targetAt(t, port, 'mssql'), () => Promise.resolve()), { instanceOf: ToolkitError });
      t.is(error.code, 'TIMEOUT');
      t.regex(error.message + error.why, /while logging in/);
      relax();
      const text = 'Data Source=127.0.0.1,1;Initial Catalog=canvas;User Id=app;Password=canary;Connection Timeout=3600;Encrypt=false';
      const hour = writeTargets(scratchFolder(t), entryFor('127.0.0.1', 1, 'canvas', 'mssql'), { SCRATCH_CONNECTION_STRING: text });
      const result = await runHere(hour, 'provision', ['15']);
      t.is(result.code, 2);
      t.regex(result.stderr, /3600 s is not followed; it is 15 s/);
    },
  },
  {
    id: 'I-28',
    happened: 'Prompts and key presses inside scripts: end of input looped for ever, ENTER was eaten',
    stops: 'Without a terminal nothing ever asks: the command ends and names the option to give',
    where: ['lib/cli/confirm.ts', 'lib/cli/interactive.ts'],
    once: 'who asks, and where nobody is, does not depend on the engine',
    async replay(t, { scratch }) {
      const bare = await run(scratch(), 'provision', []);
      t.deepEqual([bare.code, bare.stdout], [2, ''], bare.stderr);
      t.regex(bare.stderr, /^USAGE: No id was given/m);
      const enrol = await runHere(scratch(), 'enrol', ['--target', 'scratch']);
      t.is(enrol.code, 2, enrol.stderr);
      t.regex(enrol.stderr, /--confirm NAME/);
      const guid = await run(scratch(), 'verify', ['--guid-file', '-']);
      t.is(guid.code, 2, 'standard input that holds nothing is an error, not a wait');
    },
  },
  {
    id: 'I-29',
    happened: 'Errors were recognised by substring and gave wrong advice ("use session 1")',
    stops: 'An error is known by the server\'s own number, whatever its words are; advice comes from one table',
    where: ['lib/engines/mssql.ts', 'lib/engines/postgres.ts', 'lib/errors.ts'],
    once: 'the errors are made up: their words must be wrong',
    replay(t) {
      const where = { target: 'dev', role: 'canvas', address: 'h:1/db', waitMs: 1, login: 'X_USER', stage: 'writing' } as const;
      const said = 'Login failed: timeout, deadlock, duplicate key, session not found';
      const codes = [547, 2627, 1205, 1222, 18456, 4060].map((number) => {
        const error = Object.assign(new Error(said), { number, code: 'EREQUEST' });
        return explain(error, where)?.code;
      });
      t.deepEqual(codes, ['CONFLICT', 'CONFLICT', 'CONFLICT', 'LOCKED', 'CONFIG', 'CONFIG']);
      t.is(explain(new Error(said), where), undefined, 'words alone tell nothing');
    },
  },
  {
    id: 'I-30',
    happened: 'A lost GUID led people to run again, which rotated it silently and locked a live host out',
    stops: 'A live GUID is replaced aloud: whose it was and since when it was in use; keep and fail leave it, a terminal asks first',
    where: ['lib/cli/changes.ts', 'lib/cli/render.ts', 'lib/hosts/provision.ts'],
    async replay(t, { scratch }) {
      await runHere(scratch(), 'provision', ['15', '--quiet', '--created-by', 'Ada']);
      for (const [choice, exit] of [['keep', 0], ['fail', 4]] as const) {
        const result = await runHere(scratch(), 'provision', ['15', '--if-exists', choice]);
        t.is(result.code, exit, result.stderr);
        t.notRegex(result.stderr, /stopped working/);
      }
      const again = await runHere(scratch(), 'provision', ['15', '--quiet']);
      t.is(again.code, 0);
      t.regex(again.stderr, /The earlier host GUID of KSESSIONS 15 stopped working: made by Ada, in use since \d{4}-/);
      const rows = await access(scratch(), (open) => hostSessions(open, 15));
      t.deepEqual(rows.map(({ actions }) => actions), [['provisioned', 'rotated']]);
    },
  },
  {
    id: 'I-31',
    happened: 'Other programs read the printed text, and each change of wording broke them',
    stops: 'JSON with a version and fixed fields, exit codes and error codes are the interface; the text is for people',
    where: ['lib/cli/render.ts', 'lib/errors.ts'],
    async replay(t, { scratch }) {
      const done = await runHere(scratch(), 'provision', ['218', '--json']);
      const [line] = jsonLines(done);
      t.deepEqual(Object.keys(line ?? {}).sort(), [...PROVISIONED].sort());
      t.is(line?.['schema'], 'canvas-host/1');
      const failed = await runHere(scratch(), 'provision', ['99999', '--json']);
      t.is(failed.code, 5);
      t.deepEqual(Object.keys(jsonLines(failed)[0] ?? {}).sort(), [...FAILED].sort());
      t.like(jsonLines(failed)[0], { status: 'error', code: 'SESSION_NOT_FOUND', exit: 5, ksessionsId: 99999 });
      const report = await runHere(scratch(), 'verify', ['--json', '--only', 'guard']);
      t.like(jsonLines(report)[0], { schema: 'canvas-verify/1', verdict: 'pass' });
    },
  },
];
