/**
 * How many sequences a file stores something for: initial states or valid lengths, one row each.
 */
import { TempogradError } from '../core/errors';
import { isRecurrent, type RecurrentLayer, type RecurrentModel } from '../core/model';
import type { FoundLayer } from './find-layer';
import { layersBelow } from './layers-below';

/**
 * The number of sequences that a layer fed directly stores rows for; null where it stores none, or two numbers.
 *
 * @param model - The model.
 * @param found - The layer.
 */
export function batchStoredAt(model: RecurrentModel, found: FoundLayer): number | null {
  return onlyOne(rowsOf(model, found.layer));
}

/**
 * The number of sequences that a layer and those below it store rows for; null where they store none, or two numbers.
 *
 * @param model - The model.
 * @param found - The layer.
 */
export function batchStoredBelow(model: RecurrentModel, found: FoundLayer): number | null {
  const layers = [found.index, ...layersBelow(model, found.index)].map((index) => model.layers[index]!);
  return onlyOne(layers.filter(isRecurrent).flatMap((layer) => rowsOf(model, layer)));
}

/**
 * Nothing when the layer can take so many sequences.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param hasOwnState - True where the user's initial state takes the place of a stored one.
 * @param batch - B.
 * @throws TempogradError `input/shape-mismatch` where its states or lengths are stored for another number.
 */
export function checkStoredBatch(model: RecurrentModel, found: FoundLayer, hasOwnState: boolean, batch: number): void {
  const lengths = found.layer.operation.sequenceLengths?.length ?? batch;
  const rows = hasOwnState ? [lengths] : rowsOf(model, found.layer);
  const stored = rows.find((count) => count !== batch);
  if (stored === undefined) return;
  const many = (count: number): string => `${count} ${count === 1 ? 'sequence' : 'sequences'}`;
  throw new TempogradError(
    'input/shape-mismatch',
    `layer ${found.layer.name} stores initial states or lengths for ${many(stored)}, the input has ${many(batch)}`,
    {
      remedy: `Give ${many(stored)}: a random input takes them with --batch ${stored}, or such an input file.`,
      details: { layer: found.layer.name, actual: batch, expected: stored },
    },
  );
}

/** Rows of the states and lengths of one layer; a single row stands for any number of sequences. */
function rowsOf(model: RecurrentModel, { operation }: RecurrentLayer): number[] {
  const states = operation.initialState.flatMap(({ layer }) => {
    const state = model.layers[layer]!.operation;
    const rows = state.kind === 'constant' ? (state.value.shape[0] ?? 1) : 1;
    return rows > 1 ? [rows] : [];
  });
  return operation.sequenceLengths === null ? states : [...states, operation.sequenceLengths.length];
}

function onlyOne(rows: readonly number[]): number | null {
  const [first = null, ...others] = rows;
  return others.every((other) => other === first) ? first : null;
}
