/**
 * The QR of the tangents of a batch, G = Q R.
 *
 * The native engine takes a Cholesky factor of the Gram matrix in float64, twice where the tangents lean together;
 * Gram-Schmidt on the host is the way of the other engines, and of tangents that depend on one another.
 * Source: CholeskyQR2, Yamamoto et al. 2015; method.md 2.9.
 */
import { orthonormalizeRows } from '../../core/linalg/orthonormal-rows';
import { transpose } from '../../core/linalg/products';
import type { DoubleOps, KernelAttribute, NativeOps, Ops, Value } from '../ops';
import type { Arithmetic } from './arithmetic';
import { readDoubles } from './read-doubles';

/** The triangle's spread, nats, above which one Cholesky factor in float64 leaves 1e-10 of the angles. */
const ONE_PASS_SPREAD = 6;

/** Doubles come to the host with 48 digits; a tangent that keeps less than this of itself is rounding. */
const DEPENDENT_BELOW = 1e-13;
/** The same for float32 tangents. */
const DEPENDENT_BELOW_FLOAT32 = 3e-7;

const NO_ATTRIBUTES: readonly KernelAttribute[] = [];

/** Orthonormal tangents and what they had grown. */
export interface Orthonormal {
  /** Q `[b, S, p]`, values of the arithmetic; a tangent that died is zero. */
  readonly tangents: Value;
  /** ln R_ii `[b, p]`; -Infinity for a tangent that died. */
  readonly logs: Float64Array;
  /** R `[p, p]` of each sequence where the host made them; empty unless asked for. */
  readonly triangles: readonly Float64Array[];
  /**
   * R^T `[b, p, p]` in float64 where the native library made it, with ones on the diagonal for tangents that died;
   * null elsewhere, and unless asked for. The receiver frees it.
   */
  readonly lower: Value | null;
  /** `[b, p]`, 1 where the tangent died. */
  readonly isDead: Uint8Array;
}

/** Makes tangents orthonormal; remembers which ones died, since those stay zero. */
export class TangentQr {
  private isDead: Uint8Array;
  private readonly native: NativeQr | null;

  /**
   * @param engineOps - The engine's operations.
   * @param arithmetic - Whose values the tangents are.
   * @param shape - b, S, p.
   * @param hasTriangles - Whether R is wanted whole.
   */
  constructor(
    engineOps: Ops,
    private readonly arithmetic: Arithmetic,
    private readonly shape: readonly [number, number, number],
    private readonly hasTriangles: boolean,
  ) {
    this.isDead = new Uint8Array(shape[0] * shape[2]);
    const isDouble = arithmetic.ops !== engineOps;
    this.native = engineOps.native ? new NativeQr(engineOps.native, engineOps, isDouble) : null;
  }

  /**
   * Q and R of G.
   *
   * @param tangents - G `[b, S, p]`; not freed.
   */
  factorize(tangents: Value): Orthonormal {
    return this.native?.factorize(tangents, this.isDead, this.hasTriangles) ?? this.onHost(tangents);
  }

  /**
   * Goes on from a result.
   *
   * @param result - What `factorize` gave; another one it gave may be left lying.
   */
  accept(result: Orthonormal): void {
    this.isDead = result.isDead;
  }

  private onHost(tangents: Value): Orthonormal {
    const { arithmetic, shape, hasTriangles, native } = this;
    const [batch, size, count] = shape;
    const data = native ? native.readTangents(tangents) : arithmetic.read(tangents);
    const isExact = data instanceof Float64Array && native === null;
    const below = isExact ? undefined : native?.isDouble ? DEPENDENT_BELOW : DEPENDENT_BELOW_FLOAT32;
    const made = new Float64Array(data.length);
    const logs = new Float64Array(batch * count);
    const triangles: Float64Array[] = [];
    const isDead = this.isDead.slice();
    for (let b = 0; b < batch; b++) {
      const rows = transpose(Float64Array.from(data.subarray(b * size * count, (b + 1) * size * count)), size, count);
      const triangle = new Float64Array(count * count);
      orthonormalizeRows(rows, count, size, triangle, below);
      made.set(transpose(rows, count, size), b * size * count);
      for (let i = 0; i < count; i++) {
        const entry = triangle[i * count + i]!;
        logs[b * count + i] = Math.log(entry);
        if (entry === 0) isDead[b * count + i] = 1;
      }
      if (hasTriangles) triangles.push(triangle);
    }
    return { tangents: arithmetic.ops.upload(made, shape), logs, triangles, lower: null, isDead };
  }
}

/** The QR by Cholesky factors on the native library. */
class NativeQr {
  private readonly doubles: DoubleOps;
  private readonly triangularSolve: readonly KernelAttribute[] = [{ name: 'lower', kind: 'bool', value: true }];

  constructor(
    native: NativeOps,
    private readonly ops: Ops,
    /** Tangents are float64 already. */
    readonly isDouble: boolean,
  ) {
    this.doubles = native.doubles();
  }

  /** null where the tangents depend on one another so much that a factor does not exist. */
  factorize(tangents: Value, isDead: Uint8Array, hasTriangles: boolean): Orthonormal | null {
    const { doubles, ops, isDouble } = this;
    const [batch, , count] = tangents.shape as [number, number, number];
    return doubles.ops.tidy(() =>
      ops.tidy(() => {
        const wide = isDouble ? tangents : doubles.ops.toReal(tangents);
        let { tangents: made, lower, logs } = this.pass(wide, isDead);
        if (logs.some(Number.isNaN) && this.isFinite(wide)) return null;
        if (spreadOf(logs, batch, count) > ONE_PASS_SPREAD) {
          const second = this.pass(made, isDead);
          if (second.logs.some(Number.isNaN)) return null;
          made = second.tangents;
          logs = logs.map((log, i) => log + (log === -Infinity ? 0 : second.logs[i]!));
          if (hasTriangles) lower = doubles.ops.matMul(lower, second.lower);
        }
        const result = isDouble ? made : doubles.narrow(made);
        return { tangents: result, logs, triangles: [], lower: hasTriangles ? lower : null, isDead };
      }),
    );
  }

  /** The tangents as they came, in as many digits as cross the border. */
  readTangents(tangents: Value): Float32Array | Float64Array {
    return this.isDouble ? readDoubles(this.ops, tangents) : this.ops.read(tangents);
  }

  /**
   * G L^{-T} with L L^T = G^T G, and ln L_ii; dead tangents stand in as unit vectors of their own and stay zero. The
   * kernel fills a factor that does not exist with NaN.
   */
  private pass(tangents: Value, isDead: Uint8Array): { tangents: Value; lower: Value; logs: Float64Array } {
    const { ops } = this.doubles;
    const [batch, , count] = tangents.shape as [number, number, number];
    const kernel = ops.native!.kernel.bind(ops.native);
    let gram = ops.matMul(tangents, tangents, true, false);
    if (isDead.includes(1)) {
      const flags = ops.upload(Float32Array.from(isDead), [batch, count]);
      gram = ops.add(gram, kernel('MatrixDiag', NO_ATTRIBUTES, [flags], 1)[0]!);
    }
    const lower = kernel('Cholesky', NO_ATTRIBUTES, [gram], 1)[0]!;
    const identity = ops.broadcastTo(kernel('MatrixDiag', NO_ATTRIBUTES, [ops.fill([count], 1)], 1)[0]!, [
      batch,
      count,
      count,
    ]);
    const inverse = kernel('MatrixTriangularSolve', this.triangularSolve, [lower, identity], 1)[0]!;
    return { tangents: ops.matMul(tangents, inverse, false, true), lower, logs: this.logsOf(lower, isDead) };
  }

  private logsOf(lower: Value, isDead: Uint8Array): Float64Array {
    const { ops } = this.doubles;
    const [diagonal] = ops.native!.kernel('MatrixDiagPart', NO_ATTRIBUTES, [lower], 1);
    return readDoubles(this.ops, ops.log(diagonal!)).map((log, i) => (isDead[i] ? -Infinity : log));
  }

  private isFinite(value: Value): boolean {
    const { ops } = this.doubles;
    const [sum] = readDoubles(this.ops, ops.sum(ops.abs(value), [0, 1, 2]));
    return Number.isFinite(sum);
  }
}

/**
 * The largest difference of ln R_ii within a sequence, tangents that died left out.
 *
 * @param logs - `[b, p]`
 * @param batch - b
 * @param count - p
 */
export function spreadOf(logs: Float64Array, batch: number, count: number): number {
  let spread = 0;
  for (let b = 0; b < batch; b++) {
    let low = Infinity;
    let high = -Infinity;
    for (let i = b * count; i < (b + 1) * count; i++) {
      if (logs[i] === -Infinity) continue;
      low = Math.min(low, logs[i]!);
      high = Math.max(high, logs[i]!);
    }
    if (high > low) spread = Math.max(spread, high - low);
  }
  return spread;
}
