/** The public API: what scripts use, and programs may. */
export {
  permitFor,
  requireTarget,
  withAccess,
  withOpenTarget,
  withReading,
  type Access,
  type AccessRequest,
  type ReadAccess,
} from './access';
export { appendEvent, ChainCheck, checkChain, readEvents } from './audit';
export { agreeToReplace, agreeToSet, assertChange, CHANGE_OPTIONS, changeSessions, GUID_OPTIONS, readTerms } from './cli/changes';
export { checkConfig, CONFIGURATION_OPTIONS } from './cli/check-config';
export { CHOICE_OPTIONS, FILTER_OPTIONS, readChoice } from './cli/choice';
export { completionScript, SHELLS } from './cli/completion';
export {
  accessRequest,
  readingRequest,
  runCommand,
  SHARED_OPTIONS,
  WRITING_OPTIONS,
  type CommandDefinition,
  type Run,
} from './cli/command';
export { askText, confirm, isTerminal } from './cli/confirm';
export { checkGuids, GUID_CHECK_OPTIONS, readGuids } from './cli/guid-check';
export { deliverFirst } from './cli/handoff';
export * as gate from './cli/gate';
export { interact, isInteractive } from './cli/interactive';
export { composeManual } from './cli/manual';
export { composeVerifyGuide } from './cli/verify-guide';
export * as render from './cli/render';
export * as renderListing from './cli/render-listing';
export * as renderMigrations from './cli/render-migrations';
export * as renderRepair from './cli/render-repair';
export * as renderTrail from './cli/render-trail';
export { RELEASE_OPTIONS, releaseCheck } from './cli/release-check';
export { actorOf, parseExpiry, parseIds, parseLink, parseSeconds, parseText } from './cli/words';
export { readHandoffKey } from './config/keys';
export { readSettings, type Settings } from './config/settings';
export { explain, findHarm, readClock, withDatabase, withTransaction } from './engines/database';
export { EXIT_OF, faults, ToolkitError, type Code } from './errors';
export {
  authenticateAndRecord,
  authenticateHost,
  type Authentication,
  type RecordedAuthentication,
} from './hosts/authenticate';
export { consolidate, CONSOLIDATE_NEEDS, link, MAX_REASON } from './hosts/consolidate';
export { HostGuid } from './hosts/credential';
export { KEY_STANDINGS, keysInUse, type KeyStanding, type KeyUse } from './hosts/key-use';
export { listSessions, type ListedSession, type ListRequest } from './hosts/listing';
export { applyChanges, previewChanges, type Delivery, type Outcome, type Result } from './hosts/change';
export type { Plan, Verb } from './hosts/plan';
export { composeCredentials, makeOrders, type Order, type OrderTerms } from './hosts/handoff';
export { planProvision, previewProvision, provision, provisioning, type ProvisionPlan, type ProvisionRequest } from './hosts/provision';
export { planRevocation, revoking } from './hosts/revoke';
export { planRotation, rotating } from './hosts/rotate';
export {
  countLive,
  countProvisionable,
  pagesOfIds,
  pagesOfLive,
  pagesOfProvisionable,
  pagesOfUnlinked,
} from './hosts/selection';
export { CREDENTIAL_STATES, stateOf, type CredentialState } from './hosts/state';
export { countWithoutTrail, readTrail, type Chain, type TrailStep } from './hosts/trail';
export { enrol, readMarker, requirePermit } from './migrations/enrol';
export { composeHandoff, writeHandoff } from './migrations/handoff';
export { firstRefusal, migrationStatus, previewLatest } from './migrations/preview';
export { migrateLatest, pendingMigrations, rehearse, rollback } from './migrations/run';
