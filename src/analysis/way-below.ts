/** What a layer is fed, and how it depends on the model's input where that is asked for. */
import { cellsOf, type RecurrentModel } from '../core/model';
import type { RealTensor } from '../core/tensor';
import { localJacobian, type LocalJacobian } from '../engine/below/local-jacobian';
import { modelInputBytes, withRespectToModelInput } from '../engine/below/model-input-run';
import { hasRecurrenceBelow } from '../engine/below/source-layers';
import type { Engine, LayerInput, LayerRun, Stack } from '../engine/engine';
import type { RunCost } from '../engine/estimate';
import { Pace } from '../engine/pace';
import type { RunRequest } from '../shared/run';
import { checkMemory } from './check-memory';
import type { FoundLayer } from './find-layer';
import { initialStates } from './initial-states';
import { makeInputs } from './make-inputs';
import type { RunData, RunSize } from './size-run';

/** The ways from a layer to the model's input, and the sequence there. */
export interface WayBelow {
  /** dx/du; null where recurrences stand between, or it is not needed. */
  readonly local: LocalJacobian | null;
  /** The layers themselves; null where they are not needed. */
  readonly stack: Stack | null;
  readonly sequence: RealTensor;
}

/**
 * The input of the layer that is analysed.
 *
 * @param engine - The engine.
 * @param order - What to analyse.
 * @param plan - Its plan.
 * @param signal - Aborts between layers.
 * @returns `below` is null with respect to the layer's own input.
 * @throws TempogradError of the input and cell families; `engine/out-of-memory` where dx/du does not fit.
 */
export async function layerInput(
  engine: Engine,
  { model, request, data }: { readonly model: RecurrentModel; readonly request: RunRequest; readonly data: RunData },
  plan: { readonly found: FoundLayer; readonly size: RunSize; readonly cost: RunCost },
  signal: AbortSignal,
): Promise<{ readonly input: LayerInput; readonly below: WayBelow | null }> {
  const { index } = plan.found;
  const input = await makeInputs(model, plan.found, request, data, plan.size, new Pace(signal));
  if (input.kind === 'layer') return { input: input.input, below: null };
  const { modes } = request;
  const isByModel = request.wrt === 'model-input';
  const isParted = isByModel && hasRecurrenceBelow(model, index);
  const isPushed = isParted || (isByModel && modes.includes('pairs'));
  const stack = isPushed ? await engine.openStack(model, index, input.tensors, signal) : null;
  const fed = stack?.input ?? (await engine.runBelow(model, index, input.tensors, signal));
  // A user's own initial state takes the place of what the model would give.
  const own = initialStates(plan.found, data, fed.x.shape[0]!);
  const whole = { ...fed, initialState: { ...fed.initialState, ...own } };
  if (!isByModel) return { input: whole, below: null };
  const left = request.maxMemoryBytes === null ? undefined : request.maxMemoryBytes - plan.cost.peakBytes;
  const isLocal = !isParted && (stack === null || modes.includes('diagonal') || modes.includes('final'));
  const local = isLocal ? await localJacobian(model, index, input.tensors, signal, left) : null;
  return { input: whole, below: { local, stack, sequence: local?.sequence ?? stack!.sequence } };
}

/**
 * The layer run differentiated by the model's input.
 *
 * @param run - The layer's states; disposed with the result.
 * @param input - What it was fed.
 * @param below - What `layerInput` gave.
 * @param request - The request.
 * @param plan - Its plan.
 * @throws TempogradError `engine/out-of-memory` where not even one step at a time fits.
 */
export function byModelInput(
  run: LayerRun,
  input: LayerInput,
  { local, stack }: WayBelow,
  request: RunRequest,
  plan: { readonly found: FoundLayer; readonly cost: RunCost; readonly chunkBytes: number },
): LayerRun {
  const { layer } = plan.found;
  const cells = cellsOf(layer.operation).map(({ cell }) => cell);
  const localBytes = local ? modelInputBytes(local, cells, request.modes, plan.chunkBytes) : 0;
  const held = plan.cost.peakBytes + localBytes;
  const left = request.maxMemoryBytes === null ? undefined : request.maxMemoryBytes - held;
  const through = stack && stack.under(layer, input, run, left);
  checkMemory(held + (through?.bytes(plan.chunkBytes) ?? 0), request);
  return withRespectToModelInput(run, layer, input, { local, stack: through });
}
