/** What every engine must do, written once; each engine's test hands it a lane. */
import test from 'ava';
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withTransaction } from '../../lib/engines/database';
import { access, execute, query, TEST_KEY, type Lane } from '../helpers/lanes';
import { jsonLines, run, start } from '../helpers/script';
import { count, hostSessions, snapshot, verifies } from '../helpers/state';

const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

/** Registers the suite for one lane. */
export function exercise(lane: Lane): void {
  const name = (title: string) => `${lane.name}: ${title}`;

  test.serial(name('provisioning prints both ids, title and GUID, and stores only the hash, twice'), async (t) => {
    const scratch = await lane.ready(t);
    const result = await run(scratch, 'provision', ['15']);
    t.is(result.code, 0, result.stderr);
    t.regex(result.stdout, /KSESSIONS id +15\n/);
    t.regex(result.stdout, /Canvas session id +1\n/);
    t.regex(result.stdout, /Title +Review of the word ISLAM\n/);
    t.is(/sample data/.test(result.stdout), lane.name === 'pglite');
    const guid = GUID.exec(result.stdout)?.[0] ?? '';
    const hash = createHmac('sha256', TEST_KEY).update(guid).digest('base64');
    const [row] = await query(scratch, `SELECT h."HostGuidHash", s."HostGuid", s."KSessionsId"::int, s."Status", s."Title"
      FROM canvas."HostSessions" h JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"`);
    t.deepEqual(row, {
      HostGuidHash: hash, HostGuid: hash, KSessionsId: 15, Status: 'Created', Title: 'Review of the word ISLAM',
    });
    t.false(JSON.stringify(await snapshot(scratch)).includes(guid), 'the GUID itself is stored nowhere');
    t.false(result.stderr.includes(guid));
  });

  test.serial(name('a second run rotates in place, and stderr says whose GUID ended'), async (t) => {
    const scratch = await lane.ready(t);
    const first = await run(scratch, 'provision', ['15', '--quiet', '--created-by', 'Ada']);
    const [before] = await hostSessions(scratch, 15);
    const second = await run(scratch, 'provision', ['15', '--quiet', '--created-by', 'Grace', '--reason', 'lost']);
    t.is(second.code, 0, second.stderr);
    const rows = await hostSessions(scratch, 15);
    t.is(rows.length, 1);
    const [after] = rows;
    if (before === undefined || after === undefined) return t.fail('no host session');
    t.is(after.hostSessionId, before.hostSessionId);
    t.not(after.hash, before.hash);
    t.deepEqual([after.createdAt, after.createdBy], [before.createdAt, 'Ada']);
    t.false(verifies(scratch, first.stdout, after), 'the old GUID no longer verifies');
    t.true(verifies(scratch, second.stdout, after));
    t.deepEqual(after.actions, ['provisioned', 'rotated']);
    t.deepEqual(after.chain, { holds: true, events: 2 });
    t.regex(second.stderr, /earlier host GUID of KSESSIONS 15 stopped working: made by Ada, in use since 20/);
  });

  test.serial(name('an unknown session and one without transcripts exit 5 and write nothing'), async (t) => {
    const scratch = await lane.ready(t);
    const before = await snapshot(scratch);
    const unknown = await run(scratch, 'provision', ['99999', '--json']);
    t.is(unknown.code, 5);
    t.like(jsonLines(unknown)[0], { status: 'error', code: 'SESSION_NOT_FOUND', exit: 5, ksessionsId: 99999 });
    const silent = await run(scratch, 'provision', ['213']);
    t.is(silent.code, 5);
    t.regex(silent.stderr, /^NO_TRANSCRIPTS: .+\n {2}.+\n {2}.+\n$/m);
    t.is(silent.stdout, '');
    t.deepEqual(await snapshot(scratch), before);
  });

  test.serial(name('a dry run leaves every row and every sequence as it was and prints no GUID'), async (t) => {
    const scratch = await lane.ready(t);
    await run(scratch, 'provision', ['15']);
    const before = await snapshot(scratch);
    const text = await run(scratch, 'provision', ['15', '212', '--dry-run']);
    const json = await run(scratch, 'provision', ['15', '212', '--dry-run', '--json']);
    t.is(text.code, 0, text.stderr);
    t.notRegex(text.stdout + text.stderr + json.stdout, GUID);
    t.regex(text.stdout, /Would +replace the live host GUID[^]*Would +make a first host GUID/);
    t.like(jsonLines(json)[0], { status: 'dry-run', action: 'rotate', canvasSessionId: 1, hostGuid: null });
    t.like(jsonLines(json)[1], { status: 'dry-run', action: 'provision', canvasSessionId: null });
    t.deepEqual(await snapshot(scratch), before);
    t.is((await run(scratch, 'provision', ['99999', '--dry-run'])).code, 5, 'a dry run validates');
  });

  test.serial(name('--if-exists keep changes nothing, fail is a conflict'), async (t) => {
    const scratch = await lane.ready(t);
    await run(scratch, 'provision', ['15']);
    const before = await snapshot(scratch);
    const kept = await run(scratch, 'provision', ['15', '--if-exists', 'keep', '--json']);
    t.is(kept.code, 0, kept.stderr);
    t.like(jsonLines(kept)[0], { status: 'kept', hostGuid: null, canvasSessionId: 1, operationId: null });
    const failed = await run(scratch, 'provision', ['15', '--if-exists', 'fail']);
    t.is(failed.code, 4);
    t.regex(failed.stderr, /^CONFLICT: KSESSIONS session 15 already has a live host GUID/m);
    t.deepEqual(await snapshot(scratch), before);
  });

  test.serial(name('several ids and ranges: one line each, and PARTIAL when some fail'), async (t) => {
    const scratch = await lane.ready(t);
    const result = await run(scratch, 'provision', ['15', '212-213', '15', '218', '--json', '--expires', '90d']);
    t.is(result.code, 1);
    const lines = jsonLines(result);
    t.deepEqual(
      lines.map((line) => [line['status'], line['ksessionsId'] ?? line['code']]),
      [['provisioned', 15], ['provisioned', 212], ['error', 213], ['provisioned', 218], ['error', 'PARTIAL']],
    );
    t.like(lines[3], { title: 'معنى كلمة الإسلام', transcripts: 1, schema: 'canvas-host/1' });
    const [expiry] = await query<{ days: number }>(scratch, `SELECT round(extract(epoch FROM "ExpiresAt" - "CreatedAt")
      / 86400)::int AS days FROM canvas."HostSessions" LIMIT 1`);
    t.is(expiry?.days, 90);
  });

  test.serial(name('--out writes GUIDs to a new file only the user can read, and never over an existing one'), async (t) => {
    const scratch = await lane.ready(t);
    const out = join(scratch.folder, 'guids.txt');
    const result = await run(scratch, 'provision', ['15', '--out', out]);
    t.is(result.code, 0, result.stderr);
    t.notRegex(result.stdout + result.stderr, GUID);
    if (process.platform !== 'win32') t.is(statSync(out).mode & 0o777, 0o600);
    const [row] = await hostSessions(scratch, 15);
    const [id, guid = ''] = readFileSync(out, 'utf8').trim().split(' ');
    t.is(id, '15');
    t.true(row !== undefined && verifies(scratch, guid, row));
    const again = await run(scratch, 'provision', ['15', '--out', out]);
    t.is(again.code, 2);
    t.regex(again.stderr, /USAGE: The file .+ exists/);
    t.is((await hostSessions(scratch, 15))[0]?.actions.length, 1);
    const failed = join(scratch.folder, 'none.txt');
    await run(scratch, 'provision', ['99999', '--out', failed]);
    t.false(existsSync(failed), 'a run that hands over nothing leaves no file');
  });

  test.serial(name('a credential past its date is ended, and a new row is made'), async (t) => {
    const scratch = await lane.ready(t);
    await run(scratch, 'provision', ['15', '--expires', '1d']);
    await execute(scratch, `UPDATE canvas."HostSessions" SET "ExpiresAt" = now() - interval '1 day'`);
    const result = await run(scratch, 'provision', ['15', '--json']);
    t.is(result.code, 0, result.stderr);
    t.like(jsonLines(result)[0], { status: 'provisioned', canvasSessionId: 1, hostSessionId: 2, expiresAt: null });
    const rows = await hostSessions(scratch, 15);
    t.deepEqual(rows.map(({ isActive, actions }) => [isActive, ...actions]), [
      [false, 'provisioned', 'expired'],
      [true, 'provisioned'],
    ]);
    t.true(rows.every(({ chain }) => chain.holds));
  });

  test.serial(name('eight processes provisioning one session at once: one live row, one unbroken chain'), async (t) => {
    t.timeout(120_000);
    const scratch = await lane.ready(t);
    const runs = Array.from({ length: 8 }, () => start(scratch, 'provision', ['15', '--quiet', '--wait', '90']).finished);
    const results = await Promise.all(runs);
    t.deepEqual(results.map(({ code }) => code), Array(8).fill(0), results.map(({ stderr }) => stderr).join('\n'));
    const rows = await hostSessions(scratch, 15);
    t.is(rows.length, 1);
    const [row] = rows;
    if (row === undefined) return;
    t.deepEqual(row.chain, { holds: true, events: 8 });
    t.is(results.filter(({ stdout }) => verifies(scratch, stdout, row)).length, 1);
  });

  test.serial(name('the database itself refuses explicit ids, a second live row and a change of events'), async (t) => {
    const scratch = await lane.ready(t);
    await run(scratch, 'provision', ['15']);
    const before = await snapshot(scratch);
    const attempts: [string, string][] = [
      ['428C9', `INSERT INTO canvas."Sessions" ("SessionId", "GroupId", "CreatedAt") VALUES (99, gen_random_uuid(), now())`],
      ['428C9', `INSERT INTO canvas."HostSessions" ("HostSessionId", "SessionId", "HostGuidHash", "CreatedAt", "IsActive")
        VALUES (99, 1, 'x', now(), false)`],
      ['23505', `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "CreatedAt", "IsActive")
        VALUES (1, 'x', now(), true)`],
      ['23505', `INSERT INTO canvas."Sessions" ("GroupId", "CreatedAt", "KSessionsId") VALUES (gen_random_uuid(), now(), 15)`],
      ['23503', `INSERT INTO canvas."HostSessions" ("SessionId", "HostGuidHash", "CreatedAt", "IsActive")
        VALUES (4711, 'x', now(), false)`],
      ['CH002', `UPDATE canvas."HostSessionEvents" SET "Actor" = 'nobody'`],
      ['CH002', `DELETE FROM canvas."HostSessionEvents"`],
      ['CH002', `TRUNCATE canvas."HostSessionEvents"`],
    ];
    await access(scratch, async ({ database, permit }) => {
      for (const [code, statement] of attempts) {
        const attempt = withTransaction(database, permit, undefined, (writer) => Promise.resolve(writer.sql.raw(statement)));
        const error = await t.throwsAsync<Error & { code?: string }>(attempt);
        t.is(error.code, code, statement);
      }
    });
    const { sequences: _used, ...rows } = await snapshot(scratch);
    const { sequences: _before, ...expected } = before;
    t.deepEqual(rows, expected);
  });

  test.serial(name('outside a permitted transaction the session itself is read-only'), async (t) => {
    const scratch = await lane.ready(t);
    await access(scratch, async ({ database }) => {
      const statement = `SELECT setval(pg_get_serial_sequence('canvas."Sessions"', 'SessionId'), 500)`;
      const error = await t.throwsAsync<Error & { code?: string }>(database.canvas.ask(statement));
      t.is(error.code, '25006');
      await t.throwsAsync(database.canvas.ask('DELETE FROM canvas."Sessions"'), { message: 'A Reader only reads.' });
    });
  });

  test.serial(name('deleting a canvas session, as the application does, takes its host session and leaves the trail'), async (t) => {
    const scratch = await lane.ready(t);
    await run(scratch, 'provision', ['15']);
    await execute(scratch, `DELETE FROM canvas."Sessions" WHERE "KSessionsId" = 15`);
    t.is(await count(scratch, 'canvas."HostSessions"'), 0);
    t.is(await count(scratch, 'canvas."HostSessionEvents"'), 1);
  });

  test.serial(name('no key, or one that is short or public, is a configuration error'), async (t) => {
    const scratch = await lane.ready(t);
    const keyFile = join(scratch.folder, 'key');
    const short = await run(scratch, 'provision', ['15'], { CANVAS_HMAC_KEY: 'short' });
    t.is(short.code, 2);
    t.regex(short.stderr, /CONFIG: Line 1 of CANVAS_HMAC_KEY is not usable[^]*5 bytes/);
    writeFileSync(keyFile, 'NOOR-CANVAS-HOST-SECRET-2025\n');
    const env = { CANVAS_HMAC_KEY_FILE: keyFile, CANVAS_HMAC_KEY: undefined };
    const known = await run(scratch, 'provision', ['15'], env);
    t.is(known.code, 2);
    t.regex(known.stderr, /CONFIG: Line 1 of .+ is not usable[^]*which is public/);
    t.is(await count(scratch, 'canvas."HostSessions"'), 0);
  });
}
