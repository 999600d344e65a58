/**
 * Log norms of all pairs of steps of a batch, in rectangles of time.
 *
 * Which way they are computed is a rule of sizes alone (`pairs-plan`); the rest is the same for all: computed steps in,
 * timesteps out.
 */
import type { PairsChunk } from '../../core/jacobian';
import type { PairsSource } from '../../core/reference/propagate-pairs';
import type { CellRun } from '../cells/run-cell';
import type { TensorCell } from '../cells/tensor-cell';
import { validSteps, type ValidSteps } from '../cells/valid-steps';
import type { PairsOptions, PairsReport } from '../engine';
import type { Ops } from '../ops';
import { Pace } from '../pace';
import { chooseArithmetic, type Arithmetic } from './arithmetic';
import { pairsBlocked } from './pairs-blocked';
import { pairsDirect, type SequenceBlock } from './pairs-direct';
import { planPairs, type PairsPlan } from './pairs-plan';
import { pairsScan } from './pairs-scan';
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
  const { sources, signal, isExact, chunkBytes, report } = options;
  const pace = new Pace(signal);
  const arithmetic = chooseArithmetic(ops, cell);
  const valid = validSteps(run.direction, run.batch, run.steps, run.mask);
  const { direction, steps } = run;
  const { hiddenSize, stateSize } = cell;
  const planOf = (source: PairsSource): PairsPlan => {
    if (forced && source !== 'initial') return forced;
    return planPairs({ ...cell, steps: valid.longest, isNative: ops.native !== null, isExact, chunkBytes }, source);
  };
  const timesOf = (sequence: number): StepTimes => {
    return { sequence, direction, steps, valid: valid.of(sequence), hiddenSize, stateSize };
  };
  // Whatever goes leaf by leaf over the inputs gives the initial state on its way.
  const givesInitial = sources.includes('input') && planOf('input').algorithm !== 'direct';
  for (const source of sources) {
    for (let sequence = 0; sequence < run.batch && source !== 'input'; sequence++) {
      yield* beforeFirstStep(timesOf(sequence), source);
    }
    if (valid.longest === 0) continue;
    if (source === 'initial' && givesInitial) {
      report.ways.initial = planOf('input').algorithm;
      continue;
    }
    const hasInitial = source === 'input' && sources.includes('initial');
    report.ways[source] = planOf(source).algorithm;
    const task = { arithmetic, run, valid, pace, source, hasInitial, plan: planOf(source), report };
    for await (const { sequence, block } of computeBlocks(task)) yield* inTime(timesOf(sequence), block, sources);
  }
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
  readonly report: PairsReport;
}

async function* computeBlocks(task: PairsTask): AsyncGenerator<SequenceBlock, void, void> {
  const { arithmetic, run, valid, pace, source, hasInitial, plan } = task;
  if (source === 'initial' || plan.algorithm === 'direct') {
    yield* pairsDirect(arithmetic, run, valid, source, pace);
    return;
  }
  const order = { source, hasInitial, leafSteps: plan.leafSteps, isAdaptive: plan.isAdaptive };
  for (let sequence = 0; sequence < run.batch; sequence++) {
    const one = { arithmetic, run, valid, sequence, order, pace };
    if (plan.algorithm === 'scan') yield* pairsScan(one);
    else yield* pairsBlocked(one, task.report);
  }
}
