/**
 * The sequences of a run: made at random, or taken from what the user gave, checked against the model.
 */
import { TempogradError } from '../core/errors';
import type { Layer, RecurrentModel } from '../core/model';
import { cellsOf } from '../core/model';
import { makeRandom, type RandomSource } from '../core/random';
import type { RealTensor, Tensor } from '../core/tensor';
import type { InitialState, LayerInput } from '../engine/engine';
import type { InputSource, RunRequest } from '../shared/run';
import type { FoundLayer } from './find-layer';
import { outputShape, type PartialShape } from './layer-shape';

/** What the caller has read from the files that a request names. */
export interface RunData {
  /** The `--input` file; null when the input is random. */
  readonly input: Tensor | null;
  /** The `--mask` file, `[B, T]`. */
  readonly mask: Tensor | null;
  /** The `--initial-state` file; each `[B, H]`, or `[B, 2H]` for two directions. */
  readonly initialState: { readonly h0: RealTensor; readonly c0: RealTensor | null } | null;
}

/** The input of a run, at one of its two ends. */
export type RunInput =
  | { readonly kind: 'model'; readonly tensors: readonly Tensor[] }
  | { readonly kind: 'layer'; readonly input: LayerInput };

/** Sizes that are known before anything is computed. */
export interface RunSize {
  readonly batch: number;
  /** Timesteps of the layer. */
  readonly steps: number;
  /** Where the sequences enter: at the layer itself, or below. */
  readonly atLayer: boolean;
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
 * @throws TempogradError `input/shape-mismatch` when the input does not fit, `cell/unsupported` when a layer below
 * cannot be run and the layer's own input was not asked for.
 */
export function sizeRun(model: RecurrentModel, found: FoundLayer, request: RunRequest, data: RunData): RunSize {
  const isBare = model.inputs.length === 0;
  const atLayer = request.atLayer || isBare;
  const notes = isBare && !request.atLayer ? ['the file holds no layers below: x is the layer’s own input'] : [];
  if (atLayer) {
    const shape = data.input ? layerInputShape(found, data.input) : null;
    if (shape) return { batch: shape[0], steps: shape[1], atLayer, notes };
    const { steps, batch } = randomSource(request.input);
    return { batch, steps, atLayer, notes };
  }
  const batch = data.input ? batchOf(model, data.input) : randomSource(request.input).batch;
  const shapes = model.inputs.map((index) => modelInputShape(model.layers[index]!, request, data));
  const asked = request.input.kind === 'random' ? request.input.steps : null;
  const fixed = declaredShape(model.layers[model.inputs[0]!]!)[0];
  if (asked !== null && typeof fixed === 'number' && hasTimeAxis(model) && fixed !== asked) {
    notes.push(`the model takes ${fixed} steps, so T is ${fixed}, not ${asked}`);
  }
  const below = found.layer.inputs[0]!;
  const shape = outputShape(model, below, shapes);
  if (!shape) throw blockedError(model, found);
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
  return { batch: batch * outer, steps, atLayer, notes };
}

/**
 * The input tensors of a run.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param request - The request.
 * @param data - Files already read.
 * @param size - What `sizeRun` gave.
 * @throws TempogradError `input/shape-mismatch`, `input/not-finite`.
 */
export function makeInputs(
  model: RecurrentModel,
  found: FoundLayer,
  request: RunRequest,
  data: RunData,
  size: RunSize,
): RunInput {
  if (data.input) checkFinite(data.input);
  const seed = request.input.kind === 'random' ? request.input.seed : 0;
  const random = makeRandom(seed);
  if (size.atLayer) {
    const inputDim = cellsOf(found.layer.operation)[0]!.cell.inputDim;
    const x = data.input ? withBatch(realOf(data.input), 3) : normalTensor(random, [size.batch, size.steps, inputDim]);
    const mask = data.mask ? maskOf(data.mask, size) : null;
    return { kind: 'layer', input: { x, backwardX: null, mask, initialState: initialStates(found, data, size.batch) } };
  }
  if (data.mask) {
    throw new TempogradError('usage/bad-option', '--mask is for --at-layer: otherwise the model makes its own mask');
  }
  const shapes = model.inputs.map((index) => modelInputShape(model.layers[index]!, request, data));
  const tensors = model.inputs.map((index, position) => {
    const layer = model.layers[index]!;
    if (data.input && position === 0) return fileTensor(layer, data.input);
    const { batch } = data.input ? { batch: batchOf(model, data.input) } : randomSource(request.input);
    return randomTensor(model, index, [batch, ...sizes(layer, shapes[position]!)], random);
  });
  return { kind: 'model', tensors };
}

/**
 * Initial states from the user's file, one per direction; none when there is no file.
 *
 * @param found - The layer.
 * @param data - Files already read.
 * @param batch - B.
 * @throws TempogradError `input/shape-mismatch`.
 */
export function initialStates(found: FoundLayer, data: RunData, batch: number): LayerInput['initialState'] {
  if (!data.initialState) return {};
  const cells = cellsOf(found.layer.operation);
  const { h0, c0 } = data.initialState;
  const withCell = cells.filter(({ cell }) => cell.kind === 'LSTM');
  checkState('h0', h0, batch, widthOf(cells));
  if (withCell.length > 0 && !c0) {
    throw new TempogradError('input/shape-mismatch', 'the initial state of an LSTM needs h0 and c0', {
      details: { missing: 'c0' },
    });
  }
  if (withCell.length > 0) checkState('c0', c0!, batch, widthOf(withCell));
  const states: Partial<Record<'forward' | 'backward', InitialState>> = {};
  let [startH, startC] = [0, 0];
  for (const { direction, cell } of cells) {
    const hasCell = cell.kind === 'LSTM';
    states[direction] = {
      h0: columns(h0, startH, cell.units),
      c0: hasCell ? columns(c0!, startC, cell.units) : null,
    };
    startH += cell.units;
    if (hasCell) startC += cell.units;
  }
  return states;
}

function widthOf(cells: ReturnType<typeof cellsOf>): number {
  return cells.reduce((sum, { cell }) => sum + cell.units, 0);
}

function checkState(name: string, { shape }: RealTensor, batch: number, width: number): void {
  if (shape.length === 2 && shape[0] === batch && shape[1] === width) return;
  const message = `${name} has shape [${shape.join(', ')}], expected [${batch}, ${width}]`;
  throw new TempogradError('input/shape-mismatch', message, {
    details: { tensor: name, actual: [...shape], expected: [batch, width] },
  });
}

function randomSource(source: InputSource): { steps: number; batch: number; seed: number } {
  if (source.kind !== 'random') throw new Error('a file input was not read');
  return source;
}

function declaredShape(layer: Layer): PartialShape {
  return layer.operation.kind === 'input' ? layer.operation.shape : [];
}

function hasTimeAxis(model: RecurrentModel): boolean {
  const layer = model.layers[model.inputs[0]!]!;
  const isIds = layer.operation.kind === 'input' && layer.operation.integer;
  return declaredShape(layer).length === (isIds ? 1 : 2);
}

/** Shape of one model input without the batch, open sizes settled by the file or by --steps. */
function modelInputShape(layer: Layer, request: RunRequest, data: RunData): PartialShape {
  const declared = declaredShape(layer);
  const given = data.input ? givenShape(layer, data.input) : null;
  const steps = request.input.kind === 'random' ? request.input.steps : (given?.[0] ?? null);
  return declared.map((size, axis) => size ?? given?.[axis] ?? (axis === 0 ? steps : null));
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

/** The file's shape without its batch axis; `[T, D]` and `[T]` are one sequence. */
function givenShape(layer: Layer, tensor: Tensor): readonly number[] {
  const rank = declaredShape(layer).length;
  return tensor.shape.length === rank ? tensor.shape : tensor.shape.slice(1);
}

function batchOf(model: RecurrentModel, tensor: Tensor): number {
  const rank = declaredShape(model.layers[model.inputs[0]!]!).length;
  return tensor.shape.length === rank ? 1 : tensor.shape[0]!;
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

function fileTensor(layer: Layer, tensor: Tensor): Tensor {
  const declared = declaredShape(layer);
  const shaped = withBatch(tensor, declared.length + 1);
  const fits =
    shaped.shape.length === declared.length + 1 &&
    declared.every((size, axis) => size === null || size === shaped.shape[axis + 1]) &&
    shaped.shape.every((size) => size > 0);
  if (!fits) {
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

function withBatch<T extends Tensor>(tensor: T, rank: number): T {
  return tensor.shape.length === rank - 1 ? { ...tensor, shape: [1, ...tensor.shape] } : tensor;
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

function checkFinite(tensor: Tensor): void {
  const wrong = tensor.data.findIndex((value) => !Number.isFinite(value));
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

function normalTensor(random: RandomSource, shape: readonly number[]): RealTensor {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let index = 0; index < data.length; index++) data[index] = random.nextNormal();
  return { shape, data };
}

/** Standard normals, or uniform ids for an input that feeds an Embedding (not the padding id 0 where that is masked). */
function randomTensor(model: RecurrentModel, index: number, shape: readonly number[], random: RandomSource): Tensor {
  const operation = model.layers[index]!.operation;
  if (operation.kind !== 'input' || !operation.integer) return normalTensor(random, shape);
  const reader = model.layers.find((layer) => layer.operation.kind === 'embedding' && layer.inputs[0]?.layer === index);
  if (reader?.operation.kind !== 'embedding') return normalTensor(random, shape);
  const first = reader.operation.maskZero ? 1 : 0;
  const choices = Math.max(1, reader.operation.table.shape[0]! - first);
  const data = new Int32Array(shape.reduce((product, size) => product * size, 1));
  for (let position = 0; position < data.length; position++) {
    data[position] = first + Math.floor(random.nextUniform() * choices);
  }
  return { shape, data };
}

function columns(tensor: RealTensor, start: number, count: number): RealTensor {
  const [rows, width] = [tensor.shape[0]!, tensor.shape[1]!];
  const data = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < count; column++)
      data[row * count + column] = tensor.data[row * width + start + column]!;
  }
  return { shape: [rows, count], data };
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
  const needed = new Set<number>();
  const collect = (layer: number): void => {
    if (needed.has(layer)) return;
    needed.add(layer);
    model.layers[layer]!.inputs.forEach((input) => collect(input.layer));
  };
  model.layers[index]!.inputs.forEach((input) => collect(input.layer));
  return [...needed]
    .sort((a, b) => a - b)
    .map((layer) => model.layers[layer]!)
    .find(({ operation }) => operation.kind === 'unsupported');
}
