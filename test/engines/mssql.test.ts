import test from 'ava';
import { mssqlLane, mssqlUrl } from '../helpers/lanes';
import { exercise } from './conformance';

if (mssqlUrl === undefined) {
  test.skip('SQL Server lane: skipped, TEST_MSSQL_URL is not set', () => undefined);
} else {
  exercise(mssqlLane);
}
