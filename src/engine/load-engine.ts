/**
 * Which engine runs, and the one instance of each that a process has.
 */
import { TempogradError, toErrorRecord } from '../core/errors';
import type { EngineInfo } from '../core/summary';
import { loadNative, loadWasm, probeNative, probeWasm } from './backend';
import type { Engine, EngineName } from './engine';
import { createTensorflowOps } from './ops/tensorflow-ops';
import { createWasmOps } from './ops/wasm-ops';
import { ReferenceEngine } from './reference-engine';
import { TensorEngine } from './tensor-engine';

/** Below so much work loading a library takes longer than the work. */
const REFERENCE_LIMIT_FLOP = 1e7;

/** One engine as far as the disk tells. */
export interface EngineAvailability {
  readonly name: EngineName;
  readonly isPresent: boolean;
  /** Why not, as a sentence; empty when it is there. */
  readonly why: string;
}

/** An engine and why it was taken, in words for the user. */
export interface EngineChoice {
  readonly name: EngineName;
  readonly reason: string;
}

const loaded = new Map<EngineName, Promise<Engine>>();

/**
 * Every engine, best first, with what the disk says of it; nothing is loaded.
 */
export function availableEngines(): readonly EngineAvailability[] {
  const native = probeNative();
  const wasm = probeWasm();
  return [
    { name: 'tensorflow', isPresent: native.path !== null, why: native.why },
    { name: 'wasm', isPresent: wasm.path !== null, why: wasm.why },
    { name: 'reference', isPresent: true, why: '' },
  ];
}

/**
 * The engine of a run: the one asked for, else by the work alone (cli.md, "Which engine").
 *
 * @param requested - What the user asked for; null = choose.
 * @param flop - The work of the run.
 * @throws TempogradError `engine/native-library-missing` when the one asked for is not there.
 */
export function chooseEngine(requested: EngineName | null, flop: number): EngineChoice {
  const engines = availableEngines();
  if (requested !== null) {
    const asked = engines.find(({ name }) => name === requested);
    if (!asked?.isPresent) {
      throw new TempogradError(
        'engine/native-library-missing',
        `Engine ${requested} is not there: ${asked?.why ?? ''}`,
        {
          details: { engine: requested },
        },
      );
    }
    return { name: requested, reason: 'asked for' };
  }
  const work = `${flop.toExponential(1)} FLOP of work`;
  if (flop < REFERENCE_LIMIT_FLOP) return { name: 'reference', reason: `${work}, below 1e7: nothing has to be loaded` };
  const best = engines.find(({ isPresent }) => isPresent) ?? engines[engines.length - 1];
  const missing = engines.slice(0, engines.indexOf(best)).map(({ name, why }) => `${name} is missing: ${why}`);
  return { name: best.name, reason: [`${work}, the best engine present`, ...missing].join('; ') };
}

/**
 * An engine, loaded once per process and shared.
 *
 * @param name - Which.
 * @throws TempogradError `engine/native-library-missing` when its library is missing or does not load.
 */
export function loadEngine(name: EngineName): Promise<Engine> {
  let engine = loaded.get(name);
  if (!engine) {
    engine = makeEngine(name);
    loaded.set(name, engine);
    // A failure is not kept: the library may have been installed when the next run asks.
    engine.catch(() => loaded.delete(name));
  }
  return engine;
}

/** An engine that is loaded, and what to say of it. */
export interface OpenedEngine {
  readonly engine: Engine;
  readonly info: EngineInfo;
}

/**
 * The engine of a run, loaded. Where nobody asked for one and the best one present does not load, the next one is
 * taken and the reason says so.
 *
 * @param requested - What the user asked for; null = choose.
 * @param flop - The work of the run.
 * @throws TempogradError `engine/native-library-missing` when the one asked for is missing or does not load.
 */
export async function openEngine(requested: EngineName | null, flop: number): Promise<OpenedEngine> {
  const choice = chooseEngine(requested, flop);
  const names = availableEngines().filter(({ isPresent }) => isPresent);
  const rest = names.slice(names.findIndex(({ name }) => name === choice.name) + 1).map(({ name }) => name);
  const failures: string[] = [];
  for (const name of [choice.name, ...rest]) {
    try {
      const engine = await loadEngine(name);
      const reason = [choice.reason, ...failures].join('; ');
      return { engine, info: { name, version: engine.version, reason } };
    } catch (error) {
      const isMissing = error instanceof TempogradError && error.code === 'engine/native-library-missing';
      if (requested !== null || !isMissing) throw error;
      failures.push(`${name} does not load: ${toErrorRecord(error).message}`);
    }
  }
  throw new Error('the reference engine did not load');
}

async function makeEngine(name: EngineName): Promise<Engine> {
  switch (name) {
    case 'tensorflow':
      return new TensorEngine(createTensorflowOps(loadNative()));
    case 'wasm':
      return new TensorEngine(createWasmOps(await loadWasm()));
    case 'reference':
      return new ReferenceEngine();
  }
}
