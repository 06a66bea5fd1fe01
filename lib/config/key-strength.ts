/** What can be told of a key by looking at it: no more than that it is easy to guess. */

/** Less than this, counted over its bytes as they are, is not what 32 random ones give in any usual spelling. */
const FEWEST_BITS = 80;

/** Words of those who meant to put a key there later. */
const PLACEHOLDER = /change.?me|replace.?me|place.?holder|password|example|your.?(secret|key)/i;

/** @returns what makes it easy to guess, or undefined where nothing shows */
export function weaknessOf(secret: Buffer): string | undefined {
  if (PLACEHOLDER.test(secret.toString('utf8'))) return 'it reads like the word for a key that was to come';
  const period = periodOf(secret);
  if (period !== undefined) return `it repeats ${period} bytes`;
  if (countsUp(secret)) return 'nearly all of it counts up, or down, or stays the same';
  return entropyOf(secret) < FEWEST_BITS ? 'it has few different bytes for its length' : undefined;
}

/** The length of the piece that it consists of, where that fits in more than once. */
function periodOf(secret: Buffer): number | undefined {
  for (let period = 1; period <= secret.length / 2; period += 1) {
    if (secret.subarray(period).equals(secret.subarray(0, secret.length - period))) return period;
  }
  return undefined;
}

/** Are four of five bytes their neighbour's own neighbours, or the same? */
function countsUp(secret: Buffer): boolean {
  const steps = [...secret.subarray(1)].map((byte, place) => byte - (secret[place] ?? 0));
  return steps.filter((step) => Math.abs(step) <= 1).length > steps.length * 0.8;
}

/** Shannon's measure over the bytes that are there, in bits. */
function entropyOf(secret: Buffer): number {
  const counts = new Map<number, number>();
  for (const byte of secret) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / secret.length), 0);
}
