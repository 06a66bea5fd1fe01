import test from 'ava';
import { givenNames } from '../../lib/migrations/given-names';

const names = givenNames([
  { table: 'HostSessions', column: 'SessionId' },
  { table: 'Sessions', column: 'KSessionsId' },
  { table: 'Two', column: 'Id' },
  { table: 'knex_migrations', column: 'id' },
  { table: 'Twin', column: 'A' },
  { table: 'twin', column: 'a' },
]);

test('tables and columns come back as they were given, each table with its own', (t) => {
  t.is(names.table('hostsessions'), 'HostSessions');
  t.is(names.table('HostSessions'), 'HostSessions');
  t.is(names.column('two', 'id'), 'Id');
  t.is(names.column('knex_migrations', 'id'), 'id');
  t.is(names.column('two', 'nowhere'), 'nowhere');
  t.is(names.table('nowhere'), 'nowhere');
});

test('where case tells names apart, each stays itself', (t) => {
  t.deepEqual([names.table('Twin'), names.table('twin')], ['Twin', 'twin']);
  t.deepEqual([names.column('Twin', 'A'), names.column('twin', 'a')], ['A', 'a']);
});

/** As Babelfish 4.3 answered. */
const MADE_UP = [
  ['Sessions', 'ix_sessions_ksessionsidsessions0fa829132ac52db04fef98e7361f3bc0', 'ix_sessions_ksessionsid'],
  ['HostSessions', 'ux_hostsessions_oneactivehostsea91c9adf4d17ff58868e38cce9882a06', 'ux_hostsessions_oneactive'],
  ['HostSessions', 'ix_hostsessions_sessionguidhashd4d38a330a5e3dc40bd0f6b384b912bd', 'ix_hostsessions_sessionguidhash'],
  ['HostSessions', 'ix_hostsessions_hostguidhashhos6c69cd4652111e3842c84a2451aed8c3', 'ix_hostsessions_hostguidhash'],
] as const;

test('a name that was made up of an index, its table and a hash is traced back, and no other is changed', (t) => {
  for (const [table, name, given] of MADE_UP) {
    t.is(names.index(table, name), given);
    t.is(names.index('Other', name), name, 'the hash of another table');
  }
  for (const name of ['UX_HostSessions_OneActive', 'd41d8cd98f00b204e9800998ecf8427e', 'by_hand_0fa829132ac52db04fef98e7361f3bc0']) {
    t.is(names.index('HostSessions', name), name);
  }
});
