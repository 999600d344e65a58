/**
 * Norms of all products of some targets with some sources, without forming them.
 *
 * ||P V||_F^2 is the inner product of P^T P and V V^T: with one Gram matrix for each target and each source a whole rectangle of pairs is one
 * product of inner dimension r^2, of which symmetry leaves the upper blocks. Where the two Gram matrices are nearly
 * orthogonal digits cancel; such pairs are found by their certificate and done again one by one (method.md 2.6, 2.10).
 */
import type { Ops, Value } from '../ops';
import type { Arithmetic } from './arithmetic';
import { squaresOf, type RowBlocks } from './row-blocks';

/** Pairs whose squared norm is below this share of the product of both squared norms are done again. */
const CERTIFIED_SHARE = 1e-4;

/** Bytes of the Gram blocks of one side that are held at once. */
const GRAM_BYTES = 64 * 2 ** 20;

/** Sides of a Gram matrix are cut into blocks of about so many. */
const BLOCK_SIZE = 256;

/**
 * Log norms of all pairs, `[targets, sources]`.
 *
 * Numerics: products in the engine's precision; the squared norm of a pair that is not done again has a relative error of
 * a few 1e-8 / 1e-4 at most. Source: method.md 2.6 (certificate), 2.10.
 *
 * @param arithmetic - Operations.
 * @param targets - P_t, `[n, rows, S]`.
 * @param sources - V_s^T, `[m, rows, S]`.
 */
export function quadrantNorms(arithmetic: Arithmetic, targets: RowBlocks, sources: RowBlocks): Float64Array {
  const { ops } = arithmetic;
  const left = targets.values;
  const right = inCoordinatesOf(ops, targets.basis, sources);
  const squares = gramProducts(arithmetic, left, right);
  const norms = new Float64Array(squares.length);
  for (let t = 0; t < targets.count; t++) {
    const doubtful: number[] = [];
    for (let s = 0; s < sources.count; s++) {
      const bound = targets.squares[t] * sources.squares[s];
      const at = t * sources.count + s;
      if (bound > 0 && !(squares[at] >= CERTIFIED_SHARE * bound)) doubtful.push(s);
      else if (bound === 0) squares[at] = 0;
    }
    redo(arithmetic, left, right, t, doubtful, squares.subarray(t * sources.count, (t + 1) * sources.count));
    for (let s = 0; s < sources.count; s++) {
      const at = t * sources.count + s;
      const exponent = targets.exponents[t] + sources.exponents[s];
      norms[at] = 0.5 * Math.log(squares[at]) + (squares[at] === 0 ? 0 : exponent * Math.LN2);
    }
  }
  if (right !== sources.values) ops.dispose(right);
  return norms;
}

/** The sources in the coordinates of a basis, `[m, rows, r]`; the values themselves where nothing has to be done. */
function inCoordinatesOf(ops: Ops, basis: Value | null, { values, basis: own, count }: RowBlocks): Value {
  if (!basis && !own) return values;
  const [, rows, width] = values.shape;
  return ops.keep(
    ops.tidy(() => {
      const flat = ops.reshape(values, [count * rows, width]);
      const turn = own && basis ? ops.matMul(own, basis, false, true) : null;
      const product = turn ? ops.matMul(flat, turn) : ops.matMul(flat, basis ?? own!, false, basis !== null);
      return ops.reshape(product, [count, rows, product.shape[1]]);
    }),
  );
}

/** Inner products of P_t^T P_t and V_s V_s^T of all pairs, `[n, m]`. */
function gramProducts(arithmetic: Arithmetic, left: Value, right: Value): Float64Array {
  const { ops, readableOps } = arithmetic;
  const width = left.shape[2];
  const cuts = Math.max(1, Math.ceil(width / BLOCK_SIZE));
  const size = Math.ceil(width / cuts);
  const most = Math.max(1, Math.floor(GRAM_BYTES / (4 * size * size)));
  const [n] = left.shape;
  const [m] = right.shape;
  const result = new Float64Array(n * m);
  for (let t = 0; t < n; t += most) {
    const targets = Math.min(most, n - t);
    for (let s = 0; s < m; s += most) {
      const sources = Math.min(most, m - s);
      const part = ops.tidy(() => {
        const rows = cutColumns(ops, part3(ops, left, t, targets), cuts, size);
        const columns = cutColumns(ops, part3(ops, right, s, sources), cuts, size);
        let sum: Value | null = null;
        for (let i = 0; i < cuts; i++) {
          for (let j = i; j < cuts; j++) {
            const block = ops.tidy(() => {
              const x = gram(ops, rows[i], rows[j]);
              const product = ops.matMul(x, gram(ops, columns[i], columns[j]), false, true);
              return i === j ? product : ops.mul(product, ops.constant(2));
            });
            sum = sum ? ops.add(sum, block) : block;
          }
        }
        return readableOps.tidy(() => readableOps.read(arithmetic.readable(sum!)));
      });
      for (let i = 0; i < targets; i++) {
        result.set(part.subarray(i * sources, (i + 1) * sources), (t + i) * m + s);
      }
    }
  }
  return result;
}

function part3(ops: Ops, value: Value, first: number, count: number): Value {
  if (count === value.shape[0]) return value;
  return ops.slice(value, [first, 0, 0], [count, value.shape[1], value.shape[2]]);
}

/** Column blocks, the last one shorter. */
function cutColumns(ops: Ops, value: Value, cuts: number, size: number): Value[] {
  if (cuts === 1) return [value];
  const [count, rows, width] = value.shape;
  return Array.from({ length: cuts }, (_, i) => {
    return ops.slice(value, [0, 0, i * size], [count, rows, Math.min(size, width - i * size)]);
  });
}

/** a^T b of each, as rows `[n, r r]`. */
function gram(ops: Ops, a: Value, b: Value): Value {
  const product = ops.matMul(a, b, true, false);
  return ops.reshape(product, [product.shape[0], product.shape[1] * product.shape[2]]);
}

/** Squared norms of one target with some sources from the products themselves. */
function redo(
  arithmetic: Arithmetic,
  left: Value,
  right: Value,
  target: number,
  sources: readonly number[],
  out: Float64Array,
): void {
  if (sources.length === 0) return;
  const { ops } = arithmetic;
  const [, rows, width] = left.shape;
  const [, sourceRows] = right.shape;
  const products = ops.keep(
    ops.tidy(() => {
      const own = ops.reshape(ops.slice(left, [target, 0, 0], [1, rows, width]), [rows, width]);
      const picked = ops.gather(right, ops.uploadInts(sources, [sources.length]), 0);
      const flat = ops.reshape(picked, [sources.length * sourceRows, width]);
      return ops.reshape(ops.matMul(flat, own, false, true), [sources.length, sourceRows, rows]);
    }),
  );
  const squares = squaresOf(arithmetic, products);
  ops.dispose(products);
  sources.forEach((s, at) => {
    out[s] = squares[at];
  });
}
