/**
 * Code that forgot the guard does not compile. Nothing here runs: `npm run typecheck` fails when one of these lines has
 * no error any more, as it would where a type got looser.
 */
import type { Knex } from 'knex';
import { knexConfigFor, withEnrolment, withSchemaChange, withTransaction, Writer } from '../../lib/engines/database';
import type { Database, Enroller, OpenRequest, Reader, Select } from '../../lib/engines/database';
import type { Admission, EnrolmentPermit, Permit } from '../../lib/guard/guard';
import { insertHostSessions, setHashCopies, type NewHostSession } from '../../lib/hosts/store';
import { migrateLatest } from '../../lib/migrations/run';

declare const admission: Admission;
declare const hostSessions: readonly NewHostSession[];
declare const hashes: ReadonlyMap<number, string>;
declare const database: Database;
declare const enroller: Enroller;
declare const enrolment: EnrolmentPermit;
declare const permit: Permit;
declare const reader: Reader;
declare const request: OpenRequest;
declare const trx: Knex.Transaction;
declare const work: () => Promise<void>;

/** The ways a Permit is not come by. */
export function permits(): unknown[] {
  // @ts-expect-error -- an object of the same shape is none
  const literal: Permit = { target: admission.target, identity: admission.identity, purpose: 'write' };
  // @ts-expect-error -- nor is a copy of one: what makes it genuine is private
  const copy: Permit = { ...permit };
  // @ts-expect-error -- the right to enrol is not the right to write
  const widened: Permit = enrolment;
  // @ts-expect-error -- an admission reads only
  const admitted: Permit = admission;
  return [literal, copy, widened, admitted];
}

/** The ways to a Writer that lead nowhere. */
export async function writers(): Promise<unknown[]> {
  // @ts-expect-error -- a transaction takes a Permit
  await withTransaction(database, undefined, undefined, work);
  // @ts-expect-error -- and none is no lock's name
  await withTransaction(database, 'lock', work);
  // @ts-expect-error -- one for enrolment is not enough
  await withTransaction(database, enrolment, undefined, work);
  // @ts-expect-error -- neither is it for changing the schema
  await withSchemaChange(database, enrolment, undefined, work);
  // @ts-expect-error -- and one for writing does not enrol
  await withEnrolment(database, permit, work, work);
  // @ts-expect-error -- the knex command's connections take one too
  await knexConfigFor(request);
  // @ts-expect-error -- and not one for enrolment
  await knexConfigFor(request, enrolment);
  // @ts-expect-error -- migrations write
  await migrateLatest(database, enrolment, { actor: 'nobody' });
  return [
    // @ts-expect-error -- a Writer is not made without one
    new Writer(trx, undefined, reader, { now: new Date() }),
    // @ts-expect-error -- nor with one for enrolment
    new Writer(trx, enrolment, reader, { now: new Date() }),
  ];
}

/** What stores credentials takes a Writer. */
export async function stores(): Promise<void> {
  // @ts-expect-error -- what may read may not write
  await setHashCopies(reader, hashes);
  // @ts-expect-error -- what enrols writes the mark only
  await insertHostSessions(enroller, hostSessions, 'nobody');
  // @ts-expect-error -- a Permit alone is no Writer
  await setHashCopies(permit, hashes);
  // @ts-expect-error -- nor is a transaction that the guard did not permit
  await setHashCopies(trx, hashes);
}

type Members<T> = Record<keyof T, true>;

/**
 * What may be read has these members and no others: none writes, and none leads to what does. A new one does not compile
 * until it stands here, and whoever writes it here has thought of that.
 */
export const READING: readonly [Members<Reader>, Members<Select>, Members<Database>] = [
  { admission: true, ask: true, dialect: true, from: true, withAdmission: true },
  { limit: true, orderBy: true, select: true, then: true, where: true, whereIn: true, whereNull: true },
  { canvas: true, engine: true, source: true, target: true },
];

/** Who enrols reads, writes the mark, and knows the time. */
export const ENROLLING: Members<Enroller> = {
  admission: true, ask: true, dialect: true, from: true, mark: true, now: true, withAdmission: true,
};
