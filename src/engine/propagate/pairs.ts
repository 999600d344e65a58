/**
 * Log norms of all pairs of steps of a batch, in rectangles of time.
 *
 * Which way they are computed is a rule of sizes alone (`pairs-plan`); the rest is the same for all: computed steps in,
 * timesteps out.
 */
import type { PairsChunk } from '../../core/jacobian';
import { isInitialSource, sourceWidth, type PairsSource } from '../../core/reference/pairs-source';
import type { CellRun } from '../cells/run-cell';
import type { TensorCell } from '../cells/tensor-cell';
import { validSteps, type ValidSteps } from '../cells/valid-steps';
import type { PairsOptions, PairsReport, PairsTileOptions } from '../engine';
import type { Ops } from '../ops';
import { Pace } from '../pace';
import { chooseArithmetic, type Arithmetic } from './arithmetic';
import { pairsBlocked } from './pairs-blocked';
import { pairsDirect, type SequenceBlock } from './pairs-direct';
import { planPairs, type PairsPlan } from './pairs-plan';
import { tilesOf, withLeadingStates, type PairsTile, type SourceTiles } from './pairs-tiles';
import { beforeFirstStep, inTime, type StepTimes } from './pairs-times';

/**
 * Rectangles of log norms; see `PairsChunk`.
 *
 * Numerics: float32 products with exact exponents, log norms within 1e-3. Source: method.md 2.5 to 2.7, 2.10.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param options - What is wanted, and the report.
 * @param forced - The way they are computed, where it is not to be chosen; for tests and measurements.
 */
export async function* propagatePairs(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  options: PairsOptions,
  forced: PairsPlan | null = null,
): AsyncGenerator<PairsChunk, void, void> {
  const { sources, signal, report, part } = options;
  const pace = new Pace(signal);
  const arithmetic = chooseArithmetic(ops, cell);
  const valid = validSteps(run.direction, run.batch, run.steps, run.mask);
  const { direction, steps } = run;
  const { hiddenSize, stateSize } = cell;
  const timesOf = (sequence: number): StepTimes => {
    return { sequence, direction, steps, valid: valid.of(sequence), hiddenSize, stateSize };
  };
  for (const { source, hasInitial, plan, tiles } of allTiles(ops, cell, run, valid, options, forced)) {
    const givesKnown = part === undefined || part.givesKnown;
    for (let sequence = 0; sequence < run.batch && givesKnown; sequence++) {
      yield* beforeFirstStep(timesOf(sequence), source);
    }
    if (valid.longest === 0) continue;
    if (!isInitialSource(source) || source === 'initial') {
      report.ways[source] = isSketched(cell, source, options.sketch) ? 'sketch' : plan.algorithm;
    }
    const wanted = tiles.filter(({ number }) => part === undefined || part.tiles.has(number));
    const { sketch = null } = options;
    const task = { arithmetic, run, valid, pace, source, hasInitial, plan, tiles: wanted, sketch, report };
    for await (const { sequence, block } of computeBlocks(task)) yield* inTime(timesOf(sequence), block, sources);
  }
}

/**
 * The cost of each tile in FLOP, by its number.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param options - What is wanted.
 * @param forced - As for `propagatePairs`.
 */
export function pairsTiles(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  options: PairsTileOptions,
  forced: PairsPlan | null = null,
): Float64Array {
  const valid = validSteps(run.direction, run.batch, run.steps, run.mask);
  const all = allTiles(ops, cell, run, valid, options, forced);
  return Float64Array.from(all.flatMap(({ tiles }) => tiles.map(({ flop }) => flop)));
}

function allTiles(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  valid: ValidSteps,
  { sources, isExact, chunkBytes, sketch }: PairsTileOptions,
  forced: PairsPlan | null,
): readonly SourceTiles[] {
  const planOf = (source: PairsSource): PairsPlan => {
    if (forced && !isInitialSource(source)) return forced;
    if (isSketched(cell, source, sketch)) return { algorithm: 'direct', segments: [], isAdaptive: false };
    return planPairs({ ...cell, steps: valid.longest, isNative: ops.native !== null, isExact, chunkBytes }, source);
  };
  const sequences = Array.from({ length: run.batch }, (_, sequence) => valid.of(sequence));
  const all = withLeadingStates(sources, sequences, run);
  return tilesOf({ cell, batch: run.batch, valid, sources: all, sketch: sketch ?? null, planOf });
}

/** Whether a few combinations stand for the columns of a source, because it has more. */
function isSketched(cell: TensorCell, source: PairsSource, sketch = Infinity): boolean {
  return sourceWidth(cell, source) > sketch;
}

/** One kind of source, and how its pairs are computed. */
interface PairsTask {
  readonly arithmetic: Arithmetic;
  readonly run: CellRun;
  readonly valid: ValidSteps;
  readonly pace: Pace;
  readonly source: PairsSource;
  readonly hasInitial: boolean;
  readonly plan: PairsPlan;
  readonly tiles: readonly PairsTile[];
  readonly sketch: number | null;
  readonly report: PairsReport;
}

async function* computeBlocks(task: PairsTask): AsyncGenerator<SequenceBlock, void, void> {
  const { arithmetic, run, valid, pace, source, hasInitial, plan, tiles, sketch } = task;
  const direct = tiles.map((tile) => tile.direct).filter((tile) => tile !== null);
  yield* pairsDirect(arithmetic, run, valid, source, direct, sketch, pace);
  if (isInitialSource(source)) return;
  const order = { source, hasInitial, segments: plan.segments, isAdaptive: plan.isAdaptive };
  const blocked = tiles.map((tile) => tile.blocked).filter((tile) => tile !== null);
  for (const sequence of new Set(blocked.map((tile) => tile.sequence))) {
    const one = { arithmetic, run, valid, sequence, order, pace };
    yield* pairsBlocked(
      one,
      blocked.filter((tile) => tile.sequence === sequence),
      task.report,
    );
  }
}
