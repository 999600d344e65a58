/** Names of the files of several layers. */

const MAX_NAME_CHARACTERS = 120;

/**
 * File names for layers: everything outside `[A-Za-z0-9._-]` becomes `_`, repeats get `-2`.
 *
 * Names that a file system reads otherwise (nothing, or only dots) become `_`; very long ones are cut.
 *
 * @param layers - Layer names.
 */
export function fileNames(layers: readonly string[]): readonly string[] {
  const used = new Set<string>();
  return layers.map((layer) => {
    const plain = layer.replace(/[^A-Za-z0-9._-]/gu, '_').slice(0, MAX_NAME_CHARACTERS);
    const base = /^\.*$/.test(plain) ? '_' : plain;
    let name = base;
    for (let count = 2; used.has(name); count++) name = `${base}-${count}`;
    used.add(name);
    return name;
  });
}
