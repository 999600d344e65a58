/**
 * A model as `inspect` lists it: every layer, what stands in its way, its tensors with statistics by gate.
 */
import { weightStatistics } from '../core/diagnostics/weight-statistics';
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

/**
 * The description of a model, without its numbers.
 *
 * @param model - The model.
 */
export function describeModel(model: RecurrentModel): ModelDescription {
  return {
    schema: 1,
    format: model.format,
    producer: model.producer,
    layers: model.layers.map((layer, index) => describeLayer(model, layer, index)),
    assumptions: model.assumptions,
    warnings: model.warnings,
  };
}

/**
 * The first layer below another that cannot be run, null when all can.
 *
 * @param model - The model.
 * @param index - Index of the upper layer.
 */
export function findBlockingLayer(model: RecurrentModel, index: number): Layer | null {
  const below = new Set<number>();
  const waiting = [index];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const { layer } of inputsOf(model.layers[next])) {
      if (below.has(layer)) continue;
      below.add(layer);
      waiting.push(layer);
    }
  }
  const blocking = [...below]
    .sort((a, b) => a - b)
    .find((layer) => model.layers[layer]?.operation.kind === 'unsupported');
  return blocking === undefined ? null : (model.layers[blocking] ?? null);
}

/** What a layer is fed; states that come from other layers count. */
function inputsOf(layer: Layer | undefined): Layer['inputs'] {
  if (!layer) return [];
  if (!isRecurrent(layer)) return layer.inputs;
  const { initialState, backwardInput } = layer.operation;
  return [...layer.inputs, ...initialState, ...(backwardInput ? [backwardInput] : [])];
}

function describeLayer(model: RecurrentModel, layer: Layer, index: number): LayerDescription {
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
    supported: layer.operation.kind !== 'unsupported',
    reason: layer.operation.kind === 'unsupported' ? layer.operation.reason : null,
    blockedBy: findBlockingLayer(model, index)?.name ?? null,
    weights: layer.weights.map((info) => describeWeight(info, layer.weights, cells)),
  };
}

type Cells = readonly { readonly direction: Direction; readonly cell: CellDescription }[];

function describeWeight(info: WeightInfo, all: readonly WeightInfo[], cells: Cells): WeightDescription {
  const { role, name, shape, dtype, direction } = info;
  const alike = all.filter((other) => other.role === role && other.direction === direction);
  return { role, name, shape, dtype, gates: gateStatistics(info, alike, cells) };
}

/** Statistics of the tensor in canonical layout: a CuDNN layer's as it is analysed, not as it is stored. */
function gateStatistics(
  info: WeightInfo,
  alike: readonly WeightInfo[],
  cells: Cells,
): Readonly<Record<string, GateStatistics>> | null {
  const cell = (cells.find(({ direction }) => direction === info.direction) ?? cells[0])?.cell;
  if (!cell || (info.role !== 'kernel' && info.role !== 'recurrent_kernel' && info.role !== 'bias')) return null;
  const tensors: Readonly<Record<typeof info.role, RealTensor | null>> = {
    kernel: cell.kernel,
    recurrent_kernel: cell.recurrentKernel,
    bias: cell.bias,
  };
  const whole = tensors[info.role];
  if (whole && info.part) {
    const { gates, row } = info.part;
    const tensor = row === null ? whole : rowOf(whole, row);
    return tensor ? weightStatistics(tensor, cell.kind, info.role, gates) : null;
  }
  const tensor = whole && info.role === 'bias' && alike.length > 1 ? rowOf(whole, alike.indexOf(info)) : whole;
  return tensor ? weightStatistics(tensor, cell.kind, info.role) : null;
}

/** PyTorch has two biases: a GRU keeps them as two rows; those of the other cells are one by now, and have no numbers apart. */
function rowOf({ shape, data }: RealTensor, row: number): RealTensor | null {
  const [rows, width = 0] = shape;
  if (shape.length !== 2 || rows !== 2) return null;
  return { shape: [width], data: data.subarray(row * width, (row + 1) * width) };
}
