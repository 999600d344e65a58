/**
 * Whole Jacobians of all pairs of steps, row of targets by row of targets, by pushing tiles of sources.
 *
 * Only the columns of one tile are held, and one row of its blocks on the host; the tiles are those of sizes alone.
 */
import type { PairBlocksChunk } from '../../core/jacobian';
import { newReals, type CellRun } from '../cells/run-cell';
import type { TensorCell } from '../cells/tensor-cell';
import { validSteps } from '../cells/valid-steps';
import type { PropagateOptions } from '../engine';
import type { Ops } from '../ops';
import { Pace } from '../pace';
import { chooseArithmetic, type Arithmetic } from './arithmetic';
import { BlockBuffer, type RawBlock } from './block-buffer';
import { columnFactors } from './column-products';
import { COLUMN_BYTES } from './plan';
import { pushLanes, type Lane } from './push-lanes';
import type { PushedColumns, PushedNorms } from './pushed-columns';

/** As for norms: near 2^24, far above where a strongly contracting step loses digits. */
const KEPT_EXPONENT = 24;

/** A state whose norm is below 2^-60 of what is kept is brought near 1 before it is rounded to float32. */
const FAINT_EXPONENT = -60;

/** The largest power of two that a factor may have, in float32 and where the columns are float64. */
const MAX_FACTOR_EXPONENT = { single: 126, double: 1000 } as const;

/**
 * Whole blocks dh_t/dx_s and dc_t/dx_s; see `PairBlocksChunk`.
 *
 * Numerics: float32 products (float64 for small cells) with exact exponents; a block is stored with a scale of its own
 * where float32 does not hold it. Source: method.md 2.5 (push) and 2.7.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param options - Size of what is held, and when to stop.
 */
export async function* propagatePairBlocks(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  { signal, chunkBytes }: PropagateOptions,
): AsyncGenerator<PairBlocksChunk, void, void> {
  const pace = new Pace(signal);
  const arithmetic = chooseArithmetic(ops, cell);
  const valid = validSteps(run.direction, run.batch, run.steps, run.mask);
  if (valid.longest === 0) return;
  const { inputDim, stateSize, hiddenSize, blockSizes } = cell;
  const atOnce = Math.max(1, Math.floor(Math.min(COLUMN_BYTES, chunkBytes) / (4 * stateSize * inputDim)));
  const tile = Math.min(atOnce, valid.longest);
  const lanesAtOnce = Math.max(1, Math.floor(atOnce / tile));
  for (let first = 0; first < valid.longest; first += tile) {
    const all: Lane[] = [];
    for (let sequence = 0; sequence < run.batch; sequence++) {
      if (valid.of(sequence).length > first) all.push({ sequence, first });
    }
    for (let at = 0; at < all.length; at += lanesAtOnce) {
      const lanes = all.slice(at, at + lanesAtOnce);
      const lengths = lanes.map(({ sequence }) => valid.of(sequence).length - first);
      const steps = Math.max(...lengths);
      const sources = Math.min(tile, steps);
      const buffers = lanes.map(({ sequence }) => {
        const { direction, steps: all } = run;
        const times = { sequence, direction, steps: all, valid: valid.of(sequence), hiddenSize, stateSize };
        return new BlockBuffer(times, blockSizes, inputDim, sources, (length) => newReals(ops, length));
      });
      const order = { lanes, steps, source: 'input', sources, hasInitial: false, keptExponent: KEPT_EXPONENT } as const;
      for await (const { taken, columns, norms } of pushLanes(arithmetic, run, valid, order, pace)) {
        const read = readColumns(arithmetic, columns, norms, lanes.length);
        for (const [lane, { sequence }] of lanes.entries()) {
          if (taken > lengths[lane]) continue;
          const known = Math.min(taken, sources);
          buffers[lane].begin(first, known);
          for (let source = 0; source < known; source++) {
            blockSizes.forEach((_, state) => buffers[lane].put(state, source, read.block(state, lane, source)));
          }
          yield* buffers[lane].chunks(first + taken - 1, sequence);
        }
      }
    }
  }
}

/** Columns on the host. */
export interface ReadColumns {
  /** Rows of h (state 0) or c (1) with respect to a source, each source having `columns.widthOf(source)` columns. */
  block(state: number, lane: number, source: number): RawBlock;
}

/**
 * The columns as they are, on the host; a state far smaller than the other is not lost in rounding to float32.
 *
 * @param arithmetic - In which the columns are.
 * @param columns - The columns.
 * @param norms - What their `measure` gave last.
 * @param lanes - How many lanes they have.
 */
export function readColumns(
  arithmetic: Arithmetic,
  columns: PushedColumns,
  norms: PushedNorms,
  lanes: number,
): ReadColumns {
  const { cell } = arithmetic;
  const { sources } = columns;
  const widths = Array.from({ length: sources }, (_, source) => columns.widthOf(source));
  const starts = [0];
  for (const width of widths) starts.push(starts[starts.length - 1] + width);
  const total = starts[sources];
  const limit = MAX_FACTOR_EXPONENT[arithmetic.readableOps === arithmetic.ops ? 'single' : 'double'];
  const states = (cell.stateBlocks === 2 ? (['h', 'c'] as const) : (['h'] as const)).map((state) => {
    const logNorms = state === 'h' ? norms.h : (norms.c as Float64Array);
    const lifts = new Int32Array(lanes * sources);
    for (let lane = 0; lane < lanes; lane++) {
      for (let source = 0; source < sources; source++) {
        const at = lane * sources + source;
        const kept = logNorms[at] / Math.LN2 - columns.exponentOf(lane, source);
        if (Number.isFinite(kept) && kept < FAINT_EXPONENT) lifts[at] = Math.min(limit, Math.round(-kept));
      }
    }
    const isLifted = lifts.some((lift) => lift !== 0);
    return { values: columns.readRows(state, isLifted ? columnFactors(lifts, widths) : null), logNorms, lifts };
  });
  return {
    block(state, lane, source) {
      const { values, logNorms, lifts } = states[state];
      const at = lane * sources + source;
      const start = lane * cell.blockSizes[state] * total + starts[source];
      const exponent = columns.exponentOf(lane, source) - lifts[at];
      return { values, start, stride: total, exponent, logNorm: logNorms[at] };
    },
  };
}
