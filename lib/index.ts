/** The public API: what scripts use, and programs may. */
export { permitFor, withAccess, withOpenTarget, requireTarget, type Access, type AccessRequest } from './access';
export { appendEvent, checkChain, readEvents } from './audit';
export { accessRequest, runCommand, SHARED_OPTIONS, WRITING_OPTIONS, type CommandDefinition, type Run } from './cli/command';
export { askText, confirm, isTerminal } from './cli/confirm';
export { forEachId, openOutput } from './cli/output';
export * as render from './cli/render';
export * as renderMigrations from './cli/render-migrations';
export * as renderRepair from './cli/render-repair';
export { actorOf, parseExpiry, parseIds, parseLink, parseSeconds, parseText } from './cli/words';
export { readSettings, type Settings } from './config/settings';
export { explain, findHarm, withDatabase, withTransaction } from './engines/database';
export { EXIT_OF, faults, ToolkitError, type Code } from './errors';
export { authenticateHost, type Authentication } from './hosts/authenticate';
export { consolidate, CONSOLIDATE_NEEDS, link, MAX_REASON } from './hosts/consolidate';
export { HostGuid } from './hosts/credential';
export {
  planProvision,
  previewProvision,
  provision,
  type Delivery,
  type Outcome,
  type ProvisionPlan,
  type ProvisionRequest,
  type Receipt,
} from './hosts/provision';
export { enrol, readMarker, requirePermit } from './migrations/enrol';
export { composeHandoff, writeHandoff } from './migrations/handoff';
export { firstRefusal, migrationStatus, previewLatest } from './migrations/preview';
export { migrateLatest, pendingMigrations, rehearse, rollback } from './migrations/run';
