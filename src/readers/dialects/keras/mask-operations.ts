/**
 * The operations by which Keras 3 writes its own mask bookkeeping into a functional model.
 *
 * A Masking or Embedding layer leaves `NotEqual` and `Any` behind, a merge `LogicalOr`, all feeding only the `mask`
 * argument of layers. They compute what the layers' masks say anyway, so they are no layers of the inner form. A mask
 * that comes from anywhere else cannot be told from the graph and stands in the way of the layer that takes it.
 */
import { readCalls, type LayerEntry, type TensorAddress } from './layer-config';

const BOOKKEEPING = new Set([
  'NotEqual',
  'Any',
  'All',
  'LogicalOr',
  'LogicalAnd',
  'ExpandDims',
  'Squeeze',
  'ZerosLike',
  'OnesLike',
  'Concatenate',
  'Reshape',
  'Repeat',
]);

/** The masks of one functional model. */
export interface MaskOperations {
  /** Names of the operations that only compute masks. */
  readonly names: ReadonlySet<string>;
  /** True when a mask is one that the layers below give by themselves. */
  isImplicit(mask: TensorAddress): boolean;
}

/**
 * The mask bookkeeping of a functional model.
 *
 * @param entries - Its layers and operations.
 * @param outputs - Its outputs; what leads there is no bookkeeping.
 */
export function findMaskOperations(entries: readonly LayerEntry[], outputs: readonly TensorAddress[]): MaskOperations {
  const names = new Set(entries.filter(isCandidate).map(({ name }) => name));
  const calls = entries.flatMap(({ name, entry, className }) =>
    readCalls(entry, className).map((call) => ({ name, inputs: [...call.inputs, ...call.initialState] })),
  );
  for (const { layer } of outputs) names.delete(layer);
  for (let removed = true; removed;) {
    removed = false;
    for (const { name, inputs } of calls) {
      if (names.has(name)) continue;
      for (const { layer } of inputs) removed = names.delete(layer) || removed;
    }
  }
  const masking = new Set(
    entries
      .filter(({ className }) => className === 'Masking' || className === 'Embedding')
      .flatMap(({ entry, className }) => readCalls(entry, className).flatMap(({ inputs }) => inputs.map(addressKey))),
  );
  const inputsOf = new Map(calls.map(({ name, inputs }) => [name, inputs]));
  const isComparison = new Set(entries.filter(({ className }) => className === 'NotEqual').map(({ name }) => name));
  const isImplicit = ({ layer }: TensorAddress): boolean => {
    const seen = new Set<string>();
    const waiting = [layer];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!names.has(next)) return false;
      if (seen.has(next)) continue;
      seen.add(next);
      const inputs = inputsOf.get(next) ?? [];
      if (isComparison.has(next) && !inputs.every((input) => masking.has(addressKey(input)))) return false;
      waiting.push(...inputs.map((input) => input.layer).filter((name) => names.has(name)));
    }
    return true;
  };
  return { names, isImplicit };
}

function isCandidate({ isOperation, className }: LayerEntry): boolean {
  return isOperation && BOOKKEEPING.has(className);
}

function addressKey({ layer, call, tensor }: TensorAddress): string {
  return `${String(call)}:${String(tensor)}:${layer}`;
}
