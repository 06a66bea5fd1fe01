import test from 'ava';
import { mssqlLane, mssqlUrl } from '../helpers/lanes';
import { exerciseFaults } from './faults';

if (mssqlUrl === undefined) {
  test.skip('SQL Server lane: skipped, TEST_MSSQL_URL is not set', () => undefined);
} else {
  exerciseFaults(mssqlLane);
}
