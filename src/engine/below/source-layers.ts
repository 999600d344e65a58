/** The layers between the model's input and a layer: which there are, and where u, the sequence differentiated against, is. */
import { TempogradError } from '../../core/errors';
import { isRecurrent, type Layer, type RecurrentModel } from '../../core/model';

/**
 * The layers between the inputs and the layer, in order.
 *
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @throws TempogradError `cell/unsupported` when a recurrent layer is among them, or the layer is inside TimeDistributed.
 */
export function layersBelow(model: RecurrentModel, layer: number): readonly number[] {
  const { operation } = model.layers[layer];
  if (operation.kind === 'recurrent' && operation.timeDistributed) throw folded(model.layers[layer]);
  const found = new Set<number>();
  const pending = model.layers[layer].inputs.map((ref) => ref.layer);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    pending.push(...model.layers[next].inputs.map((ref) => ref.layer));
  }
  const order = [...found].sort((a, b) => a - b);
  const recurrent = order.map((index) => model.layers[index]).find(isRecurrent);
  if (recurrent) {
    throw new TempogradError(
      'cell/unsupported',
      `layer ${recurrent.name} below ${model.layers[layer].name} is recurrent; the derivative with respect to the model's input does not go through it`,
      { remedy: 'Use --wrt layer-input.', details: { layer: model.layers[layer].name, recurrent: recurrent.name } },
    );
  }
  return order;
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
    const { inputs, operation } = model.layers[index];
    if (!inputs.some((ref) => carriesIds.has(ref.layer))) continue;
    if (operation.kind === 'embedding') starts.push(index);
    else carriesIds.add(index);
  }
  if (starts.length === 0) return [input];
  if (carriesIds.has(model.layers[layer].inputs[0].layer)) throw besideEmbedding(model.layers[layer]);
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
