/** What must hold while a rollback counts what would be lost. */
import test from 'ava';
import { withSchemaChange } from '../../lib/engines/database';
import { permitWriting } from '../../lib/guard/guard';
import { lockWhatWasMade } from '../../lib/migrations/losses';
import { open, targetAt } from '../helpers/lanes';
import { PRETENDED, pretending, startResponder } from '../helpers/tds-responder';

test('SQL Server is asked to read each table it locks: of TOP (0) it knows the answer without the table, and locks nothing', async (t) => {
  const server = await startResponder(t, pretending());
  await open(targetAt(t, server.port, 'mssql'), async (database) => {
    const permit = permitWriting(database.canvas.admission, { target: 'scratch', environment: 'test', ...PRETENDED });
    const made = ['table A', 'column B.C', 'index D.E', 'table Gone'];
    await withSchemaChange(database, permit, undefined, (writer) =>
      lockWhatWasMade(writer, made, new Set(['table A', 'table B', 'column B.C', 'index D.E'])),
    );
  });
  const locks = server.heard.filter(({ sql }) => sql.includes('TABLOCKX'));
  t.true(locks.every(({ transaction }) => transaction !== null));
  t.deepEqual(locks.map(({ sql }) => sql), ['A', 'B'].map((table) => `SELECT TOP (1) 1 AS [locked] FROM [canvas].[${table}] WITH (TABLOCKX, HOLDLOCK)`));
});
