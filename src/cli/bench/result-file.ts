/** A result streamed to disk while it is computed, for cases that are too long to be held; gone when it was measured. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchChunk } from './open-case';

/** A file of log norms, rectangle after rectangle. */
export class ResultFile {
  private readonly folder = mkdtempSync(join(tmpdir(), 'tempograd-bench-'));
  private readonly file = openSync(join(this.folder, 'norms'), 'w');

  /** Writes the norms of a chunk. */
  write(chunk: BenchChunk): void {
    if (chunk.mode === 'pairs') writeSync(this.file, chunk.logNorms);
  }

  /** Takes the file away. */
  remove(): void {
    closeSync(this.file);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
