/** From settings to a permitted, ready database: the one path every script takes. */
import { readLogins, type Purpose } from './config/credentials';
import { ensureEmbeddedKey, findKeys, readKeys, type KeyRing } from './config/keys';
import type { Settings } from './config/settings';
import { chooseTarget, type Target } from './config/targets';
import { findHarm, withDatabase, withTransaction, type Database } from './engines/database';
import { faults } from './errors';
import { assertAllowed, assertHarmless, assertSourceMark, isOneDatabase, type Permit } from './guard/guard';
import { missingKeys } from './hosts/key-use';
import { enrol, readMarker, readSourceMarker, requirePermit } from './migrations/enrol';
import { migrateLatest, pendingMigrations } from './migrations/run';
import { hasTable } from './migrations/live-schema';
import { seed } from '../seeds/ksessions_samples';

export interface AccessRequest {
  readonly settings: Settings;
  /** How long to wait for a lock, in milliseconds. */
  readonly waitMs: number;
  readonly actor: string;
  /** Schema changes may have a login of their own. */
  readonly purpose?: Purpose;
  /** The newest migration the work needs, where that is not all of them: what repairs rows comes before constraints. */
  readonly needs?: string;
  /** Told once both connections have named themselves, before any work. */
  readonly onOpen: (database: Database) => void;
  /** Told what the embedded target does by itself on first use. */
  readonly onNotice: (text: string) => void;
}

/** What a use case needs. */
export interface Access {
  readonly database: Database;
  readonly permit: Permit;
  readonly keys: KeyRing;
}

/** The target the settings name, if the guard lets it be dialled at all. @throws ToolkitError CONFIG, GUARD_ codes */
export function requireTarget(settings: Settings): Target {
  const target = chooseTarget(settings);
  assertAllowed(target, settings.runtimeEnvironments);
  return target;
}

/**
 * Opens the target as it is: the guard has asked who it is, nothing is prepared.
 * @throws ToolkitError CONFIG, UNREACHABLE, TIMEOUT, LOCKED, GUARD_ codes
 */
export async function withOpenTarget<T>(
  request: Omit<AccessRequest, 'actor'>,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const target = requireTarget(request.settings);
  const logins = readLogins(request.settings, target, request.purpose ?? 'use');
  logins.notices.forEach(request.onNotice);
  if (target.engine === 'pglite') ensureEmbeddedKey(target);
  return withDatabase({ target, logins, waitMs: request.waitMs }, async (database) => {
    request.onOpen(database);
    if (target.engine !== 'pglite' && target.strict) assertHarmless(target, await findHarm(database));
    return work(database);
  });
}

/**
 * Opens the target, gets the Permit, and sees to it that the schema is up to date. The embedded target enrols,
 * migrates and fills itself on first use; a server target never does.
 * @throws ToolkitError as `withOpenTarget`, and GUARD_NOT_ENROLLED, GUARD_MARKER, MIGRATIONS_PENDING, MIGRATION_EDITED
 */
export async function withAccess<T>(request: AccessRequest, work: (access: Access) => Promise<T>): Promise<T> {
  const target = requireTarget(request.settings);
  const keys = readKeys(request.settings, target);
  return withReadyTarget(request, async (database, permit) => {
    await tellMissingKeys(database, keys, request);
    return work({ database, permit, keys });
  });
}

/**
 * A key that was dropped while credentials need it, or the keys of another place: told before anything is written under
 * the keys that are here.
 */
async function tellMissingKeys({ canvas, target }: Database, keys: KeyRing, { onNotice }: Pick<AccessRequest, 'onNotice'>): Promise<void> {
  for (const { keyId, live } of await missingKeys(canvas, keys)) {
    onNotice(
      `Warning: ${live === 1 ? '1 live host GUID was' : `${live} live host GUIDs were`} made under key ${keyId}, which is not configured: ` +
        `nothing here can verify them. npx zx scripts/list.mjs --key missing --target ${target.name} says whose they are.`,
    );
  }
}

/** What a use case needs that only reads. */
export interface ReadAccess {
  readonly database: Database;
  /** undefined where no key is configured: most of what is read needs none. */
  readonly keys: KeyRing | undefined;
}

/**
 * The same without the right to write, for which a login that only reads will do.
 * @throws ToolkitError as `withAccess`
 */
export async function withReading<T>(request: AccessRequest, work: (access: ReadAccess) => Promise<T>): Promise<T> {
  const keys = findKeys(request.settings, requireTarget(request.settings));
  return withReadyTarget(request, (database) => work({ database, keys }));
}

function withReadyTarget<T>(
  request: AccessRequest,
  work: (database: Database, permit: Permit) => Promise<T>,
): Promise<T> {
  return withOpenTarget(request, async (database) => {
    const { target } = database;
    const permit = await permitFor(database, request);
    await requireSourceMark(database);
    if (target.engine === 'pglite') await prepareEmbedded(database, permit, request);
    const missing = await missingMigrations(database, request);
    if (missing.length > 0) throw faults.migrationsPending(target.name, missing);
    return work(database, permit);
  });
}

async function requireSourceMark({ canvas, source }: Database): Promise<void> {
  if (isOneDatabase(canvas.admission, source.admission)) return;
  assertSourceMark(source.admission, await readSourceMarker(source));
}

/** What is pending and needed. */
async function missingMigrations({ canvas }: Database, { needs }: Pick<AccessRequest, 'needs'>): Promise<string[]> {
  const pending = await pendingMigrations(canvas);
  return pending.filter((name) => needs === undefined || name <= needs);
}

/**
 * The right to write. The embedded target enrols itself on first use; a server target never does.
 * @throws ToolkitError GUARD_NOT_ENROLLED, GUARD_MARKER
 */
export async function permitFor(
  database: Database,
  { actor, onNotice }: Pick<AccessRequest, 'actor' | 'onNotice'>,
): Promise<Permit> {
  const { canvas, target } = database;
  if (target.engine === 'pglite' && (await readMarker(canvas)) === undefined) {
    onNotice('First use: enrolling the embedded database.');
    await enrol(database, canvas.admission.identity.database, actor);
  }
  return requirePermit(database);
}

/** Each step looks whether it is needed, so a killed first run is continued by the next. */
async function prepareEmbedded(database: Database, permit: Permit, request: AccessRequest): Promise<void> {
  const { actor, onNotice } = request;
  const { canvas } = database;
  if ((await missingMigrations(database, request)).length > 0) {
    await migrateLatest(database, permit, { actor, onApplied: (name) => onNotice(`Migrated: ${name}`) });
  }
  if (!(await hasTable(canvas, 'Sessions', 'dbo'))) {
    await withTransaction(database, permit, 'seed', (writer) => seed(writer.sql));
    onNotice('Loaded sample KSESSIONS rows (schema dbo).');
  }
}
