/**
 * Initial states that need no layers: one number everywhere, as exporters make them for any batch, or fed to the model.
 *
 * Source: ONNX operators ConstantOfShape, Expand and those that only move entries.
 */
import { sizeOf, type RealTensor } from '../../../core/tensor';
import type { Constants } from './constants';
import type { Scope } from './scope';

const MAX_STEPS = 100;
const MAX_CONCATS = 3;
const MAX_ENTRIES = 10_000_000;
/** Operators whose output holds nothing but entries of their first input. */
const MOVING: ReadonlySet<string> = new Set(
  'Identity Cast Expand Tile Slice Reshape Squeeze Unsqueeze Transpose Split Gather'.split(' '),
);

/**
 * The number that all entries of a value are; null where it is not known to be one.
 *
 * @param name - The value.
 * @param scope - Where it is asked for.
 * @param constants - The file's constants.
 * @param depth - How many Concat nodes are behind it.
 * @throws TempogradError what reading a constant throws.
 */
export async function uniformValue(
  name: string,
  scope: Scope,
  constants: Constants,
  depth = 0,
): Promise<number | null> {
  let [value, place] = [name, scope];
  for (let step = 0; step < MAX_STEPS; step++) {
    const stored = await constants.find(value, place);
    if (stored) return sizeOf(stored.shape) <= MAX_ENTRIES ? sameEverywhere((await stored.read()).data) : null;
    const source = place.find(value);
    if (source?.kind !== 'node' || source.node.domain !== '') return null;
    const { node } = source;
    if (node.operator === 'ConstantOfShape') return sameEverywhere((await constants.fillOf(node)).data);
    if (node.operator === 'Concat') return sameInputs(node.inputs, source.scope, constants, depth);
    if (!MOVING.has(node.operator)) return null;
    value = node.inputs[0] ?? '';
    place = source.scope;
  }
  return null;
}

/**
 * Whether a value is an input of the model, as it is or with its axes moved: it is fed when the model runs.
 *
 * @param name - The value.
 * @param scope - Where it is asked for.
 */
export function isFed(name: string, scope: Scope): boolean {
  let source = scope.find(name);
  for (let step = 0; step < MAX_STEPS && source?.kind === 'node'; step++) {
    if (!MOVING.has(source.node.operator)) return false;
    source = source.scope.find(source.node.inputs[0] ?? '');
  }
  return source?.kind === 'input';
}

/** What all parts are, each asked for once. */
async function sameInputs(
  names: readonly string[],
  scope: Scope,
  constants: Constants,
  depth: number,
): Promise<number | null> {
  if (depth >= MAX_CONCATS) return null;
  const found = new Set<number | null>();
  for (const name of new Set(names)) found.add(await uniformValue(name, scope, constants, depth + 1));
  const [first = null] = found;
  return found.size === 1 ? first : null;
}

function sameEverywhere(data: RealTensor['data']): number | null {
  const [first] = data;
  return first !== undefined && data.every((entry) => entry === first) ? first : null;
}
