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

/** One size of a shape: a number, or the axes of a layer's output whose sizes are multiplied. */
export type Size = number | readonly number[];

/** All axes of the layer's output before the last one in one, as they stand. */
export const MERGED = -3;
/** The same with time before the batch. */
export const MERGED_TIME_FIRST = -4;

/** For each axis of an ONNX value the axis of the layer's output, or one of the marks above. */
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
 * Axes after Reshape: axes of one entry go or come, directions join the last axis, and those before the last one are put
 * into one or taken apart again.
 *
 * @param axes - Axes before.
 * @param target - The shape asked for: 0 keeps an axis, -1 takes what is left.
 * @param width - Size of the last axis of the layer's output, null when it is not known.
 * @param sizes - Sizes of its other axes, as far as they are known.
 * @throws TempogradError `cell/unsupported` for any other reshape.
 */
export function reshapeAxes(
  axes: Axes,
  target: readonly Size[],
  width: number | null,
  sizes: readonly (number | null)[],
): Axes {
  const joined = takeApart(joinDirections(axes));
  const last = Math.max(...joined);
  const sizeOf = (axis: number | undefined): number | null => (axis === last ? width : (sizes[axis ?? -1] ?? null));
  let at = 0;
  let taken = false;
  const made = target.map((size, place) => {
    if (size === 1 && sizeOf(joined[at]) !== 1) return ONE;
    let count = 1;
    if (size === -1) {
      if (taken) throw unsupported(REASON);
      taken = true;
      count = joined.length - at - target.slice(place + 1).filter((rest) => rest !== 1).length;
    } else if (size === 0) {
      if (axes[place] !== joined[at]) throw unsupported(REASON);
    } else count = countOf(size, joined.slice(at), sizeOf);
    const group = joined.slice(at, at + count);
    const isLeading = at === 0 && count === joined.length - 1 && joined[count] === last;
    at += count;
    const [axis] = group;
    if (axis === undefined || group.length !== count) throw unsupported(REASON);
    if (count === 1) return axis;
    const isInOrder = group.every((entry, index) => entry === index);
    if (!isLeading || !(isInOrder || group.join() === '1,0')) throw unsupported(REASON);
    return isInOrder ? MERGED : MERGED_TIME_FIRST;
  });
  if (at !== joined.length) throw unsupported(REASON);
  return made;
}

/** How many of the axes that are left make up a size. */
function countOf(size: Size, left: readonly number[], sizeOf: (axis: number) => number | null): number {
  if (typeof size !== 'number') {
    if ([...size].sort().join() !== left.slice(0, size.length).sort().join()) throw unsupported(REASON);
    return size.length;
  }
  let product = 1;
  for (const [index, axis] of left.entries()) {
    product *= sizeOf(axis) ?? NaN;
    if (product === size) return index + 1;
  }
  throw unsupported(REASON);
}

const REASON = 'it reshapes to axes that cannot be told';

/** Axes that are in one, each for itself. */
function takeApart(axes: readonly number[]): readonly number[] {
  const leading = Array.from({ length: Math.max(...axes) }, (_, axis) => axis);
  return axes.flatMap((axis) =>
    axis === MERGED ? leading : axis === MERGED_TIME_FIRST ? [...leading].reverse() : [axis],
  );
}

/** The axes without those of one entry; directions beside the last axis join it. */
function joinDirections(axes: Axes): readonly number[] {
  const real = axes.filter((axis) => axis !== ONE);
  const place = real.indexOf(DIRECTIONS);
  if (place < 0) return real;
  if (real[place + 1] !== Math.max(...real)) throw unsupported('it reshapes directions apart from their features');
  return real.filter((_, at) => at !== place);
}
