/** The memory of the program's reader process while it reads one file; Linux only. */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const READER = fileURLToPath(new URL('../../out/main/reader-process.js', import.meta.url));

function highest(pid) {
  return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

/** Bytes of all arrays in plain data. */
function bytesKept(value, seen = new Set()) {
  if (typeof value !== 'object' || value === null || seen.has(value)) return 0;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return value.byteLength;
  return Object.values(value).reduce((sum, part) => sum + bytesKept(part, seen), 0);
}

/**
 * What one file costs a fresh reader process, and what it keeps, bytes.
 *
 * @param mayBeRefused - True where exceeding a limit is an answer, too; nothing is kept then.
 */
export function measure(path, job, mayBeRefused) {
  const options = { activation: null, recurrentActivation: null, resetAfter: null, limits: {} };
  return new Promise((resolve, reject) => {
    const child = fork(READER, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    let idle = 0;
    child.on('exit', (code) => reject(new Error(`the reader process ended with ${code}`)));
    child.on('message', (message) => {
      if (message.kind === 'ready') {
        idle = highest(child.pid);
        child.send({ kind: 'model', path, options, ...job });
      } else if (message.kind !== 'parsed') {
        const peak = highest(child.pid) - idle;
        const isRefused = message.kind === 'failed' && message.error.code === 'reader/limit-exceeded';
        if (isRefused && mayBeRefused) resolve({ peak, kept: 0 });
        else if (message.kind === 'failed') reject(new Error(message.error.message));
        else resolve({ peak, kept: bytesKept(message.result.model) });
        child.kill();
      }
    });
  });
}
