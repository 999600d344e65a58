/**
 * The blocks of a chunk of `final` on the host: turned, scaled and measured in one pass over what the engine gives.
 *
 * The engine gives (dtarget/dx)^T with exponents; the chunk wants `[units, inputDim]` blocks, multiplied out where
 * float32 holds them. Norms are summed in float64, where no square of a float32 number is lost.
 */
import type { FinalChunk } from '../../core/jacobian';
import { newReals, type CellRun } from '../cells/run-cell';
import type { RealArray } from '../engine';
import type { Ops, Value } from '../ops';
import { openChunkBuffer, type ChunkBuffer } from './chunk-buffer';

/** Blocks whose norm has its binary exponent between these are multiplied out: float32 holds them with all digits. */
const MIN_STORED_EXPONENT = -116;
const MAX_STORED_EXPONENT = 126;

/** Units that are turned together. */
const TURNED_UNITS = 64;

/** Powers of two that a double holds with room to spare. */
const DOUBLE_EXPONENT = 1000;

/** Some consecutive computed steps, newest first, of some sequences, as the engine gives them. */
export interface RawBlocks {
  readonly firstSequence: number;
  readonly sequences: number;
  /** Time index of the first (newest) step, and which way time runs from there. */
  readonly newest: number;
  readonly steps: number;
  /** `[R * b]` for each step of the chunk so far, step by step. */
  readonly exponents: readonly Int32Array[];
}

/** The host arrays of a stream of `final` chunks, written again for each chunk. */
export class FinalBlocks {
  private readonly raw: ChunkBuffer;
  /** S */
  private readonly targets: number;
  private readonly blocks: readonly RealArray[];
  /** Whether the last block of (r, b) was multiplied out: mostly right for the next one too. */
  private readonly isMultiplied: Uint8Array;

  /**
   * @param ops - Operations, whose precision the chunks have.
   * @param rawOps - Operations of the values that come.
   * @param run - Sizes and direction.
   * @param blockSizes - Units of h, and of c for an LSTM.
   * @param chunkSteps - Most timesteps in a chunk.
   * @param sequences - Most sequences that come together.
   */
  constructor(
    ops: Ops,
    rawOps: Ops,
    private readonly run: CellRun,
    private readonly blockSizes: readonly number[],
    chunkSteps: number,
    sequences: number,
  ) {
    const { inputDim, batch } = run;
    this.targets = blockSizes.reduce((sum, size) => sum + size, 0);
    this.raw = openChunkBuffer(rawOps, sequences * chunkSteps, inputDim * this.targets);
    this.blocks = blockSizes.map((size) => newReals(ops, batch * chunkSteps * size * inputDim));
    this.isMultiplied = new Uint8Array(blockSizes.length * batch).fill(1);
  }

  /**
   * Takes (dtarget/dx)^T of some steps as they come.
   *
   * @param value - `[n, b, D, S]`, the newest step first.
   * @param firstRow - Number of its first (step, sequence) pair in the chunk of this tile.
   */
  put(value: Value, firstRow: number): void {
    this.raw.put(value, firstRow);
  }

  /**
   * Turns what `put` took for one tile of sequences into blocks of the chunk.
   *
   * @param raw - Which steps and sequences.
   * @param chunk - The chunk, whose scales and log norms are written.
   */
  finish(raw: RawBlocks, chunk: FinalChunk): void {
    const { inputDim, batch, direction } = this.run;
    const { blockSizes, targets } = this;
    for (let i = 0; i < raw.steps; i++) {
      const t = direction === 'forward' ? raw.newest - i : raw.newest + i;
      const exponents = raw.exponents[i];
      for (let b = 0; b < raw.sequences; b++) {
        const from = (i * raw.sequences + b) * inputDim * targets;
        const row = (raw.firstSequence + b) * chunk.count + t - chunk.start;
        for (let r = 0; r < blockSizes.length; r++) {
          const exponent = exponents[r * raw.sequences + b];
          const source = from + (r === 0 ? 0 : blockSizes[0]);
          const place = { source, stride: targets, target: row * blockSizes[r] * inputDim };
          this.turn(r, r * batch + raw.firstSequence + b, place, exponent, row, chunk);
        }
      }
    }
  }

  /**
   * An empty chunk over the host arrays.
   *
   * @param start - First timestep.
   * @param count - Timesteps.
   */
  chunk(start: number, count: number): FinalChunk {
    const { batch, inputDim, direction } = this.run;
    const rows = batch * count;
    const part = (block: number): RealArray => this.blocks[block].subarray(0, rows * this.blockSizes[block] * inputDim);
    const hasCell = this.blockSizes.length === 2;
    return {
      mode: 'final',
      direction,
      start,
      count,
      dhTdx: part(0),
      dcTdx: hasCell ? part(1) : null,
      scaleH: new Int32Array(rows),
      scaleC: hasCell ? new Int32Array(rows) : null,
      lognormH: new Float64Array(rows).fill(-Infinity),
      lognormC: hasCell ? new Float64Array(rows).fill(-Infinity) : null,
    };
  }

  /**
   * Writes exact zeros for sequences whose rows have died.
   *
   * @param firstSequence - First.
   * @param sequences - How many.
   * @param chunk - The chunk.
   */
  zero(firstSequence: number, sequences: number, chunk: FinalChunk): void {
    this.blocks.forEach((block, r) => {
      const length = this.blockSizes[r] * this.run.inputDim * chunk.count;
      block.fill(0, firstSequence * length, (firstSequence + sequences) * length);
    });
  }

  /** Lets go of the engine's hold on the arrays. */
  dispose(): void {
    this.raw.dispose();
  }

  private turn(r: number, slot: number, place: Place, exponent: number, row: number, chunk: FinalChunk): void {
    const { inputDim } = this.run;
    const turnWith = (factor: number): number =>
      turnBlock(this.raw.array, this.blocks[r], place, this.blockSizes[r], inputDim, factor);
    const guess = this.isMultiplied[slot] === 1 && Math.abs(exponent) < DOUBLE_EXPONENT ? 2 ** exponent : 1;
    const squares = turnWith(guess);
    const lognorm = 0.5 * Math.log(squares) + exponent * Math.LN2;
    (r === 0 ? chunk.lognormH : (chunk.lognormC as Float64Array))[row] = lognorm;
    if (squares === 0) return;
    const isHeld = isHeldByFloat32(lognorm);
    const factor = isHeld ? 2 ** exponent : 1;
    if (factor !== guess) turnWith(factor);
    this.isMultiplied[slot] = Number(isHeld);
    (r === 0 ? chunk.scaleH : (chunk.scaleC as Int32Array))[row] = isHeld ? 0 : exponent;
  }
}

/** Where a block is read, `[D, H]` with a stride, and where it is written, `[H, D]`. */
interface Place {
  readonly source: number;
  readonly stride: number;
  readonly target: number;
}

/** Whether float32 holds a block of this log norm; one that is not finite is stored as it is. */
function isHeldByFloat32(lognorm: number): boolean {
  if (!Number.isFinite(lognorm)) return true;
  return lognorm >= MIN_STORED_EXPONENT * Math.LN2 && lognorm < MAX_STORED_EXPONENT * Math.LN2;
}

/**
 * Writes the block turned and multiplied by `factor`; the sum of squares before.
 *
 * Four features at a time over a stretch of units: four streams are read in order and whatever is written stays in
 * cache; four sums hide the latency of one.
 */
function turnBlock(
  source: RealArray,
  target: RealArray,
  { source: from, stride, target: to }: Place,
  units: number,
  inputDim: number,
  factor: number,
): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const whole = inputDim - (inputDim % 4);
  for (let first = 0; first < units; first += TURNED_UNITS) {
    const end = Math.min(units, first + TURNED_UNITS);
    for (let feature = 0; feature < whole; feature += 4) {
      let r0 = from + feature * stride + first;
      let r1 = r0 + stride;
      let r2 = r1 + stride;
      let r3 = r2 + stride;
      let write = to + first * inputDim + feature;
      for (let unit = first; unit < end; unit++, write += inputDim) {
        const v0 = source[r0++];
        const v1 = source[r1++];
        const v2 = source[r2++];
        const v3 = source[r3++];
        s0 += v0 * v0;
        s1 += v1 * v1;
        s2 += v2 * v2;
        s3 += v3 * v3;
        target[write] = v0 * factor;
        target[write + 1] = v1 * factor;
        target[write + 2] = v2 * factor;
        target[write + 3] = v3 * factor;
      }
    }
    for (let feature = whole; feature < inputDim; feature++) {
      for (let unit = first; unit < end; unit++) {
        const value = source[from + feature * stride + unit];
        s0 += value * value;
        target[to + unit * inputDim + feature] = value * factor;
      }
    }
  }
  return s0 + s1 + (s2 + s3);
}
