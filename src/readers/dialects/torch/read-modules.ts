/**
 * Recurrent modules of PyTorch as layers of a model: the levels of one module stand on one another, different modules are
 * not connected, because no file of weights says which feeds which.
 */
import { TempogradError } from '../../../core/errors';
import { ACTIVATION_NAMES, type ActivationDescription } from '../../../core/activations';
import type { Direction } from '../../../core/jacobian';
import type { CellDescription, ValueRef, WeightInfo, WeightRole } from '../../../core/model';
import { wholeSequence } from '../../../core/whole-sequence';
import type { GateStatistics } from '../../../core/summary';
import type { RealTensor } from '../../../core/tensor';
import type { GraphBuilder } from '../../graph-builder';
import { measureRowBlocks } from '../../measure-row-blocks';
import { assume, unsupported, type Reading, keepFailure } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { takeTensor } from '../../take-tensor';
import { TORCH_GATES, makeTorchCell, shapeOfTorchCell, torchBlocks, type TorchCellShape } from './cells';
import { tensorsOfLevel, type TorchCellTensors, type TorchLevel, type TorchModule } from './find-modules';

/** What a file says of a module beside its tensors. */
export interface ModuleFacts {
  /** `nn.LSTM`, `nn.GRUCell`. */
  readonly className: string;
  /** `tanh` or `relu` of an `nn.RNN`; null where the file does not say. */
  readonly nonlinearity: string | null;
}

/**
 * Adds the layers of a module to a graph; a level that cannot be read ends the module there, with its reason.
 *
 * @param module - The module.
 * @param facts - What the file says of it, null when there are only tensors.
 * @param builder - The graph.
 * @param reading - The reading.
 * @throws TempogradError `reader/unsafe`, `reader/limit-exceeded` for the number of layers.
 */
export async function addTorchModule(
  module: TorchModule,
  facts: ModuleFacts | null,
  builder: GraphBuilder,
  reading: Reading,
): Promise<void> {
  const name = module.prefix === '' ? 'rnn' : module.prefix;
  let below: { readonly ref: ValueRef; readonly size: number } | null = null;
  for (const [number, level] of module.levels.entries()) {
    const layer = module.levels.length > 1 ? `${name}.l${String(number)}` : name;
    try {
      const shape = shapeOfTorchCell(level.forward, layer);
      const backShape = level.backward ? shapeOfTorchCell(level.backward, layer) : null;
      checkStack(layer, level, shape, backShape, below?.size ?? null);
      const nonlinearity = shape.kind === 'SimpleRNN' ? nonlinearityOf(layer, facts, reading) : TANH;
      const apart = new Map<StoredTensor, RealTensor>();
      const gates = new Map<StoredTensor, Readonly<Record<string, GateStatistics>>>();
      const read = (cell: TorchCellTensors, own: TorchCellShape): Promise<CellDescription> =>
        readCell(cell, own, nonlinearity, { layer, apart, gates }, reading);
      const forward = await read(level.forward, shape);
      const backward = level.backward && backShape ? await read(level.backward, backShape) : null;
      const weights = infosOf(level, (tensor) => apart.get(tensor));
      for (const { tensor, info } of weights) {
        const statistics = gates.get(tensor);
        if (statistics) reading.measured?.set(info, statistics);
      }
      const index = builder.add({
        name: layer,
        className: facts?.className ?? classNameOf(shape, module.isCell),
        operation: wholeSequence(forward, backward),
        inputs: below ? [below.ref] : [],
        weights: weights.map(({ info }) => info),
        path: module.prefix,
        sourceGateOrder: TORCH_GATES[shape.kind],
      });
      below = { ref: { layer: index, output: 0 }, size: shape.outputSize * (backward ? 2 : 1) };
    } catch (error) {
      const reason = keepFailure(error, reading);
      builder.add({
        name: layer,
        className: facts?.className ?? 'unknown',
        operation: { kind: 'unsupported', reason },
        inputs: [],
        weights: infosOf(level).map(({ info }) => info),
        path: module.prefix,
        sourceGateOrder: [],
      });
      below = null;
    }
  }
}

const TANH: ActivationDescription = { name: 'tanh' };

/** Only nn.RNN has a choice, and a state dict does not keep it. */
function nonlinearityOf(layer: string, facts: ModuleFacts | null, reading: Reading): ActivationDescription {
  const said = facts?.nonlinearity ?? reading.options.activation;
  if (said !== null) {
    const name = ACTIVATION_NAMES.find((known) => known === said);
    if (name === undefined) throw unsupported(`Layer ${layer}: its nonlinearity ${said} is not known`);
    return { name };
  }
  assume(reading, {
    what: `nonlinearity of ${layer}`,
    assumed: 'tanh',
    why: 'a state dict does not store it',
    change: '--activation',
  });
  return TANH;
}

/** A level takes what the one below gives, and both directions are of one kind and size. */
function checkStack(
  layer: string,
  { forward, backward }: TorchLevel,
  shape: TorchCellShape,
  back: TorchCellShape | null,
  expected: number | null,
): void {
  const fitsBelow = expected === null || shape.inputDim === expected;
  const wrong = !fitsBelow ? forward : back && !isSame(shape, back) ? backward : null;
  if (!wrong) return;
  throw new TempogradError(
    'cell/shape-mismatch',
    fitsBelow
      ? `Layer ${layer}: ${wrong.weightIh.name} belongs to a cell of another size than the forward direction`
      : `Layer ${layer}: tensor ${wrong.weightIh.name} takes ${String(shape.inputDim)} features, the level below gives ${String(expected)}`,
    { details: { layer, tensor: wrong.weightIh.name } },
  );
}

function isSame(a: TorchCellShape, b: TorchCellShape): boolean {
  return a.kind === b.kind && a.units === b.units && a.inputDim === b.inputDim && a.outputSize === b.outputSize;
}

/** Whose cell it is, and where biases are kept that the cell adds up, and statistics of weights that are not kept. */
interface Place {
  readonly layer: string;
  readonly apart: Map<StoredTensor, RealTensor>;
  readonly gates: Map<StoredTensor, Readonly<Record<string, GateStatistics>>>;
}

async function readCell(
  cell: TorchCellTensors,
  shape: TorchCellShape,
  nonlinearity: ActivationDescription,
  { layer, apart, gates }: Place,
  reading: Reading,
): Promise<CellDescription> {
  const take = (tensor: StoredTensor | null): Promise<RealTensor> | null =>
    tensor ? takeTensor(tensor, layer, reading) : null;
  const takeMatrix = async (tensor: StoredTensor, matrix: 'kernel' | 'projection'): Promise<RealTensor> => {
    if (!reading.measured) return takeTensor(tensor, layer, reading);
    const { order, names } = torchBlocks(shape.kind, matrix);
    gates.set(tensor, await measureRowBlocks(tensor, order, names, layer, reading));
    return { shape: tensor.shape, data: NOT_KEPT };
  };
  const numbers = {
    weightIh: await takeMatrix(cell.weightIh, 'kernel'),
    weightHh: await takeMatrix(cell.weightHh, 'kernel'),
    biasIh: await take(cell.biasIh),
    biasHh: await take(cell.biasHh),
    weightHr: cell.weightHr && (await takeMatrix(cell.weightHr, 'projection')),
  };
  if (shape.kind !== 'GRU' && cell.biasIh && cell.biasHh && numbers.biasIh && numbers.biasHh) {
    apart.set(cell.biasIh, numbers.biasIh);
    apart.set(cell.biasHh, numbers.biasHh);
  }
  return makeTorchCell(numbers, shape, nonlinearity);
}

/** In place of the numbers of a matrix that was measured. */
const NOT_KEPT = new Float32Array(0);

function classNameOf({ kind }: TorchCellShape, isCell: boolean): string {
  const base = kind === 'SimpleRNN' ? 'RNN' : kind;
  return `nn.${base}${isCell ? 'Cell' : ''}`;
}

const ROLES: readonly (readonly [keyof TorchCellTensors, WeightRole])[] = [
  ['weightIh', 'kernel'],
  ['weightHh', 'recurrent_kernel'],
  ['biasIh', 'bias'],
  ['biasHh', 'bias'],
  ['weightHr', 'projection'],
];

function infosOf(
  level: TorchLevel,
  numbersOf: (tensor: StoredTensor) => RealTensor | undefined = () => undefined,
): readonly { readonly tensor: StoredTensor; readonly info: WeightInfo }[] {
  const known = new Set(tensorsOfLevel(level));
  const sides: readonly (readonly [Direction, TorchCellTensors | null])[] = [
    ['forward', level.forward],
    ['backward', level.backward],
  ];
  return sides.flatMap(([direction, cell]) =>
    ROLES.flatMap(([part, role]) => {
      const tensor = cell?.[part] ?? null;
      if (!tensor || !known.has(tensor)) return [];
      const { name, shape, dtype } = tensor;
      const numbers = numbersOf(tensor);
      const side = level.backward ? direction : null;
      const info = { role, name, shape: [...shape], dtype, direction: side, ...(numbers && { numbers }) };
      return [{ tensor, info }];
    }),
  );
}
