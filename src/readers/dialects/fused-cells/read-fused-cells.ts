/**
 * Fused cells of TensorFlow 1 and Haiku as layers of a model: one kernel `[D+P, G*H]` is cut in two.
 *
 * The forget bias that these cells add while they run is not in the file, and is taken as 1, its default.
 */
import type { ActivationDescription } from '../../../core/activations';
import { PLAIN_LSTM, type CellDescription, type WeightInfo, type WeightRole } from '../../../core/model';
import { wholeSequence } from '../../../core/whole-sequence';
import type { RealTensor } from '../../../core/tensor';
import type { GraphBuilder } from '../../graph-builder';
import { assume, type Reading, keepFailure } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { takeTensor } from '../../take-tensor';
import { readActivation } from '../keras/activations';
import type { FusedCell } from './find-fused-cells';

/**
 * Adds fused cells to a graph, each on its own input.
 *
 * @param cells - The cells.
 * @param builder - The graph.
 * @param reading - The reading.
 * @throws TempogradError `reader/unsafe`, `reader/limit-exceeded`.
 */
export async function addFusedCells(
  cells: readonly FusedCell[],
  builder: GraphBuilder,
  reading: Reading,
): Promise<void> {
  for (const cell of cells) {
    const place = {
      name: cell.name,
      className: `${cell.kind}Cell`,
      inputs: [],
      weights: infosOf(cell),
      path: cell.name,
    };
    try {
      const { description, storedBias } = await readFused(cell, reading);
      const weights = infosOf(cell, storedBias);
      builder.add({ ...place, weights, operation: wholeSequence(description), sourceGateOrder: gatesOf(cell) });
    } catch (error) {
      const reason = keepFailure(error, reading);
      builder.add({ ...place, operation: { kind: 'unsupported', reason }, sourceGateOrder: [] });
    }
  }
}

/** TensorFlow and Haiku have the same order of blocks. */
function gatesOf({ kind }: FusedCell): readonly string[] {
  if (kind === 'SimpleRNN') return [];
  if (kind === 'GRU') return ['r', 'z', 'n'];
  return ['i', 'g', 'f', 'o'];
}

/** The activation of h and the candidate: of the class, or what the user names where the class has a choice. */
function activationOf({ name, isFixed }: FusedCell, reading: Reading): ActivationDescription {
  const said = isFixed ? 'tanh' : reading.options.activation;
  if (said === null) {
    const why = 'the file holds weights only';
    assume(reading, { what: `activation of ${name}`, assumed: 'tanh', why, change: '--activation' });
  }
  return readActivation(said ?? 'tanh', { generation: 2, version: null });
}

const SIGMOID = { name: 'sigmoid' } as const;

/** A cell, and its bias as it is stored where the cell has another. */
interface ReadFused {
  readonly description: CellDescription;
  readonly storedBias: RealTensor | null;
}

async function readFused(cell: FusedCell, reading: Reading): Promise<ReadFused> {
  const { kind, name, units, inputDim } = cell;
  const activation = activationOf(cell, reading);
  const kernel = await takeTensor(cell.gates[0], name, reading);
  const bias = await takeTensor(cell.gates[1], name, reading);
  const sizes = { units, inputDim, clip: null };
  if (kind === 'SimpleRNN') {
    const description = { kind, ...sizes, ...splitRows(kernel, inputDim, [0], units), bias, activation };
    return { description, storedBias: null };
  }
  if (kind === 'LSTM') {
    const forgetBias = /cudnn_compatible/.test(name) ? 0 : 1;
    assume(reading, {
      what: `forget bias of ${name}`,
      assumed: forgetBias === 1 ? '1, added to the stored one' : '0, as a cell compatible with cuDNN has it',
      why: 'cells of this kind add it while they run, and the file does not store it',
      change: '',
    });
    if (!cell.isFixed && !/basic/i.test(name)) {
      const why = 'the file does not store cell_clip and proj_clip';
      assume(reading, { what: `bounds of the states of ${name}`, assumed: 'none', why, change: '' });
    }
    const order = [0, 2, 1, 3];
    const stored = orderColumns(bias, order, units);
    // In float64: rounding the sum would change the model.
    const ordered = { shape: stored.shape, data: Float64Array.from(stored.data) };
    for (let unit = units; unit < 2 * units; unit++) ordered.data[unit] = (ordered.data[unit] ?? NaN) + forgetBias;
    const kernels = splitRows(kernel, inputDim, order, units);
    const options = {
      ...PLAIN_LSTM,
      peepholes: cell.peepholes ? await joinVectors(cell.peepholes, name, reading) : null,
      projection: cell.projection ? await takeTensor(cell.projection, name, reading) : null,
    };
    const activations = { activation, recurrentActivation: SIGMOID, outputActivation: activation };
    const description = { kind, ...options, ...sizes, ...kernels, bias: ordered, ...activations };
    return { description, storedBias: stored };
  }
  if (!cell.candidate) throw new Error('a GRU has a candidate');
  const candidate = await takeTensor(cell.candidate[0], name, reading);
  const candidateBias = await takeTensor(cell.candidate[1], name, reading);
  const joined = joinColumns(kernel, candidate);
  const joinedBias = joinColumns({ ...bias, shape: [1, 2 * units] }, { ...candidateBias, shape: [1, units] });
  const order = [1, 0, 2];
  const description = {
    kind,
    ...sizes,
    ...splitRows(joined, inputDim, order, units),
    bias: orderColumns({ shape: [3 * units], data: joinedBias.data }, order, units),
    activation,
    recurrentActivation: SIGMOID,
    resetAfter: false,
  };
  return { description, storedBias: null };
}

async function joinVectors(tensors: readonly StoredTensor[], layer: string, reading: Reading): Promise<RealTensor> {
  const parts: RealTensor[] = [];
  for (const tensor of tensors) parts.push(await takeTensor(tensor, layer, reading));
  const values = parts.flatMap(({ data }) => [...data]);
  const isDouble = parts.some(({ data }) => data instanceof Float64Array);
  return { shape: [values.length], data: isDouble ? Float64Array.from(values) : Float32Array.from(values) };
}

/** `[D+P, G*H]` as kernel `[D, G*H]` and recurrent kernel `[P, G*H]` in canonical order. */
function splitRows(
  { shape, data }: RealTensor,
  inputDim: number,
  order: readonly number[],
  units: number,
): { readonly kernel: RealTensor; readonly recurrentKernel: RealTensor } {
  const columns = shape[1] ?? 0;
  const cut = inputDim * columns;
  const part = (rows: number, values: RealTensor['data']): RealTensor =>
    orderColumns({ shape: [rows, columns], data: values }, order, units);
  return {
    kernel: part(inputDim, data.subarray(0, cut)),
    recurrentKernel: part((shape[0] ?? 0) - inputDim, data.subarray(cut)),
  };
}

/** Column blocks of `units` put into another order, copied. */
function orderColumns({ shape, data }: RealTensor, order: readonly number[], units: number): RealTensor {
  const columns = order.length * units;
  const ordered = data.slice();
  for (let row = 0; row < data.length; row += columns) {
    for (const [block, from] of order.entries()) {
      ordered.set(data.subarray(row + from * units, row + (from + 1) * units), row + block * units);
    }
  }
  return { shape, data: ordered };
}

function joinColumns(left: RealTensor, right: RealTensor): RealTensor {
  const [rows = 0, first = 0] = left.shape;
  const second = right.shape[1] ?? 0;
  const isDouble = left.data instanceof Float64Array || right.data instanceof Float64Array;
  const data = isDouble ? new Float64Array(rows * (first + second)) : new Float32Array(rows * (first + second));
  for (let row = 0; row < rows; row++) {
    data.set(left.data.subarray(row * first, (row + 1) * first), row * (first + second));
    data.set(right.data.subarray(row * second, (row + 1) * second), row * (first + second) + first);
  }
  return { shape: [rows, first + second], data };
}

/** The tensors of a cell: kernels are both kernel and recurrent kernel; a GRU's are of two gates and of one. */
function infosOf(cell: FusedCell, storedBias: RealTensor | null = null): readonly WeightInfo[] {
  const { gates, candidate, peepholes, projection } = cell;
  const info = (
    { name, shape, dtype }: StoredTensor,
    own: readonly string[] | null,
    role: WeightRole = shape.length === 1 ? 'bias' : 'other',
  ): WeightInfo => ({
    role,
    name,
    shape: [...shape],
    dtype,
    direction: null,
    ...(own && { part: { gates: own, row: null } }),
    ...(role === 'bias' && storedBias && { numbers: storedBias }),
  });
  const first = candidate ? ['z', 'r'] : null;
  return [
    ...gates.map((tensor) => info(tensor, first)),
    ...(candidate ?? []).map((tensor) => info(tensor, ['n'])),
    ...(peepholes ?? []).map((tensor, index) => info(tensor, ['ifo'.charAt(index)], 'peephole')),
    ...(projection ? [info(projection, null, 'projection')] : []),
  ];
}
