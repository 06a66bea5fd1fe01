/**
 * The statements of a migration as text, without a connection. Exact, because no migration branches on what it read.
 */
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import knexFactory, { type Knex } from 'knex';
import type { Dialect } from '../engines/engine';
import { mssqlClient } from '../engines/mssql-client';
import { faults } from '../errors';
import { loadMigration, type Migration, type MigrationFile } from './files';

/** One migration with what it would send. */
export interface Recorded {
  readonly file: MigrationFile;
  readonly migration: Migration;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/**
 * Loads a migration and records both its directions.
 * @throws ToolkitError CONFIG for a file that is no migration, or that does not run without an answer of the database
 */
export async function recordMigration(dialect: Dialect, file: MigrationFile): Promise<Recorded> {
  const migration = loadMigration(file);
  const record = (direction: 'up' | 'down') =>
    recordStatements(dialect, (knex) => migration[direction](knex)).catch((cause: unknown) => {
      throw faults.migrationNotRecorded(basename(file.path), direction, cause);
    });
  return { file, migration, up: await record('up'), down: await record('down') };
}

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
