/** How far a long run is, on stderr: a bar on a terminal, plain lines in a log. */
import type { Writable } from 'node:stream';

export interface Progress {
  advance(count: number): void;
  stop(): void;
}

/** Below this there is nothing to wait for. */
const WORTH_TELLING = 50;
const LOG_EVERY_MS = 5_000;

const NONE: Progress = { advance: () => undefined, stop: () => undefined };

/** @param total how many there are, as far as that is known beforehand */
export async function showProgress(stream: Writable & { isTTY?: boolean }, total: number): Promise<Progress> {
  if (total < WORTH_TELLING) return NONE;
  const { SingleBar, Presets } = await import('cli-progress');
  const started = Date.now();
  const bar = new SingleBar(
    {
      stream: stream,
      format: '{bar} {percentage}% | {value} of {total} sessions | {rate}/s | {left} left',
      barsize: 30,
      hideCursor: null,
      // The cursor and the line are the terminal's; a log gets a line from time to time.
      noTTYOutput: stream.isTTY !== true,
      notTTYSchedule: LOG_EVERY_MS,
      etaBuffer: 200,
      emptyOnZero: true,
    },
    Presets.shades_grey,
  );
  let value = 0;
  const payload = () => {
    const rate = value / Math.max(0.001, (Date.now() - started) / 1000);
    const left = rate === 0 ? '?' : `${Math.ceil(Math.max(0, total - value) / rate)} s`;
    return { rate: Math.round(rate), left };
  };
  bar.start(total, 0, payload());
  return {
    advance(count) {
      value += count;
      bar.update(value, payload());
    },
    stop: () => bar.stop(),
  };
}
