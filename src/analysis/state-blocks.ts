/**
 * The four blocks of an LSTM's state Jacobian, asked for beside all pairs: which layers have them, and what they add.
 */
import { TempogradError } from '../core/errors';
import { STATE_BLOCKS, type Direction } from '../core/jacobian';
import { cellsOf, type CellDescription, type RecurrentLayer } from '../core/model';
import type { PairsSource } from '../core/reference/pairs-source';
import { cellSizes } from '../engine/cells/cell-sizes';
import type { EngineName, LayerRun } from '../engine/engine';
import type { RunCost } from '../engine/estimate';
import { flopOf, planPairs } from '../engine/propagate/pairs-plan';
import { LARGEST_CHUNK_BYTES } from '../engine/propagate/plan';
import type { RunRequest } from '../shared/run';

/** Kinds of sources of all pairs. */
const PAIRS_SOURCES = ['input', 'initial', 'state'] as const;

/** Those of the blocks of the state. */
const BLOCK_SOURCES = ['hidden', 'cell'] as const;

/**
 * The kinds of sources of one direction.
 *
 * @param request - What is asked for.
 * @param run - The layer with its states.
 * @param direction - Which recurrence.
 */
export function pairsSources(
  { stateBlocks }: RunRequest,
  { states }: LayerRun,
  direction: Direction,
): readonly PairsSource[] {
  const hasCell = states.some((one) => one.direction === direction && one.c !== null);
  return stateBlocks && hasCell ? [...PAIRS_SOURCES, ...BLOCK_SOURCES] : PAIRS_SOURCES;
}

/**
 * A cost, with what the blocks of the state add to it; what is held at once is less than for the whole state.
 *
 * @param request - What is asked for.
 * @param cells - One per direction.
 * @param sizes - B and T.
 * @param engine - Which engine runs it.
 * @param cost - Without them.
 */
export function withStateBlocks(
  request: RunRequest,
  cells: readonly CellDescription[],
  { batch, steps }: { readonly batch: number; readonly steps: number },
  engine: EngineName,
  cost: RunCost,
): RunCost {
  if (!request.stateBlocks || !request.modes.includes('pairs')) return cost;
  let { flop, resultBytes } = cost;
  for (const cell of cells) {
    if (cell.kind !== 'LSTM') continue;
    const isNative = engine === 'tensorflow';
    const sizes = { ...cellSizes(cell), steps, isNative, isExact: request.exact, chunkBytes: LARGEST_CHUNK_BYTES };
    for (const source of BLOCK_SOURCES) flop += batch * flopOf(sizes, source, planPairs(sizes, source));
    resultBytes += 8 * STATE_BLOCKS.length * batch * steps * steps;
  }
  return { ...cost, flop, resultBytes, seconds: (cost.seconds * flop) / cost.flop };
}

/**
 * Nothing, where the layer has the blocks that are asked for.
 *
 * @param request - What is asked for.
 * @param layer - The layer.
 * @throws TempogradError `usage/bad-option` for a layer whose state is h alone.
 */
export function checkStateBlocks({ stateBlocks }: RunRequest, { name, operation }: RecurrentLayer): void {
  if (!stateBlocks || cellsOf(operation).some(({ cell }) => cell.kind === 'LSTM')) return;
  throw new TempogradError('usage/bad-option', `layer ${name} has no cell state, so its state has no blocks`, {
    remedy: 'Leave out --state-blocks, or choose an LSTM with --layer.',
    details: { layer: name },
  });
}
