/**
 * What `analyze` takes where nothing is said; `doctor` prints it.
 */
import { totalmem } from 'node:os';

/** T, B and seed of a random input. */
export const ANALYZE_DEFAULTS = { steps: 200, batch: 1, seed: 0 } as const;

/** The rest is for the system and for what an estimate leaves out. */
const MEMORY_SHARE = 0.8;

/** Bytes that a run may need unless `--max-memory` says otherwise: a share of this machine's memory, or of the container's. */
export function defaultMaxMemoryBytes(): number {
  // 0, or more than there is, where no container limits this process.
  const granted = process.constrainedMemory?.() ?? 0;
  const total = totalmem();
  return Math.floor(MEMORY_SHARE * (granted > 0 ? Math.min(granted, total) : total));
}
