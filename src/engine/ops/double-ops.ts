/**
 * Float64 operations beside any engine's own.
 *
 * Coefficients of step Jacobians are computed in float64 from float32 states: an error of 1e-7 in them is the same at
 * every step of a network that has settled, and after a thousand steps it is 1e-4. They are few; the large products
 * stay in the engine's own precision.
 */
import type { DoubleOps, Ops } from '../ops';
import { createFloat64Ops } from './float64-ops';

/**
 * Float64 operations: the library's own where it has them, else plain loops on the host.
 *
 * @param ops - The engine's operations.
 */
export function openDoubleOps(ops: Ops): DoubleOps {
  if (ops.native) return ops.native.doubles();
  if (ops.engine === 'reference') return { ops, narrow: (value) => ops.reshape(value, value.shape) };
  const doubles = createFloat64Ops();
  return { ops: doubles, narrow: (value) => ops.upload(doubles.read(value), value.shape) };
}
