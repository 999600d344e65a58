/** Names as a state dict has them: what a checkpoint, DataParallel or torch.compile puts before them is left out. */
import type { StoredTensor } from '../../stored-tensor';
import type { PickledModule, Placed, TorchContent } from './find-tensors';

/** Tensors by their names in a state dict; modules by the same names. */
export interface NamedContent {
  readonly tensors: readonly StoredTensor[];
  readonly modules: ReadonlyMap<string, PickledModule>;
  /** Dotted names of the classes of modules saved whole. */
  readonly classes: ReadonlyMap<string, string>;
}

/** Keys under which training scripts keep a state dict. */
const CHECKPOINT_KEY =
  /^(state_dict|model|model_state(_dict)?|net|network|module|weights|params|ema|\w+_state_dict|\d+)$/i;

/** What wrappers put before every name. */
const WRAPPERS: ReadonlySet<string> = new Set(['module', '_orig_mod']);

/**
 * The tensors under the names of a state dict.
 *
 * @param content - What a file holds.
 */
export function nameAsStateDict({ tensors, modules, classes }: TorchContent): NamedContent {
  const roots = rootsOf(tensors);
  const prefixes = new Map([...roots].map(([root, names]) => [root, prefixOf(root, names, roots)]));
  const nameOf = (placed: Placed<unknown>): string => {
    const root = rootOf(placed);
    const dropped = prefixes.get(root) ?? { root: false, wrappers: 0 };
    const own = placed.path.slice(placed.wrappers).join('.').split('.').slice(dropped.wrappers).join('.');
    return dropped.root || root === '' ? own : own === '' ? root : `${root}.${own}`;
  };
  return {
    tensors: tensors.map((placed) => ({ ...placed.value, name: nameOf(placed) })),
    modules: new Map(modules.map((placed) => [nameOf(placed), placed.value])),
    classes: new Map(classes.map((placed) => [nameOf(placed), placed.value])),
  };
}

function rootOf({ path, wrappers }: Placed<unknown>): string {
  return path.slice(0, wrappers).join('.');
}

/** First and second part of every name, by the checkpoint's key that they stand under. */
function rootsOf(tensors: TorchContent['tensors']): ReadonlyMap<string, readonly (readonly string[])[]> {
  const roots = new Map<string, (readonly string[])[]>();
  for (const placed of tensors) {
    const root = rootOf(placed);
    const name = placed.path.slice(placed.wrappers).join('.').split('.');
    const names = roots.get(root);
    if (names) names.push(name);
    else roots.set(root, [name]);
  }
  return roots;
}

function prefixOf(
  root: string,
  names: readonly (readonly string[])[],
  roots: ReadonlyMap<string, unknown>,
): { readonly root: boolean; readonly wrappers: number } {
  let wrappers = 0;
  while (names.every((name) => name.length > wrappers + 1 && WRAPPERS.has(name[wrappers] ?? ''))) wrappers++;
  const isKey = (key: string): boolean => key.split('.').every((part) => CHECKPOINT_KEY.test(part));
  // Names with dots say themselves which module they are of; others need the key that they stand under.
  const isTold = roots.size === 1 && names.every((name) => name.length > 1);
  const isOnly = isKey(root) && [...roots.keys()].filter((other) => other !== '' && isKey(other)).length === 1;
  return { root: isTold || isOnly, wrappers };
}
