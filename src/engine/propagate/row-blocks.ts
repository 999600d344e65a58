/**
 * A run of matrices with S columns each and one exponent each: the rows of targets and of sources in segments.
 *
 * The true matrix k is `values[k]` times 2^exponent, its Frobenius norm is kept near 1. Long products are nearly of low
 * rank, so that all matrices of a run may share a basis of r < S rows: then matrix k is `values[k] basis`.
 */
import type { Value } from '../ops';
import type { Arithmetic } from './arithmetic';
import { shiftOf } from './stretches';

/** A scaled matrix: the true one is `value` times 2^exponent. */
export interface ScaledMatrix {
  /** `[S, S]` */
  readonly value: Value;
  readonly exponent: number;
}

/** Some consecutive matrices. */
export interface RowBlocks {
  /** The step of the first one; its number among computed steps. */
  readonly first: number;
  readonly count: number;
  /** `[count, rows, r]` */
  readonly values: Value;
  /** `[r, S]`, orthonormal rows; null where r = S and it would be the identity. */
  readonly basis: Value | null;
  readonly exponents: Int32Array;
  /** Squares of the Frobenius norms of what is kept. */
  readonly squares: Float64Array;
}

/**
 * Matrices with their norms measured, brought near 1.
 *
 * @param arithmetic - Operations.
 * @param first - The step of the first one.
 * @param values - `[count, rows, r]`; owned by the result.
 * @param basis - `[r, S]` with orthonormal rows, owned by the result; or null.
 * @param exponents - Of the matrices as they come.
 */
export function makeRowBlocks(
  arithmetic: Arithmetic,
  first: number,
  values: Value,
  basis: Value | null,
  exponents: Int32Array,
): RowBlocks {
  const { ops } = arithmetic;
  const [count] = values.shape;
  const squares = squaresOf(arithmetic, values);
  const shifts = squares.map((square) => shiftOf(Math.sqrt(square)));
  if (shifts.every((shift) => shift === 0)) return { first, count, values, basis, exponents, squares };
  const scaled = ops.keep(
    ops.tidy(() => {
      const factors = shifts.map((shift) => 2 ** -shift);
      return ops.mul(values, ops.upload(factors, [count, 1, 1]));
    }),
  );
  ops.dispose(values);
  return {
    first,
    count,
    values: scaled,
    basis,
    exponents: exponents.map((exponent, k) => exponent + shifts[k]),
    squares: squares.map((square, k) => square * 2 ** (-2 * shifts[k])),
  };
}

/**
 * The transpose, for rows that are transposed themselves; the caller's.
 *
 * @param arithmetic - Operations.
 * @param matrix - A matrix.
 */
export function transposed({ ops }: Arithmetic, { value, exponent }: ScaledMatrix): ScaledMatrix {
  return { value: ops.keep(ops.transpose(value, [1, 0])), exponent };
}

/**
 * Every matrix times one from the right; frees the argument.
 *
 * @param arithmetic - Operations.
 * @param blocks - The matrices.
 * @param factor - What they are multiplied by.
 */
export function multiplyRows(arithmetic: Arithmetic, blocks: RowBlocks, factor: ScaledMatrix): RowBlocks {
  const { ops } = arithmetic;
  const { first, count, values, basis, exponents } = blocks;
  const moved = exponents.map((exponent) => exponent + factor.exponent);
  const [, rows, width] = values.shape;
  const product = ops.keep(
    ops.tidy(() => {
      if (basis) return ops.matMul(basis, factor.value);
      return ops.reshape(ops.matMul(ops.reshape(values, [count * rows, width]), factor.value), [count, rows, width]);
    }),
  );
  if (!basis) {
    ops.dispose(values);
    return makeRowBlocks(arithmetic, first, product, null, moved);
  }
  ops.dispose(basis);
  return orthonormal(arithmetic, { ...blocks, basis: product, exponents: moved });
}

/** Makes the basis orthonormal again: its triangular factor goes to the values. */
function orthonormal(arithmetic: Arithmetic, blocks: RowBlocks): RowBlocks {
  const { ops } = arithmetic;
  const { first, count, values, exponents } = blocks;
  const [, rows, width] = values.shape;
  const made = ops.tidy(() => {
    const { q, r } = thinQr(arithmetic, ops.transpose(blocks.basis!, [1, 0]));
    const next = ops.matMul(ops.reshape(values, [count * rows, width]), r, false, true);
    return { values: ops.reshape(next, [count, rows, width]), basis: ops.transpose(q, [1, 0]) };
  });
  ops.dispose(values, blocks.basis!);
  return makeRowBlocks(arithmetic, first, ops.keep(made.values), ops.keep(made.basis), exponents);
}

const THIN: readonly { name: string; kind: 'bool'; value: boolean }[] = [
  { name: 'full_matrices', kind: 'bool', value: false },
];

/** Q `[m, n]` and R `[n, n]` of a matrix with m >= n; native only. */
export function thinQr({ ops }: Arithmetic, matrix: Value): { readonly q: Value; readonly r: Value } {
  if (!ops.native) throw new Error('a QR needs the native engine');
  const [q, r] = ops.native.kernel('Qr', THIN, [matrix], 2);
  return { q, r };
}

/**
 * Neighbouring runs without a basis as one; frees the arguments.
 *
 * @param arithmetic - Operations.
 * @param parts - At least one, in order.
 */
export function joinRows(arithmetic: Arithmetic, parts: readonly RowBlocks[]): RowBlocks {
  if (parts.length === 1) return parts[0];
  const { ops } = arithmetic;
  const values = ops.keep(
    ops.concat(
      parts.map((part) => part.values),
      0,
    ),
  );
  disposeRows(arithmetic, parts);
  return {
    first: parts[0].first,
    count: values.shape[0],
    values,
    basis: null,
    exponents: Int32Array.from(parts.flatMap((part) => [...part.exponents])),
    squares: Float64Array.from(parts.flatMap((part) => [...part.squares])),
  };
}

/**
 * The product of two totals, its norm near 1; frees both.
 *
 * @param arithmetic - Operations.
 * @param later - The left factor.
 * @param earlier - The right factor.
 */
export function multiplyTotals(arithmetic: Arithmetic, later: ScaledMatrix, earlier: ScaledMatrix): ScaledMatrix {
  const { ops } = arithmetic;
  const [size] = later.value.shape;
  const product = ops.keep(ops.tidy(() => ops.reshape(ops.matMul(later.value, earlier.value), [1, size, size])));
  ops.dispose(later.value, earlier.value);
  const scaled = makeRowBlocks(arithmetic, 0, product, null, Int32Array.of(later.exponent + earlier.exponent));
  const value = ops.keep(ops.tidy(() => ops.reshape(scaled.values, [size, size])));
  disposeRows(arithmetic, [scaled]);
  return { value, exponent: scaled.exponents[0] };
}

/**
 * Matrices in the coordinates of a basis, `[n, rows, r]`; new values with their own norms, the argument stays as it is.
 *
 * @param arithmetic - Operations.
 * @param blocks - Matrices without a basis.
 * @param basis - `[r, S]` with orthonormal rows.
 */
export function inCoordinates(arithmetic: Arithmetic, blocks: RowBlocks, basis: Value): RowBlocks {
  const { ops } = arithmetic;
  const { first, count, values, exponents } = blocks;
  const [, rows, width] = values.shape;
  const turned = ops.keep(
    ops.tidy(() => {
      const product = ops.matMul(ops.reshape(values, [count * rows, width]), basis, false, true);
      return ops.reshape(product, [count, rows, basis.shape[0]]);
    }),
  );
  return makeRowBlocks(arithmetic, first, turned, null, exponents.slice());
}

/** Frees the matrices. */
export function disposeRows({ ops }: Arithmetic, blocks: readonly RowBlocks[]): void {
  for (const { values, basis } of blocks) {
    ops.dispose(values);
    if (basis) ops.dispose(basis);
  }
}

/** The sum of squares of each matrix, `[count]`. */
export function squaresOf(arithmetic: Arithmetic, values: Value): Float64Array {
  const { ops } = arithmetic;
  const [count, rows, width] = values.shape;
  return ops.tidy(() => {
    const norms = ops.norm(ops.reshape(values, [count, rows * width]), [1]);
    return Float64Array.from(arithmetic.read(norms), (norm) => norm * norm);
  });
}
