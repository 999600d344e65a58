/**
 * The blocks of a chunk of `final` on the host: turned, measured and scaled in the engine, then copied to where they go.
 *
 * The engine gives (dtarget/dx)^T with exponents; the chunk wants `[units, inputDim]` blocks, multiplied out where
 * float32 holds them.
 */
import type { FinalChunk } from '../../core/jacobian';
import { logNorm } from '../../core/linalg/scaling';
import { newReals, type CellRun } from '../cells/run-cell';
import type { RealArray } from '../engine';
import type { Ops, Value } from '../ops';
import { openChunkBuffer, type ChunkBuffer } from './chunk-buffer';

/** Blocks whose norm has its binary exponent between these are multiplied out: float32 holds every entry that counts. */
const MIN_STORED_EXPONENT = -96;
const MAX_STORED_EXPONENT = 126;

/** Norms below this may have lost small squares to underflow; they are computed again in float64. */
const DOUBTFUL_NORM = 2 ** -50;

/** Jacobians of some consecutive timesteps of some sequences. */
export interface StepBlocks {
  /** (dtarget/dx)^T, `[n, b, D, S]`, the earliest timestep first; a value of the readable operations. */
  readonly value: Value;
  /** n */
  readonly steps: number;
  /** The earliest timestep. */
  readonly firstTime: number;
  readonly firstSequence: number;
  /** b */
  readonly sequences: number;
  /** `[R * b]`, the same for all of these steps. */
  readonly exponents: Int32Array;
}

/** The host arrays of a stream of `final` chunks, written again for each chunk. */
export class FinalBlocks {
  /** Of h, and of c for an LSTM. */
  private readonly buffers: readonly ChunkBuffer[];

  /**
   * @param ops - Operations, whose precision the chunks have.
   * @param readableOps - Operations of the values that come.
   * @param run - Sizes and direction.
   * @param blockSizes - Units of h, and of c for an LSTM.
   * @param chunkSteps - Most timesteps in a chunk.
   */
  constructor(
    ops: Ops,
    private readonly readableOps: Ops,
    private readonly run: CellRun,
    private readonly blockSizes: readonly number[],
    chunkSteps: number,
  ) {
    const { inputDim, batch } = run;
    this.buffers = blockSizes.map((size) => {
      const rowLength = size * inputDim;
      return openChunkBuffer(readableOps, batch * chunkSteps, rowLength, (length) => newReals(ops, length));
    });
  }

  /**
   * Writes some timesteps of a chunk: blocks, scales and log norms.
   *
   * Numerics: norms in the engine's precision, in float64 where squares may have been lost.
   *
   * @param blocks - What the engine gives.
   * @param chunk - The chunk.
   */
  put(blocks: StepBlocks, chunk: FinalChunk): void {
    const { readableOps: ops } = this;
    const { steps, sequences, firstTime, firstSequence } = blocks;
    const rowOf = (b: number): number => (firstSequence + b) * chunk.count + firstTime - chunk.start;
    ops.tidy(() => {
      this.turned(blocks).forEach((turned, r) => {
        const factors = this.measure(turned, r, blocks, rowOf, chunk);
        const isScaled = factors.some((factor) => factor !== 1);
        const scaled = isScaled ? ops.mul(turned, ops.upload(factors, [factors.length, 1])) : turned;
        for (let b = 0; b < sequences; b++) {
          const own = sequences === 1 ? scaled : ops.slice(scaled, [b * steps, 0], [steps, turned.shape[1]]);
          this.buffers[r].put(own, rowOf(b));
        }
      });
    });
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
    const part = (r: number): RealArray => this.buffers[r].array.subarray(0, rows * this.blockSizes[r] * inputDim);
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
    this.buffers.forEach(({ array }, r) => {
      const length = this.blockSizes[r] * this.run.inputDim * chunk.count;
      array.fill(0, firstSequence * length, (firstSequence + sequences) * length);
    });
  }

  /** Lets go of the engine's hold on the arrays. */
  dispose(): void {
    for (const buffer of this.buffers) buffer.dispose();
  }

  /** Blocks per state, `[b * n, units * D]`, sequence after sequence. */
  private turned({ value, steps, sequences }: StepBlocks): readonly Value[] {
    const { readableOps: ops, blockSizes } = this;
    const { inputDim } = this.run;
    const flat = (part: Value, r: number): Value => ops.reshape(part, [sequences * steps, blockSizes[r] * inputDim]);
    const states = blockSizes.length;
    const [units] = blockSizes;
    if (blockSizes.every((size) => size === units)) {
      // The states come to the front, so that their parts are views.
      const apart = ops.reshape(value, [steps, sequences, inputDim, states, units]);
      return ops.split(ops.transpose(apart, [3, 1, 0, 4, 2]), states, 0).map(flat);
    }
    const targets = blockSizes.reduce((sum, size) => sum + size, 0);
    const apart = ops.reshape(value, [steps, sequences, inputDim, targets]);
    return ops.split(ops.transpose(apart, [1, 0, 3, 2]), blockSizes, 2).map(flat);
  }

  /** Writes log norms and scales; what each block is multiplied by. */
  private measure(
    turned: Value,
    r: number,
    { steps, sequences, exponents }: StepBlocks,
    rowOf: (b: number) => number,
    chunk: FinalChunk,
  ): Float64Array {
    const { readableOps: ops } = this;
    const lognorms = r === 0 ? chunk.lognormH : (chunk.lognormC as Float64Array);
    const scales = r === 0 ? chunk.scaleH : (chunk.scaleC as Int32Array);
    const norms = ops.tidy(() => ops.read(ops.norm(turned, [1])));
    const factors = new Float64Array(norms.length).fill(1);
    for (let b = 0; b < sequences; b++) {
      const exponent = exponents[r * sequences + b];
      for (let i = 0; i < steps; i++) {
        const at = b * steps + i;
        const row = rowOf(b) + i;
        const isDoubtful = norms[at] < DOUBTFUL_NORM || norms[at] === Infinity;
        const own = isDoubtful ? exactLogNorm(ops, turned, at) : Math.log(norms[at]);
        lognorms[row] = own + exponent * Math.LN2;
        if (own === -Infinity) continue;
        if (isHeldByFloat32(lognorms[row], exponent)) factors[at] = 2 ** exponent;
        else scales[row] = exponent;
      }
    }
    return factors;
  }
}

/** The log norm of a row, added in float64. */
function exactLogNorm(ops: Ops, rows: Value, row: number): number {
  return ops.tidy(() => logNorm(ops.read(ops.slice(rows, [row, 0], [1, rows.shape[1]]))));
}

/** Whether float32 holds a block of this log norm; one that is not finite is stored as it is. */
function isHeldByFloat32(lognorm: number, exponent: number): boolean {
  if (!Number.isFinite(lognorm)) return true;
  const isInside = lognorm >= MIN_STORED_EXPONENT * Math.LN2 && lognorm < MAX_STORED_EXPONENT * Math.LN2;
  return isInside && Math.abs(exponent) <= MAX_STORED_EXPONENT;
}
