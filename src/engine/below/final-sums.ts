/**
 * dh_T/du_k = sum over t of dh_T/dx_t dx_t/du_k, streamed: a step of u is given away as soon as no step of x that is
 * still to come depends on it, so that the windows that are open are all that is held.
 *
 * Blocks far apart in size meet in one sum, so every sum carries its own power of two.
 */
import type { Direction, FinalChunk } from '../../core/jacobian';
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../../core/linalg/scaling';
import type { LayerRun, PropagateOptions, RealArray } from '../engine';
import { Pace } from '../pace';
import { accumulate } from './accumulate';
import type { LocalJacobian } from './local-jacobian';
import type { Reach } from './reach';

/** Exponents outside this do not fit a float32 with room for a block's smaller entries. */
const FLOAT32_EXPONENT = 100;

/**
 * Chunks of `final` against u, in the order in which those against x come.
 *
 * @param chunks - `final` against x.
 * @param run - The layer run, for its precision.
 * @param direction - Which recurrence.
 * @param local - dx/du.
 * @param options - Signal and size of a chunk.
 *
 * Numerics: sums in float64 with an exponent; given in the engine's precision.
 */
export async function* finalOf(
  chunks: AsyncGenerator<FinalChunk, void, void>,
  run: LayerRun,
  direction: Direction,
  local: LocalJacobian,
  options: PropagateOptions,
): AsyncGenerator<FinalChunk, void, void> {
  const [batch, sourceSteps, features] = local.sequence.shape;
  const pace = new Pace(options.signal);
  const isForward = direction === 'forward';
  const isDouble = run.states[0].h instanceof Float64Array;
  const bounds = openBounds(local.reach, direction, sourceSteps);
  let sums: Sums | null = null;
  let next = isForward ? sourceSteps : 0;
  for await (const chunk of chunks) {
    const unitsOf = (blocks: RealArray): number => blocks.length / (batch * chunk.count * local.inputDim);
    sums ??= new Sums(batch, features, unitsOf(chunk.dhTdx), chunk.dcTdx && unitsOf(chunk.dcTdx));
    for (let n = 0; n < batch * chunk.count; n++) {
      await pace.breathe();
      // Newest step first, as the chunks come, so that a sum does not depend on where they are cut.
      sums.add(chunk, isForward ? batch * chunk.count - 1 - n : n, local);
    }
    const bound = bounds[isForward ? chunk.start : chunk.start + chunk.count - 1];
    const most = Math.max(1, Math.floor(options.chunkBytes / sums.stepBytes));
    while (isForward ? next > bound : next < bound) {
      await pace.breathe();
      const count = Math.min(most, Math.abs(bound - next));
      const start = isForward ? next - count : next;
      yield { mode: 'final', direction, start, count, ...sums.take(start, count, isDouble) };
      next = isForward ? start : start + count;
    }
  }
}

/**
 * Per step of x, once it is done: forward the first step of u that is complete, backward the first that is not.
 */
function openBounds(reach: Reach, direction: Direction, sourceSteps: number): Int32Array {
  const steps = reach.first.length;
  const bounds = new Int32Array(steps);
  if (direction === 'forward') {
    for (let t = 1; t < steps; t++) bounds[t] = Math.max(bounds[t - 1], reach.last[t - 1] + 1);
    return bounds;
  }
  bounds[steps - 1] = sourceSteps;
  for (let t = steps - 2; t >= 0; t--) bounds[t] = Math.min(bounds[t + 1], reach.first[t + 1]);
  return bounds;
}

/** A sum per sequence of one step of u, with a power of two beside each. */
interface Sum {
  /** `[B, rows, columns]` */
  readonly data: Float64Array;
  /** `[B]` */
  readonly exponents: Int32Array;
}

/** What a chunk holds of its blocks. */
type Blocks = Pick<FinalChunk, 'dhTdx' | 'dcTdx' | 'scaleH' | 'scaleC' | 'lognormH' | 'lognormC'>;

/** The sums of the steps of u that are open, by step. */
class Sums {
  /** Bytes of one step of u while it is given away. */
  readonly stepBytes: number;
  private readonly h = new Map<number, Sum>();
  private readonly c: Map<number, Sum> | null;

  constructor(
    private readonly batch: number,
    private readonly features: number,
    private readonly hiddenUnits: number,
    private readonly cellUnits: number | null,
  ) {
    this.c = cellUnits === null ? null : new Map<number, Sum>();
    this.stepBytes = batch * features * (hiddenUnits + (cellUnits ?? 0)) * Float64Array.BYTES_PER_ELEMENT;
  }

  /** Adds what block n of a chunk passes on to the steps of u in its window. */
  add(chunk: FinalChunk, n: number, local: LocalJacobian): void {
    const [b, t] = [Math.floor(n / chunk.count), chunk.start + (n % chunk.count)];
    for (let k = local.reach.first[t]; k <= local.reach.last[t]; k++) {
      const block = local.block(b, t, k)!;
      const part = (blocks: RealArray, units: number): RealArray =>
        blocks.subarray(n * units * local.inputDim, (n + 1) * units * local.inputDim);
      this.addTo(this.h, b, k, part(chunk.dhTdx, this.hiddenUnits), chunk.scaleH[n], block, local.inputDim);
      if (!chunk.dcTdx) continue;
      this.addTo(this.c!, b, k, part(chunk.dcTdx, this.cellUnits!), chunk.scaleC![n], block, local.inputDim);
    }
  }

  /** The blocks of `count` steps of u from `start`, in the engine's precision; they are held no longer. */
  take(start: number, count: number, isDouble: boolean): Blocks {
    const h = this.finish(this.h, this.hiddenUnits, start, count, isDouble);
    const c = this.c && this.finish(this.c, this.cellUnits!, start, count, isDouble);
    return {
      dhTdx: h.blocks,
      dcTdx: c?.blocks ?? null,
      scaleH: h.scales,
      scaleC: c?.scales ?? null,
      lognormH: h.lognorms,
      lognormC: c?.lognorms ?? null,
    };
  }

  /** Adds block `[rows, inner]` times 2^exponent times local `[inner, columns]`. */
  private addTo(
    sums: Map<number, Sum>,
    b: number,
    k: number,
    block: RealArray,
    exponent: number,
    local: Float64Array,
    inner: number,
  ): void {
    // An exact zero has the exponent 0, to which a sum far below it must not be brought.
    if (largestMagnitude(block) === 0) return;
    const { batch, features } = this;
    const units = block.length / inner;
    const size = units * features;
    let sum = sums.get(k);
    if (!sum) sums.set(k, (sum = { data: new Float64Array(batch * size), exponents: new Int32Array(batch) }));
    const target = sum.data.subarray(b * size, (b + 1) * size);
    if (largestMagnitude(target) === 0) sum.exponents[b] = exponent;
    const ahead = exponent - sum.exponents[b];
    if (ahead > 0) {
      for (let at = 0; at < size; at++) target[at] = scaleByPower(target[at], -ahead);
      sum.exponents[b] = exponent;
    }
    accumulate(target, block, local, units, inner, features, scaleByPower(1, Math.min(0, ahead)));
  }

  /** Blocks scaled only where the precision could not hold them; a step that nothing depends on is exactly zero. */
  private finish(
    sums: Map<number, Sum>,
    units: number,
    start: number,
    count: number,
    isDouble: boolean,
  ): { readonly blocks: RealArray; readonly scales: Int32Array; readonly lognorms: Float64Array } {
    const size = units * this.features;
    const length = this.batch * count;
    const blocks = isDouble ? new Float64Array(length * size) : new Float32Array(length * size);
    const scales = new Int32Array(length);
    const lognorms = new Float64Array(length).fill(-Infinity);
    const limit = isDouble ? 10 * FLOAT32_EXPONENT : FLOAT32_EXPONENT;
    for (let i = 0; i < count; i++) {
      const sum = sums.get(start + i);
      if (!sum) continue;
      sums.delete(start + i);
      for (let b = 0; b < this.batch; b++) {
        const index = b * count + i;
        const block = sum.data.subarray(b * size, (b + 1) * size);
        const largest = largestMagnitude(block);
        const exponent = sum.exponents[b];
        lognorms[index] = logNorm(block) + (largest === 0 ? 0 : exponent * Math.LN2);
        const total = largest === 0 || !Number.isFinite(largest) ? 0 : binaryExponent(largest) + exponent;
        if (Math.abs(total) > limit) scales[index] = total;
        const shift = exponent - scales[index];
        for (let at = 0; at < size; at++) blocks[index * size + at] = scaleByPower(block[at], shift);
      }
    }
    return { blocks, scales, lognorms };
  }
}
