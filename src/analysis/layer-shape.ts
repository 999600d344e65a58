/**
 * Shapes of layer outputs, worked out without running anything; what estimates and random inputs are made from.
 */
import type { Layer, PlainOperation, RecurrentModel, RecurrentOperation, ValueRef } from '../core/model';
import { cellsOf, hiddenSize } from '../core/model';
import { slicedPlaces } from '../core/sliced-places';

/** Sizes without the batch axis; null where the size is not known. */
export type PartialShape = readonly (number | null)[];

/**
 * The shape of one output of a layer, without the batch axis.
 *
 * @param model - The model.
 * @param ref - Which output.
 * @param inputShapes - Shape of each layer of `model.inputs`, in that order.
 * @returns null when a layer on the way cannot be run.
 */
export function outputShape(
  model: RecurrentModel,
  ref: ValueRef,
  inputShapes: readonly PartialShape[],
): PartialShape | null {
  const known = new Map<number, readonly (PartialShape | null)[]>();
  model.inputs.forEach((layer, index) => known.set(layer, [inputShapes[index] ?? null]));
  // Layers stand in topological order, so one pass over those before `ref` is enough.
  for (let index = 0; index <= ref.layer; index++) {
    const layer = model.layers[index]!;
    if (!known.has(index))
      known.set(
        index,
        shapesOf(layer, (input) => known.get(input.layer)?.[input.output] ?? null),
      );
  }
  return known.get(ref.layer)?.[ref.output] ?? null;
}

function shapesOf(layer: Layer, shapeOf: (ref: ValueRef) => PartialShape | null): readonly (PartialShape | null)[] {
  const operation = layer.operation;
  const inputs = layer.inputs.map(shapeOf);
  const first = inputs[0];
  if (operation.kind === 'unsupported' || operation.kind === 'input') return [null];
  if (operation.kind === 'constant') return [operation.value.shape.slice(1)];
  if (!first) return [null];
  if (operation.kind === 'recurrent') return recurrentShapes(operation, first);
  return [plainShape(operation, first, inputs)];
}

function recurrentShapes(operation: RecurrentOperation, input: PartialShape): readonly PartialShape[] {
  const cells = cellsOf(operation);
  const sizes = cells.map(({ cell }) => hiddenSize(cell));
  const leading = operation.timeDistributed ? input.slice(0, -2) : [];
  const time = operation.returnSequences ? input.slice(-2, -1) : [];
  const merged =
    operation.mergeMode === 'concat'
      ? [sizes.reduce((sum, size) => sum + size, 0)]
      : operation.mergeMode === 'none'
        ? sizes
        : [sizes[0]!];
  const states = operation.returnState
    ? cells.flatMap(({ cell }) => (cell.kind === 'LSTM' ? [[hiddenSize(cell)], [cell.units]] : [[cell.units]]))
    : [];
  return [...merged.map((size) => [...leading, ...time, size]), ...states];
}

function plainShape(
  operation: Exclude<PlainOperation, { kind: 'input' | 'constant' }>,
  input: PartialShape,
  inputs: readonly (PartialShape | null)[],
): PartialShape | null {
  const [time = null] = input;
  const withTime = (steps: number | null): PartialShape => [steps, ...input.slice(1)];
  switch (operation.kind) {
    case 'identity':
    case 'masking':
    case 'activation':
    case 'prelu':
    case 'affine':
    case 'layer-normalization':
    case 'softmax':
      return input;
    case 'embedding':
      return [...input, operation.table.shape[1]!];
    case 'dense':
      return [...input.slice(0, -1), operation.kernel.shape[1]!];
    case 'conv1d': {
      const reach = (operation.kernel.shape[0]! - 1) * operation.dilation + 1;
      return [windows(time, reach, operation.stride, operation.padding !== 'valid'), operation.kernel.shape[2]!];
    }
    case 'pool1d':
      return withTime(windows(time, operation.size, operation.stride, operation.padding === 'same'));
    case 'upsampling1d':
      return withTime(time === null ? null : time * operation.size);
    case 'padding1d':
      return withTime(time === null ? null : time + operation.left + operation.right);
    case 'cropping1d':
      return withTime(time === null ? null : time - operation.left - operation.right);
    case 'slice':
      return sliced(operation, input);
    case 'reshape':
      return reshaped(operation.target, input);
    case 'permute':
      return operation.dims.map((axis) => input[axis - 1] ?? null);
    case 'flatten':
      return [total(input)];
    case 'repeat':
      return [operation.count, time];
    case 'concatenate':
      return concatenated(operation.axis, inputs);
    case 'merge':
      return longest(inputs);
  }
}

function sliced({ axis, slice, drop }: PlainOperation & { readonly kind: 'slice' }, input: PartialShape): PartialShape {
  const size = input[axis - 1] ?? null;
  const left = size === null ? null : slicedPlaces(slice, size).length;
  return input.flatMap((known, index) => (index !== axis - 1 ? [known] : drop ? [] : [left]));
}

function windows(time: number | null, reach: number, stride: number, isPadded: boolean): number | null {
  if (time === null) return null;
  return isPadded ? Math.ceil(time / stride) : Math.max(0, Math.floor((time - reach) / stride) + 1);
}

function total(shape: PartialShape): number | null {
  return shape.reduce<number | null>((product, size) => (product === null || size === null ? null : product * size), 1);
}

function reshaped(target: readonly number[], input: PartialShape): PartialShape {
  if (!target.includes(-1)) return target;
  const all = total(input);
  const rest = target.reduce((product, size) => (size === -1 ? product : product * size), 1);
  return target.map((size) => (size === -1 ? (all === null ? null : all / rest) : size));
}

function concatenated(axis: number, inputs: readonly (PartialShape | null)[]): PartialShape | null {
  const first = inputs[0];
  if (!first) return null;
  // The file counts axes with the batch at 0; negative ones count from the end.
  const position = axis < 0 ? first.length + axis : axis - 1;
  const sizes = inputs.map((shape) => shape?.[position] ?? null);
  const sum = sizes.reduce<number | null>((a, b) => (a === null || b === null ? null : a + b), 0);
  return first.map((size, index) => (index === position ? sum : size));
}

function longest(inputs: readonly (PartialShape | null)[]): PartialShape | null {
  if (inputs.some((shape) => shape === null)) return null;
  return inputs.reduce<PartialShape>((best, shape) => (shape!.length > best.length ? shape! : best), inputs[0]!);
}
