/**
 * Eigenvalues of a real square matrix by its Hessenberg form and double-shift QR steps.
 *
 * Own code because ml-matrix's never ends on some matrices, antisymmetric ones among them, and computes vectors that
 * nothing here needs. An eigenvalue that resists takes an exceptional shift; one that resists for good is a failure.
 */

/** QR steps for one eigenvalue before it counts as not converging. */
const MAX_STEPS = 120;

/** Every so many steps on one eigenvalue a shift from outside breaks a cycle. */
const EXCEPTIONAL_EVERY = 10;

/** Balancing goes on while a row and its column together shrink below this share. */
const BALANCED = 0.95;

/**
 * The eigenvalues, conjugate pairs next to one another; null when the steps do not converge.
 *
 * Numerics: float64, balanced by powers of two; backward stable. Source: Golub and Van Loan, Matrix Computations, 7.4
 * and 7.5 (Francis's step).
 *
 * @param matrix - `[size, size]` row-major, finite; used up.
 * @param size - Rows.
 */
export function hessenbergEigenvalues(
  matrix: Float64Array,
  size: number,
): { readonly real: Float64Array; readonly imaginary: Float64Array } | null {
  balance(matrix, size);
  toHessenberg(matrix, size);
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  let norm = 0;
  for (const entry of matrix) norm += Math.abs(entry);
  let high = size - 1;
  let shifted = 0;
  let steps = 0;
  while (high >= 0) {
    const low = lastSplit(matrix, size, high, norm);
    const h = (row: number, column: number): number => matrix[row * size + column];
    if (low === high) {
      real[high] = h(high, high) + shifted;
      high -= 1;
      steps = 0;
    } else if (low === high - 1) {
      const pair = pairOf(h(low, low), h(low, high), h(high, low), h(high, high));
      real.set([pair.real[0] + shifted, pair.real[1] + shifted], low);
      imaginary.set(pair.imaginary, low);
      high -= 2;
      steps = 0;
    } else {
      if (steps === MAX_STEPS) return null;
      let [trace, determinant] = [
        h(high - 1, high - 1) + h(high, high),
        h(high - 1, high - 1) * h(high, high) - h(high - 1, high) * h(high, high - 1),
      ];
      if (steps > 0 && steps % EXCEPTIONAL_EVERY === 0) {
        const corner = h(high, high);
        shifted += corner;
        for (let at = 0; at <= high; at++) matrix[at * size + at] -= corner;
        const outside = Math.abs(h(high, high - 1)) + Math.abs(h(high - 1, high - 2));
        [trace, determinant] = [1.5 * outside, outside * outside];
      }
      steps++;
      francisStep(matrix, size, low, high, trace, determinant);
    }
  }
  return { real, imaginary };
}

/** Scales rows and columns by powers of two until they are about as large as one another. */
function balance(a: Float64Array, size: number): void {
  for (let isDone = false; !isDone;) {
    isDone = true;
    for (let i = 0; i < size; i++) {
      let row = 0;
      let column = 0;
      for (let j = 0; j < size; j++) {
        if (j === i) continue;
        row += Math.abs(a[i * size + j]);
        column += Math.abs(a[j * size + i]);
      }
      if (row === 0 || column === 0) continue;
      const exponent = Math.round(0.5 * Math.log2(row / column));
      const factor = 2 ** exponent;
      if (exponent === 0 || !(column * factor + row / factor < BALANCED * (column + row))) continue;
      isDone = false;
      for (let j = 0; j < size; j++) {
        a[i * size + j] /= factor;
        a[j * size + i] *= factor;
      }
    }
  }
}

/** Householder reflections from both sides until all below the first subdiagonal is zero. */
function toHessenberg(a: Float64Array, size: number): void {
  const v = new Float64Array(size);
  const sums = new Float64Array(size);
  for (let k = 0; k < size - 2; k++) {
    let scale = 0;
    for (let i = k + 1; i < size; i++) scale = Math.max(scale, Math.abs(a[i * size + k]));
    if (scale === 0) continue;
    let square = 0;
    for (let i = k + 1; i < size; i++) {
      v[i] = a[i * size + k] / scale;
      square += v[i] * v[i];
    }
    const length = Math.sqrt(square);
    const sign = v[k + 1] < 0 ? -1 : 1;
    v[k + 1] += sign * length;
    const beta = 1 / (length * Math.abs(v[k + 1]));
    sums.fill(0);
    for (let i = k + 1; i < size; i++) for (let j = k; j < size; j++) sums[j] += v[i] * a[i * size + j];
    for (let i = k + 1; i < size; i++) for (let j = k; j < size; j++) a[i * size + j] -= beta * v[i] * sums[j];
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = k + 1; j < size; j++) sum += a[i * size + j] * v[j];
      for (let j = k + 1; j < size; j++) a[i * size + j] -= beta * sum * v[j];
    }
    for (let i = k + 2; i < size; i++) a[i * size + k] = 0;
  }
}

/** First row of the lowest block up to row `high` that a negligible subdiagonal entry cuts off; the entry becomes 0. */
function lastSplit(a: Float64Array, size: number, high: number, norm: number): number {
  for (let row = high; row > 0; row--) {
    const beside = Math.abs(a[(row - 1) * size + row - 1]) + Math.abs(a[row * size + row]);
    const limit = Number.EPSILON * (beside === 0 ? norm : beside);
    if (Math.abs(a[row * size + row - 1]) > limit) continue;
    a[row * size + row - 1] = 0;
    return row;
  }
  return 0;
}

/** The eigenvalues of [[a, b], [c, d]]. */
function pairOf(a: number, b: number, c: number, d: number) {
  const half = 0.5 * (a - d);
  const discriminant = half * half + b * c;
  const middle = 0.5 * (a + d);
  const root = Math.sqrt(Math.abs(discriminant));
  if (discriminant < 0) return { real: [middle, middle], imaginary: [root, -root] } as const;
  // The root that does not cancel, and the other from the product of both.
  const shift = half + (half < 0 ? -root : root);
  const first = d + shift;
  const second = shift === 0 ? first : d - (b * c) / shift;
  return { real: [first, second], imaginary: [0, 0] } as const;
}

/** One implicit double-shift step on rows low .. high. */
function francisStep(
  a: Float64Array,
  size: number,
  low: number,
  high: number,
  trace: number,
  determinant: number,
): void {
  const h = (row: number, column: number): number => a[row * size + column];
  let x = h(low, low) * h(low, low) + h(low, low + 1) * h(low + 1, low) - trace * h(low, low) + determinant;
  let y = h(low + 1, low) * (h(low, low) + h(low + 1, low + 1) - trace);
  let z = low + 2 <= high ? h(low + 1, low) * h(low + 2, low + 1) : 0;
  for (let k = low; k < high; k++) {
    const isThree = k + 2 <= high;
    const scale = Math.abs(x) + Math.abs(y) + Math.abs(z);
    if (scale > 0) {
      const [u0, u1, u2] = [x / scale, y / scale, z / scale];
      const length = Math.sqrt(u0 * u0 + u1 * u1 + u2 * u2);
      const v0 = u0 + (u0 < 0 ? -length : length);
      const beta = 1 / (length * Math.abs(v0));
      reflect(a, size, k, Math.max(low, k - 1), high, low, [v0, u1, isThree ? u2 : 0], beta, isThree);
    }
    if (k > low) {
      a[(k + 1) * size + k - 1] = 0;
      if (isThree) a[(k + 2) * size + k - 1] = 0;
    }
    if (k + 1 >= high) break;
    x = h(k + 1, k);
    y = h(k + 2, k);
    z = k + 3 <= high ? h(k + 3, k) : 0;
  }
}

/** A reflection of rows k, k+1, k+2 from the left (columns from `left` on) and of these columns from the right. */
function reflect(
  a: Float64Array,
  size: number,
  k: number,
  left: number,
  high: number,
  top: number,
  [v0, v1, v2]: readonly [number, number, number],
  beta: number,
  isThree: boolean,
): void {
  const [row0, row1, row2] = [k * size, (k + 1) * size, (k + 2) * size];
  for (let j = left; j <= high; j++) {
    const sum = beta * (v0 * a[row0 + j] + v1 * a[row1 + j] + (isThree ? v2 * a[row2 + j] : 0));
    a[row0 + j] -= sum * v0;
    a[row1 + j] -= sum * v1;
    if (isThree) a[row2 + j] -= sum * v2;
  }
  const last = Math.min(high, k + 3);
  for (let i = top; i <= last; i++) {
    const at = i * size + k;
    const sum = beta * (v0 * a[at] + v1 * a[at + 1] + (isThree ? v2 * a[at + 2] : 0));
    a[at] -= sum * v0;
    a[at + 1] -= sum * v1;
    if (isThree) a[at + 2] -= sum * v2;
  }
}
