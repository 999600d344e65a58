/** The three implementations of the operations, as the engine's tests use them. */
import { loadNative, loadWasm, probeNative } from '../../src/engine/backend';
import type { EngineName } from '../../src/engine/engine';
import { createFloat64Ops } from '../../src/engine/ops/float64-ops';
import { createTensorflowOps } from '../../src/engine/ops/tensorflow-ops';
import { createWasmOps } from '../../src/engine/ops/wasm-ops';
import type { Ops, Value } from '../../src/engine/ops';

/** Whether the native library is installed; tests of it are skipped where it is not, and `npm test` counts the skips. */
export const HAS_NATIVE = probeNative().path !== null;

/** The engines of this machine. */
export const ENGINE_NAMES: readonly EngineName[] = HAS_NATIVE
  ? ['tensorflow', 'wasm', 'reference']
  : ['wasm', 'reference'];

type Maker = readonly [name: string, make: () => Promise<Ops>];

const NATIVE: Maker = ['tensorflow', () => Promise.resolve(createTensorflowOps(loadNative()))];

/** Names and makers, the exact one last. */
export const ALL_OPS: readonly Maker[] = [
  ...(HAS_NATIVE ? [NATIVE] : []),
  ['wasm', async () => createWasmOps(await loadWasm())],
  ['float64', () => Promise.resolve(createFloat64Ops())],
];

/** The numbers of a value of any type. */
export function numbersOf(ops: Ops, value: Value): number[] {
  return ops.tidy(() => Array.from(ops.read(value.type === 'real' ? value : ops.toReal(value))));
}

/** Reproducible numbers between -1 and 1. */
export function noise(size: number, seed = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}
