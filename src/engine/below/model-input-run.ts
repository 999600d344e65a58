/**
 * A layer's Jacobians with respect to the model's input: the layer's own ones times dx/du.
 *
 * dh_T/du_k = sum over t of dh_T/dx_t dx_t/du_k, and dh_t/du_t likewise over the steps up to t whose window holds t.
 */

import { TempogradError } from '../../core/errors';
import { cellsOf, type CellDescription, type RecurrentLayer } from '../../core/model';
import type { AnalysisMode, DiagonalChunk, Direction } from '../../core/jacobian';
import { cellSizes } from '../cells/cell-sizes';
import type { LayerInput, LayerRun, RealArray } from '../engine';
import { trajectoryOf } from '../trajectories';
import { accumulate } from './accumulate';
import { bandedDiagonal } from './banded-diagonal';
import { finalOf } from './final-sums';
import type { LocalJacobian } from './local-jacobian';
import { openSteps, widthOf } from './reach';

/**
 * The same layer run, differentiated against the model's input.
 *
 * @param run - The layer run; disposed with the result.
 * @param layer - The layer.
 * @param input - What it was fed.
 * @param local - dx/du.
 * @returns `diagonal` gives nothing where T of the layer is not T of the model.
 */
export function withRespectToModelInput(
  run: LayerRun,
  layer: RecurrentLayer,
  input: LayerInput,
  local: LocalJacobian,
): LayerRun {
  const features = local.sequence.shape[2];
  const cellOf = (direction: Direction): CellDescription =>
    cellsOf(layer.operation).find((entry) => entry.direction === direction)!.cell;
  return {
    batch: run.batch,
    steps: run.steps,
    units: run.units,
    inputDim: features,
    states: run.states,
    diagonal: (direction, options) =>
      local.isStepwise
        ? stepwiseDiagonal(run.diagonal(direction, options), run, local)
        : bandedDiagonal(
            Array.from({ length: run.batch }, (_, b) => trajectoryOf(run, input, cellOf(direction), direction, b)),
            cellOf(direction),
            local,
            options,
          ),
    final: (direction, options) => finalOf(run.final(direction, options), run, direction, local, options),
    pairs: () => {
      throw new TempogradError('usage/bad-option', 'pairs are not computed with respect to the model’s input', {
        remedy: 'Use --wrt layer-input with the mode pairs.',
        details: { layer: layer.name },
      });
    },
    pairBlocks: () => {
      throw noBlocks(layer);
    },
    openBlocks: () => {
      throw noBlocks(layer);
    },
    pairsTiles: (direction, options) => run.pairsTiles(direction, options),
    sequencesAtOnce: (mode, options) => run.sequencesAtOnce(mode, options),
    leadingExponent: (direction, warmUp, signal, sequences) =>
      run.leadingExponent(direction, warmUp, signal, sequences),
    spectrum: (direction, options) => run.spectrum(direction, options),
    dispose: () => run.dispose(),
  };
}

/**
 * Bytes that the derivative by the model's input holds besides the run itself: dx/du, the sums that are open at once,
 * states in float64, and a chunk.
 *
 * @param local - dx/du.
 * @param cells - One per direction.
 * @param modes - What is asked for.
 * @param chunkBytes - What a chunk of results may have.
 */
export function modelInputBytes(
  local: LocalJacobian,
  cells: readonly CellDescription[],
  modes: readonly AnalysisMode[],
  chunkBytes: number,
): number {
  const [batch, sourceSteps, features] = local.sequence.shape;
  const { steps, inputDim, reach } = local;
  const width = widthOf(reach);
  const doubles = cells.map((cell) => {
    const size = batch * cellSizes(cell).stateSize;
    const chunkSteps = Math.max(1, Math.floor(chunkBytes / (4 * size * inputDim)));
    const final = modes.includes('final') ? size * features * openSteps(reach, chunkSteps) : 0;
    const isPushed = modes.includes('diagonal') && !local.isStepwise && steps === sourceSteps;
    return Math.max(final, isPushed ? size * features * width + steps * (batch * inputDim + size) : 0);
  });
  const band = batch * steps * inputDim * width * features;
  return 8 * (band + batch * sourceSteps * features + Math.max(...doubles)) + 2 * chunkBytes;
}

/** dh_t/dx_t dx_t/du_t, chunk by chunk. */
async function* stepwiseDiagonal(
  chunks: AsyncGenerator<DiagonalChunk, void, void>,
  run: LayerRun,
  local: LocalJacobian,
): AsyncGenerator<DiagonalChunk, void, void> {
  const features = local.sequence.shape[2];
  for await (const chunk of chunks) {
    const multiply = (blocks: RealArray): RealArray => {
      const units = blocks.length / (run.batch * chunk.count * local.inputDim);
      const size = units * local.inputDim;
      const made = likeArray(blocks, run.batch * chunk.count * units * features);
      for (let n = 0; n < run.batch * chunk.count; n++) {
        const [b, t] = [Math.floor(n / chunk.count), chunk.start + (n % chunk.count)];
        const sum = new Float64Array(units * features);
        accumulate(
          sum,
          blocks.subarray(n * size, (n + 1) * size),
          local.block(b, t, t)!,
          units,
          local.inputDim,
          features,
        );
        made.set(sum, n * units * features);
      }
      return made;
    };
    yield { ...chunk, dhdx: multiply(chunk.dhdx), dcdx: chunk.dcdx && multiply(chunk.dcdx) };
  }
}

function noBlocks({ name }: RecurrentLayer): TempogradError {
  return new TempogradError('usage/bad-option', 'whole blocks of pairs are those of the layer’s own input', {
    remedy: 'Use --wrt layer-input.',
    details: { layer: name },
  });
}

function likeArray(array: RealArray, length: number): RealArray {
  return array instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
}
