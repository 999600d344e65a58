/**
 * The files of one command, which appear together at its end or not at all.
 *
 * Every file is written whole under a temporary name first; only when the last one is complete are they renamed. A
 * command that fails removes them, and the folders that it made. No file takes the place of an input.
 */
import { existsSync, mkdirSync, realpathSync, rmdirSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { TempogradError } from '../core/errors';
import { openFileSink } from './file-sink';
import type { FileSink } from '../shared/file-sink';

/** A finished file that waits for the others. */
interface WaitingFile {
  readonly sink: FileSink;
  readonly name: string | undefined;
}

/** Output files of one command. */
export class OutputBatch {
  private readonly taken: Set<string>;
  private readonly open = new Set<FileSink>();
  private readonly waiting: WaitingFile[] = [];
  private readonly madeFolders: string[] = [];

  /**
   * @param inputs - Paths that no output may take.
   */
  constructor(inputs: readonly string[]) {
    this.taken = new Set(inputs.map(identity));
  }

  /**
   * Whether a path is that of an input or of another output.
   *
   * @param path - The path.
   */
  isTaken(path: string): boolean {
    return this.taken.has(identity(path));
  }

  /**
   * This machine as the writing of a run needs it: the same for the command and the window.
   *
   * @param signal - Cancels the run; asked between slices of long writing, with a turn for other events.
   */
  host(signal: AbortSignal) {
    return {
      openSink: (path: string) => this.openSink(path),
      isTaken: (path: string) => this.isTaken(path),
      makeFolder: (path: string) => this.makeFolder(path),
      join,
      freeBytes(path: string): number {
        const { bavail, bsize } = statfsSync(dirname(resolve(path)));
        return bavail * bsize;
      },
      async pause(): Promise<boolean> {
        await new Promise((resolved) => setImmediate(resolved));
        return !signal.aborted;
      },
    };
  }

  /**
   * A sink whose `commit` keeps the file back until `commit` of the batch.
   *
   * @param path - Final name.
   * @throws TempogradError `usage/bad-option` for the path of an input or of another output; `output/not-writable`.
   */
  openSink(path: string): FileSink {
    const id = identity(path);
    if (this.taken.has(id)) {
      throw new TempogradError(
        'usage/bad-option',
        `${path} is named twice: an output would take the place of an input or of another output`,
        { remedy: 'Give every output a name of its own.', details: { path } },
      );
    }
    const sink = openFileSink(path);
    this.taken.add(id);
    this.open.add(sink);
    return {
      write: (position, bytes) => sink.write(position, bytes),
      read: (position, length) => sink.read(position, length),
      commit: (name) => {
        this.waiting.push({ sink, name });
        return Promise.resolve();
      },
      abort: () => {
        this.open.delete(sink);
        return sink.abort();
      },
    };
  }

  /**
   * Says now, not after the run, that files could not be written.
   *
   * @param paths - Final names.
   * @throws TempogradError as `openSink`.
   */
  async check(paths: readonly string[]): Promise<void> {
    const checked: string[] = [];
    try {
      for (const path of paths) {
        this.openSink(path);
        checked.push(path);
      }
    } finally {
      for (const sink of this.open) await sink.abort();
      this.open.clear();
      for (const path of checked) this.taken.delete(identity(path));
    }
  }

  /**
   * Writes a text file.
   *
   * @param path - Final name.
   * @param text - Its text.
   * @throws TempogradError as `openSink`.
   */
  async addText(path: string, text: string): Promise<void> {
    const sink = this.openSink(path);
    sink.write(0, new TextEncoder().encode(text));
    await sink.commit();
  }

  /**
   * Makes a folder and those above it.
   *
   * @param path - The folder.
   * @throws TempogradError `output/not-writable`.
   */
  makeFolder(path: string): void {
    const missing: string[] = [];
    for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.push(folder);
    try {
      mkdirSync(path, { recursive: true });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TempogradError('output/not-writable', `${path} cannot be made: ${reason}`, {
        details: { path, reason },
        cause,
      });
    }
    this.madeFolders.unshift(...missing);
  }

  /** Lets every finished file appear and drops the others. */
  async commit(): Promise<void> {
    for (const { sink, name } of this.waiting.splice(0)) {
      this.open.delete(sink);
      await sink.commit(name);
    }
    await this.abort();
  }

  /** Drops every file that has not appeared, and every folder made for it that is empty. */
  async abort(): Promise<void> {
    for (const sink of this.open) await sink.abort();
    this.open.clear();
    for (const folder of this.madeFolders.splice(0)) {
      try {
        rmdirSync(folder);
      } catch {
        // It holds a result.
      }
    }
  }
}

/** One name for all ways to write a path; links are followed as far as the path exists. */
function identity(path: string): string {
  const full = resolve(path);
  if (existsSync(full)) return realpathSync(full);
  const folder = dirname(full);
  return existsSync(folder) ? resolve(realpathSync(folder), full.slice(folder.length).replace(/^[\\/]/, '')) : full;
}
