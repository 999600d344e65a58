/**
 * Arithmetic on shapes and axes that the implementations of the operations share.
 */

/**
 * An axis counted from the front.
 *
 * @param axis - Possibly negative, counted from the last axis.
 * @param rank - Number of axes.
 * @throws Error when there is no such axis: a bug of the caller.
 */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (front < 0 || front >= rank) throw new Error(`axis ${axis} of a value with ${rank} axes`);
  return front;
}

/**
 * The shape that two shapes broadcast to, as NumPy does it.
 *
 * @param a - One shape.
 * @param b - The other.
 * @throws Error when they do not fit.
 */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const sizeA = a[index - rank + a.length] ?? 1;
    const sizeB = b[index - rank + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw new Error(`shapes [${a.join(',')}] and [${b.join(',')}] do not broadcast`);
    }
    return sizeA === 1 ? sizeB : sizeA;
  });
}

/**
 * The shape after a reduction.
 *
 * @param shape - Before it.
 * @param axes - The axes reduced, counted from the front.
 * @param keepDims - Reduced axes stay with size 1.
 */
export function reducedShape(shape: readonly number[], axes: readonly number[], keepDims: boolean): number[] {
  if (keepDims) return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return shape.filter((_, axis) => !axes.includes(axis));
}

/**
 * Row-major strides in elements.
 *
 * @param shape - Sizes of the axes.
 */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/**
 * Strides with which an array of one shape is read as one of another: 0 along axes that are repeated.
 *
 * @param from - Shape of the array.
 * @param to - Shape it broadcasts to.
 */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(from);
  const offset = to.length - from.length;
  return to.map((_, axis) => (axis < offset || from[axis - offset] === 1 ? 0 : own[axis - offset]));
}

/**
 * Whether two shapes are the same.
 *
 * @param a - One shape.
 * @param b - The other.
 */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/**
 * The sizes of the parts of a split.
 *
 * @param size - Size of the axis.
 * @param parts - How many equal parts, or their sizes.
 * @throws Error when the parts do not make up the axis.
 */
export function splitSizes(size: number, parts: number | readonly number[]): number[] {
  const sizes = typeof parts === 'number' ? new Array<number>(parts).fill(size / parts) : [...parts];
  if (sizes.reduce((sum, part) => sum + part, 0) !== size || !sizes.every(Number.isInteger)) {
    throw new Error(`an axis of ${size} split into ${sizes.join(', ')}`);
  }
  return sizes;
}
