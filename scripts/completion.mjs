#!/usr/bin/env zx
// Prints what makes Tab complete these commands in a shell.
import { createRequire } from 'node:module';
import { basename } from 'node:path';

const toolkit = createRequire(import.meta.url)('../lib/register.cjs');
const { faults, SHELLS } = toolkit;

await toolkit.runCommand({
  script: 'completion.mjs',
  summary:
    'Prints a completion function for bash or zsh (else the shell of SHELL): Tab then completes scripts, options, their ' +
    'choices and targets, and the KSESSIONS ids of the embedded database. It never dials a server.',
  positionals: '[bash|zsh]',
  complete: SHELLS,
  options: {},
  examples: [
    ['source <($0 bash)', 'in this shell'],
    ['$0 zsh >> ~/.zshrc', 'in every shell from now on'],
  ],
  async run({ print, words }) {
    const [shell = basename(process.env.SHELL ?? ''), ...rest] = words.positionals;
    if (!SHELLS.includes(shell) || rest.length > 0) {
      throw faults.usage(`There is no completion for ${JSON.stringify([shell, ...rest].join(' '))}.`, `It takes one of ${SHELLS.join(', ')}.`);
    }
    await print(toolkit.completionScript(shell));
  },
});
