/**
 * The last size of an initial state, also where it is made for any batch: it tells an LSTM whose projection is missing.
 *
 * PyTorch's newer exporter (2.13) writes an LSTM with `proj_size` as an operator of as many units as the projection has,
 * with the first rows of its kernels and without the projection: initial_c alone keeps the number of units.
 */
import { TempogradError } from '../../../core/errors';
import type { Constants } from './constants';
import type { OnnxNode } from './model';
import type { Scope } from './scope';

const MAX_STEPS = 100;
const KEEPING: ReadonlySet<string> = new Set(['Identity', 'Cast']);

/**
 * Nothing when initial_c has the width of the cell, or a width that cannot be told.
 *
 * @param name - initial_c; empty where it is omitted.
 * @param units - H of the recurrent kernel.
 * @param layer - For messages.
 * @param scope - Where the node stands.
 * @param constants - The file's constants.
 * @throws TempogradError `cell/shape-mismatch` for another width.
 */
export async function checkCellStateWidth(
  name: string,
  units: number,
  layer: string,
  scope: Scope,
  constants: Constants,
): Promise<void> {
  const width = await widthOf(name, scope, constants);
  if (width === null || width === units) return;
  throw new TempogradError(
    'cell/shape-mismatch',
    `Layer ${layer}: its initial cell state ${name} has ${String(width)} units, its tensor R has ${String(units)}. ` +
      "PyTorch's newer exporter writes an LSTM with proj_size like this: the projection and a part of the kernels are " +
      'not in the file, and no runtime can run it',
    {
      remedy: 'Save the state dict of the PyTorch model instead: it has the projection.',
      details: { layer, tensor: name, actual: width, expected: units },
    },
  );
}

async function widthOf(name: string, scope: Scope, constants: Constants): Promise<number | null> {
  let [value, place] = [name, scope];
  for (let step = 0; step < MAX_STEPS && value !== ''; step++) {
    const stored = await constants.find(value, place);
    if (stored) return stored.shape.at(-1) ?? null;
    const source = place.find(value);
    if (source?.kind !== 'node' || source.node.domain !== '') return null;
    const { node } = source;
    if (node.operator === 'ConstantOfShape') return lastEntry(node.inputs[0] ?? '', source.scope, constants);
    if (node.operator === 'Expand') {
      const width = await lastEntry(node.inputs[1] ?? '', source.scope, constants);
      // A last size of 1 keeps that of the input.
      if (width !== 1) return width;
    } else if (!KEEPING.has(node.operator) && !(await keepsWidth(node, source.scope, constants))) return null;
    value = node.inputs[0] ?? '';
    place = source.scope;
  }
  return null;
}

/** Whether a Slice of a state `[d, B, H]` leaves its last axis alone. */
async function keepsWidth(node: OnnxNode, scope: Scope, constants: Constants): Promise<boolean> {
  if (node.operator !== 'Slice') return false;
  const stored = await constants.find(node.inputs[3] ?? '', scope);
  const axes = stored ? Array.from((await stored.read()).data) : (node.attributes.get('axes')?.integers ?? []);
  return axes.length > 0 && axes.every((axis) => axis === 0 || axis === 1);
}

/** The last entry of a shape that is stored, or joined of parts of which the last one is. */
async function lastEntry(name: string, scope: Scope, constants: Constants): Promise<number | null> {
  const source = scope.find(name);
  const isJoined = source?.kind === 'node' && source.node.domain === '' && source.node.operator === 'Concat';
  const stored = await constants.find(isJoined ? (source.node.inputs.at(-1) ?? '') : name, scope);
  if (!stored || stored.shape.length !== 1) return null;
  return (await stored.read()).data.at(-1) ?? null;
}
