/** Layers with several inputs: Concatenate and the elementwise merges. */
import type { PlainOperation } from '../../core/model';
import { sameShape } from '../ops/shapes';
import type { Ops, Value } from '../ops';
import { axisOf, joinsMasksByAny, shapeError, type Flow, type LayerContext } from './flow';

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
 * @param inputs - At least one; reals.
 * @throws TempogradError `input/shape-mismatch` when they do not broadcast.
 */
export function runMerge(context: LayerContext, operation: MergeOperation, inputs: readonly Flow[]): Value {
  const { ops, layer } = context;
  const rank = Math.max(...inputs.map(({ value }) => value.shape.length));
  const wide = inputs.map(({ value }) => {
    const missing = rank - value.shape.length;
    if (missing === 0) return value;
    const [batch, ...rest] = value.shape;
    return ops.reshape(value, [batch, ...new Array<number>(missing).fill(1), ...rest]);
  });
  const valid = joinsMasksByAny(context.keras) ? inputs.map((input) => validSteps(ops, input)) : [];
  if (valid.some((steps) => steps !== null)) {
    if (operation === 'multiply') return multiplyValid(ops, wide, valid);
    if (operation === 'maximum') return chooseValid(ops.maximum, ops, wide, valid);
    if (operation === 'minimum') return chooseValid(ops.minimum, ops, wide, valid);
  }
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
  return operation === 'average' ? ops.mul(joined, ops.constant(1 / inputs.length)) : ops.reshape(joined, joined.shape);
}

/** The mask as truth values `[B, T, 1]`, null without one or where it does not stand for the steps of the value. */
function validSteps(ops: Ops, { value, mask }: Flow): Value | null {
  if (mask === null || mask.shape.length !== value.shape.length - 1) return null;
  return ops.greater(ops.upload(Float32Array.from(mask.data), [...mask.shape, 1]), ops.constant(0.5));
}

/** The product of what is valid; 0 where nothing is. Source: Keras 3.15 `Multiply`. */
function multiplyValid(ops: Ops, values: readonly Value[], valid: readonly (Value | null)[]): Value {
  const product = values
    .map((value, i) => (valid[i] ? ops.select(valid[i], value, ops.constant(1)) : value))
    .reduce((joined, value) => ops.mul(joined, value));
  const masks = valid.filter((steps) => steps !== null);
  if (masks.length < values.length) return product;
  return ops.select(
    masks.reduce((any, steps) => ops.logicalOr(any, steps)),
    product,
    ops.constant(0),
  );
}

/** The largest or smallest of what is valid, left to right. Source: Keras 3.15 `Merge._apply_merge_op_and_or_mask`. */
function chooseValid(
  choose: (a: Value, b: Value) => Value,
  ops: Ops,
  values: readonly Value[],
  valid: readonly (Value | null)[],
): Value {
  let [joined] = values;
  let [joinedValid] = valid;
  values.slice(1).forEach((value, i) => {
    const own = valid[i + 1];
    const candidate = own ? ops.select(own, value, joined) : value;
    const standing = joinedValid ? ops.select(joinedValid, joined, candidate) : joined;
    joined = choose(standing, candidate);
    joinedValid = own && joinedValid ? ops.logicalOr(own, joinedValid) : null;
  });
  return joined;
}
