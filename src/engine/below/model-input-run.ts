/**
 * A layer's Jacobians with respect to the model's input: the layer's own ones times dx/du.
 *
 * dh_T/du_k = sum over t of dh_T/dx_t dx_t/du_k, and dh_t/du_t likewise over the steps up to t whose window holds t.
 */

import { TempogradError } from '../../core/errors';
import { cellsOf, type CellDescription, type RecurrentLayer } from '../../core/model';
import type { AnalysisMode, DiagonalChunk, Direction, PairsChunk } from '../../core/jacobian';
import { cellSizes } from '../cells/cell-sizes';
import type { LayerInput, LayerRun, PairsOptions, RealArray, StackRun } from '../engine';
import { trajectoryOf } from '../trajectories';
import { accumulate } from './accumulate';
import { bandedDiagonal } from './banded-diagonal';
import { finalOf } from './final-sums';
import type { LocalJacobian } from './local-jacobian';
import { openSteps, widthOf } from './reach';

/** The ways from a layer to the model's input: at least one. */
export interface ModelInputWays {
  /** dx/du, where no recurrence stands between; null where one does, or neither `diagonal` nor `final` is wanted. */
  readonly local: LocalJacobian | null;
  /** Through everything; null where there is dx/du and no pairs are wanted. */
  readonly stack: StackRun | null;
}

/**
 * The same layer run, differentiated against the model's input.
 *
 * @param run - The layer run; disposed with the result.
 * @param layer - The layer.
 * @param input - What it was fed.
 * @param ways - How it depends on u.
 * @returns `diagonal` gives nothing where T of the layer is not T of the model. `pairs` with respect to the input are those
 * of both directions together, and come with the first one.
 */
export function withRespectToModelInput(
  run: LayerRun,
  layer: RecurrentLayer,
  input: LayerInput,
  ways: ModelInputWays,
): LayerRun {
  const { stack } = ways;
  const features = (ways.local?.sequence ?? stack!.sequence).shape[2];
  const byLocal = ways.local ? throughLocal(run, layer, input, ways.local) : stack!;
  const firstDirection = run.states[0].direction;
  const stackTiles = (direction: Direction, { sources, chunkBytes }: Pick<PairsOptions, 'sources' | 'chunkBytes'>) =>
    direction === firstDirection && sources.includes('input') ? throughAll().tileFlop(chunkBytes) : new Float64Array();
  const throughAll = (): StackRun => {
    if (!stack) throw new Error('the layers below were not opened for pairs');
    return stack;
  };
  return {
    batch: run.batch,
    steps: run.steps,
    units: run.units,
    inputDim: features,
    states: run.states,
    diagonal: (direction, options) => byLocal.diagonal(direction, options),
    final: (direction, options) => byLocal.final(direction, options),
    pairs: (direction, options) =>
      stackedPairs(run, throughAll(), direction, stackTiles(direction, options).length, options),
    pairBlocks: () => {
      throw noBlocks(layer);
    },
    openBlocks: () => {
      throw noBlocks(layer);
    },
    pairsTiles: (direction, options) => {
      const own = run.pairsTiles(direction, { ...options, sources: besideInput(options.sources) });
      return Float64Array.from([...stackTiles(direction, options), ...own]);
    },
    sequencesAtOnce: (mode, options) => (ways.local || mode === 'spectrum' ? run.sequencesAtOnce(mode, options) : 1),
    leadingExponent: (direction, warmUp, signal, sequences) =>
      run.leadingExponent(direction, warmUp, signal, sequences),
    spectrum: (direction, options) => run.spectrum(direction, options),
    dispose: () => run.dispose(),
  };
}

/** Pairs by u from the stack, with the first direction; the others are the layer's own. */
async function* stackedPairs(
  run: LayerRun,
  stack: StackRun,
  direction: Direction,
  stackTiles: number,
  options: PairsOptions,
): AsyncGenerator<PairsChunk, void, void> {
  const { sources, part } = options;
  if (stackTiles > 0) {
    options.report.ways.input = 'direct';
    yield* stack.pairs(options);
  }
  const own = besideInput(sources);
  if (own.length === 0) return;
  const tiles = part && new Set([...part.tiles].flatMap((tile) => (tile < stackTiles ? [] : [tile - stackTiles])));
  yield* run.pairs(direction, { ...options, sources: own, ...(part && tiles && { part: { ...part, tiles } }) });
}

function besideInput(sources: PairsOptions['sources']): PairsOptions['sources'] {
  return sources.filter((source) => source !== 'input');
}

/** `diagonal` and `final` as the layer's own times dx/du. */
function throughLocal(
  run: LayerRun,
  layer: RecurrentLayer,
  input: LayerInput,
  local: LocalJacobian,
): Pick<LayerRun, 'diagonal' | 'final'> {
  const cellOf = (direction: Direction): CellDescription =>
    cellsOf(layer.operation).find((entry) => entry.direction === direction)!.cell;
  return {
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
