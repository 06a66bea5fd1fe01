/**
 * The guard: target + what the server answered + marker → `Permit`, or a refusal. Pure: it asks nobody and opens
 * nothing. This is the only file in which *production* decides anything, and unknown counts as production.
 *
 * Order of the questions (docs/guard.md):
 *   1. `assertAllowed`   the name, the configuration, the runtime's environment: before anything is dialled
 *   2. `admit`           who the server says it is: on every physical connection, before its first use
 *   3. `permitWriting`   the enrolment mark: before the first write
 *   4. `assertUnmoved`   the same identity once more: at the head of every writing transaction
 */
import type { Address, Target } from '../config/targets';
import { faults } from '../errors';
import type { Identity, Marker } from './marker';

export type Environment = 'development' | 'test' | 'staging';
export type Role = 'canvas' | 'source';

const ENVIRONMENTS: readonly string[] = ['development', 'test', 'staging'] satisfies Environment[];

/** The server's answer on one physical connection. */
export interface Answer extends Identity {
  /** Did the server, under its own rules, find the expected name and the connected database to be the same? */
  readonly isExpected: boolean;
}

/** A connection that may be read from: the guard knows who is at the other end. */
export interface Admission {
  readonly target: Target;
  readonly role: Role;
  readonly identity: Identity;
}

// Not exported: a Permit can be made in this file only.
const seal: unique symbol = Symbol('permit');

class SealedPermit<Purpose extends 'write' | 'enrol'> {
  readonly #sealed = true;
  readonly target: Target;
  readonly identity: Identity;
  readonly purpose: Purpose;

  constructor(key: typeof seal, admission: Admission, purpose: Purpose) {
    if (key !== seal) throw new TypeError('Only the guard makes a Permit.');
    this.target = admission.target;
    this.identity = admission.identity;
    this.purpose = purpose;
    Object.freeze(this);
  }

  static isGenuine(value: unknown, purpose: 'write' | 'enrol'): boolean {
    return typeof value === 'object' && value !== null && #sealed in value && value.purpose === purpose;
  }
}

/** The right to write to one database. A function that writes takes one; nothing but this file makes one. */
export type Permit = SealedPermit<'write'>;

/** The right to write the enrolment mark and to make the bookkeeping tables, before there is a mark; nothing else. */
export type EnrolmentPermit = SealedPermit<'enrol'>;

/** @returns whether the value was made by the guard (a cast object was not), and for writing */
export function isPermit(value: unknown): value is Permit {
  return SealedPermit.isGenuine(value, 'write');
}

/** @returns whether the value was made by the guard, and for enrolment */
export function isEnrolmentPermit(value: unknown): value is EnrolmentPermit {
  return SealedPermit.isGenuine(value, 'enrol');
}

/**
 * Step 1, before anything is dialled.
 * @param runtimeEnvironments NODE_ENV and its kind, as set
 * @throws ToolkitError GUARD_PRODUCTION, GUARD_PROTECTED
 */
export function assertAllowed(target: Target, runtimeEnvironments: Readonly<Record<string, string>>): void {
  for (const [variable, value] of Object.entries(runtimeEnvironments)) {
    if (meansProduction(value)) throw faults.runtimeIsProduction(variable, value);
  }
  if (!ENVIRONMENTS.includes(target.environment)) {
    throw faults.environmentRefused(target.name, target.environment, ENVIRONMENTS);
  }
  if (target.engine === 'pglite') return;
  for (const role of ['canvas', 'source'] as const) assertNotProtected(target, role, target[role]);
}

/** Runtimes write it in any case, and short forms of it are in use. */
function meansProduction(value: string): boolean {
  return /^\s*(prod|production|live|prd)\s*$/i.test(value);
}

function assertNotProtected(target: Target, role: Role, names: Pick<Address, 'server' | 'database'> & { serverId?: string }): void {
  if (isAmong(names.database, target.protectedDatabases)) {
    throw faults.protectedName(target.name, role, 'database', names.database);
  }
  const server = [names.server, names.serverId].find((name) => isAmong(name ?? '', target.protectedServers));
  if (server !== undefined) throw faults.protectedName(target.name, role, 'server', server);
}

/**
 * Whole names only: KSESSIONS is a prefix of KSESSIONS_DEV (I-08). Folding the case here can only refuse more,
 * never less, whatever the server's own rules are.
 */
function isAmong(name: string, names: readonly string[]): boolean {
  const fold = (text: string) => text.trim().toLowerCase();
  return names.some((other) => fold(other) === fold(name));
}

/**
 * Step 2, on every physical connection of both roles.
 * @throws ToolkitError GUARD_IDENTITY, GUARD_PROTECTED
 */
export function admit(target: Target, role: Role, answer: Answer): Admission {
  assertNotProtected(target, role, answer);
  if (!answer.isExpected || [answer.database, answer.serverId, answer.databaseId].some((part) => part === '')) {
    throw faults.anotherDatabase(target, role, answer);
  }
  const expectedServer = target.engine === 'pglite' ? undefined : target[role].serverName;
  if (expectedServer !== undefined && expectedServer !== answer.serverId) {
    throw faults.anotherServer(target.name, role, expectedServer, answer.serverId);
  }
  const { server, serverId, database, databaseId } = answer;
  return { target, role, identity: { server, serverId, database, databaseId } };
}

/**
 * Step 3: the enrolment mark must say what the server says and what the target says.
 * @param marker what canvas.Environment holds; undefined when there is none
 * @throws ToolkitError GUARD_NOT_ENROLLED, GUARD_MARKER
 */
export function permitWriting(admission: Admission, marker: Marker | undefined): Permit {
  assertCanvasRole(admission);
  if (marker === undefined) throw faults.notEnrolled(admission.target.name, admission.identity);
  assertMark(admission, marker);
  return new SealedPermit(seal, admission, 'write');
}

/**
 * The mark that is there agrees; for those who only read.
 * @throws ToolkitError GUARD_MARKER
 */
export function assertMark(admission: Admission, marker: Marker): void {
  assertEnrollable(admission, marker);
  const differences = differencesOf(admission, marker);
  if (differences.length > 0) throw faults.markerDiffers(admission.target.name, differences);
}

/** Are both connections of a target in one database? */
export function isOneDatabase(canvas: Admission, source: Admission): boolean {
  const [one, other] = [canvas.identity, source.identity];
  return one.serverId === other.serverId && one.databaseId === other.databaseId && one.database === other.database;
}

/**
 * In a KSESSIONS database of another environment the same ids are other sessions (I-10). One without a mark, or whose
 * mark this login may not see, says nothing about it: the target, which is reviewed, names it.
 * @throws ToolkitError GUARD_MARKER
 */
export function assertSourceMark({ identity, target }: Admission, marker: Marker | undefined): void {
  if (marker === undefined || marker.environment === target.environment) return;
  throw faults.sourceOfAnotherEnvironment(target, identity.database, marker.environment);
}

/**
 * The right to write the enrolment mark and the bookkeeping tables, and nothing else.
 * @param confirmed the database name as a person typed it; it must equal the server-reported one
 * @throws ToolkitError GUARD_MARKER when the database is marked as production (for ever), when this very database
 *   (not a copy of it) was enrolled as another target, or when the typed name is another
 */
export function permitEnrolment(
  admission: Admission,
  marker: Marker | undefined,
  confirmed: string,
): EnrolmentPermit {
  assertCanvasRole(admission);
  if (marker !== undefined) assertEnrollable(admission, marker);
  if (confirmed !== admission.identity.database) {
    throw faults.enrolmentNotConfirmed(admission.target.name, admission.identity.database);
  }
  return new SealedPermit(seal, admission, 'enrol');
}

/** Whoever meets such a mark must not be told to enrol again: that is refused, too. */
function assertEnrollable({ identity, target }: Admission, marker: Marker): void {
  if (!ENVIRONMENTS.includes(marker.environment)) throw faults.markedAsProduction(target.name, marker.environment);
  if (marker.target !== target.name && isMarkOf(marker, identity)) throw faults.enrolledForAnother(target.name, marker.target);
}

/** Was the mark made in this very database, and not carried here by a copy? */
function isMarkOf(marker: Marker, { serverId, database, databaseId }: Identity): boolean {
  return marker.serverId === serverId && marker.database === database && marker.databaseId === databaseId;
}

function assertCanvasRole(admission: Admission): void {
  if (admission.role !== 'canvas') throw new TypeError('The source is read-only: it has no Permit.');
}

function differencesOf(admission: Admission, marker: Marker): string[] {
  const { target, identity } = admission;
  const pairs: [string, string, string][] = [
    ['target', target.name, marker.target],
    ['environment', target.environment, marker.environment],
    ['server', identity.serverId, marker.serverId],
    ['database', identity.database, marker.database],
    ['database id', identity.databaseId, marker.databaseId],
  ];
  return pairs
    .filter(([, is, marked]) => is !== marked)
    .map(([what, is, marked]) => `${what} is ${is}, the mark says ${marked}`);
}

/**
 * The harm check. A finding is told; where the target says `"strict": true` it refuses.
 * @param findings what the login could do to protected databases and to the source
 * @throws ToolkitError GUARD_PROTECTED
 */
export function assertHarmless(target: Target, findings: readonly string[]): void {
  const [first] = findings;
  if (target.engine !== 'pglite' && target.strict && first !== undefined) {
    throw faults.couldHarm(target.name, findings);
  }
}

/**
 * Step 4, in the write: the connection that is about to write must still be the database the Permit is for.
 * @throws ToolkitError GUARD_IDENTITY
 */
export function assertUnmoved(permit: Permit | EnrolmentPermit, now: Identity): void {
  if (!isPermit(permit) && !isEnrolmentPermit(permit)) throw new TypeError('Writing needs a Permit of the guard.');
  const same =
    now.serverId === permit.identity.serverId &&
    now.database === permit.identity.database &&
    now.databaseId === permit.identity.databaseId;
  if (!same) throw faults.movedUnderneath(permit.identity, now);
}
