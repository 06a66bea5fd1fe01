/** The migration files, read in order, with a checksum that line ends, a BOM and the extension do not change. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { PACKAGE_ROOT } from '../config/settings';

export const MIGRATIONS_FOLDER = join(PACKAGE_ROOT, 'migrations');

/** Timestamp, then words; declaration files and source maps beside them are not migrations. */
const MIGRATION_FILE = /^(\d{14}_[a-z0-9_]+)\.[tj]s$/;

export interface MigrationFile {
  /** Without extension: .ts and .js are the same migration. */
  readonly name: string;
  readonly path: string;
  /** SHA-256 of the normalised source, hex. */
  readonly checksum: string;
}

/** A loaded migration: Knex's own contract. */
export interface Migration {
  up(knex: Knex): Promise<void>;
  down(knex: Knex): Promise<void>;
}

/** All migrations of a folder, oldest first. */
export function readMigrations(folder = MIGRATIONS_FOLDER): MigrationFile[] {
  return readdirSync(folder)
    .flatMap((file) => {
      const match = MIGRATION_FILE.exec(file);
      if (match?.[1] === undefined) return [];
      const path = join(folder, file);
      return [{ name: match[1], path, checksum: checksumOf(readFileSync(path, 'utf8')) }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function checksumOf(source: string): string {
  const normalised = source.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n').trimEnd();
  return createHash('sha256').update(normalised, 'utf8').digest('hex');
}

/** Loads one migration. ts-node is registered by whoever loaded this file. */
export function loadMigration(file: MigrationFile): Migration {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- the path is known at run time only
  return require(file.path) as Migration;
}
