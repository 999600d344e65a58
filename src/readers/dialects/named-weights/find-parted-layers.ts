/**
 * Recurrent layers whose gates lie in parts, found among named tensors by the names below one holder.
 */
import type { UserChoices } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { findGateArrays, findOnnxCell } from './exchanged-cells';
import { findJaxCell, type FoundInGroup } from './jax-cells';
import { findOwnCell, isOwnName } from './own-cells';
import { tensorsOfLayer, type PartedLayer } from './parted-layer';

/** What was found, and what is left. */
export interface PartedLayers {
  readonly layers: readonly PartedLayer[];
  readonly rest: readonly StoredTensor[];
}

/** Names that some finder asks for; all others need no group. */
const WANTED =
  /^(i[ifgorzn]?_?|h[ifgorzn]?|dense_[ih])\/(kernel|bias)$|^linear(_1)?\/[wb]$|^(w_[ih]|b)$|^[WRBP]$|^[WUb]_[ifcozrh]$/;

/** Flax's nnx may add the name of a variable's value; TensorFlow a number. */
const SUFFIX = /([./](raw_)?value|:0)$/;

interface Group {
  readonly tensors: Map<string, StoredTensor>;
  /** Its tensors carry the layer's name in their own: `lstm_1_W_i`. */
  readonly isNamed: boolean;
}

/**
 * The layers among tensors, in the order in which their holders first appear.
 *
 * @param tensors - Named tensors.
 * @param choices - What the user says of them.
 */
export function findPartedLayers(tensors: readonly StoredTensor[], choices: UserChoices): PartedLayers {
  const groups = new Map<string, Group>();
  for (const tensor of tensors) {
    for (const { holder, name, isNamed } of placesOf(tensor.name)) {
      const key = `${isNamed ? 'named' : 'plain'} ${holder}`;
      const group = groups.get(key) ?? { tensors: new Map<string, StoredTensor>(), isNamed };
      group.tensors.set(name, tensor);
      groups.set(key, group);
    }
  }
  const layers: PartedLayer[] = [];
  const taken = new Set<StoredTensor>();
  for (const [key, { tensors: own, isNamed }] of groups) {
    const holder = key.slice(key.indexOf(' ') + 1);
    const found = findCell(own, holder, isNamed, choices);
    if (!found) continue;
    const layer = { ...found, name: displayName(holder), path: holder };
    const parts = tensorsOfLayer(layer);
    if (parts.some((part) => taken.has(part))) continue;
    for (const part of parts) taken.add(part);
    layers.push(layer);
  }
  return { layers, rest: tensors.filter((tensor) => !taken.has(tensor)) };
}

function findCell(
  group: ReadonlyMap<string, StoredTensor>,
  holder: string,
  isNamed: boolean,
  { resetAfter }: UserChoices,
): FoundInGroup | null {
  const exchanged = findJaxCell(group, holder) ?? findOnnxCell(group, resetAfter);
  return exchanged ?? (isNamed ? findGateArrays(group) : findOwnCell(group));
}

/** The holders a tensor can belong to, each with its name below it. */
function placesOf(
  path: string,
): readonly { readonly holder: string; readonly name: string; readonly isNamed: boolean }[] {
  const bare = path.replace(SUFFIX, '');
  const last = lastSeparator(bare, bare.length);
  const places = [last, lastSeparator(bare, last)].map((start) => ({
    holder: bare.slice(0, Math.max(start, 0)),
    name: bare.slice(start + 1).replace('.', '/'),
    isNamed: false,
  }));
  const own = bare.slice(last + 1);
  const joined = /^(.+)_([WUb]_[ifcozrh]|[WRBP])$/.exec(own);
  if (joined) {
    const holder = `${bare.slice(0, bare.length - own.length)}${joined[1] ?? ''}`;
    places.push({ holder, name: joined[2] ?? '', isNamed: true });
  }
  return places.filter(({ name }) => WANTED.test(name) || isOwnName(name));
}

/** Where the last dot or slash before an end stands, -1 when there is none. */
function lastSeparator(path: string, end: number): number {
  if (end <= 0) return -1;
  return Math.max(path.lastIndexOf('.', end - 1), path.lastIndexOf('/', end - 1));
}

/** Flax's collection is no module; Keras 1 names a layer twice. */
function displayName(holder: string): string {
  const bare = holder.replace(/^params([./]|$)/, '');
  if (bare === '') return 'rnn';
  const last = lastSeparator(bare, bare.length);
  const outer = bare.slice(lastSeparator(bare, last) + 1, Math.max(last, 0));
  return last > 0 && outer === bare.slice(last + 1) ? bare.slice(0, last) : bare;
}
