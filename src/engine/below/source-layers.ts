/** The layers between the model's input and a layer: which there are, and where u, the sequence differentiated against, is. */
import { TempogradError } from '../../core/errors';
import { isRecurrent, type Layer, type RecurrentModel } from '../../core/model';

/**
 * The layers between the inputs and the layer, in order.
 *
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @throws TempogradError `cell/unsupported` when a recurrent layer is inside TimeDistributed.
 */
export function layersBelow(model: RecurrentModel, layer: number): readonly number[] {
  if (isFolded(model.layers[layer])) throw folded(model.layers[layer]);
  const found = new Set<number>();
  const pending = [...fedBy(model, layer)];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    pending.push(...fedBy(model, next));
  }
  const order = [...found].sort((a, b) => a - b);
  const inside = order.map((index) => model.layers[index]).find(isFolded);
  if (inside) throw folded(inside);
  return order;
}

/**
 * Layers whose outputs move a layer: its inputs, and the own input of a backward cell. Initial states are constants.
 *
 * @param model - The model.
 * @param index - The layer.
 */
export function fedBy(model: RecurrentModel, index: number): readonly number[] {
  const { inputs, operation } = model.layers[index];
  if (operation.kind !== 'recurrent') return inputs.map((ref) => ref.layer);
  const own = operation.backward && operation.backwardInput ? [operation.backwardInput.layer] : [];
  return [...inputs.slice(0, 1).map((ref) => ref.layer), ...own];
}

/**
 * Whether a recurrent layer is below a layer, or the layer itself has an input of its own for its backward cell.
 *
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @throws TempogradError as `layersBelow` does.
 */
export function hasRecurrenceBelow(model: RecurrentModel, layer: number): boolean {
  const { operation } = model.layers[layer];
  const isParted = operation.kind === 'recurrent' && operation.backward !== null && operation.backwardInput !== null;
  return isParted || layersBelow(model, layer).some((index) => isRecurrent(model.layers[index]));
}

/** The layers that stand between u and a layer. */
export interface LayersBetween {
  /** Layers that u enters at, in order. */
  readonly starts: readonly number[];
  /** Those above them that depend on u, in order. */
  readonly order: readonly number[];
}

/**
 * The layers that the derivative of a layer by the model's input goes through.
 *
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @throws TempogradError `cell/unsupported` where the layer does not depend on the first input, or the derivative does not
 * go through a layer.
 */
export function layersBetween(model: RecurrentModel, layer: number): LayersBetween {
  const below = layersBelow(model, layer);
  const starts = startsOf(model, layer, below);
  const moving = new Set(starts);
  const order = below.filter((index) => {
    const isMoving = !moving.has(index) && fedBy(model, index).some((from) => moving.has(from));
    if (isMoving) moving.add(index);
    return isMoving;
  });
  if (!fedBy(model, layer).some((from) => moving.has(from))) throw independent(model.layers[layer]);
  return { starts, order };
}

/**
 * Where u is: the first input, or every Embedding that reads its ids, with or without layers between that only move
 * them.
 *
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @param order - What `layersBelow` gave.
 * @throws TempogradError `cell/unsupported` when the ids reach the layer beside an Embedding too.
 */
export function startsOf(model: RecurrentModel, layer: number, order: readonly number[]): readonly number[] {
  const [input] = model.inputs;
  const carriesIds = new Set([input]);
  const starts: number[] = [];
  for (const index of order) {
    const { operation } = model.layers[index];
    if (!fedBy(model, index).some((from) => carriesIds.has(from))) continue;
    if (operation.kind === 'embedding') starts.push(index);
    else carriesIds.add(index);
  }
  if (starts.length === 0) return [input];
  if (fedBy(model, layer).some((index) => carriesIds.has(index))) throw besideEmbedding(model.layers[layer]);
  return starts;
}

function besideEmbedding({ name }: Layer): TempogradError {
  return new TempogradError(
    'cell/unsupported',
    `layer ${name} reads the ids of the model's input beside their Embedding; they have no derivative`,
    { remedy: 'Use --wrt layer-input.', details: { layer: name } },
  );
}

/**
 * The failure of a layer that does not depend on the model's first input.
 *
 * @param layer - The layer.
 */
export function independent(layer: Layer): TempogradError {
  return new TempogradError('cell/unsupported', `layer ${layer.name} does not depend on the model's first input`, {
    remedy: 'Use --wrt layer-input.',
  });
}

/** TimeDistributed around a recurrent layer: its sequences are no steps of u. */
function folded(layer: Layer): TempogradError {
  return new TempogradError(
    'cell/unsupported',
    `layer ${layer.name} runs over sequences inside each timestep; the derivative with respect to the model's input does not go through that`,
    { remedy: 'Use --wrt layer-input.', details: { layer: layer.name } },
  );
}

/** Whether a layer is a recurrence inside TimeDistributed. */
function isFolded({ operation }: Layer): boolean {
  return operation.kind === 'recurrent' && operation.timeDistributed;
}

/**
 * The failure of a u without one time axis, the same for all Embeddings.
 *
 * @param starts - Where u is.
 * @param model - The model.
 * @param shape - What one of them gives.
 */
export function noCommonSteps(
  starts: readonly number[],
  model: RecurrentModel,
  shape: readonly number[],
): TempogradError {
  const names = starts.map((start) => model.layers[start].name).join(', ');
  return new TempogradError(
    'input/shape-mismatch',
    starts.length === 1
      ? `the model's input has no time axis: ${names} gives [${shape.join(', ')}]`
      : `the Embeddings ${names} of one input have no common time axis`,
    { remedy: 'Use --wrt layer-input.', details: { actual: [...shape] } },
  );
}
