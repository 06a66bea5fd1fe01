/**
 * An incident of the old tool and the canvas schema, and its replay: what was done then is done to this toolkit. The
 * definitions are data, so that docs/incidents.md is made from what is really replayed.
 *
 * To add one: put it into the file of its theme, with the number it is recorded under. `replay` does what was done then, as
 * far as a machine can, and asserts that it is refused or found; breaking what `where` names must make it fail.
 */
import type { ExecutionContext } from 'ava';
import type { Access } from '../../lib/access';
import type { Scratch } from '../helpers/lanes';

/** What a replay has to work with. */
export interface Stage {
  /** A ready embedded target that the replays of a file share, for scripts. */
  readonly scratch: () => Scratch;
  /** Another one, kept open, without a canvas session. */
  readonly cleared: (work: (open: Access) => Promise<void>) => Promise<void>;
}

export interface Incident {
  /** As it is recorded. */
  readonly id: `I-${string}`;
  /** What happened, in one sentence. */
  readonly happened: string;
  /** What stops or finds it here, in one sentence. */
  readonly stops: string;
  /** Where the code stands that does. */
  readonly where: readonly string[];
  readonly replay: (t: ExecutionContext, stage: Stage) => Promise<void> | void;
}
