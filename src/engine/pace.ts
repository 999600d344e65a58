/**
 * Lets messages in while an engine computes: kernels block the thread that calls them.
 */

/** So long an engine may compute before it looks at its event loop. */
const LONGEST_SILENCE_MS = 40;

/** The rhythm of one run: it stops where the signal is aborted, and hands the thread over now and then. */
export class Pace {
  private last = performance.now();

  /**
   * @param signal - Ends the run.
   */
  constructor(private readonly signal: AbortSignal) {}

  /**
   * Nothing; waits for one turn of the event loop when the last one is long ago.
   *
   * @throws `signal.reason` when the signal is aborted.
   */
  async breathe(): Promise<void> {
    if (performance.now() - this.last > LONGEST_SILENCE_MS) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.last = performance.now();
    }
    this.signal.throwIfAborted();
  }
}
