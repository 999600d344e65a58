/**
 * RNN, GRU and LSTM nodes: attributes and tensors -> the operation of a layer.
 *
 * Source: ONNX operators RNN, GRU and LSTM, opsets 1, 7, 14 and 22.
 */
import { TempogradError } from '../../../core/errors';
import type { Direction } from '../../../core/jacobian';
import type { CellDescription, CellKind, RecurrentOperation, WeightInfo, WeightRole } from '../../../core/model';
import { wholeSequence } from '../../../core/whole-sequence';
import type { RealTensor } from '../../../core/tensor';
import { assume, unsupported, type Reading } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { takeTensor } from '../../take-tensor';
import { readActivations } from './activations';
import {
  ONNX_CELLS,
  makeOnnxCell,
  shapeOfOnnxCell,
  turnOnnxKernel,
  type OnnxCellShape,
  type OnnxCellTensors,
  type OnnxCellWeights,
} from './cells';
import type { Constants } from './constants';
import type { OnnxNode } from './model';
import type { Scope } from './scope';
import { checkCellStateWidth } from './state-width';

/** An initial state stored in the file, `[B, H]` of one direction. */
export interface StoredState {
  readonly name: string;
  readonly value: RealTensor;
}

/** A recurrent node, read. */
export interface RecurrentNode {
  readonly operation: RecurrentOperation;
  readonly shape: OnnxCellShape;
  readonly weights: readonly WeightInfo[];
  readonly directions: readonly Direction[];
  /** h, (c) of the forward, then of the backward cell; empty for zeros or values that other nodes give. */
  readonly states: readonly StoredState[];
  /** True for layout 1: batch first everywhere. */
  readonly batchFirst: boolean;
}

const INPUT = { kernel: 1, recurrent: 2, bias: 3, lengths: 4, hidden: 5, cell: 6, peepholes: 7 } as const;
const DEFAULT_ACTIVATIONS = {
  SimpleRNN: ['Tanh'],
  GRU: ['Sigmoid', 'Tanh'],
  LSTM: ['Sigmoid', 'Tanh', 'Tanh'],
} as const;
const DIRECTIONS: ReadonlyMap<string, readonly Direction[]> = new Map([
  ['forward', ['forward']],
  ['reverse', ['backward']],
  ['bidirectional', ['forward', 'backward']],
]);

/**
 * The operation of a recurrent node, without its initial states.
 *
 * @param node - An RNN, GRU or LSTM node.
 * @param scope - The graph it stands in.
 * @param layer - Its layer's name.
 * @param constants - The file's constants.
 * @param reading - The reading.
 * @throws TempogradError `cell/unsupported` where a weight is no constant, `cell/shape-mismatch`, and what tensors throw.
 */
export async function readRecurrentNode(
  node: OnnxNode,
  scope: Scope,
  layer: string,
  constants: Constants,
  reading: Reading,
): Promise<RecurrentNode> {
  const kind = ONNX_CELLS[node.operator];
  if (!kind) throw unsupported(`Layer ${layer}: ${node.operator} is no recurrent operator`);
  const direction = node.attributes.get('direction')?.text ?? 'forward';
  const directions = DIRECTIONS.get(direction.toLowerCase());
  if (!directions) throw unsupported(`Layer ${layer}: its direction ${JSON.stringify(direction)} is not known`);

  const stored = await findTensors(node, scope, layer, constants);
  const shape = shapeOfOnnxCell(stored, kind, directions.length, layer);
  checkHiddenSize(node, shape, layer);
  if (kind === 'LSTM') {
    await checkCellStateWidth(node.inputs[INPUT.cell] ?? '', shape.units, layer, scope, constants);
  }
  const activations = activationsOf(node, layer, DEFAULT_ACTIVATIONS[kind], directions.length);
  const sequenceLengths = await readLengths(node, scope, layer, constants, reading);

  const tensors = await takeTensors(stored, kind, layer, reading);
  const cells = directions.map((name, index): readonly [Direction, CellDescription] => [
    name,
    makeOnnxCell(tensors, shape, index, {
      kind,
      clip: clipOf(node, layer),
      inputForget: flagOf(node, 'input_forget'),
      linearBeforeReset: flagOf(node, 'linear_before_reset'),
      activations: activations[index] ?? [],
    }),
  ]);
  const cellOf = (name: Direction): CellDescription | null => cells.find(([known]) => known === name)?.[1] ?? null;
  return {
    operation: {
      ...wholeSequence(cellOf('forward'), cellOf('backward')),
      returnState: true,
      zeroOutputForMask: sequenceLengths !== null,
      sequenceLengths,
    },
    shape,
    weights: infosOf(stored),
    directions,
    states: await readStates(node, scope, layer, directions.length, shape.units, constants, reading),
    batchFirst: flagOf(node, 'layout'),
  };
}

/** The initial states that are constants; an omitted one beside a stored one is zero. */
async function readStates(
  node: OnnxNode,
  scope: Scope,
  layer: string,
  directions: number,
  units: number,
  constants: Constants,
  reading: Reading,
): Promise<readonly StoredState[]> {
  const inputs = node.operator === 'LSTM' ? [INPUT.hidden, INPUT.cell] : [INPUT.hidden];
  const read: (RealTensor | null)[] = [];
  for (const input of inputs) {
    const name = node.inputs[input] ?? '';
    const tensor = name === '' ? null : await constants.find(name, scope);
    if (name !== '' && !tensor) return [];
    if (tensor) checkState(tensor, flagOf(node, 'layout'), directions, units, layer);
    read.push(tensor && (await takeTensor(tensor, layer, reading)));
  }
  if (read.every((tensor) => tensor === null || tensor.data.every((entry) => entry === 0))) return [];
  return Array.from({ length: directions }, (_, direction) =>
    read.map((tensor, index) => ({
      name: node.inputs[inputs[index] ?? 0] ?? '',
      value: tensor
        ? stateOf(tensor, flagOf(node, 'layout'), direction)
        : { shape: [1, units], data: new Float32Array(units) },
    })),
  ).flat();
}

function checkState(
  { name, shape }: StoredTensor,
  batchFirst: boolean,
  directions: number,
  units: number,
  layer: string,
): void {
  const [first, second, third] = shape;
  if (shape.length === 3 && (batchFirst ? second : first) === directions && third === units) return;
  const expected = batchFirst
    ? `[B, ${String(directions)}, ${String(units)}]`
    : `[${String(directions)}, B, ${String(units)}]`;
  throw new TempogradError(
    'cell/shape-mismatch',
    `Layer ${layer}: tensor ${name} has shape [${shape.join(', ')}], expected ${expected}`,
    { details: { layer, tensor: name, actual: [...shape] } },
  );
}

/** `[B, H]` of one direction out of `[dirs, B, H]`, or out of `[B, dirs, H]` with layout 1. */
function stateOf({ shape, data }: RealTensor, batchFirst: boolean, direction: number): RealTensor {
  const [first = 0, second = 0, units = 0] = shape;
  if (!batchFirst)
    return { shape: [second, units], data: data.slice(direction * second * units, (direction + 1) * second * units) };
  const state = data.slice(0, first * units);
  for (let row = 0; row < first; row++) {
    const start = (row * second + direction) * units;
    state.set(data.subarray(start, start + units), row * units);
  }
  return { shape: [first, units], data: state };
}

async function findTensors(
  node: OnnxNode,
  scope: Scope,
  layer: string,
  constants: Constants,
): Promise<OnnxCellTensors<StoredTensor>> {
  const find = async (input: number): Promise<StoredTensor | null> => {
    const name = node.inputs[input] ?? '';
    if (name === '') return null;
    const tensor = await constants.find(name, scope);
    if (tensor) return tensor;
    const source = scope.find(name);
    const why =
      source === null
        ? 'is given by nothing in the file'
        : source.kind === 'input'
          ? 'is an input of the graph, so that the file does not store it'
          : 'is computed from what is not stored in the file';
    throw unsupported(`Layer ${layer}: its weight ${name} ${why}`);
  };
  const kernel = await find(INPUT.kernel);
  const recurrent = await find(INPUT.recurrent);
  if (!kernel || !recurrent) throw new TempogradError('reader/corrupt', `Layer ${layer} has no weights W and R`);
  return { kernel, recurrent, bias: await find(INPUT.bias), peepholes: await find(INPUT.peepholes) };
}

async function takeTensors(
  stored: OnnxCellTensors<StoredTensor>,
  kind: CellKind,
  layer: string,
  reading: Reading,
): Promise<OnnxCellWeights> {
  return {
    kernels: turnOnnxKernel(await takeTensor(stored.kernel, layer, reading), kind),
    recurrentKernels: turnOnnxKernel(await takeTensor(stored.recurrent, layer, reading), kind),
    bias: stored.bias && (await takeTensor(stored.bias, layer, reading)),
    peepholes: stored.peepholes && (await takeTensor(stored.peepholes, layer, reading)),
  };
}

function checkHiddenSize(node: OnnxNode, { units }: OnnxCellShape, layer: string): void {
  const said = node.attributes.get('hidden_size')?.integer ?? units;
  if (said === units) return;
  throw new TempogradError(
    'cell/shape-mismatch',
    `Layer ${layer}: hidden_size is ${String(said)}, its tensor R has ${String(units)} units`,
    { details: { layer, hiddenSize: said, actual: units } },
  );
}

/** The activations of each direction. */
function activationsOf(node: OnnxNode, layer: string, usual: readonly string[], directions: number) {
  const said = node.attributes.get('activations')?.texts ?? [];
  const names = said.length > 0 ? said : Array.from({ length: directions }, () => usual).flat();
  if (names.length !== usual.length * directions) {
    throw unsupported(
      `Layer ${layer}: it names ${String(names.length)} activations, its cells have ${String(usual.length * directions)}`,
    );
  }
  const alphas = node.attributes.get('activation_alpha')?.floats ?? [];
  const betas = node.attributes.get('activation_beta')?.floats ?? [];
  const all = readActivations(names, alphas, betas, layer);
  return Array.from({ length: directions }, (_, index) => all.slice(index * usual.length, (index + 1) * usual.length));
}

/** Writers also store the clip as an integer, and 0 for none. */
function clipOf(node: OnnxNode, layer: string): number | null {
  const attribute = node.attributes.get('clip');
  const clip = attribute?.float ?? attribute?.integer ?? 0;
  if (Number.isNaN(clip) || clip < 0) throw unsupported(`Layer ${layer}: its clip ${String(clip)} is no bound`);
  return clip === 0 || clip === Infinity ? null : clip;
}

async function readLengths(
  node: OnnxNode,
  scope: Scope,
  layer: string,
  constants: Constants,
  reading: Reading,
): Promise<readonly number[] | null> {
  const name = node.inputs[INPUT.lengths] ?? '';
  if (name === '') return null;
  const tensor = await constants.find(name, scope);
  if (tensor) return Array.from((await takeTensor(tensor, layer, reading)).data);
  assume(reading, {
    what: `sequence_lens of ${layer}`,
    assumed: 'all steps',
    why: `the value ${name} is fed when the model runs`,
    change: '',
  });
  return null;
}

function flagOf(node: OnnxNode, name: string): boolean {
  return (node.attributes.get(name)?.integer ?? 0) !== 0;
}

const ROLES: readonly (readonly [keyof OnnxCellTensors<StoredTensor>, WeightRole])[] = [
  ['kernel', 'kernel'],
  ['recurrent', 'recurrent_kernel'],
  ['bias', 'bias'],
  ['peepholes', 'peephole'],
];

function infosOf(stored: OnnxCellTensors<StoredTensor>): readonly WeightInfo[] {
  return ROLES.flatMap(([part, role]) => {
    const tensor = stored[part];
    if (!tensor) return [];
    const { name, shape, dtype } = tensor;
    return [{ role, name, shape: [...shape], dtype, direction: null }];
  });
}
