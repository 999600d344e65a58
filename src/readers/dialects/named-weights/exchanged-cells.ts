/**
 * Cells kept as arrays in the layouts of ONNX (`W`, `R`, `B`) and of Keras 1 (an array for each gate).
 *
 * Source: ONNX operators LSTM, GRU and RNN (i o f c, z r h); keras 1.2.2, keras/layers/recurrent.py.
 */
import type { StoredTensor } from '../../stored-tensor';
import { hasShape, rowPart, wholePart, type GateParts } from './gate-parts';
import type { FoundInGroup, TensorGroup } from './jax-cells';
import type { PartedCell, PartedLayer } from './parted-layer';

const ONNX = {
  1: { kind: 'SimpleRNN', className: 'RNN', order: [0], names: [] },
  3: { kind: 'GRU', className: 'GRU', order: [0, 1, 2], names: ['z', 'r', 'h'] },
  4: { kind: 'LSTM', className: 'LSTM', order: [0, 2, 3, 1], names: ['i', 'o', 'f', 'c'] },
} as const;

const TANH = { candidate: 'tanh', gates: 'sigmoid', isFixed: false, generation: 3 } as const;

/**
 * The layer that `W` `[dirs, G*H, D]`, `R` `[dirs, G*H, H]`, `B` `[dirs, 2*G*H]` and `P` `[dirs, 3H]` are, else null.
 *
 * @param group - The tensors of one holder.
 * @param resetAfter - What the user says of ONNX's `linear_before_reset`, null when nothing.
 */
export function findOnnxCell(group: TensorGroup, resetAfter: boolean | null): FoundInGroup | null {
  const [kernel, recurrent, bias, peepholes] = ['W', 'R', 'B', 'P'].map((name) => group.get(name));
  const [directions = 0, rows = 0, units = 0] = recurrent?.shape ?? [];
  const inputDim = kernel?.shape[2] ?? 0;
  const blocks = rows / units;
  if (!kernel || !recurrent || units < 1 || inputDim < 1 || (directions !== 1 && directions !== 2)) return null;
  if (blocks !== 1 && blocks !== 3 && blocks !== 4) return null;
  const fits =
    hasShape(kernel, [directions, rows, inputDim]) &&
    hasShape(recurrent, [directions, rows, units]) &&
    (!bias || hasShape(bias, [directions, 2 * rows])) &&
    (!peepholes || (blocks === 4 && hasShape(peepholes, [directions, 3 * units])));
  if (!fits) return null;
  const { kind, className, order, names } = ONNX[blocks];
  const isAfter = kind === 'GRU' && (resetAfter ?? false);
  const cellOf = (direction: number): PartedCell => {
    const part = (tensor: StoredTensor | undefined, first: number): GateParts =>
      order.map((block) => (tensor ? [rowPart(tensor, first + block, units)] : []));
    // A bias has no rows of its own: its blocks lie one behind the other.
    const vector = (tensor: StoredTensor, block: number) => ({
      tensor,
      offset: block * units,
      rowStride: 0,
      unitStride: 1,
    });
    const biasOf = (first: number): GateParts =>
      order.map((block) => (bias ? [vector(bias, direction * 2 * blocks + first + block)] : []));
    const [input, own] = [biasOf(0), biasOf(blocks)];
    return {
      kind,
      units,
      inputDim,
      kernel: part(kernel, direction * blocks),
      recurrentKernel: part(recurrent, direction * blocks),
      bias: isAfter ? input : input.map((parts, gate) => [...parts, ...(own[gate] ?? [])]),
      recurrentBias: isAfter ? own : null,
      // i o f in the file, i f o here.
      peepholes: peepholes ? [0, 2, 1].map((block) => [vector(peepholes, direction * 3 + block)]) : [],
    };
  };
  return {
    className,
    forward: cellOf(0),
    backward: directions === 2 ? cellOf(1) : null,
    sourceGateOrder: names,
    activations: TANH,
    assumptions: kind === 'GRU' && resetAfter === null ? [RESET_BEFORE] : [],
  };
}

const RESET_BEFORE = {
  what: 'place of the reset gate',
  assumed: 'before the product (linear_before_reset 0)',
  why: 'the file holds weights only',
  change: '--reset-after',
} as const satisfies PartedLayer['assumptions'][number];

const KERAS1 = [
  { kind: 'LSTM', className: 'LSTM', gates: ['i', 'f', 'c', 'o'] },
  { kind: 'GRU', className: 'GRU', gates: ['z', 'r', 'h'] },
] as const;

/**
 * The layer that `W_i` `[D, H]`, `U_i` `[H, H]`, `b_i` `[H]` and those of the other gates are, else null.
 *
 * @param group - The tensors of one holder, named by their layer as Keras 1 does (`lstm_1_W_i`).
 */
export function findGateArrays(group: TensorGroup): FoundInGroup | null {
  const layout = KERAS1.find(({ gates }) => gates.every((gate) => group.has(`W_${gate}`) && group.has(`U_${gate}`)));
  if (!layout) return null;
  const { kind, className, gates } = layout;
  const [inputDim = 0, units = 0] = group.get(`W_${gates[0]}`)?.shape ?? [];
  const biases = gates.map((gate) => group.get(`b_${gate}`));
  const fits =
    units >= 1 &&
    inputDim >= 1 &&
    gates.every(
      (gate) => hasShape(group.get(`W_${gate}`), [inputDim, units]) && hasShape(group.get(`U_${gate}`), [units, units]),
    ) &&
    biases.every((bias) => !bias || hasShape(bias, [units]));
  if (!fits) return null;
  const whole = (role: string): GateParts =>
    gates.map((gate) => {
      const tensor = group.get(`${role}_${gate}`);
      return tensor ? [wholePart(tensor)] : [];
    });
  return {
    className,
    forward: {
      kind,
      units,
      inputDim,
      kernel: whole('W'),
      recurrentKernel: whole('U'),
      bias: whole('b'),
      recurrentBias: null,
      peepholes: [],
    },
    backward: null,
    sourceGateOrder: gates,
    activations: { ...TANH, gates: 'hard_sigmoid', generation: 1 },
    assumptions: [],
  };
}
