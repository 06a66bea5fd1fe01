import test from 'ava';
import { postgresLane, postgresUrl } from '../helpers/lanes';
import { exercise } from './conformance';

if (postgresUrl === undefined) {
  test.skip('PostgreSQL lane: skipped, TEST_POSTGRES_URL is not set', () => undefined);
} else {
  exercise(postgresLane);
}
