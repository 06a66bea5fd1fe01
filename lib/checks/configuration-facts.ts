/** Configuration files as they were read, and the words in which all checks speak of them. */
import type { ConfigurationFile } from '../config/appsettings';
import { connectionsOf, type Connection, type KnownDatabase } from '../config/connections';
import type { Target } from '../config/targets';

/** What was read. */
export interface Configuration {
  readonly files: readonly ConfigurationFile[];
  readonly connections: readonly Connection[];
  /** Those of this toolkit, for their passwords; what its login may do, and how it is dialled, is looked at elsewhere. */
  readonly own: readonly Connection[];
  /** The databases of all targets of the list. */
  readonly known: readonly KnownDatabase[];
}

/**
 * @param targets all of the list, for the environments their databases belong to
 * @param own the connections of this toolkit: its login is compared with those of the components (I-02)
 */
export function toConfiguration(files: readonly ConfigurationFile[], targets: readonly Target[], own: readonly Connection[] = []): Configuration {
  const known = targets.flatMap((target) =>
    target.engine === 'pglite'
      ? []
      : [target.canvas, target.source].map(({ database }) => ({ database, environment: target.environment })),
  );
  return { files, connections: files.flatMap(connectionsOf), own, known };
}

/** What one check finds, as sentences. */
export type Find = (configuration: Configuration, target: Target) => readonly string[];

/** Where something stands. */
export const at = ({ file, key }: Pick<Connection, 'file' | 'key'>) => `${file.path}: ${key}`;

/** The names of databases, servers and logins are the same in any case. */
export const fold = (name: string) => name.toLowerCase();
export const isAmong = (names: readonly string[], name: string | undefined) =>
  name !== undefined && names.some((one) => fold(one) === fold(name));
