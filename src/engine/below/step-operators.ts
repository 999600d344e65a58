/**
 * The step operators [ds_t/ds_{t-1} | ds_t/dx_t] of one sequence in the order of computing, formed for some steps at a
 * time, with the columns of what is zero cut out.
 *
 * Every tile of sources goes through the same steps, so the vectors that operators are formed from may be kept.
 */
import { sliceVectors } from '../cells/step-vectors';
import type { CellRun } from '../cells/run-cell';
import type { StepVectors, TensorCell } from '../cells/tensor-cell';
import type { Ops, Value } from '../ops';
import { VECTORS_LENGTH } from '../propagate/plan';
import { uploadPairs } from '../propagate/step-points';
import type { StackPrecision } from './stack-precision';
import { timeIndex } from '../../core/reference/run-cell';

/** Bytes of operators formed together. */
export const OPERATOR_BYTES = 4 * 2 ** 20;

/** One step as it multiplies columns. */
export interface StepOperator {
  /** `[R, columns]`, the columns of what is present. */
  readonly kernel: Value;
  /** The diagonals of the c columns, `[H, 1]` each; null where they stand in the kernel. */
  readonly carry: readonly [Value, Value] | null;
}

/** Operators of some steps. */
interface Group {
  readonly first: number;
  readonly whole: Value;
  /** By what is present. */
  readonly cuts: Map<string, readonly Value[]>;
  readonly carry: readonly Value[] | null;
}

/** Vectors of some steps. */
interface VectorGroup {
  readonly first: number;
  readonly vectors: StepVectors;
}

/** The operators of one sequence. */
export class StepOperators {
  private readonly vectorGroups = new Map<number, VectorGroup>();
  private group: Group | null = null;
  private readonly ops: Ops;
  private readonly groupSteps: number;
  private readonly vectorSteps: number;

  /**
   * @param precision - Operations.
   * @param cell - The cell, opened with them.
   * @param run - Its states.
   * @param sequence - Which sequence.
   * @param times - Time indices of its computed steps, in their order.
   * @param keepsVectors - Whether vectors stay for the next tile.
   */
  constructor(
    private readonly precision: StackPrecision,
    private readonly cell: TensorCell,
    private readonly run: CellRun,
    private readonly sequence: number,
    private readonly times: Int32Array,
    private readonly keepsVectors: boolean,
  ) {
    const { ops } = precision;
    this.ops = ops;
    this.groupSteps = operatorGroup(cell);
    const fitting = VECTORS_LENGTH[ops.native ? 'native' : 'host'] / cell.vectorLength;
    this.vectorSteps = this.groupSteps * Math.max(1, Math.floor(fitting / this.groupSteps));
  }

  /**
   * The operator of a step; it is there until one of another group is asked for.
   *
   * @param n - Among the computed steps.
   * @param widths - Columns of the state and of each part of the input.
   * @param isPresent - Which of them are not zero; at least one.
   */
  at(n: number, widths: readonly number[], isPresent: readonly boolean[]): StepOperator {
    const group = this.groupOf(n);
    const key = isPresent.map(Number).join('');
    let cut = group.cuts.get(key);
    if (!cut) {
      cut = this.cut(group.whole, widths, isPresent);
      group.cuts.set(key, cut);
    }
    const step = n - group.first;
    const { carry } = group;
    return { kernel: cut[step]!, carry: carry ? [carry[2 * step]!, carry[2 * step + 1]!] : null };
  }

  /** Frees what the next tile does not begin with. */
  rest(): void {
    this.freeGroup();
  }

  /** Frees everything. */
  dispose(): void {
    this.freeGroup();
    for (const { vectors } of this.vectorGroups.values()) this.ops.dispose(...Object.values(vectors));
    this.vectorGroups.clear();
  }

  private groupOf(n: number): Group {
    const first = n - (n % this.groupSteps);
    if (this.group?.first === first) return this.group;
    this.freeGroup();
    const { ops, cell } = this;
    const count = Math.min(this.groupSteps, this.times.length - first);
    const { first: start, vectors } = this.vectorsOf(first);
    const { whole, carry } = ops.tidy(() => {
      const own = sliceVectors(ops, vectors, first - start, count);
      const diagonals = cell.carry(own);
      return { whole: cell.operators(own), carry: diagonals && this.columnsOf(diagonals) };
    });
    ops.keep(whole);
    for (const value of carry ?? []) ops.keep(value);
    this.group = { first, whole, cuts: new Map(), carry };
    return this.group;
  }

  /** `[N, H, 2]` as 2 N columns `[H, 1]`. */
  private columnsOf(diagonals: Value): readonly Value[] {
    const { ops } = this;
    const [count, units] = diagonals.shape as [number, number];
    const flat = ops.reshape(ops.transpose(diagonals, [0, 2, 1]), [2 * count, units, 1]);
    return ops.split(flat, 2 * count, 0).map((value) => ops.reshape(value, [units, 1]));
  }

  private vectorsOf(n: number): VectorGroup {
    const first = n - (n % this.vectorSteps);
    const found = this.vectorGroups.get(first);
    if (found) return found;
    const { ops, cell, precision, run, times, sequence } = this;
    if (!this.keepsVectors) {
      for (const { vectors } of this.vectorGroups.values()) ops.dispose(...Object.values(vectors));
      this.vectorGroups.clear();
    }
    const count = Math.min(this.vectorSteps, times.length - first);
    const pairs = Array.from({ length: count }, (_, at) => {
      return { sequence, n: timeIndex(run.direction, run.steps, times[first + at]!) };
    });
    const vectors = ops.tidy(() =>
      cell.operatorVectors(precision.vectors(cell, (own) => uploadPairs(own, run, pairs))),
    );
    for (const value of Object.values(vectors)) ops.keep(value);
    const made = { first, vectors };
    this.vectorGroups.set(first, made);
    return made;
  }

  /** The columns of what is present, a value `[R, columns]` a step. */
  private cut(whole: Value, widths: readonly number[], isPresent: readonly boolean[]): readonly Value[] {
    const { ops } = this;
    const [count, rows] = whole.shape as [number, number];
    const made = ops.tidy(() => {
      const parts = presentRanges(widths, isPresent).map(({ start, end }) => {
        return end - start === whole.shape[2] ? whole : ops.slice(whole, [0, 0, start], [count, rows, end - start]);
      });
      const kept = parts.length === 1 ? parts[0]! : ops.concat(parts, 2);
      const columns = kept.shape[2]!;
      return ops.split(kept, count, 0).map((value) => ops.reshape(value, [rows, columns]));
    });
    for (const value of made) ops.keep(value);
    return made;
  }

  private freeGroup(): void {
    if (!this.group) return;
    const { whole, cuts, carry } = this.group;
    this.ops.dispose(whole, ...[...cuts.values()].flat(), ...(carry ?? []));
    this.group = null;
  }
}

/** Steps whose operators are formed together. */
function operatorGroup(sizes: Pick<TensorCell, 'operatorRows' | 'operatorColumns'>): number {
  return Math.max(1, Math.floor(OPERATOR_BYTES / (4 * sizes.operatorRows * sizes.operatorColumns)));
}

/** Columns of what is present, neighbours joined. */
function presentRanges(
  widths: readonly number[],
  isPresent: readonly boolean[],
): readonly { readonly start: number; readonly end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  let start = 0;
  widths.forEach((width, at) => {
    const last = ranges.at(-1);
    if (isPresent[at] && last?.end === start) last.end += width;
    else if (isPresent[at]) ranges.push({ start, end: start + width });
    start += width;
  });
  return ranges;
}
