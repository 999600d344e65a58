/**
 * Cells of TensorFlow 1 and Haiku among named tensors: one kernel `[D+H, G*H]` for input and state together.
 *
 * Told by names and shapes: `rnn/basic_lstm_cell/kernel`, `gru_cell/gates/kernel` with `candidate/kernel`,
 * `lstm/linear/w`. The forget bias that these cells add while they run is not in the file, and is taken as 1, its default.
 * Source: tensorflow/python/keras/layers/legacy_rnn/rnn_cell_impl.py (i j f o; r u); haiku/_src/recurrent.py (i g f o).
 */
import type { CellDescription, WeightInfo } from '../../core/model';
import { wholeSequence } from '../../core/whole-sequence';
import { PLAIN_LSTM } from '../../core/model';
import type { RealTensor } from '../../core/tensor';
import type { GraphBuilder } from '../graph-builder';
import { assume, type Reading, keepFailure } from '../reading';
import type { StoredTensor } from '../stored-tensor';
import { takeTensor } from '../take-tensor';

/** A fused cell as its tensors tell it. */
export interface FusedCell {
  readonly kind: 'LSTM' | 'GRU' | 'SimpleRNN';
  readonly name: string;
  readonly units: number;
  readonly inputDim: number;
  /** Kernel and bias of all gates; of a GRU's z and r. */
  readonly gates: readonly [StoredTensor, StoredTensor];
  /** Kernel and bias of a GRU's candidate. */
  readonly candidate: readonly [StoredTensor, StoredTensor] | null;
}

/** What was found, and what is left. */
export interface FusedCells {
  readonly cells: readonly FusedCell[];
  readonly rest: readonly StoredTensor[];
}

/**
 * The fused cells among tensors.
 *
 * @param tensors - Tensors by slashed names.
 */
export function findFusedCells(tensors: readonly StoredTensor[]): FusedCells {
  const byName = new Map(tensors.map((tensor) => [tensor.name.replace(/:0$/, ''), tensor]));
  const cells: FusedCell[] = [];
  for (const [name, kernel] of byName) {
    const cell = lstmOrRnn(name, kernel, byName) ?? gru(name, kernel, byName);
    if (cell) cells.push(cell);
  }
  const taken = new Set(cells.flatMap(({ gates, candidate }) => [...gates, ...(candidate ?? [])]));
  return { cells, rest: tensors.filter((tensor) => !taken.has(tensor)) };
}

type ByName = ReadonlyMap<string, StoredTensor>;

function lstmOrRnn(name: string, kernel: StoredTensor, byName: ByName): FusedCell | null {
  // By parts, not by one expression: names of a hostile file are long, and would be tried in every way.
  const path = name.slice(0, Math.max(name.lastIndexOf('/'), 0));
  const parameter = name.slice(name.lastIndexOf('/') + 1);
  if (!/^(kernel|w|weights)$/.test(parameter)) return null;
  const parts = path.split('/');
  if (parts.at(-1) === 'linear') parts.pop();
  const own = parts.at(-1) ?? '';
  if (!/lstm|basic_rnn|basic_r_n_n/i.test(own)) return null;
  const bias = byName.get(`${path}/${parameter === 'w' ? 'b' : parameter === 'kernel' ? 'bias' : 'biases'}`);
  const [rows = 0, columns = 0] = kernel.shape;
  const kind = /lstm/i.test(own) ? 'LSTM' : 'SimpleRNN';
  const units = kind === 'LSTM' ? columns / 4 : columns;
  if (!bias || !isKernel(kernel, bias, units)) return null;
  return { kind, name: ownerOf(path), units, inputDim: rows - units, gates: [kernel, bias], candidate: null };
}

function gru(name: string, kernel: StoredTensor, byName: ByName): FusedCell | null {
  const path = /^(.*)\/gates\/kernel$/.exec(name)?.[1];
  if (path === undefined) return null;
  const bias = byName.get(`${path}/gates/bias`);
  const candidate = byName.get(`${path}/candidate/kernel`);
  const candidateBias = byName.get(`${path}/candidate/bias`);
  const units = (kernel.shape[1] ?? 0) / 2;
  if (!bias || !candidate || !candidateBias || !isKernel(kernel, bias, units)) return null;
  if (!isKernel(candidate, candidateBias, units) || candidate.shape[0] !== kernel.shape[0]) return null;
  return {
    kind: 'GRU',
    name: ownerOf(path),
    units,
    inputDim: (kernel.shape[0] ?? 0) - units,
    gates: [kernel, bias],
    candidate: [candidate, candidateBias],
  };
}

function isKernel(kernel: StoredTensor, bias: StoredTensor, units: number): boolean {
  const [rows = 0, columns = 0] = kernel.shape;
  const fits = kernel.shape.length === 2 && Number.isInteger(units) && units >= 1 && rows > units;
  return fits && bias.shape.length === 1 && bias.shape[0] === columns;
}

/** The name without the levels that only TensorFlow's own nesting adds. */
function ownerOf(path: string): string {
  return path.replace(/\/linear$/, '') || 'rnn';
}

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

const TANH = { name: 'tanh' } as const;
const SIGMOID = { name: 'sigmoid' } as const;

/** A cell, and its bias as it is stored where the cell has another. */
interface ReadFused {
  readonly description: CellDescription;
  readonly storedBias: RealTensor | null;
}

async function readFused(cell: FusedCell, reading: Reading): Promise<ReadFused> {
  const { kind, name, units, inputDim } = cell;
  const kernel = await takeTensor(cell.gates[0], name, reading);
  const bias = await takeTensor(cell.gates[1], name, reading);
  const sizes = { units, inputDim, clip: null };
  if (kind === 'SimpleRNN') {
    const description = { kind, ...sizes, ...splitRows(kernel, inputDim, [0], units), bias, activation: TANH };
    return { description, storedBias: null };
  }
  if (kind === 'LSTM') {
    assume(reading, {
      what: `forget bias of ${name}`,
      assumed: '1, added to the stored one',
      why: 'cells of this kind add it while they run',
      change: '',
    });
    const order = [0, 2, 1, 3];
    const stored = orderColumns(bias, order, units);
    // In float64: rounding the sum would change the model.
    const ordered = { shape: stored.shape, data: Float64Array.from(stored.data) };
    for (let unit = units; unit < 2 * units; unit++) ordered.data[unit] = (ordered.data[unit] ?? NaN) + 1;
    const kernels = splitRows(kernel, inputDim, order, units);
    const activations = { activation: TANH, recurrentActivation: SIGMOID, outputActivation: TANH };
    const description = { kind, ...PLAIN_LSTM, ...sizes, ...kernels, bias: ordered, ...activations };
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
    activation: TANH,
    recurrentActivation: SIGMOID,
    resetAfter: false,
  };
  return { description, storedBias: null };
}

/** `[D+H, G*H]` as kernel `[D, G*H]` and recurrent kernel `[H, G*H]` in canonical order. */
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
  return { kernel: part(inputDim, data.subarray(0, cut)), recurrentKernel: part(units, data.subarray(cut)) };
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
function infosOf({ gates, candidate }: FusedCell, storedBias: RealTensor | null = null): readonly WeightInfo[] {
  const info = ({ name, shape, dtype }: StoredTensor, own: readonly string[] | null): WeightInfo => {
    const isBias = shape.length === 1;
    return {
      role: isBias ? 'bias' : 'other',
      name,
      shape: [...shape],
      dtype,
      direction: null,
      ...(own && { part: { gates: own, row: null } }),
      ...(isBias && storedBias && { numbers: storedBias }),
    };
  };
  const first = candidate ? ['z', 'r'] : null;
  return [...gates.map((tensor) => info(tensor, first)), ...(candidate ?? []).map((tensor) => info(tensor, ['n']))];
}
