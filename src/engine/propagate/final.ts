/**
 * dh_T/dx_s and dc_T/dx_s of a batch, newest source step first, in chunks.
 *
 * Per chunk and tile of sequences: vectors of all steps at once, operators group by group, rows pulled step by step,
 * results laid into one reused host buffer, then norms and scales in float64 on the host.
 */
import { binaryExponent, largestMagnitude, scaleByPower } from '../../core/linalg/scaling';
import type { FinalChunk } from '../../core/jacobian';
import type { CellRun } from '../cells/run-cell';
import { sliceVectors } from '../cells/factored-step';
import type { StepVectors, TensorCell } from '../cells/tensor-cell';
import { timeIndex } from '../cells/valid-steps';
import type { PropagateOptions, RealArray } from '../engine';
import type { Ops, Value } from '../ops';
import { Pace } from '../pace';
import { openChunkBuffer, type ChunkBuffer } from './chunk-buffer';
import { FinalRows, type PullOperands } from './final-rows';
import { planFinal, type FinalPlan } from './plan';
import { uploadPoints } from './step-points';

/** Blocks whose largest entry has its exponent within this range are stored as they are: float32 holds them. */
const FLOAT32_EXPONENT = 126;

/** Powers of two that a double holds with room to spare. */
const DOUBLE_EXPONENT = 1000;

/** Sequences that go together, with their rows. */
interface Tile {
  readonly first: number;
  readonly count: number;
  readonly rows: FinalRows;
}

/** The chunk that is being filled: row (r, b, i) is block r of sequence b at time `start + i`. */
interface Filling {
  readonly start: number;
  readonly count: number;
  readonly buffer: ChunkBuffer;
  /** Exponent of each row. */
  readonly exponents: Int32Array;
}

/**
 * Chunks of the Jacobians of the last state. A forward recurrence gives falling `start`, a backward one rising.
 *
 * Numerics: float32 products, each block of rows kept near 1 by exact powers of two; norms in float64; within 1e-4 of
 * the block's largest entry and 1e-3 in the log norm. Source: method.md 2.5, 2.7 and 2.12.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param options - Signal and size of a chunk.
 */
export async function* propagateFinal(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  options: PropagateOptions,
): AsyncGenerator<FinalChunk, void, void> {
  const plan = planFinal({ ...sizesOf(cell, run), chunkBytes: options.chunkBytes });
  const pace = new Pace(options.signal);
  const rowCount = cell.stateBlocks * run.batch * plan.chunkSteps;
  const tiles: Tile[] = [];
  const buffer = openChunkBuffer(ops, rowCount, run.units * run.inputDim);
  try {
    for (let first = 0; first < run.batch; first += plan.sequences) {
      const count = Math.min(plan.sequences, run.batch - first);
      tiles.push({ first, count, rows: new FinalRows(ops, cell, count) });
    }
    for (let end = run.steps; end > 0; end -= plan.chunkSteps) {
      const begin = Math.max(0, end - plan.chunkSteps);
      const count = end - begin;
      const start = run.direction === 'forward' ? begin : run.steps - end;
      const exponents = new Int32Array(cell.stateBlocks * run.batch * count);
      const filling: Filling = { start, count, buffer, exponents };
      for (const tile of tiles) await fillTile(ops, cell, run, plan, tile, end, filling, pace);
      yield finishChunk(cell, run, filling);
      await pace.breathe();
    }
  } finally {
    for (const tile of tiles) tile.rows.dispose();
    buffer.dispose();
  }
}

/** Sizes that the plan depends on. */
function sizesOf(cell: TensorCell, run: CellRun) {
  const { batch, steps, units, inputDim } = run;
  const { stateBlocks, operatorColumns, vectorLength } = cell;
  return { batch, steps, units, inputDim, stateBlocks, operatorColumns, vectorLength };
}

/** Pulls one tile through the steps of a chunk, the computed steps `end - 1` down to `end - count`. */
async function fillTile(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  plan: FinalPlan,
  tile: Tile,
  end: number,
  filling: Filling,
  pace: Pace,
): Promise<void> {
  const steps = Array.from({ length: filling.count }, (_, i) => end - 1 - i);
  if (tile.rows.isZero()) {
    zeroRows(cell, run, tile, filling);
    return;
  }
  const selection = { firstSequence: tile.first, sequences: tile.count, steps, slowest: 'step' } as const;
  const vectors = ops.tidy(() => cell.vectors(uploadPoints(ops, run, selection)));
  try {
    for (let done = 0; done < steps.length; done += plan.groupSteps) {
      const group = steps.slice(done, done + plan.groupSteps);
      ops.tidy(() => {
        const part = sliceVectors(ops, vectors, done * tile.count, group.length * tile.count);
        const operands = operandsOf(ops, cell, run, tile, part, group);
        tile.rows.pull(operands, (inputs, first, exponents) => {
          layRows(ops, cell, run, tile, filling, inputs, group.slice(first, first + inputs.length), exponents);
        });
      });
      await pace.breathe();
    }
  } finally {
    ops.dispose(...Object.values(vectors));
  }
}

/** Operators, carries and masks of the steps of a group. */
function operandsOf(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  tile: Tile,
  vectors: StepVectors,
  group: readonly number[],
): PullOperands[] {
  const { count } = tile;
  const size = cell.units * cell.stateBlocks;
  const all = cell.operators(vectors);
  const flat = count === 1 ? ops.reshape(all, [group.length * size, cell.operatorColumns]) : all;
  const operators = ops.split(flat, group.length, 0);
  const carry = cell.carry(vectors);
  const carries = carry ? ops.split(ops.reshape(carry, [group.length * count * size]), group.length, 0) : null;
  return group.map((n, at) => ({
    operator: operators[at],
    carry: carries ? carries[at] : null,
    valid: validFlags(ops, run, tile, n),
  }));
}

/** Truth values `[b, 1, 1]` (`[1, 1]` for one sequence), null when no sequence of the tile is masked at this step. */
function validFlags(ops: Ops, run: CellRun, tile: Tile, n: number): Value | null {
  const { mask } = run;
  if (!mask) return null;
  const t = timeIndex(run.direction, run.steps, n);
  const flags = Float64Array.from({ length: tile.count }, (_, i) => mask[(tile.first + i) * run.steps + t]);
  if (flags.every((flag) => flag !== 0)) return null;
  return ops.greater(ops.upload(flags, tile.count === 1 ? [1, 1] : [tile.count, 1, 1]), ops.constant(0.5));
}

/** Copies (dtarget/dx)^T of consecutive steps to their rows of the buffer. */
function layRows(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  tile: Tile,
  filling: Filling,
  inputs: readonly Value[],
  steps: readonly number[],
  exponents: Int32Array,
): void {
  const { units, inputDim, direction } = run;
  const { stateBlocks } = cell;
  const { count } = tile;
  const ascending = direction === 'forward' ? [...inputs].reverse() : inputs;
  const firstStep = direction === 'forward' ? steps[steps.length - 1] : steps[0];
  const firstIndex = timeIndex(direction, run.steps, firstStep) - filling.start;
  ops.tidy(() => {
    const joined = ops.concat(ascending, 0);
    const blocks = ops.reshape(joined, [inputs.length, count, inputDim, stateBlocks, units]);
    const rows = ops.split(orderRows(ops, blocks), stateBlocks * count, 0);
    rows.forEach((value, at) => {
      const sequence = at % count;
      const block = (at - sequence) / count;
      const row = (block * run.batch + tile.first + sequence) * filling.count + firstIndex;
      filling.buffer.put(value, row);
      filling.exponents.fill(exponents[at], row, row + inputs.length);
    });
  });
}

/** `[n, b, D, R, H]` as `[R * b, n, H, D]`. */
function orderRows(ops: Ops, blocks: Value): Value {
  const [steps, count, inputDim, stateBlocks, units] = blocks.shape;
  const shape = [stateBlocks * count, steps, units, inputDim];
  if (count > 1) return ops.reshape(ops.transpose(blocks, [3, 1, 0, 4, 2]), shape);
  const single = ops.reshape(blocks, [steps, inputDim, stateBlocks, units]);
  return ops.reshape(ops.transpose(single, [2, 0, 3, 1]), shape);
}

/** Rows of a tile that is exactly zero. */
function zeroRows(cell: TensorCell, run: CellRun, tile: Tile, filling: Filling): void {
  const length = run.units * run.inputDim * filling.count;
  for (let block = 0; block < cell.stateBlocks; block++) {
    for (let sequence = tile.first; sequence < tile.first + tile.count; sequence++) {
      const start = (block * run.batch + sequence) * length;
      filling.buffer.array.fill(0, start, start + length);
    }
  }
}

/** Norms and scales of all rows; blocks that float32 holds are multiplied out. */
function finishChunk(cell: TensorCell, run: CellRun, filling: Filling): FinalChunk {
  const { start, count, buffer, exponents } = filling;
  const length = run.units * run.inputDim;
  const rows = run.batch * count;
  const block = (at: number): { jacobian: RealArray; scale: Int32Array; lognorm: Float64Array } => {
    const jacobian = buffer.array.subarray(at * rows * length, (at + 1) * rows * length);
    const scale = new Int32Array(rows);
    const lognorm = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      const view = jacobian.subarray(row * length, (row + 1) * length);
      const exponent = exponents[at * rows + row];
      lognorm[row] = 0.5 * Math.log(sumOfSquares(view)) + exponent * Math.LN2;
      scale[row] = storeBlock(view, exponent, lognorm[row]);
    }
    return { jacobian, scale, lognorm };
  };
  const h = block(0);
  const c = cell.stateBlocks === 2 ? block(1) : null;
  return {
    mode: 'final',
    direction: run.direction,
    start,
    count,
    dhTdx: h.jacobian,
    dcTdx: c?.jacobian ?? null,
    scaleH: h.scale,
    scaleC: c?.scale ?? null,
    lognormH: h.lognorm,
    lognormC: c?.lognorm ?? null,
  };
}

/** The exponent that stays beside the block; the rest of `exponent` is multiplied into it. */
function storeBlock(block: RealArray, exponent: number, lognorm: number): number {
  const isOrdinary = Math.abs(lognorm) < (FLOAT32_EXPONENT - 24) * Math.LN2;
  if (!Number.isFinite(lognorm) || (isOrdinary && exponent === 0)) return 0;
  const full = binaryExponent(largestMagnitude(block)) + exponent;
  const scale = Math.abs(full) <= FLOAT32_EXPONENT ? 0 : full;
  const shift = exponent - scale;
  if (Math.abs(shift) <= DOUBLE_EXPONENT) {
    const factor = 2 ** shift;
    for (let at = 0; at < block.length; at++) block[at] *= factor;
  } else {
    for (let at = 0; at < block.length; at++) block[at] = scaleByPower(block[at], shift);
  }
  return scale;
}

/** In float64, four sums side by side: one alone waits for each addition. */
function sumOfSquares(values: RealArray): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const even = values.length - (values.length % 4);
  for (let at = 0; at < even; at += 4) {
    s0 += values[at] * values[at];
    s1 += values[at + 1] * values[at + 1];
    s2 += values[at + 2] * values[at + 2];
    s3 += values[at + 3] * values[at + 3];
  }
  for (let at = even; at < values.length; at++) s0 += values[at] * values[at];
  return s0 + s1 + (s2 + s3);
}
