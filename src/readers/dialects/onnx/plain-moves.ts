/**
 * Nodes that only move entries, below and between recurrent ones: Reshape, Slice, Split, Gather by place, Tile, Expand.
 *
 * Source: ONNX operators of the same names.
 */
import type { PlainOperation } from '../../../core/model';
import { slicedPlaces, type Slice } from '../../../core/sliced-places';
import { unsupported } from '../../reading';
import { DIRECTIONS, ONE, reshapeAxes, type Axes, type Size } from './axes';
import { frontAxis } from './fold-shapes';
import { first, integer, integers, rankOf, type GraphValue, type PlainNode, type PlainSource } from './plain-source';

/** Ends from here on are written for "to the end". */
const WHOLE = 2 ** 31 - 1;

/**
 * Reshape.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function readReshape(source: PlainSource): Promise<PlainNode> {
  const said = (await source.shape(1)) ?? integers(source.node, 'shape');
  if (said.length === 0) throw unsupported('its shape is computed when the model runs');
  return reshaped(first(source), said, source);
}

/**
 * Flatten to two axes.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export function readFlatten(source: PlainSource): PlainNode {
  const value = first(source);
  if (frontAxis(integer(source.node, 'axis', 1), value.axes.length) !== value.axes.length - 1 || value.width === null) {
    throw unsupported('it puts features of several axes into one');
  }
  return reshaped(value, [-1, value.width], source);
}

function reshaped(value: GraphValue, target: readonly Size[], { sizes }: PlainSource): PlainNode {
  return seenAs(value, reshapeAxes(value.axes, target, value.width, sizes));
}

function seenAs(value: GraphValue, axes: Axes): PlainNode {
  return { operations: [], inputs: [value], axes, width: value.width };
}

/**
 * Slice along any axes but the batch.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function readSlice(source: PlainSource): Promise<PlainNode> {
  const said = async (key: string, input: number): Promise<readonly number[]> => {
    const stored = await source.constant(input);
    if (stored) return Array.from(stored.data);
    if ((source.node.inputs[input] ?? '') !== '') throw unsupported('its bounds are computed when the model runs');
    return integers(source.node, key);
  };
  const [starts, ends, steps] = [await said('starts', 1), await said('ends', 2), await said('steps', 4)];
  const named = await said('axes', 3);
  const places = named.length > 0 ? named : starts.map((_, place) => place);
  if (places.length !== starts.length || starts.length !== ends.length) throw unsupported('its bounds do not fit');
  return takeSlices(
    first(source),
    places.map((place, index) => ({
      place,
      slice: { start: starts[index] ?? 0, end: ends[index] ?? 0, step: steps[index] ?? 1 },
      isTakenOut: false,
    })),
  );
}

/**
 * One output of Split.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function readSplit(source: PlainSource): Promise<PlainNode> {
  const { node, output } = source;
  const value = first(source);
  const place = frontAxis(integer(node, 'axis', 0), value.axes.length);
  const stored = await source.constant(1);
  const said = stored ? Array.from(stored.data) : integers(node, 'split');
  const size = sizeOfAxis(value, value.axes[place] ?? ONE);
  const even = Math.ceil((size ?? NaN) / node.outputs.length);
  const all = said.length > 0 ? said : node.outputs.map(() => even);
  const start = all.slice(0, output).reduce((sum, part) => sum + part, 0);
  const end = start + (all[output] ?? NaN);
  if (Number.isNaN(end)) throw unsupported('the size of its parts cannot be told');
  return takeSlices(value, [{ place, slice: { start, end, step: 1 }, isTakenOut: false }]);
}

/**
 * Gather of one place, or of places in a row, out of a value.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function takePlaces(source: PlainSource): Promise<PlainNode> {
  const value = source.values[0];
  const indices = await source.constant(1);
  if (!value || !indices || indices.shape.length > 1) throw unsupported('its places cannot be told');
  const [start = 0, second = start + 1] = indices.data;
  const step = second - start;
  const isRow = indices.data.every((place, index) => place === start + index * step);
  const last = start + (indices.data.length - 1) * step;
  if (!isRow || step === 0 || start < 0 !== last < 0) throw unsupported('its places are no row');
  // One past the last place; behind -1 is the end.
  const end = last + step === 0 && last < 0 ? WHOLE : last + step === -1 && last >= 0 ? -WHOLE : last + step;
  const isTakenOut = indices.shape.length === 0;
  return takeSlices(value, [{ place: integer(source.node, 'axis', 0), slice: { start, end, step }, isTakenOut }]);
}

/**
 * ReverseSequence of whole sequences.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported` where lengths are none of the sequence's own steps.
 */
export async function readReverse(source: PlainSource): Promise<PlainNode> {
  const value = first(source);
  const [time, batch] = [integer(source.node, 'time_axis', 0), integer(source.node, 'batch_axis', 1)];
  const lengths = await source.shape(1);
  const axis = value.axes[time] ?? ONE;
  const isWhole = lengths?.every((length) => typeof length !== 'number' && length.join() === String(axis));
  if (isWhole !== true || value.axes[batch] !== 0) throw unsupported('it turns a part of each sequence');
  return takeSlices(value, [{ place: time, slice: { start: -1, end: -WHOLE, step: -1 }, isTakenOut: false }]);
}

/**
 * Tile of one vector to a sequence.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function readTile(source: PlainSource): Promise<PlainNode> {
  const repeats = await source.constant(1);
  if (!repeats) throw unsupported('how often it repeats is computed when the model runs');
  return widened(first(source), Array.from(repeats.data));
}

/**
 * Expand of one vector to a sequence.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function readExpand(source: PlainSource): Promise<PlainNode> {
  const target = await source.shape(1);
  const value = first(source);
  if (target?.length !== value.axes.length) throw unsupported('its shape is computed when the model runs');
  return widened(
    value,
    target.map((size, place) => (value.axes[place] !== ONE ? 1 : typeof size === 'number' ? size : NaN)),
  );
}

function widened(value: GraphValue, counts: readonly number[]): PlainNode {
  const places = counts.flatMap((count, place) => (count === 1 ? [] : [place]));
  const [place] = places;
  if (place === undefined) return seenAs(value, value.axes);
  const count = counts[place] ?? NaN;
  const isSequence = places.length === 1 && value.axes[place] === ONE && rankOf(value) === 2 && Number.isInteger(count);
  if (!isSequence || count < 1) throw unsupported('it repeats what is no single vector');
  return {
    operations: [{ kind: 'repeat', count }],
    inputs: [value],
    axes: value.axes.map((axis, at) => (at === place ? 1 : axis >= 1 ? axis + 1 : axis)),
    width: value.width,
  };
}

interface AxisSlice {
  readonly place: number;
  readonly slice: Slice;
  /** True where the axis goes with it. */
  readonly isTakenOut: boolean;
}

function takeSlices(value: GraphValue, slices: readonly AxisSlice[]): PlainNode {
  const operations: PlainOperation[] = [];
  const gone = new Set<number>();
  let { axes, width } = value;
  for (const { place, slice, isTakenOut } of slices) {
    const at = frontAxis(place, axes.length);
    const axis = axes[at] ?? ONE;
    if (slice.step === 0) throw unsupported('its step is 0');
    if (isTakenOut) gone.add(at);
    const size = sizeOfAxis({ ...value, axes, width }, axis);
    if (isWholeSlice(slice, size) && !(isTakenOut && axis !== ONE)) continue;
    if (axis === ONE) throw unsupported('it keeps nothing');
    const last = Math.max(...axes);
    if (axis === DIRECTIONS) {
      const sides = slicedPlaces(slice, 2);
      if (sides.length !== 1 || width === null) throw unsupported('it turns the directions');
      const units = width / 2;
      const start = (sides[0] ?? 0) * units;
      operations.push({ kind: 'slice', axis: last, slice: { start, end: start + units, step: 1 }, drop: false });
      axes = axes.map((entry) => (entry === DIRECTIONS ? ONE : entry));
      width = units;
      continue;
    }
    if (axis < 1 || (axis === last && axes.includes(DIRECTIONS)))
      throw unsupported('it keeps a part that cannot be told');
    const drop = isOnePlace(slice, size);
    if (isTakenOut && !drop) throw unsupported('it keeps a part that cannot be told');
    operations.push({ kind: 'slice', axis, slice, drop });
    if (drop) axes = axes.map((entry) => (entry === axis ? ONE : entry > axis ? entry - 1 : entry));
    if (axis === last) {
      if (drop) throw unsupported('it keeps one feature');
      width = size === null ? null : slicedPlaces(slice, size).length;
    }
  }
  return { operations, inputs: [value], axes: axes.filter((_, at) => !gone.has(at)), width };
}

/** Entries of an axis where they are known: batch and steps may be others than the file says. */
function sizeOfAxis({ axes, width }: GraphValue, axis: number): number | null {
  if (axis === ONE) return 1;
  if (axis === DIRECTIONS) return 2;
  return axis === Math.max(...axes) && axis > 0 && !axes.includes(DIRECTIONS) ? width : null;
}

function isWholeSlice({ start, end, step }: Slice, size: number | null): boolean {
  return step === 1 && start === 0 && end >= (size ?? WHOLE);
}

function isOnePlace(slice: Slice, size: number | null): boolean {
  if (size !== null) return slicedPlaces(slice, size).length === 1;
  const { start, end, step } = slice;
  if (step !== 1) return false;
  return start === -1 ? end >= WHOLE : end === start + 1 && start < 0 === end < 0;
}
