/** A reader in a child process that is killed when it does not answer, and started again for the next file. */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'vite';
import type { ModelFiles } from './mutate-files';
import type { ChildAnswer } from './reader-child';

const LIMIT_MILLISECONDS = 5000;
/** Here, so that the bundle finds the packages that it leaves out. */
const BUNDLE_FOLDER = 'node_modules/.cache/tempograd-fuzz';

let child: ChildProcess | null = null;

/** Makes the child's program; to be called once before `readInChild`. */
export async function buildReader(): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: join('test/readers/fuzz/reader-child.ts'),
      outDir: BUNDLE_FOLDER,
      emptyOutDir: true,
      rollupOptions: { output: { entryFileNames: 'reader-child.mjs' } },
    },
  });
}

/** Ends the child, if there is one. */
export function endReader(): void {
  child?.kill('SIGKILL');
  child = null;
}

/** The child's answer; one that does not come is a killed child, and the next mutant gets a new one. */
export async function readInChild(files: ModelFiles): Promise<ChildAnswer | 'killed' | 'crashed'> {
  child ??= fork(join(BUNDLE_FOLDER, 'reader-child.mjs'), {
    serialization: 'advanced',
    execArgv: ['--max-old-space-size=512'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const current = child;
  const result = await new Promise<ChildAnswer | 'killed' | 'crashed'>((resolve) => {
    const timer = setTimeout(() => {
      current.kill('SIGKILL');
      resolve('killed');
    }, LIMIT_MILLISECONDS);
    const finish = (outcome: ChildAnswer | 'crashed'): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    current.once('message', finish as (message: unknown) => void);
    current.once('exit', () => finish('crashed'));
    current.send(files);
  });
  current.removeAllListeners('message').removeAllListeners('exit');
  if (typeof result === 'string') child = null;
  return result;
}
