/**
 * Cells written by hand, with a matrix for each gate and side: `W_i` and `U_i`, `W_xi` and `W_hi`, `W_ii` and `W_hi`, or
 * linear modules (`ih_i.weight`, `x2i.weight`).
 *
 * Taken are LSTMs and simple cells whose names and shapes leave no doubt. GRUs are not: whether z keeps or replaces, and
 * where the reset gate acts, is in their code only. Neither are square arrays, which may be meant as they lie or turned,
 * nor a kernel for input and state together, whose order is in the code.
 */
import type { StoredTensor } from '../../stored-tensor';
import type { GatePart, GateParts } from './gate-parts';
import type { FoundInGroup, TensorGroup } from './jax-cells';
import type { PartedLayer } from './parted-layer';

/** How the input's and the state's matrices of a gate are called, by what stands before the gate. */
const SCHEMES = [
  { input: 'w', state: 'u', biases: [] },
  { input: 'wx', state: 'wh', biases: ['bx', 'bh'] },
  { input: 'wi', state: 'wh', biases: ['bi', 'bh'] },
  { input: 'ih', state: 'hh', biases: [] },
  { input: 'x2', state: 'h2', biases: [] },
] as const;

const LSTM_GATES = [
  ['i', 'f', 'g', 'o'],
  ['i', 'f', 'c', 'o'],
] as const;

/** `W_i`, `wxi`, `b_hf`, `ih_g/weight`. */
const NAME = /^(w_?[xih]?|u|b(?:ias)?_?[xih]?|ih|hh|[xh]2)_?([a-z])(\/(weight|bias))?$/;

/** What a head that reads the state is called where a gate would stand: `W_hq`, `b_q`. */
const OUTPUTS: ReadonlySet<string> = new Set(['q', 'y']);

/** Weights of the cell state at the gates, whose place is in the code. */
const PEEPHOLE = /^(w_?c|p|v)_?[ifo]$/;

/**
 * Whether a name below a holder can be one of a cell written by hand.
 *
 * @param name - `W_xi`, `ih_i/weight`.
 */
export function isOwnName(name: string): boolean {
  const bare = name.toLowerCase();
  return NAME.test(bare) || PEEPHOLE.test(bare);
}

/** A tensor of a gate. */
interface Stored {
  readonly tensor: StoredTensor;
  /** Of a linear module, which keeps `[H, D]`. */
  readonly isLinear: boolean;
}

type ByPrefix = ReadonlyMap<string, ReadonlyMap<string, Stored>>;

/**
 * The cell that the tensors of one holder are, else null.
 *
 * @param group - The tensors.
 */
export function findOwnCell(group: TensorGroup): FoundInGroup | null {
  const stored = sortByPrefix(group);
  if (!stored) return null;
  for (const { input, state, biases } of SCHEMES) {
    const [inputs, states] = [stored.get(input), stored.get(state)];
    if (!inputs || !states) continue;
    const gates = [...inputs.keys()];
    const prefixes = [...new Set(['b', `b${input}`, `b${state}`, ...biases])];
    // What is left over has a meaning that the code alone knows.
    const known = new Set([input, state, ...prefixes]);
    const isOutput = (gate: string): boolean => OUTPUTS.has(gate) && states.has(gate);
    const isWhole = [...stored].every(
      ([prefix, own]) => known.has(prefix) && [...own.keys()].every((gate) => gates.includes(gate) || isOutput(gate)),
    );
    if (!isWhole || !gates.every((gate) => states.has(gate))) continue;
    const vectors = prefixes.flatMap((prefix) => stored.get(prefix) ?? []);
    const found = cellOf(gates, inputs, states, vectors);
    if (found) return found;
  }
  return null;
}

/** Tensors by what stands before their gate, `/bias` behind that of a module; null where a cell has more than a plain one. */
function sortByPrefix(group: TensorGroup): ByPrefix | null {
  const stored = new Map<string, Map<string, Stored>>();
  for (const [name, tensor] of group) {
    const bare = name.toLowerCase();
    if (PEEPHOLE.test(bare)) return null;
    const [, before = '', gate = '', , part] = NAME.exec(bare) ?? [];
    if (gate === '') continue;
    const prefix = before.replace('_', '').replace('bias', 'b');
    const own = part === 'bias' ? 'b' + prefix : prefix;
    const gates = stored.get(own) ?? new Map<string, Stored>();
    // Two names for one place, as `W_i` and `w_i`: no plain cell.
    if (gates.has(gate)) return null;
    gates.set(gate, { tensor, isLinear: part !== undefined });
    stored.set(own, gates);
  }
  return stored;
}

function cellOf(
  gates: readonly string[],
  inputs: ReadonlyMap<string, Stored>,
  states: ReadonlyMap<string, Stored>,
  vectors: readonly ReadonlyMap<string, Stored>[],
): FoundInGroup | null {
  const isAll = (wanted: readonly string[]): boolean =>
    wanted.length === gates.length && wanted.every((gate) => gates.includes(gate));
  const order = LSTM_GATES.find(isAll) ?? (isAll(['h']) ? ['h'] : null);
  if (!order) return null;
  const matrices = order.flatMap((gate) => [inputs.get(gate)!, states.get(gate)!]);
  const sizes = sizesOf(inputs.get(order[0] ?? '')!, states.get(order[0] ?? '')!);
  if (!sizes || matrices.some(({ isLinear }) => isLinear !== sizes.isLinear)) return null;
  const { units, inputDim, isTurned } = sizes;
  const fits = ({ tensor }: Stored, rows: number): boolean => isShape(tensor, isTurned ? [units, rows] : [rows, units]);
  if (!order.every((gate) => fits(inputs.get(gate)!, inputDim) && fits(states.get(gate)!, units))) return null;
  const biases = order.map((gate) => vectors.flatMap((own) => own.get(gate) ?? []));
  if (biases.flat().some(({ tensor }) => !isVector(tensor, units))) return null;
  const matrix = ({ tensor }: Stored): GatePart =>
    isTurned
      ? { tensor, offset: 0, rowStride: 1, unitStride: tensor.shape[1] ?? 0 }
      : { tensor, offset: 0, rowStride: units, unitStride: 1 };
  const partsOf = (all: ReadonlyMap<string, Stored>): GateParts => order.map((gate) => [matrix(all.get(gate)!)]);
  const isLstm = order.length > 1;
  return {
    className: isLstm ? 'LSTM cell' : 'RNN cell',
    forward: {
      kind: isLstm ? 'LSTM' : 'SimpleRNN',
      units,
      inputDim,
      kernel: partsOf(inputs),
      recurrentKernel: partsOf(states),
      bias: biases.map((own) => own.map(({ tensor }) => ({ tensor, offset: 0, rowStride: 0, unitStride: 1 }))),
      recurrentBias: null,
      peepholes: [],
    },
    backward: null,
    sourceGateOrder: isLstm ? order : [],
    activations: { candidate: 'tanh', gates: 'sigmoid', isFixed: false, generation: 3 },
    assumptions: assumptionsOf(isLstm, sizes),
  };
}

interface Sizes {
  readonly units: number;
  readonly inputDim: number;
  readonly isLinear: boolean;
  /** `[H, D]` instead of `[D, H]`. */
  readonly isTurned: boolean;
}

function sizesOf(input: Stored, state: Stored): Sizes | null {
  const [rows = 0, columns = 0] = input.tensor.shape;
  const units = state.tensor.shape[0] ?? 0;
  const isSquare = rows === columns;
  if (input.tensor.shape.length !== 2 || units < 1 || (isSquare && !input.isLinear)) return null;
  const isTurned = input.isLinear || columns !== units;
  const inputDim = isTurned ? columns : rows;
  return inputDim < 1 ? null : { units, inputDim, isLinear: input.isLinear, isTurned };
}

function isShape({ shape }: StoredTensor, wanted: readonly number[]): boolean {
  return shape.length === wanted.length && wanted.every((size, axis) => size === shape[axis]);
}

/** `[H]`, or a row or a column of it. */
function isVector({ shape }: StoredTensor, units: number): boolean {
  const sizes = shape.filter((size) => size !== 1);
  return shape.length <= 2 && (units === 1 ? sizes.length === 0 : sizes.length === 1 && sizes[0] === units);
}

function assumptionsOf(isLstm: boolean, { isLinear, isTurned }: Sizes): PartedLayer['assumptions'] {
  const why = 'the code of the cell is not in the file';
  const equations = isLstm
    ? 'those of an LSTM: c = f c + i g, h = o tanh(c), nothing added to the stored biases'
    : 'those of a simple cell: h = phi(W x + U h + b)';
  const arrays = isTurned ? 'W x and U h' : 'x W and h U';
  return [
    { what: 'equations', assumed: equations, why, change: '' },
    ...(isLinear
      ? []
      : [{ what: 'products', assumed: `${arrays}, by the shape of the matrices of x`, why, change: '' }]),
  ];
}
