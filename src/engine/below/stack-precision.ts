/**
 * In which precision a stack is pushed: one for all its layers, by their sizes alone.
 *
 * Small cells are bound by the number of operations, so all of them run in float64 at hardly any cost; where one is
 * large, everything runs in the engine's own precision, with coefficients that were computed in float64.
 */
import { isElementwise } from '../../core/activations';
import { isRecurrent, type Layer, type RecurrentLayer } from '../../core/model';
import { cellsOf } from '../../core/model';
import { cellSizes } from '../cells/cell-sizes';
import { preciseVectors, type StepPoints, type StepVectors, type TensorCell } from '../cells/tensor-cell';
import type { Ops, Value } from '../ops';
import { openDoubleOps } from '../ops/double-ops';
import { isSmallCell } from '../propagate/arithmetic';
import type { StackShapes } from './stack-plan';

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
 * Whether a stack runs in float64.
 *
 * @param path - The layers.
 * @param isNative - Whether the engine is the native library, whose float64 values cannot be read back.
 */
export function isDoubleStack({ model, order, layer }: StackShapes, isNative: boolean): boolean {
  return [...order, layer].every((index) => {
    const own = model.layers[index]!;
    if (isRecurrent(own)) return isSmallLayer(own, isNative);
    return !isNative || !isReadBack(own);
  });
}

function isSmallLayer({ operation }: RecurrentLayer, isNative: boolean): boolean {
  return cellsOf(operation).every(({ cell }) => isSmallCell(cellSizes(cell), isNative));
}

/** Whether tangents through a layer are computed on the host. */
function isReadBack({ operation }: Layer): boolean {
  if (operation.kind === 'pool1d') return operation.pooling === 'max';
  return 'activation' in operation && !isElementwise(operation.activation.name);
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
