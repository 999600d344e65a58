/**
 * What runs between layers: a value and the mask that Keras carries beside it.
 *
 * Masks stay in JavaScript: they are small, they decide what is computed, and the engine's input takes them there.
 */
import { TempogradError } from '../../core/errors';
import type { Layer } from '../../core/model';
import type { Tensor } from '../../core/tensor';
import { frontAxis } from '../ops/shapes';
import type { Ops, Value } from '../ops';

/** 1 = valid, 0 = masked; `[B, T]`, with more axes only inside TimeDistributed. */
export type Mask = Tensor<Uint8Array>;

/** An output of a layer. */
export interface Flow {
  readonly value: Value;
  readonly mask: Mask | null;
}

/** A version of Keras; tf.keras counts as 2, its minor version has no meaning here. */
export interface KerasVersion {
  readonly major: number;
  readonly minor: number;
}

/** What a layer needs to know besides its inputs. */
export interface LayerContext {
  readonly ops: Ops;
  readonly layer: Layer;
  /** The Keras that wrote the file: masks pass through some layers differently from version to version. */
  readonly keras: KerasVersion;
}

/**
 * True when masks are joined as Keras does it since 3.4: a step is valid where any input is, and what is masked in one
 * input does not take part in a product, a largest or a smallest entry.
 *
 * @param keras - The version.
 */
export function joinsMasksByAny({ major, minor }: KerasVersion): boolean {
  return major > 3 || (major === 3 && minor >= 4);
}

/**
 * An error that names a layer and the shape that does not fit it.
 *
 * @param layer - The layer.
 * @param actual - Shape found.
 * @param expected - What would fit, in words or as a shape.
 */
export function shapeError(layer: Layer, actual: readonly number[], expected: string): TempogradError {
  return new TempogradError(
    'input/shape-mismatch',
    `layer ${layer.name} (${layer.className}) is given [${actual.join(', ')}], expected ${expected}`,
    { details: { layer: layer.name, actual: [...actual], expected } },
  );
}

/**
 * A value as reals; ids that reach a layer of real numbers are converted.
 *
 * @param ops - The operations.
 * @param value - Any value.
 */
export function asReal(ops: Ops, value: Value): Value {
  return value.type === 'real' ? value : ops.toReal(value);
}

/**
 * An axis as the file counts it (batch at 0, or negative), counted from the front.
 *
 * @param layer - The layer, for the error.
 * @param axis - The axis.
 * @param shape - The shape it counts in.
 * @throws TempogradError `input/shape-mismatch` when there is no such axis.
 */
export function axisOf(layer: Layer, axis: number, shape: readonly number[]): number {
  if (axis >= shape.length || axis < -shape.length) throw shapeError(layer, shape, `at least ${axis + 1} axes`);
  return frontAxis(axis, shape.length);
}

/**
 * A vector as a value that broadcasts along one or several axes.
 *
 * @param ops - The operations.
 * @param data - `[n]` or the sizes of `axes` in order.
 * @param axes - Axes counted from the front.
 * @param shape - The shape it is to broadcast against.
 */
export function alongAxes(
  ops: Ops,
  data: Float32Array | Float64Array,
  axes: readonly number[],
  shape: readonly number[],
): Value {
  if (data.length === 1) return ops.upload(data, []);
  return ops.upload(
    data,
    shape.map((size, axis) => (axes.includes(axis) ? size : 1)),
  );
}
