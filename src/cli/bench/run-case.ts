/**
 * One case of `tempograd bench`, measured: speed as a ratio of this machine's own, error, memory, and how soon the
 * first result and the end of a cancelled run come.
 */
import { loadNative } from '../../engine/backend';
import { cellSizes } from '../../engine/cells/cell-sizes';
import { type Engine, type EngineName, type LayerRun } from '../../engine/engine';
import { loadEngine } from '../../engine/load-engine';
import type { Ops } from '../../engine/ops';
import { createTensorflowOps } from '../../engine/ops/tensorflow-ops';
import type { BenchError } from './accuracy';
import { summarise, type BenchResult, type BenchRun, type Measured } from './bench-result';
import type { BenchCase, BenchMode } from './cases';
import { chunkBytes, lostBlocks } from './chunk-facts';
import { measureFill, measureSgemm, type Sgemm } from './machine-rates';
import { observe, type Observation } from './observe';
import { makeCaseModel, openCase, type CaseModel, type OpenCase } from './open-case';
import { PeakMemory } from './peak-memory';
import { ResultFile } from './result-file';
import { usefulFlop } from './useful-flop';

/** A run in which sgemm drifted by more than this says nothing. */
const MAX_DRIFT = 0.1;

/** A void run is repeated so often. */
const MAX_VOID_RUNS = 3;

/** A run is cancelled so long after its start. */
const CANCEL_AFTER_MS = 150;

/** Steps of the first, uncounted run. */
const WARM_STEPS = 20;

/** Resident bytes when an engine was loaded and warm; what earlier cases left behind counts against later ones. */
const loadedBytes = new Map<EngineName, number>();

/** What is needed to run a case. */
interface Bench {
  readonly engine: Engine;
  readonly ops: Ops | null;
  readonly benchCase: BenchCase;
  readonly model: CaseModel;
  readonly signal: AbortSignal;
}

/** What one run leaves beside its figures. */
interface Seen {
  readonly run: LayerRun;
  readonly ways: OpenCase['report'];
  readonly observations: ReadonlyMap<BenchMode, Observation>;
  resultBytes: number;
  lost: number | null;
}

/**
 * Measures a case.
 *
 * @param benchCase - The case.
 * @param signal - Ends the measurement.
 * @param others - Results of cases before it, for targets that compare.
 */
export async function runCase(
  benchCase: BenchCase,
  signal: AbortSignal,
  others: readonly BenchResult[] = [],
): Promise<BenchResult> {
  const bench = await openBench(benchCase, signal);
  try {
    const { runs, seen } = await measureRuns(bench);
    const measured: Measured = {
      ...{ engine: bench.engine, runs, resultBytes: seen.resultBytes, ways: seen.ways, lostBlocks: seen.lost },
      fill: benchCase.modes.includes('diagonal') && bench.ops ? measureFill() : null,
      error: await measureErrors(bench, seen),
      cancelSeconds: await measureCancel(bench),
    };
    return summarise(benchCase, measured, others);
  } finally {
    bench.ops?.close();
  }
}

/**
 * The runs of a case alone, without error and cancel.
 *
 * @param benchCase - The case.
 * @param signal - Ends the measurement.
 */
export async function timeCase(benchCase: BenchCase, signal: AbortSignal): Promise<readonly BenchRun[]> {
  const bench = await openBench(benchCase, signal);
  try {
    return (await measureRuns(bench)).runs;
  } finally {
    bench.ops?.close();
  }
}

async function openBench(benchCase: BenchCase, signal: AbortSignal): Promise<Bench> {
  const engine = await loadEngine(benchCase.engine);
  const ops = benchCase.engine === 'tensorflow' ? createTensorflowOps(loadNative()) : null;
  return { engine, ops, benchCase, model: makeCaseModel(benchCase), signal };
}

/** Runs until enough of them count, or too many were void. */
async function measureRuns(bench: Bench): Promise<{ readonly runs: readonly BenchRun[]; readonly seen: Seen }> {
  const { ops, benchCase } = bench;
  if (!benchCase.isCold) await warmUp(bench);
  // What measuring products takes is not the engine's, so it is taken before the engine's size is noted.
  if (ops && !loadedBytes.has(benchCase.engine)) measureSgemm(ops, mainShape(benchCase));
  const loaded = loadedBytes.get(benchCase.engine) ?? process.memoryUsage.rss();
  loadedBytes.set(benchCase.engine, loaded);
  const runs: BenchRun[] = [];
  for (let voids = 0; ;) {
    const { run, seen } = await measureRun(bench, loaded);
    runs.push(run);
    if (run.isVoid) voids++;
    if (runs.length - voids >= benchCase.repeats || voids >= MAX_VOID_RUNS) return { runs, seen };
  }
}

/** The products of a case: rows pulled, or columns pushed, through one step. */
function mainShape(benchCase: BenchCase): readonly [number, number, number] {
  const { units, inputDim } = benchCase;
  const { stateSize } = cellSizes(makeCaseModel({ ...benchCase, steps: 1, batch: 1 }).cells[0]!);
  return [units + inputDim, stateSize, stateSize];
}

/** Runs the first steps once: kernels are chosen and memory is mapped at the first use. */
async function warmUp({ engine, benchCase, model, signal }: Bench): Promise<void> {
  const steps = Math.min(benchCase.steps, WARM_STEPS);
  const { cells, x } = model;
  const short = { shape: [1, steps, benchCase.inputDim], data: x.data.subarray(0, steps * benchCase.inputDim) };
  const open = await openCase(engine, benchCase, { cells, x: short }, signal);
  try {
    for (const mode of benchCase.modes) for await (const chunk of open.compute(mode, signal)) void chunk;
  } finally {
    open.dispose();
  }
}

/** Time, memory and ratio of one run, states included. */
async function measureRun(bench: Bench, loaded: number): Promise<{ readonly run: BenchRun; readonly seen: Seen }> {
  const { engine, ops, benchCase, model, signal } = bench;
  const shape = mainShape(benchCase);
  const before = ops ? measureSgemm(ops, shape) : null;
  const observations = new Map(benchCase.modes.map((mode) => [mode, observe(benchCase, mode, model)]));
  const file = benchCase.isWritten ? new ResultFile() : null;
  const memory = new PeakMemory();
  const start = performance.now();
  let firstChunk = NaN;
  let resultBytes = 0;
  let lost: number | null = null;
  const open = await openCase(engine, benchCase, model, signal);
  try {
    for (const [mode, observation] of observations) {
      for await (const chunk of open.compute(mode, signal)) {
        if (Number.isNaN(firstChunk)) firstChunk = performance.now();
        observation.look(chunk);
        file?.write(chunk);
        resultBytes += chunkBytes(chunk);
        if (chunk.mode === 'final') lost = (lost ?? 0) + lostBlocks(chunk);
        memory.sample();
      }
    }
  } finally {
    open.dispose();
    file?.remove();
  }
  const seconds = (performance.now() - start) / 1000;
  const residentBytes = memory.bytes();
  const after = ops ? measureSgemm(ops, shape) : null;
  const sgemm = before && after ? { before, after } : null;
  const drift = sgemm ? driftOf(sgemm.before, sgemm.after) : null;
  const hasRatio = benchCase.modes.some((mode) => mode !== 'diagonal');
  const run: BenchRun = {
    seconds,
    firstChunkSeconds: (firstChunk - start) / 1000,
    sgemm,
    drift,
    ratio: sgemm && hasRatio ? usefulFlop(benchCase) / seconds / bestOf(sgemm.before, sgemm.after) : null,
    peakBytes: residentBytes - loaded,
    residentBytes,
    isVoid: drift !== null && Math.abs(drift) > MAX_DRIFT,
  };
  return { run, seen: { run: open.run, ways: open.report, observations, resultBytes, lost } };
}

/** The best product of before and after. */
function bestOf(before: Sgemm, after: Sgemm): number {
  return Math.max(before.main, before.square, after.main, after.square);
}

/** How far the best product of the two shapes moved. */
function driftOf(before: Sgemm, after: Sgemm): number {
  const first = Math.max(before.main, before.square);
  return (Math.max(after.main, after.square) - first) / first;
}

async function measureErrors({ ops, signal }: Bench, { run, observations }: Seen): Promise<Record<string, BenchError>> {
  const errors: Record<string, BenchError> = {};
  for (const [mode, observation] of observations) errors[mode] = await observation.error(run, ops, signal);
  return errors;
}

/** How long after its due time a cancel ends the run; the timer itself waits for the engine to let it in. */
async function measureCancel({ engine, benchCase, model, signal }: Bench): Promise<number | null> {
  const controller = new AbortController();
  const both = AbortSignal.any([signal, controller.signal]);
  const due = performance.now() + CANCEL_AFTER_MS;
  const timer = setTimeout(() => controller.abort(), CANCEL_AFTER_MS);
  let open: OpenCase | null = null;
  try {
    open = await openCase(engine, benchCase, model, both);
    for (const mode of benchCase.modes) for await (const chunk of open.compute(mode, both)) void chunk;
    return null;
  } catch (error) {
    if (signal.aborted || !controller.signal.aborted) throw error;
    return (performance.now() - due) / 1000;
  } finally {
    clearTimeout(timer);
    open?.dispose();
  }
}
