/**
 * A layer's Jacobians with respect to the model's input: the layer's own ones times dx/du.
 *
 * dh_T/du_k = sum over t of dh_T/dx_t dx_t/du_k, and dh_t/du_t likewise over the steps up to t whose window holds t.
 * Blocks far apart in size meet in one sum, so every sum carries its own power of two.
 */
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../../core/linalg/scaling';
import { addProduct } from '../../core/linalg/products';
import { cellsOf, type CellDescription, type RecurrentLayer } from '../../core/model';
import type { DiagonalChunk, Direction, FinalChunk } from '../../core/jacobian';
import { makeReferenceCell } from '../../core/reference/reference-cell';
import { newStepJacobians } from '../../core/reference/cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../../core/reference/run-cell';
import type { LayerInput, LayerRun, PropagateOptions, RealArray } from '../engine';
import { Pace } from '../pace';
import type { LocalJacobian } from './local-jacobian';

/** Exponents outside this do not fit a float32 with room for a block's smaller entries. */
const FLOAT32_EXPONENT = 100;

/**
 * The same layer run, differentiated against the model's input.
 *
 * @param run - The layer run; disposed with the result.
 * @param layer - The layer.
 * @param input - What it was fed.
 * @param local - dx/du.
 * @returns `diagonal` gives nothing where T of the layer is not T of the model.
 */
export function withRespectToModelInput(
  run: LayerRun,
  layer: RecurrentLayer,
  input: LayerInput,
  local: LocalJacobian,
): LayerRun {
  const features = local.sequence.shape[2];
  const cellOf = (direction: Direction): CellDescription =>
    cellsOf(layer.operation).find((entry) => entry.direction === direction)!.cell;
  return {
    batch: run.batch,
    steps: run.steps,
    units: run.units,
    inputDim: features,
    states: run.states,
    diagonal: (direction, options) =>
      local.isStepwise
        ? stepwiseDiagonal(run.diagonal(direction, options), run, local)
        : bandedDiagonal(
            trajectories(run, input, cellOf(direction), direction),
            cellOf(direction),
            direction,
            local,
            options,
          ),
    final: (direction, options) => finalOf(run.final(direction, options), run, local, direction, options),
    leadingExponent: (direction, warmUp, signal) => run.leadingExponent(direction, warmUp, signal),
    dispose: () => run.dispose(),
  };
}

/** dh_t/dx_t dx_t/du_t, chunk by chunk. */
async function* stepwiseDiagonal(
  chunks: AsyncGenerator<DiagonalChunk, void, void>,
  run: LayerRun,
  local: LocalJacobian,
): AsyncGenerator<DiagonalChunk, void, void> {
  const features = local.sequence.shape[2];
  for await (const chunk of chunks) {
    const multiply = (blocks: RealArray): RealArray => {
      const units = blocks.length / (run.batch * chunk.count * local.inputDim);
      const size = units * local.inputDim;
      const made = likeArray(blocks, run.batch * chunk.count * units * features);
      for (let n = 0; n < run.batch * chunk.count; n++) {
        const [b, t] = [Math.floor(n / chunk.count), chunk.start + (n % chunk.count)];
        const sum = new Float64Array(units * features);
        accumulate(
          sum,
          blocks.subarray(n * size, (n + 1) * size),
          local.block(b, t, t)!,
          units,
          local.inputDim,
          features,
        );
        made.set(sum, n * units * features);
      }
      return made;
    };
    yield { ...chunk, dhdx: multiply(chunk.dhdx), dcdx: chunk.dcdx && multiply(chunk.dcdx) };
  }
}

/**
 * The same where windows overlap: x_k with k before t depends on u_t too, so the Jacobians at small lags are needed.
 * They are pushed in float64 along the engine's own states.
 */
async function* bandedDiagonal(
  sequences: readonly Trajectory[],
  description: CellDescription,
  direction: Direction,
  local: LocalJacobian,
  options: PropagateOptions,
): AsyncGenerator<DiagonalChunk, void, void> {
  const pace = new Pace(options.signal);
  const cell = makeReferenceCell(description);
  const { units, stateSize, inputDim } = cell;
  const [batch, steps, features] = local.sequence.shape;
  const jacobians = newStepJacobians(cell);
  const size = units * features;
  const [h, c] = [new Float64Array(batch * steps * size), cell.hasCell ? new Float64Array(batch * steps * size) : null];
  for (let b = 0; b < batch; b++) {
    const trajectory = sequences[b];
    // Open sums ds_n/du_k for every k that a step so far has reached and that is not yet behind.
    const open = new Map<number, Float64Array>();
    for (let n = 0; n < steps; n++) {
      await pace.breathe();
      const t = timeIndex(direction, steps, n);
      if (isValidStep(trajectory, t)) {
        const previous = stateBefore(trajectory, units, n);
        cell.linearise(trajectory.x.subarray(t * inputDim, (t + 1) * inputDim), previous, jacobians, 'both');
        for (const [k, sum] of open) {
          const pushed = new Float64Array(sum.length);
          accumulate(pushed, jacobians.stateJacobian, sum, stateSize, stateSize, features);
          open.set(k, pushed);
        }
        for (let k = local.reach.first[t]; k <= local.reach.last[t]; k++) {
          const sum = open.get(k) ?? new Float64Array(stateSize * features);
          accumulate(sum, jacobians.inputJacobian, local.block(b, t, k)!, stateSize, inputDim, features);
          open.set(k, sum);
        }
      }
      const own = open.get(t);
      if (own) h.set(own.subarray(0, size), (b * steps + t) * size);
      if (own && c) c.set(own.subarray(size), (b * steps + t) * size);
      // Steps that the recurrence has passed are no longer asked for.
      for (const k of open.keys()) if (direction === 'forward' ? k <= t : k >= t) open.delete(k);
    }
  }
  yield { mode: 'diagonal', direction, start: 0, count: steps, dhdx: h, dcdx: c };
}

/** The engine's own states of each sequence, in float64. */
function trajectories(
  run: LayerRun,
  input: LayerInput,
  cell: CellDescription,
  direction: Direction,
): readonly Trajectory[] {
  const states = run.states.find((entry) => entry.direction === direction)!;
  const x = (direction === 'backward' ? input.backwardX : null) ?? input.x;
  const initial = input.initialState[direction];
  const { batch, steps } = run;
  const part = (data: ArrayLike<number>, b: number, size: number): Float64Array =>
    Float64Array.from({ length: size }, (_, index) => data[b * size + index]);
  return Array.from({ length: batch }, (_, b) => ({
    direction,
    steps,
    x: part(x.data, b, steps * cell.inputDim),
    mask: input.mask?.data.subarray(b * steps, (b + 1) * steps) ?? null,
    initial: {
      h: initial ? part(initial.h0.data, b, cell.units) : new Float64Array(cell.units),
      c:
        cell.kind !== 'LSTM' ? null : initial?.c0 ? part(initial.c0.data, b, cell.units) : new Float64Array(cell.units),
    },
    h: part(states.h, b, steps * cell.units),
    c: states.c ? part(states.c, b, steps * cell.units) : null,
  }));
}

/** Sums of blocks with a power of two beside them, one per (sequence, step of u). */
class ScaledBlocks {
  readonly data: Float64Array;
  readonly exponents: Int32Array;

  constructor(
    count: number,
    private readonly rows: number,
    private readonly columns: number,
  ) {
    this.data = new Float64Array(count * rows * columns);
    this.exponents = new Int32Array(count);
  }

  /** Adds block `[rows, inner]` times 2^exponent times local `[inner, columns]`. */
  add(index: number, block: RealArray, exponent: number, local: Float64Array, inner: number): void {
    // An exact zero has the exponent 0, to which a sum far below it must not be brought.
    if (largestMagnitude(block) === 0) return;
    const size = this.rows * this.columns;
    const target = this.data.subarray(index * size, (index + 1) * size);
    const isEmpty = largestMagnitude(target) === 0;
    if (isEmpty) this.exponents[index] = exponent;
    const ahead = exponent - this.exponents[index];
    if (ahead > 0) {
      for (let at = 0; at < size; at++) target[at] = scaleByPower(target[at], -ahead);
      this.exponents[index] = exponent;
    }
    accumulate(target, block, local, this.rows, inner, this.columns, scaleByPower(1, Math.min(0, ahead)));
  }
}

/** All of `final` against u, newest step first. */
async function* finalOf(
  chunks: AsyncGenerator<FinalChunk, void, void>,
  run: LayerRun,
  local: LocalJacobian,
  direction: Direction,
  options: PropagateOptions,
): AsyncGenerator<FinalChunk, void, void> {
  const [batch, sourceSteps, features] = local.sequence.shape;
  const pace = new Pace(options.signal);
  let sums: { readonly h: ScaledBlocks; readonly c: ScaledBlocks | null; readonly units: number } | null = null;
  for await (const chunk of chunks) {
    await pace.breathe();
    const units = chunk.dhTdx.length / (batch * chunk.count * local.inputDim);
    const make = (): ScaledBlocks => new ScaledBlocks(batch * sourceSteps, units, features);
    sums ??= { h: make(), c: chunk.dcTdx ? make() : null, units };
    const size = units * local.inputDim;
    for (let n = 0; n < batch * chunk.count; n++) {
      const [b, t] = [Math.floor(n / chunk.count), chunk.start + (n % chunk.count)];
      for (let k = local.reach.first[t]; k <= local.reach.last[t]; k++) {
        const block = local.block(b, t, k)!;
        const index = b * sourceSteps + k;
        sums.h.add(index, chunk.dhTdx.subarray(n * size, (n + 1) * size), chunk.scaleH[n], block, local.inputDim);
        if (chunk.dcTdx)
          sums.c!.add(index, chunk.dcTdx.subarray(n * size, (n + 1) * size), chunk.scaleC![n], block, local.inputDim);
      }
    }
  }
  if (!sums) return;
  const isDouble = run.states[0].h instanceof Float64Array;
  const h = finished(sums.h, sums.units * features, isDouble);
  const c = sums.c && finished(sums.c, sums.units * features, isDouble);
  yield {
    mode: 'final',
    direction,
    start: 0,
    count: sourceSteps,
    dhTdx: h.blocks,
    dcTdx: c?.blocks ?? null,
    scaleH: h.scales,
    scaleC: c?.scales ?? null,
    lognormH: h.lognorms,
    lognormC: c?.lognorms ?? null,
  };
}

/** Blocks in the engine's precision, scaled only where that precision could not hold them. */
function finished(
  sums: ScaledBlocks,
  size: number,
  isDouble: boolean,
): { readonly blocks: RealArray; readonly scales: Int32Array; readonly lognorms: Float64Array } {
  const count = sums.exponents.length;
  const blocks = isDouble ? new Float64Array(count * size) : new Float32Array(count * size);
  const scales = new Int32Array(count);
  const lognorms = new Float64Array(count);
  const limit = isDouble ? 10 * FLOAT32_EXPONENT : FLOAT32_EXPONENT;
  for (let index = 0; index < count; index++) {
    const block = sums.data.subarray(index * size, (index + 1) * size);
    const largest = largestMagnitude(block);
    const exponent = sums.exponents[index];
    lognorms[index] = logNorm(block) + (largest === 0 ? 0 : exponent * Math.LN2);
    const total = largest === 0 || !Number.isFinite(largest) ? 0 : binaryExponent(largest) + exponent;
    const isHeld = Math.abs(total) <= limit;
    if (!isHeld) scales[index] = total;
    const shift = exponent - scales[index];
    for (let at = 0; at < size; at++) blocks[index * size + at] = scaleByPower(block[at], shift);
  }
  return { blocks, scales, lognorms };
}

function likeArray(array: RealArray, length: number): RealArray {
  return array instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
}

/** out `[rows, columns]` += factor a `[rows, inner]` b `[inner, columns]`. */
function accumulate(
  out: Float64Array,
  a: RealArray,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
  factor = 1,
): void {
  const left = a instanceof Float64Array && factor === 1 ? a : Float64Array.from(a, (value) => value * factor);
  addProduct(out, columns, left, inner, b, columns, rows, inner, columns);
}
