/**
 * The statements of a migration as text, without a connection. Exact, because no migration branches on what it read.
 */
import { createRequire } from 'node:module';
import knexFactory, { type Knex } from 'knex';
import type { Dialect } from '../engines/engine';
import { mssqlClient } from '../engines/mssql-client';

/**
 * @param work what would run: a migration's `up`
 * @returns its statements, in order, as they would be sent
 */
export async function recordStatements(dialect: Dialect, work: (knex: Knex) => Promise<void>): Promise<string[]> {
  const statements: string[] = [];
  const knex = knexFactory({ client: recordingClient(dialect, statements) });
  await work(knex);
  return statements;
}

const CLIENT: Record<Dialect, () => typeof Knex.Client> = {
  postgres: () => createRequire(__filename)('knex/lib/dialects/postgres/index.js') as typeof Knex.Client,
  mssql: () => mssqlClient(),
};

/** The engine's client of that dialect, with the wire cut off: it compiles, keeps the text and answers nothing. */
function recordingClient(dialect: Dialect, statements: string[]): typeof Knex.Client {
  return class extends CLIENT[dialect]() {
    override acquireConnection() {
      return Promise.resolve({});
    }

    override releaseConnection() {
      return Promise.resolve();
    }

    override query(_connection: unknown, statement: { sql: string }) {
      // Knex's escape of a literal question mark is for its own parameters.
      statements.push(statement.sql.replaceAll('\\?', '?'));
      return Promise.resolve({});
    }

    processResponse() {
      return [];
    }
  };
}
