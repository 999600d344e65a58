/**
 * Shapes as values: what Shape gives, and what is put together from its entries until a Reshape or Expand takes it.
 *
 * An entry is a number, or the product of axes of a layer's output whose sizes are known only when the model runs.
 * Source: ONNX operators of the same names.
 */
import { slicedPlaces } from '../../../core/sliced-places';
import { DIRECTIONS, MERGED, MERGED_TIME_FIRST, ONE, type Size } from './axes';
import { frontAxis } from './fold-shapes';
import type { OnnxNode } from './model';
import { integer, integers, rankOf, type GraphValue } from './plain-source';

/** The entries of each input, null where they are not known. */
export type ShapeInputs = readonly (readonly Size[] | null)[];

type ShapeReader = (node: OnnxNode, inputs: ShapeInputs) => readonly Size[] | null;

const SAME: ShapeReader = (_, [first]) => first ?? null;

const READERS: ReadonlyMap<string, ShapeReader> = new Map<string, ShapeReader>([
  ['Identity', SAME],
  ['Cast', SAME],
  ['Unsqueeze', SAME],
  ['Squeeze', SAME],
  ['Reshape', SAME],
  ['Expand', SAME],
  ['Slice', sliceOf],
  ['Gather', gatherOf],
  ['Concat', (_, inputs) => (inputs.every((part) => part !== null) ? inputs.flat() : null)],
  ['ReduceProd', (_, [sizes]) => sizes && alone(sizes.reduce<Size | null>(product, 1))],
  ['Mul', (_, [a, b]) => pairs(a, b, product)],
  ['Div', (_, [a, b]) => pairs(a, b, quotient)],
]);

/**
 * The shape of a value.
 *
 * @param value - The value.
 * @param node - The Shape node.
 */
export function shapeOfValue(value: GraphValue, node: OnnxNode): readonly Size[] {
  const last = rankOf(value) - 1;
  const isParted = value.axes.includes(DIRECTIONS);
  const all = value.axes.map((axis): Size => {
    if (axis === ONE) return 1;
    if (axis === DIRECTIONS) return 2;
    if (axis === MERGED || axis === MERGED_TIME_FIRST) return Array.from({ length: last }, (_, index) => index);
    if (axis !== last || value.width === null) return [axis];
    return isParted ? value.width / 2 : value.width;
  });
  return all.slice(integer(node, 'start', 0), integer(node, 'end', all.length));
}

/**
 * The entries of what a node gives; null where they cannot be told.
 *
 * @param node - A node whose inputs are shapes and constants.
 * @param inputs - Their entries.
 */
export function readShapeNode(node: OnnxNode, inputs: ShapeInputs): readonly Size[] | null {
  return (node.domain === '' && READERS.get(node.operator)?.(node, inputs)) || null;
}

function sliceOf(node: OnnxNode, [sizes, ...given]: ShapeInputs): readonly Size[] | null {
  const read = (name: string, input: number): number | null =>
    numbersOf(given[input] ?? integers(node, name))?.[0] ?? null;
  const [start, end] = [read('starts', 0), read('ends', 1)];
  if (!sizes || start === null || end === null) return null;
  const step = read('steps', 3) ?? 1;
  return step === 0 ? null : Array.from(slicedPlaces({ start, end, step }, sizes.length), (place) => sizes[place] ?? 1);
}

function gatherOf(_: OnnxNode, [sizes, places]: ShapeInputs): readonly Size[] | null {
  const at = places && numbersOf(places);
  return sizes && at ? at.map((place) => sizes[frontAxis(place, sizes.length)] ?? 1) : null;
}

function numbersOf(sizes: readonly Size[]): readonly number[] | null {
  return sizes.every((size): size is number => typeof size === 'number') ? sizes : null;
}

function alone(size: Size | null): readonly Size[] | null {
  return size === null ? null : [size];
}

function product(a: Size | null, b: Size): Size | null {
  if (a === null) return null;
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a === 1) return b;
  if (b === 1) return a;
  return typeof a === 'number' || typeof b === 'number' ? null : [...a, ...b];
}

function quotient(a: Size | null, b: Size): Size | null {
  if (typeof a === 'number' && typeof b === 'number') return b !== 0 && a % b === 0 ? a / b : null;
  if (a === null || b === 1) return a;
  return String(a) === String(b) ? 1 : null;
}

function pairs(
  a: readonly Size[] | null | undefined,
  b: readonly Size[] | null | undefined,
  of: (left: Size | null, right: Size) => Size | null,
): readonly Size[] | null {
  if (!a || !b || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return null;
  const made = Array.from({ length: Math.max(a.length, b.length) }, (_, index) =>
    of((a.length === 1 ? a[0] : a[index]) ?? 1, (b.length === 1 ? b[0] : b[index]) ?? 1),
  );
  return made.every((size): size is Size => size !== null) ? made : null;
}
