/**
 * The sequences of a run: made at random, or taken from what the user gave, checked against the model.
 */
import { TempogradError } from '../core/errors';
import { cellsOf, type Layer, type PlainOperation, type RecurrentModel } from '../core/model';
import { makeRandom, type RandomSource } from '../core/random';
import { sizeOf, type RealTensor, type Tensor } from '../core/tensor';
import type { LayerInput } from '../engine/engine';
import { withinSequenceLengths } from '../engine/layers/sequence-lengths';
import type { Pace } from '../engine/pace';
import type { RunRequest } from '../shared/run';
import type { FoundLayer } from './find-layer';
import { initialStates, storedStates } from './initial-states';
import type { PartialShape } from './layer-shape';
import {
  batchOf,
  fittedToModel,
  modelInputShape,
  randomSource,
  withBatch,
  type RunData,
  type RunSize,
} from './size-run';

type EmbeddingOperation = Extract<PlainOperation, { kind: 'embedding' }>;

/** The input of a run, at one of its two ends. */
export type RunInput =
  | { readonly kind: 'model'; readonly tensors: readonly Tensor[] }
  | { readonly kind: 'layer'; readonly input: LayerInput };

/**
 * The input tensors of a run.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param request - The request.
 * @param data - Files already read.
 * @param size - What `sizeRun` gave.
 * @param pace - Lets messages in while numbers are made and checked.
 * @throws TempogradError `input/shape-mismatch`, `input/not-finite`; `signal.reason` of the pace when it is aborted.
 */
export async function makeInputs(
  model: RecurrentModel,
  found: FoundLayer,
  request: RunRequest,
  data: RunData,
  size: RunSize,
  pace: Pace,
): Promise<RunInput> {
  if (data.input) await checkFinite(data.input, pace);
  const seed = request.input.kind === 'random' ? request.input.seed : 0;
  const random = makeRandom(seed);
  if (size.atLayer) {
    const inputDim = cellsOf(found.layer.operation)[0]!.cell.inputDim;
    const x = data.input
      ? withBatch(realOf(data.input), 3)
      : await normalTensor(random, [size.batch, size.steps, inputDim], pace);
    const given = data.mask ? maskOf(data.mask, size) : null;
    const mask = withinSequenceLengths(found.layer, given, size.batch, size.steps);
    const initialState = data.initialState
      ? initialStates(found, data, size.batch)
      : storedStates(model, found, size.batch);
    return { kind: 'layer', input: { x, backwardX: null, mask, initialState } };
  }
  if (data.mask) {
    throw new TempogradError('usage/bad-option', '--mask is for --at-layer: otherwise the model makes its own mask');
  }
  const shapes = model.inputs.map((index) => modelInputShape(model.layers[index]!, request, data));
  const tensors: Tensor[] = [];
  for (const [position, index] of model.inputs.entries()) {
    const layer = model.layers[index]!;
    if (data.input && position === 0) tensors.push(fileTensor(layer, data.input));
    else {
      const batch = data.input
        ? batchOf(model, data.input)
        : (randomSource(request.input).batch ?? size.storedBatch ?? 1);
      tensors.push(await randomTensor(model, index, [batch, ...sizes(layer, shapes[position]!)], random, pace));
    }
  }
  return { kind: 'model', tensors };
}

/**
 * What a random input is drawn from; null when the input is a file.
 *
 * @param model - The model.
 * @param request - The request.
 * @param size - What `sizeRun` gave.
 */
export function randomInputName(model: RecurrentModel, request: RunRequest, size: RunSize): string | null {
  if (request.input.kind !== 'random') return null;
  const inputs = size.atLayer ? [] : model.inputs;
  const names = inputs.map((index) => (readerOf(model, index) ? 'uniform ids' : 'standard normal'));
  return [...new Set(names)].join(' and ') || 'standard normal';
}

/** The Embedding that an input of ids feeds, itself or through layers that only move ids; undefined for real numbers. */
function readerOf(model: RecurrentModel, index: number): EmbeddingOperation | undefined {
  const operation = model.layers[index]!.operation;
  if (operation.kind !== 'input' || !operation.integer) return undefined;
  const carriers = new Set([index]);
  for (const [at, layer] of model.layers.entries()) {
    if (!layer.inputs.some((ref) => carriers.has(ref.layer))) continue;
    if (layer.operation.kind === 'embedding') return layer.operation;
    carriers.add(at);
  }
  return undefined;
}

function sizes(layer: Layer, shape: PartialShape): number[] {
  return shape.map((size, axis) => {
    if (size !== null) return size;
    throw new TempogradError(
      'input/shape-mismatch',
      `input ${layer.name} leaves axis ${axis + 1} open, so a random input cannot be made`,
      {
        remedy: 'Give an input file, or the layer’s own input with --at-layer.',
        details: { layer: layer.name, declared: [...shape] },
      },
    );
  });
}

function fileTensor(layer: Layer, tensor: Tensor): Tensor {
  const shaped = fittedToModel(layer, tensor);
  const isIds = layer.operation.kind === 'input' && layer.operation.integer;
  return isIds ? { shape: shaped.shape, data: idsOf(shaped) } : realOf(shaped);
}

function idsOf(tensor: Tensor): Int32Array {
  const ids = Int32Array.from(tensor.data);
  const wrong = ids.findIndex((id, index) => id !== tensor.data[index]);
  if (wrong >= 0) {
    throw new TempogradError(
      'input/shape-mismatch',
      `the model starts with an Embedding and takes whole-number ids; value ${wrong} is ${tensor.data[wrong]}`,
    );
  }
  return ids;
}

function realOf(tensor: Tensor): RealTensor {
  const { shape, data } = tensor;
  if (data instanceof Float32Array || data instanceof Float64Array) return { shape, data };
  return { shape, data: Float64Array.from(data) };
}

function maskOf(tensor: Tensor, size: RunSize): Tensor<Uint8Array> {
  const shaped = withBatch(tensor, 2);
  if (shaped.shape.length !== 2 || shaped.shape[0] !== size.batch || shaped.shape[1] !== size.steps) {
    throw new TempogradError(
      'input/shape-mismatch',
      `the mask has shape [${tensor.shape.join(', ')}], expected [${size.batch}, ${size.steps}]`,
      {
        details: { actual: [...tensor.shape], expected: [size.batch, size.steps] },
      },
    );
  }
  return { shape: shaped.shape, data: Uint8Array.from(shaped.data, (value) => (value === 0 ? 0 : 1)) };
}

/** Numbers made or looked at between two looks at the event loop. */
const NUMBERS_AT_ONCE = 2 ** 14;

/** Calls `work` with every piece `from .. to` of a length, letting messages in between. */
async function inPieces(length: number, pace: Pace, work: (from: number, to: number) => void): Promise<void> {
  for (let from = 0; from < length; from += NUMBERS_AT_ONCE) {
    work(from, Math.min(length, from + NUMBERS_AT_ONCE));
    await pace.breathe();
  }
}

async function checkFinite(tensor: Tensor, pace: Pace): Promise<void> {
  let wrong = -1;
  await inPieces(tensor.data.length, pace, (from, to) => {
    for (let at = from; at < to && wrong < 0; at++) if (!Number.isFinite(tensor.data[at])) wrong = at;
  });
  if (wrong < 0) return;
  let rest = wrong;
  const place = [...tensor.shape].reverse().map((size) => {
    const index = rest % size;
    rest = Math.floor(rest / size);
    return index;
  });
  throw new TempogradError(
    'input/not-finite',
    `the input holds ${tensor.data[wrong]} at [${place.reverse().join(', ')}]`,
    {
      details: { index: wrong },
    },
  );
}

async function normalTensor(random: RandomSource, shape: readonly number[], pace: Pace): Promise<RealTensor> {
  const data = new Float32Array(sizeOf(shape));
  await inPieces(data.length, pace, (from, to) => {
    for (let at = from; at < to; at++) data[at] = random.nextNormal();
  });
  return { shape, data };
}

/** Standard normals, or uniform ids for an input that feeds an Embedding (not the padding id 0 where that is masked). */
async function randomTensor(
  model: RecurrentModel,
  index: number,
  shape: readonly number[],
  random: RandomSource,
  pace: Pace,
): Promise<Tensor> {
  const reader = readerOf(model, index);
  if (!reader) return normalTensor(random, shape, pace);
  const first = reader.maskZero ? 1 : 0;
  const choices = Math.max(1, reader.table.shape[0]! - first);
  const data = new Int32Array(sizeOf(shape));
  await inPieces(data.length, pace, (from, to) => {
    for (let at = from; at < to; at++) data[at] = first + Math.floor(random.nextUniform() * choices);
  });
  return { shape, data };
}
