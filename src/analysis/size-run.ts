/**
 * The sizes of a run before anything is computed: batch, timesteps of the layer, and where the sequences enter.
 */
import { TempogradError } from '../core/errors';
import { cellsOf, type Layer, type RecurrentModel } from '../core/model';
import type { RealTensor, Tensor } from '../core/tensor';
import type { InputSource, RunRequest } from '../shared/run';
import type { FoundLayer } from './find-layer';
import { outputShape, type PartialShape } from './layer-shape';
import { layersBelow } from './layers-below';
import { batchStoredAt, batchStoredBelow, checkStoredBatch } from './stored-batch';

/** What the caller has read from the files that a request names. */
export interface RunData {
  /** The `--input` file; null when the input is random. */
  readonly input: Tensor | null;
  /** The `--mask` file, `[B, T]`. */
  readonly mask: Tensor | null;
  /** The `--initial-state` file; each `[B, H]`, or `[B, 2H]` for two directions. */
  readonly initialState: { readonly h0: RealTensor; readonly c0: RealTensor | null } | null;
  /** The `--target` file, `[B, O]` or class ids; left out or null without one. */
  readonly target?: Tensor | null;
}

/** Sizes that are known before anything is computed. */
export interface RunSize {
  readonly batch: number;
  /** Timesteps of the layer. */
  readonly steps: number;
  /** Where the sequences enter: at the layer itself, or below. */
  readonly atLayer: boolean;
  /** Sequences that the file stores states or lengths for, where a random input has as many for that reason. */
  readonly storedBatch: number | null;
  /** What was settled without being asked for, as sentences. */
  readonly notes: readonly string[];
}

/**
 * The batch and the layer's timesteps of a run.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param request - The request.
 * @param data - Files already read.
 * @throws TempogradError `input/shape-mismatch` when the input does not fit, or the file stores states or lengths for
 * another number of sequences, `cell/unsupported` when a layer below
 * cannot be run and the layer's own input was not asked for, `usage/bad-option` for the model's input beside `atLayer`.
 */
export function sizeRun(model: RecurrentModel, found: FoundLayer, request: RunRequest, data: RunData): RunSize {
  if (request.atLayer && request.wrt === 'model-input') {
    throw new TempogradError('usage/bad-option', 'a layer that is fed directly has no model input to differentiate', {
      remedy: 'Leave out --at-layer or --wrt model-input.',
    });
  }
  const isBare = model.inputs.length === 0;
  const atLayer = request.atLayer || isBare;
  const notes = isBare && !request.atLayer ? ['the file holds no layers below: x is the layer’s own input'] : [];
  if (atLayer) {
    const shape = data.input ? layerInputShape(found, data.input) : null;
    if (shape) checkStoredBatch(model, found, data.initialState !== null, shape[0]);
    if (shape) return { batch: shape[0], steps: shape[1], atLayer, storedBatch: null, notes };
    const { steps, batch } = randomSource(request.input);
    const storedBatch = batch === null ? batchStoredAt(model, found) : null;
    checkStoredBatch(model, found, data.initialState !== null, batch ?? storedBatch ?? 1);
    return { batch: batch ?? storedBatch ?? 1, steps, atLayer, storedBatch, notes };
  }
  if (data.input) fittedToModel(model.layers[model.inputs[0]!]!, data.input);
  const asksBatch = request.input.kind === 'random' && request.input.batch === null;
  const storedBatch = asksBatch ? batchStoredBelow(model, found) : null;
  const batch = data.input ? batchOf(model, data.input) : (randomSource(request.input).batch ?? storedBatch ?? 1);
  const shapes = model.inputs.map((index) => modelInputShape(model.layers[index]!, request, data));
  const asked = request.input.kind === 'random' ? request.input.steps : null;
  const fixed = declaredShape(model.layers[model.inputs[0]!]!)[0];
  if (asked !== null && typeof fixed === 'number' && hasTimeAxis(model) && fixed !== asked) {
    notes.push(`the model takes ${fixed} steps, so T is ${fixed}, not ${asked}`);
  }
  const [first, ...others] = model.inputs;
  const used = layersBelow(model, found.index);
  const left = others.filter((index) => used.has(index)).map((index) => model.layers[index]!.name);
  if (data.input && left.length > 0) {
    notes.push(`the file is input ${model.layers[first!]!.name}; random with seed 0: ${left.join(', ')}`);
  }
  const below = found.layer.inputs[0]!;
  const shape = outputShape(model, below, shapes);
  if (!shape || firstBlocker(model, found.index)) throw blockedError(model, found);
  const cell = cellsOf(found.layer.operation)[0]!.cell;
  const steps = shape[shape.length - 2];
  if (steps === null || steps === undefined || steps < 1) {
    throw new TempogradError(
      'input/shape-mismatch',
      `layer ${found.layer.name} would get [${['B', ...shape].join(', ')}], which has no timesteps`,
      {
        details: { layer: found.layer.name, actual: [...shape], expected: ['B', 'T', cell.inputDim] },
      },
    );
  }
  const outer = shape.slice(0, -2).reduce<number>((product, size) => product * (size ?? 1), 1);
  checkStoredBatch(model, found, data.initialState !== null, batch * outer);
  return { batch: batch * outer, steps, atLayer, storedBatch, notes };
}

/**
 * The settings of a random input.
 *
 * @param source - The request's input, which is random.
 */
export function randomSource(source: InputSource): { steps: number; batch: number | null; seed: number } {
  if (source.kind !== 'random') throw new Error('a file input was not read');
  return source;
}

/**
 * The shape that an input layer declares, without the batch.
 *
 * @param layer - An input layer.
 */
export function declaredShape(layer: Layer): PartialShape {
  return layer.operation.kind === 'input' ? layer.operation.shape : [];
}

function hasTimeAxis(model: RecurrentModel): boolean {
  const layer = model.layers[model.inputs[0]!]!;
  const isIds = layer.operation.kind === 'input' && layer.operation.integer;
  return declaredShape(layer).length === (isIds ? 1 : 2);
}

/**
 * The shape of one model input without the batch, open sizes settled by the file or by --steps.
 *
 * @param layer - An input layer.
 * @param request - The request.
 * @param data - Files already read.
 */
export function modelInputShape(layer: Layer, request: RunRequest, data: RunData): PartialShape {
  const declared = declaredShape(layer);
  const given = data.input ? givenShape(layer, data.input) : null;
  const steps = request.input.kind === 'random' ? request.input.steps : (given?.[0] ?? null);
  return declared.map((size, axis) => size ?? given?.[axis] ?? (axis === 0 ? steps : null));
}

/** The file's shape without its batch axis; `[T, D]` and `[T]` are one sequence. */
function givenShape(layer: Layer, tensor: Tensor): readonly number[] {
  const rank = declaredShape(layer).length;
  return tensor.shape.length === rank ? tensor.shape : tensor.shape.slice(1);
}

/**
 * The number of sequences of a model input; an array without a batch axis is one.
 *
 * @param model - The model.
 * @param tensor - The user's array.
 */
export function batchOf(model: RecurrentModel, tensor: Tensor): number {
  const rank = declaredShape(model.layers[model.inputs[0]!]!).length;
  return tensor.shape.length === rank ? 1 : tensor.shape[0]!;
}

/**
 * The user's array as the model's input takes it, with its batch axis.
 *
 * @param layer - An input layer.
 * @param tensor - The array.
 * @throws TempogradError `input/shape-mismatch` when it does not fit.
 */
export function fittedToModel(layer: Layer, tensor: Tensor): Tensor {
  const declared = declaredShape(layer);
  const shaped = withBatch(tensor, declared.length + 1);
  const fits =
    shaped.shape.length === declared.length + 1 &&
    declared.every((size, axis) => size === null || size === shaped.shape[axis + 1]) &&
    shaped.shape.every((size) => size > 0);
  if (fits) return shaped;
  const expected = ['B', ...declared.map((size, axis) => size ?? (axis === 0 ? 'T' : '*'))].join(', ');
  throw new TempogradError(
    'input/shape-mismatch',
    `the input has shape [${tensor.shape.join(', ')}], the model takes [${expected}]`,
    {
      remedy: `Give an array of shape [${expected}], or the layer’s own input with --at-layer.`,
      details: { layer: layer.name, actual: [...tensor.shape], expected },
    },
  );
}

/**
 * The array with a batch axis; one without is one sequence.
 *
 * @param tensor - The array.
 * @param rank - Axes with the batch.
 */
export function withBatch<T extends Tensor>(tensor: T, rank: number): T {
  return tensor.shape.length === rank - 1 ? { ...tensor, shape: [1, ...tensor.shape] } : tensor;
}

function layerInputShape(found: FoundLayer, tensor: Tensor): readonly [number, number] {
  const inputDim = cellsOf(found.layer.operation)[0]!.cell.inputDim;
  const shape = tensor.shape.length === 2 ? [1, ...tensor.shape] : tensor.shape;
  if (shape.length !== 3 || shape[2] !== inputDim || shape[0]! < 1 || shape[1]! < 1) {
    throw new TempogradError(
      'input/shape-mismatch',
      `the input has shape [${tensor.shape.join(', ')}], layer ${found.layer.name} takes [B, T, ${inputDim}] or [T, ${inputDim}]`,
      {
        remedy: `Give ${inputDim} features per timestep.`,
        details: { layer: found.layer.name, actual: [...tensor.shape], expected: ['B', 'T', inputDim] },
      },
    );
  }
  return [shape[0]!, shape[1]!];
}

/** The failure of a layer whose input cannot be computed, naming the layer in the way. */
function blockedError(model: RecurrentModel, found: FoundLayer): TempogradError {
  const blocker = firstBlocker(model, found.index);
  const reason = blocker?.operation.kind === 'unsupported' ? blocker.operation.reason : 'its output shape is not known';
  return new TempogradError(
    'cell/unsupported',
    `layer ${blocker?.name ?? '?'} stands below ${found.layer.name} and cannot be run: ${reason}`,
    {
      remedy: 'Analyse the layer on its own input with --at-layer (random or from --input).',
      details: { layer: found.layer.name, blockedBy: blocker?.name ?? null },
    },
  );
}

/**
 * The first layer below `index` that cannot be run; undefined when all can.
 *
 * @param model - The model.
 * @param index - A layer's index.
 */
export function firstBlocker(model: RecurrentModel, index: number): Layer | undefined {
  return [...layersBelow(model, index)]
    .sort((a, b) => a - b)
    .map((layer) => model.layers[layer]!)
    .find(({ operation }) => operation.kind === 'unsupported');
}
