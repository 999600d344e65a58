/**
 * Where bytes of a result go: a place that can be written at any position and is kept or dropped as a whole.
 *
 * The host gives one over a temporary file; tests give one in memory.
 */

/** A file that appears under its name only when it is complete. */
export interface FileSink {
  /** Writes `bytes` at `position`; bytes never written are zero. */
  write(position: number, bytes: Uint8Array): void;
  /** Bytes written before, `length` of them from `position`. */
  read(position: number, length: number): Uint8Array;
  /** Makes the file appear under its final name, or under `otherName` in the same folder. */
  commit(otherName?: string): Promise<void>;
  /** Drops everything written; the file that had the name before stays as it was. */
  abort(): Promise<void>;
}

/** Opens a sink for a path. */
export type OpenSink = (path: string) => FileSink;
