/**
 * Recurrent layers whose gates lie in parts, from what a finder tells of them to layers of a model.
 */
import type { ActivationDescription } from '../../../core/activations';
import {
  PLAIN_LSTM,
  gateNames,
  type CellDescription,
  type CellKind,
  type WeightInfo,
  type WeightRole,
} from '../../../core/model';
import { wholeSequence } from '../../../core/whole-sequence';
import type { RealTensor } from '../../../core/tensor';
import type { GraphBuilder } from '../../graph-builder';
import { assume, type Reading, keepFailure } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { takeTensor } from '../../take-tensor';
import { readActivation } from '../keras/activations';
import { joinParts, type GateParts, type NumbersOf } from './gate-parts';

/** One direction of a layer. */
export interface PartedCell {
  readonly kind: CellKind;
  readonly units: number;
  readonly inputDim: number;
  readonly kernel: GateParts;
  readonly recurrentKernel: GateParts;
  /** Empty without bias. */
  readonly bias: GateParts;
  /** Of a GRU whose reset gate acts after the product; null for any other cell. */
  readonly recurrentBias: GateParts | null;
  /** `[H]` of i, f and o, of an LSTM with peepholes. */
  readonly peepholes: GateParts;
}

/** A layer as its tensors tell it. */
export interface PartedLayer {
  readonly name: string;
  readonly className: string;
  readonly path: string;
  readonly forward: PartedCell;
  readonly backward: PartedCell | null;
  /** Names of the gate blocks as the file has them. */
  readonly sourceGateOrder: readonly string[];
  /** Activations by the names of Keras; those that the class leaves open are taken as usual, and said. */
  readonly activations: {
    readonly candidate: string;
    readonly gates: string;
    readonly isFixed: boolean;
    /** Whose hard_sigmoid is meant. */
    readonly generation: 1 | 3;
  };
  /** What else the file does not say: what it is about, what is taken, why, and the option that changes it. */
  readonly assumptions: readonly {
    readonly what: string;
    readonly assumed: string;
    readonly why: string;
    readonly change: string;
  }[];
}

/**
 * Adds layers to a graph, each on its own input.
 *
 * @param layers - The layers.
 * @param builder - The graph.
 * @param reading - The reading.
 * @throws TempogradError `reader/unsafe`, `reader/limit-exceeded` for the number of layers.
 */
export async function addPartedLayers(
  layers: readonly PartedLayer[],
  builder: GraphBuilder,
  reading: Reading,
): Promise<void> {
  for (const layer of layers) {
    const { name, className, path } = layer;
    const place = { name, className, path, inputs: [], weights: infosOf(layer, new Map()) };
    const apart = new Map<StoredTensor, RealTensor>();
    try {
      const activations = activationsOf(layer, reading);
      const forward = await readCell(layer.forward, { layer: name, apart }, activations, reading);
      const backward = layer.backward
        ? await readCell(layer.backward, { layer: name, apart }, activations, reading)
        : null;
      for (const { what, ...rest } of layer.assumptions) assume(reading, { what: `${what} of ${name}`, ...rest });
      const operation = wholeSequence(forward, backward);
      const weights = infosOf(layer, apart);
      builder.add({ ...place, weights, operation, sourceGateOrder: layer.sourceGateOrder });
    } catch (error) {
      const reason = keepFailure(error, reading);
      builder.add({ ...place, operation: { kind: 'unsupported', reason }, sourceGateOrder: [] });
    }
  }
}

/**
 * All tensors of a layer, once each.
 *
 * @param layer - The layer.
 */
export function tensorsOfLayer({ forward, backward }: PartedLayer): readonly StoredTensor[] {
  const cells = backward ? [forward, backward] : [forward];
  return [...new Set(cells.flatMap((cell) => rolesOf(cell).flatMap(([, gates]) => gates.flat().map(tensorOf))))];
}

function tensorOf({ tensor }: { readonly tensor: StoredTensor }): StoredTensor {
  return tensor;
}

interface Activations {
  readonly candidate: ActivationDescription;
  readonly gates: ActivationDescription;
}

/** The activations of the class, or those that the user names where the class leaves them open. */
function activationsOf({ name, forward, activations }: PartedLayer, reading: Reading): Activations {
  const { candidate, gates, isFixed, generation } = activations;
  const writer = { generation, version: null };
  const choose = (what: string, usual: string, said: string | null, option: string): ActivationDescription => {
    if (isFixed) return readActivation(usual, writer);
    if (said === null) {
      const slope = usual === 'hard_sigmoid' ? ' (0.2 x + 0.5, as in Keras 1)' : '';
      assume(reading, { what: `${what} of ${name}`, assumed: usual + slope, why: WHY, change: option });
    }
    return readActivation(said ?? usual, writer);
  };
  return {
    candidate: choose('activation', candidate, reading.options.activation, '--activation'),
    gates:
      forward.kind === 'SimpleRNN'
        ? readActivation(gates, writer)
        : choose('recurrent activation', gates, reading.options.recurrentActivation, '--recurrent-activation'),
  };
}

const WHY = 'the file holds weights only';

async function readCell(
  cell: PartedCell,
  { layer, apart }: { readonly layer: string; readonly apart: Map<StoredTensor, RealTensor> },
  { candidate, gates }: Activations,
  reading: Reading,
): Promise<CellDescription> {
  const taken = new Map<StoredTensor, RealTensor>();
  const numbersOf: NumbersOf = async (tensor) => {
    const known = taken.get(tensor) ?? (await takeTensor(tensor, layer, reading));
    taken.set(tensor, known);
    return known;
  };
  const { kind, units, inputDim } = cell;
  const hasBias = cell.bias.flat().length > 0;
  const biasRow = async (parts: GateParts): Promise<RealTensor> => {
    const { data } = await joinParts(parts, 1, units, numbersOf);
    return { shape: [data.length], data };
  };
  for (const tensor of isAdded(cell.bias) ? new Set(cell.bias.flat().map(tensorOf)) : []) {
    apart.set(tensor, await biasRow(gatesIn(tensor, cell.bias).map(({ parts }) => parts)));
  }
  const sizes = {
    units,
    inputDim,
    kernel: await joinParts(cell.kernel, inputDim, units, numbersOf),
    recurrentKernel: await joinParts(cell.recurrentKernel, units, units, numbersOf),
    activation: candidate,
    clip: null,
  };
  if (kind === 'GRU') {
    const shared = { kind, ...sizes, recurrentActivation: gates };
    const bias = hasBias ? await biasRow(cell.bias) : null;
    if (cell.recurrentBias === null) return { ...shared, bias, resetAfter: false };
    const recurrentBias = await biasRow(cell.recurrentBias);
    const hasAny = hasBias || cell.recurrentBias.flat().length > 0;
    return { ...shared, bias: hasAny ? stack(bias, recurrentBias) : null, resetAfter: true };
  }
  const bias = hasBias ? await biasRow(cell.bias) : null;
  if (kind === 'SimpleRNN') return { kind, ...sizes, bias };
  return {
    kind,
    ...PLAIN_LSTM,
    ...sizes,
    bias,
    peepholes: cell.peepholes.length > 0 ? await biasRow(cell.peepholes) : null,
    recurrentActivation: gates,
    outputActivation: candidate,
  };
}

/** `[2, 3H]`: the input row, zeros where there is none, and the recurrent row. */
function stack(input: RealTensor | null, recurrent: RealTensor): RealTensor {
  const width = recurrent.data.length;
  const isDouble = input?.data instanceof Float64Array || recurrent.data instanceof Float64Array;
  const data = isDouble ? new Float64Array(2 * width) : new Float32Array(2 * width);
  if (input) data.set(input.data, 0);
  data.set(recurrent.data, width);
  return { shape: [2, width], data };
}

function rolesOf(cell: PartedCell): readonly (readonly [WeightRole, GateParts])[] {
  return [
    ['kernel', cell.kernel],
    ['recurrent_kernel', cell.recurrentKernel],
    ['bias', cell.bias],
    ['bias', cell.recurrentBias ?? []],
    ['peephole', cell.peepholes],
  ];
}

/** The tensors of a layer; a role that lies in several is shared by gates, or in the rows of a GRU's bias. */
function infosOf(
  { forward, backward }: PartedLayer,
  apart: ReadonlyMap<StoredTensor, RealTensor>,
): readonly WeightInfo[] {
  const infos: WeightInfo[] = [];
  const sides = backward
    ? ([
        ['forward', forward],
        ['backward', backward],
      ] as const)
    : ([[null, forward]] as const);
  for (const [direction, cell] of sides) {
    for (const [role, gates] of rolesOf(cell)) {
      for (const tensor of new Set(gates.flat().map(tensorOf))) {
        const { name, shape, dtype } = tensor;
        const part = partOf(tensor, cell, role, gates);
        const numbers = gates === cell.bias ? apart.get(tensor) : undefined;
        infos.push({
          role,
          name,
          shape: [...shape],
          dtype,
          direction,
          ...(part && { part }),
          ...(numbers && { numbers }),
        });
      }
    }
  }
  return infos;
}

/** True where a gate is the sum of several tensors, and what each of them holds is not in the cell. */
function isAdded(gates: GateParts): boolean {
  return gates.some((parts) => new Set(parts.map(tensorOf)).size > 1);
}

/** The gates that a tensor has a part in, by number, with its parts of them. */
function gatesIn(tensor: StoredTensor, gates: GateParts): readonly { gate: number; parts: GateParts[number] }[] {
  return gates
    .map((parts, gate) => ({ gate, parts: parts.filter((part) => part.tensor === tensor) }))
    .filter(({ parts }) => parts.length > 0);
}

/** Null for a tensor that is the whole of its role. */
function partOf(tensor: StoredTensor, cell: PartedCell, role: WeightRole, gates: GateParts): WeightInfo['part'] | null {
  const names = role === 'peephole' ? PEEPHOLES : gateNames(cell.kind);
  const own = gatesIn(tensor, gates).flatMap(({ gate }) => names[gate] ?? []);
  const row = role !== 'bias' || cell.recurrentBias === null ? null : gates === cell.bias ? 0 : 1;
  return own.length === names.length && row === null ? null : { gates: own, row };
}

/** Gates that see the cell state, in the order of their peepholes. */
const PEEPHOLES = ['i', 'f', 'o'];
