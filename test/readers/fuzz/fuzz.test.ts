import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/core/errors';
import { makeRandom } from '../../../src/core/random';
import { mutateBytes, mutateHdf5, mutateKeras } from './mutate';
import type { ChildAnswer } from './reader-child';

/** Of each format; `npm run fuzz` takes many more. */
const MUTANTS = Number(process.env['TEMPOGRAD_FUZZ_MUTANTS'] ?? 300);
const LIMIT_MILLISECONDS = 5000;
/** Here, so that the bundle finds the packages that it leaves out. */
const BUNDLE_FOLDER = 'node_modules/.cache/tempograd-fuzz';

const SEEDS: Readonly<Record<string, readonly string[]>> = {
  keras: [
    'keras3-lstm/model.keras',
    'tfkeras-gru-reset-after/model.keras',
    'keras3-bidirectional-concat/model.keras',
    'keras3-encoder-decoder/model.keras',
    'keras3-nested-functional/model.keras',
    'keras3-mask-merge-add/model.keras',
  ],
  h5: [
    'keras3-lstm-h5/model.h5',
    'tfkeras-lstm-h5/model.h5',
    'keras3-mask-embedding-gru-last/model.h5',
    'tfkeras-encoder-decoder/model.h5',
    'tfkeras-nested-functional/model.h5',
    'tfkeras-weights-v3-nested/model.weights.h5',
    'tfkeras-weights-h5-bidirectional/model-weights.h5',
  ],
};

let child: ChildProcess | null = null;

beforeAll(async () => {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: join(import.meta.dirname, 'reader-child.ts'),
      outDir: BUNDLE_FOLDER,
      emptyOutDir: true,
      rollupOptions: { output: { entryFileNames: 'reader-child.mjs' } },
    },
  });
}, 60_000);

afterAll(() => {
  child?.kill('SIGKILL');
});

/** The child's answer; one that does not come is a killed child, and the next mutant gets a new one. */
async function read(bytes: Uint8Array): Promise<ChildAnswer | 'killed' | 'crashed'> {
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
    current.send(bytes);
  });
  current.removeAllListeners('message').removeAllListeners('exit');
  if (typeof result === 'string') child = null;
  return result;
}

describe.each(['keras', 'h5'] as const)('%s mutants', (format) => {
  const files = SEEDS[format]!.map((path) => readFileSync(`test/fixtures/keras/${path}`));

  it(
    'end in a model or in a code of the closed list',
    async () => {
      const outcomes = new Map<string, number>();
      const killed: number[] = [];
      for (let seed = 0; seed < MUTANTS; seed++) {
        const random = makeRandom(seed);
        const original = files[seed % files.length]!;
        const isBlind = seed % 2 === 0;
        const mutant = isBlind
          ? mutateBytes(original, random)
          : format === 'keras'
            ? await mutateKeras(original, random)
            : mutateHdf5(original, random);
        const result = await read(mutant);
        if (result === 'killed') killed.push(seed);
        else if (result === 'crashed') expect.fail(`mutant ${String(seed)} crashed the reader`);
        else if (result.code !== null && !(ERROR_CODES as readonly string[]).includes(result.code)) {
          expect.fail(`mutant ${String(seed)}: ${result.message}`);
        }
        const outcome = typeof result === 'string' ? result : (result.code ?? 'opened');
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // Both ends must be met, or the mutants would show nothing.
      expect(outcomes.get('opened') ?? 0).toBeGreaterThan(0);
      expect(outcomes.size).toBeGreaterThan(2);
      // The HDF5 library itself can loop on damaged files; such a child is killed, and that must stay rare.
      expect(killed.length).toBeLessThanOrEqual(Math.ceil(MUTANTS / 50));
      if (process.env['TEMPOGRAD_FUZZ_REPORT']) console.log(format, Object.fromEntries(outcomes), 'killed:', killed);
    },
    MUTANTS * 2000,
  );
});
