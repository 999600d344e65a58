/**
 * Jacobians of a layer with respect to the model's input by pushing tiles of its steps through the layers: all pairs,
 * and the other Jacobians where recurrences stand between.
 *
 * Norms of pairs are those of both directions together, as every step depends on every other through a backward half.
 */
import type { DiagonalChunk, Direction, FinalChunk, PairsChunk, PairsQuantity } from '../../core/jacobian';
import { addNorms } from '../../core/linalg/scaling';
import { storedScale } from '../../core/linalg/stored-scale';
import type { RealTensor } from '../../core/tensor';
import type { PairsOptions, PropagateOptions, RealArray, StackRun } from '../engine';
import { newReals } from '../cells/run-cell';
import type { Ops } from '../ops';
import { Pace } from '../pace';
import { holdsWanted } from '../sequence-range';
import type { ScaledColumns, TileShape } from './scaled-columns';
import type { StackPath, StackRecurrence } from './stack-path';
import { planStack, stackSizes, stackTiles, type StackPlan, type StackSizes, type StackTile } from './stack-plan';
import { StackPush } from './stack-push';

/** The Jacobians of a layer through everything below it. */
export class PushedStack implements StackRun {
  /** See `StackRun.sequence`. */
  readonly sequence: RealTensor;
  private readonly sizes: StackSizes;

  /**
   * @param ops - Operations.
   * @param path - The layers below.
   * @param top - The layer with its states.
   * @param maxBytes - What there is for a tile.
   */
  constructor(
    private readonly ops: Ops,
    private readonly path: StackPath,
    private readonly top: StackRecurrence,
    private readonly maxBytes: number,
  ) {
    this.sizes = stackSizes(path, ops.engine);
    this.sequence = path.sequence;
  }

  /** See `StackRun.bytes`. */
  bytes(chunkBytes: number): number {
    return this.plan(chunkBytes).bytes;
  }

  /** See `StackRun.tileFlop`. */
  tileFlop(chunkBytes: number): Float64Array {
    const tiles = stackTiles(this.sizes, this.plan(chunkBytes));
    return Float64Array.from(tiles, ({ count }) => count * this.sizes.sourceFlop);
  }

  /**
   * Log norms of dh_t/du_s and dc_t/du_s of all directions together, every target of a tile of sources at a time.
   *
   * @param options - Signal, memory, and which tiles.
   *
   * Numerics: products in the engine's precision with exact exponents; natural logs within 1e-3.
   * Source: method.md 2.5 (Stacked, Bidirectional) and 2.7.
   */
  async *pairs({
    chunkBytes,
    signal,
    part,
  }: Pick<PairsOptions, 'chunkBytes' | 'signal' | 'part'>): AsyncGenerator<PairsChunk, void, void> {
    const { path, top, sizes } = this;
    const plan = this.plan(chunkBytes);
    const directions = top.runs.map(({ run }) => run.direction);
    const steps = top.runs[0]!.run.steps;
    const pace = new Pace(signal);
    const push = new StackPush(this.ops, path, top, plan.keepsVectors);
    try {
      for (const [number, tile] of stackTiles(sizes, plan).entries()) {
        if (part && !part.tiles.has(number)) continue;
        const { count } = tile;
        const logNorms = new Map<PairsQuantity, Float64Array>();
        await push.push({ tile, directions, lastTarget: null }, pace, ({ time, norms }) => {
          norms?.forEach((list, state) => {
            const quantity = state === 0 ? 'dh_dx' : 'dc_dx';
            const all = logNorms.get(quantity) ?? new Float64Array(steps * count).fill(-Infinity);
            logNorms.set(quantity, all);
            for (let k = 0; k < count; k++) {
              all[time * count + k] = addNorms(all[time * count + k]!, list[k]! * Math.LN2);
            }
          });
        });
        const place = { sequence: tile.sequence, targetStart: 0, targetCount: steps };
        for (const [quantity, values] of logNorms) {
          yield {
            ...{ mode: 'pairs', direction: directions[0]!, quantity, ...place, isJoined: true },
            ...{ sourceStart: tile.first, sourceCount: count, logNorms: values },
          };
        }
      }
    } finally {
      push.dispose();
    }
  }

  /**
   * dh_t/du_t and dc_t/du_t of one direction; x and u have the same steps.
   *
   * @param direction - Which recurrence.
   * @param options - Signal, memory, and which sequences.
   */
  async *diagonal(direction: Direction, options: PropagateOptions): AsyncGenerator<DiagonalChunk, void, void> {
    const wants = (tile: StackTile, time: number): readonly number[] => {
      return time >= tile.first && time < tile.first + tile.count ? [time - tile.first] : [];
    };
    for await (const { start, count, h, c } of this.blocks(
      direction,
      options,
      wants,
      (tile) => tile.first + tile.count - 1,
    )) {
      yield { mode: 'diagonal', direction, start, count, dhdx: h.unscaled(), dcdx: c?.unscaled() ?? null };
    }
  }

  /**
   * dh_T/du_s and dc_T/du_s of one direction.
   *
   * @param direction - Which recurrence.
   * @param options - Signal, memory, and which sequences.
   */
  async *final(direction: Direction, options: PropagateOptions): AsyncGenerator<FinalChunk, void, void> {
    const last = direction === 'forward' ? this.top.runs[0]!.run.steps - 1 : 0;
    const wants = (tile: StackTile, time: number): readonly number[] => {
      return time === last ? Array.from({ length: tile.count }, (_, k) => k) : [];
    };
    for await (const { start, count, h, c } of this.blocks(direction, options, wants, () => null)) {
      yield {
        ...{ mode: 'final', direction, start, count, dhTdx: h.data, dcTdx: c?.data ?? null },
        ...{ scaleH: h.scales, scaleC: c?.scales ?? null },
        ...{ lognormH: h.logNorms, lognormC: c?.logNorms ?? null },
      };
    }
  }

  private plan(chunkBytes: number): StackPlan {
    return planStack(this.sizes, chunkBytes, this.maxBytes);
  }

  /** Blocks of some targets, tile after tile of u, all sequences of a tile together. */
  private async *blocks(
    direction: Direction,
    { chunkBytes, signal, sequences }: PropagateOptions,
    wants: (tile: StackTile, time: number) => readonly number[],
    lastTarget: (tile: StackTile) => number | null,
  ): AsyncGenerator<{ start: number; count: number; h: Blocks; c: Blocks | null }, void, void> {
    const { ops, path, top, sizes } = this;
    const { run } = top.runs.find((one) => one.run.direction === direction)!;
    const plan = this.plan(chunkBytes);
    const tiles = stackTiles({ ...sizes, batch: 1 }, plan);
    const pace = new Pace(signal);
    const push = new StackPush(ops, path, top, plan.keepsVectors);
    try {
      for (const { first: start, count } of direction === 'forward' ? [...tiles].reverse() : tiles) {
        const h = new Blocks(ops, sizes, count, run.hiddenSize);
        const c = run.c ? new Blocks(ops, sizes, count, run.units) : null;
        for (let sequence = 0; sequence < run.batch; sequence++) {
          if (!holdsWanted(sequences, sequence, 1)) continue;
          const tile = { sequence, first: start, count };
          await push.push({ tile, directions: [direction], lastTarget: lastTarget(tile) }, pace, (step) => {
            const wanted = wants(tile, step.time);
            if (wanted.length === 0 || !step.h || !step.norms) return;
            h.put(step.tile, sequence, wanted, step.h, step.norms[0]!);
            if (c && step.c) c.put(step.tile, sequence, wanted, step.c, step.norms[1]!);
          });
        }
        yield { start, count, h, c };
      }
    } finally {
      push.dispose();
    }
  }
}

/** Blocks of some sources for all sequences, `[B, count, rows, D]`. */
class Blocks {
  readonly data: RealArray;
  readonly scales: Int32Array;
  readonly logNorms: Float64Array;

  constructor(
    ops: Ops,
    private readonly sizes: StackSizes,
    private readonly count: number,
    private readonly rows: number,
  ) {
    this.data = newReals(ops, sizes.batch * count * rows * sizes.width);
    this.scales = new Int32Array(sizes.batch * count);
    this.logNorms = new Float64Array(sizes.batch * count).fill(-Infinity);
  }

  /** Takes the blocks of some sources of a tile. */
  put(
    { ops, read }: TileShape,
    sequence: number,
    sources: readonly number[],
    { value, exponents }: ScaledColumns,
    norms: Float64Array,
  ): void {
    const { rows, count } = this;
    const { width } = this.sizes;
    const columns = value.shape[1]!;
    const first = sources.length === 1 ? sources[0]! : 0;
    const taken = sources.length === 1 ? width : columns;
    const numbers = ops.tidy(() =>
      read(taken === columns ? value : ops.slice(value, [0, first * width], [rows, taken])),
    );
    for (const k of sources) {
      const at = sequence * count + k;
      this.logNorms[at] = norms[k]! * Math.LN2;
      this.scales[at] = storedScale(this.logNorms[at]!);
      if (norms[k] === -Infinity) continue;
      const shift = exponents[k]! - this.scales[at]!;
      const factor = 2 ** shift;
      for (let row = 0; row < rows; row++) {
        for (let d = 0; d < width; d++) {
          this.data[(at * rows + row) * width + d] = numbers[row * taken + (k - first) * width + d]! * factor;
        }
      }
    }
  }

  /** The blocks as they are where their scale is left out. */
  unscaled(): RealArray {
    const size = this.rows * this.sizes.width;
    this.scales.forEach((scale, at) => {
      if (scale === 0) return;
      for (let j = at * size; j < (at + 1) * size; j++) this.data[j] = this.data[j]! * 2 ** scale;
    });
    return this.data;
  }
}
