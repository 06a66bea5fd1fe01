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

/**
 * Does work of several steps, each of which has its own bound, and not for ever either. When the time is over, what the
 * work stands on is taken away, so that the step under way fails: nothing goes on behind the caller's back.
 * @param giveUp ends the connection that the steps need
 * @throws OutOfTime once the work has ended, and what `work` throws
 */
export async function withinTime<T>(limitMs: number, work: () => Promise<T>, giveUp: () => void): Promise<T> {
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    giveUp();
  }, limitMs);
  const [outcome] = await Promise.allSettled([work()]);
  clearTimeout(timer);
  if (isOver) throw new OutOfTime(`It took longer than ${limitMs / 1000} s.`, outcome.status === 'rejected' ? { cause: outcome.reason } : {});
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}
