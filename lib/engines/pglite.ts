/**
 * PostgreSQL in process (PGlite): only what is otherwise than with a server. The folder holds `db` (the data), the
 * lock and the key. PGlite does not sync to disk: safe when the process is killed, not when the power fails.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite' with { 'resolution-mode': 'import' };
import type { Knex } from 'knex';
import type { Client } from 'pg';
import { v4 as uuid } from 'uuid';
import type { EmbeddedTarget } from '../config/targets';
import { faults, ToolkitError } from '../errors';
import type { Dial, Engine } from './engine';
import { acquireFolderLock, type FolderLock } from './folder-lock';
import { askIdentity, postgres } from './postgres';

/** The PostgreSQL major version of the pinned PGlite; a folder of another one cannot be opened. */
const POSTGRES_MAJOR = '18';

/** PGlite's own name for its one database. */
const DATABASE = 'postgres';

export const pglite: Engine = {
  ...postgres,
  name: 'pglite',

  async connect(dial: Dial): Promise<Knex.Config> {
    const { folder } = dial.target as EmbeddedTarget;
    return { client: await embeddedClient(folder, dial.waitMs), connection: {}, version: POSTGRES_MAJOR };
  },

  identify: (raw) => askIdentity(raw as Client, DATABASE),
  disconnect: (raw) => disconnect(raw as Client),

  // The embedded database is its own server and holds sample data: there is nothing to harm.
  findHarm: () => Promise.resolve([]),
  findExcess: () => Promise.resolve([]),

  // One process has the folder and one connection has the process: there is nobody to lock out.
  beginWriting: (trx, expected) => postgres.beginWriting(trx, expected),
};

const dataOf = (folder: string) => join(folder, 'db');

/** Was a database made in this folder already? */
export const hasData = (folder: string) => existsSync(dataOf(folder));

/** What a raw connection must give back when it is closed. */
interface Holding {
  readonly lock: FolderLock;
  readonly database: PGlite;
}

const held = new WeakMap<object, Holding>();

/**
 * Knex's PostgreSQL client over an in-process database. The folder lock is taken with the connection and given back
 * with it, so that whoever opens the folder, by whatever command, holds the lock.
 */
async function embeddedClient(folder: string, waitMs: number): Promise<typeof Knex.Client> {
  const { default: PostgresClient } = await import('knex/lib/dialects/postgres/index.js');

  class EmbeddedClient extends PostgresClient {
    override async acquireRawConnection(): Promise<Client> {
      const lock = await acquireFolderLock(folder, { waitMs }).catch((error: unknown) => {
        throw error instanceof ToolkitError ? error : faults.folderRefused(folder, error);
      });
      try {
        // The engine is compiled on another thread meanwhile.
        const driver = loadDriver();
        const database = await openFolder(folder);
        const connection = await connect(database, await driver);
        held.set(connection, { lock, database });
        return connection;
      } catch (error) {
        lock.release();
        throw error;
      }
    }

    override destroyRawConnection(connection: Client): Promise<void> {
      return disconnect(connection);
    }
  }
  return EmbeddedClient;
}

async function disconnect(connection: Client): Promise<void> {
  const holding = held.get(connection);
  held.delete(connection);
  try {
    await connection.end();
    await holding?.database.close();
  } finally {
    holding?.lock.release();
  }
}

async function loadDriver() {
  const [{ createPgConfig }, { default: pg }] = await Promise.all([
    import('@electric-sql/pglite/node-postgres'),
    import('pg'),
  ]);
  return { createPgConfig, Client: pg.Client };
}

async function connect(database: PGlite, driver: Awaited<ReturnType<typeof loadDriver>>): Promise<Client> {
  const client = new driver.Client(driver.createPgConfig(database));
  await client.connect();
  return client;
}

/** Opens the data, making it first where there is none. Only under the folder lock. */
async function openFolder(folder: string): Promise<PGlite> {
  const { PGlite } = await import('@electric-sql/pglite');
  const data = dataOf(folder);
  if (!hasData(folder)) await makeData(PGlite, folder, data);
  assertVersion(data);
  return start(PGlite, data).catch((cause: unknown) => {
    throw faults.embeddedDamaged(data, cause);
  });
}

/** Made under another name and renamed when whole: a killed first run leaves no half-made database. */
async function makeData(Database: typeof PGlite, folder: string, data: string): Promise<void> {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('db.new-'))) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
  const temporary = join(folder, `db.new-${uuid()}`);
  const database = await start(Database, temporary);
  await database.close();
  renameSync(temporary, data);
}

/** By itself it takes 128 MB for its buffers and fills them at every start, which is half the time that a start takes. */
function start(Database: typeof PGlite, data: string): Promise<PGlite> {
  return Database.create({ dataDir: data, startParams: [...Database.defaultStartParams, '-c', 'shared_buffers=16MB'] });
}

function assertVersion(data: string): void {
  let version: string;
  try {
    version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  } catch (cause) {
    throw faults.embeddedDamaged(data, cause);
  }
  if (version !== POSTGRES_MAJOR) throw faults.embeddedVersion(data, version, POSTGRES_MAJOR);
}
