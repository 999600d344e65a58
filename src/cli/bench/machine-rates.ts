/** What this machine can do, measured in the same process as the case: products, and filling fresh memory. */
import type { Ops } from '../../engine/ops';

/** FLOP of the measurement of one shape, about. */
const MEASURED_FLOP = 5e10;

/** Side of the large square product. */
const SQUARE = 2048;

/** Bytes that are filled for the memory rate. */
const FILLED_BYTES = 2 ** 27;

/** FLOP/s of the engine's own product. */
export interface Sgemm {
  /** On the shape that the case's own products have. */
  readonly main: number;
  /** On 2048^3. */
  readonly square: number;
}

/**
 * FLOP/s of the engine's own product.
 *
 * @param ops - The engine's operations.
 * @param shape - `[m, k, n]` of the case's products `(k x m)^T (k x n)`.
 */
export function measureSgemm(ops: Ops, [m, k, n]: readonly [number, number, number]): Sgemm {
  return { main: measureProduct(ops, m, k, n), square: measureProduct(ops, SQUARE, SQUARE, SQUARE) };
}

function measureProduct(ops: Ops, m: number, k: number, n: number): number {
  return ops.tidy(() => {
    const a = ops.fill([k, m], 0.5);
    const b = ops.fill([k, n], 0.5);
    const flop = 2 * m * k * n;
    const repeats = Math.max(3, Math.min(60, Math.round(MEASURED_FLOP / flop)));
    let best = Infinity;
    for (let repeat = 0; repeat <= repeats; repeat++) {
      const start = performance.now();
      ops.dispose(ops.matMul(a, b, true, false));
      if (repeat > 0) best = Math.min(best, performance.now() - start);
    }
    return flop / (best / 1000);
  });
}

/** Bytes/s at which memory that was never touched fills, the median of five. */
export function measureFill(): number {
  const rates = Array.from({ length: 5 }, () => {
    const start = performance.now();
    new Float32Array(FILLED_BYTES / 4).fill(1);
    return FILLED_BYTES / ((performance.now() - start) / 1000);
  });
  return rates.sort((a, b) => a - b)[2];
}
