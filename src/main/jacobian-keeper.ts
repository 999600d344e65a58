/**
 * The whole step Jacobians of the last run, so that the window can ask for signed values of a unit or a feature.
 *
 * Kept while they are small; of a larger run only the run itself is kept, and a slice is computed again.
 */
import type { DiagonalChunk, Direction } from '../core/jacobian';
import { unitsOf, type DirectionPart, type StartedEvent } from '../shared/run';
import type { EngineCalls } from './engine-messages';

type SliceInput = EngineCalls['jacobianSlice'][0];
type Slice = NonNullable<EngineCalls['jacobianSlice'][1]>;

/** Above so many bytes a run's Jacobians are not kept. */
const MAX_KEPT_BYTES = 256 * 2 ** 20;

/** Sizes of a run: B, T, D, and H of each direction. */
export type RunShape = Pick<StartedEvent, 'batch' | 'steps' | 'inputDim' | 'parts'>;

/**
 * The direction's part of a run; its units are its own, the other direction may have more or fewer.
 *
 * @param shape - The run.
 * @param direction - Which direction.
 * @returns undefined when the run has no such direction.
 */
export function partOf(shape: RunShape, direction: Direction): DirectionPart | undefined {
  return shape.parts.find((part) => part.direction === direction);
}

/** Takes one slice out of the chunks that pass by. */
export class SliceCollector {
  readonly slice: Slice & { readonly data: Float32Array };
  readonly #units: number;

  /**
   * @param shape - The run.
   * @param input - Which slice: `[D, T]` of a unit, `[H, T]` of a feature; NaN where no chunk has come.
   */
  constructor(
    private readonly shape: RunShape,
    private readonly input: SliceInput,
  ) {
    const part = partOf(shape, input.direction);
    this.#units = part ? unitsOf(part, input.state) : 0;
    const rows = input.axis === 'unit' ? shape.inputDim : this.#units;
    const data = new Float32Array(rows * shape.steps).fill(NaN);
    this.slice = { rows, columns: shape.steps, data, direction: input.direction };
  }

  /**
   * Copies what belongs to the slice.
   *
   * @param chunk - The next chunk of the run.
   */
  add(chunk: DiagonalChunk): void {
    const { steps, inputDim } = this.shape;
    const units = this.#units;
    const { axis, index, sequence, direction, state } = this.input;
    const values = state === 'h' ? chunk.dhdx : chunk.dcdx;
    if (chunk.direction !== direction || values === null) return;
    for (let step = 0; step < chunk.count; step++) {
      const block = (sequence * chunk.count + step) * units * inputDim;
      for (let row = 0; row < this.slice.rows; row++) {
        const [unit, feature] = axis === 'unit' ? [index, row] : [row, index];
        this.slice.data[row * steps + chunk.start + step] = values[block + unit * inputDim + feature]!;
      }
    }
  }
}

/** Copies of a run's diagonal chunks, unless they are too large together. */
export class JacobianKeeper {
  readonly isWhole: boolean;
  readonly #chunks: DiagonalChunk[] = [];

  /**
   * @param runId - The run.
   * @param shape - Its sizes, which decide whether anything is kept.
   */
  constructor(
    readonly runId: number,
    readonly shape: RunShape,
  ) {
    const { batch, steps, inputDim, parts } = shape;
    const rows = parts.reduce((sum, { units, hiddenSize, hasCell }) => sum + hiddenSize + (hasCell ? units : 0), 0);
    const values = batch * steps * rows * inputDim;
    this.isWhole = values * Float32Array.BYTES_PER_ELEMENT <= MAX_KEPT_BYTES;
  }

  /**
   * Keeps a copy of a chunk.
   *
   * @param chunk - The engine's own, valid until the next one is asked for.
   */
  add(chunk: DiagonalChunk): void {
    if (!this.isWhole) return;
    const dhdx = Float32Array.from(chunk.dhdx);
    this.#chunks.push({ ...chunk, dhdx, dcdx: chunk.dcdx && Float32Array.from(chunk.dcdx) });
  }

  /**
   * A slice out of what was kept.
   *
   * @param input - Which slice.
   */
  slice(input: SliceInput): Slice {
    const collector = new SliceCollector(this.shape, input);
    for (const chunk of this.#chunks) collector.add(chunk);
    return collector.slice;
  }
}
