/**
 * The error of a run against float64 on sampled entries, linearised at the engine's own states (method.md section 4).
 *
 * A whole float64 run would take hours; a few target units are pulled through all steps instead.
 */
import { binaryExponent, largestMagnitude, scaleByPower } from '../../core/linalg/scaling';
import type { CellDescription } from '../../core/model';
import { newStepJacobians, type StepJacobians } from '../../core/reference/cell';
import { makeReferenceCell } from '../../core/reference/reference-cell';
import { stateBefore } from '../../core/reference/run-cell';
import type { RealTensor } from '../../core/tensor';
import type { LayerRun } from '../../engine/engine';
import { trajectoryOf } from './trajectory-of';

/** Units whose rows are compared. */
const SAMPLED_UNITS = 4;

/** Timesteps at which they are compared. */
const SAMPLED_STEPS = 25;

/** Features compared of each row. */
const SAMPLED_FEATURES = 2;

/** What errors are relative to: the largest entry of the block; natural log norms; exponents in nats per step. */
export type ErrorKind = 'entries' | 'log norms' | 'exponents';

/** Errors of one mode. */
export interface BenchError {
  readonly kind: ErrorKind;
  readonly samples: number;
  readonly median: number;
  readonly max: number;
  /** What they are held to; a sketch is held to its own band instead. */
  readonly isWithin: boolean;
  /** Of a sketch: the share of pairs inside the band that is stated for it; else null. */
  readonly shareInBand: number | null;
}

/** Largest median and largest error of each kind. Source: method.md section 4. */
const BOUNDS: Readonly<Record<ErrorKind, { readonly median: number; readonly max: number }>> = {
  entries: { median: 1e-6, max: 1e-4 },
  'log norms': { median: 1e-3, max: 1e-3 },
  exponents: { median: 1e-6, max: 1e-6 },
};

/**
 * Median and largest of some errors.
 *
 * @param kind - What they are.
 * @param errors - Not negative, in any order.
 */
export function summariseErrors(kind: ErrorKind, errors: readonly number[]): BenchError {
  const sorted = errors.map((error) => (Number.isNaN(error) ? Infinity : error)).sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? Infinity;
  const max = sorted[sorted.length - 1] ?? Infinity;
  const isWithin = median <= BOUNDS[kind].median && max <= BOUNDS[kind].max;
  return { kind, samples: sorted.length, median, max, isWithin, shareInBand: null };
}

/** Blocks that the engine gave at the sampled steps, with their exponents. */
export interface SampledBlock {
  readonly step: number;
  /** `[H, D]` of h, then of c; the true block is this times 2^scale. */
  readonly blocks: readonly { readonly data: Float32Array | Float64Array; readonly scale: number }[];
}

/**
 * The timesteps that are kept for the comparison, spread over the run.
 *
 * @param steps - T
 */
export function sampledSteps(steps: number): ReadonlySet<number> {
  const last = steps - 1;
  const count = Math.min(SAMPLED_STEPS, steps);
  return new Set(Array.from({ length: count }, (_, i) => Math.round((last * i) / Math.max(1, count - 1))));
}

/**
 * The error of `diagonal` or `final` of the first sequence.
 *
 * @param mode - Which.
 * @param description - The cell.
 * @param x - The input.
 * @param run - The engine's run, whose states are linearised.
 * @param sampled - What the engine gave.
 */
export function measureError(
  mode: 'diagonal' | 'final',
  description: CellDescription,
  x: RealTensor,
  run: LayerRun,
  sampled: readonly SampledBlock[],
): BenchError {
  const cell = makeReferenceCell(description);
  const { steps, units, inputDim } = run;
  const trajectory = trajectoryOf(x, run);
  const bySteps = new Map(sampled.map((block) => [block.step, block]));
  const targets = pickTargets(units, cell.stateSize);
  const jacobians = newStepJacobians(cell);
  let rows = targets.map((target) => ({ target, exponent: 0, row: unitRow(cell.stateSize, target) }));
  const errors: number[] = [];
  for (let step = steps - 1; step >= 0; step--) {
    const block = bySteps.get(step);
    if (mode === 'diagonal' && !block) continue;
    const at = trajectory.x.subarray(step * inputDim, (step + 1) * inputDim);
    const part = mode === 'diagonal' ? 'input' : block ? 'both' : 'state';
    cell.linearise(at, stateBefore(trajectory, cell, step), jacobians, part);
    if (block) for (const row of rows) errors.push(...compareRow(row, block, jacobians, units, inputDim));
    if (mode === 'final') rows = rows.map((row) => pullRow(row, jacobians, cell.stateSize));
  }
  return summariseErrors('entries', errors);
}

/** One pulled row; the true row is `row` times 2^exponent. */
interface PulledRow {
  readonly target: number;
  readonly exponent: number;
  readonly row: Float64Array;
}

/** Some units of h, and the same of c. */
function pickTargets(units: number, stateSize: number): number[] {
  const count = Math.min(SAMPLED_UNITS, units);
  const chosen = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * units) / count));
  return stateSize > units ? [...chosen, ...chosen.map((unit) => units + unit)] : chosen;
}

function unitRow(size: number, at: number): Float64Array {
  const row = new Float64Array(size);
  row[at] = 1;
  return row;
}

/** Errors of the sampled features of one row. */
function compareRow(
  { target, exponent, row }: PulledRow,
  sampled: SampledBlock,
  { inputJacobian }: StepJacobians,
  units: number,
  inputDim: number,
): number[] {
  const { data, scale } = sampled.blocks[Math.floor(target / units)];
  const largest = largestMagnitude(data);
  const unit = target % units;
  return Array.from({ length: Math.min(SAMPLED_FEATURES, inputDim) }, (_, i) => {
    const feature = (unit + i * 7) % inputDim;
    let expected = 0;
    for (let k = 0; k < row.length; k++) expected += row[k] * inputJacobian[k * inputDim + feature];
    const gap = Math.abs(data[unit * inputDim + feature] - scaleByPower(expected, exponent - scale));
    return gap === 0 ? 0 : gap / largest;
  });
}

/** R <- R A for one row, brought back near 1. */
function pullRow({ target, exponent, row }: PulledRow, { stateJacobian }: StepJacobians, size: number): PulledRow {
  const next = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    const weight = row[k];
    if (weight === 0) continue;
    for (let j = 0, at = k * size; j < size; j++, at++) next[j] += weight * stateJacobian[at];
  }
  const largest = largestMagnitude(next);
  if (largest === 0 || !Number.isFinite(largest)) return { target, exponent, row: next };
  const shift = binaryExponent(largest);
  for (let j = 0; j < size; j++) next[j] = scaleByPower(next[j], -shift);
  return { target, exponent: exponent + shift, row: next };
}
