/**
 * A tile of sources pushed through a layer that is no recurrence.
 *
 * What only moves or adds features is done row by row. Everything else is one pass of tangents through the layer: where
 * a step depends on the same step alone, rows keep their own exponents; where steps mix, rows of similar exponents go
 * together and the passes are added, so that a small row beside a large one loses nothing.
 */
import type { PlainOperation } from '../../core/model';
import type { Flow, LayerContext } from '../layers/flow';
import { axisOf } from '../layers/flow';
import type { AppliedOperation } from '../layers/run-layer';
import type { Value } from '../ops';
import { columnNorms } from './column-norms';
import { ownSteps, reachOf } from './reach';
import { EXPONENT_STEP, exponentShift, NO_EXPONENT, ScaledColumns, sumColumns, type TileShape } from './scaled-columns';
import { joinRow, retainRow, type TangentRow, type TangentRows } from './tangent-rows';
import { tangentOf } from './tangent-layer';

/** Exponents that go through one pass together: their numbers fit the precision side by side. */
const TOGETHER = { float32: EXPONENT_STEP, float64: 8 * EXPONENT_STEP } as const;

/** A plain layer at one sequence. */
export interface PlainLayer {
  readonly context: LayerContext;
  readonly operation: AppliedOperation;
  /** Its inputs, `[1, ..]`. */
  readonly inputs: readonly Flow[];
  /** Its output, `[1, ..]`. */
  readonly output: Value;
}

/**
 * The derivative of the output; the caller's to release.
 *
 * @param tile - The tile.
 * @param layer - The layer.
 * @param inputs - Derivatives of its inputs; null for one that does not move, not all are.
 */
export function pushPlain(tile: TileShape, layer: PlainLayer, inputs: readonly (TangentRows | null)[]): TangentRows {
  return moveRows(tile, layer, inputs) ?? passTangents(tile, layer, inputs);
}

/** Layers that leave every feature as it is, side by side or added; null for any other. */
function moveRows(
  tile: TileShape,
  { context, operation, inputs: flows, output }: PlainLayer,
  inputs: readonly (TangentRows | null)[],
): TangentRows | null {
  const [first] = inputs;
  if (context.layer.className === 'TimeDistributed') return null;
  if (operation.kind === 'identity') return { widths: first!.widths, rows: first!.rows.map(retainRow) };
  if (flows.some(({ value }) => value.shape.length !== output.shape.length)) return null;
  if (operation.kind === 'concatenate') {
    const { shape } = output;
    if (shape.length > 3 || axisOf(context.layer, operation.axis, shape) !== shape.length - 1) return null;
    const filled = inputs.map((input, at) => input ?? zeroRows(flows[at]!.value.shape));
    const steps = filled[0]!.rows.length;
    return {
      widths: filled.flatMap(({ widths }) => widths),
      rows: Array.from({ length: steps }, (_, t) => filled.flatMap(({ rows }) => retainRow(rows[t]!))),
    };
  }
  const factors = operation.kind === 'merge' ? termFactors(operation.operation, inputs.length) : null;
  if (!factors || flows.some(({ value }) => value.shape.some((size, axis) => size !== output.shape[axis]))) return null;
  const { steps, features } = rowShape(output.shape);
  const rows = Array.from({ length: steps }, (_, t): TangentRow => {
    const terms = inputs.map((input, at) => {
      return { columns: input && joinRow(tile, input.rows[t]!, input.widths), factor: factors[at]! };
    });
    const sum = sumColumns(tile, terms);
    for (const { columns } of terms) columns?.release();
    return [sum];
  });
  return { widths: [features], rows };
}

/** The factor of each input of a merge that is a sum; null for any other. */
function termFactors(
  merge: Extract<PlainOperation, { kind: 'merge' }>['operation'],
  count: number,
): readonly number[] | null {
  if (merge === 'add') return new Array<number>(count).fill(1);
  if (merge === 'average') return new Array<number>(count).fill(1 / count);
  return merge === 'subtract' ? [1, -1] : null;
}

function zeroRows(shape: readonly number[]): TangentRows {
  const { steps, features } = rowShape(shape);
  return { widths: [features], rows: Array.from({ length: steps }, () => [null]) };
}

/** Rows of a value `[1, T, ..]`, or the one row of `[1, F]`. */
export function rowShape(shape: readonly number[]): { readonly steps: number; readonly features: number } {
  const steps = shape.length > 2 ? shape[1]! : 1;
  return { steps, features: shape.slice(shape.length > 2 ? 2 : 1).reduce((product, size) => product * size, 1) };
}

/** The general way. */
function passTangents(tile: TileShape, layer: PlainLayer, inputs: readonly (TangentRows | null)[]): TangentRows {
  const joined = inputs.map((input) => input && input.rows.map((row) => joinRow(tile, row, input.widths)));
  try {
    const { steps, features } = rowShape(layer.output.shape);
    const reaches = layer.inputs.map(({ value }) => ownSteps(rowShape(value.shape).steps));
    const moving = reaches.map((reach, at) => (inputs[at] ? reach : null));
    const shapes = layer.inputs.map(({ value }) => value.shape);
    const { operation, context } = layer;
    const most = Math.max(...shapes.map((shape) => rowShape(shape).steps));
    const reach = reachOf(context.layer, operation, moving, shapes, layer.output.shape, most)!;
    const isOwn =
      moving.every((own) => own === null || own.first.length === steps) &&
      reach.first.every((first, t) => first === t && reach.last[t] === t);
    const isReached = (t: number): boolean =>
      joined.some((rows) => rows?.some((row, k) => row !== null && k >= reach.first[t]! && k <= reach.last[t]!));
    const parts = (isOwn ? ownPass : mixedPass)(tile, layer, joined);
    const rows = parts.map((part, t): TangentRow => {
      if (isReached(t)) return [part];
      part?.release();
      return [null];
    });
    return { widths: [features], rows };
  } finally {
    for (const rows of joined) for (const row of rows ?? []) row?.release();
  }
}

type JoinedRows = readonly (ScaledColumns | null)[];

/** Every step from itself: rows keep their exponents, those of several inputs are brought together. */
function ownPass(
  tile: TileShape,
  layer: PlainLayer,
  inputs: readonly (JoinedRows | null)[],
): readonly (ScaledColumns | null)[] {
  const { ops } = tile;
  const { steps } = rowShape(layer.output.shape);
  const exponents = Array.from({ length: steps }, (_, t) => {
    return largestExponents(
      tile,
      inputs.map((rows) => rows?.[t] ?? null),
    );
  });
  const made = ops.tidy(() => pass(tile, layer, inputs, (columns, t) => columns.withExponents(exponents[t]!)));
  return settleRows(tile, made, exponents);
}

/** Steps that mix: a pass for each range of exponents, and their sum. */
function mixedPass(
  tile: TileShape,
  layer: PlainLayer,
  inputs: readonly (JoinedRows | null)[],
): readonly (ScaledColumns | null)[] {
  const { ops, sources } = tile;
  const together = TOGETHER[tile.isDouble ? 'float64' : 'float32'];
  const classOf = (exponent: number): number => Math.floor(exponent / together);
  const classes = new Set<number>();
  for (const row of inputs.flatMap((rows) => rows ?? [])) {
    for (const exponent of row?.exponents ?? []) if (exponent !== NO_EXPONENT) classes.add(classOf(exponent));
  }
  const { steps } = rowShape(layer.output.shape);
  let sum: (ScaledColumns | null)[] = Array.from({ length: steps }, () => null);
  for (const one of [...classes].sort((a, b) => b - a)) {
    const base = new Int32Array(sources).fill(one * together);
    const made = ops.tidy(() => pass(tile, layer, inputs, (columns) => ofClass(tile, columns, classOf, one, base)));
    const rows = settleRows(
      tile,
      made,
      Array.from({ length: steps }, () => base),
    );
    sum = sum.map((total, t) => {
      const next = sumColumns(tile, [
        { columns: total, factor: 1 },
        { columns: rows[t]!, factor: 1 },
      ]);
      total?.release();
      rows[t]?.release();
      return next;
    });
  }
  return sum;
}

/** The columns of the sources whose exponents are of one class, the others zero. */
function ofClass(
  tile: TileShape,
  columns: ScaledColumns,
  classOf: (exponent: number) => number,
  one: number,
  base: Int32Array,
): ScaledColumns | null {
  const { ops, width } = tile;
  const isOf = columns.exponents.map((exponent) => Number(exponent !== NO_EXPONENT && classOf(exponent) === one));
  if (isOf.every((is) => is === 0)) return null;
  const factors = Float64Array.from({ length: isOf.length * width }, (_, at) => {
    const k = Math.floor(at / width);
    return isOf[k] === 1 ? 2 ** (columns.exponents[k]! - base[k]!) : 0;
  });
  return new ScaledColumns(tile, ops.mul(columns.value, ops.upload(factors, [1, factors.length])), base);
}

/** The larger exponent of each source over some rows. */
function largestExponents({ sources }: TileShape, rows: readonly (ScaledColumns | null)[]): Int32Array {
  const largest = new Int32Array(sources).fill(NO_EXPONENT);
  for (const row of rows) row?.exponents.forEach((exponent, k) => (largest[k] = Math.max(largest[k]!, exponent)));
  return largest;
}

/** Rows through the layer as tangents, `[T', F', w D]`; inside a `tidy`. */
function pass(
  tile: TileShape,
  layer: PlainLayer,
  inputs: readonly (JoinedRows | null)[],
  scaled: (columns: ScaledColumns, t: number) => ScaledColumns | null,
): Value {
  const { ops, sources, width } = tile;
  const count = sources * width;
  const tangents = inputs.map((rows, at) => {
    if (rows === null) return null;
    const { shape } = layer.inputs[at]!.value;
    const { features } = rowShape(shape);
    const zero = ops.fill([features, count], 0);
    const held = rows.map((columns, t) => columns && scaled(columns, t));
    const stacked = ops.concat(
      held.map((columns) => columns?.value ?? zero),
      0,
    );
    for (const columns of held) columns?.release();
    return ops.reshape(ops.transpose(stacked, [1, 0]), [count, ...shape.slice(1)]);
  });
  const moved = tangentOf(
    layer.context,
    layer.operation,
    layer.inputs.map((flow, at) => ({ flow, tangent: tangents[at]! })),
    layer.output,
  );
  const { steps, features } = rowShape(layer.output.shape);
  const turned = ops.transpose(ops.reshape(moved, [count, steps * features]), [1, 0]);
  return ops.reshape(turned, [steps, features, count]);
}

/** `[T, F, w D]` as a row each, brought into range; frees the argument. */
function settleRows(tile: TileShape, made: Value, exponents: readonly Int32Array[]): readonly (ScaledColumns | null)[] {
  const { ops } = tile;
  const [steps, features, count] = made.shape as [number, number, number];
  const parts = ops.split(made, steps, 0);
  const rows = parts.map((part, t) => {
    const row = new ScaledColumns(tile, ops.reshape(part, [features, count]), exponents[t]!);
    const [norms] = columnNorms(tile, [row.value]);
    const next = Int32Array.from(row.exponents, (exponent, k) => {
      return norms![k] === -Infinity ? NO_EXPONENT : exponent + exponentShift(norms![k]!);
    });
    if (next.every((exponent) => exponent === NO_EXPONENT)) {
      row.release();
      return null;
    }
    return row.settled(next);
  });
  ops.dispose(made, ...parts);
  return rows;
}
