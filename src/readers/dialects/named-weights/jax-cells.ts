/**
 * Cells of Flax and Haiku among named tensors.
 *
 * Source: flax/linen/recurrent.py (a kernel for each gate: `ii`, `hi`, ..), flax/nnx/nn/recurrent.py (`dense_i`, `dense_h`),
 * haiku/_src/recurrent.py. Haiku's LSTM keeps one kernel for input and state, and is among the fused cells.
 */
import type { StoredTensor } from '../../stored-tensor';
import { columnPart, hasShape, wholePart, type GateParts } from './gate-parts';
import type { PartedCell, PartedLayer } from './parted-layer';

/** The tensors of one module by their names in it: `ii/kernel`, `w_i`. */
export type TensorGroup = ReadonlyMap<string, StoredTensor>;

/** What a finder says of a group; the group's name and place are added by who asks. */
export type FoundInGroup = Omit<PartedLayer, 'name' | 'path'>;

const OPEN = { candidate: 'tanh', gates: 'sigmoid', isFixed: false, generation: 3 } as const;
const LSTM_GATES = ['i', 'f', 'g', 'o'];
const GRU_GATES = ['z', 'r', 'n'];
const FLAX_GRU_ORDER = ['r', 'z', 'n'];
const NO_PEEPHOLES: GateParts = [];

/**
 * The cell that a group is, null when it is none of these libraries'.
 *
 * @param group - Its tensors.
 * @param holder - Its path, which tells the class where names alone do not.
 */
export function findJaxCell(group: TensorGroup, holder: string): FoundInGroup | null {
  return flaxByGate(group) ?? flaxTogether(group) ?? haikuGru(group) ?? haikuRnn(group, holder);
}

/** Sizes of a cell by a gate's two kernels `[D, H]` and `[H, H]`; null when they are no pair. */
function sizesOf(
  kernel: StoredTensor | undefined,
  recurrent: StoredTensor | undefined,
  blocks = 1,
): { readonly units: number; readonly inputDim: number } | null {
  const units = recurrent?.shape[0] ?? 0;
  const inputDim = kernel?.shape[0] ?? 0;
  if (!kernel || !recurrent || units < 1 || inputDim < 1) return null;
  const fits = hasShape(kernel, [inputDim, blocks * units]) && hasShape(recurrent, [units, blocks * units]);
  return fits ? { units, inputDim } : null;
}

function lone(forward: PartedCell): Pick<PartedLayer, 'forward' | 'backward'> {
  return { forward, backward: null };
}

/** Flax's linen cells, and the LSTM of its nnx: a Dense for each gate and side. */
function flaxByGate(group: TensorGroup): FoundInGroup | null {
  const kernelOf = (side: 'i' | 'h', gate: string): StoredTensor | undefined =>
    group.get(`${side}${gate}/kernel`) ?? group.get(`${side}${gate}_/kernel`);
  const biasOf = (side: 'i' | 'h', gate: string): StoredTensor | undefined =>
    group.get(`${side}${gate}/bias`) ?? group.get(`${side}${gate}_/bias`);
  const gates = [LSTM_GATES, GRU_GATES, ['']].find((names) => names.every((gate) => kernelOf('i', gate)));
  if (!gates) return null;
  const sizes = sizesOf(kernelOf('i', gates[0] ?? ''), kernelOf('h', gates[0] ?? ''));
  if (!sizes) return null;
  const { units, inputDim } = sizes;
  const areKernels = gates.every(
    (gate) => hasShape(kernelOf('i', gate), [inputDim, units]) && hasShape(kernelOf('h', gate), [units, units]),
  );
  const biases = gates.flatMap((gate) => [biasOf('i', gate), biasOf('h', gate)]);
  if (!areKernels || biases.some((bias) => bias && !hasShape(bias, [units]))) return null;
  const kernels = (side: 'i' | 'h'): GateParts => gates.map((gate) => [wholePart(kernelOf(side, gate)!)]);
  const bias = (...sides: readonly ('i' | 'h')[]): GateParts =>
    gates.map((gate) =>
      sides.flatMap((side) => {
        const own = biasOf(side, gate);
        return own ? [wholePart(own)] : [];
      }),
    );
  const shared = {
    units,
    inputDim,
    kernel: kernels('i'),
    recurrentKernel: kernels('h'),
    peepholes: NO_PEEPHOLES,
  };
  if (gates === GRU_GATES) {
    return gru({ ...shared, kind: 'GRU', bias: bias('i'), recurrentBias: bias('h') });
  }
  const cell = { ...shared, bias: bias('i', 'h'), recurrentBias: null };
  return gates === LSTM_GATES ? lstm({ ...cell, kind: 'LSTM' }) : simple({ ...cell, kind: 'SimpleRNN' });
}

/** The cells of Flax's nnx: one kernel for all gates of a side. */
function flaxTogether(group: TensorGroup): FoundInGroup | null {
  const kernel = group.get('dense_i/kernel');
  const recurrent = group.get('dense_h/kernel');
  const blocks = (recurrent?.shape[1] ?? 0) / (recurrent?.shape[0] ?? 1);
  const sizes = sizesOf(kernel, recurrent, blocks);
  if (!sizes || !kernel || !recurrent || ![1, 3, 4].includes(blocks)) return null;
  const { units } = sizes;
  const order = blocks === 3 ? [1, 0, 2] : [0, 1, 2, 3].slice(0, blocks);
  const biases = [group.get('dense_i/bias'), group.get('dense_h/bias')];
  if (biases.some((bias) => bias && !hasShape(bias, [blocks * units]))) return null;
  const columns = (...tensors: readonly (StoredTensor | undefined)[]): GateParts =>
    order.map((block) => tensors.flatMap((tensor) => (tensor ? [columnPart(tensor, block, units)] : [])));
  const shared = {
    ...sizes,
    kernel: columns(kernel),
    recurrentKernel: columns(recurrent),
    peepholes: NO_PEEPHOLES,
  };
  if (blocks === 3) return gru({ ...shared, kind: 'GRU', bias: columns(biases[0]), recurrentBias: columns(biases[1]) });
  const cell = { ...shared, bias: columns(...biases), recurrentBias: null };
  return blocks === 4 ? lstm({ ...cell, kind: 'LSTM' }) : simple({ ...cell, kind: 'SimpleRNN' });
}

function lstm(cell: PartedCell): FoundInGroup {
  return { ...lone(cell), className: 'LSTMCell', sourceGateOrder: LSTM_GATES, activations: OPEN, assumptions: [] };
}

function gru(cell: PartedCell): FoundInGroup {
  return { ...lone(cell), className: 'GRUCell', sourceGateOrder: FLAX_GRU_ORDER, activations: OPEN, assumptions: [] };
}

function simple(cell: PartedCell): FoundInGroup {
  const residual = {
    what: 'residual connection',
    assumed: 'none',
    why: 'a SimpleCell may add its state, and the file does not say so',
    change: '',
  };
  return { ...lone(cell), className: 'SimpleCell', sourceGateOrder: [], activations: OPEN, assumptions: [residual] };
}

/** Haiku: blocks z r a, and h = (1 - z) h + z a, so that its z is one minus the canonical one. */
function haikuGru(group: TensorGroup): FoundInGroup | null {
  const [kernel, recurrent, bias] = [group.get('w_i'), group.get('w_h'), group.get('b')];
  const sizes = sizesOf(kernel, recurrent, 3);
  if (!sizes || !kernel || !recurrent || !hasShape(bias, [3 * sizes.units])) return null;
  const columns = (tensor: StoredTensor): GateParts =>
    [0, 1, 2].map((block) => [{ ...columnPart(tensor, block, sizes.units), isNegated: block === 0 }]);
  return {
    ...lone({
      ...sizes,
      kind: 'GRU',
      kernel: columns(kernel),
      recurrentKernel: columns(recurrent),
      bias: columns(bias),
      recurrentBias: null,
      peepholes: NO_PEEPHOLES,
    }),
    className: 'GRU',
    sourceGateOrder: ['z', 'r', 'a'],
    activations: { ...OPEN, isFixed: true },
    assumptions: [
      {
        what: 'update gate',
        assumed: 'z is one minus the z of the file',
        why: "Haiku's z lets the new state in, z here keeps the old one; the weights of z have their sign turned",
        change: '',
      },
    ],
  };
}

/** Haiku: `vanilla_rnn/linear` and `vanilla_rnn/linear_1`, with relu. */
function haikuRnn(group: TensorGroup, holder: string): FoundInGroup | null {
  if (!/(^|[./])vanilla_rnn[^./]*$/.test(holder)) return null;
  const [kernel, recurrent] = [group.get('linear/w'), group.get('linear_1/w')];
  const sizes = sizesOf(kernel, recurrent);
  const biases = [group.get('linear/b'), group.get('linear_1/b')].filter((bias) => bias !== undefined);
  if (!sizes || !kernel || !recurrent || !biases.every((bias) => hasShape(bias, [sizes.units]))) return null;
  return {
    ...lone({
      ...sizes,
      kind: 'SimpleRNN',
      kernel: [[wholePart(kernel)]],
      recurrentKernel: [[wholePart(recurrent)]],
      bias: [biases.map(wholePart)],
      recurrentBias: null,
      peepholes: NO_PEEPHOLES,
    }),
    className: 'VanillaRNN',
    sourceGateOrder: [],
    activations: { ...OPEN, candidate: 'relu', isFixed: true },
    assumptions: [],
  };
}
