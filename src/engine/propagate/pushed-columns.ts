/**
 * Columns G = ds_t/d(source) of several lanes, pushed forward by G <- A_t G, with an exponent for each lane and source.
 *
 * A lane is one recursion of its own: a sequence from some step on. All lanes take a step together, each through its
 * own A_t. The true columns of a source are those kept times 2^exponent; norms are brought to the host at every step,
 * and columns that went too far are scaled by an exact power of two (method.md 2.5 and 2.7).
 */
import { sourceWidth, type StatePart } from '../../core/reference/pairs-source';
import type { BareCell, StepVectors } from '../cells/tensor-cell';
import type { RealArray } from '../engine';
import type { Ops, Value } from '../ops';
import type { Arithmetic } from './arithmetic';
import { columnFactors, multiplyColumns, sumOfSquares, type ScaledColumns } from './column-products';
import { ExactNorms } from './exact-norms';
import type { Sketch } from './sketch-directions';
import { stateColumns } from './state-columns';

/** They are brought back when they are so many powers of two away from there. */
const RESCALE_DISTANCE = 16;

/** Sums of squares below this may have lost small terms to underflow; they are added again in float64. */
const DOUBTFUL_SQUARES = 2 ** -100;

/** Log norms of each lane and source, `[lanes * sources]`. */
export interface PushedNorms {
  readonly h: Float64Array;
  /** null without a cell state. */
  readonly c: Float64Array | null;
}

/** The columns of some lanes. */
export class PushedColumns {
  /** One value for the whole state `[lanes, S, m]`, or those of h `[lanes, P, m]` and c `[lanes, H, m]` apart. */
  private blocks: readonly Value[] = [];
  /** Columns of each source, in order. */
  private readonly widths: number[] = [];
  /** Per source, `[lanes]`. */
  private readonly exponents: Int32Array[] = [];
  private readonly ops: Ops;
  private readonly cell: BareCell;
  private readonly isSplit: boolean;

  /**
   * @param arithmetic - Operations and cell.
   * @param lanes - How many recursions.
   * @param keptExponent - Norms are kept near 2 to this: the higher, the more a single step may contract without loss.
   */
  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly lanes: number,
    private readonly keptExponent: number,
  ) {
    this.ops = arithmetic.ops;
    this.cell = arithmetic.cell;
    this.isSplit = this.cell.stateBlocks === 2 && this.cell.isFactored;
  }

  /** Sources so far. */
  get sources(): number {
    return this.widths.length;
  }

  /**
   * Adds a source: dh/dx and dc/dx of the step that was just taken.
   *
   * @param jacobians - `[lanes, P, D]`, and `[lanes, H, D]` of an LSTM; freed by `dispose` or the next step.
   */
  injectInput(jacobians: readonly Value[]): void {
    const { ops } = this;
    const width = jacobians[0].shape[2];
    const joined = this.isSplit || jacobians.length === 1 ? jacobians : [ops.tidy(() => ops.concat(jacobians, 1))];
    if (joined !== jacobians) ops.dispose(...jacobians);
    this.inject(joined, width);
  }

  /**
   * Adds the state as it is now as a source: the identity, S columns, or those of h or c alone.
   *
   * @param part - Which columns.
   * @param sketch - Combinations of them that stand for them; null: the columns themselves.
   */
  injectState(part: StatePart = 'state', sketch: Sketch | null = null): void {
    const { ops, lanes, cell } = this;
    const width = sketch?.columns ?? sourceWidth(cell, part);
    const sizes = this.isSplit ? cell.blockSizes : [cell.stateSize];
    const made = stateColumns(cell, sizes, lanes, part, sketch).map((data, block) =>
      ops.keep(ops.upload(data, [lanes, sizes[block], width])),
    );
    this.inject(made, width);
  }

  /** Adds the whole state as it is now, every one of its S columns as a source with an exponent of its own. */
  injectStateColumns(): void {
    this.injectState();
    const size = this.widths.pop()!;
    this.exponents.pop();
    for (let column = 0; column < size; column++) {
      this.widths.push(1);
      this.exponents.push(new Int32Array(this.lanes));
    }
  }

  /**
   * Takes many steps at once, of one lane with one source.
   *
   * @param product - Of the step Jacobians; not freed.
   */
  multiply(product: ScaledColumns): void {
    const { ops, cell, blocks, widths } = this;
    if (this.lanes !== 1 || widths.length !== 1) throw new Error('a product is taken by one lane with one source');
    const { stateSize, blockSizes } = cell;
    const joined = ops.keep(ops.tidy(() => ops.reshape(ops.concat(blocks, 1), [stateSize, widths[0]])));
    const { value, shift } = multiplyColumns(this.arithmetic, product, joined, this.keptExponent);
    const shaped = ops.tidy(() => {
      const whole = ops.reshape(value, [1, stateSize, widths[0]]);
      return (blocks.length === 1 ? [whole] : ops.split(whole, blockSizes, 1)).map((part) => ops.keep(part));
    });
    ops.dispose(joined, value);
    this.replace(shaped);
    this.exponents[0][0] += shift;
  }

  /**
   * Takes a step in every lane.
   *
   * @param vectors - Of the step of each lane, N = lanes.
   */
  push(vectors: StepVectors): void {
    if (this.blocks.length === 0) return;
    this.replace(this.ops.tidy(() => this.pushed(vectors)));
  }

  /**
   * Log norms of all sources, exponents included; columns that went too far are brought back.
   *
   * Numerics: squares of float32 numbers near 2^24 added in the engine over the state, in float64 over the columns.
   */
  measure(): PushedNorms {
    const { lanes, sources } = this;
    const norms = this.columnNorms();
    const h = new Float64Array(lanes * sources);
    const c = norms.c ? new Float64Array(lanes * sources) : null;
    const shifts = new Int32Array(lanes * sources);
    const total = this.widths.reduce((sum, width) => sum + width, 0);
    const exact = new ExactNorms(this, total);
    for (let lane = 0; lane < lanes; lane++) {
      let column = lane * total;
      for (let source = 0; source < sources; source++) {
        const at = lane * sources + source;
        const end = column + this.widths[source];
        const own = sumOfSquares(norms.h, column, end);
        const other = norms.c ? sumOfSquares(norms.c, column, end) : 0;
        const place = { lane, first: column - lane * total, count: this.widths[source] };
        h[at] = own < DOUBTFUL_SQUARES ? exact.of('h', place) : 0.5 * Math.log(own);
        if (c) c[at] = other < DOUBTFUL_SQUARES ? exact.of('c', place) : 0.5 * Math.log(other);
        const larger = Math.max(h[at], c ? c[at] : -Infinity) / Math.LN2 - this.keptExponent;
        if (Math.abs(larger) > RESCALE_DISTANCE && Number.isFinite(larger)) shifts[at] = Math.round(larger);
        const exponent = this.exponents[source][lane] * Math.LN2;
        h[at] += exponent;
        if (c) c[at] += exponent;
        column = end;
      }
    }
    if (shifts.some((shift) => shift !== 0)) this.rescale(shifts, total);
    return { h, c };
  }

  /**
   * The columns of some sources as they are, `[lanes, rows, columns]` for h and, where there is one, c; the caller's.
   *
   * @param first - First source.
   * @param count - How many.
   */
  take(first: number, count: number): { readonly blocks: readonly Value[]; readonly exponents: readonly Int32Array[] } {
    const { ops, lanes, cell, widths } = this;
    const sum = (list: readonly number[]): number => list.reduce((total, width) => total + width, 0);
    const begin = sum(widths.slice(0, first));
    const columns = sum(widths.slice(first, first + count));
    const states = cell.stateBlocks === 2 ? (['h', 'c'] as const) : (['h'] as const);
    const blocks = ops.tidy(() =>
      states.map((state) => ops.slice(this.rowsOf(state), [0, 0, begin], [lanes, this.heightOf(state), columns])),
    );
    return { blocks, exponents: this.exponents.slice(first, first + count).map((list) => list.slice()) };
  }

  /**
   * The numbers of h or c rows on the host, `[lanes, rows, m]`.
   *
   * @param state - Which rows.
   * @param factors - What each column of each lane is multiplied by before it is rounded, `[lanes * m]`; 1 when left out.
   */
  readRows(state: 'h' | 'c', factors: Float64Array | null = null): RealArray {
    const { ops, lanes } = this;
    return ops.tidy(() => {
      const rows = this.rowsOf(state);
      if (!factors) return this.arithmetic.read(rows);
      return this.arithmetic.read(ops.mul(rows, ops.upload(factors, [lanes, 1, rows.shape[2]])));
    });
  }

  /** The exponent of a source in a lane: its true columns are those kept times 2 to it. */
  exponentOf(lane: number, source: number): number {
    return this.exponents[source][lane];
  }

  /** Columns of a source. */
  widthOf(source: number): number {
    return this.widths[source];
  }

  /** Rows of h or of c. */
  heightOf(state: 'h' | 'c'): number {
    return this.cell.blockSizes[state === 'h' ? 0 : 1];
  }

  /** Frees the columns. */
  dispose(): void {
    this.ops.dispose(...this.blocks);
    this.blocks = [];
  }

  private inject(made: readonly Value[], width: number): void {
    const { ops, lanes } = this;
    this.widths.push(width);
    this.exponents.push(new Int32Array(lanes));
    if (this.blocks.length === 0) {
      for (const value of made) ops.keep(value);
      this.blocks = made;
      return;
    }
    const joined = ops.tidy(() => this.blocks.map((block, at) => ops.concat([block, made[at]], 2)));
    ops.dispose(...made);
    this.replace(joined);
  }

  private replace(next: readonly Value[]): void {
    const { ops } = this;
    ops.dispose(...this.blocks);
    this.blocks = next.map((value) => ops.keep(value));
  }

  private pushed(vectors: StepVectors): readonly Value[] {
    const { ops, cell, lanes, blocks } = this;
    const operators = cell.stateOperators(vectors);
    const columns = blocks[0].shape[2];
    const product = this.laneProduct(operators, blocks[0]);
    if (!this.isSplit) return [product];
    const { units, projection } = cell;
    const carry = cell.carry(vectors);
    if (!carry) throw new Error('a split state without diagonals');
    // Of one lane the parts are views; of several they are copies.
    const flat = lanes === 1 ? ops.reshape(product, [2 * units, columns]) : product;
    const parts = ops.split(flat, 2, -2);
    const diagonals = ops.split(carry, 2, 2);
    const [memory, next] = parts.map((part, at) => {
      return ops.add(ops.reshape(part, [lanes, units, columns]), ops.mul(diagonals[at], blocks[1]));
    });
    return [projection ? ops.matMul(projection, memory, true, false) : memory, next];
  }

  /** a b of each lane; one lane is a plain product, which TensorFlow spreads over its threads. */
  private laneProduct(a: Value, b: Value): Value {
    const { ops, lanes } = this;
    if (lanes > 1) return ops.matMul(a, b);
    const [, rows, inner] = a.shape;
    const columns = b.shape[2];
    const product = ops.matMul(ops.reshape(a, [rows, inner]), ops.reshape(b, [inner, columns]));
    return ops.reshape(product, [1, rows, columns]);
  }

  private rowsOf(state: 'h' | 'c'): Value {
    const { ops, cell, blocks } = this;
    if (this.isSplit) return blocks[state === 'h' ? 0 : 1];
    if (cell.stateBlocks === 1) return blocks[0];
    return ops.split(blocks[0], cell.blockSizes, 1)[state === 'h' ? 0 : 1];
  }

  /** Norms over the rows of h and of c, `[lanes * m]`. */
  private columnNorms(): { readonly h: ArrayLike<number>; readonly c: ArrayLike<number> | null } {
    const { ops, cell, arithmetic } = this;
    const read = (state: 'h' | 'c'): ArrayLike<number> =>
      ops.tidy(() => arithmetic.read(ops.norm(this.rowsOf(state), [1])));
    return { h: read('h'), c: cell.stateBlocks === 2 ? read('c') : null };
  }

  private rescale(shifts: Int32Array, total: number): void {
    const { ops, lanes, sources, widths } = this;
    shifts.forEach((shift, at) => {
      this.exponents[at % sources][Math.floor(at / sources)] += shift;
    });
    const factors = columnFactors(shifts, widths, -1);
    const next = ops.tidy(() => {
      const scale = ops.upload(factors, [lanes, 1, total]);
      return this.blocks.map((block) => ops.mul(block, scale));
    });
    this.replace(next);
  }
}
