/**
 * The failures a caller may tell apart. Each has a code, an exit code and three lines: what happened,
 * why or where, what to do. Wordings stand here, away from the logic that raises them.
 */

/** The exit code of each failure code; the public table of docs and scripts. */
export const EXIT_OF = {
  CHECKS_FAILED: 1,
  GUID_REJECTED: 1,
  PARTIAL: 1,
  USAGE: 2,
  CONFIG: 2,
  UNREACHABLE: 2,
  TIMEOUT: 2,
  OUTCOME_UNKNOWN: 2,
  INTERNAL: 2,
  GUARD_TARGET_UNKNOWN: 3,
  GUARD_PRODUCTION: 3,
  GUARD_PROTECTED: 3,
  GUARD_DIFFERS: 3,
  GUARD_IDENTITY: 3,
  GUARD_NOT_ENROLLED: 3,
  GUARD_MARKER: 3,
  CONFLICT: 4,
  LOCKED: 4,
  MIGRATIONS_PENDING: 4,
  MIGRATION_EDITED: 4,
  DATA_NOT_READY: 4,
  SCHEMA_UNSUPPORTED: 4,
  SESSION_NOT_FOUND: 5,
  NO_TRANSCRIPTS: 5,
  HOST_SESSION_NOT_FOUND: 5,
  INTERRUPTED: 130,
} as const;

export type Code = keyof typeof EXIT_OF;

/** The three lines of every error: what, why or where, what to do. No secret in any of them. */
export interface Words {
  readonly what: string;
  readonly why: string;
  readonly hint: string;
}

/** What an error is about, where the caller knows it. */
export interface Facts {
  readonly cause?: unknown;
  readonly ksessionsId?: number;
  readonly operationId?: string;
}

/** A failure with a code the caller may branch on. `message` is the first line. */
export class ToolkitError extends Error {
  override readonly name = 'ToolkitError';
  readonly code: Code;
  readonly why: string;
  readonly hint: string;
  readonly ksessionsId: number | undefined;
  readonly operationId: string | undefined;

  constructor(code: Code, words: Words, facts: Facts = {}) {
    super(words.what, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.why = words.why;
    this.hint = words.hint;
    this.ksessionsId = facts.ksessionsId;
    this.operationId = facts.operationId;
  }

  /** The same failure, saying which session it is about. */
  about(ksessionsId: number): ToolkitError {
    if (this.ksessionsId !== undefined) return this;
    const { message: what, why, hint, operationId, cause } = this;
    const facts = { ksessionsId, ...(operationId === undefined ? {} : { operationId }), cause: cause ?? this };
    return new ToolkitError(this.code, { what: `KSESSIONS ${ksessionsId}: ${what}`, why, hint }, facts);
  }

  /** The same failure, with another word on what to do. */
  advising(hint: string): ToolkitError {
    const { message: what, why, ksessionsId, operationId } = this;
    const facts = { ...(ksessionsId === undefined ? {} : { ksessionsId }), ...(operationId === undefined ? {} : { operationId }), cause: this };
    return new ToolkitError(this.code, { what, why, hint }, facts);
  }

  get exit(): number {
    return EXIT_OF[this.code];
  }
}

/** Where a connection error happened. */
interface Place {
  readonly target: string;
  readonly role: string;
  readonly address: string;
  readonly waitMs: number;
  /** The variables that the login was read from. */
  readonly login: string;
  /** What was being done. */
  readonly stage: string;
}

/** A trail of which some chains do not hold. */
interface BrokenTrail {
  readonly broken: number;
  readonly chains: number;
  readonly firstBroken: { readonly hostSessionId: number; readonly sequence: number; readonly why: string } | undefined;
}

interface DatabaseIds {
  readonly server: string;
  readonly database: string;
  readonly serverId: string;
  readonly databaseId: string;
}

/** Stages at which no transaction of anybody can be what is waited for. */
const BEFORE_ANY_WORK = ['connecting', 'logging in'];

const whereIs = (place: Place) => `the ${place.role} connection of target ${place.target} (${place.address})`;
const whoIs = (id: DatabaseIds) => `${id.database} on ${id.server} (ids ${id.serverId} / ${id.databaseId})`;

/** How a person finds out whether an operation was committed. */
const LOOK_UP = 'the GUID holds if canvas.HostSessionEvents has a row with that OperationId.';

function make(code: Code, what: string, why: string, hint: string, facts?: Facts): ToolkitError {
  return new ToolkitError(code, { what, why, hint }, facts);
}

/** Every wording of the toolkit, one function per failure. Arguments are safe to print: never a secret. */
export const faults = {
  // --- what was typed -------------------------------------------------------------------------------------
  usage: (what: string, why: string, hint = 'Run the command with --help to see what it takes.') =>
    make('USAGE', what, why, hint),
  badId: (text: string) =>
    make(
      'USAGE',
      `${redacted(JSON.stringify(text))} is not a KSESSIONS id.`,
      'An id is a whole number from 1 to 2147483647, in plain decimal digits, or a range such as 20-30.',
      'Give the number that dbo.Sessions.SessionID holds, for example 15. Nothing was done.',
    ),
  noIds: () =>
    make('USAGE', 'No id was given.', 'The command works on the ids it is given.', 'Give ids: 15, 15 212, or 20-30.'),
  unknownCommand: (word: string, commands: readonly string[]) =>
    make('USAGE', `There is no command ${redacted(JSON.stringify(word))}.`, `There are: <id>, ${commands.join(', ')}.`, 'Type help to see what each does.'),
  notInteractive: (option: string) =>
    make(
      'USAGE',
      `No id was given, and --${option} does not go with a prompt.`,
      'On a terminal the command without ids asks for them one by one.',
      `Give ids, --all or --file with it, or leave --${option} out. Nothing was done.`,
    ),
  guidOnCommandLine: () =>
    make(
      'USAGE',
      'A host GUID stands on the command line.',
      "Every user of this machine can read command lines while they run, and the shell keeps them in its history.",
      'Take it for known to others and rotate it. To check one: npx zx scripts/verify.mjs --guid-file FILE, or - for standard input. Nothing was done.',
    ),
  guidInText: (option: string) =>
    make(
      'USAGE',
      `A GUID stands in ${option}.`,
      'The text is stored in the trail for good; a host GUID there opens its session for whoever reads it.',
      'If it is one, rotate it: it stands in the history of the shell too. Name an operation by the first eight digits of its id. Nothing was done.',
    ),
  notWithGuidFile: (option: string) =>
    make(
      'USAGE',
      `--${option} and --guid-file exclude each other.`,
      'With --guid-file a host GUID is checked, and nothing else.',
      'Give one of them.',
    ),
  guidFileNeeded: () =>
    make('USAGE', '--record-use goes with --guid-file.', 'What would be recorded is the use of a host GUID.', 'Give --guid-file FILE, or - for standard input.'),
  noGuid: (origin: string) =>
    make('USAGE', `No host GUID stands in ${origin}.`, 'It is empty, or holds results without a GUID.', 'Put one GUID in it, or one a line.'),
  badExpiry: (text: string, why: string) =>
    make(
      'USAGE',
      `--expires ${JSON.stringify(text)} cannot be used.`,
      why,
      'Give a time in the future: an ISO 8601 date (2027-01-31, 2027-01-31T18:00Z) or a duration (90d, 12h, P3M).',
    ),

  badDatabaseName: (name: string) =>
    make(
      'USAGE',
      `${JSON.stringify(name)} cannot be used as the name of a database.`,
      'It goes into scripts that others run, so only letters, digits and _ . - are taken.',
      'Give --database the name as the server knows it, for example KSESSIONS. Nothing was written.',
    ),
  handoffExists: (folder: string) =>
    make(
      'USAGE',
      `The folder ${folder} is not empty.`,
      'A bundle is written whole, and nothing is ever overwritten.',
      'Give --out a new folder. Nothing was written.',
    ),
  handoffWithout: (option: string) =>
    make(
      'USAGE',
      `${option} goes with --provision.`,
      'Without it the bundle changes the schema and no credential.',
      'Give --provision and ids, or leave it out. Nothing was written.',
    ),
  handoffNeedsGuids: () =>
    make(
      'USAGE',
      'No file was named for the GUIDs.',
      'The bundle holds hashes only; whoever gets it must not get the GUIDs with it.',
      'Give --guids FILE, outside the folder of the bundle. Nothing was written.',
    ),
  guidsInBundle: (path: string, folder: string) =>
    make(
      'USAGE',
      `${path} lies in the folder of the bundle, ${folder}.`,
      'The bundle goes to an administrator, and the GUIDs are for the hosts alone.',
      'Give --guids a file elsewhere. Nothing was written.',
    ),
  tooManyHandedOff: (count: number, most: number) =>
    make(
      'USAGE',
      `${count} ids are too many for one script.`,
      `An administrator reads it; it takes ${most} at most.`,
      'Make several bundles. Nothing was written.',
    ),
  handoffNotWritten: (folder: string, cause: unknown) =>
    make(
      'CONFIG',
      `The bundle cannot be written to ${folder}.`,
      `The system says ${systemCode(cause)}.`,
      'Give --out a folder that can be written to; what was written to it was taken away.',
      { cause },
    ),

  // --- configuration ---------------------------------------------------------------------------------------
  emptyVariable: (name: string) =>
    make('CONFIG', `The variable ${name} is set to nothing.`, 'An empty value is no choice.', `Set or unset ${name}.`),
  twoSources: (one: string, other: string) =>
    make('CONFIG', `${one} and ${other} are both set.`, 'Only one of them can be meant.', 'Unset one of them.'),
  fileUnreadable: (path: string, cause: unknown) =>
    make(
      'CONFIG',
      `The file ${path} cannot be read.`,
      `The system says ${systemCode(cause)}.`,
      'Check the path and who may read it.',
      { cause },
    ),
  appsettingsInvalid: (path: string, errors: readonly string[]) =>
    make('CONFIG', `The file ${path} is no JSON that .NET would read.`, errors.join('; '), 'Mend it there. Nothing was compared.'),
  notConfiguration: (path: string) =>
    make(
      'CONFIG',
      `${path} is no configuration file that this command knows.`,
      'It reads appsettings files (.json) and .env files; of a folder, its appsettings*.json and .env files, and there must be one.',
      'Name the files, or the folder they are in. Nothing was compared.',
    ),
  configurationDiffers: (verdict: string) =>
    make(
      'CHECKS_FAILED',
      'The configuration files do not agree, or say what they should not.',
      verdict,
      'Mend what is named above, each in its file; then run check-config.mjs again.',
    ),
  fileUnwritable: (path: string, cause: unknown) =>
    make(
      'CONFIG',
      `The file ${path} cannot be made.`,
      `The system says ${systemCode(cause)}.`,
      'Check the folder and who may write to it. Nothing was done.',
      { cause },
    ),
  secretIsShared: (path: string) =>
    make(
      'CONFIG',
      `The file ${path} can be read by others.`,
      'It holds a password, a key or a host GUID; its mode gives rights to the group or to everybody.',
      `Run: chmod 600 ${path}`,
    ),
  weakTls: (target: string, setting: string, server: string) =>
    make(
      'CONFIG',
      `Target ${target} would be reached without TLS that can be trusted.`,
      `${setting} is for the loopback only, and ${server} is not on it.`,
      'Take it out; a private certificate authority is named with "ca": "file.pem".',
    ),
  plainOffLoopback: (address: string) =>
    make(
      'GUARD_IDENTITY',
      'A connection without TLS left this machine.',
      `It was made to ${address}, which is not the loopback. The password was not sent.`,
      'Check where the server name leads, or take "encrypt": false out of the target.',
    ),
  stringWeakensTls: (variable: string, key: string) =>
    make(
      'GUARD_DIFFERS',
      `The connection string in ${variable} is refused.`,
      `${key}: it asks for less than the target does.`,
      'Take it out of the string; the target alone says how TLS is used.',
    ),
  targetsUnreadable: (path: string, cause: unknown) =>
    make(
      'CONFIG',
      `The list of targets cannot be read: ${path}`,
      `The system says ${systemCode(cause)}.`,
      'Mend the path, or name another file in CANVAS_TARGETS_FILE.',
      { cause },
    ),
  targetsInvalid: (path: string, errors: readonly string[]) =>
    make(
      'CONFIG',
      `The list of targets is not valid: ${path}`,
      errors.join('; '),
      'The schema beside it (lib/config/targets.schema.json) says what it may hold.',
    ),
  noKey: (target: string) =>
    make(
      'CONFIG',
      `There is no HMAC key for target ${target}.`,
      'Host GUIDs are stored as keyed hashes; the key is in no file of this repository.',
      'Set CANVAS_HMAC_KEY_FILE to a file that only you can read, with at least 32 random bytes in one line.',
    ),
  noHandoffKey: (database: string) =>
    make(
      'CONFIG',
      `There is no HMAC key for database ${database}.`,
      'Host GUIDs are stored as hashes under the key that its application checks them with.',
      'Set CANVAS_HMAC_KEY_FILE to a file that only you can read and that holds that key in its first line.',
    ),
  badKey: (origin: string, line: number, why: string) =>
    make(
      'CONFIG',
      `Line ${line} of ${origin} is not usable as an HMAC key.`,
      `Reason: ${why}.`,
      'Make one with: node -p "crypto.randomBytes(32).toString(\'base64\')"',
    ),
  windowsLogin: (user: string, from: string) =>
    make(
      'CONFIG',
      `${JSON.stringify(user)} is a Windows login.`,
      `It was read from ${from}; integrated Windows authentication is not supported by the driver.`,
      'Use an SQL login: a name without a backslash, and its own password.',
    ),
  noLogin: (variable: string, target: string) =>
    make(
      'CONFIG',
      `There is no login for target ${target}.`,
      `The variable ${variable} is not set.`,
      `Set ${variable} and its password (or password file), or the connection string, in the environment.`,
    ),
  passwordWithoutUser: (prefix: string) =>
    make(
      'CONFIG',
      `There is a password for ${prefix}, and no user.`,
      `${prefix}_PASSWORD or ${prefix}_PASSWORD_FILE is set, ${prefix}_USER is not.`,
      `Set ${prefix}_USER, or unset the password.`,
    ),
  embeddedDamaged: (path: string, cause: unknown) =>
    make(
      'CONFIG',
      `The embedded database cannot be opened: ${path}`,
      `The folder was damaged or holds no database (${systemCode(cause)}).`,
      'It holds sample data only. Move the folder away; the next command makes a new one.',
      { cause },
    ),
  embeddedVersion: (path: string, found: string, needed: string) =>
    make(
      'CONFIG',
      `The embedded database was made by another version: ${path}`,
      `It was made by PostgreSQL ${found}; the installed engine is PostgreSQL ${needed}.`,
      'It holds sample data only. Move the folder away; the next command makes a new one.',
    ),

  // --- the guard ---------------------------------------------------------------------------------------------
  unknownTarget: (name: string, known: readonly string[], near: string | undefined, path: string) =>
    make(
      'GUARD_TARGET_UNKNOWN',
      `There is no target ${JSON.stringify(name)}.`,
      `Known targets: ${known.join(', ')} (in ${path}).`,
      near === undefined ? 'Choose one with --target NAME.' : `Did you mean ${near}?`,
    ),
  runtimeIsProduction: (variable: string, value: string) =>
    make(
      'GUARD_PRODUCTION',
      'This toolkit does not run in production.',
      `${variable} is ${JSON.stringify(value)}.`,
      'Production gets its changes as a reviewed SQL bundle. If this is not production, correct the variable.',
    ),
  environmentRefused: (target: string, environment: string, allowed: readonly string[]) =>
    make(
      'GUARD_PRODUCTION',
      `Target ${target} is not for this toolkit.`,
      `Its environment is ${JSON.stringify(environment)}; allowed are ${allowed.join(', ')}. Unknown is production.`,
      'Choose another target with --target NAME, or correct its environment in the list of targets.',
    ),
  protectedName: (target: string, role: string, kind: string, name: string) =>
    make(
      'GUARD_PROTECTED',
      `Target ${target} leads to a protected ${kind}: ${name}.`,
      `Its ${role} connection names it, and production names are refused whatever the environment says.`,
      'Choose a target whose database is not production (KSESSIONS_DEV, for example).',
    ),
  anotherDatabase: (target: { name: string }, role: string, answer: DatabaseIds) =>
    make(
      'GUARD_IDENTITY',
      `The ${role} connection of target ${target.name} reached another database.`,
      `The server says it is ${whoIs(answer)}, which is not what the target names.`,
      'Check server, port and database of the target; a proxy, alias or DNS entry may lead elsewhere.',
    ),
  anotherServer: (target: string, role: string, expected: string, actual: string) =>
    make(
      'GUARD_IDENTITY',
      `The ${role} connection of target ${target} reached another server.`,
      `The server calls itself ${actual}; the target says serverName ${expected}.`,
      'Check where the server name leads (DNS, aliases, port forwarding).',
    ),
  couldHarm: (target: string, findings: readonly string[]) =>
    make(
      'GUARD_PROTECTED',
      `The login of target ${target} may do more than it should.`,
      findings.join(' '),
      'Give it the least privileges (docs/guard.md has the script), or take "strict": true out of the target.',
    ),
  noIdentity: () =>
    make(
      'GUARD_IDENTITY',
      'The server did not say who it is.',
      'It gave no answer to the question for its identity, and unknown is refused.',
      'Check that a PostgreSQL or SQL Server of a supported version listens there.',
    ),
  movedUnderneath: (expected: DatabaseIds, actual: DatabaseIds) =>
    make(
      'GUARD_IDENTITY',
      'The connection is no longer the database it was permitted for.',
      `Permitted: ${whoIs(expected)}. Now: ${whoIs(actual)}.`,
      'Nothing was written. Find out what moved the connection, then run the command again.',
    ),
  searchPathMoved: (expected: string, actual: string) =>
    make(
      'GUARD_IDENTITY',
      'The connection is no longer set up as it was.',
      `search_path was set to ${expected} and is now ${JSON.stringify(actual)}.`,
      'Nothing was written. A pooler between the toolkit and the server is a usual cause: connect directly.',
    ),
  notEnrolled: (target: string, id: DatabaseIds) =>
    make(
      'GUARD_NOT_ENROLLED',
      `This database is not enrolled as target ${target}.`,
      `${whoIs(id)} has no row in canvas.Environment.`,
      `If it really is ${target}, run: npx zx scripts/enrol.mjs --target ${target}`,
    ),
  markerDiffers: (target: string, differences: readonly string[]) =>
    make(
      'GUARD_MARKER',
      `This database is marked as something else than target ${target}.`,
      `${differences.join('; ')}. A copy, a restore, a rename or an edit does that.`,
      `If this move was meant, enrol again: npx zx scripts/enrol.mjs --target ${target}`,
    ),
  sourceOfAnotherEnvironment: ({ environment, name }: { name: string; environment: string }, database: string, marked: string) =>
    make(
      'GUARD_MARKER',
      `The KSESSIONS database of target ${name} belongs to another environment.`,
      `${database} is marked ${JSON.stringify(marked)}; the target is ${environment}.`,
      'Say in targets.json which KSESSIONS database belongs to this environment ("source"), and have it reviewed.',
    ),
  markedAsProduction: (target: string, environment: string) =>
    make(
      'GUARD_MARKER',
      `This database cannot be target ${target}.`,
      `Its mark says environment ${JSON.stringify(environment)}, and such a mark refuses for ever, enrolment included.`,
      'Use the SQL bundle for production. If it is a copy that is to become another database, docs/handoff.md says how.',
    ),
  enrolmentNotConfirmed: (target: string, database: string) =>
    make(
      'GUARD_MARKER',
      `Enrolment as ${target} was not confirmed.`,
      `The server calls the database ${database}; the name given is another.`,
      `If that is the right database: npx zx scripts/enrol.mjs --target ${target} --confirm ${database}`,
    ),

  // --- the connection ------------------------------------------------------------------------------------------
  unreachable: (place: Place, code: string, cause: unknown) =>
    make(
      'UNREACHABLE',
      `The database cannot be reached, while ${place.stage}.`,
      `${whereIs(place)} failed with ${code}.`,
      'Check that the server runs and that this machine may reach that port.',
      { cause },
    ),
  garbled: (place: Place, cause: unknown) =>
    make(
      'UNREACHABLE',
      `What answers does not speak the language of the database, while ${place.stage}.`,
      `${whereIs(place)} sent what cannot be read.`,
      'Check that this port is the database and not another service, and what stands between (a proxy, a gateway).',
      { cause },
    ),
  timedOut: (place: Place, code: string, cause: unknown) =>
    make(
      'TIMEOUT',
      `The database did not answer in time, while ${place.stage}.`,
      `${whereIs(place)} failed with ${code}.`,
      BEFORE_ANY_WORK.includes(place.stage)
        ? 'Check that this port is the database and not another service, and that the server is not overloaded.'
        : 'Look for a long-running transaction that blocks it, then run the command again.',
      { cause },
    ),
  /** Of a run's own lock it is told how long it was waited for; other locks have other bounds. */
  locked: (place: Place, cause: unknown) =>
    place.stage === 'taking the lock'
      ? make(
          'LOCKED',
          'Another run has the lock.',
          `${whereIs(place)} waited ${place.waitMs / 1000} s for it.`,
          'Let the other run end, then try again; --wait SECONDS waits longer.',
          { cause },
        )
      : make(
          'LOCKED',
          'Somebody else has a lock on what is needed.',
          `${whereIs(place)} did not get it in time, while ${place.stage}.`,
          'Look for a long-running transaction that blocks it (the application, a backup, an open query window), then run the command again.',
          { cause },
        ),
  tlsFailed: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFIG',
      'The connection could not be made safe with TLS.',
      `${whereIs(place)} failed with ${code}.`,
      'Turn TLS on at the server; name a private certificate authority with "ca": "file.pem" in the target.',
      { cause },
    ),
  loginRefused: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFIG',
      'The server refused the login.',
      `${whereIs(place)} failed with ${code}.`,
      `Check user and password: they were read from ${place.login}. The password is never shown.`,
      { cause },
    ),
  noSuchDatabase: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFIG',
      'The server has no such database.',
      `${whereIs(place)} failed with ${code}.`,
      'Check the database name of the target.',
      { cause },
    ),
  notGranted: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFIG',
      'The login may not do that.',
      `${whereIs(place)} failed with ${code}.`,
      'Grant what is missing: read and write on schema canvas, SELECT on schema dbo; schema changes and identities need more (docs/guard.md).',
      { cause },
    ),
  missingObject: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFIG',
      'A table or column that is needed is not there.',
      `${whereIs(place)} failed with ${code}.`,
      place.role === 'source'
        ? 'Check that the source database is KSESSIONS (tables in schema dbo); run with --verbose for its name.'
        : `Look at what is pending (npm run migrate:status -- --target ${place.target}), and that the source is KSESSIONS; --verbose names it.`,
      { cause },
    ),
  levelTooLow: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFIG',
      'The database works as an older SQL Server would: its compatibility level is below 130.',
      `${whereIs(place)} failed with ${code}.`,
      'Let its administrator raise the level: ALTER DATABASE … SET COMPATIBILITY_LEVEL = 150.',
      { cause },
    ),
  conflict: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFLICT',
      'Another run changed the same rows first.',
      `${whereIs(place)} refused the write with ${code}. Nothing was written.`,
      'Run the command again.',
      { cause },
    ),
  movedInWrite: (place: Place) =>
    make(
      'GUARD_IDENTITY',
      'The connection is no longer the database it was permitted for.',
      `The server found another database or another server name on ${whereIs(place)}.`,
      'Nothing was written. Find out what moved the connection, then run the command again.',
    ),
  refusedByDatabase: (place: Place, code: string, cause: unknown) =>
    make(
      'CONFLICT',
      'The database refused what would break one of its rules.',
      `${whereIs(place)}: ${code}, ${serverMessage(cause)}`,
      'Nothing was written. Compare the schema with npm run migrate:status; report this if nobody changed it by hand.',
      { cause },
    ),
  jsonMisread: (place: Place, cause: unknown) =>
    make(
      'SCHEMA_UNSUPPORTED',
      'The server does not read JSON as SQL Server does.',
      `${whereIs(place)} leaves a quote or backslash escaped: it would store another text than the trail seals.`,
      'Nothing was written. Leave quotes and backslashes out of --reason and --created-by; a title with them cannot be copied to this server.',
      { cause },
    ),
  triggerInTheWay: (place: Place, code: string, cause: unknown) =>
    make(
      'SCHEMA_UNSUPPORTED',
      'A trigger on a table of schema canvas keeps ids from being read back.',
      `${whereIs(place)} refused it with ${code}.`,
      'Nothing was written. Take the trigger from canvas.Sessions or canvas.HostSessions; the migrations make none there.',
      { cause },
    ),
  commitUnknown: (cause: unknown) =>
    make(
      'OUTCOME_UNKNOWN',
      'It is not known whether the last step was committed.',
      'The connection was lost at COMMIT, before its answer came.',
      'Run the command again when the database answers: it looks first, and does nothing twice.',
      { cause },
    ),
  tooLong: (place: Place, code: string, cause: unknown) =>
    make(
      'SCHEMA_UNSUPPORTED',
      'A value does not fit its column.',
      // The server's own sentence may quote the value.
      `${whereIs(place)} refused it with ${code}.`,
      'Nothing was written. The column is narrower than the migrations make it: restore its length.',
      { cause },
    ),

  // --- migrations ----------------------------------------------------------------------------------------------
  migrationsPending: (target: string, names: readonly string[]) =>
    make(
      'MIGRATIONS_PENDING',
      `The schema of target ${target} is not up to date.`,
      `Pending: ${names.join(', ')}.`,
      `Run: npm run migrate -- --target ${target}`,
    ),
  migrationMissing: (name: string) =>
    make(
      'MIGRATION_EDITED',
      `The applied migration ${name} has no file.`,
      'The database says that it was applied; the folder migrations/ does not have it.',
      'Bring the file back from version control. Applied migrations are history.',
    ),
  ledgerDamaged: (name: string) =>
    make(
      'MIGRATION_EDITED',
      `The ledger's row of the migration ${name} was changed by hand.`,
      'Its Objects cell does not say what the migration made and what it found, so nobody can tell what a rollback may take.',
      'Bring the row of canvas.MigrationLedger back from a backup of the database. Nothing was done.',
    ),
  migrationEdited: (name: string) =>
    make(
      'MIGRATION_EDITED',
      `The applied migration ${name} was edited.`,
      'Its checksum is not the one that was recorded when it ran.',
      'Bring the file back from version control and put the change into a new migration.',
    ),
  migrationLate: (name: string, newest: string) =>
    make(
      'MIGRATION_EDITED',
      `The migration ${name} comes late.`,
      `It is older than ${newest}, which was applied already: other databases ran them in the other order.`,
      'Give the file a newer timestamp. If the order does not matter, run: npm run migrate -- --allow-late',
    ),
  migrationRenamed: (name: string, to: string) =>
    make(
      'MIGRATION_EDITED',
      `The applied migration ${name} was renamed to ${to}.`,
      'The content is the same, but the database knows it by its old name and would run it again.',
      `Name the file ${name} again. Applied migrations are history.`,
    ),
  booksDiffer: (name: string) =>
    make(
      'MIGRATION_EDITED',
      `The books of the database disagree about the migration ${name}.`,
      'canvas.knex_migrations and canvas.MigrationLedger are written together, and only one of them has it.',
      'Find out who changed one by hand and what of the migration is really there; then make both say so.',
    ),
  notAMigration: (file: string) =>
    make(
      'CONFIG',
      `The file migrations/${file} would never run.`,
      'A migration is named by 14 digits, an underscore, and letters, digits, _ or -, and ends in .ts or .js.',
      'Rename it, or move it elsewhere.',
    ),
  migrationNotLoaded: (file: string, cause: unknown) =>
    make(
      'CONFIG',
      `The file migrations/${file} cannot be loaded.`,
      loadMessage(cause),
      'Mend the file, then run the command again. Nothing was done.',
      { cause },
    ),
  /** @param wrong one phrase each */
  migrationIncomplete: (file: string, wrong: readonly string[]) =>
    make(
      'CONFIG',
      `The file migrations/${file} is no migration.`,
      `${wrong.join('; ')}.`,
      'It exports up, down and, where it has them, shape and preflight: see docs/migrations.md. Nothing was done.',
    ),
  migrationNotRecorded: (file: string, direction: 'up' | 'down', cause: unknown) =>
    make(
      'CONFIG',
      `What migrations/${file} would send cannot be written down.`,
      `Its ${direction} fails where no database answers: ${loadMessage(cause)}`,
      'A migration must not go by what it reads: put the condition into its SQL (lib/migrations/sql.ts). Nothing was done.',
      { cause },
    ),
  /** @param statement as it stands in the text */
  migrationNotOneTransaction: (name: string, statement: string) =>
    make(
      'CONFIG',
      `The migration ${name} would end or nest the transaction that it runs in.`,
      `It sends: ${statement}`,
      'Take the statement out: each migration is one transaction with its rows in the books. Nothing was done.',
    ),
  migrationDoubled: (one: string, other: string) =>
    make(
      'CONFIG',
      `Two migrations have the same timestamp: ${one} and ${other}.`,
      'Their order would be an accident. A compiled .js beside its .ts does that too.',
      'Give the newer one another timestamp, or remove the copy.',
    ),
  olderPending: (name: string, first: string) =>
    make(
      'MIGRATIONS_PENDING',
      `The migration ${name} cannot be applied yet.`,
      `${first} comes before it and is pending.`,
      'Apply what is pending in order: npm run migrate',
    ),
  newerApplied: (name: string, last: string) =>
    make(
      'CONFLICT',
      `The migration ${name} cannot be taken back yet.`,
      `${last} was applied after it.`,
      `Take back the newer ones first: npm run migrate:rollback -- --to NAME, where NAME is what shall stay.`,
    ),
  rollbackToUnknown: (name: string, applied: readonly string[]) =>
    make(
      'USAGE',
      `${JSON.stringify(name)} is not an applied migration.`,
      applied.length === 0 ? 'None was applied.' : `Applied: ${applied.join(', ')}.`,
      '--to takes the name of what shall stay, without extension, or 0 for the state before the first. Nothing was done.',
    ),
  appliedMeanwhile: (name: string) =>
    make(
      'CONFLICT',
      `Another run applied ${name} meanwhile.`,
      'The list of pending migrations was read before the lock was taken. Nothing was written by this run.',
      'Run the command again.',
    ),
  definitionsHidden: (schema: string) =>
    make(
      'CONFIG',
      `The login may not see the definitions of schema ${schema}.`,
      'The catalogue shows NULL for filters, defaults and triggers, so a fault could not be told from a lack of rights.',
      `Run, as an administrator: GRANT VIEW DEFINITION ON SCHEMA::${schema} TO the login.`,
    ),
  revertedMeanwhile: (name: string) =>
    make(
      'CONFLICT',
      `Another run took ${name} back meanwhile.`,
      'What was read before the lock was taken is no longer so. Nothing was written by this run.',
      'Run the command again.',
    ),
  knexOverride: (what: string) =>
    make(
      'USAGE',
      `${what} is not followed.`,
      'It would take knex past the configuration that leads through the guard.',
      'Leave it out, and choose a target of the list with CANVAS_TARGET. Nothing was done.',
    ),
  withoutTransaction: (name: string) =>
    make(
      'USAGE',
      `The migration ${name} was started outside a transaction.`,
      'Migration, history and ledger stand or fall together here.',
      'Leave --disable-transactions away. Nothing was done.',
    ),
  migrationFailed: (name: string, cause: unknown) =>
    make(
      'DATA_NOT_READY',
      `The migration ${name} could not be applied; the database is as it was before it.`,
      serverMessage(cause),
      'Mend what the line above names, then run npm run migrate again.',
      { cause },
    ),
  rollbackFailed: (name: string, cause: unknown) =>
    make(
      'CONFLICT',
      `The migration ${name} could not be taken back; the database is as it was before.`,
      serverMessage(cause),
      'Something may have been built on what it made. Remove that first, or leave the migration.',
      { cause },
    ),
  /** @param findings one sentence each, with the ids */
  dataNotReady: (name: string, target: string, findings: readonly string[]) =>
    make(
      'DATA_NOT_READY',
      `The migration ${name} was not begun: rows stand in its way.`,
      findings.join(' '),
      `See what can be mended: npx zx scripts/consolidate.mjs --target ${target}`,
    ),
  /** @param differences one sentence each */
  schemaUnsupported: (name: string, when: 'before' | 'after', differences: readonly string[]) =>
    make(
      'SCHEMA_UNSUPPORTED',
      when === 'before'
        ? `The migration ${name} was not begun: what stands in schema canvas is not what it can build on.`
        : `The migration ${name} was undone: it did not lead to the schema it promises.`,
      differences.join(' '),
      'Change by hand what the line above names (rename an object that is in the way), then run npm run migrate again. ' +
        'Tables where SessionId is INT or no identity are of another version of the application: out of scope.',
    ),
  nameTaken: (place: Place, code: string, cause: unknown) =>
    make(
      'SCHEMA_UNSUPPORTED',
      'A name that is needed belongs to an object of another shape.',
      `${whereIs(place)} failed with ${code}: ${serverMessage(cause)}`,
      'Look at that object. If it is not used, drop it; else rename it. Then run npm run migrate again.',
      { cause },
    ),
  unsupported: (place: Place, code: string, cause: unknown) =>
    make(
      'SCHEMA_UNSUPPORTED',
      'A table is not as it must be.',
      `${whereIs(place)} failed with ${code}: ${serverMessage(cause)}`,
      'Tables without the identity they need are of another version of the application: out of scope.',
      { cause },
    ),
  /** @param losses one phrase each, with the count */
  rollbackLosesData: (name: string, losses: readonly string[]) =>
    make(
      'DATA_NOT_READY',
      `The migration ${name} is not taken back: data would be lost.`,
      `What it made holds ${losses.join('; ')}.`,
      'Save those rows and remove them yourself if they are not needed, or leave the migration. Nothing was done.',
    ),
  rollbackTakesOther: (name: string, objects: readonly string[]) =>
    make(
      'CONFLICT',
      `The migration ${name} is not taken back: more would go than it made.`,
      `These were not made by it: ${objects.join(', ')}.`,
      'Move them elsewhere first, or leave the migration. Nothing was done.',
    ),
  rollbackLeaves: (name: string, objects: readonly string[]) =>
    make(
      'CONFLICT',
      `The migration ${name} is not taken back: its down leaves things behind.`,
      `Made by it and still there: ${objects.join(', ')}.`,
      'Mend its down. Nothing was done.',
    ),
  seedRefused: (environment: string) =>
    make(
      'GUARD_PRODUCTION',
      'Sample rows are for embedded and test targets only.',
      `This target's environment is ${environment}.`,
      'Nothing was written.',
    ),

  idsNotMade: (table: string, column: string) =>
    make(
      'SCHEMA_UNSUPPORTED',
      `canvas.${table} has a shape that this toolkit does not support.`,
      `${column} is no identity column: the database does not make its ids.`,
      'Identity cannot be added to a column that is there. Nothing was written; use the database of the application.',
    ),

  idBeyond: (place: string, id: string) =>
    make(
      'DATA_NOT_READY',
      `${place} holds ${id}, which is more than can be told from its neighbours.`,
      'Ids beyond 9007199254740991 would be rounded to those of other rows. Nothing was written.',
      'No database made that id. Look at the row; delete it or give it another id by hand.',
    ),
  idBelowOne: (table: string, id: number, target: string) =>
    make(
      'DATA_NOT_READY',
      `The database would give a new row of canvas.${table} the id ${id}.`,
      'Somebody moved its identity below 1, and such an id can be typed nowhere. Nothing was written.',
      `Mend the identity: npx zx scripts/consolidate.mjs --target ${target} --apply`,
    ),

  // --- the trail -----------------------------------------------------------------------------------------------
  noTrail: (ksessionsId: number, target: string) =>
    make(
      'HOST_SESSION_NOT_FOUND',
      `KSESSIONS session ${ksessionsId} has no trail.`,
      'No event names it: no host GUID was ever made for it here, or the old tool made it.',
      `See what there is: npx zx scripts/list.mjs ${ksessionsId} --target ${target}. The trail of a live one that the old tool ` +
        'made begins with consolidate.mjs --apply.',
      { ksessionsId },
    ),
  trailUnreadable: (keys: readonly string[], chains: number) =>
    make(
      'CONFIG',
      `${chains} chains of the trail cannot be checked.`,
      `Their events are sealed with ${keys.length === 1 ? 'a key that is' : 'keys that are'} not configured: ${keys.join(', ')}.`,
      'Put the key into CANVAS_HMAC_KEY_FILE, after the first one, which is the one that hashes.',
    ),
  rightsUnknown: (what: string) =>
    make(
      'CONFIG',
      `The server does not say whether this login is ${what}.`,
      'What cannot be asked is not known to be harmless.',
      'Ask who administers the server, or give the toolkit a login as docs/guard.md has it.',
    ),
  modesUnknown: (path: string) =>
    make(
      'CONFIG',
      `Who may read ${path} cannot be told here.`,
      'Windows keeps no such modes; its access lists are not looked at.',
      'See to it that only you may read the file (icacls), and leave this check out: --skip security.secret-files.',
    ),
  guidRejected: (fingerprint: string | undefined, why: string, hint: string) =>
    make(
      'GUID_REJECTED',
      `The host GUID ${fingerprint === undefined ? '' : `with fingerprint ${fingerprint} `}opens no session.`,
      why,
      hint,
    ),
  guidsRejected: (rejected: number, total: number, target: string) =>
    make(
      'GUID_REJECTED',
      `${rejected} of ${total} host GUIDs open no session.`,
      'Each is told above, with its line and its fingerprint.',
      `To make others: npx zx scripts/provision.mjs IDS --target ${target}`,
    ),
  trailBroken: ({ broken, chains, firstBroken }: BrokenTrail) =>
    make(
      'CHECKS_FAILED',
      `${broken} of ${chains} chains of the trail do not hold.`,
      `The first: host session ${firstBroken?.hostSessionId}, event ${firstBroken?.sequence}: ${firstBroken?.why}.`,
      'Where a key is not configured, bring it back as a further line of CANVAS_HMAC_KEY_FILE. Else somebody who may write to ' +
        'the database changed the trail: compare it with a backup, and look who has that right (docs/guard.md).',
    ),

  // --- gate ----------------------------------------------------------------------------------------------------
  checksFailed: (verdict: string) =>
    make('CHECKS_FAILED', 'The gate stays shut.', verdict, 'Mend what the report names, each with its own command, then verify again.'),
  releaseUnnamed: () =>
    make(
      'USAGE',
      'No target was named.',
      'A release is checked on the database it is for, and never on a default.',
      'Name it: --target NAME, or CANVAS_TARGET. Nothing was looked at.',
    ),
  releaseEmbedded: (target: string) =>
    make(
      'USAGE',
      `Target ${target} is embedded.`,
      'It holds sample data that this toolkit makes itself: that it is in order says nothing about a release.',
      'Name the target of the release: --target NAME. Nothing was looked at.',
    ),
  releaseStopped: (code: Code, sentence: string) =>
    make(code, 'The release check does not pass.', sentence, 'Mend what each step names, then run the release check again.'),
  unknownCheck: (word: string, nearest: string | undefined) =>
    make(
      'USAGE',
      `No check and no group is called ${JSON.stringify(word)}.`,
      nearest === undefined ? 'A misspelt check would never be looked at.' : `Did you mean ${nearest}?`,
      'npx zx scripts/verify.mjs --list names all of them. Nothing was done.',
    ),

  // --- repair --------------------------------------------------------------------------------------------------
  toDecide: (repairs: number, findings: number) =>
    make(
      'CHECKS_FAILED',
      repairs === 0
        ? `${findings} things are left that a person must decide.`
        : `${repairs} things can be mended, ${findings} must be decided by a person.`,
      'Each is told above, with its ids.',
      repairs === 0
        ? 'Nothing is guessed, merged or deleted: decide each as the lines above say, then run the command again.'
        : 'Nothing was written. Run the command again with --apply to mend what can be mended.',
    ),
  canvasSessionNotFound: (canvasSessionId: number) =>
    make(
      'HOST_SESSION_NOT_FOUND',
      `There is no canvas session ${canvasSessionId}.`,
      'canvas.Sessions has no row with that SessionId.',
      'The canvas session id is not the KSESSIONS id; list both with the plan of consolidate.mjs. Nothing was done.',
    ),
  relinked: (canvasSessionId: number) =>
    make(
      'CONFLICT',
      `Canvas session ${canvasSessionId} was linked by another run meanwhile.`,
      'What was to be mended was read before. Nothing of this session was written.',
      'Run the command again.',
    ),
  linkedOtherwise: (canvasSessionId: number, other: number) =>
    make(
      'CONFLICT',
      `Canvas session ${canvasSessionId} is linked to KSESSIONS ${other} already.`,
      'A link is never changed to another session.',
      'Check both numbers: first the canvas session id, then the KSESSIONS id. Nothing was done.',
    ),
  linkTaken: (ksessionsId: number, canvasSessionId: number) =>
    make(
      'CONFLICT',
      `KSESSIONS session ${ksessionsId} has canvas session ${canvasSessionId} already.`,
      'One KSESSIONS session has one canvas session.',
      'Check both numbers: first the canvas session id, then the KSESSIONS id. Nothing was done.',
      { ksessionsId },
    ),
  unlinkedNamesake: (target: string, ksessionsId: number, title: string, canvasSessionIds: readonly number[]) =>
    make(
      'CONFLICT',
      `KSESSIONS session ${ksessionsId} may have a canvas session already, which nobody has linked to it.`,
      `Canvas session ${canvasSessionIds.join(', ')} has the same title ("${title}"), opens, and is linked to none; ` +
        'a title is no proof, so nothing was written.',
      (canvasSessionIds[0] ?? 0) < 1
        ? `Its id cannot be typed: npx zx scripts/consolidate.mjs --target ${target} says how to settle it by hand.`
        : `Link it: npx zx scripts/consolidate.mjs --target ${target} --apply --link ${canvasSessionIds[0]}=ID, where ID is the ` +
          `KSESSIONS id it stands for (${ksessionsId} or another), or none if it stands for none at all.`,
      { ksessionsId },
    ),

  // --- host sessions -------------------------------------------------------------------------------------------
  sessionNotFound: (ksessionsId: number, source: string) =>
    make(
      'SESSION_NOT_FOUND',
      `There is no KSESSIONS session ${ksessionsId}.`,
      `dbo.Sessions of ${source} has no row with that SessionID.`,
      'Check the number: it is the KSESSIONS id, not the canvas session id. Nothing was done.',
      { ksessionsId },
    ),
  noneOfIds: (ids: readonly number[], source: string) =>
    make(
      'SESSION_NOT_FOUND',
      ids.length === 1 ? `There is no KSESSIONS session ${ids[0]}.` : `None of the ${ids.length} KSESSIONS sessions is there.`,
      `dbo.Sessions of ${source} has no row with such a SessionID, and no canvas session is linked to one.`,
      'Check the numbers: they are KSESSIONS ids, not canvas session ids.',
      ids.length === 1 ? { ksessionsId: ids[0] as number } : {},
    ),
  noTranscripts: (ksessionsId: number, title: string) =>
    make(
      'NO_TRANSCRIPTS',
      `KSESSIONS session ${ksessionsId} has no transcript.`,
      `"${title}" has no row in dbo.SessionTranscripts, so there is nothing to host.`,
      'Add its transcript in KSESSIONS first. Nothing was done.',
      { ksessionsId },
    ),
  alreadyThere: (ksessionsId: number, fingerprint: string) =>
    make(
      'CONFLICT',
      `KSESSIONS session ${ksessionsId} already has a live host GUID.`,
      `Its fingerprint is ${fingerprint}, and --if-exists fail was given.`,
      'Use --if-exists rotate to replace it or --if-exists keep to leave it.',
      { ksessionsId },
    ),
  notConfirmed: (ids: readonly number[]) =>
    make(
      'CONFLICT',
      ids.length === 0 ? 'The live host GUIDs were left as they are.' : `The live host GUID of ${sessions(ids)} was left as it is.`,
      'Changing what is live was not confirmed.',
      ids.length === 0 ? 'Answer yes, or give the ids.' : 'Answer yes, or give --if-exists rotate.',
      about(ids),
    ),
  changedMeanwhile: (ksessionsId: number) =>
    make(
      'CONFLICT',
      `The host GUID of KSESSIONS session ${ksessionsId} changed while the question was open.`,
      'What was confirmed is not what would be replaced. Nothing was written.',
      'Run the command again.',
      { ksessionsId },
    ),
  nothingToRotate: (ksessionsId: number) =>
    make(
      'HOST_SESSION_NOT_FOUND',
      `KSESSIONS session ${ksessionsId} has no live host GUID to rotate.`,
      'None was made, or it was revoked or is past its date; an ended one is never revived.',
      `Make a first one: npx zx scripts/provision.mjs ${ksessionsId}. Nothing was done.`,
      { ksessionsId },
    ),
  nothingToRevoke: (by: 'KSessionsId' | 'SessionId', id: number) =>
    make(
      'HOST_SESSION_NOT_FOUND',
      `${by === 'KSessionsId' ? 'KSESSIONS' : 'Canvas'} session ${id} never had a host GUID.`,
      'Schema canvas has no host session for it, so there is nothing to end.',
      'Look for the session with npx zx scripts/list.mjs --search TEXT. Nothing was done.',
      by === 'KSessionsId' ? { ksessionsId: id } : {},
    ),
  copyAlone: (canvasSessionId: number, ksessionsId: number | null) =>
    make(
      'CONFLICT',
      `Canvas session ${canvasSessionId} opens with a hash that belongs to no host session.`,
      'No trail could tell that it ended, so it is not revoked like a host GUID of this toolkit.',
      ksessionsId === null
        ? `Say which KSESSIONS session it is: npx zx scripts/consolidate.mjs --link ${canvasSessionId}=KSESSIONS --apply`
        : `Replace it, then end what replaced it: npx zx scripts/provision.mjs ${ksessionsId}, npx zx scripts/revoke.mjs ${ksessionsId}`,
      ksessionsId === null ? {} : { ksessionsId },
    ),
  notDelivered: (ids: readonly number[], operationId: string, cause: unknown) =>
    make(
      'TIMEOUT',
      `${ids.length === 1 ? 'The host GUID' : `${ids.length} host GUIDs`} could not be handed over, so nothing was changed.`,
      `Writing it out failed: ${systemCode(cause)}. A GUID printed by operation ${operationId} is void.`,
      'An earlier GUID still works. Mend the output (a full disk, a closed pipe), then run the command again.',
      { ...about(ids), operationId, cause },
    ),
  resultsUnreadable: (path: string, format: string, line: number) =>
    make(
      'CONFIG',
      `Line ${line} of ${path} is not what --out writes.`,
      `It is read as ${format}: a KSESSIONS id and its GUID in each line.`,
      'Give the file of the run that is to go on, and its --format. Nothing was done.',
    ),
  resumeOfAnother: (path: string, target: string) =>
    make(
      'CONFIG',
      `${path} holds GUIDs that were never committed on target ${target}, before ones that were.`,
      'It is the file of another target, or was edited.',
      'Give the file of the run that is to go on. Nothing was done.',
    ),
  outNeeded: (sessions: number | undefined, most: number) =>
    make(
      'USAGE',
      `${sessions === undefined ? 'All GUIDs of a kind' : `${sessions} GUIDs`} do not go to the terminal.`,
      `More than ${most} at once go to a file that only you can read, so that a slow reader holds no lock.`,
      'Give --out FILE. Nothing was done.',
    ),
  ifExistsNeeded: () =>
    make(
      'USAGE',
      '--all needs --if-exists.',
      'Some sessions may have a live host GUID, and replacing them all would lock their hosts out.',
      'Give --if-exists keep, rotate or fail. Nothing was done.',
    ),
  stoppedEarly: (why: 'interrupted' | 'failures', resume: string, done: number, left: number | undefined) =>
    make(
      why === 'interrupted' ? 'INTERRUPTED' : 'PARTIAL',
      why === 'interrupted' ? 'Interrupted after the current batch.' : 'Ended: more failures than --max-failures.',
      `${done} sessions are done and committed${left === undefined ? '' : `, ${left} are left`}.`,
      resume,
    ),
  outExists: (path: string) =>
    make('USAGE', `The file ${path} exists.`, 'What is there is never overwritten.', 'Name a new file. Nothing was done.'),
  notCommitted: (ids: readonly number[], operationId: string, cause: ToolkitError) =>
    make(
      cause.code,
      `${cause.message} ${ids.length === 1 ? `The host GUID of ${sessions(ids)}` : `Each of the ${ids.length} host GUIDs`}, operation ${operationId}, is void.`,
      cause.why,
      `An earlier GUID still works. ${cause.hint}`,
      { ...about(ids), operationId, cause },
    ),
  outcomeUnknown: (ids: readonly number[], operationId: string, cause: unknown) =>
    make(
      'OUTCOME_UNKNOWN',
      `It is not known whether operation ${operationId} for ${sessions(ids)} was committed.`,
      'The connection was lost at COMMIT and the database could not be asked since.',
      `Keep the printed GUID and the earlier one. When the database answers again: ${LOOK_UP}`,
      { ...about(ids), operationId, cause },
    ),
  notReadBack: (ids: readonly number[], operationId: string) =>
    make(
      'INTERNAL',
      `What was written for ${sessions(ids)} does not read back as written.`,
      `Operation ${operationId} was committed, but another statement finds other values.`,
      'Do not use the printed GUID; provision again, and report this.',
      { ...about(ids), operationId },
    ),
  lookBackFailed: (ids: readonly number[], operationId: string, cause: ToolkitError) =>
    make(
      'OUTCOME_UNKNOWN',
      `Operation ${operationId} was committed, and could not be read back: ${cause.message}`,
      cause.why,
      `The printed GUID of ${sessions(ids)} should hold, and the earlier one not; ${LOOK_UP}`,
      { ...about(ids), operationId, cause },
    ),
  hashCopyDiffers: (ksessionsId: number) =>
    make(
      'CONFLICT',
      `The live host GUID of KSESSIONS session ${ksessionsId} does not open it.`,
      "canvas.Sessions.HostGuid, which the application's login reads, is not the hash of the live host session.",
      'Use --if-exists rotate: a new GUID sets both.',
      { ksessionsId },
    ),
  identityBehind: (place: Place, constraint: string, cause: unknown) =>
    make(
      'DATA_NOT_READY',
      'The database would give out an id that is taken already.',
      `${whereIs(place)}: the identity of ${constraint.replace(/^PK_/i, 'canvas.')} is behind its largest id.`,
      'Somebody inserted ids by hand. Set the identity to the largest id, then run the command again.',
      { cause },
    ),
  keyGone: (path: string) =>
    make(
      'CONFIG',
      `The key of the embedded database is gone: ${path}`,
      'Without it no credential made with it verifies, and the audit trail cannot be checked.',
      'Bring the file back. Or move the whole folder away: it holds sample data, and the next command makes a new one.',
    ),
  notUtf8: (path: string) =>
    make('CONFIG', `${path} is not UTF-8 text.`, 'Its bytes would be read as others.', 'Save it as UTF-8.'),
  folderRefused: (path: string, cause: unknown) =>
    make(
      'CONFIG',
      `The folder of the embedded database cannot be used: ${path}`,
      `The system says ${systemCode(cause)}.`,
      'Check who may write there, or give the target another path.',
      { cause },
    ),
  noActor: (cause: unknown) =>
    make(
      'USAGE',
      'It is not known who does this.',
      `The operating system has no name for this user (${systemCode(cause)}).`,
      'Give --created-by NAME.',
    ),
  enrolledForAnother: (target: string, other: string) =>
    make(
      'GUARD_MARKER',
      `This database belongs to target ${other}.`,
      `It is the very database that was enrolled as ${other}, not a copy of it, so ${target} names the wrong one.`,
      `Correct server and database of ${target} in the list of targets.`,
    ),
  partial: (failed: number, total: number) =>
    make(
      'PARTIAL',
      `${failed} of ${total} ids failed.`,
      'Each failure is told above, with its id.',
      'Mend the causes and run the command again for those ids.',
    ),

  // --- the rest ------------------------------------------------------------------------------------------------
  interrupted: () =>
    make(
      'INTERRUPTED',
      'Interrupted.',
      'A signal asked the command to end; what was not told as done above was not done.',
      'Run the command again for the ids that are left.',
    ),
  interruptedInCommit: (ids: readonly number[], operationId: string | null) =>
    make(
      'INTERRUPTED',
      `Interrupted while operation ${operationId} for ${sessions(ids)} was being committed.`,
      'Whether its host GUID holds was not known yet.',
      `Keep the GUID and the earlier one; ${LOOK_UP}`,
      { ...about(ids), ...(operationId === null ? {} : { operationId }) },
    ),
  outputFailed: (cause: unknown) =>
    make(
      'CONFIG',
      'The output could not be written.',
      `Standard output takes no more: ${systemCode(cause)}.`,
      'Mend it (a full disk, for example), then run the command again. What was read was not changed.',
      { cause },
    ),
  outputLost: () =>
    make(
      'USAGE',
      'Nobody would see the host GUID.',
      'Standard output is closed or leads to the null device, and a GUID is shown only once.',
      'Let the output go somewhere, or give --out FILE. Nothing was done.',
    ),
  noTerminal: (option: string) =>
    make('USAGE', 'A question would have to be asked.', 'There is no terminal to ask on.', `Give ${option} instead.`),
  internal: (cause: unknown) =>
    make(
      'INTERNAL',
      'Something failed that should not.',
      cause instanceof Error ? `${cause.name}: ${serverMessage(cause)}` : String(cause),
      'Run the command again with --verbose and report what it prints.',
      { cause },
    ),
} as const;

/** An error about one session of a set of one says which. */
function about(ids: readonly number[]): Facts {
  const [ksessionsId] = ids;
  return ids.length === 1 && ksessionsId !== undefined ? { ksessionsId } : {};
}

function sessions(ids: readonly number[]): string {
  return ids.length === 1 ? `KSESSIONS session ${ids[0]}` : `${ids.length} sessions`;
}

/** A compiler begins with the place, in lines of their own; an error thrown says what it is. */
function loadMessage(cause: unknown): string {
  const lines = (cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)).split('\n');
  const told = lines.map((line) => line.trim()).filter((line) => line !== '');
  return redacted(told.slice(0, 2).join(' '));
}

function systemCode(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : cause instanceof Error ? firstLine(cause.message) : String(cause);
}

/** Knex puts the statement before the server's own sentence ("… - sentence"); only the sentence is for people. */
function serverMessage(cause: unknown): string {
  // SQL Server's several messages for one statement.
  if (cause instanceof AggregateError) return cause.errors.map(serverMessage).join(' ');
  const message = cause instanceof Error ? cause.message : String(cause);
  return redacted(firstLine(message.slice(message.lastIndexOf(' - ') + 1).replace(/^- /, '')));
}

/**
 * A driver's text without what it may quote: hashes, GUIDs, and the values that servers name in their refusals (the
 * beginning of one that was too long, the key that was taken).
 */
export function redacted(text: string): string {
  return text
    .replace(/[A-Za-z0-9+/]{43}=/g, '[hash]')
    .replace(/\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b/gi, '[guid]')
    .replace(/(Truncated value: )'[^']*'?/gi, "$1'[value]'")
    .replace(/(key value (?:is|was)|\)=)\s*\([^)]*\)/gi, '$1 ([value])');
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
