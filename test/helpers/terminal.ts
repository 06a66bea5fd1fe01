/** Runs a script as somebody at a terminal does. */
import { createRequire } from 'node:module';
import type * as NodePty from '@lydell/node-pty';
import type { Scratch } from './lanes';

/** What a terminal showed, colours and cursor movements included. */
export interface Shown {
  readonly code: number;
  readonly screen: string;
}

/** An answer to give when the screen shows a question. */
export interface Reply {
  readonly to: RegExp;
  readonly keys: string;
  /** Done while the question is open. */
  readonly before?: () => Promise<unknown>;
}

/** A command that shows nothing more, as it waits for an answer nobody gives, is ended, and its exit code shows it. */
const PATIENCE_MS = 30_000;

/** Pseudo-terminals, or why there are none: the package ships binaries for some platforms only. */
export function loadTerminals(): { readonly pty: typeof NodePty } | { readonly missing: string } {
  try {
    return { pty: createRequire(__filename)('@lydell/node-pty') as typeof NodePty };
  } catch (error) {
    return { missing: (error as Error).message.split('\n')[0] ?? '' };
  }
}

/**
 * Runs a command with a terminal at both ends.
 * @param replies typed in this order, each once its question is shown
 */
export function runOnTerminal(
  { pty }: { readonly pty: typeof NodePty },
  { env, folder }: Scratch,
  [file = '', ...args]: readonly string[],
  replies: readonly Reply[] = [],
): Promise<Shown> {
  const terminal = pty.spawn(file, args, { cwd: folder, env: { ...env, TERM: 'xterm' }, cols: 200 });
  const left = [...replies];
  let screen = '';
  let unread = '';
  const patience = setTimeout(() => terminal.kill(), PATIENCE_MS);
  terminal.onData((text) => {
    patience.refresh();
    screen += text;
    unread += text;
    if (left[0]?.to.test(unread) !== true) return;
    unread = '';
    const { before, keys = '' } = left.shift() ?? {};
    if (before === undefined) terminal.write(keys);
    else void before().finally(() => terminal.write(keys));
  });
  return new Promise((resolve) => {
    terminal.onExit(({ exitCode, signal }) => {
      clearTimeout(patience);
      // A signal's exit code is 0 here.
      resolve({ code: signal === undefined || signal === 0 ? exitCode : 128 + signal, screen });
    });
  });
}
