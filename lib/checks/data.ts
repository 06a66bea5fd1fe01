/** Rows that break what must be true of them, whatever the constraints of the schema are worth. */
import { readClock } from '../engines/database';
import type { Dialect } from '../engines/engine';
import { textOf } from '../engines/rows';
import { collated } from '../engines/rowset';
import { isBehind, readIdentities } from '../hosts/identities';
import { findUnreadableIds, IMPOSSIBLE_LINK, isLive, ORPHAN, TWO_CANVAS_ROWS } from '../hosts/survey';
import { many, observed, type Check, type Severity, type Subject } from './check';
import { countOf, findRows, idsOf, type Question } from './rows';

/** What `consolidate` mends by itself, or names for a person to decide. */
export const consolidateCommand = ({ target }: Subject, ...words: readonly string[]) =>
  ['npx zx scripts/consolidate.mjs', ...words, '--target', target.name].join(' ');

/** Host sessions with their canvas session, where it is there. */
export const HOSTS_WITH_SESSIONS = 'canvas."HostSessions" h LEFT JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"';

export const BOTH_IDS = 's."KSessionsId" AS "KSessionsId", h."SessionId" AS "SessionId", h."HostSessionId" AS "HostSessionId"';

/** A check that asks for rows which should not be there. */
export interface RowCheck extends Pick<Check, 'id' | 'title'> {
  readonly severity: Severity;
  readonly questions: (subject: Subject) => readonly Question[] | Promise<readonly Question[]>;
  readonly remedy: (subject: Subject) => string;
  /** The table whose rows were looked at, and what one of them is. */
  readonly of?: readonly [table: string, noun: string];
}

export function rowCheck({ id, of: [table, noun] = ['HostSessions', 'host session'], questions, remedy, severity, title }: RowCheck): Check {
  return {
    id,
    title,
    severity,
    async look(subject) {
      const { canvas } = subject.database;
      const { found, sentences } = await findRows(canvas, ...(await questions(subject)));
      const otherwise = found > 0 ? '' : `${many(await countOf(canvas, table), noun)} looked at`;
      return observed(sentences, remedy(subject), otherwise, found);
    },
  };
}

const CANVAS_SESSIONS = ['Sessions', 'canvas session'] as const;

const oneLive = rowCheck({
  id: 'data.one-live',
  title: 'Every canvas session has at most one live host session',
  severity: 'major',
  of: CANVAS_SESSIONS,
  questions: ({ now }) => [{
    columns: 's."KSessionsId" AS "KSessionsId", h."SessionId" AS "SessionId", COUNT(*) AS "live", MIN(h."HostSessionId") AS "first", MAX(h."HostSessionId") AS "last"',
    from: `${HOSTS_WITH_SESSIONS} WHERE ${isLive('h')} GROUP BY s."KSessionsId", h."SessionId" HAVING COUNT(*) > 1`,
    order: 'h."SessionId"',
    bindings: [true, now],
    tell: (row) => `${idsOf(row)} has ${textOf(row, 'live')} live host sessions, ${textOf(row, 'first')} to ${textOf(row, 'last')}.`,
  }],
  remedy: (subject) => consolidateCommand(subject, '--apply'),
});

/** Compared byte by byte: a collation that folds case makes two hashes one. */
const hashOf = (dialect: Dialect, host: string) => collated(dialect, `${host}."HostGuidHash"`, 'exact');

/** Of sessions with a live host session, and of those whose host sessions all ended. What is active and over is told by others. */
const hashCopy = rowCheck({
  id: 'data.hash-copy',
  title: 'The hash that the application\'s login reads is that of the live host session, or empty',
  severity: 'critical',
  of: CANVAS_SESSIONS,
  questions: ({ database: { canvas: { dialect } }, now }) => [
    {
      columns: BOTH_IDS,
      from: `canvas."HostSessions" h JOIN canvas."Sessions" s ON s."SessionId" = h."SessionId"
        WHERE ${isLive('h')} AND ${hashOf(dialect, 'h')} <> s."HostGuid" AND NOT EXISTS (
          SELECT 1 FROM canvas."HostSessions" o WHERE o."SessionId" = s."SessionId" AND ${isLive('o')} AND ${hashOf(dialect, 'o')} = s."HostGuid")`,
      order: 'h."HostSessionId"',
      bindings: [true, now, true, now],
      tell: (row) => `${idsOf(row)}: the login reads another hash than that of this live host session; its host is locked out.`,
    },
    {
      columns: 's."KSessionsId" AS "KSessionsId", s."SessionId" AS "SessionId"',
      from: `canvas."Sessions" s WHERE s."HostGuid" <> ''
        AND EXISTS (SELECT 1 FROM canvas."HostSessions" e WHERE e."SessionId" = s."SessionId")
        AND NOT EXISTS (SELECT 1 FROM canvas."HostSessions" a WHERE a."SessionId" = s."SessionId" AND a."IsActive" = ?)`,
      order: 's."SessionId"',
      bindings: [true],
      tell: (row) => `${idsOf(row)}: no host session is active, and the login still reads a hash.`,
    },
  ],
  remedy: (subject) => consolidateCommand(subject, '--apply'),
});

const orphans = rowCheck({
  id: 'data.orphans',
  title: 'Every host session belongs to a canvas session that is there',
  severity: 'major',
  questions: () => [{
    columns: 'h."SessionId" AS "SessionId", h."HostSessionId" AS "HostSessionId"',
    from: `canvas."HostSessions" h WHERE ${ORPHAN}`,
    order: 'h."HostSessionId"',
    tell: (row) => `${idsOf(row)}: that canvas session is not there.`,
  }],
  remedy: (subject) => `Restore the canvas session from a backup, or delete the row by hand; it opens nothing. All of them: ${consolidateCommand(subject)}`,
});

const twoCanvasRows = rowCheck({
  id: 'data.two-canvas-rows',
  title: 'No KSESSIONS session has two canvas sessions',
  severity: 'major',
  of: CANVAS_SESSIONS,
  questions: () => [{
    columns: 's."KSessionsId" AS "KSessionsId", COUNT(*) AS "rows", MIN(s."SessionId") AS "first", MAX(s."SessionId") AS "last"',
    from: `canvas."Sessions" s WHERE ${TWO_CANVAS_ROWS}`,
    order: 's."KSessionsId"',
    tell: (row) => `${idsOf(row)} has ${textOf(row, 'rows')} canvas sessions, ${textOf(row, 'first')} to ${textOf(row, 'last')}.`,
  }],
  remedy: (subject) => `Find out which one its users meant, and unlink the other: ${consolidateCommand(subject)} names them`,
});

const impossibleLinks = rowCheck({
  id: 'data.impossible-links',
  title: 'Every canvas session is linked to a KSESSIONS id that can be one, or to none',
  severity: 'major',
  of: CANVAS_SESSIONS,
  questions: () => [{
    columns: 's."KSessionsId" AS "KSessionsId", s."SessionId" AS "SessionId"',
    from: `canvas."Sessions" s WHERE ${IMPOSSIBLE_LINK}`,
    order: 's."SessionId"',
    tell: (row) => `${idsOf(row)}: KSESSIONS numbers its sessions from 1 to 2147483647.`,
  }],
  remedy: (subject) => consolidateCommand(subject, '--link', 'CANVAS=KSESSIONS', '--apply'),
});

/** The largest number that JavaScript can tell from its neighbours is 2^53 - 1. */
const readableIds: Check = {
  id: 'data.ids',
  title: 'Every id can be told from its neighbours',
  severity: 'major',
  async look({ database: { canvas } }) {
    const sentences: string[] = [];
    for await (const { column, id } of findUnreadableIds(canvas)) sentences.push(`${column} holds ${id}, which is beyond 2^53; the first one of that column.`);
    return observed(sentences, 'Ids of that size are written by hand: find out by whom, and give the row another id', 'Every column of ids looked at');
  },
};

const identities: Check = {
  id: 'data.identities',
  title: 'The next id of every table is one that is free',
  severity: 'major',
  async look(subject) {
    const states = await readIdentities(subject.database.canvas);
    return observed(
      states.filter(isBehind).map(({ largest, next, table }) => `canvas.${table} would give out id ${next}; its largest is ${largest}. The next row is refused, or takes a number that means another session (I-21).`),
      consolidateCommand(subject, '--apply'),
      states.map(({ largest, next, table }) => `canvas.${table}: ${next} after ${largest}`).join('; '),
    );
  },
};

/** Base64 of 32 bytes. The application's column would hold a GUID as well, and the old one did (I-40). */
const isNoHash = (dialect: Dialect) =>
  dialect === 'mssql'
    ? `(LEN(h."HostGuidHash") <> 44 OR RIGHT(h."HostGuidHash", 1) <> '=' OR LEFT(${hashOf(dialect, 'h')}, 43) LIKE '%[^A-Za-z0-9+/]%')`
    : `h."HostGuidHash" !~ '^[A-Za-z0-9+/]{43}=$'`;

const hashShape = rowCheck({
  id: 'data.hash-shape',
  title: 'What is stored of every host GUID has the shape of a hash',
  severity: 'critical',
  questions: ({ database: { canvas: { dialect } } }) => [{
    columns: BOTH_IDS,
    from: `${HOSTS_WITH_SESSIONS} WHERE ${isNoHash(dialect)}`,
    order: 'h."HostSessionId"',
    tell: (row) => `${idsOf(row)}: HostGuidHash is not the Base64 of 32 bytes; no GUID has it for a hash.`,
  }],
  remedy: ({ target }) => `npx zx scripts/provision.mjs KSESSIONS --if-exists rotate --target ${target.name}`,
});

const WRONG_TIMES = [
  ['RevokedAt', 'was revoked before it was made'],
  ['ExpiresAt', 'expired before it was made'],
] as const;

/** The clock is read anew: a row that was made while this run looked elsewhere is not from the future. */
const times = rowCheck({
  id: 'data.times',
  title: 'Nothing ended before it began, or begins in the future',
  severity: 'major',
  async questions({ database }) {
    const clock = await readClock(database);
    const about = (condition: string, what: string, bindings: readonly Date[] = []): Question => ({
      columns: BOTH_IDS,
      from: `${HOSTS_WITH_SESSIONS} WHERE ${condition}`,
      order: 'h."HostSessionId"',
      bindings,
      tell: (row) => `${idsOf(row)} ${what}.`,
    });
    return [
      ...WRONG_TIMES.map(([column, what]) => about(`h."${column}" < h."CreatedAt"`, what)),
      about('h."CreatedAt" > ?', 'was made in the future, by the clock of the database', [clock]),
    ];
  },
  remedy: () => 'Find out who wrote these times (a clock that was wrong, or local time in place of UTC), and correct them by hand',
});

export const DATA_CHECKS: readonly Check[] = [
  oneLive, hashCopy, orphans, twoCanvasRows, impossibleLinks, readableIds, identities, hashShape, times,
];
