/** Who is at the other end of both connections, and whether the database is marked as this target's. */
import { readMarker, readSourceMarker } from '../migrations/enrol';
import { assertMark, assertSourceMark } from '../guard/guard';
import { faults, ToolkitError } from '../errors';
import type { Reader } from '../engines/database';
import { holds, type Check, type Observation, type Subject } from './check';

/** In the words of the server, never in those that were dialled (I-09). */
const named = ({ admission: { identity } }: Reader) => `${identity.database} on ${identity.server}`;

/** The guard admitted it, or nothing would be open: what is told here is where we are. */
const canvasIdentity: Check = {
  id: 'guard.canvas',
  title: 'The canvas connection is the database that the target names',
  severity: 'critical',
  look: ({ database: { canvas, target } }) => holds(`${named(canvas)}, for target ${target.name} (${target.environment})`),
};

const sourceIdentity: Check = {
  id: 'guard.source',
  title: 'The KSESSIONS connection is the database that the target names',
  severity: 'critical',
  look: ({ database: { source } }) => holds(named(source)),
};

const marker: Check = {
  id: 'guard.marker',
  title: 'The database is enrolled for this target, and has not been copied, restored or renamed since',
  severity: 'critical',
  async look({ database: { canvas, target } }) {
    const found = await readMarker(canvas);
    if (found === undefined) return refused(faults.notEnrolled(target.name, canvas.admission.identity));
    return asRefusal(() => assertMark(canvas.admission, found), `Enrolled for ${found.target} (${found.environment})`);
  },
};

/** The source may be a database with a mark of its own: that of another environment is I-10. */
const sameEnvironment: Check = {
  id: 'guard.environment',
  title: 'Both connections belong to one environment',
  severity: 'critical',
  async look({ database: { source, target } }) {
    const found = await readSourceMarker(source);
    if (found === undefined) return holds(`The KSESSIONS database, ${named(source)}, has no mark that this login may read; the target names it`);
    return asRefusal(() => assertSourceMark(source.admission, found), `Both are marked ${target.environment}`);
  },
};

function asRefusal(insist: () => void, otherwise: string): Observation {
  try {
    insist();
    return holds(otherwise);
  } catch (error) {
    if (error instanceof ToolkitError) return refused(error);
    throw error;
  }
}

const refused = ({ hint, message, why }: ToolkitError): Observation => ({ found: 1, evidence: [`${message} ${why}`], remedy: hint });

export const GUARD_CHECKS: readonly Check<Subject>[] = [canvasIdentity, sourceIdentity, marker, sameEnvironment];
