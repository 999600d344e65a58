/** The largest resident size of this process over a stretch of work. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Measures from its making on. */
export class PeakMemory {
  private readonly hasKernelMark: boolean;
  private highest = process.memoryUsage.rss();

  constructor() {
    this.hasKernelMark = resetKernelMark();
  }

  /** Looks now; for systems whose kernel keeps no mark that can be reset. */
  sample(): void {
    this.highest = Math.max(this.highest, process.memoryUsage.rss());
  }

  /** Resident bytes at the highest. */
  bytes(): number {
    this.sample();
    const marked = this.hasKernelMark ? readKernelMark() : 0;
    return Math.max(this.highest, marked);
  }
}

/** Linux forgets its high-water mark when 5 is written; elsewhere the samples must do. */
function resetKernelMark(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return readKernelMark() > 0;
  } catch {
    return false;
  }
}

/** VmHWM in bytes, 0 when there is none. */
function readKernelMark(): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return found ? Number(found[1]) * 1024 : 0;
}
