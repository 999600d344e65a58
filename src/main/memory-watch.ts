/**
 * Watches what the engine process holds while it runs: native memory is in no JavaScript limit, and a machine that
 * swaps is worse than a run that ends.
 */
import { totalmem } from 'node:os';
import { app } from 'electron';

const INTERVAL_MS = 250;

/** Share of the machine's memory that the engine process may hold. */
const MEMORY_SHARE = 0.75;

/** What a watch is given. */
export interface MemoryWatchOptions {
  /** Bytes that the process holds now; 0 when there is none. */
  readonly residentBytes: () => number;
  readonly onExceeded: (bytes: number, limit: number) => void;
  readonly limit?: number;
}

/**
 * Bytes that a utility process holds; 0 when there is none of the name.
 *
 * @param serviceName - Its name.
 */
export function residentBytesOf(serviceName: string): number {
  const metric = app.getAppMetrics().find(({ name }) => name === serviceName);
  // Electron counts in kilobytes.
  return (metric?.memory.workingSetSize ?? 0) * 1024;
}

/** Looks at the process while it is active. */
export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  readonly #limit: number;
  #timer: NodeJS.Timeout | null = null;

  /** @param options - What to watch, and who is told. */
  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    this.#limit = options.limit ?? totalmem() * MEMORY_SHARE;
  }

  /**
   * Starts or stops watching.
   *
   * @param isActive - Whether the process is at work.
   */
  setActive(isActive: boolean): void {
    if (isActive === (this.#timer !== null)) return;
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = isActive ? setInterval(() => this.#look(), INTERVAL_MS) : null;
  }

  #look(): void {
    const bytes = this.#options.residentBytes();
    if (bytes <= this.#limit) return;
    this.setActive(false);
    this.#options.onExceeded(bytes, this.#limit);
  }
}
