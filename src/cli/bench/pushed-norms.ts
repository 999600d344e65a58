/**
 * Log norms of some pairs of steps in float64, linearised at the engine's own states (method.md section 4).
 *
 * Closed-form step Jacobians of the reference cell push a few sources to the end; products run in the native library's
 * float64, since plain loops would take an hour at the sizes of the benchmark.
 */
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../../core/linalg/scaling';
import { newStepJacobians, type ReferenceCell } from '../../core/reference/cell';
import { stateBefore, type Trajectory } from '../../core/reference/run-cell';
import type { Ops, Value } from '../../engine/ops';
import { readDoubles } from '../../engine/propagate/read-doubles';

/** Steps between two scalings: no product of so few leaves what float32 can carry across the border. */
const SCALED_EVERY = 4;

/** Natural logs of the norms of one pair. */
export interface PairNorms {
  readonly target: number;
  readonly source: number;
  /** Of the rows of h. */
  readonly h: number;
  /** Of the rows of c; of a cell without: -Infinity. */
  readonly c: number;
}

/** The columns of one source; the true ones are these times 2^exponent. */
interface Pushed {
  readonly source: number;
  readonly targets: ReadonlySet<number>;
  exponent: number;
}

/**
 * The norms of sampled pairs.
 *
 * @param ops - The native engine's operations.
 * @param cell - The cell.
 * @param trajectory - The engine's states of one forward sequence.
 * @param kind - By the input, or by the state itself.
 * @param sources - Steps that are differentiated against, ascending.
 * @param targetsOf - Targets of a source.
 */
export function pushedNorms(
  ops: Ops,
  cell: ReferenceCell,
  trajectory: Trajectory,
  kind: 'input' | 'state',
  sources: readonly number[],
  targetsOf: (source: number) => readonly number[],
): readonly PairNorms[] {
  const doubles = ops.native!.doubles().ops;
  const { stateSize: size, inputDim } = cell;
  const width = kind === 'input' ? inputDim : size;
  const jacobians = newStepJacobians(cell);
  const begun: Pushed[] = [];
  const found: PairNorms[] = [];
  let columns: Value | null = null;
  for (let step = sources[0]!; step < trajectory.steps; step++) {
    const x = trajectory.x.subarray(step * inputDim, (step + 1) * inputDim);
    const begins = sources.includes(step);
    cell.linearise(x, stateBefore(trajectory, cell, step), jacobians, begins && kind === 'input' ? 'both' : 'state');
    if (columns) columns = advance(doubles, columns, jacobians.stateJacobian, size);
    const isLooked = begun.some(({ targets }) => targets.has(step));
    const count = begun.length;
    if (!begins && !isLooked && step % SCALED_EVERY !== 0) continue;
    let host: Float64Array = columns ? readDoubles(ops, columns) : new Float64Array(0);
    if (columns) doubles.dispose(columns);
    begun.forEach((one, at) => rescale(host, size, width, count, at, one));
    if (begins) {
      const injected = kind === 'input' ? jacobians.inputJacobian : identity(size);
      host = beside(host, injected, size, count * width, width);
      begun.push({ source: step, targets: new Set(targetsOf(step)), exponent: 0 });
    }
    begun.forEach(({ source, targets, exponent }, at) => {
      if (!targets.has(step)) return;
      const own = cut(host, size, begun.length * width, at * width, width);
      const split = cell.hiddenSize * width;
      const shift = exponent * Math.LN2;
      const h = logNorm(own, 0, split) + shift;
      found.push({ target: step, source, h, c: logNorm(own, split, own.length - split) + shift });
    });
    columns = doubles.upload(host, [size, begun.length * width]);
  }
  if (columns) doubles.dispose(columns);
  return found;
}

/** A G; G is freed. */
function advance(doubles: Ops, columns: Value, stateJacobian: Float64Array, size: number): Value {
  const operator = doubles.upload(stateJacobian, [size, size]);
  const next = doubles.matMul(operator, columns);
  doubles.dispose(operator, columns);
  return next;
}

/** Brings the columns of one source back near 1. */
function rescale(host: Float64Array, size: number, width: number, count: number, at: number, one: Pushed): void {
  const row = count * width;
  let largest = 0;
  for (let k = 0; k < size; k++) {
    const start = k * row + at * width;
    largest = Math.max(largest, largestMagnitude(host, start, start + width));
  }
  if (largest === 0) return;
  const shift = binaryExponent(largest);
  for (let k = 0; k < size; k++) {
    const start = k * row + at * width;
    for (let i = start; i < start + width; i++) host[i] = scaleByPower(host[i]!, -shift);
  }
  one.exponent += shift;
}

/** Columns with new ones to their right. */
function beside(
  left: Float64Array,
  right: Float64Array,
  rows: number,
  leftWidth: number,
  rightWidth: number,
): Float64Array {
  const width = leftWidth + rightWidth;
  const both = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    both.set(left.subarray(row * leftWidth, (row + 1) * leftWidth), row * width);
    both.set(right.subarray(row * rightWidth, (row + 1) * rightWidth), row * width + leftWidth);
  }
  return both;
}

/** Some columns. */
function cut(all: Float64Array, rows: number, width: number, first: number, count: number): Float64Array {
  const own = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) {
    own.set(all.subarray(row * width + first, row * width + first + count), row * count);
  }
  return own;
}

function identity(size: number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let at = 0; at < size; at++) matrix[at * size + at] = 1;
  return matrix;
}
