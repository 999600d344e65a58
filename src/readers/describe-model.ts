/**
 * A model as `inspect` lists it: every layer, what stands in its way, its tensors with statistics by gate.
 */
import { blockNames } from '../core/diagnostics/gate-blocks';
import { columnStatistics, weightStatistics } from '../core/diagnostics/weight-statistics';
import type { Direction } from '../core/jacobian';
import {
  cellsOf,
  hiddenSize,
  isRecurrent,
  type CellDescription,
  type Layer,
  type RecurrentModel,
  type WeightInfo,
} from '../core/model';
import type { GateStatistics, LayerDescription, ModelDescription, WeightDescription } from '../core/summary';
import type { RealTensor } from '../core/tensor';
import type { MeasuredWeights } from './reading';

/**
 * The description of a model, without its numbers.
 *
 * @param model - The model.
 * @param measured - Statistics of weights that were measured as they were read.
 */
export function describeModel(model: RecurrentModel, measured: MeasuredWeights = new Map()): ModelDescription {
  return {
    schema: 1,
    format: model.format,
    producer: model.producer,
    layers: describeLayers(model, measured),
    assumptions: model.assumptions,
    warnings: model.warnings,
  };
}

/** What a layer is fed; states that come from other layers count. */
function inputsOf(layer: Layer): Layer['inputs'] {
  if (!isRecurrent(layer)) return layer.inputs;
  const { initialState, backwardInput } = layer.operation;
  return [...layer.inputs, ...initialState, ...(backwardInput ? [backwardInput] : [])];
}

/** The first layer below one that cannot be run follows from what is known of the layers right below, which come before. */
function describeLayers(model: RecurrentModel, measured: MeasuredWeights): readonly LayerDescription[] {
  const blocking: number[] = [];
  return model.layers.map((layer, index) => {
    let first = Infinity;
    for (const { layer: below } of inputsOf(layer)) {
      const isBlocking = model.layers[below]?.operation.kind === 'unsupported';
      first = Math.min(first, isBlocking ? below : Infinity, blocking[below] ?? Infinity);
    }
    blocking[index] = first;
    return describeLayer(layer, model.layers[first]?.name ?? null, measured);
  });
}

function describeLayer(layer: Layer, blockedBy: string | null, measured: MeasuredWeights): LayerDescription {
  const cells = isRecurrent(layer) ? cellsOf(layer.operation) : [];
  const cell = cells[0]?.cell ?? null;
  return {
    name: layer.name,
    class: layer.className,
    kind: cell?.kind ?? null,
    units: cell?.units ?? null,
    outputSize: cell ? hiddenSize(cell) : null,
    inputDim: cell?.inputDim ?? null,
    direction: cells.length > 1 ? 'bidirectional' : (cells[0]?.direction ?? null),
    backward: otherBackward(cells.map(({ cell: own }) => own)),
    supported: layer.operation.kind !== 'unsupported',
    reason: layer.operation.kind === 'unsupported' ? layer.operation.reason : null,
    blockedBy,
    weights: layer.weights.map((info) => describeWeight(info, layer.weights, cells, measured)),
  };
}

function otherBackward([forward, backward]: readonly CellDescription[]): LayerDescription['backward'] {
  if (!forward || !backward) return null;
  const sizes = (cell: CellDescription): NonNullable<LayerDescription['backward']> => ({
    kind: cell.kind,
    units: cell.units,
    outputSize: hiddenSize(cell),
  });
  const [own, other] = [sizes(forward), sizes(backward)];
  const isSame = own.kind === other.kind && own.units === other.units && own.outputSize === other.outputSize;
  return isSame ? null : other;
}

type Cells = readonly { readonly direction: Direction; readonly cell: CellDescription }[];

function describeWeight(
  info: WeightInfo,
  all: readonly WeightInfo[],
  cells: Cells,
  measured: MeasuredWeights,
): WeightDescription {
  const { role, name, shape, dtype, direction } = info;
  const alike = all.filter((other) => other.role === role && other.direction === direction);
  return { role, name, shape, dtype, gates: measured.get(info) ?? gateStatistics(info, alike, cells) };
}

/** Statistics of the tensor in canonical layout: a CuDNN layer's as it is analysed, not as it is stored. */
function gateStatistics(
  info: WeightInfo,
  alike: readonly WeightInfo[],
  cells: Cells,
): Readonly<Record<string, GateStatistics>> | null {
  const cell = (cells.find(({ direction }) => direction === info.direction) ?? cells[0])?.cell;
  if (!cell) return null;
  const gates = info.part?.gates ?? null;
  if (info.numbers) return columnStatistics(info.numbers, gates ?? blockNames(cell.kind), info.role !== 'bias');
  switch (info.role) {
    case 'projection':
      return cell.kind === 'LSTM' && cell.projection ? columnStatistics(cell.projection, ['h'], true) : null;
    case 'peephole':
      return cell.kind === 'LSTM' && cell.peepholes ? columnStatistics(cell.peepholes, PEEPHOLES, false, gates) : null;
    case 'other': {
      const joint = jointKernel(info, cell);
      return joint && weightStatistics(joint, cell.kind, 'kernel', gates);
    }
    default:
      return statisticsOfRole(info, info.role, alike, cell);
  }
}

/** Blocks of the peepholes in canonical order. */
const PEEPHOLES = ['i', 'f', 'o'];

function statisticsOfRole(
  { part, name }: WeightInfo,
  main: 'kernel' | 'recurrent_kernel' | 'bias',
  alike: readonly WeightInfo[],
  cell: CellDescription,
): Readonly<Record<string, GateStatistics>> | null {
  const tensors: Readonly<Record<typeof main, RealTensor | null>> = {
    kernel: cell.kernel,
    recurrent_kernel: cell.recurrentKernel,
    bias: cell.bias,
  };
  const whole = tensors[main];
  if (!whole) return null;
  const place = alike.findIndex((other) => other.name === name);
  const row = part ? part.row : main === 'bias' && alike.length > 1 ? place : null;
  const tensor = row === null ? whole : rowOf(whole, row);
  return tensor && weightStatistics(tensor, cell.kind, main, part?.gates ?? null);
}

/** One kernel for input and state together, `[D+P, n*H]`, as cells of TensorFlow 1 have it. */
function jointKernel({ shape }: WeightInfo, { kernel, recurrentKernel }: CellDescription): RealTensor | null {
  const [above = 0, width = 0] = kernel.shape;
  const [below = 0] = recurrentKernel.shape;
  if (shape.length !== 2 || shape[0] !== above + below) return null;
  const isDouble = kernel.data instanceof Float64Array || recurrentKernel.data instanceof Float64Array;
  const count = (above + below) * width;
  const data = isDouble ? new Float64Array(count) : new Float32Array(count);
  data.set(kernel.data);
  data.set(recurrentKernel.data, above * width);
  return { shape: [above + below, width], data };
}

/** A GRU keeps two biases as two rows; of a cell that adds them nothing is left of each. */
function rowOf({ shape, data }: RealTensor, row: number): RealTensor | null {
  const [rows, width = 0] = shape;
  if (shape.length !== 2 || rows !== 2) return null;
  return { shape: [width], data: data.subarray(row * width, (row + 1) * width) };
}
