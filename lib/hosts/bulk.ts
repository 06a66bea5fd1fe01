/**
 * Many sessions: set-based, in batches, each a transaction of its own. What is committed is committed; what fails is told
 * by session; what a failure of the whole leaves undone is said. Memory is that of one batch.
 */
import type { KeyRing } from '../config/keys';
import { explain, type Database } from '../engines/database';
import { ToolkitError, type Code } from '../errors';
import type { Permit } from '../guard/guard';
import { applyChanges, previewChanges, type Delivery, type Result } from './change';
import type { Decision, Verb } from './plan';
import type { Page } from './selection';

/** What a run over many sessions takes. */
export interface BulkRequest {
  readonly pages: Iterable<Page> | AsyncIterable<Page>;
  /** Sessions in one transaction. */
  readonly batchSize: number;
  readonly verbFor: (batch: Page) => Promise<Verb> | Verb;
  /** Told what came of a batch, in its order, once that is certain. */
  readonly tell: (results: readonly Result[], batch: Page) => Promise<void>;
  /** Asked before each batch: has somebody asked to end? */
  readonly isStopped: () => boolean;
  /** More failures than that end the run. */
  readonly maxFailures: number;
}

/** How a run ended. */
export interface Tally {
  readonly done: number;
  readonly failed: number;
  readonly end: 'complete' | 'stopped' | 'too-many-failures';
}

/** Failures of one session; any other would meet the next one too, and ends the run. */
const OF_ONE_SESSION: readonly Code[] = ['SESSION_NOT_FOUND', 'NO_TRANSCRIPTS', 'HOST_SESSION_NOT_FOUND', 'CONFLICT', 'LOCKED'];

/**
 * Changes many sessions.
 * @throws ToolkitError what would meet every session: UNREACHABLE, TIMEOUT, OUTCOME_UNKNOWN, CONFIG, the guard's. What was
 *   told before it is done.
 */
export async function changeMany(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  request: BulkRequest,
  delivery: Delivery,
): Promise<Tally> {
  let done = 0;
  let failed = 0;
  for await (const batch of batchesOf(request.pages, request.batchSize)) {
    if (request.isStopped()) return { done, failed, end: 'stopped' };
    const results = await applyBatch(database, permit, keys, request, batch, delivery);
    const failures = results.filter((result) => result instanceof ToolkitError).length;
    done += results.length - failures;
    failed += failures;
    await request.tell(results, batch);
    if (failed > request.maxFailures) return { done, failed, end: 'too-many-failures' };
  }
  return { done, failed, end: 'complete' };
}

/** A set that fails for one of its sessions is done again one by one, so that the others do not suffer for it. */
async function applyBatch(
  database: Database,
  permit: Permit,
  keys: KeyRing,
  request: BulkRequest,
  batch: Page,
  delivery: Delivery,
): Promise<readonly Result[]> {
  try {
    return await applyChanges(database, permit, keys, await request.verbFor(batch), delivery);
  } catch (error) {
    const known = aboutOne(explain(database, error), batch);
    if (!(known instanceof ToolkitError) || !OF_ONE_SESSION.includes(known.code)) throw known;
    if (batch.ids.length === 1) return [known];
    const results: Result[] = [];
    for (const id of batch.ids) {
      results.push(...(await applyBatch(database, permit, keys, request, { by: batch.by, ids: [id] }, delivery)));
    }
    return results;
  }
}

/** Of a batch of one, an error says which session it is about. */
function aboutOne(error: unknown, { by, ids }: Page): unknown {
  const [id] = ids;
  const isAboutOne = error instanceof ToolkitError && by === 'KSessionsId' && ids.length === 1 && id !== undefined;
  return isAboutOne ? error.about(id) : error;
}

/** What a run would do, batch by batch; reads only. */
export async function* previewMany(
  database: Database,
  { batchSize, pages, verbFor }: Pick<BulkRequest, 'pages' | 'batchSize' | 'verbFor'>,
): AsyncGenerator<readonly Decision[]> {
  for await (const batch of batchesOf(pages, batchSize)) yield await previewChanges(database, await verbFor(batch));
}

async function* batchesOf(pages: BulkRequest['pages'], size: number): AsyncGenerator<Page> {
  for await (const { by, ids } of pages) {
    for (let start = 0; start < ids.length; start += size) yield { by, ids: ids.slice(start, start + size) };
  }
}
