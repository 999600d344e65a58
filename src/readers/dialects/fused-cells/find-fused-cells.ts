/**
 * Cells of TensorFlow 1 and Haiku among named tensors: one kernel `[D+H, G*H]` for input and state together.
 *
 * Told by names and shapes: `rnn/basic_lstm_cell/kernel`, `rnn/lstm_cell/w_f_diag`, `rnn/lstm_cell/projection/kernel`,
 * `gru_cell/gates/kernel` with `candidate/kernel`, `gru_cell/w_ru`, `lstm/linear/w`.
 * Source: tensorflow/python/keras/layers/legacy_rnn/rnn_cell_impl.py (i j f o; r u), tensorflow/core/ops/rnn_ops.cc
 * (LSTMBlockCell, GRUBlockCell); haiku/_src/recurrent.py (i g f o).
 */
import type { StoredTensor } from '../../stored-tensor';

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
  /** `[H]` of i, f and o, of an LSTM with peepholes. */
  readonly peepholes: readonly [StoredTensor, StoredTensor, StoredTensor] | null;
  /** `[H, P]`, of an LSTM with `num_proj`. */
  readonly projection: StoredTensor | null;
  /** Haiku leaves no choice of activation. */
  readonly isFixed: boolean;
}

/**
 * All tensors of a cell.
 *
 * @param cell - The cell.
 */
function tensorsOf({ gates, candidate, peepholes, projection }: FusedCell): readonly StoredTensor[] {
  return [...gates, ...(candidate ?? []), ...(peepholes ?? []), ...(projection ? [projection] : [])];
}

/**
 * A cell whose tensors are replaced one by one.
 *
 * @param cell - The cell.
 * @param change - What takes a tensor's place.
 */
export function mapFusedCell(cell: FusedCell, change: (tensor: StoredTensor) => StoredTensor): FusedCell {
  const pair = ([kernel, bias]: FusedCell['gates']): FusedCell['gates'] => [change(kernel), change(bias)];
  const [i, f, o] = cell.peepholes ?? [];
  return {
    ...cell,
    gates: pair(cell.gates),
    candidate: cell.candidate && pair(cell.candidate),
    peepholes: i && f && o ? [change(i), change(f), change(o)] : null,
    projection: cell.projection && change(cell.projection),
  };
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
  const taken = new Set(cells.flatMap(tensorsOf));
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
  const projection = kind === 'LSTM' ? byName.get(`${path}/projection/${parameter}`) : undefined;
  const outputSize = projection ? (projection.shape[1] ?? 0) : units;
  if (!bias || !isKernel(kernel, bias, units, outputSize)) return null;
  if (projection && (projection.shape.length !== 2 || projection.shape[0] !== units || outputSize < 1)) return null;
  const [i, f, o] = ['i', 'f', 'o'].map((gate) => byName.get(`${path}/w_${gate}_diag`));
  const hasAll = i !== undefined && f !== undefined && o !== undefined;
  const hasPeepholes = [i, f, o].some((weights) => weights !== undefined);
  if (hasPeepholes && (kind !== 'LSTM' || !hasAll || ![i, f, o].every((part) => isVector(part, units)))) return null;
  return {
    kind,
    name: ownerOf(path),
    units,
    inputDim: rows - outputSize,
    gates: [kernel, bias],
    ...NOTHING_MORE,
    peepholes: hasAll ? [i, f, o] : null,
    projection: projection ?? null,
    isFixed: parameter === 'w',
  };
}

const NOTHING_MORE = { candidate: null, peepholes: null, projection: null, isFixed: false } as const;

function isVector({ shape }: StoredTensor, units: number): boolean {
  return shape.length === 1 && shape[0] === units;
}

/** Where the kernels and biases of a GRU lie: of GRUCell, and of GRUBlockCell. */
const GRU_NAMES = [
  { end: 'gates/kernel', names: ['gates/bias', 'candidate/kernel', 'candidate/bias'] },
  { end: 'w_ru', names: ['b_ru', 'w_c', 'b_c'] },
] as const;

function gru(name: string, kernel: StoredTensor, byName: ByName): FusedCell | null {
  const layout = GRU_NAMES.find(({ end }) => name === end || name.endsWith(`/${end}`));
  if (!layout) return null;
  const prefix = name.slice(0, -layout.end.length);
  const [bias, candidate, candidateBias] = layout.names.map((own) => byName.get(prefix + own));
  const units = (kernel.shape[1] ?? 0) / 2;
  if (!bias || !candidate || !candidateBias || !isKernel(kernel, bias, units)) return null;
  if (!isKernel(candidate, candidateBias, units) || candidate.shape[0] !== kernel.shape[0]) return null;
  return {
    kind: 'GRU',
    name: ownerOf(prefix.slice(0, -1)),
    units,
    inputDim: (kernel.shape[0] ?? 0) - units,
    gates: [kernel, bias],
    ...NOTHING_MORE,
    candidate: [candidate, candidateBias],
  };
}

function isKernel(kernel: StoredTensor, bias: StoredTensor, units: number, outputSize = units): boolean {
  const [rows = 0, columns = 0] = kernel.shape;
  const fits = kernel.shape.length === 2 && Number.isInteger(units) && units >= 1 && rows > outputSize;
  return fits && bias.shape.length === 1 && bias.shape[0] === columns;
}

/** The name without the levels that only TensorFlow's own nesting adds. */
function ownerOf(path: string): string {
  return path.replace(/\/linear$/, '') || 'rnn';
}
