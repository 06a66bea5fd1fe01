/** Every check, in the order of a report. */
import { AUDIT_CHECKS } from './audit';
import { CANARY_CHECKS } from './canary';
import { groupOf, GROUPS, type Group } from './check';
import { CREDENTIAL_CHECKS } from './credentials';
import { DATA_CHECKS } from './data';
import type { Checks } from './gate';
import { GUARD_CHECKS } from './guard';
import { MIGRATION_CHECKS } from './migrations';
import { SCHEMA_CHECKS } from './schema';
import { SECRET_CHECKS, SECURITY_CHECKS } from './security';
import { SOURCE_CHECKS } from './source';

export const CHECKS: Checks = {
  beforehand: SECRET_CHECKS,
  there: [
    ...GUARD_CHECKS, ...MIGRATION_CHECKS, ...SCHEMA_CHECKS, ...DATA_CHECKS, ...CREDENTIAL_CHECKS, ...SOURCE_CHECKS, ...AUDIT_CHECKS,
    ...SECURITY_CHECKS, ...CANARY_CHECKS,
  ],
};

/** Ids and groups: what `--only` and `--skip` take. */
export function knownWords({ beforehand, there }: Checks): string[] {
  const ids = [...beforehand, ...there].map(({ id }) => id);
  const groups = new Set<Group>(ids.map(groupOf));
  return [...Object.keys(GROUPS).filter((group) => groups.has(group as Group)), ...ids];
}
