/** The layers from the model's input to a recurrent layer, opened for derivatives through recurrences. */
import type { RecurrentModel } from '../../core/model';
import type { Tensor } from '../../core/tensor';
import type { Stack } from '../engine';
import type { ForwardTools } from '../forward';
import { openStackPath, recurrenceOf } from './stack-path';
import { PushedStack } from './stack-run';

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
      new PushedStack(ops, path, recurrenceOf(ops, own, input, run), maxBytes),
  };
}
