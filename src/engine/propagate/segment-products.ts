/**
 * Products of the step Jacobians of whole segments of one recurrence, kept so that a pair of distant steps is near.
 *
 * A segment is a fixed number of computed steps. Each column of a product has an exponent of its own: over a segment one
 * direction may shrink by more than float32 can tell beside another.
 */
import { timeIndex } from '../../core/reference/run-cell';
import type { StepVectors } from '../cells/tensor-cell';
import { sliceVectors } from '../cells/step-vectors';
import type { CellRun } from '../cells/run-cell';
import type { ValidSteps } from '../cells/valid-steps';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import { VECTORS_LENGTH } from './plan';
import type { ScaledColumns } from './column-products';
import { PushedColumns, type PushedNorms } from './pushed-columns';
import { uploadPairs } from './step-points';

/** Steps of a segment, where the memory allows it. */
const SEGMENT_STEPS = 64;

/** Norms are kept near 2 to this, as where pairs are pushed. */
export const KEPT_EXPONENT = 24;

/** One recurrence that is pushed through. */
export interface SegmentTask {
  readonly arithmetic: Arithmetic;
  readonly run: CellRun;
  readonly valid: ValidSteps;
  /** Bytes of a number of the columns. */
  readonly numberBytes: 4 | 8;
}

/** Products of whole segments. */
export class SegmentProducts {
  /** Steps of a segment. */
  readonly steps: number;
  private readonly products = new Map<string, ScaledColumns>();

  /**
   * @param task - The recurrence.
   * @param maxBytes - All products together take at most so much; segments are longer where they would take more.
   */
  constructor(
    private readonly task: SegmentTask,
    maxBytes: number,
  ) {
    const { run, valid } = task;
    let steps = SEGMENT_STEPS;
    const fits = (): boolean => {
      let count = 0;
      for (let sequence = 0; sequence < run.batch; sequence++) count += Math.floor(valid.of(sequence).length / steps);
      return count * this.productBytes <= maxBytes;
    };
    while (steps < valid.longest && !fits()) steps *= 2;
    this.steps = steps;
  }

  /** Bytes of the products that are kept. */
  get bytes(): number {
    return this.products.size * this.productBytes;
  }

  private get productBytes(): number {
    const { arithmetic, numberBytes } = this.task;
    return arithmetic.cell.stateSize ** 2 * numberBytes;
  }

  /**
   * The product of a segment, where it is kept.
   *
   * @param sequence - Of the batch.
   * @param segment - The steps `segment * steps .. (segment + 1) * steps`.
   */
  get(sequence: number, segment: number): ScaledColumns | undefined {
    return this.products.get(keyOf(sequence, segment));
  }

  /**
   * Makes the products of all whole segments; those that are kept already stay.
   *
   * @param pace - Ends it between steps; what was made until then is kept.
   */
  async prepare(pace: Pace): Promise<void> {
    const { run, valid } = this.task;
    for (let sequence = 0; sequence < run.batch; sequence++) {
      const whole = Math.floor(valid.of(sequence).length / this.steps);
      for (let segment = 0; segment < whole; segment++) {
        if (!this.get(sequence, segment)) await this.make(sequence, segment, pace);
      }
    }
  }

  /** Frees the products. */
  dispose(): void {
    const { ops } = this.task.arithmetic;
    for (const { value } of this.products.values()) ops.dispose(value);
    this.products.clear();
  }

  private async make(sequence: number, segment: number, pace: Pace): Promise<void> {
    const { arithmetic } = this.task;
    const { ops, cell } = arithmetic;
    const { stateSize } = cell;
    const columns = new PushedColumns(arithmetic, 1, KEPT_EXPONENT);
    try {
      columns.injectStateColumns();
      const first = segment * this.steps;
      for await (const _ of pushSteps(this.task, columns, sequence, first, first + this.steps, pace)) void _;
      const { blocks, exponents } = columns.take(0, columns.sources);
      const value = ops.keep(ops.tidy(() => ops.reshape(ops.concat(blocks, 1), [stateSize, stateSize])));
      ops.dispose(...blocks);
      this.products.set(keyOf(sequence, segment), { value, exponents: Int32Array.from(exponents, ([own]) => own) });
    } finally {
      columns.dispose();
    }
  }
}

/**
 * Pushes columns through consecutive computed steps of one sequence; the norms after each of them.
 *
 * @param task - The recurrence.
 * @param columns - The columns, of one lane.
 * @param sequence - Of the batch.
 * @param first - First step, counted among the computed ones.
 * @param end - Behind the last one.
 * @param pace - Lets messages in.
 * @param inject - Called within a scope after each step, with its vectors.
 */
export async function* pushSteps(
  { arithmetic, run, valid }: SegmentTask,
  columns: PushedColumns,
  sequence: number,
  first: number,
  end: number,
  pace: Pace,
  inject: (step: number, vectors: StepVectors) => void = () => undefined,
): AsyncGenerator<PushedNorms, void, void> {
  const { ops, cell } = arithmetic;
  const times = valid.of(sequence);
  const group = Math.max(1, Math.floor(VECTORS_LENGTH[ops.native ? 'native' : 'host'] / cell.vectorLength));
  for (let start = first; start < end; start += group) {
    const count = Math.min(group, end - start);
    const pairs = Array.from({ length: count }, (_, at) => {
      return { sequence, n: timeIndex(run.direction, run.steps, times[start + at]) };
    });
    const vectors = arithmetic.vectors((precise) => uploadPairs(precise, run, pairs));
    try {
      for (let at = 0; at < count; at++) {
        ops.tidy(() => {
          const part = sliceVectors(ops, vectors, at, 1);
          columns.push(part);
          inject(start + at, part);
        });
        yield columns.measure();
        await pace.breathe();
      }
    } finally {
      ops.dispose(...Object.values(vectors));
    }
  }
}

function keyOf(sequence: number, segment: number): string {
  return `${String(sequence)}:${String(segment)}`;
}
