/**
 * The report as JUnit XML, in the dialect that Jenkins, GitLab and GitHub's actions read: a suite for each group, a case
 * for each check. A failure is what stops a release; what does not hold and stops none stands in its system-out, for the
 * format knows no warning.
 */
import { stops, type CheckRecord } from '../checks/gate';
import { markup, type Markup } from './markup';
import { byGroup, type Report, type Step } from './report';
import { plain } from './text';

interface Case {
  readonly check: CheckRecord;
  readonly isFailure: boolean;
}

/** A step as a check of a release: one that was not run is an error, since readers take a skipped case for a good one. */
const stepCase = ({ name, outcome, told }: Step): Case => ({
  check: {
    id: `release.${name.replaceAll(' ', '-')}` as CheckRecord['id'], title: name, severity: 'critical', evidence: [told], remedy: null, durationMs: 0,
    status: outcome === 'not-run' ? 'error' : outcome,
  },
  isFailure: outcome === 'fail',
});

/** A report as one XML document. */
export function toJunit(report: Report): string {
  const groups = byGroup(report.checks).map(({ checks, group, title }) => ({
    group: group,
    title: title,
    cases: checks.map((check) => ({ check, isFailure: stops(check, report.failOn) })),
  }));
  const steps = report.steps.map(stepCase);
  const suites = steps.length === 0 ? groups : [{ group: 'release', title: 'Steps', cases: steps }, ...groups];
  const all = suites.flatMap(({ cases }) => cases);
  const name = `canvas-host-toolkit, ${report.target.name}: ${report.verdict}`;
  const body = markup`<testsuites name="${name}" ${counts(all)} time="${seconds(report.durationMs)}">
${suites.map(({ cases, group, title }) => suite(report, group, title, cases))}</testsuites>
`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body.toString()}`;
}

function suite(report: Report, group: string, title: string, cases: readonly Case[]): Markup {
  const skipped = cases.filter(({ check }) => check.status === 'skipped').length;
  const time = cases.reduce((sum, { check }) => sum + check.durationMs, 0);
  return markup`  <testsuite name="${title}" package="${group}" ${counts(cases)} skipped="${skipped}" time="${seconds(time)}" timestamp="${report.startedAt}">
    <properties>
${propertiesOf(report).map(([name, value]) => markup`      <property name="${name}" value="${plain(value)}"/>\n`)}    </properties>
${cases.map(testcase)}  </testsuite>
`;
}

function counts(cases: readonly Case[]): Markup {
  const failures = cases.filter(({ isFailure }) => isFailure).length;
  const errors = cases.filter(({ check }) => check.status === 'error').length;
  return markup`tests="${cases.length}" failures="${failures}" errors="${errors}"`;
}

/** What a reader of one suite has to know of the run. */
function propertiesOf({ failOn, target, toolVersion, verdict }: Report): [string, string][] {
  return [
    ['verdict', verdict],
    ['failOn', failOn],
    ['toolVersion', toolVersion],
    ['target', target.name],
    ['environment', target.environment],
    ['server', target.server ?? ''],
    ['database', target.database ?? ''],
    ['ksessions', target.source === null ? '' : `${target.source.database} on ${target.source.server}`],
  ];
}

function testcase({ check, isFailure }: Case): Markup {
  const { durationMs, id, title } = check;
  return markup`    <testcase name="${title}" classname="canvas.${id}" time="${seconds(durationMs)}"${outcome(check, isFailure)}
`;
}

/** The end of a case: nothing for what holds. */
function outcome(check: CheckRecord, isFailure: boolean): Markup {
  const { evidence, severity, status } = check;
  const message = plain(evidence[0] ?? '');
  if (status === 'skipped') return markup`>\n      <skipped message="${message}"/>\n    </testcase>`;
  if (status === 'error') return markup`>\n      <error type="${severity}" message="${message}">${told(check)}</error>\n    </testcase>`;
  if (isFailure) return markup`>\n      <failure type="${severity}" message="${message}">${told(check)}</failure>\n    </testcase>`;
  return status === 'pass' ? markup`/>` : markup`>\n      <system-out>${told(check)}</system-out>\n    </testcase>`;
}

/** Everything the check said, a line each. */
function told({ evidence, remedy, severity, status }: CheckRecord): string {
  const lines = [`${status}, ${severity}`, ...evidence, ...(remedy === null ? [] : [`To mend it: ${remedy}`])];
  return lines.map(plain).join('\n');
}

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(3);
