/** Credentials that open what they should not, or that nobody can verify. */
import { collated } from '../engines/rowset';
import { textOf, textOrNull } from '../engines/rows';
import { keysInUse, type KeyStanding, type KeyUse } from '../hosts/key-use';
import { COPY_ALONE, isLive, OPEN_WITHOUT_LINK } from '../hosts/survey';
import { many, observed, type Check, type Subject } from './check';
import { BOTH_IDS, consolidateCommand, HOSTS_WITH_SESSIONS, rowCheck } from './data';
import { idsOf } from './rows';

/** The login looks at the hash copy and at nothing else (I-41): past its date, it opens until somebody ends it. */
const expired = rowCheck({
  id: 'credentials.expired',
  title: 'No credential is active past its date',
  severity: 'critical',
  questions: ({ now }) => [{
    columns: `${BOTH_IDS}, h."ExpiresAt" AS "ExpiresAt"`,
    from: `${HOSTS_WITH_SESSIONS} WHERE h."IsActive" = ? AND h."RevokedAt" IS NULL AND h."ExpiresAt" <= ?`,
    order: 'h."HostSessionId"',
    bindings: [true, now],
    tell: (row) => `${idsOf(row)} expired ${(row['ExpiresAt'] as Date).toISOString()} and is still active.`,
  }],
  remedy: ({ target }) => `npx zx scripts/revoke.mjs --expired --target ${target.name}`,
});

const revived = rowCheck({
  id: 'credentials.revived',
  title: 'No credential was revoked and is active again',
  severity: 'critical',
  questions: () => [{
    columns: BOTH_IDS,
    from: `${HOSTS_WITH_SESSIONS} WHERE h."IsActive" = ? AND h."RevokedAt" IS NOT NULL`,
    order: 'h."HostSessionId"',
    bindings: [true],
    tell: (row) => `${idsOf(row)} was revoked, and is active (I-36).`,
  }],
  remedy: (subject) => consolidateCommand(subject, '--apply'),
});

/** How many live credentials there are of each key that stands like this. */
async function liveOf({ database: { canvas }, keys, now }: Subject, standing: KeyStanding): Promise<{ uses: KeyUse[]; live: number }> {
  const all = await keysInUse(canvas, keys(), now);
  const uses = all.filter((use) => use.standing === standing && use.live > 0);
  return { uses, live: uses.reduce((sum, use) => sum + use.live, 0) };
}

const missingKeys: Check = {
  id: 'credentials.keys',
  title: 'The key of every live credential is configured',
  severity: 'critical',
  async look(subject) {
    const { live, uses } = await liveOf(subject, 'missing');
    return observed(
      uses.map((use) => `Key ${use.keyId} is not configured: ${many(use.live, 'live credential')} made with it cannot be verified.`),
      `Add the key to CANVAS_HMAC_KEY_FILE, after the first; where it is lost: npx zx scripts/list.mjs --key missing --target ${subject.target.name}, and rotate those`,
      `${many(subject.keys().all.length, 'key')} configured`,
      live,
    );
  },
};

const olderKeys: Check = {
  id: 'credentials.older-keys',
  title: 'Every live credential was made with the newest key',
  severity: 'minor',
  async look(subject) {
    const { live, uses } = await liveOf(subject, 'older');
    return observed(
      uses.map((use) => `Key ${use.keyId} cannot be taken away yet: ${many(use.live, 'live credential')} made with it.`),
      `npx zx scripts/rotate.mjs --key-older --target ${subject.target.name}`,
      `The newest key is ${subject.keys().signing.id}`,
      live,
    );
  },
};

/** What the old tool made names no key. Whether it verifies is the target's word: hosts/authenticate.ts. */
function legacyCheck(what: Pick<Check, 'id' | 'title' | 'severity'>, mayVerify: boolean, why: string): Check {
  return rowCheck({
    ...what,
    questions: (subject) => (allowsLegacyKey(subject) !== mayVerify ? [] : [{
      columns: BOTH_IDS,
      from: `${HOSTS_WITH_SESSIONS} WHERE ${isLive('h')} AND h."HashKeyId" IS NULL`,
      order: 'h."HostSessionId"',
      bindings: [true, subject.now],
      tell: (row) => `${idsOf(row)} names no key: ${why}.`,
    }]),
    remedy: ({ target }) => `npx zx scripts/rotate.mjs --key-older --target ${target.name}; hosts get new GUIDs`,
  });
}

const allowsLegacyKey = ({ target }: Subject) => target.engine !== 'pglite' && target.legacyKey === 'verify';

const legacy = legacyCheck(
  { id: 'credentials.legacy', title: 'No live credential rests on the public key of the old tool', severity: 'major' },
  true,
  'whoever read the source of the old tool knows the one that it was made with (I-38)',
);

const legacyRefused = legacyCheck(
  { id: 'credentials.legacy-refused', title: 'No live credential needs the key of the old tool where the target does not let it verify', severity: 'critical' },
  false,
  'the old tool made it, and target and keys do not let it verify',
);

const unlinked = rowCheck({
  id: 'credentials.unlinked',
  title: 'Every live credential opens a canvas session whose KSESSIONS session is known',
  severity: 'major',
  questions: ({ now }) => [{
    columns: BOTH_IDS,
    from: `canvas."Sessions" s JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId" WHERE ${OPEN_WITHOUT_LINK}`,
    order: 'h."HostSessionId"',
    bindings: [true, now],
    tell: (row) => `${idsOf(row)} opens, and nobody has said which KSESSIONS session it is (I-20).`,
  }],
  remedy: (subject) => consolidateCommand(subject, '--link', 'CANVAS=KSESSIONS', '--apply'),
});

const sameHash = rowCheck({
  id: 'credentials.same-hash',
  title: 'No two host sessions have one hash',
  severity: 'critical',
  questions: ({ database: { canvas: { dialect } } }) => {
    const hash = (host: string) => collated(dialect, `${host}."HostGuidHash"`, 'exact');
    return [{
      columns: 'h."SessionId" AS "SessionId", h."HostSessionId" AS "HostSessionId", MIN(o."HostSessionId") AS "other"',
      from: `canvas."HostSessions" h JOIN canvas."HostSessions" o ON ${hash('o')} = ${hash('h')} AND o."HostSessionId" < h."HostSessionId"
        GROUP BY h."SessionId", h."HostSessionId"`,
      order: 'h."HostSessionId"',
      tell: (row) => `${idsOf(row)} has the hash of host session ${textOf(row, 'other')}: one GUID is that of both.`,
    }];
  },
  remedy: ({ target }) => `Rotate the live ones: npx zx scripts/provision.mjs KSESSIONS --if-exists rotate --target ${target.name}`,
});

const copyAlone = rowCheck({
  id: 'credentials.copy-alone',
  title: 'No canvas session opens without a host session',
  severity: 'critical',
  of: ['Sessions', 'canvas session'],
  questions: () => [{
    columns: 's."KSessionsId" AS "KSessionsId", s."SessionId" AS "SessionId"',
    from: `canvas."Sessions" s WHERE ${COPY_ALONE}`,
    order: 's."SessionId"',
    tell: (row) =>
      `${idsOf(row)}: the login reads a hash that belongs to no host session${textOrNull(row, 'KSessionsId') === null ? ', of a session that nobody has linked' : ''}; no trail says who made it, and nothing ends it.`,
  }],
  remedy: ({ target }) => `Provision the session, which puts a credential of ours in its place: npx zx scripts/provision.mjs KSESSIONS --target ${target.name}`,
});

export const CREDENTIAL_CHECKS: readonly Check[] = [
  expired, revived, missingKeys, olderKeys, legacyRefused, legacy, unlinked, sameHash, copyAlone,
];
