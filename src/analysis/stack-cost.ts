/** What pushing steps of the model's input through the layers to a layer costs, before anything is computed. */
import type { RecurrentModel } from '../core/model';
import { hasRecurrenceBelow, layersBetween } from '../engine/below/source-layers';
import { planStack, stackSizes } from '../engine/below/stack-plan';
import type { EngineName } from '../engine/engine';
import type { RunRequest } from '../shared/run';
import type { FoundLayer } from './find-layer';
import { outputShape } from './layer-shape';
import { modelInputShape, type RunData, type RunSize } from './size-run';

/** Cost of a stack. */
export interface StackCost {
  readonly flop: number;
  /** Bytes held at once. */
  bytes(chunkBytes: number, maxBytes: number): number;
}

/**
 * The cost of pushing where a run does that; null where it does not, or a size on the way is not known.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param request - The request.
 * @param data - Files already read.
 * @param size - Sizes of the run.
 * @param engine - Which engine runs it.
 * @throws TempogradError `cell/unsupported` where the derivative does not go through a layer.
 */
export function stackCost(
  model: RecurrentModel,
  { index, layer }: FoundLayer,
  request: RunRequest,
  data: RunData,
  size: RunSize,
  engine: EngineName,
): StackCost | null {
  const { wrt, modes } = request;
  if (wrt !== 'model-input' || size.atLayer) return null;
  const isParted = hasRecurrenceBelow(model, index);
  if (!isParted && !modes.includes('pairs')) return null;
  const between = layersBetween(model, index);
  const given = model.inputs.map((input) => modelInputShape(model.layers[input]!, request, data));
  const outputs = new Map<number, { shape: readonly number[] }[]>();
  for (const from of [...between.starts, ...between.order]) {
    const own: { shape: readonly number[] }[] = [];
    for (let output = 0; ; output++) {
      const shape = outputShape(model, { layer: from, output }, given);
      if (shape === null && output > 0) break;
      if (shape === null || shape.some((axis) => axis === null)) return null;
      own.push({ shape: [size.batch, ...shape.map(Number)] });
    }
    outputs.set(from, own);
  }
  const sizes = stackSizes({ model, layer: index, ...between, outputs }, engine);
  const directions = Number(layer.operation.forward !== null) + Number(layer.operation.backward !== null);
  // Each direction of the last state is a pass of its own; what one step is by itself costs little but behind a backward half.
  const passes = Number(modes.includes('pairs')) + (isParted && modes.includes('final') ? directions : 0);
  return {
    flop: passes * sizes.batch * sizes.steps * sizes.sourceFlop,
    bytes: (chunkBytes, maxBytes) => planStack(sizes, chunkBytes, maxBytes).bytes,
  };
}
