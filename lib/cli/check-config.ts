/** The command that compares configuration files: what it reads, the report, and the exit code. Opens nothing. */
import type { Options } from 'yargs';
import { SEVERITIES, type Check, type Circumstances, type Severity } from '../checks/check';
import { configurationChecks } from '../checks/configuration';
import { toConfiguration } from '../checks/configuration-facts';
import { runUnopened } from '../checks/gate';
import { readConfiguration, readVariables, type ConfigurationFile } from '../config/appsettings';
import { ownConnections } from '../config/connections';
import type { Settings } from '../config/settings';
import { allTargets, chooseTarget, type Address, type Target } from '../config/targets';
import { faults } from '../errors';
import { toReport, verdictSentence, type Report } from '../reports/report';
import { toText } from '../reports/text';
import type { Run } from './command';
import { errorText, jsonLine, plain } from './render';

export const CONFIGURATION_OPTIONS = {
  'fail-on': { type: 'string', choices: SEVERITIES, default: 'minor', describe: 'The least severity that ends with exit 1' },
} as const satisfies Record<string, Options>;

/** Version of the JSON object; a field that changes its meaning changes it. */
const SCHEMA = 'canvas-config/1';

/** What came of a comparison. */
export interface Comparison {
  readonly report: Report;
  readonly target: Target;
  readonly files: readonly ConfigurationFile[];
}

/** Reads, compares, prints, and sets the exit code: 1 for what does not agree. */
export async function checkConfig(run: Run): Promise<void> {
  const { notice, print, words } = run;
  if (words.positionals.length === 0) {
    throw faults.usage('No file was named.', 'Which files a component reads cannot be known from here.', 'Give FILES: appsettings files, .env files, or the folders they are in.');
  }
  const { files, report, target } = await compareConfiguration(run, words.positionals, words.text('fail-on') as Severity);
  await print(words.flag('json') ? jsonLine(toJson(report, target, files)) : toText(report));
  if (report.verdict === 'pass') return;
  const fault = faults.configurationDiffers(verdictSentence(report));
  notice(errorText(fault));
  process.exitCode = fault.exit;
}

/**
 * Compares files with the target and with each other, and says on stderr which.
 * @throws ToolkitError CONFIG where one cannot be read
 */
export async function compareConfiguration({ notice, settings, words }: Run, paths: readonly string[], failOn: Severity): Promise<Comparison> {
  const startedAt = new Date();
  const start = performance.now();
  const target = chooseTarget(settings);
  const files = readAll(paths, settings);
  if (!words.flag('quiet')) notice(headOf(target, files));
  const outcome = await runUnopened(checksOf(files, settings, target), { settings, target }, { only: [], skip: [], failOn });
  const report = toReport(outcome, { target, database: undefined, startedAt, durationMs: Math.round(performance.now() - start) });
  return { report, target, files };
}

const readAll = (paths: readonly string[], { env }: Settings) => [...readConfiguration(paths), readVariables(env)];

/** The same checks for the gate, beside its own. @param paths files or folders */
export function checksOfFiles(paths: readonly string[], settings: Settings): Check<Circumstances>[] {
  return checksOf(readAll(paths, settings), settings, chooseTarget(settings));
}

function checksOf(files: readonly ConfigurationFile[], settings: Settings, target: Target): Check<Circumstances>[] {
  return configurationChecks(toConfiguration(files, allTargets(settings), ownConnections(settings, target)), target);
}

/** What is looked at, in the order in which the later ones win, and what it is compared with. */
function headOf(target: Target, files: readonly ConfigurationFile[]): string {
  const compared =
    target.engine === 'pglite'
      ? `${target.name} has no server: the files are compared with each other only (--target NAME names one)`
      : `${target.name} (${target.environment}): ${target.canvas.database} on ${target.canvas.server},${target.canvas.port}`;
  const read = files.map(({ environment, path }) => `reads      ${plain(path)}${environment === undefined ? '' : ` (${environment})`}\n`);
  return `target     ${compared}\n${read.join('')}`;
}

/** The report in the shape of the gate's, with the files, and with what the list says of the target: nobody asked a server. */
function toJson(report: Report, target: Target, files: readonly ConfigurationFile[]): object {
  const told = files.map(({ environment = null, layer, path }) => ({ path, layer, environment }));
  const place = ({ database, port, server }: Address) => ({ server, port, database });
  const comparedWith = target.engine === 'pglite' ? null : { canvas: place(target.canvas), source: place(target.source) };
  return { ...report, schema: SCHEMA, comparedWith, files: told };
}
