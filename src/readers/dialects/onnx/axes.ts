/**
 * Which axis of a layer's output each axis of an ONNX value is.
 *
 * ONNX puts time first around recurrent nodes, the inner form the batch. Values are not turned for that: a value keeps, for
 * each of its axes, the axis of the layer's output that it stands for, so that Transpose, Squeeze and Unsqueeze cost nothing.
 */
import { frontAxis } from './fold-shapes';
import { unsupported } from '../../reading';

/** An axis of one entry that the layer's output does not have. */
export const ONE = -1;
/** The directions of a recurrent node: together with the last axis it is the last axis of the layer's output. */
export const DIRECTIONS = -2;

/** For each axis of an ONNX value the axis of the layer's output, `ONE` or `DIRECTIONS`. */
export type Axes = readonly number[];

/**
 * Axes after Transpose.
 *
 * @param axes - Axes before.
 * @param order - `perm`; empty turns all round.
 * @throws TempogradError `cell/unsupported`.
 */
export function transposeAxes(axes: Axes, order: readonly number[]): Axes {
  const perm = order.length > 0 ? order : axes.map((_, axis) => axes.length - 1 - axis);
  if (perm.length !== axes.length || new Set(perm).size !== axes.length) throw unsupported('its perm does not fit');
  return perm.map((axis) => axes[frontAxis(axis, axes.length)] ?? ONE);
}

/**
 * Axes after Squeeze.
 *
 * @param axes - Axes before.
 * @param places - Which are taken out; null for all of one entry.
 * @throws TempogradError `cell/unsupported` for an axis whose size is not known to be 1.
 */
export function squeezeAxes(axes: Axes, places: readonly number[] | null): Axes {
  if (places === null) throw unsupported('it takes out every axis of one entry, and sizes are not known');
  const out = new Set(places.map((place) => frontAxis(place, axes.length)));
  if ([...out].some((place) => axes[place] !== ONE)) throw unsupported('it takes out an axis whose size is not known');
  return axes.filter((_, place) => !out.has(place));
}

/**
 * Axes after Unsqueeze.
 *
 * @param axes - Axes before.
 * @param places - Places in the result.
 */
export function unsqueezeAxes(axes: Axes, places: readonly number[]): Axes {
  const rank = axes.length + places.length;
  const out = new Set(places.map((place) => frontAxis(place, rank)));
  const rest = [...axes];
  return Array.from({ length: rank }, (_, place) => (out.has(place) ? ONE : (rest.shift() ?? ONE)));
}

/**
 * Axes after Reshape; only axes of one entry go or come, and the directions join the last axis.
 *
 * @param axes - Axes before.
 * @param target - The shape asked for: 0 keeps an axis, -1 takes what is left.
 * @param width - Size of the last axis of the layer's output, null when it is not known.
 * @param sizes - Sizes of its other axes, as far as they are known.
 * @throws TempogradError `cell/unsupported` for any other reshape.
 */
export function reshapeAxes(
  axes: Axes,
  target: readonly number[],
  width: number | null,
  sizes: readonly (number | null)[],
): Axes {
  const joined = joinDirections(axes);
  let at = 0;
  let taken = false;
  const made = target.map((size, place) => {
    const last = at === joined.length - 1;
    if (size === 1 && !(last && width === 1)) return ONE;
    const axis = joined[at++];
    if (axis === undefined) throw unsupported(REASON);
    if (size === -1 && !taken) taken = true;
    else if (size === 0 ? axes[place] !== axis : size !== (last ? width : sizes[axis])) throw unsupported(REASON);
    return axis;
  });
  if (at !== joined.length) throw unsupported(REASON);
  return made;
}

const REASON = 'it reshapes to axes that cannot be told';

/** The axes without those of one entry; directions beside the last axis join it. */
function joinDirections(axes: Axes): readonly number[] {
  const real = axes.filter((axis) => axis !== ONE);
  const place = real.indexOf(DIRECTIONS);
  if (place < 0) return real;
  if (real[place + 1] !== Math.max(...real)) throw unsupported('it reshapes directions apart from their features');
  return real.filter((_, at) => at !== place);
}
