// Knex documents subclassing its dialects (https://knexjs.org/guide/#client) and ships no types for them.
declare module 'knex/lib/dialects/postgres/index.js' {
  import type { Knex } from 'knex';
  const PostgresClient: typeof Knex.Client;
  export default PostgresClient;
}
