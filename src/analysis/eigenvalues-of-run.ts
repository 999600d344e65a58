/** Eigenvalues of A_t at visited states of a run, beside those of the recurrent kernel; of its first sequence. */
import { blockNames } from '../core/diagnostics/gate-blocks';
import { kernelEigenvalues, stepEigenvalues } from '../core/diagnostics/step-eigenvalues';
import type { Direction } from '../core/jacobian';
import { cellsOf, hiddenSize, type CellDescription, type RecurrentLayer } from '../core/model';
import { makeReferenceCell } from '../core/reference/reference-cell';
import type { EigenvaluesSummary } from '../core/summary';
import type { LayerInput, LayerRun } from '../engine/engine';
import type { Pace } from '../engine/pace';
import { trajectoryOf } from '../engine/trajectories';
import type { EigenvaluesEvent } from '../shared/run';
import { finiteOrNull } from './finite-or-null';

/** Eigenvalues of a matrix of this size take about half a second, and eight times as long for twice the size. */
export const MAX_STATES_EIGENVALUES = 256;
/** Steps besides the one of largest norm. */
const SPREAD_STEPS = 5;
/** So many eigenvalues of each are in the summary. */
const LEADING = 4;

/** What is found of one direction. */
export interface EigenvaluesOfRun {
  readonly event: EigenvaluesEvent;
  readonly summary: EigenvaluesSummary;
}

/**
 * How many A_t of a run have their eigenvalues computed; 0 where the state is too large.
 *
 * @param stateSize - S
 * @param steps - T
 */
export function eigenvalueSteps(stateSize: number, steps: number): number {
  return stateSize > MAX_STATES_EIGENVALUES ? 0 : Math.min(SPREAD_STEPS, steps) + 1;
}

/**
 * Bytes of the arrays of eigenvalues that a run with the mode spectrum writes.
 *
 * @param cells - One per direction.
 * @param steps - T
 */
export function eigenvalueBytes(cells: readonly CellDescription[], steps: number): number {
  return cells.reduce((sum, cell) => {
    const stateSize = hiddenSize(cell) + (cell.kind === 'LSTM' ? cell.units : 0);
    const count = eigenvalueSteps(stateSize, steps);
    const blocks = count > 0 && hiddenSize(cell) === cell.units ? blockNames(cell.kind).length * cell.units : 0;
    return sum + count * (16 * stateSize + 4) + 16 * blocks;
  }, 0);
}

/**
 * Eigenvalues of one direction.
 *
 * @param layer - The layer.
 * @param run - Its states.
 * @param input - What it was fed.
 * @param direction - Which recurrence.
 * @param pace - Lets messages in.
 * @returns null for a state of more than 256 numbers, and where the first sequence is masked throughout.
 * @throws TempogradError `numerics/not-converged`; `signal.reason` of the pace when it is aborted.
 */
export async function eigenvaluesOfRun(
  layer: RecurrentLayer,
  run: Pick<LayerRun, 'states' | 'steps'>,
  input: LayerInput,
  direction: Direction,
  pace: Pace,
): Promise<EigenvaluesOfRun | null> {
  const { cell: description } = cellsOf(layer.operation).find((entry) => entry.direction === direction)!;
  const cell = makeReferenceCell(description);
  const count = eigenvalueSteps(cell.stateSize, run.steps);
  if (count === 0) return null;
  const walk = stepEigenvalues(cell, trajectoryOf(run, input, description, direction, 0), count - 1);
  let step = walk.next();
  for (; !step.done; step = walk.next()) await pace.breathe();
  const found = step.value;
  if (found.length === 0) return null;
  const kernel = hiddenSize(description) === description.units ? kernelEigenvalues(description) : null;
  await pace.breathe();
  return {
    event: {
      kind: 'eigenvalues',
      direction,
      steps: Float64Array.from(found, (one) => one.step),
      values: joined(found.map(({ values }) => values)),
      kernel: kernel && joined([...kernel.values()]),
    },
    summary: {
      steps: found.map(({ step: t, norm, values }, at) => ({
        step: t,
        isLargest: at === found.length - 1,
        norm: finiteOrNull(norm),
        spectralRadius: finiteOrNull(Math.hypot(values[0]!, values[1]!)),
        unstable: unstableOf(values),
        leading: leadingOf(values),
      })),
      kernel: kernel && Object.fromEntries([...kernel].map(([gate, values]) => [gate, leadingOf(values)])),
    },
  };
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function leadingOf(values: Float64Array): readonly (readonly [number | null, number | null])[] {
  return Array.from({ length: Math.min(LEADING, values.length / 2) }, (_, i) => [
    finiteOrNull(values[2 * i]!),
    finiteOrNull(values[2 * i + 1]!),
  ]);
}

/** Eigenvalues outside the unit circle. */
function unstableOf(values: Float64Array): number {
  let count = 0;
  for (let i = 0; i < values.length; i += 2) count += Number(Math.hypot(values[i]!, values[i + 1]!) >= 1);
  return count;
}
