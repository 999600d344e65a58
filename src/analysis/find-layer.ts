/**
 * Which layer a user means: an exact name, a last part that is unique, or the number that `inspect` prints.
 */
import { TempogradError } from '../core/errors';
import { isRecurrent, type Layer, type RecurrentLayer, type RecurrentModel } from '../core/model';

/** A recurrent layer and its index in `model.layers`. */
export interface FoundLayer {
  readonly index: number;
  readonly layer: RecurrentLayer;
}

/**
 * The recurrent layers of a model in the model's order.
 *
 * @param model - The model.
 * @throws TempogradError `cell/none-found` when there is none, and `cell/unsupported` when there are only such that
 * cannot be analysed; the message says what there is instead.
 */
export function recurrentLayers(model: RecurrentModel): readonly FoundLayer[] {
  const found = model.layers.flatMap((layer, index) => (isRecurrent(layer) ? [{ index, layer }] : []));
  if (found.length > 0) return found;
  const unsupported = model.layers.filter((layer) => layer.operation.kind === 'unsupported');
  const recurrent = unsupported.find((layer) => RECURRENT_CLASS.test(layer.className));
  if (recurrent) throw unsupportedError(recurrent, []);
  throw noneFound(model, unsupported);
}

/** Classes that are surely no recurrent layer: why one of them cannot be run says nothing here. */
const PLAIN_CLASS = /conv|dense|linear|embedding|norm|pool|flatten|dropout|gemm|matmul|attention|relu|softmax/i;
/** So many classes or names are listed. */
const MAX_LISTED = 12;

/** What a model without a recurrent layer holds instead, and what that means for its user. */
function noneFound(model: RecurrentModel, unsupported: readonly Layer[]): TempogradError {
  const list = (words: readonly string[]): string => [...new Set(words)].slice(0, MAX_LISTED).join(', ');
  const start = 'the model has no recurrent layer that can be analysed';
  // What only has names has no classes to tell.
  if (model.layers.length > 0 && model.layers.every(({ className }) => className === 'unknown')) {
    return new TempogradError(
      'cell/none-found',
      `${start}; the file holds weights only: ${list(model.layers.map(({ name }) => name))}`,
      {
        remedy:
          'None of its tensors has the names and shapes of an RNN, LSTM or GRU; `tempograd inspect` lists them. Give a model that has such a layer.',
      },
    );
  }
  const refused = unsupported.find(({ className }) => !PLAIN_CLASS.test(className));
  const reason = refused?.operation.kind === 'unsupported' ? `; ${refused.name}: ${refused.operation.reason}` : '';
  const kinds = list(model.layers.map(({ className }) => className));
  return new TempogradError('cell/none-found', `${start} (it has: ${kinds || 'no layers'})${reason}`, {
    remedy: `The file has no ${refused ? 'readable ' : ''}recurrent layer, so there is nothing to analyse: give a model with an RNN, LSTM or GRU.`,
  });
}

/**
 * The layer that `wanted` names; the first recurrent one for the empty string.
 *
 * @param model - The model.
 * @param wanted - A name, a unique last part of a path, or a number counted from 0 over all layers as `inspect` prints it.
 * @throws TempogradError `cell/none-found`, `cell/no-such-layer`, or `cell/unsupported` for a layer that is not recurrent
 * or cannot be analysed.
 */
export function findLayer(model: RecurrentModel, wanted: string): FoundLayer {
  const candidates = recurrentLayers(model);
  if (wanted === '') return candidates[0]!;
  const exact = candidates.find(({ layer }) => layer.name === wanted);
  if (exact) return exact;
  const parts = candidates.filter(
    ({ layer }) => layer.name.endsWith(`/${wanted}`) || layer.name.endsWith(`.${wanted}`),
  );
  if (parts.length === 1) return parts[0]!;
  const names = candidates.map(({ layer }) => layer.name);
  if (parts.length > 1) {
    throw new TempogradError(
      'cell/no-such-layer',
      `"${wanted}" fits several layers: ${parts.map(({ layer }) => layer.name).join(', ')}`,
      {
        details: { wanted, layers: names },
      },
    );
  }
  const other = /^\d+$/.test(wanted)
    ? model.layers[Number(wanted)]
    : model.layers.find((layer) => layer.name === wanted);
  if (!other) {
    throw new TempogradError(
      'cell/no-such-layer',
      `there is no layer "${wanted}"; recurrent layers: ${names.join(', ')}`,
      {
        details: { wanted, layers: names },
      },
    );
  }
  const numbered = candidates.find(({ layer }) => layer === other);
  if (numbered) return numbered;
  throw unsupportedError(other, names);
}

/** Classes of recurrent layers, whoever wrote them. */
const RECURRENT_CLASS = /RNN|LSTM|GRU|Bidirectional/;

function unsupportedError(layer: Layer, others: readonly string[]): TempogradError {
  const { operation, className, name } = layer;
  const reason =
    operation.kind === 'unsupported' ? operation.reason : `its class is ${className}, which is not recurrent`;
  return new TempogradError('cell/unsupported', `layer ${name} cannot be analysed: ${reason}`, {
    // Only a recurrent layer can be fed directly, so `--at-layer` is no advice for this one.
    remedy:
      others.length === 0
        ? 'The model has no other recurrent layer; `tempograd inspect` lists what it holds.'
        : `Choose a recurrent layer: ${others.join(', ')}.`,
    details: { layer: name, layers: [...others] },
  });
}
