/**
 * A recurrent layer with its states computed: one cell run per direction, and the propagations over them.
 */
import { TempogradError } from '../core/errors';
import type { DiagonalChunk, Direction, FinalChunk, PairBlocksChunk, PairsChunk } from '../core/jacobian';
import { cellsOf, type RecurrentLayer } from '../core/model';
import { openCell } from './cells/open-cell';
import { runCell, type CellRun } from './cells/run-cell';
import type { TensorCell } from './cells/tensor-cell';
import type {
  BlockSource,
  DirectionStates,
  LayerInput,
  LayerRun,
  PairsOptions,
  PropagateOptions,
  SpectrumOptions,
  SpectrumResult,
  TileOptions,
} from './engine';
import type { Ops } from './ops';
import { diagonalSequences, propagateDiagonal } from './propagate/diagonal';
import { finalSequences, propagateFinal } from './propagate/final';
import { leadingExponent } from './propagate/leading-exponent';
import { openBlockSource } from './propagate/block-source';
import { propagatePairBlocks } from './propagate/pair-blocks';
import { propagateSpectrum } from './propagate/spectrum';
import { planSpectrum, spectrumSequences } from './propagate/spectrum-plan';
import { pairsTiles, propagatePairs } from './propagate/pairs';
import type { SequenceRange } from './sequence-range';

/** One direction: its cell in engine memory and its states on the host. */
interface DirectionRun {
  readonly cell: TensorCell;
  readonly run: CellRun;
}

/**
 * The layer's states; the caller disposes the run.
 *
 * @param ops - Operations.
 * @param layer - The layer.
 * @param input - What it is fed.
 * @param signal - Aborts between groups of timesteps.
 * @throws TempogradError `input/shape-mismatch` when x, the mask or an initial state does not fit.
 */
export async function runLayer(
  ops: Ops,
  layer: RecurrentLayer,
  input: LayerInput,
  signal: AbortSignal,
): Promise<LayerRun> {
  const directions: DirectionRun[] = [];
  try {
    for (const { direction, cell: description } of cellsOf(layer.operation)) {
      const cell = openCell(ops, description);
      try {
        const x = direction === 'backward' && input.backwardX ? input.backwardX : input.x;
        const run = await runCell(ops, cell, x, {
          direction,
          mask: input.mask?.data ?? null,
          initial: input.initialState[direction] ?? null,
          signal,
        });
        directions.push({ cell, run });
      } catch (error) {
        cell.dispose();
        throw error;
      }
    }
  } catch (error) {
    for (const { cell } of directions) cell.dispose();
    throw error;
  }
  return makeLayerRun(ops, layer, directions);
}

function makeLayerRun(ops: Ops, layer: RecurrentLayer, directions: readonly DirectionRun[]): LayerRun {
  let isDisposed = false;
  const opened: BlockSource[] = [];
  const { batch, steps, units, inputDim } = directions[0].run;
  const find = (direction: Direction): DirectionRun => {
    if (isDisposed) throw new Error('the layer run was disposed');
    const found = directions.find(({ run }) => run.direction === direction);
    if (!found) {
      throw new TempogradError('cell/unsupported', `layer ${layer.name} has no ${direction} recurrence`, {
        details: { layer: layer.name, direction },
      });
    }
    return found;
  };
  return {
    batch,
    steps,
    units,
    inputDim,
    states: directions.map(({ run }): DirectionStates => {
      const { direction, h, c, gates } = run;
      return { direction, h, c, gates };
    }),
    diagonal(direction: Direction, options: PropagateOptions): AsyncGenerator<DiagonalChunk, void, void> {
      const { cell, run } = find(direction);
      return propagateDiagonal(ops, cell, run, options);
    },
    final(direction: Direction, options: PropagateOptions): AsyncGenerator<FinalChunk, void, void> {
      const { cell, run } = find(direction);
      return propagateFinal(ops, cell, run, options);
    },
    pairs(direction: Direction, options: PairsOptions): AsyncGenerator<PairsChunk, void, void> {
      const { cell, run } = find(direction);
      return propagatePairs(ops, cell, run, options);
    },
    pairBlocks(direction: Direction, options: PropagateOptions): AsyncGenerator<PairBlocksChunk, void, void> {
      const { cell, run } = find(direction);
      return propagatePairBlocks(ops, cell, run, options);
    },
    pairsTiles(direction, options): Float64Array {
      const { cell, run } = find(direction);
      return pairsTiles(ops, cell, run, options);
    },
    sequencesAtOnce(mode: 'diagonal' | 'final' | 'spectrum', options: TileOptions): number {
      return Math.max(...directions.map((one) => sequencesOf(ops, one, mode, options)));
    },
    openBlocks(direction: Direction, maxBytes: number): BlockSource {
      const { cell, run } = find(direction);
      const source = openBlockSource(ops, cell, run, maxBytes);
      opened.push(source);
      return source;
    },
    leadingExponent(
      direction: Direction,
      warmUp: number,
      signal: AbortSignal,
      sequences?: SequenceRange,
    ): Promise<Float64Array> {
      const { cell, run } = find(direction);
      return leadingExponent(ops, cell, run, warmUp, signal, sequences);
    },
    spectrum(direction: Direction, options: SpectrumOptions): Promise<SpectrumResult> {
      const { cell, run } = find(direction);
      return propagateSpectrum(ops, cell, run, options);
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      for (const source of opened) source.dispose();
      for (const { cell } of directions) cell.dispose();
    },
  };
}

/** Sequences of one direction that go through the products of a mode together. */
function sequencesOf(
  ops: Ops,
  { cell, run }: DirectionRun,
  mode: 'diagonal' | 'final' | 'spectrum',
  { chunkBytes, isExact, exponents }: TileOptions,
): number {
  if (mode === 'diagonal') return diagonalSequences(ops, cell, run, chunkBytes);
  if (mode === 'final') return finalSequences(ops, cell, run, chunkBytes, isExact);
  const { tangents } = planSpectrum(cell.stateSize, run.batch, run.steps, exponents, ops.engine);
  return spectrumSequences(cell, run.batch, tangents, ops.native !== null);
}
