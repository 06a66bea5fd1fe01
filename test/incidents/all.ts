/** Every incident, theme by theme, and the guide that is made from them: docs/incidents.md (`npm run docs`). */
import { FALSE_SUCCESS } from './false-success';
import type { Incident } from './incident';
import { INTEGRITY } from './integrity';
import { PEOPLE } from './people';
import { SCHEMA } from './schema';
import { SECURITY } from './security';
import { WRONG_DATABASE } from './wrong-database';

interface Theme {
  readonly title: string;
  /** The file of its replays, without folder and extension. */
  readonly file: string;
  readonly incidents: readonly Incident[];
}

export const THEMES: readonly Theme[] = [
  { title: 'The wrong database', file: 'wrong-database', incidents: WRONG_DATABASE },
  { title: 'Schema and migrations', file: 'schema', incidents: SCHEMA },
  { title: 'False success', file: 'false-success', incidents: FALSE_SUCCESS },
  { title: 'Hangs and people', file: 'people', incidents: PEOPLE },
  { title: 'Integrity', file: 'integrity', incidents: INTEGRITY },
  { title: 'Security', file: 'security', incidents: SECURITY },
];

const HEAD = `# Incidents

What went wrong around the old provisioner and the canvas schema, by the number it is recorded under. Each is replayed by a
test of that number: what was done then is done to this toolkit, and the test sees it refused or found.

\`npx ava test/incidents\` replays all of them: on each engine, which is the embedded one, and PostgreSQL and SQL Server where
\`TEST_POSTGRES_URL\` and \`TEST_MSSQL_URL\` name a server ([engines.md](engines.md) says what was run so far); or once, where no
engine has a part in it, for the reason given. Made from the replays themselves by \`npm run docs\`.
`;

/** The text of docs/incidents.md. */
export function composeIncidents(): string {
  return [HEAD, ...THEMES.map(themeText)].join('\n');
}

function themeText({ file, incidents, title }: Theme): string {
  const rows = incidents.map(({ happened, id, once, stops, where }) => {
    const code = where.map((path) => `\`${path}\``).join('<br>');
    const on = once === undefined ? 'each engine' : `once: ${cell(once)}`;
    return `| ${id} | ${cell(happened)} | ${cell(stops)} | ${code} | ${on} |\n`;
  });
  return `## ${title}\n\nReplayed in \`test/incidents/${file}.ts\`.\n\n| | What happened | What stops it | Where | Replayed on |\n| --- | --- | --- | --- | --- |\n${rows.join('')}`;
}

const cell = (text: string) => `${text.replaceAll('|', '\\|')}.`;
