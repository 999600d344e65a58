/** The loader of the numerical libraries, in processes of their own where it matters. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { engineEnvironment, loadNative, loadWasm, probeNative, probeWasm } from '../../src/engine/backend';
import { availableEngines, chooseEngine, loadEngine } from '../../src/engine/load-engine';
import { createTensorflowOps } from '../../src/engine/ops/tensorflow-ops';
import { HAS_NATIVE } from './all-ops';

describe('libraries', () => {
  it.skipIf(!HAS_NATIVE)('are found on disk without being loaded', () => {
    expect(probeNative().path).toMatch(/napi-v\d+.tfjs_binding\.node$/);
    expect(existsSync(join(probeWasm().path ?? '', 'tfjs-backend-wasm-simd.wasm'))).toBe(true);
  });

  it.skipIf(!HAS_NATIVE)('are given one fixed setting, and an owner of the process may change it', () => {
    const environment = engineEnvironment();
    expect(environment).toEqual({
      TF_CPP_MIN_LOG_LEVEL: '2',
      TF_NUM_INTRAOP_THREADS: String(availableParallelism()),
      TF_NUM_INTEROP_THREADS: '1',
      TF_ENABLE_ONEDNN_OPTS: '1',
    });
    process.env['TF_NUM_INTEROP_THREADS'] = '3';
    loadNative();
    expect(process.env['TF_NUM_INTEROP_THREADS']).toBe('3');
    expect(process.env['TF_NUM_INTRAOP_THREADS']).toBe(environment['TF_NUM_INTRAOP_THREADS']);
  });

  it.skipIf(!HAS_NATIVE)('load once; the native one says its version and counts its own tensors', () => {
    expect(loadNative()).toBe(loadNative());
    const ops = createTensorflowOps(loadNative());
    expect(ops.version).toMatch(/^TensorFlow \d+\.\d+\.\d+$/);
    const held = loadNative().getNumOfTensors();
    const value = ops.fill([2], 1);
    expect(loadNative().getNumOfTensors()).toBeGreaterThan(held);
    ops.dispose(value);
    ops.close();
    expect(loadNative().getNumOfTensors()).toBe(held);
  });

  it('starts wasm from files alone, and leaves no handler in the process', async () => {
    const handlers = (): number[] => [
      process.listenerCount('uncaughtException'),
      process.listenerCount('unhandledRejection'),
    ];
    const before = handlers();
    const fetched = globalThis.fetch;
    globalThis.fetch = () => {
      throw new Error('the network was asked');
    };
    try {
      const library = await loadWasm();
      expect(library.version).toMatch(/^tfjs wasm \d/);
      expect(() => library.kernel('NoSuchKernel')).toThrow('NoSuchKernel');
      expect(await loadWasm()).toBe(library);
    } finally {
      globalThis.fetch = fetched;
    }
    expect(handlers()).toEqual(before);
  });
});

describe.skipIf(!HAS_NATIVE)('the choice of an engine', () => {
  it('follows the work alone', () => {
    expect(chooseEngine(null, 9.9e6)).toMatchObject({
      name: 'reference',
      reason: expect.stringContaining('9.9e+6') as string,
    });
    expect(chooseEngine(null, 1e7).name).toBe('tensorflow');
    expect(chooseEngine('wasm', 1)).toEqual({ name: 'wasm', reason: 'asked for' });
    expect(availableEngines().map(({ name, isPresent }) => [name, isPresent])).toEqual([
      ['tensorflow', true],
      ['wasm', true],
      ['reference', true],
    ]);
  });

  it('gives one engine per process', async () => {
    expect(await loadEngine('reference')).toBe(await loadEngine('reference'));
    expect((await loadEngine('tensorflow')).version).toMatch(/^TensorFlow/);
  });
});

/** Runs the engine's loader where packages are as the test makes them. */
async function inFolder(prepare: (packages: string) => void, script: string): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'tempograd-backend-'));
  try {
    const packages = join(folder, 'node_modules');
    mkdirSync(packages);
    prepare(packages);
    const { build } = await import('vite');
    await build({
      configFile: false,
      logLevel: 'silent',
      build: {
        ssr: join(import.meta.dirname, '../../src/engine/load-engine.ts'),
        outDir: join(folder, 'out'),
        rollupOptions: { external: [/^@tensorflow\//], output: { entryFileNames: 'engine.mjs' } },
      },
    });
    const main = join(folder, 'main.mjs');
    writeFileSync(main, `import * as engines from './out/engine.mjs';\n${script}`);
    const { stdout } = await promisify(execFile)(process.execPath, [main], { timeout: 60_000 });
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('a machine where a library is missing', () => {
  const installed = (name: string): string => join(import.meta.dirname, '../../node_modules', name);

  it('says what is missing and takes the next best, never silently', async () => {
    const result = await inFolder(
      (packages) => {
        mkdirSync(join(packages, '@tensorflow'));
        symlinkSync(installed('@tensorflow/tfjs-backend-wasm'), join(packages, '@tensorflow/tfjs-backend-wasm'));
        cpSync(installed('@tensorflow/tfjs-node/package.json'), join(packages, '@tensorflow/tfjs-node/package.json'), {
          recursive: true,
        });
      },
      `const refused = await engines.loadEngine('tensorflow').catch(({ code, message, remedy }) => ({ code, message, remedy }));
      console.log(JSON.stringify({ choice: engines.chooseEngine(null, 1e9), small: engines.chooseEngine(null, 1), refused }));`,
    );
    expect(result).toMatchObject({
      choice: {
        name: 'wasm',
        reason: expect.stringMatching(/tensorflow is missing: the native addon has not been built/) as string,
      },
      small: { name: 'reference' },
      refused: { code: 'engine/native-library-missing', remedy: expect.stringContaining('npm run setup') as string },
    });
  });

  it('computes in float64 when there is nothing at all', async () => {
    const result = await inFolder(
      () => undefined,
      `const asked = [];
      try { engines.chooseEngine('wasm', 1); } catch ({ code }) { asked.push(code); }
      console.log(JSON.stringify({ choice: engines.chooseEngine(null, 1e9), asked, ran: (await engines.loadEngine('reference')).name }));`,
    );
    expect(result).toMatchObject({
      choice: { name: 'reference', reason: expect.stringMatching(/tensorflow is missing.*wasm is missing/) as string },
      asked: ['engine/native-library-missing'],
      ran: 'reference',
    });
  });

  it('says what the system said when the addon does not load', async () => {
    const result = await inFolder(
      (packages) => {
        const lib = join(packages, '@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node');
        mkdirSync(dirname(lib), { recursive: true });
        writeFileSync(lib, 'not a library');
        cpSync(installed('@tensorflow/tfjs-node/package.json'), join(packages, '@tensorflow/tfjs-node/package.json'));
      },
      `const refused = await engines.loadEngine('tensorflow').catch(({ code, message }) => ({ code, message }));
      console.log(JSON.stringify(refused));`,
    );
    expect(result).toMatchObject({
      code: 'engine/native-library-missing',
      message: expect.stringContaining('could not be loaded') as string,
    });
  });
});
