/** Vectors of steps: stacked, cut, and copied. */
import type { Ops, Value } from '../ops';
import type { StepVectors } from './tensor-cell';

/**
 * Coefficients `[N, R, P, H]` from their vectors.
 *
 * @param ops - Operations.
 * @param rows - R lists of P vectors `[N, H]`; null for zeros.
 */
export function stackCoefficients(ops: Ops, rows: readonly (readonly (Value | null)[])[]): Value {
  return ops.tidy(() => {
    const first = rows.flat().find((vector) => vector !== null)!;
    const [count, units] = first.shape as [number, number];
    const zeros = ops.fill([count, units], 0);
    const flat = ops.concat(
      rows.flat().map((vector) => vector ?? zeros),
      1,
    );
    return ops.reshape(flat, [count, rows.length, rows[0]!.length, units]);
  });
}

/**
 * The vectors of some of the steps.
 *
 * @param ops - Operations.
 * @param vectors - Of N steps.
 * @param start - First.
 * @param count - How many.
 */
export function sliceVectors(ops: Ops, vectors: StepVectors, start: number, count: number): StepVectors {
  return Object.fromEntries(
    Object.entries(vectors).map(([name, value]) => {
      const begin = value.shape.map((_, axis) => (axis === 0 ? start : 0));
      return [name, ops.slice(value, begin, [count, ...value.shape.slice(1)])];
    }),
  );
}

/**
 * New values of the same numbers.
 *
 * @param ops - Operations.
 * @param vectors - The vectors.
 */
export function copyVectors(ops: Ops, vectors: StepVectors): StepVectors {
  return Object.fromEntries(Object.entries(vectors).map(([name, value]) => [name, ops.reshape(value, value.shape)]));
}
