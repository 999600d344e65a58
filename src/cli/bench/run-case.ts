/**
 * One case of `tempograd bench`, measured: speed as a ratio of this machine's own, error, memory, and how soon the
 * first result and the end of a cancelled run come.
 */
import type { DiagonalChunk, FinalChunk, PairsChunk } from '../../core/jacobian';
import type { CellDescription, RecurrentLayer } from '../../core/model';
import { loadNative } from '../../engine/backend';
import { emptyPairsReport, type Engine, type EngineName, type LayerInput, type LayerRun } from '../../engine/engine';
import { loadEngine } from '../../engine/load-engine';
import { loneInput, loneLayer } from '../../engine/lone-layer';
import type { Ops } from '../../engine/ops';
import { createTensorflowOps } from '../../engine/ops/tensorflow-ops';
import { measureError, sampledSteps, type BenchError, type SampledBlock } from './accuracy';
import { measurePairsError } from './pairs-accuracy';
import { summarise, usefulFlop, type BenchResult, type BenchRun } from './bench-result';
import { benchCell, benchInput, type BenchCase, type BenchMode } from './cases';
import { measureFill, measureSgemm } from './machine-rates';
import { PeakMemory } from './peak-memory';

/** A run in which sgemm drifted by more than this says nothing. */
const MAX_DRIFT = 0.1;

/** A void run is repeated so often. */
const MAX_VOID_RUNS = 3;

/** A run is cancelled so long after its start. */
const CANCEL_AFTER_MS = 150;

/** Large enough never to bind; the engine has limits of its own. */
const CHUNK_BYTES = 2 ** 25;

/** Resident bytes when an engine was loaded and warm; what earlier cases left behind counts against later ones. */
const loadedBytes = new Map<EngineName, number>();

/**
 * Measures a case.
 *
 * @param benchCase - The case.
 * @param signal - Ends the measurement.
 */
export async function runCase(benchCase: BenchCase, signal: AbortSignal): Promise<BenchResult> {
  const engine = await loadEngine(benchCase.engine);
  const cell = benchCell(benchCase.units, benchCase.inputDim, benchCase.kind);
  const input = loneInput(benchInput(benchCase));
  const layer = loneLayer('bench', cell);
  const ops = benchCase.engine === 'tensorflow' ? createTensorflowOps(loadNative()) : null;
  try {
    if (!benchCase.isCold) await warmUp(engine, layer, benchCase, input, signal);
    // What measuring products takes is not the engine's, so it is taken before the engine's size is noted.
    if (ops && !loadedBytes.has(benchCase.engine)) measureSgemm(ops, []);
    const loaded = loadedBytes.get(benchCase.engine) ?? process.memoryUsage.rss();
    loadedBytes.set(benchCase.engine, loaded);
    const runs: BenchRun[] = [];
    for (let voids = 0; runs.filter(({ isVoid }) => !isVoid).length < benchCase.repeats && voids < MAX_VOID_RUNS;) {
      const run = await measureRun(engine, ops, layer, benchCase, input, loaded, signal);
      runs.push(run);
      if (run.isVoid) voids++;
    }
    const fill = benchCase.modes.includes('diagonal') && ops ? measureFill() : null;
    const error = await measureErrors(engine, layer, cell, benchCase, input, signal);
    const cancelSeconds = await measureCancel(engine, layer, benchCase, input, signal);
    return summarise(benchCase, engine, runs, fill, error, cancelSeconds);
  } finally {
    ops?.close();
  }
}

/** Chunks of a mode. */
function chunksOf(
  run: LayerRun,
  mode: BenchMode,
  signal: AbortSignal,
): AsyncGenerator<DiagonalChunk | FinalChunk | PairsChunk, void, void> {
  const options = { signal, chunkBytes: CHUNK_BYTES };
  if (mode === 'diagonal' || mode === 'final') return run[mode]('forward', options);
  const sources = mode === 'state pairs' ? (['state'] as const) : (['input'] as const);
  const isExact = mode === 'exact pairs';
  return run.pairs('forward', { ...options, sources, isExact, report: emptyPairsReport() });
}

/** Runs the first steps once: kernels are chosen and memory is mapped at the first use. */
async function warmUp(
  engine: Engine,
  layer: RecurrentLayer,
  benchCase: BenchCase,
  { x }: LayerInput,
  signal: AbortSignal,
): Promise<void> {
  const { inputDim } = benchCase;
  const steps = Math.min(benchCase.steps, 20);
  const short = { shape: [1, steps, inputDim], data: x.data.subarray(0, steps * inputDim) };
  const run = await engine.openLayer(layer, loneInput(short), signal);
  try {
    for (const mode of benchCase.modes) for await (const chunk of chunksOf(run, mode, signal)) void chunk;
  } finally {
    run.dispose();
  }
}

/** Time, memory and ratio of one run, states included. */
async function measureRun(
  engine: Engine,
  ops: Ops | null,
  layer: RecurrentLayer,
  benchCase: BenchCase,
  input: LayerInput,
  loaded: number,
  signal: AbortSignal,
): Promise<BenchRun> {
  const size = 2 * benchCase.units;
  const shape = [benchCase.units + benchCase.inputDim, size, size] as const;
  const before = ops ? measureSgemm(ops, [shape]) : null;
  const memory = new PeakMemory(loaded);
  const start = performance.now();
  let firstChunk = NaN;
  const run = await engine.openLayer(layer, input, signal);
  try {
    for (const mode of benchCase.modes) {
      for await (const chunk of chunksOf(run, mode, signal)) {
        if (Number.isNaN(firstChunk)) firstChunk = performance.now();
        void chunk;
        memory.sample();
      }
    }
  } finally {
    run.dispose();
  }
  const seconds = (performance.now() - start) / 1000;
  const peakBytes = memory.bytes();
  const after = ops ? measureSgemm(ops, [shape]) : null;
  const drift = before !== null && after !== null ? (after - before) / before : null;
  const sgemm = before !== null && after !== null ? Math.max(before, after) : null;
  const hasRatio = sgemm !== null && benchCase.modes.some((mode) => mode !== 'diagonal');
  return {
    seconds,
    firstChunkSeconds: (firstChunk - start) / 1000,
    sgemm,
    drift,
    ratio: hasRatio ? usefulFlop(benchCase) / seconds / sgemm : null,
    peakBytes,
    isVoid: drift !== null && Math.abs(drift) > MAX_DRIFT,
  };
}

async function measureErrors(
  engine: Engine,
  layer: RecurrentLayer,
  cell: CellDescription,
  benchCase: BenchCase,
  input: LayerInput,
  signal: AbortSignal,
): Promise<Record<string, BenchError>> {
  const errors: Record<string, BenchError> = {};
  const run = await engine.openLayer(layer, input, signal);
  try {
    for (const mode of benchCase.modes) {
      if (mode === 'state pairs') continue;
      if (mode !== 'diagonal' && mode !== 'final') {
        errors[mode] = await measurePairsError(run, (which) => chunksOf(run, which, signal), mode);
        continue;
      }
      const wanted = sampledSteps(benchCase.steps);
      const sampled: SampledBlock[] = [];
      for await (const chunk of chunksOf(run, mode, signal)) {
        if (chunk.mode === 'pairs') throw new Error('pairs have no blocks');
        for (let i = 0; i < chunk.count; i++) {
          if (wanted.has(chunk.start + i)) sampled.push(takeBlock(chunk, i, benchCase));
        }
      }
      errors[mode] = measureError(mode, cell, input.x, run, sampled);
    }
  } finally {
    run.dispose();
  }
  return errors;
}

/** A copy of the blocks of the first sequence at one timestep. */
function takeBlock(chunk: DiagonalChunk | FinalChunk, i: number, { units, inputDim }: BenchCase): SampledBlock {
  const length = units * inputDim;
  const copy = (data: Float32Array | Float64Array, scale: number): SampledBlock['blocks'][number] => ({
    data: data.slice(i * length, (i + 1) * length),
    scale,
  });
  const step = chunk.start + i;
  if (chunk.mode === 'diagonal') {
    return { step, blocks: [copy(chunk.dhdx, 0), ...(chunk.dcdx ? [copy(chunk.dcdx, 0)] : [])] };
  }
  const ofCell = chunk.dcTdx && chunk.scaleC ? [copy(chunk.dcTdx, chunk.scaleC[i])] : [];
  return { step, blocks: [copy(chunk.dhTdx, chunk.scaleH[i]), ...ofCell] };
}

/** How long after its due time a cancel ends the run; the timer itself waits for the engine to let it in. */
async function measureCancel(
  engine: Engine,
  layer: RecurrentLayer,
  benchCase: BenchCase,
  input: LayerInput,
  signal: AbortSignal,
): Promise<number | null> {
  const controller = new AbortController();
  const both = AbortSignal.any([signal, controller.signal]);
  const due = performance.now() + CANCEL_AFTER_MS;
  const timer = setTimeout(() => controller.abort(), CANCEL_AFTER_MS);
  let run: LayerRun | null = null;
  try {
    run = await engine.openLayer(layer, input, both);
    for (const mode of benchCase.modes) for await (const chunk of chunksOf(run, mode, both)) void chunk;
    return null;
  } catch (error) {
    if (signal.aborted || !controller.signal.aborted) throw error;
    return (performance.now() - due) / 1000;
  } finally {
    clearTimeout(timer);
    run?.dispose();
  }
}
