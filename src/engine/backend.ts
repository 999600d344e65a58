/**
 * The only loader of the numerical libraries: TensorFlow's native addon, and wasm.
 *
 * The native library reads its settings from the environment once, when it is loaded; `engineEnvironment` gives them
 * to whoever spawns the process, and they are applied here before loading too. The addon of tfjs-node is loaded by
 * path, without tfjs-node's own JavaScript, which needs functions that newer Node versions no longer have.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, sep } from 'node:path';
import type { KernelFunc } from '@tensorflow/tfjs-core';
import { TempogradError } from '../core/errors';
import type { TensorflowBinding } from './ops/tensorflow-binding';
import type { WasmBackend, WasmLibrary } from './ops/wasm-ops';

// Not called `require`: the bundler puts a constant of that name at the top of every file of its own.
const nodeRequire = createRequire(import.meta.url);

/** What is known of a library without loading it. */
export interface LibraryProbe {
  /** Path of the addon, or of the folder of wasm files; null when there is none to load. */
  readonly path: string | null;
  /** Why not, as a sentence; empty when there is one. */
  readonly why: string;
}

let binding: TensorflowBinding | null = null;
let wasm: Promise<WasmLibrary> | null = null;

/**
 * The environment that a process needs before it loads the native library.
 *
 * Threads inside one operation = cores, one operation at a time, oneDNN on, start-up lines off: one fixed setting, so
 * that numbers do not depend on who started the process.
 */
export function engineEnvironment(): Record<string, string> {
  return {
    TF_CPP_MIN_LOG_LEVEL: '2',
    TF_NUM_INTRAOP_THREADS: String(availableParallelism()),
    TF_NUM_INTEROP_THREADS: '1',
    TF_ENABLE_ONEDNN_OPTS: '1',
  };
}

/**
 * Where the native library is, from the file system alone.
 */
export function probeNative(): LibraryProbe {
  const folder = packageFolder('@tensorflow/tfjs-node');
  if (folder === null) return { path: null, why: 'the package @tensorflow/tfjs-node is not installed' };
  const newest = Number(process.versions['napi'] ?? 8);
  for (let version = newest; version >= 3; version -= 1) {
    const path = join(folder, 'lib', `napi-v${version}`, 'tfjs_binding.node');
    if (existsSync(path)) return { path, why: '' };
  }
  return { path: null, why: `the native addon has not been built in ${join(folder, 'lib')}` };
}

/**
 * The native addon, loaded once per process.
 *
 * @throws TempogradError `engine/native-library-missing` with what the system said.
 */
export function loadNative(): TensorflowBinding {
  if (binding) return binding;
  const { path, why } = probeNative();
  if (path === null) throw new TempogradError('engine/native-library-missing', `TensorFlow is not there: ${why}`);
  for (const [name, value] of Object.entries(engineEnvironment())) process.env[name] ??= value;
  try {
    binding = nodeRequire(path) as TensorflowBinding;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new TempogradError('engine/native-library-missing', `TensorFlow could not be loaded: ${said}`, {
      details: { path },
      cause,
    });
  }
  return binding;
}

/**
 * Whether the wasm library is installed; the reason when it is not.
 */
export function probeWasm(): LibraryProbe {
  const folder = packageFolder('@tensorflow/tfjs-backend-wasm');
  if (folder === null) return { path: null, why: 'the package @tensorflow/tfjs-backend-wasm is not installed' };
  return { path: join(folder, 'dist') + sep, why: '' };
}

/**
 * The wasm library, loaded once per process, from files: nothing is fetched.
 *
 * @throws TempogradError `engine/native-library-missing` when it is not installed or does not start.
 */
export function loadWasm(): Promise<WasmLibrary> {
  wasm ??= startWasm();
  return wasm;
}

async function startWasm(): Promise<WasmLibrary> {
  const { path, why } = probeWasm();
  if (path === null) throw new TempogradError('engine/native-library-missing', `The wasm engine is not there: ${why}`);
  const handlers = (['uncaughtException', 'unhandledRejection'] as const).map(
    (event) => [event, process.listeners(event as 'uncaughtException')] as const,
  );
  try {
    const tf = await import('@tensorflow/tfjs-core');
    const { setWasmPaths, version_wasm } = await import('@tensorflow/tfjs-backend-wasm');
    setWasmPaths(path);
    if (!(await tf.setBackend('wasm'))) throw new Error('the backend refused to start');
    await tf.ready();
    const backend = tf.backend() as unknown as WasmBackend;
    const kernels = new Map<string, KernelFunc>();
    const kernel = (name: string): KernelFunc => {
      let found = kernels.get(name);
      if (!found) {
        const registered = tf.getKernel(name, 'wasm');
        if (!registered) throw new Error(`wasm has no kernel ${name}`);
        found = registered.kernelFunc;
        kernels.set(name, found);
      }
      return found;
    };
    return { version: `tfjs wasm ${version_wasm}`, backend, kernel };
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new TempogradError('engine/native-library-missing', `The wasm engine could not be started: ${said}`, {
      cause,
    });
  } finally {
    // The module's own handlers would turn every unhandled rejection of the program into its crash.
    for (const [event, before] of handlers) {
      for (const listener of process.listeners(event as 'uncaughtException')) {
        if (!before.includes(listener)) process.removeListener(event, listener);
      }
    }
  }
}

/** The folder of an installed package, outside the app's archive when it is packed; null when there is none. */
function packageFolder(name: string): string | null {
  let folder: string;
  try {
    folder = dirname(nodeRequire.resolve(`${name}/package.json`));
  } catch {
    return null;
  }
  const unpacked = folder.replace(`app.asar${sep}`, `app.asar.unpacked${sep}`);
  return existsSync(unpacked) ? unpacked : folder;
}
