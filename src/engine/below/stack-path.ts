/**
 * The way from the model's input to a recurrent layer, run once: what every layer on it gave, on the host, and the
 * states of the recurrences, as everything that is differentiated there needs them.
 */
import { cellsOf, isRecurrent, type CellDescription, type RecurrentLayer, type RecurrentModel } from '../../core/model';
import type { RealTensor, Tensor } from '../../core/tensor';
import { newReals, type CellRun } from '../cells/run-cell';
import type { LayerInput, LayerRun, RealArray } from '../engine';
import { runBelow, type ForwardTools } from '../forward';
import { asReal, type Flow, type Mask } from '../layers/flow';
import type { Ops } from '../ops';
import { layersBetween, noCommonSteps } from './source-layers';

/** A layer's output on the host. */
export interface HostFlow extends RealTensor {
  readonly mask: Mask | null;
}

/** A recurrent layer on the way. */
export interface StackRecurrence {
  readonly layer: RecurrentLayer;
  readonly mask: Mask | null;
  /** One per direction, forward first. */
  readonly runs: readonly { readonly cell: CellDescription; readonly run: CellRun }[];
}

/** The layers from the model's input to a recurrent layer, at one input. */
export interface StackPath {
  readonly model: RecurrentModel;
  /** Index of the recurrent layer at the top. */
  readonly layer: number;
  /** What that layer is fed. */
  readonly input: LayerInput;
  /** u `[B, T_u, D_u]`; the starts side by side. */
  readonly sequence: RealTensor;
  /** Layers that u enters at, in order. */
  readonly starts: readonly number[];
  /** Layers between them and the top that depend on u, in order. */
  readonly order: readonly number[];
  /** Outputs of every layer below, by index. */
  readonly outputs: ReadonlyMap<number, readonly HostFlow[]>;
  readonly recurrences: ReadonlyMap<number, StackRecurrence>;
}

/**
 * Runs the layers below a recurrent layer and keeps what its derivative by the model's input needs.
 *
 * @param tools - Operations and the engine's way to the states of a recurrent layer.
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @param inputs - One tensor per `model.inputs`; u is the first.
 * @param signal - Aborts between layers.
 * @throws TempogradError `cell/unsupported` when the layer does not depend on the first input or its derivative does not
 * go through a layer below; `input/shape-mismatch` when u has no time axis.
 */
export async function openStackPath(
  tools: ForwardTools,
  model: RecurrentModel,
  layer: number,
  inputs: readonly Tensor[],
  signal: AbortSignal,
): Promise<StackPath> {
  const { ops } = tools;
  const { starts, order } = layersBetween(model, layer);
  const outputs = new Map<number, readonly HostFlow[]>();
  const recurrences = new Map<number, StackRecurrence>();
  const input = await runBelow(tools, model, layer, inputs, signal, {
    seen: (index, flows) =>
      outputs.set(
        index,
        flows.map((flow) => toHost(ops, flow)),
      ),
    ran: (index, fed, run) => {
      const own = model.layers[index]!;
      if (isRecurrent(own)) recurrences.set(index, recurrenceOf(ops, own, fed, run));
    },
  });
  const sequence = sequenceOf(model, starts, outputs);
  return { model, layer, input, sequence, starts, order, outputs, recurrences };
}

/**
 * A recurrent layer's states as the propagations take them.
 *
 * @param ops - Operations.
 * @param layer - The layer.
 * @param input - What it is fed.
 * @param run - Its states.
 */
export function recurrenceOf(
  ops: Ops,
  layer: RecurrentLayer,
  input: LayerInput,
  run: Pick<LayerRun, 'states' | 'batch' | 'steps'>,
): StackRecurrence {
  const { batch, steps } = run;
  const runs = cellsOf(layer.operation).map(({ direction, cell }) => {
    const { h, c, gates } = run.states.find((states) => states.direction === direction)!;
    const { units, inputDim } = cell;
    const hiddenSize = h.length / (batch * steps);
    const x = (direction === 'backward' ? input.backwardX : null) ?? input.x;
    const before = (state: RealTensor | null | undefined, width: number): RealArray => {
      const array = newReals(ops, batch * width);
      if (state) array.set(state.data);
      return array;
    };
    const initial = input.initialState[direction];
    const cellRun: CellRun = {
      ...{ direction, batch, steps, units, hiddenSize, inputDim, h, c, gates },
      x: x.data,
      mask: input.mask?.data ?? null,
      h0: before(initial?.h0, hiddenSize),
      c0: c && before(initial?.c0, units),
    };
    return { cell, run: cellRun };
  });
  return { layer, mask: input.mask, runs };
}

function toHost(ops: Ops, { value, mask }: Flow): HostFlow {
  return { shape: value.shape, data: ops.tidy(() => ops.read(asReal(ops, value))), mask };
}

/** u, the outputs of the starts side by side. */
function sequenceOf(
  model: RecurrentModel,
  starts: readonly number[],
  outputs: ReadonlyMap<number, readonly HostFlow[]>,
): RealTensor {
  const parts = starts.map((start) => outputs.get(start)![0]!);
  const [{ shape }] = parts as [HostFlow];
  const [batch, steps] = shape as [number, number];
  const wrong = parts.find((part) => part.shape.length !== 3 || part.shape[1] !== steps);
  if (wrong) throw noCommonSteps(starts, model, wrong.shape);
  if (parts.length === 1) return { shape, data: parts[0]!.data };
  const widths = parts.map((part) => part.shape[2]!);
  const width = widths.reduce((sum, one) => sum + one, 0);
  const data = new Float64Array(batch * steps * width);
  for (let row = 0; row < batch * steps; row++) {
    let at = row * width;
    parts.forEach((part, index) => {
      data.set(part.data.subarray(row * widths[index]!, (row + 1) * widths[index]!), at);
      at += widths[index]!;
    });
  }
  return { shape: [batch, steps, width], data };
}
