/**
 * Lanes pushed step by step: the inner loop that the direct recursion and the leaves of segments share.
 */
import { sourceWidth, type StatePart, type SteppedSource } from '../../core/reference/pairs-source';
import { timeIndex } from '../../core/reference/run-cell';
import { sliceVectors } from '../cells/step-vectors';
import type { CellRun } from '../cells/run-cell';
import type { ValidSteps } from '../cells/valid-steps';
import type { StepVectors } from '../cells/tensor-cell';
import type { Value } from '../ops';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import { PushedColumns, type PushedNorms } from './pushed-columns';
import { VECTORS_LENGTH } from './plan';
import { SketchDirections } from './sketch-directions';
import { uploadPairs } from './step-points';

/** One recursion: the computed steps of a sequence from one of them on. */
export interface Lane {
  readonly sequence: number;
  /** Its first step among the computed ones of the sequence. */
  readonly first: number;
}

/** What is pushed through the lanes. */
export interface LaneOrder {
  readonly lanes: readonly Lane[];
  /** Steps of every lane; a lane whose sequence ends before goes on with its last step, and its norms mean nothing. */
  readonly steps: number;
  /** What each of the first steps adds, and how many of them do. */
  readonly source: SteppedSource;
  readonly sources: number;
  /** Whether the state before the first step is a source too, before all others. */
  readonly hasInitial: boolean;
  /** Which columns of it; left out: all. */
  readonly initialPart?: StatePart;
  /** A source every so many steps; left out: every step. */
  readonly stride?: number;
  /** So many random combinations of the columns of each source stand for them; left out: all columns. */
  readonly sketch?: number | null;
  /** Norms of columns are kept near 2 to this. */
  readonly keptExponent: number;
}

/** One step of all lanes: how many were taken, and the norms of all sources so far. */
export interface LaneStep {
  readonly taken: number;
  readonly columns: PushedColumns;
  readonly norms: PushedNorms;
}

/**
 * The steps of some lanes in order.
 *
 * @param arithmetic - Operations and cell.
 * @param run - States.
 * @param valid - The computed steps.
 * @param order - What is pushed.
 * @param pace - Lets messages in.
 */
export async function* pushLanes(
  arithmetic: Arithmetic,
  run: CellRun,
  valid: ValidSteps,
  order: LaneOrder,
  pace: Pace,
): AsyncGenerator<LaneStep, void, void> {
  const { ops, cell } = arithmetic;
  const { lanes, steps, source, sources, hasInitial, initialPart, keptExponent, stride = 1, sketch = null } = order;
  const columns = new PushedColumns(arithmetic, lanes.length, keptExponent);
  const atOnce = VECTORS_LENGTH[ops.native ? 'native' : 'host'];
  const group = Math.max(1, Math.min(steps, Math.floor(atOnce / (cell.vectorLength * lanes.length))));
  try {
    const directions = sketch === null ? null : new SketchDirections(arithmetic, sketch);
    if (hasInitial) inject(columns, initialPart, directions, 0);
    for (let start = 0; start < steps; start += group) {
      const count = Math.min(group, steps - start);
      const pairs = Array.from({ length: count * lanes.length }, (_, at) => {
        return stepOf(run, valid, lanes[at % lanes.length], start + Math.floor(at / lanes.length));
      });
      const vectors = arithmetic.vectors((precise) => uploadPairs(precise, run, pairs));
      try {
        for (let step = 0; step < count; step++) {
          ops.tidy(() => {
            const part = sliceVectors(ops, vectors, step * lanes.length, lanes.length);
            columns.push(part);
            const taken = start + step;
            if (taken % stride !== 0 || taken / stride >= sources) return;
            const number = lanes[0].first + taken;
            if (source !== 'input') inject(columns, source, directions, number);
            else columns.injectInput(jacobiansOf(arithmetic, part, directions, number));
          });
          yield { taken: start + step + 1, columns, norms: columns.measure() };
          await pace.breathe();
        }
      } finally {
        ops.dispose(...Object.values(vectors));
      }
    }
  } finally {
    columns.dispose();
  }
}

/** The state as a source, by its columns or by random combinations of them. */
function inject(
  columns: PushedColumns,
  part: StatePart | undefined,
  directions: SketchDirections | null,
  number: number,
): void {
  const sketch = directions?.of(sourceWidth(directions.sizes, part ?? 'state'), number) ?? null;
  columns.injectState(part, sketch);
}

/** dh/dx and dc/dx, or random combinations of their columns; kept. */
function jacobiansOf(
  { ops, cell }: Arithmetic,
  vectors: StepVectors,
  directions: SketchDirections | null,
  number: number,
): readonly Value[] {
  const jacobians = cell.inputJacobians(vectors);
  const sketch = directions?.of(cell.inputDim, number);
  if (!sketch) return jacobians.map((value) => ops.keep(value));
  const [lanes] = jacobians[0].shape;
  return jacobians.map((value) => {
    const [, rows, width] = value.shape;
    const flat = ops.matMul(
      ops.reshape(value, [lanes * rows, width]),
      ops.upload(sketch.data, [width, sketch.columns]),
    );
    return ops.keep(ops.reshape(flat, [lanes, rows, sketch.columns]));
  });
}

/** The computed step `at` of a lane, or its last one behind the end. */
function stepOf(
  run: CellRun,
  valid: ValidSteps,
  { sequence, first }: Lane,
  at: number,
): { sequence: number; n: number } {
  const times = valid.of(sequence);
  const time = times[Math.min(first + at, times.length - 1)];
  return { sequence, n: timeIndex(run.direction, run.steps, time) };
}
