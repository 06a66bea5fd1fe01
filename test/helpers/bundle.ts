/** The scripts of a bundle, run batch by batch as a client runs them. */
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

/** sqlcmd stops at an error where the script says so; others go on with the next batch. */
export type Client = 'sqlcmd' | 'goes on';

/** Sends the batches over one session. */
export async function runScript(connection: Connection, script: string, client: Client = 'goes on'): Promise<Ran> {
  const isStopping = client === 'sqlcmd' && /^:on error exit$/m.test(script);
  const ran: Ran = { errors: [], rows: [], said: [] };
  const listen = ({ message }: { message: string }) => ran.said.push(message);
  connection.on('infoMessage', listen);
  for (const batch of batchesOf(script)) {
    await askRaw(connection, batch, 60_000).then(
      (rows) => ran.rows.push(...rows),
      (error: unknown) => ran.errors.push(messagesOf(error)),
    );
    if (isStopping && ran.errors.length > 0) break;
  }
  connection.off('infoMessage', listen);
  return ran;
}

const messagesOf = (error: unknown): string =>
  error instanceof AggregateError ? error.errors.map(messagesOf).join(' | ') : String((error as Error).message);
