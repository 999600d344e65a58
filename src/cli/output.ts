/** Standard output and standard error of this process. */
import type { Output } from './exit-codes';

/** Prints to the process's own streams. */
export const PROCESS_OUTPUT: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};
