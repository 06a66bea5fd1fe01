import test from 'ava';
import type { Knex } from 'knex';
import type { Target } from '../../lib/config/targets';
import { Enroller, withEnrolment, withTransaction, Writer, type Database, type Reader } from '../../lib/engines/database';
import { ToolkitError, type Code } from '../../lib/errors';
import {
  admit,
  assertAllowed,
  assertUnmoved,
  isEnrolmentPermit,
  isPermit,
  permitEnrolment,
  permitWriting,
  type Answer,
  type EnrolmentPermit,
  type Permit,
} from '../../lib/guard/guard';
import { makeMarker } from '../../lib/guard/marker';

const ADDRESS = { server: 'AHHOME', port: 1433, database: 'KSESSIONS_DEV', serverName: undefined, credentials: 'X' };
const ANSWER: Answer = {
  server: 'AHHOME', serverId: 'AHHOME', database: 'KSESSIONS_DEV', databaseId: '2025-09-13', isExpected: true,
};

function target(changes: Partial<Extract<Target, { engine: 'mssql' | 'postgres' }>> = {}): Target {
  return {
    name: 'dev',
    engine: 'mssql',
    environment: 'development',
    protectedDatabases: ['KSESSIONS', 'KQUR'],
    protectedServers: ['PRODUCTION-1'],
    canvas: ADDRESS,
    source: ADDRESS,
    encrypt: true,
    trustServerCertificate: false,
    ca: undefined,
    strict: false,
    legacyKey: undefined,
    ...changes,
  };
}

function codeOf(work: () => unknown): Code | 'allowed' {
  try {
    work();
    return 'allowed';
  } catch (error) {
    if (error instanceof ToolkitError) return error.code;
    throw error;
  }
}

const admitted = () => admit(target(), 'canvas', ANSWER);
const marker = makeMarker(target(), ANSWER);

test('a runtime that says production is refused, in any spelling', (t) => {
  for (const value of ['production', 'Production', 'PROD', ' prod ', 'live']) {
    t.is(codeOf(() => assertAllowed(target(), { ASPNETCORE_ENVIRONMENT: value })), 'GUARD_PRODUCTION', value);
  }
  t.is(codeOf(() => assertAllowed(target(), { NODE_ENV: 'development' })), 'allowed');
});

test('an environment that is not development, test or staging counts as production', (t) => {
  for (const environment of ['production', 'Production', 'prod', '', 'dev', 'Development', 'unknown', 'staging ']) {
    t.is(codeOf(() => assertAllowed(target({ environment }), {})), 'GUARD_PRODUCTION', environment);
  }
  for (const environment of ['development', 'test', 'staging']) {
    t.is(codeOf(() => assertAllowed(target({ environment }), {})), 'allowed');
  }
});

test('a protected database is refused in either role and any case, and by its whole name only', (t) => {
  for (const database of ['KSESSIONS', 'ksessions', 'Kqur', ' KSESSIONS ']) {
    for (const role of ['canvas', 'source'] as const) {
      const named = target({ [role]: { ...ADDRESS, database } });
      t.is(codeOf(() => assertAllowed(named, {})), 'GUARD_PROTECTED', `${role} ${database}`);
      t.is(codeOf(() => admit(target(), role, { ...ANSWER, database })), 'GUARD_PROTECTED', `${role} ${database}`);
    }
  }
  t.is(codeOf(() => assertAllowed(target(), {})), 'allowed', 'KSESSIONS is a prefix of KSESSIONS_DEV (I-08)');
  t.is(codeOf(() => admit(target(), 'canvas', { ...ANSWER, server: 'production-1' })), 'GUARD_PROTECTED');
});

test('what the server answers decides: another database, no answer, another server name', (t) => {
  t.is(codeOf(() => admit(target(), 'canvas', { ...ANSWER, isExpected: false })), 'GUARD_IDENTITY');
  for (const part of ['database', 'serverId', 'databaseId'] as const) {
    t.is(codeOf(() => admit(target(), 'canvas', { ...ANSWER, [part]: '' })), 'GUARD_IDENTITY', part);
  }
  const named = target({ canvas: { ...ADDRESS, serverName: 'OTHER' } });
  t.is(codeOf(() => admit(named, 'canvas', ANSWER)), 'GUARD_IDENTITY');
});

test('the mark must agree in every part; none is not enrolled', (t) => {
  t.is(codeOf(() => permitWriting(admitted(), undefined)), 'GUARD_NOT_ENROLLED');
  t.is(codeOf(() => permitWriting(admitted(), marker)), 'allowed');
  for (const part of ['target', 'environment', 'serverId', 'database', 'databaseId'] as const) {
    t.is(codeOf(() => permitWriting(admitted(), { ...marker, [part]: 'other' })), 'GUARD_MARKER', part);
    t.is(codeOf(() => permitWriting(admitted(), { ...marker, [part]: '' })), 'GUARD_MARKER', part);
  }
});

test('who cannot enrol is not told to: a production mark, and that of another target of this very database', (t) => {
  const hintOf = (changes: Partial<typeof marker>) => {
    const refused = () => permitWriting(admitted(), { ...marker, ...changes });
    return t.throws<ToolkitError>(refused, { code: 'GUARD_MARKER' })?.hint ?? '';
  };
  const enrols = /enrol\.mjs/;
  for (const environment of ['production', '', 'x']) t.notRegex(hintOf({ environment, target: 'handoff' }), enrols, environment);
  t.notRegex(hintOf({ target: 'b' }), enrols);
  t.regex(hintOf({ target: 'b', databaseId: 'moved' }), enrols, 'a copy from another target');
  t.regex(hintOf({ environment: marker.environment === 'test' ? 'staging' : 'test' }), enrols, 'the list of targets changed its mind');
});

test('enrolment wants the name as the server reports it, and never touches a production mark', (t) => {
  t.is(codeOf(() => permitEnrolment(admitted(), undefined, 'KSESSIONS_DEV')), 'allowed');
  t.is(codeOf(() => permitEnrolment(admitted(), undefined, 'ksessions_dev')), 'GUARD_MARKER');
  t.is(codeOf(() => permitEnrolment(admitted(), { ...marker, databaseId: 'moved' }, 'KSESSIONS_DEV')), 'allowed');
  t.is(codeOf(() => permitEnrolment(admitted(), { ...marker, target: 'b' }, 'KSESSIONS_DEV')), 'GUARD_MARKER');
  const copied = { ...marker, target: 'b', databaseId: 'moved' };
  t.is(codeOf(() => permitEnrolment(admitted(), copied, 'KSESSIONS_DEV')), 'allowed', 'a copy from another target');
  for (const environment of ['production', '', 'x']) {
    const marked = { ...marker, environment };
    t.is(codeOf(() => permitEnrolment(admitted(), marked, 'KSESSIONS_DEV')), 'GUARD_MARKER', environment);
  }
});

test('in the write, the same identity once more', (t) => {
  const permit = permitWriting(admitted(), marker);
  t.is(codeOf(() => assertUnmoved(permit, ANSWER)), 'allowed');
  for (const part of ['database', 'serverId', 'databaseId'] as const) {
    t.is(codeOf(() => assertUnmoved(permit, { ...ANSWER, [part]: 'other' })), 'GUARD_IDENTITY', part);
  }
});

test('nobody else makes a Permit, and the source has none', (t) => {
  const genuine = permitWriting(admitted(), marker);
  t.true(isPermit(genuine));
  t.false(isPermit({ ...genuine }));
  t.false(isPermit(Object.create(genuine)));
  const Forge = genuine.constructor as new (...words: unknown[]) => unknown;
  t.throws(() => new Forge(Symbol('permit'), admitted(), 'write'), { message: /Only the guard/ });
  t.throws(() => assertUnmoved({ ...genuine } as unknown as Permit, ANSWER), { message: /needs a Permit/ });
  t.throws(() => permitWriting(admit(target(), 'source', ANSWER), marker), { message: /read-only/ });
});

test('what the guard gives for enrolment writes nothing else, and what it gives for writing does not enrol', async (t) => {
  const write = permitWriting(admitted(), marker);
  const enrolment = permitEnrolment(admitted(), undefined, 'KSESSIONS_DEV');
  t.deepEqual([isPermit(write), isEnrolmentPermit(write)], [true, false]);
  t.deepEqual([isPermit(enrolment), isEnrolmentPermit(enrolment)], [false, true]);
  const [database, reader, trx] = [{} as Database, {} as Reader, {} as Knex.Transaction];
  const never = () => Promise.reject(new Error('it got in'));
  const asWrite = enrolment as unknown as Permit;
  const asEnrolment = write as unknown as EnrolmentPermit;
  await t.throwsAsync(withTransaction(database, asWrite, undefined, never), { message: /needs a Permit/ });
  await t.throwsAsync(withEnrolment(database, asEnrolment, never, never), { message: /needs an EnrolmentPermit/ });
  t.throws(() => new Writer(trx, asWrite, reader, { now: new Date() }), { message: /needs a Permit/ });
  t.throws(() => new Enroller(trx, asEnrolment, reader, new Date()), { message: /needs an EnrolmentPermit/ });
});
