/** The operations that a stack is pushed with, in one precision for all its layers. */
import { preciseVectors, type StepPoints, type StepVectors, type TensorCell } from '../cells/tensor-cell';
import type { Ops, Value } from '../ops';
import { openDoubleOps } from '../ops/double-ops';

/** The operations that a stack is pushed with. */
export interface StackPrecision {
  readonly ops: Ops;
  readonly isDouble: boolean;
  /** The numbers of a value, in the engine's own precision. */
  read(value: Value): ArrayLike<number>;
  /** `vectors` of a cell that was opened with `ops`. */
  vectors(cell: TensorCell, points: (ops: Ops) => StepPoints): StepVectors;
  /** Frees operations that were opened for it. */
  close(): void;
}

/**
 * The operations for a stack.
 *
 * @param ops - The engine's operations.
 * @param isDouble - What `isDoubleStack` said.
 */
export function openPrecision(ops: Ops, isDouble: boolean): StackPrecision {
  if (!isDouble || ops.engine === 'reference') {
    return {
      ops,
      isDouble: ops.engine === 'reference',
      read: (value) => ops.read(value),
      vectors: preciseVectors,
      close: () => undefined,
    };
  }
  const doubles = openDoubleOps(ops);
  return {
    ops: doubles.ops,
    isDouble: true,
    read: (value) => (ops.native ? ops.tidy(() => ops.read(doubles.narrow(value))) : doubles.ops.read(value)),
    vectors: (cell, points) => doubles.ops.tidy(() => cell.vectors(points(doubles.ops))),
    close: () => {
      if (!ops.native) doubles.ops.close();
    },
  };
}
