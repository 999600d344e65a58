/**
 * Whole blocks of one target, laid at the places of their sources in time.
 *
 * What fills it knows neither mask nor direction: it counts the computed steps in their order, as all of `pairs` does.
 */
import type { PairBlocksChunk } from '../../core/jacobian';
import { storedScale } from '../../core/linalg/stored-scale';
import type { RealArray } from '../engine';
import { orderOf, type StepTimes } from './pairs-times';

/** Entries of one block, `[rows, D]` with a stride between rows, true up to 2^exponent. */
export interface RawBlock {
  readonly values: ArrayLike<number>;
  readonly start: number;
  readonly stride: number;
  readonly exponent: number;
  /** ln of the norm of the true block. */
  readonly logNorm: number;
}

/** The blocks of one target with respect to some sources of one sequence. */
export class BlockBuffer {
  private readonly arrays: RealArray[] = [];
  private readonly scales: Int32Array[];
  private first = 0;
  private left = 0;
  private width = 0;

  /**
   * @param times - The sequence.
   * @param blockSizes - Units of h, and of c for an LSTM.
   * @param inputDim - D
   * @param sources - Most sources.
   * @param make - Makes an array of reals.
   */
  constructor(
    private readonly times: StepTimes,
    private readonly blockSizes: readonly number[],
    private readonly inputDim: number,
    sources: number,
    private readonly make: (length: number) => RealArray,
  ) {
    const widest = Math.min(sources, times.valid.length);
    this.scales = blockSizes.map(() => new Int32Array(widest));
  }

  /**
   * Begins the blocks of another target.
   *
   * @param first - First source, counted among the computed steps.
   * @param known - How many sources.
   */
  begin(first: number, known: number): void {
    const { times, blockSizes, inputDim } = this;
    this.first = first;
    this.left = orderOf(times, first);
    this.width = orderOf(times, first + known - 1) + 1 - this.left;
    blockSizes.forEach((size, state) => {
      const length = this.width * size * inputDim;
      if ((this.arrays[state]?.length ?? 0) < length) this.arrays[state] = this.make(length);
      if (this.scales[state].length < this.width) this.scales[state] = new Int32Array(this.width);
      // Masked sources between the computed ones.
      if (this.width > known) {
        this.arrays[state].fill(0, 0, length);
        this.scales[state].fill(0);
      }
    });
  }

  /**
   * Takes one block.
   *
   * @param state - 0 for h, 1 for c.
   * @param source - Counted from the first source.
   * @param block - Its entries.
   */
  put(state: number, source: number, block: RawBlock): void {
    const { times, inputDim } = this;
    const rows = this.blockSizes[state];
    const order = orderOf(times, this.first + source) - this.left;
    const place = times.direction === 'forward' ? order : this.width - 1 - order;
    const target = this.arrays[state];
    this.scales[state][place] = storeBlock(block, target, place * rows * inputDim, rows, inputDim);
  }

  /**
   * The chunks of a target: one for its own step, and one for each masked step that repeats it.
   *
   * @param target - Counted among the computed steps.
   * @param sequence - Of the batch.
   */
  *chunks(target: number, sequence: number): Generator<PairBlocksChunk, void, void> {
    const { times, width, left, arrays, scales, blockSizes, inputDim } = this;
    const { direction, steps } = times;
    const inTime = (order: number): number => (direction === 'forward' ? order : steps - 1 - order);
    const part = (state: number): RealArray => arrays[state].subarray(0, width * blockSizes[state] * inputDim);
    const hasCell = blockSizes.length === 2;
    const end = orderOf(times, target + 1);
    for (let order = orderOf(times, target); order < end; order++) {
      yield {
        mode: 'pair-blocks',
        direction,
        sequence,
        target: inTime(order),
        sourceStart: direction === 'forward' ? left : steps - left - width,
        sourceCount: width,
        dhdx: part(0),
        dcdx: hasCell ? part(1) : null,
        scaleH: scales[0].subarray(0, width),
        scaleC: hasCell ? scales[1].subarray(0, width) : null,
      };
    }
  }
}

/**
 * Writes one block as it is stored, `[rows, columns]`; its scale.
 *
 * @param block - Its entries.
 * @param target - Where it goes.
 * @param to - Its first place there.
 * @param rows - Its rows.
 * @param columns - Its columns.
 */
export function storeBlock(
  { values, start, stride, exponent, logNorm }: RawBlock,
  target: RealArray,
  to: number,
  rows: number,
  columns: number,
): number {
  const isZero = logNorm === -Infinity;
  const scale = storedScale(logNorm);
  // Two factors: one alone may leave the range of doubles where the block does not.
  const shift = isZero ? 0 : exponent - scale;
  const half = Math.trunc(shift / 2);
  const [factor, rest] = [2 ** half, 2 ** (shift - half)];
  for (let row = 0; row < rows; row++) {
    const from = start + row * stride;
    const place = to + row * columns;
    for (let column = 0; column < columns; column++) target[place + column] = values[from + column] * factor * rest;
  }
  return scale;
}
