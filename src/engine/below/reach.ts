/**
 * Which timesteps of the model's input each timestep of a layer's output can depend on.
 *
 * From the layers' shapes alone, never from numbers: a window may be wider than the true dependence, never narrower.
 */
import type { Layer, PlainOperation } from '../../core/model';
import { slicedPlaces } from '../../core/sliced-places';

/** For each output step the first and last input step it may depend on; one entry per output step. */
export interface Reach {
  readonly first: Int32Array;
  readonly last: Int32Array;
}

/**
 * Every step depends on itself alone: the reach of the input.
 *
 * @param steps - T
 */
export function ownSteps(steps: number): Reach {
  const first = Int32Array.from({ length: steps }, (_, step) => step);
  return { first, last: first };
}

/**
 * The most input steps that one output step depends on.
 *
 * @param reach - The reach.
 */
export function widthOf(reach: Reach): number {
  return reach.first.reduce((widest, first, step) => Math.max(widest, reach.last[step] - first + 1), 1);
}

/**
 * The most input steps that are open at once when the output steps are gone through a chunk at a time, from either end.
 *
 * @param reach - The reach.
 * @param chunkSteps - Output steps of a chunk.
 */
export function openSteps({ first, last }: Reach, chunkSteps: number): number {
  const lowest = first.slice();
  for (let step = lowest.length - 2; step >= 0; step--) lowest[step] = Math.min(lowest[step], lowest[step + 1]);
  const highest = last.slice();
  for (let step = 1; step < highest.length; step++) highest[step] = Math.max(highest[step], highest[step - 1]);
  let most = 1;
  for (let step = 0; step < lowest.length; step++) {
    const end = Math.min(lowest.length, step + chunkSteps) - 1;
    most = Math.max(most, highest[end] - lowest[step] + 1);
  }
  return most;
}

/**
 * The reach of a layer's output.
 *
 * @param layer - The layer, for wrappers.
 * @param operation - What it computes.
 * @param inputs - Reach of each of its inputs; null for one that does not depend on the model's input.
 * @param shapes - Shapes of the inputs, batch first.
 * @param outputShape - Shape of the output, batch first.
 * @param steps - T of the model's input.
 * @returns null when the output does not depend on the model's input.
 */
export function reachOf(
  layer: Layer,
  operation: PlainOperation,
  inputs: readonly (Reach | null)[],
  shapes: readonly (readonly number[])[],
  outputShape: readonly number[],
  steps: number,
): Reach | null {
  const known = inputs.filter((reach) => reach !== null);
  if (known.length === 0) return null;
  const outputSteps = outputShape[1] ?? 1;
  const whole: Reach = {
    first: new Int32Array(outputSteps),
    last: new Int32Array(outputSteps).fill(steps - 1),
  };
  // Inside TimeDistributed every step is computed from itself, whatever the inner layer does.
  if (layer.className === 'TimeDistributed') return known[0];
  if (shapes.some((shape) => shape.length < 3)) return whole;
  const [input] = known;
  switch (operation.kind) {
    case 'identity':
    case 'masking':
    case 'dense':
    case 'activation':
    case 'prelu':
    case 'affine':
    case 'embedding':
      return input;
    case 'layer-normalization':
      return operation.axes.every((axis) => isLastAxis(axis, shapes[0].length)) ? input : whole;
    case 'softmax':
      return isLastAxis(operation.axis, shapes[0].length) ? input : whole;
    case 'concatenate':
      return isLastAxis(operation.axis, shapes[0].length) ? union(known, outputSteps) : whole;
    case 'merge':
      return shapes.every((shape) => shape[1] === outputSteps) ? union(known, outputSteps) : whole;
    case 'conv1d': {
      const size = (operation.kernel.shape[0] - 1) * operation.dilation + 1;
      return windowed(input, outputSteps, { size, stride: operation.stride, padding: operation.padding });
    }
    case 'pool1d':
      return windowed(input, outputSteps, operation);
    case 'upsampling1d':
      return shifted(input, outputSteps, (step) => Math.floor(step / operation.size));
    case 'padding1d':
      return shifted(input, outputSteps, (step) => step - operation.left);
    case 'cropping1d':
      return shifted(input, outputSteps, (step) => step + operation.left);
    case 'slice': {
      if (operation.axis !== 1) return isLastAxis(operation.axis, shapes[0].length) ? input : whole;
      const places = slicedPlaces(operation.slice, shapes[0][1]);
      return operation.drop ? whole : shifted(input, outputSteps, (step) => places[step]);
    }
    case 'input':
    case 'constant':
    case 'reshape':
    case 'permute':
    case 'flatten':
    case 'repeat':
      return whole;
  }
}

function isLastAxis(axis: number, rank: number): boolean {
  return axis === -1 || axis === rank - 1;
}

function union(reaches: readonly Reach[], steps: number): Reach {
  const pick = (choose: (...values: number[]) => number, side: keyof Reach): Int32Array =>
    Int32Array.from({ length: steps }, (_, step) => choose(...reaches.map((reach) => reach[side][step])));
  return { first: pick(Math.min, 'first'), last: pick(Math.max, 'last') };
}

/** The steps of windows of `size` inputs; those of padding are left out. */
function windowed(
  input: Reach,
  outputSteps: number,
  window: { readonly size: number; readonly stride: number; readonly padding: 'valid' | 'same' | 'causal' },
): Reach {
  const inputSteps = input.first.length;
  const { size, stride, padding } = window;
  const total = Math.max(0, (outputSteps - 1) * stride + size - inputSteps);
  const left = padding === 'valid' ? 0 : padding === 'causal' ? size - 1 : Math.floor(total / 2);
  return shifted(
    input,
    outputSteps,
    (step) => step * stride - left,
    (step) => step * stride - left + size - 1,
  );
}

/** The reach of output steps that read the input steps `from(step) .. to(step)`; steps outside are padding. */
function shifted(
  input: Reach,
  outputSteps: number,
  from: (step: number) => number,
  to: (step: number) => number = from,
): Reach {
  const lastInput = input.first.length - 1;
  const clamp = (step: number): number => Math.min(lastInput, Math.max(0, step));
  const first = new Int32Array(outputSteps);
  const last = new Int32Array(outputSteps);
  for (let step = 0; step < outputSteps; step++) {
    let [low, high] = [Infinity, -Infinity];
    for (let source = clamp(from(step)); source <= clamp(to(step)); source++) {
      low = Math.min(low, input.first[source]);
      high = Math.max(high, input.last[source]);
    }
    first[step] = low;
    last[step] = high;
  }
  return { first, last };
}
