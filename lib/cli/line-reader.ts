/** Lines that a person types, one at a time. Between two of them the terminal is free for whoever else asks. */
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { faults } from '../errors';

/** Asks for lines, and remembers those before them for the arrow keys. */
export class LineReader {
  readonly #output: Writable;
  readonly #words: readonly string[];
  /** Lines that came with one before them, as pasted ones do: each is a line of its own, and no answer to a question. */
  readonly #waiting: string[] = [];
  /** What was pasted behind the last line end. */
  #begun = '';
  #history: string[] = [];

  /** @param words what Tab completes */
  constructor(output: Writable, words: readonly string[]) {
    this.#output = output;
    this.#words = words;
  }

  /**
   * @returns the next line, or undefined at the end of input (Ctrl-D on an empty line)
   * @throws ToolkitError INTERRUPTED for Ctrl-C
   */
  next(prompt: string): Promise<string | undefined> {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return this.#read(prompt);
    this.#output.write(`${prompt}${waiting}\n`);
    return Promise.resolve(waiting);
  }

  #read(prompt: string): Promise<string | undefined> {
    const reader = createInterface({
      input: process.stdin,
      output: this.#output,
      terminal: true,
      prompt,
      history: this.#history,
      completer: (line: string) => [this.#words.filter((word) => word.startsWith(line)), line],
    });
    reader.prompt();
    reader.write(this.#begun);
    this.#begun = '';
    return new Promise((resolve, reject) => {
      reader.on('history', (history) => (this.#history = history));
      reader.on('line', (line) => {
        this.#waiting.push(line);
        // Not at once: what came in the same piece would be lost.
        setImmediate(() => reader.close());
      });
      reader.on('SIGINT', () => {
        this.#output.write('\n');
        reject(faults.interrupted());
        reader.close();
      });
      reader.on('close', () => {
        const line = this.#waiting.shift();
        if (line !== undefined) this.#begun = reader.line;
        if (line === undefined || this.#begun !== '') this.#output.write('\n');
        resolve(line);
      });
    });
  }
}
