/** The layers from the model's input to a recurrent layer, opened for derivatives through recurrences. */
import type { RecurrentLayer, RecurrentModel } from '../../core/model';
import type { RealTensor, Tensor } from '../../core/tensor';
import type { LayerInput, LayerRun } from '../engine';
import type { ForwardTools } from '../forward';
import { openStackPath, recurrenceOf } from './stack-path';
import { StackRun } from './stack-run';

/** A layer's way to the model's input. */
export interface Stack {
  /** What the layer is fed. */
  readonly input: LayerInput;
  /** u `[B, T_u, D_u]`, the sequence that is differentiated against. */
  readonly sequence: RealTensor;
  /**
   * The layer's derivatives through the layers below.
   *
   * @param layer - The layer.
   * @param input - What it was fed.
   * @param run - Its states.
   * @param maxBytes - What there is for a tile; left out: as much as it takes.
   */
  under(
    layer: RecurrentLayer,
    input: LayerInput,
    run: Pick<LayerRun, 'states' | 'batch' | 'steps'>,
    maxBytes?: number,
  ): StackRun;
}

/**
 * Runs the layers below a recurrent layer; what is kept of them lies on the host.
 *
 * @param tools - Operations and the engine's way to the states of a recurrent layer.
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @param inputs - One tensor per `model.inputs`; u is the first.
 * @param signal - Aborts between layers.
 * @throws TempogradError as `openStackPath` does.
 */
export async function openStack(
  tools: ForwardTools,
  model: RecurrentModel,
  layer: number,
  inputs: readonly Tensor[],
  signal: AbortSignal,
): Promise<Stack> {
  const path = await openStackPath(tools, model, layer, inputs, signal);
  const { ops } = tools;
  return {
    input: path.input,
    sequence: path.sequence,
    under: (own, input, run, maxBytes = Infinity) =>
      new StackRun(ops, path, recurrenceOf(ops, own, input, run), maxBytes),
  };
}
