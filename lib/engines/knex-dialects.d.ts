// Knex documents subclassing its dialects (https://knexjs.org/guide/#client) and ships no types for them: what stands
// here is what our subclasses touch.
declare module 'knex/lib/dialects/postgres/index.js' {
  import type { Knex } from 'knex';
  import type { Client } from 'pg';

  class PostgresDialect extends Knex.Client {
    _query(connection: Client, query: unknown): Promise<unknown>;
  }
  export default PostgresDialect;
}

declare module 'knex/lib/dialects/mssql/index.js' {
  import type { Writable } from 'node:stream';
  import type { Knex } from 'knex';
  import type * as tedious from 'tedious';

  /** A value as the driver gives it, with the column it came in. */
  export interface Cell {
    readonly value: unknown;
    readonly metadata: { readonly colName: string };
  }

  /** A compiled statement on its way to the server and, with `response`, back. */
  export interface Query {
    readonly sql: string;
    readonly bindings?: readonly unknown[];
    readonly method?: string;
    readonly returning?: unknown;
    readonly pluck?: string;
    readonly output?: unknown;
    response?: readonly (readonly Cell[])[];
  }

  class MssqlDialect extends Knex.Client {
    readonly transacting?: boolean;
    _driver(): typeof tedious;
    _generateConnection(): tedious.ConnectionConfiguration;
    _typeForBinding(binding: unknown): [unknown, (typeof tedious.TYPES)[keyof typeof tedious.TYPES]];
    acquireRawConnection(): Promise<tedious.Connection>;
    destroyRawConnection(connection: tedious.Connection): Promise<void>;
    validateConnection(connection: tedious.Connection): boolean;
    processResponse(query: Query, runner: unknown): unknown;
    transaction(container: unknown, config: unknown, outerTx: unknown): Knex.Transaction;
    wrapIdentifierImpl(name: string): string;
    _query(connection: tedious.Connection, query: Query): Promise<Query>;
    _stream(connection: tedious.Connection, query: Query, stream: Writable): Promise<void>;
  }
  export default MssqlDialect;
}

declare module 'knex/lib/dialects/mssql/transaction.js' {
  import type { Knex } from 'knex';
  import type { Connection } from 'tedious';

  class MssqlTransaction {
    constructor(client: Knex.Client, container: unknown, config: unknown, outerTx: unknown);
    readonly doNotRejectOnRollback: boolean;
    readonly isolationLevel?: string;
    _completed: boolean;
    _resolver(value?: unknown): void;
    _rejecter(error: unknown): void;
    begin(connection: Connection): Promise<void>;
    commit(connection: Connection, value?: unknown): Promise<void>;
    rollback(connection: Connection, error?: unknown): Promise<void>;
    savepoint(connection: Connection): Promise<void>;
  }
  export default MssqlTransaction;
}
