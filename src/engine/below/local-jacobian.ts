/**
 * dx_t/du_k: how a layer's input depends on the model's input, through the layers below that are no recurrences.
 *
 * The Jacobian is banded: x_t depends on a window of steps of u. Tangents of steps that no window holds together share
 * one pass, so the number of passes is window width times features, whatever T is. Everything is float64.
 */
import { TempogradError } from '../../core/errors';
import type { Layer, RecurrentModel } from '../../core/model';
import { sizeOf, type RealTensor, type Tensor } from '../../core/tensor';
import { versionOf } from '../forward';
import { runConstant } from '../layers/constant';
import type { Flow, LayerContext } from '../layers/flow';
import { runPlainLayer } from '../layers/run-layer';
import type { Ops, Value } from '../ops';
import { createFloat64Ops } from '../ops/float64-ops';
import { Pace } from '../pace';
import { ownSteps, reachOf, widthOf, type Reach } from './reach';
import { independent, layersBelow, noCommonSteps, startsOf } from './source-layers';
import { tangentOf } from './tangent-layer';

/** More memory than this for the band is refused. */
const MAX_BAND_BYTES = 2 ** 30;
/** Tangents pushed together. */
const TANGENTS_AT_ONCE = 64;

/** The sequence u that is differentiated against, and dx/du. */
export interface LocalJacobian {
  /** u `[B, T_u, D_u]`; the embedded sequence where the model starts with an Embedding, side by side for several. */
  readonly sequence: RealTensor;
  /** Steps of x. */
  readonly steps: number;
  readonly inputDim: number;
  /** Window of u for each step of x. */
  readonly reach: Reach;
  /** True where x_t depends on u_t alone, so that no step reaches another. */
  readonly isStepwise: boolean;
  /**
   * dx_t/du_k of one sequence, `[D, D_u]`, as a view; null when k is outside the window of t.
   */
  block(sequence: number, t: number, k: number): Float64Array | null;
}

/** One layer's output for one sequence, while tangents are pushed. */
interface Point {
  readonly flow: Flow;
  readonly reach: Reach | null;
  readonly context: LayerContext;
}

/**
 * dx/du of a layer inside its model.
 *
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @param inputs - One tensor per `model.inputs`; u is the first.
 * @param signal - Aborts between layers.
 * @param maxBytes - The memory for it; never more than 1 GiB is taken.
 * @throws TempogradError `cell/unsupported` when a recurrent layer stands below, x does not depend on the first input, or
 * the layer is inside TimeDistributed; `engine/out-of-memory` when the band would not fit.
 */
export async function localJacobian(
  model: RecurrentModel,
  layer: number,
  inputs: readonly Tensor[],
  signal: AbortSignal,
  maxBytes = MAX_BAND_BYTES,
): Promise<LocalJacobian> {
  const ops = createFloat64Ops();
  const order = layersBelow(model, layer);
  const starts = startsOf(model, layer, order);
  const batch = inputs[0].shape[0];
  const pace = new Pace(signal);
  const bands: Float64Array[] = [];
  let shared: { reach: Reach; steps: number; inputDim: number; width: number } | null = null;
  let sequence: { data: Float64Array; shape: readonly number[] } | null = null;
  try {
    for (let b = 0; b < batch; b++) {
      const points = runSequence(ops, model, order, starts, inputs, b);
      const source = sourceOf(ops, starts, points);
      const target = points.get(model.layers[layer].inputs[0].layer)!;
      if (target.reach === null) throw independent(model.layers[layer]);
      const [, steps, inputDim] = target.flow.value.shape;
      const [, sourceSteps, features] = source.shape;
      const width = widthOf(target.reach);
      checkBand(
        batch * steps * inputDim * width * features * 8,
        Math.min(maxBytes, MAX_BAND_BYTES),
        model.layers[layer],
      );
      shared = { reach: target.reach, steps, inputDim, width };
      sequence ??= { data: new Float64Array(batch * sourceSteps * features), shape: [batch, sourceSteps, features] };
      ops.readInto(source, sequence.data, b * sourceSteps * features);
      bands.push(await pushAll({ ops, order, starts, points, target, source, width, pace, model }));
      ops.dispose(source, ...[...points.values()].map(({ flow }) => flow.value));
    }
  } finally {
    ops.close();
  }
  const { reach, steps, inputDim, width } = shared!;
  const features = sequence!.shape[2];
  const size = inputDim * features;
  return {
    sequence: sequence!,
    steps,
    inputDim,
    reach,
    isStepwise: reach.first.every((first, step) => first === step && reach.last[step] === step),
    block(b, t, k) {
      if (k < reach.first[t] || k > reach.last[t]) return null;
      const place = (t * width + (k - reach.first[t])) * size;
      return bands[b].subarray(place, place + size);
    },
  };
}

/** u of one sequence `[1, T_u, D_u]`, the starts side by side. */
function sourceOf(ops: Ops, starts: readonly number[], points: ReadonlyMap<number, Point>): Value {
  return ops.concat(
    starts.map((start) => points.get(start)!.flow.value),
    2,
  );
}

function checkBand(bytes: number, limit: number, layer: Layer): void {
  if (bytes <= limit) return;
  throw new TempogradError(
    'engine/out-of-memory',
    `the Jacobian of the layers below ${layer.name} would take ${bytes} bytes, ${Math.max(0, limit)} are left`,
    { remedy: 'Use fewer steps or sequences, or --wrt layer-input.', details: { bytes, limit } },
  );
}

/** Values of one sequence at every layer below, kept until disposed. */
function runSequence(
  ops: Ops,
  model: RecurrentModel,
  order: readonly number[],
  starts: readonly number[],
  inputs: readonly Tensor[],
  b: number,
): Map<number, Point> {
  const points = new Map<number, Point>();
  const keras = versionOf(model.producer);
  let steps = 0;
  for (const index of order) {
    const layer = model.layers[index];
    const { operation } = layer;
    const context: LayerContext = { ops, layer, keras };
    if (operation.kind === 'recurrent' || operation.kind === 'unsupported')
      throw new Error(`layer ${layer.name} cannot run`);
    let flow: Flow;
    if (operation.kind === 'input')
      flow = { value: uploadOne(ops, inputs[model.inputs.indexOf(index)], b), mask: null };
    else if (operation.kind === 'constant')
      flow = { value: constantRow(context, operation.value, inputs[0].shape[0], b), mask: null };
    else
      flow = runPlainLayer(
        context,
        operation,
        layer.inputs.map((ref) => points.get(ref.layer)!.flow),
      );
    const { shape } = flow.value;
    let reach: Reach | null = null;
    if (starts.includes(index)) {
      if (shape.length !== 3 || (steps !== 0 && steps !== shape[1])) throw noCommonSteps(starts, model, shape);
      steps = shape[1];
      reach = ownSteps(steps);
    } else if (operation.kind !== 'input' && operation.kind !== 'constant') {
      const below = layer.inputs.map((ref) => points.get(ref.layer)!);
      reach = reachOf(
        layer,
        operation,
        below.map((point) => point.reach),
        below.map((point) => point.flow.value.shape),
        shape,
        steps,
      );
    }
    points.set(index, { flow, reach, context });
  }
  return points;
}

/** The row of one sequence, `[1, ...]`. */
function constantRow(context: LayerContext, value: RealTensor, batch: number, b: number): Value {
  const { ops } = context;
  return ops.tidy(() => {
    const all = runConstant(context, value, batch);
    return ops.slice(all, [b, ...all.shape.slice(1).map(() => 0)], [1, ...all.shape.slice(1)]);
  });
}

function uploadOne(ops: Ops, { shape, data }: Tensor, b: number): Value {
  const size = sizeOf(shape) / shape[0];
  const part = data.subarray(b * size, (b + 1) * size);
  const single = [1, ...shape.slice(1)];
  return part instanceof Float32Array || part instanceof Float64Array
    ? ops.upload(part, single)
    : ops.uploadInts(Int32Array.from(part), single);
}

/** What one sequence's tangents are pushed through. */
interface Push {
  readonly ops: Ops;
  readonly model: RecurrentModel;
  readonly order: readonly number[];
  readonly starts: readonly number[];
  readonly points: ReadonlyMap<number, Point>;
  readonly target: Point;
  /** `[1, T_u, D_u]` */
  readonly source: Value;
  readonly width: number;
  readonly pace: Pace;
}

/** The band of one sequence, `[T, width, D, D_u]`. */
async function pushAll(push: Push): Promise<Float64Array> {
  const { ops, source, target, width, pace } = push;
  const [, sourceSteps, features] = source.shape;
  const [, steps, inputDim] = target.flow.value.shape;
  const reach = target.reach!;
  const band = new Float64Array(steps * width * inputDim * features);
  const directions = width * features;
  for (let from = 0; from < directions; from += TANGENTS_AT_ONCE) {
    await pace.breathe();
    const count = Math.min(TANGENTS_AT_ONCE, directions - from);
    const seeds = new Float64Array(count * sourceSteps * features);
    for (let n = 0; n < count; n++) {
      const [phase, feature] = [Math.floor((from + n) / features), (from + n) % features];
      for (let k = phase; k < sourceSteps; k += width) seeds[(n * sourceSteps + k) * features + feature] = 1;
    }
    const moved = ops.tidy(() => ops.read(pushOnce(push, ops.upload(seeds, [count, sourceSteps, features]))));
    for (let n = 0; n < count; n++) {
      const [phase, feature] = [Math.floor((from + n) / features), (from + n) % features];
      for (let t = 0; t < steps; t++) {
        // The one step of this phase inside the window of t.
        const k = reach.first[t] + ((((phase - reach.first[t]) % width) + width) % width);
        if (k > reach.last[t]) continue;
        for (let d = 0; d < inputDim; d++) {
          const place = ((t * width + (k - reach.first[t])) * inputDim + d) * features + feature;
          band[place] = moved[(n * steps + t) * inputDim + d];
        }
      }
    }
  }
  return band;
}

/** Tangents `[n, T_u, D_u]` of u to tangents `[n, T, D]` of x. */
function pushOnce({ ops, model, order, starts, points, target }: Push, seeds: Value): Value {
  const widths = starts.map((start) => points.get(start)!.flow.value.shape[2]);
  const parts = starts.length === 1 ? [seeds] : ops.split(seeds, widths, 2);
  const tangents = new Map<number, Value>(starts.map((start, index) => [start, parts[index]]));
  for (const index of order) {
    if (tangents.has(index)) continue;
    const { operation, inputs } = model.layers[index];
    if (operation.kind === 'recurrent' || operation.kind === 'unsupported') continue;
    if (operation.kind === 'input' || operation.kind === 'constant') continue;
    const below = inputs.map((ref) => ({
      flow: points.get(ref.layer)!.flow,
      tangent: tangents.get(ref.layer) ?? null,
    }));
    if (below.every(({ tangent }) => tangent === null)) continue;
    const { context, flow } = points.get(index)!;
    tangents.set(index, tangentOf(context, operation, below, flow.value));
  }
  const found = [...points].find(([, point]) => point === target)!;
  return tangents.get(found[0])!;
}
