// The direction of the house: no cycle, and nothing reaches back to a room that comes after its own.
const ROOMS = ['errors', 'config', 'guard', 'engines', 'migrations|source|audit', 'hosts', 'access', 'checks', 'reports', 'cli|knex-command'];

const backwards = ROOMS.slice(0, -1).map((room, place) => ({
  name: `${room} comes before what it reaches for`,
  severity: 'error',
  from: { path: `^lib/(${room})(/|\\.ts$)` },
  to: { path: `^lib/(${ROOMS.slice(place + 1).join('|')})(/|\\.ts$)` },
}));

module.exports = {
  forbidden: [
    { name: 'no cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'only index.ts gathers',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/register\\.cjs$' },
      to: { path: '^lib/index\\.ts$' },
    },
    {
      name: 'drivers are for engines',
      severity: 'error',
      from: { path: '^(lib|scripts|seeds|migrations)/', pathNot: '^lib/engines/' },
      to: { path: '^node_modules/(pg|tedious|@electric-sql)' },
    },
    ...backwards,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'] },
  },
};
