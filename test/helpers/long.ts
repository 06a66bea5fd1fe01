/**
 * Tests that take long on the embedded engine, and show what shorter ones show in part or a server shows faster. `npm test`
 * on a bare machine is to be over in three minutes and names them as skipped; with a server, or CANVAS_TESTS=all, they run.
 */
import test from 'ava';
import { mssqlUrl, postgresUrl } from './lanes';

const isBare = postgresUrl === undefined && mssqlUrl === undefined && process.env['CANVAS_TESTS'] !== 'all';

export const long = (isBare ? test.serial.skip : test.serial) as typeof test.serial;
