/** The valid steps that a file stores for each sequence (ONNX `sequence_lens`), as a mask. */
import { TempogradError } from '../../core/errors';
import type { RecurrentLayer } from '../../core/model';
import type { Mask } from './flow';

/**
 * A mask in which steps past a sequence's stored length are not valid either.
 *
 * @param layer - The layer.
 * @param mask - `[B, T]`; null for all valid.
 * @param batch - B
 * @param steps - T; a longer stored length has no effect.
 * @returns `mask` itself where the layer stores no lengths.
 * @throws TempogradError `input/shape-mismatch` when lengths are stored for another number of sequences.
 */
export function withinSequenceLengths(
  layer: RecurrentLayer,
  mask: Mask | null,
  batch: number,
  steps: number,
): Mask | null {
  const { sequenceLengths } = layer.operation;
  if (sequenceLengths === null) return mask;
  if (sequenceLengths.length !== batch) {
    throw new TempogradError(
      'input/shape-mismatch',
      `layer ${layer.name} stores the lengths of ${sequenceLengths.length} sequences, the input has ${batch}`,
      {
        remedy: `Give ${sequenceLengths.length} sequences: --batch ${sequenceLengths.length}, or such an input file.`,
        details: { layer: layer.name, actual: batch, expected: sequenceLengths.length },
      },
    );
  }
  const data = Uint8Array.from({ length: batch * steps }, (_, at) => {
    const isWithin = at % steps < sequenceLengths[Math.floor(at / steps)];
    return Number(isWithin && (mask === null || mask.data[at] !== 0));
  });
  return { shape: [batch, steps], data };
}
