/** The trail of events, as people and programs read it. No hash stands in it: seals are for the check alone. */
import type { HostSessionEvent } from '../audit';
import type { Database } from '../engines/database';
import type { Chain, TrailStep } from '../hosts/trail';
import { many, plain, SCHEMA, targetJson } from './render';

/** What was read, in numbers. */
export class TrailTally {
  events = 0;
  chains = 0;
  /** Chains of host sessions whose row is gone. */
  withoutHead = 0;
  /** Chains that do not hold. */
  broken = 0;
  /** The first of them. */
  firstBroken: { readonly hostSessionId: number; readonly sequence: number; readonly why: string } | undefined;

  count(steps: readonly TrailStep[]): void {
    for (const step of steps) {
      if (step.kind === 'event') this.events += 1;
      else this.#countChain(step.chain);
    }
  }

  #countChain({ hasHead, hostSessionId, state }: Chain): void {
    this.chains += 1;
    if (!hasHead) this.withoutHead += 1;
    if (state.holds) return;
    this.broken += 1;
    this.firstBroken ??= { hostSessionId, sequence: state.sequence, why: state.why };
  }
}

/** An event, or a chain that does not hold; of one that does, its events say all there is. */
export function stepJson(database: Database, step: TrailStep): object | undefined {
  if (step.kind === 'event') return eventJson(database, step.event);
  const { canvasSessionId, hostSessionId, ksessionsId, state } = step.chain;
  if (state.holds) return undefined;
  const { sequence, why } = state;
  return { schema: SCHEMA, status: 'broken', target: targetJson(database), ksessionsId, canvasSessionId, hostSessionId, sequence, why };
}

function eventJson(database: Database, event: HostSessionEvent): object {
  return {
    schema: SCHEMA,
    status: 'event',
    target: targetJson(database),
    action: event.action,
    ksessionsId: event.ksessionsId,
    canvasSessionId: event.canvasSessionId,
    hostSessionId: event.hostSessionId,
    sequence: event.sequence,
    actor: event.actor,
    reason: event.reason,
    oldFingerprint: event.oldFingerprint,
    newFingerprint: event.newFingerprint,
    expiresAt: event.expiresAt?.toISOString() ?? null,
    hashKeyId: event.hashKeyId,
    operationId: event.operationId,
    at: event.occurredAt.toISOString(),
  };
}

/** The last line, for programs. */
export function trailJson(database: Database, { broken, chains, events, withoutHead }: TrailTally, withoutTrail: number): object {
  return { schema: SCHEMA, status: 'trail', target: targetJson(database), holds: broken === 0, chains, events, broken, withoutHead, withoutTrail };
}

/** The same steps, for people. */
export function stepText(step: TrailStep): string {
  if (step.kind === 'chain') return `${chainText(step.chain)}\n`;
  return (step.isFirst ? headText(step.event) : '') + eventText(step.event);
}

function headText({ canvasSessionId, hostSessionId, ksessionsId }: HostSessionEvent): string {
  const link = ksessionsId === null ? 'no KSESSIONS session' : `KSESSIONS ${ksessionsId}`;
  return `Host session ${hostSessionId} (${link}, canvas session ${canvasSessionId})\n`;
}

function eventText(event: HostSessionEvent): string {
  const { action, expiresAt, ksessionsId, newFingerprint, occurredAt, oldFingerprint, operationId, reason, sequence } = event;
  const at = `${occurredAt.toISOString().slice(0, 19)}Z`;
  const fingerprints = newFingerprint === null && oldFingerprint === null ? '' : `${oldFingerprint ?? 'none'} -> ${newFingerprint ?? 'none'}`;
  const expires = newFingerprint === null ? '' : `  expires ${expiresAt === null ? 'never' : `${expiresAt.toISOString().slice(0, 19)}Z`}`;
  const linked = action === 'linked' ? `  ${ksessionsId === null ? 'to no KSESSIONS session' : `to KSESSIONS ${ksessionsId}`}` : '';
  return (
    `${String(sequence).padStart(5)}  ${at}  ${plain(action).padEnd(12)}  by ${plain(event.actor)}\n` +
    (fingerprints + linked === '' ? '' : `       fingerprint ${plain(fingerprints)}${expires}${linked}\n`) +
    (reason === null ? '' : `       because: ${plain(reason)}\n`) +
    `       operation ${operationId}\n`
  );
}

function chainText({ canvasSessionId, hasHead, hostSessionId, ksessionsId, state }: Chain): string {
  if (!state.holds) {
    const of = `host session ${hostSessionId}, ${ksessionsId === null ? '' : `KSESSIONS ${ksessionsId}, `}canvas session ${canvasSessionId}`;
    return `  DOES NOT HOLD at event ${state.sequence} (${of}): ${state.why}.\n`;
  }
  if (hasHead) return `  The chain holds: ${many(state.events, 'event')}.\n`;
  return `  The chain holds as far as it goes: ${many(state.events, 'event')}. The host session was deleted, so a removed end would not show.\n`;
}

/** The end, for people. */
export function trailText({ broken, chains, events, withoutHead }: TrailTally, withoutTrail: number): string {
  const held = broken === 0 ? 'all hold' : `${broken} of them broken`;
  const gone = withoutHead === 0 ? '' : `, ${withoutHead} of host sessions that were deleted`;
  return (
    `${many(events, 'event')} in ${many(chains, 'chain')}${gone}: ${held}.\n` +
    (withoutTrail === 0 ? '' : `${many(withoutTrail, 'host session')} without a trail: consolidate.mjs --apply begins that of a live one.\n`)
  );
}
