/**
 * Step Jacobians whose rows are small combinations of kernel rows.
 *
 * Row u of a block r is sum_p q[r, p, u] M_p[u, :], with P fixed kernels M_p and coefficients q that differ from step
 * to step. For the operators of `final` that is a sparse matrix of coefficients times the kernels, one pass that ends
 * in cache, where the engine has such a product. Elsewhere, and for the short rows of the input Jacobians, it is a
 * product of inner dimension P for each unit and a transposition of the result.
 * Source: method.md 2.12 (the second form).
 */
import type { Ops, RowPattern, Value } from '../ops';
import type { KernelPieces } from './kernel-pieces';

/** Forms operators, input Jacobians and pushes of N steps; holds its kernels until disposed. */
export class FactoredStep {
  private joined: Value | null = null;
  private input: Value | null = null;
  private state: Value | null = null;
  private rows: Value | null = null;

  /**
   * @param ops - Operations.
   * @param pieces - Gives the fixed kernels; asked when they are needed, nothing of them stays on the host.
   * @param blocks - R
   * @param isLastZero - The last coefficient of the last block is always zero.
   */
  constructor(
    private readonly ops: Ops,
    private readonly pieces: KernelPieces,
    private readonly blocks: 1 | 2,
    private readonly isLastZero: boolean,
  ) {}

  /**
   * What `operators` takes: the entries of the sparse matrix block by block, `[N, R * H * P]` without those that are always
   * zero, or the coefficients themselves where there is no sparse product.
   *
   * @param coefficients - `[N, R, P, H]`
   */
  entries(coefficients: Value): Value {
    const { ops } = this;
    if (!ops.native) return ops.reshape(coefficients, coefficients.shape);
    const [count, blocks, terms, units] = coefficients.shape as [number, number, number, number];
    return ops.tidy(() => {
      const parts = ops.split(coefficients, blocks, 1).map((part, block) => {
        const kept = this.termsOf(block);
        const shown = kept === terms ? part : ops.slice(part, [0, 0, 0, 0], [count, 1, kept, units]);
        return ops.reshape(ops.transpose(shown, [0, 1, 3, 2]), [count, units * kept]);
      });
      return ops.concat(parts, 1);
    });
  }

  /**
   * `[N, R*H, H+D]`, block after block.
   *
   * @param entries - As `entries` gives them.
   */
  operators(entries: Value): Value {
    const { ops } = this;
    const { units, stateWidth, inputDim } = this.pieces;
    const size = units * this.blocks;
    const columns = stateWidth + inputDim;
    const count = entries.shape[0];
    const { native } = ops;
    if (native) {
      return ops.tidy(() => {
        const rows = native.combineRows(this.pattern(count), entries, this.joinedKernels());
        return ops.reshape(rows, [count, size, columns]);
      });
    }
    return ops.tidy(() => {
      const rows = [units, count * this.blocks, this.pieces.count];
      const byUnit = ops.reshape(ops.transpose(entries, [3, 0, 1, 2]), rows);
      const kernels = ops.reshape(this.joinedKernels(), [units, this.pieces.count, columns]);
      return ops.reshape(ops.transpose(ops.matMul(byUnit, kernels), [1, 0, 2]), [count, size, columns]);
    });
  }

  /**
   * The state columns alone, block by block: `[N, R*H, P]`, P units of h.
   *
   * @param coefficients - `[N, R, P, H]`
   */
  stateOperators(coefficients: Value): Value {
    const { ops } = this;
    const { units, stateWidth, count: terms } = this.pieces;
    const [count, blocks] = coefficients.shape as [number, number, number, number];
    return ops.tidy(() => {
      const { native } = ops;
      if (native) {
        const rows = native.combineRows(this.pattern(count), this.entries(coefficients), this.stateRows());
        return ops.reshape(rows, [count, blocks * units, stateWidth]);
      }
      const byUnit = ops.reshape(ops.transpose(coefficients, [3, 0, 1, 2]), [units, count * blocks, terms]);
      const formed = ops.matMul(byUnit, ops.reshape(this.stateRows(), [units, terms, stateWidth]));
      return ops.reshape(ops.transpose(formed, [1, 0, 2]), [count, blocks * units, stateWidth]);
    });
  }

  /**
   * `[N, H, D]` of each of the R blocks.
   *
   * @param coefficients - `[N, R, P, H]`
   */
  inputJacobians(coefficients: Value): Value[] {
    const { ops } = this;
    const [count, blocks, terms, units] = coefficients.shape as [number, number, number, number];
    return ops.tidy(() => {
      const byUnit = ops.reshape(ops.transpose(coefficients, [3, 1, 0, 2]), [units, blocks * count, terms]);
      const rows = ops.matMul(byUnit, this.inputKernels());
      const { inputDim } = this.pieces;
      const joined = ops.reshape(ops.transpose(rows, [1, 0, 2]), [blocks * count, units, inputDim]);
      return blocks === 1 ? [joined] : ops.split(joined, blocks, 0);
    });
  }

  /**
   * The part of ds_t/ds_{t-1} v that comes through h, `[B, R, H]`.
   *
   * @param coefficients - `[B, R, P, H]`
   * @param tangent - Of h, `[B, H]`.
   */
  push(coefficients: Value, tangent: Value): Value {
    const { ops } = this;
    const [count, , terms, units] = coefficients.shape as [number, number, number, number];
    return ops.tidy(() => {
      const through = ops.reshape(ops.matMul(tangent, this.stateKernels()), [count, 1, terms, units]);
      return ops.sum(ops.mul(coefficients, through), [2]);
    });
  }

  /**
   * Columns of h pushed through one step without forming it, `[R*H, p]`, block after block; null where forming
   * costs less, or without a sparse product.
   *
   * @param entries - As `entries` gives them, N = 1.
   * @param columns - `[P, p]`, P units of h.
   */
  pushColumns(entries: Value, columns: Value): Value | null {
    const { ops, blocks } = this;
    const { count: terms, units } = this.pieces;
    const { native } = ops;
    // 2 H^2 p FLOP for each term against 2 H^2 p for each block and about H^2 for forming.
    if (!native || (terms - blocks) * columns.shape[1] > units / 2) return null;
    return ops.tidy(() => native.combineRows(this.pattern(1), entries, ops.matMul(this.stateRows(), columns)));
  }

  /** Frees the kernels. */
  dispose(): void {
    for (const value of [this.joined, this.input, this.state, this.rows]) if (value) this.ops.dispose(value);
    this.joined = this.input = this.state = this.rows = null;
  }

  /** Terms of a block that are not always zero. */
  private termsOf(block: number): number {
    return this.pieces.count - Number(this.isLastZero && block === this.blocks - 1);
  }

  /** Row (n, r, u) has entries at the rows (u, p) of the kernels. */
  private pattern(count: number): RowPattern {
    const { blocks, isLastZero } = this;
    const { units, count: terms } = this.pieces;
    return {
      name: `rows of ${units} units, ${blocks} blocks, ${terms} terms${isLastZero ? ', the last zero' : ''}`,
      rows: count * units * blocks,
      columns: units * terms,
      places: () => {
        const places = new Int32Array(2 * count * units * (blocks * terms - Number(isLastZero)));
        let at = 0;
        for (let row = 0; row < blocks * count * units; row++) {
          for (let term = 0; term < this.termsOf(Math.floor(row / units) % blocks); term++) {
            places[at++] = row;
            places[at++] = (row % units) * terms + term;
          }
        }
        return places;
      },
    };
  }

  /** `[H*P, H]`, of h alone. */
  private stateRows(): Value {
    const { units, stateWidth, count } = this.pieces;
    this.rows ??= this.ops.keep(this.ops.upload(this.pieces.gather('state'), [units * count, stateWidth]));
    return this.rows;
  }

  /** `[H*P, H+D]` */
  private joinedKernels(): Value {
    const { units, stateWidth, inputDim, count } = this.pieces;
    this.joined ??= this.ops.keep(this.ops.upload(this.pieces.gather('both'), [units * count, stateWidth + inputDim]));
    return this.joined;
  }

  /** `[H, P, D]` */
  private inputKernels(): Value {
    const { units, inputDim, count } = this.pieces;
    this.input ??= this.ops.keep(this.ops.upload(this.pieces.gather('input'), [units, count, inputDim]));
    return this.input;
  }

  /** `[H, P*H]`: column (p, u) is row u of piece p. */
  private stateKernels(): Value {
    const { ops } = this;
    const { units, stateWidth, count } = this.pieces;
    this.state ??= ops.keep(
      ops.tidy(() => {
        const rows = ops.upload(this.pieces.gather('state'), [units, count, stateWidth]);
        return ops.reshape(ops.transpose(rows, [2, 1, 0]), [stateWidth, count * units]);
      }),
    );
    return this.state;
  }
}
