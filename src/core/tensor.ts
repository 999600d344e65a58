/**
 * Dense arrays: a shape and a typed array in row-major (C) order.
 *
 * Plain data without methods, so that it crosses process borders unchanged.
 */
import { TempogradError, type ErrorCode } from './errors';

/** Typed arrays that a tensor may hold. */
export type TensorData = Float32Array | Float64Array | Int32Array | Uint8Array;

/** A dense array in row-major order; `data.length` equals the product of `shape`. */
export interface Tensor<D extends TensorData = TensorData> {
  readonly shape: readonly number[];
  readonly data: D;
}

/** A tensor of real numbers. */
export type RealTensor = Tensor<Float32Array | Float64Array>;

/**
 * The number of elements of a shape; 1 for a scalar.
 *
 * @param shape - Sizes of the axes.
 */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A tensor over given data, checked.
 *
 * @param shape - Sizes of the axes.
 * @param data - Row-major values, used as they are (not copied).
 * @throws Error when the length does not fit the shape: a bug of the caller, not of a file.
 */
export function makeTensor<D extends TensorData>(shape: readonly number[], data: D): Tensor<D> {
  if (sizeOf(shape) !== data.length) {
    throw new Error(`tensor of shape [${shape.join(',')}] given ${data.length} values`);
  }
  return { shape, data };
}

/**
 * Nothing when `actual` equals `expected`; a `null` in `expected` accepts any size.
 *
 * @param what - What is checked, as the user knows it.
 * @param actual - Shape found.
 * @param expected - Shape wanted.
 * @param code - The code thrown.
 * @throws TempogradError with `code` when the shapes differ.
 */
export function checkShape(
  what: string,
  actual: readonly number[],
  expected: readonly (number | null)[],
  code: ErrorCode,
): void {
  const fits =
    actual.length === expected.length && expected.every((size, axis) => size === null || size === actual[axis]);
  if (fits) return;
  const wanted = expected.map((size) => size ?? '*').join(', ');
  throw new TempogradError(code, `${what} has shape [${actual.join(', ')}], expected [${wanted}]`, {
    details: { actual: [...actual], expected: [...expected] },
  });
}
