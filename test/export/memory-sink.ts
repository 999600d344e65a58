import type { FileSink } from '../../src/shared/file-sink';

/** A sink in memory that tells what became of it. */
export interface MemorySink extends FileSink {
  readonly state: 'open' | 'committed' | 'aborted';
  bytes(): Buffer;
}

/** A sink that keeps its bytes in memory. */
export function makeMemorySink(): MemorySink {
  let buffer = Buffer.alloc(0);
  let state: MemorySink['state'] = 'open';
  return {
    get state() {
      return state;
    },
    write(position, bytes) {
      if (position + bytes.length > buffer.length) {
        buffer = Buffer.concat([buffer, Buffer.alloc(position + bytes.length - buffer.length)]);
      }
      buffer.set(bytes, position);
    },
    read: (position, length) => Uint8Array.from(buffer.subarray(position, position + length)),
    commit() {
      state = 'committed';
      return Promise.resolve();
    },
    abort() {
      state = 'aborted';
      return Promise.resolve();
    },
    bytes: () => buffer,
  };
}
