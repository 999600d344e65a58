/** Layers with several inputs: Concatenate and the elementwise merges. */
import type { PlainOperation } from '../../core/model';
import { sameShape } from '../ops/shapes';
import type { Value } from '../ops';
import { axisOf, shapeError, type LayerContext } from './flow';

type MergeOperation = Extract<PlainOperation, { kind: 'merge' }>['operation'];

/**
 * Values side by side.
 *
 * @param context - The layer.
 * @param axis - As the file counts it.
 * @param values - At least one, equal but along the axis.
 * @throws TempogradError `input/shape-mismatch` when another axis differs.
 */
export function runConcatenate(context: LayerContext, axis: number, values: readonly Value[]): Value {
  const { ops, layer } = context;
  const [first] = values;
  const front = axisOf(layer, axis, first.shape);
  const others = (shape: readonly number[]): number[] => shape.filter((_, index) => index !== front);
  for (const { shape } of values) {
    const fits = shape.length === first.shape.length && sameShape(others(shape), others(first.shape));
    if (!fits) throw shapeError(layer, shape, `[${first.shape.join(', ')}] but for axis ${front}`);
  }
  return ops.concat(values, front);
}

/**
 * Values joined entry by entry; one with fewer axes is repeated along those after its batch.
 *
 * @param context - The layer.
 * @param operation - How.
 * @param values - At least one.
 * @throws TempogradError `input/shape-mismatch` when they do not broadcast.
 */
export function runMerge(context: LayerContext, operation: MergeOperation, values: readonly Value[]): Value {
  const { ops, layer } = context;
  const rank = Math.max(...values.map(({ shape }) => shape.length));
  const wide = values.map((value) => {
    const missing = rank - value.shape.length;
    if (missing === 0) return value;
    const [batch, ...rest] = value.shape;
    return ops.reshape(value, [batch, ...new Array<number>(missing).fill(1), ...rest]);
  });
  const join = {
    add: ops.add,
    average: ops.add,
    subtract: ops.sub,
    multiply: ops.mul,
    maximum: ops.maximum,
    minimum: ops.minimum,
  }[operation];
  const joined = wide.reduce((sum, value) => {
    const fits = value.shape.every((size, axis) => size === 1 || sum.shape[axis] === 1 || size === sum.shape[axis]);
    if (!fits) throw shapeError(layer, value.shape, `[${sum.shape.join(', ')}]`);
    return join(sum, value);
  });
  return operation === 'average' ? ops.mul(joined, ops.constant(1 / values.length)) : ops.reshape(joined, joined.shape);
}
