/** The scripts of a bundle, run as a client runs them that does not stop at an error. */
import type { Connection } from 'tedious';
import { askRaw } from '../../lib/engines/mssql-client';
import type { HandoffFile } from '../../lib/migrations/handoff';

/** The batches as a client would send them: its own lines and variable taken out, cut at GO. */
export function batchesOf(script: string): string[] {
  const lines = script.split('\n').filter((line) => !line.startsWith(':'));
  return lines.join('\n').replaceAll('$(SqlcmdMode)', 'on').split(/^GO$/m).map((batch) => batch.trim()).filter((batch) => batch !== '');
}

export const textOf = (files: readonly HandoffFile[], name: string) => files.find((file) => file.name === name)?.text ?? '';

export interface Ran {
  readonly errors: string[];
  readonly rows: Record<string, unknown>[];
  /** What PRINT said. */
  readonly said: string[];
}

/** Sends every batch over one session. */
export async function runScript(connection: Connection, script: string): Promise<Ran> {
  const ran: Ran = { errors: [], rows: [], said: [] };
  const listen = ({ message }: { message: string }) => ran.said.push(message);
  connection.on('infoMessage', listen);
  for (const batch of batchesOf(script)) {
    await askRaw(connection, batch, 60_000).then(
      (rows) => ran.rows.push(...rows),
      (error: unknown) => ran.errors.push(messagesOf(error)),
    );
  }
  connection.off('infoMessage', listen);
  return ran;
}

const messagesOf = (error: unknown): string =>
  error instanceof AggregateError ? error.errors.map(messagesOf).join(' | ') : String((error as Error).message);
