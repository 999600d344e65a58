/**
 * Standard output and standard error of this process.
 *
 * A supervised child writes its messages to a descriptor of their own, which is its parent's standard error: what a
 * native library prints on its standard error is kept apart, so that an error's two lines always come first.
 */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EXIT, type Output } from './exit-codes';
import { printable } from './terminal-text';

/** Where a supervised child finds its parent's standard error. */
export const MESSAGES_DESCRIPTOR = 4;

const PAUSE_MS = 5;

/**
 * The output of this process.
 *
 * @param isChild - Whether a parent of the same program waits for it.
 */
export function processOutput(isChild: boolean): Output {
  const descriptor = isChild ? MESSAGES_DESCRIPTOR : 2;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read has seen enough (`tempograd ... | head`); the command goes on and says how it ended.
    if (error.code === 'EPIPE') return;
    const what = printable(error.message);
    writeWhole(descriptor, `tempograd: output/not-writable: standard output cannot be written: ${what}\n`);
    writeWhole(descriptor, '  Choose a place that has room.\n');
    process.exit(EXIT.expected);
  });
  return {
    out: (text) => void process.stdout.write(printable(text)),
    err: (text) => writeWhole(descriptor, printable(text)),
    draw: (text) => writeWhole(descriptor, text),
    isTerminal: isatty(descriptor),
  };
}

/** Writes at once, also where a full pipe answers "not now"; a closed one takes nothing any more. */
function writeWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(descriptor, bytes, done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}
