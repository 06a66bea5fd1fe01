import test from 'ava';
import { grantedLogin } from '../helpers/grants';
import { postgresLane, postgresUrl } from '../helpers/lanes';
import { exerciseFaults } from './faults';

if (postgresUrl === undefined) {
  test.skip('PostgreSQL lane: skipped, TEST_POSTGRES_URL is not set', () => undefined);
} else {
  exerciseFaults(postgresLane, (owner, scratch) => grantedLogin(owner, scratch, 'unused'));
}
