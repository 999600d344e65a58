/**
 * In which precision a recursion runs.
 *
 * A float32 chain over a thousand steps carries 1e-4 of rounding where directions of growth compete. Small cells are
 * bound by the number of operations, not by their size, so they run in float64 at hardly any cost; large ones run in
 * the engine's own precision, with coefficients that were computed in float64.
 */
import type { CellSizes } from '../cells/cell-sizes';
import {
  preciseVectors,
  type BareCell,
  type StepPoints,
  type StepVectors,
  type TensorCell,
} from '../cells/tensor-cell';
import type { RealArray } from '../engine';
import type { Ops, Value } from '../ops';

/** A pulled step of at most so many FLOP runs in float64. */
const MAX_DOUBLE_FLOP = { native: 4e6, host: 2e5 } as const;

/** The operations and the cell of a recursion, and the way back to the engine. */
export interface Arithmetic {
  readonly ops: Ops;
  readonly cell: BareCell;
  /** Operations whose values can be read; those of `readable(value)`. */
  readonly readableOps: Ops;
  /** `vectors` of the cell, values of `ops`. */
  vectors(points: (ops: Ops) => StepPoints): StepVectors;
  /** The value in a form that can be read back; may be the value itself. */
  readable(value: Value): Value;
  /** The numbers of a value of `ops`, in the engine's precision. */
  read(value: Value): RealArray;
}

/**
 * The precision for a cell: a rule of its size alone.
 *
 * @param ops - The engine's operations.
 * @param cell - The cell.
 * @param isDouble - Float64 whatever the size, for what is too fine for float32.
 */
export function chooseArithmetic(ops: Ops, cell: TensorCell, isDouble = false): Arithmetic {
  if (ops.engine === 'reference' || (!isSmallCell(cell, ops.native !== null) && !isDouble)) {
    return {
      ops,
      cell,
      readableOps: ops,
      vectors: (points) => preciseVectors(cell, points),
      readable: (value) => value,
      read: (value) => ops.read(value),
    };
  }
  const { doubles, cell: twin } = cell.twin();
  const readableOps = ops.native ? ops : doubles.ops;
  const readable = (value: Value): Value => (ops.native ? doubles.narrow(value) : value);
  return {
    ops: doubles.ops,
    cell: twin,
    readableOps,
    vectors: (points) => doubles.ops.tidy(() => twin.vectors(points(doubles.ops))),
    readable,
    read: (value) => readableOps.tidy(() => readableOps.read(readable(value))),
  };
}

/**
 * Whether a cell is so small that its recursions run in float64.
 *
 * @param sizes - The cell's sizes.
 * @param isNative - Whether the native library runs them.
 */
export function isSmallCell(
  sizes: Pick<CellSizes, 'stateSize' | 'operatorRows' | 'operatorColumns'>,
  isNative: boolean,
): boolean {
  const limit = isNative ? MAX_DOUBLE_FLOP.native : MAX_DOUBLE_FLOP.host;
  return 2 * sizes.stateSize * sizes.operatorRows * sizes.operatorColumns <= limit;
}
