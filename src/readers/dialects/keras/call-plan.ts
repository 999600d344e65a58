/**
 * The calls of a functional model in an order in which each call's inputs come before it.
 */
import { field, isArray, type JsonValue } from '../../json';
import {
  addressesIn,
  isModelEntry,
  readCalls,
  type LayerCall,
  type LayerEntry,
  type TensorAddress,
} from './layer-config';
import { findMaskOperations, type MaskOperations } from './mask-operations';

/** One call of one layer. */
export interface PlannedCall extends LayerCall {
  /** Index of the layer in the model's list. */
  readonly position: number;
  /** The number by which others refer to this call. */
  readonly call: number;
}

/** A functional model as calls. */
export interface CallPlan {
  readonly calls: readonly PlannedCall[];
  /** Calls whose inputs are nowhere: circles, or names that the file does not hold. */
  readonly unreached: readonly PlannedCall[];
  readonly inputs: readonly TensorAddress[];
  readonly outputs: readonly TensorAddress[];
  readonly masks: MaskOperations;
}

/**
 * The calls of a functional model.
 *
 * @param entries - Its layers and operations.
 * @param config - Its configuration.
 */
export function planCalls(entries: readonly LayerEntry[], config: JsonValue): CallPlan {
  const inputs = addressesIn(field(config, 'input_layers'));
  const outputs = addressesIn(field(config, 'output_layers'));
  const masks = findMaskOperations(entries, outputs);
  const listed = listCalls(entries, outputs, masks);
  const known = new Set(
    entries.filter(({ className }) => className === 'InputLayer').map(({ name }) => callKey(name, 0)),
  );
  const waiting = new Map<string, PlannedCall[]>();
  const missing = new Map<PlannedCall, number>();
  const ready: PlannedCall[] = [];
  for (const call of listed) {
    const wanted = new Set(dependencies(call).filter((key) => !known.has(key)));
    missing.set(call, wanted.size);
    if (wanted.size === 0) ready.push(call);
    for (const key of wanted) waiting.set(key, [...(waiting.get(key) ?? []), call]);
  }
  const calls: PlannedCall[] = [];
  for (let next = 0; next < ready.length; next++) {
    const call = ready[next]!;
    calls.push(call);
    for (const dependent of waiting.get(callKey(entries[call.position]!.name, call.call)) ?? []) {
      const left = missing.get(dependent)! - 1;
      missing.set(dependent, left);
      if (left === 0) ready.push(dependent);
    }
  }
  return { calls, unreached: listed.filter((call) => missing.get(call)! > 0), inputs, outputs, masks };
}

/**
 * One string for a call of a layer.
 *
 * @param layer - The layer's name.
 * @param call - The call's number.
 */
export function callKey(layer: string, call: number): string {
  return `${String(call)}:${layer}`;
}

function dependencies({ inputs, initialState }: LayerCall): readonly string[] {
  return [...inputs, ...initialState].map(({ layer, call }) => callKey(layer, call));
}

function listCalls(
  entries: readonly LayerEntry[],
  outputs: readonly TensorAddress[],
  masks: MaskOperations,
): readonly PlannedCall[] {
  const byEntry = entries.map(({ name, entry, className }) =>
    className === 'InputLayer' || masks.names.has(name) ? [] : readCalls(entry, className),
  );
  const references = new Map<string, number>();
  for (const { layer, call } of [
    ...outputs,
    ...byEntry.flat().flatMap(({ inputs, initialState }) => [...inputs, ...initialState]),
  ]) {
    references.set(layer, Math.max(references.get(layer) ?? 0, call));
  }
  return byEntry.flatMap((calls, position) => {
    const first = firstCall(entries[position]!, calls.length, references.get(entries[position]!.name) ?? 0);
    return calls.map((call, index) => ({ ...call, position, call: first + index }));
  });
}

/**
 * The number of a layer's first call. A nested model was called once when it was made, and that call is not stored:
 * Keras 2 therefore counts from 1 where the inner model has an InputLayer, Keras 3 from 0 or 1.
 */
function firstCall(entry: LayerEntry, calls: number, largestReference: number): number {
  if (!isModelEntry(entry)) return 0;
  if (largestReference >= calls) return 1;
  const layers = field(entry.config, 'layers');
  const startsWithInput = isArray(layers) && field(layers[0], 'class_name') === 'InputLayer';
  const nodes = field(entry.entry, 'inbound_nodes');
  const isOld = isArray(nodes) && isArray(nodes[0]);
  return isOld && startsWithInput ? 1 : 0;
}
