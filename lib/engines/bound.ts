/**
 * The bound behind every wait for a server. Drivers bound the first sign of an answer and servers bound their own work;
 * a server or network that is gone without a word, or in the middle of its answer, would be waited for without end.
 */

/** Thrown when the bound was reached; the code is the one that drivers use for their own time-outs. */
export class OutOfTime extends Error {
  override readonly name = 'OutOfTime';
  readonly code = 'ETIMEOUT';
}

/**
 * Waits for work that a server does, and not for ever.
 * @param limitMs 0 for no bound
 * @param giveUp ends what is waited for, the connection above all: nobody may use it again
 * @param isAlive asked when the bound is reached: has something come since it was asked before?
 * @throws OutOfTime, and what `work` throws
 */
export function bounded<T>(
  limitMs: number,
  work: () => Promise<T>,
  giveUp: () => void,
  isAlive: () => boolean = () => false,
): Promise<T> {
  if (limitMs === 0) return work();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (isAlive()) return void timer.refresh();
      reject(new OutOfTime('The answer did not come, or not to its end.'));
      giveUp();
    }, limitMs);
    work().then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
