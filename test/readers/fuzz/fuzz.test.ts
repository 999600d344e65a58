import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/core/errors';
import { makeRandom } from '../../../src/core/random';
import { mutateFiles, type ModelFiles } from './mutate-files';
import type { ChildAnswer } from './reader-child';

/** Of each format; `npm run fuzz` takes many more. */
const MUTANTS = Number(process.env['TEMPOGRAD_FUZZ_MUTANTS'] ?? 300);
const LIMIT_MILLISECONDS = 5000;
/** Models of one format that mutants are made of. */
const MAX_SEEDS = 8;
const FIXTURES = 'test/fixtures';
/** Here, so that the bundle finds the packages that it leaves out. */
const BUNDLE_FOLDER = 'node_modules/.cache/tempograd-fuzz';

const SEEDS: Readonly<Record<string, readonly string[]>> = {
  keras: [
    'keras/keras3-lstm',
    'keras/tfkeras-gru-reset-after',
    'keras/keras3-bidirectional-concat',
    'keras/keras3-encoder-decoder',
    'keras/keras3-nested-functional',
    'keras/keras3-mask-merge-add',
  ],
  h5: [
    'keras/keras3-lstm-h5',
    'keras/tfkeras-lstm-h5',
    'keras/keras3-mask-embedding-gru-last',
    'keras/tfkeras-encoder-decoder',
    'keras/tfkeras-nested-functional',
    'keras/tfkeras-weights-v3-nested',
    'keras/tfkeras-weights-h5-bidirectional',
  ],
  ...Object.fromEntries(
    ['torch', 'safetensors', 'npz', 'onnx', 'tfjs', 'saved-model', 'checkpoint'].map((format) => [
      format,
      spread(fixturesOf(format), MAX_SEEDS),
    ]),
  ),
};

/** Folders of a format's fixtures, from the root of all fixtures. */
function fixturesOf(format: string): readonly string[] {
  const root = join(FIXTURES, format);
  if (!existsSync(root)) return [];
  const names = readdirSync(root).sort();
  return names.filter((name) => existsSync(join(root, name, 'fixture.json'))).map((name) => `${format}/${name}`);
}

/** At most `count` of the names, evenly spread. */
function spread(names: readonly string[], count: number): readonly string[] {
  const step = Math.max(1, names.length / count);
  return names.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

/** A fixture's model with all that lies beside it. */
function loadFiles(fixture: string): ModelFiles {
  const folder = join(FIXTURES, fixture);
  const { file } = JSON.parse(readFileSync(join(folder, 'fixture.json'), 'utf8')) as { readonly file: string };
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((name) => name !== 'fixture.json' && name !== 'expected.npz');
  // What stands beside the model is named from the model's own folder.
  const base = dirname(file);
  const files = names.map((name) => [relative(base, name), readFileSync(join(folder, name))] as const);
  return { main: relative(base, file), files: new Map(files) };
}

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
async function read(files: ModelFiles): Promise<ChildAnswer | 'killed' | 'crashed'> {
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

const FORMATS = Object.keys(SEEDS).filter((format) => SEEDS[format]!.length > 0);

describe.each(FORMATS)('%s mutants', (format) => {
  const models = SEEDS[format]!.map(loadFiles);

  it(
    'end in a model or in a code of the closed list',
    async () => {
      const outcomes = new Map<string, number>();
      const killed: number[] = [];
      for (let seed = 0; seed < MUTANTS; seed++) {
        const random = makeRandom(seed);
        const mutant = await mutateFiles(models[seed % models.length]!, seed % 2 === 0, random);
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
