import test from 'ava';
import { randomBytes } from 'node:crypto';
import { weaknessOf } from '../../lib/config/key-strength';

const weakness = (text: string) => weaknessOf(Buffer.from(text, 'utf8'));

test('random keys are strong in every usual spelling', (t) => {
  for (let turn = 0; turn < 500; turn += 1) {
    const bytes = randomBytes(32);
    const spellings = [bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex'), bytes.subarray(0, 16).toString('hex')];
    for (const spelling of spellings) t.is(weakness(spelling), undefined, spelling);
    t.is(weaknessOf(bytes), undefined, bytes.toString('hex'));
  }
});

test('what is easy to guess is told by its kind, and not repeated', (t) => {
  const weak: readonly [string, RegExp][] = [
    ['canvas-host-'.repeat(3), /repeats 12 bytes/],
    ['secret-word-secret-word-secret-word-sec', /repeats 12 bytes/],
    ['abcdefghijklmnopqrstuvwxyz0123456789', /counts up/],
    ['zyxwvutsrqponmlkjihgfedcba9876543210', /counts up, or down/],
    ['change-me-before-the-first-release-please', /word for a key/],
    ['PUT YOUR KEY HERE, at least 32 characters', /word for a key/],
    ['aaaabbbbccccddddeeeeffffgggghhhhiiii', /counts up|few different/],
    ['121213141213121512131214121312161213', /few different/],
  ];
  for (const [text, why] of weak) {
    t.regex(weakness(text) ?? 'strong', why, text);
    t.false(weakness(text)?.includes(text.slice(0, 6)));
  }
});
