/**
 * How much memory a run may take where nobody says otherwise; the same for the command and the window.
 */
import { totalmem } from 'node:os';

/** The rest is for the system and for what an estimate leaves out. */
const MEMORY_SHARE = 0.8;

/** Bytes that a run may need by default: a share of this machine's memory, or of the container's. */
export function defaultMaxMemoryBytes(): number {
  // 0, or more than there is, where no container limits this process.
  const granted = process.constrainedMemory?.() ?? 0;
  const total = totalmem();
  return Math.floor(MEMORY_SHARE * (granted > 0 ? Math.min(granted, total) : total));
}
