/**
 * The products of the triangles of a batch, R_n ... R_1 for each sequence, kept where the tangents are.
 *
 * Row i of a product is the stored one times 2^exponent: rows part by hundreds of decades. On the native library the
 * product stays in its memory in float64; elsewhere the plain loops of the core do it.
 */
import { TriangularProduct } from '../../core/linalg/triangular-product';
import { transpose } from '../../core/linalg/products';
import type { KernelAttribute, NativeOps, Ops, Value } from '../ops';
import type { Pace } from '../pace';
import { readDoubles } from './read-doubles';
import type { Orthonormal } from './orthonormal-tangents';

/** Stands for the exponent of a row that is exactly zero. */
const NO_EXPONENT = -(2 ** 23);

/** Rows are brought back near 1 when they leave 2^-30 .. 2^30. */
const LOOSE_EXPONENT = 30;

const NO_ATTRIBUTES: readonly KernelAttribute[] = [];

/** What a batch of products can do. */
export interface TriangleProducts {
  /** P <- R P for the sequences that were not masked throughout. */
  multiply(made: Orthonormal, isCounted: readonly boolean[]): void;
  /** `[S]` of each sequence; the products are used up. Lets messages in. */
  logSingularValues(pace: Pace): Promise<readonly Float64Array[]>;
  /** Frees engine memory. */
  dispose(): void;
}

/**
 * Identities to begin with.
 *
 * @param ops - The engine's operations.
 * @param batch - b
 * @param size - S
 */
export function openProducts(ops: Ops, batch: number, size: number): TriangleProducts {
  return ops.native ? new NativeProducts(ops, ops.native, batch, size) : new HostProducts(batch, size);
}

async function valuesOf(products: readonly TriangularProduct[], pace: Pace): Promise<readonly Float64Array[]> {
  const values: Float64Array[] = [];
  for (const product of products) {
    const steps = product.singularValueSteps();
    let step = steps.next();
    for (; !step.done; step = steps.next()) await pace.breathe();
    values.push(step.value);
  }
  return values;
}

class HostProducts implements TriangleProducts {
  private readonly products: readonly TriangularProduct[];

  constructor(batch: number, size: number) {
    this.products = Array.from({ length: batch }, () => new TriangularProduct(size));
  }

  multiply({ triangles }: Orthonormal, isCounted: readonly boolean[]): void {
    this.products.forEach((product, b) => {
      if (isCounted[b]) product.multiplyLeft(triangles[b]!);
    });
  }

  logSingularValues(pace: Pace): Promise<readonly Float64Array[]> {
    return valuesOf(this.products, pace);
  }

  dispose(): void {
    // Nothing is held outside JavaScript's memory.
  }
}

class NativeProducts implements TriangleProducts {
  private readonly doubles: Ops;
  /** `[b, S, S]` */
  private rows: Value;
  /** `[b * S]` */
  private exponents: Float64Array;

  constructor(
    private readonly ops: Ops,
    native: NativeOps,
    private readonly batch: number,
    private readonly size: number,
  ) {
    this.doubles = native.doubles().ops;
    const one = new Float32Array(batch * size * size);
    for (let b = 0; b < batch; b++) for (let i = 0; i < size; i++) one[(b * size + i) * size + i] = 1;
    this.rows = this.doubles.upload(one, [batch, size, size]);
    this.exponents = new Float64Array(batch * size);
  }

  multiply(made: Orthonormal): void {
    const { doubles, ops, batch, size } = this;
    const next = doubles.tidy(() =>
      ops.tidy(() => {
        const lower = made.lower ? this.withoutDead(made.lower, made.isDead) : this.uploadTriangles(made);
        // R_ik 2^(l_k - l'_i) with l'_i the largest l_k whose R_ik is not zero: nothing overflows, and what
        // underflows is nothing beside the rest of its row.
        const own = doubles.upload(this.exponents, [batch, size, 1]);
        const none = doubles.constant(NO_EXPONENT);
        const isThere = doubles.greater(doubles.abs(lower), doubles.constant(0));
        const joint = doubles.max(doubles.select(isThere, own, none), [1], true);
        const apart = doubles.minimum(doubles.sub(own, joint), doubles.constant(0));
        const weights = doubles.exp(doubles.mul(apart, doubles.constant(Math.LN2)));
        const product = doubles.matMul(doubles.mul(lower, weights), this.rows, true, false);
        const largest = doubles.log(doubles.max(doubles.abs(product), [2]));
        const logs = readDoubles(ops, largest);
        const exponents = readDoubles(ops, doubles.reshape(joint, [batch, size]));
        return { product: this.settle(product, logs, exponents), exponents };
      }),
    );
    doubles.dispose(this.rows);
    this.rows = next.product;
    this.exponents = next.exponents;
  }

  logSingularValues(pace: Pace): Promise<readonly Float64Array[]> {
    const { size } = this;
    const rows = readDoubles(this.ops, this.rows);
    const products = Array.from({ length: this.batch }, (_, b) => {
      const exponents = this.exponents.slice(b * size, (b + 1) * size);
      return new TriangularProduct(size, { rows: rows.slice(b * size * size, (b + 1) * size * size), exponents });
    });
    return valuesOf(products, pace);
  }

  dispose(): void {
    this.doubles.dispose(this.rows);
  }

  /** Dead tangents stand in the factor as ones on its diagonal. */
  private withoutDead(lower: Value, isDead: Uint8Array): Value {
    if (!isDead.includes(1)) return lower;
    const { doubles, batch, size } = this;
    const flags = doubles.upload(Float32Array.from(isDead), [batch, size]);
    return doubles.sub(lower, doubles.native!.kernel('MatrixDiag', NO_ATTRIBUTES, [flags], 1)[0]!);
  }

  private uploadTriangles({ triangles }: Orthonormal): Value {
    const { doubles, batch, size } = this;
    const joined = new Float64Array(batch * size * size);
    triangles.forEach((triangle, b) => joined.set(transpose(triangle, size, size), b * size * size));
    return doubles.upload(joined, [batch, size, size]);
  }

  /** Moves the size of rows that left the range into their exponents. */
  private settle(product: Value, logs: Float64Array, exponents: Float64Array): Value {
    const { doubles, batch, size } = this;
    const factors = new Float64Array(logs.length).fill(1);
    logs.forEach((log, row) => {
      if (log === -Infinity) exponents[row] = NO_EXPONENT;
      const shift = Math.round(log / Math.LN2);
      if (!Number.isFinite(shift) || Math.abs(shift) <= LOOSE_EXPONENT) return;
      factors[row] = 2 ** -shift;
      exponents[row] = exponents[row]! + shift;
    });
    if (factors.every((factor) => factor === 1)) return product;
    return doubles.mul(product, doubles.upload(factors, [batch, size, 1]));
  }
}
