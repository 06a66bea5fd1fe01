/** The migration files, read in order, with a checksum that line ends, a BOM and the extension do not change. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Knex } from 'knex';
import { PACKAGE_ROOT } from '../config/settings';
import { faults } from '../errors';
import { faultsOfExports } from './exports';
import type { Preflight } from './preflight';
import type { ExpectedSchema } from './schema';

export const MIGRATIONS_FOLDER = join(PACKAGE_ROOT, 'migrations');

/** What Node or Knex would run. Everything else in the folder (notes, source maps) is not looked at. */
const CODE = /\.[cm]?[tj]s$/i;
/** What a compiler leaves beside its output. */
const DECLARATION = /\.d\.[cm]?ts$/;
/** Timestamp, then words. */
const MIGRATION_FILE = /^((\d{14})_[A-Za-z0-9_-]+)\.[tj]s$/;

export interface MigrationFile {
  /** Without extension: .ts and .js are the same migration. */
  readonly name: string;
  readonly path: string;
  /** SHA-256 of the normalised source, hex. */
  readonly checksum: string;
}

/** A loaded migration: Knex's own contract, and what this toolkit asks beside it. */
export interface Migration {
  up(knex: Knex): Promise<void>;
  down(knex: Knex): Promise<void>;
  /** What must be there afterwards, of the tables it touches. */
  readonly shape?: ExpectedSchema;
  /** Rows that would break a constraint it adds. */
  readonly preflight?: readonly Preflight[];
}

/**
 * All migrations of a folder, oldest first.
 * @throws ToolkitError CONFIG for code that is no migration by its name (nobody would ever run it: I-16), and for two
 *   files with one timestamp (their order would be an accident)
 */
export function readMigrations(folder = MIGRATIONS_FOLDER): MigrationFile[] {
  const names = readdirSync(folder).filter((file) => CODE.test(file) && !DECLARATION.test(file));
  const seen = new Map<string, string>();
  const files = names.map((file) => {
    const [, name, timestamp] = MIGRATION_FILE.exec(file) ?? [];
    if (name === undefined || timestamp === undefined) throw faults.notAMigration(file);
    const other = seen.get(timestamp);
    if (other !== undefined) throw faults.migrationDoubled(other, file);
    seen.set(timestamp, file);
    const path = join(folder, file);
    return { name, path, checksum: checksumOf(readFileSync(path, 'utf8')) };
  });
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function checksumOf(source: string): string {
  const normalised = source.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n').trimEnd();
  return createHash('sha256').update(normalised, 'utf8').digest('hex');
}

/**
 * Loads one migration. ts-node is registered by whoever loaded this file.
 * @throws ToolkitError CONFIG for a file that cannot be loaded, or does not export what a migration must
 */
export function loadMigration(file: MigrationFile): Migration {
  const exported = load(file);
  const wrong = faultsOfExports(exported);
  if (wrong.length > 0) throw faults.migrationIncomplete(basename(file.path), wrong);
  return exported as Migration;
}

/** Has a migration a shape, and is its file there? For rows of the ledger that say nothing. */
export function hasShape(files: readonly MigrationFile[], name: string): boolean {
  const file = files.find((one) => one.name === name);
  return file !== undefined && Object.keys(loadMigration(file).shape ?? {}).length > 0;
}

function load({ path }: MigrationFile): unknown {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the path is known at run time only
    return require(path) as unknown;
  } catch (cause) {
    throw faults.migrationNotLoaded(basename(path), cause);
  }
}
