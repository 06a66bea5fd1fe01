/** What live credentials lead to. KSESSIONS may be another database: ids go there page by page. */
import type { Reader } from '../engines/database';
import { idOf, type Row } from '../engines/rows';
import { isLive } from '../hosts/survey';
import { findGone, findMissingColumns, findWithoutTranscripts, MAX_KSESSIONS_ID } from '../source';
import { many, MOST_TOLD, observed, type Check, type Subject } from './check';
import { BOTH_IDS } from './data';
import { idsOf } from './rows';

/** Ids asked for at once: nothing says that the transcripts have an index, so that each page may read all of them. */
const PAGE = 10_000;

/** Live host sessions with their links; those that no session can have are told elsewhere. */
async function* pagesOfLive({ canvas }: { readonly canvas: Reader }, now: Date): AsyncGenerator<Row[]> {
  const sql = `
    SELECT ${BOTH_IDS} FROM canvas."Sessions" s JOIN canvas."HostSessions" h ON h."SessionId" = s."SessionId"
    WHERE h."HostSessionId" > ? AND s."KSessionsId" BETWEEN 1 AND ${MAX_KSESSIONS_ID} AND ${isLive('h')}
    ORDER BY h."HostSessionId" OFFSET 0 ROWS FETCH NEXT ${PAGE} ROWS ONLY`;
  for (let last = Number.MIN_SAFE_INTEGER; ; ) {
    const rows = await canvas.ask<Row>(sql, [last, true, now]);
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE) return;
    last = idOf(rows.at(-1), 'HostSessionId');
  }
}

/** A question to KSESSIONS about its ids, whose answer is the ones that are wrong. */
function liveCheck(what: Pick<Check, 'id' | 'title'>, ask: (source: Reader, ids: readonly number[]) => Promise<number[]>, why: string): Check {
  return {
    ...what,
    severity: 'major',
    async look({ database, now, progress, target }: Subject) {
      const sentences: string[] = [];
      let [asked, found] = [0, 0];
      for await (const rows of pagesOfLive(database, now)) {
        const wrong = new Set(await ask(database.source, rows.map((row) => idOf(row, 'KSessionsId'))));
        const those = rows.filter((row) => wrong.has(idOf(row, 'KSessionsId')));
        sentences.push(...those.slice(0, MOST_TOLD - sentences.length).map((row) => `${idsOf(row)}: ${why}.`));
        [asked, found] = [asked + rows.length, found + those.length];
        progress(asked, 'live host sessions');
      }
      const remedy = `Where the session will not come back: npx zx scripts/revoke.mjs KSESSIONS --target ${target.name}`;
      return observed(sentences, remedy, `${many(asked, 'live host session')} asked for`, found);
    },
  };
}

const columns: Check = {
  id: 'source.columns',
  title: 'KSESSIONS has the columns that are read, and this login may read them',
  severity: 'major',
  async look({ database: { source } }) {
    const missing = await findMissingColumns(source);
    return observed(
      missing.map((name) => `${name} is not there, or this login may not see it.`),
      'Ask who owns KSESSIONS; the login needs SELECT on schema dbo (docs/guard.md)',
      'Every column that is read is there',
    );
  },
};

const gone = liveCheck(
  { id: 'source.sessions', title: 'KSESSIONS has the session of every live credential' },
  findGone,
  'it has a live credential, and KSESSIONS has no such session',
);

const transcripts = liveCheck(
  { id: 'source.transcripts', title: 'The session of every live credential has a transcript' },
  findWithoutTranscripts,
  'it has a live credential, and no transcript to show',
);

export const SOURCE_CHECKS: readonly Check[] = [columns, gone, transcripts];
