/** A case made ready: its model on its engine, states computed, and what each mode gives chunk by chunk. */
import type { DiagonalChunk, FinalChunk, PairsChunk } from '../../core/jacobian';
import type { CellDescription, RecurrentLayer } from '../../core/model';
import type { RealTensor } from '../../core/tensor';
import {
  emptyPairsReport,
  type Engine,
  type LayerRun,
  type PairsReport,
  type SpectrumResult,
  type StackRun,
} from '../../engine/engine';
import { loneInput, loneLayer } from '../../engine/lone-layer';
import { benchCells, benchInput, benchStack } from './bench-model';
import type { BenchCase, BenchMode } from './cases';

/** Large enough never to bind; the engine has limits of its own. */
const CHUNK_BYTES = 2 ** 25;

/** The spectrum comes whole. */
export interface SpectrumChunk {
  readonly mode: 'spectrum';
  readonly result: SpectrumResult;
}

/** A piece of a result. */
export type BenchChunk = DiagonalChunk | FinalChunk | PairsChunk | SpectrumChunk;

/** Model and input of a case. */
export interface CaseModel {
  /** One, or those of the layers of a stack. */
  readonly cells: readonly CellDescription[];
  readonly x: RealTensor;
}

/** A case with its states. */
export interface OpenCase {
  readonly run: LayerRun;
  /** How pairs are computed, filled in as they are. */
  readonly report: PairsReport;
  /** Of a model of layers: its derivatives by the model's input; else null. */
  readonly stack: StackRun | null;
  /** What a mode gives. */
  compute(mode: BenchMode, signal: AbortSignal): AsyncGenerator<BenchChunk, void, void>;
  /** Frees engine memory. */
  dispose(): void;
}

/**
 * The seeded model of a case and its input.
 *
 * @param benchCase - The case.
 */
export function makeCaseModel(benchCase: BenchCase): CaseModel {
  return { cells: benchCells(benchCase), x: benchInput(benchCase) };
}

/**
 * Computes the states of a case.
 *
 * @param engine - Its engine.
 * @param benchCase - The case.
 * @param model - Its model, with all of its input or some.
 * @param signal - Ends it.
 */
export async function openCase(
  engine: Engine,
  benchCase: BenchCase,
  { cells, x }: CaseModel,
  signal: AbortSignal,
): Promise<OpenCase> {
  if (benchCase.layers > 0) return openStackCase(engine, benchCase, { cells, x }, signal);
  const run = await engine.openLayer(loneLayer('bench', cells[0]!), loneInput(x), signal);
  const report = emptyPairsReport();
  return {
    run,
    report,
    stack: null,
    compute: (mode, wanted) => computeMode(run, mode, benchCase.directions, report, wanted),
    dispose: () => run.dispose(),
  };
}

async function openStackCase(
  engine: Engine,
  benchCase: BenchCase,
  { cells, x }: CaseModel,
  signal: AbortSignal,
): Promise<OpenCase> {
  const model = benchStack(cells);
  const top = benchCase.layers;
  const layer = model.layers[top] as RecurrentLayer;
  const stack = await engine.openStack(model, top, [x], signal);
  const run = await engine.openLayer(layer, stack.input, signal);
  const under = stack.under(layer, stack.input, run);
  return {
    run,
    report: emptyPairsReport(),
    stack: under,
    compute: (_mode, wanted) => under.pairs({ chunkBytes: CHUNK_BYTES, signal: wanted }),
    dispose: () => run.dispose(),
  };
}

async function* computeMode(
  run: LayerRun,
  mode: BenchMode,
  directions: number,
  report: PairsReport,
  signal: AbortSignal,
): AsyncGenerator<BenchChunk, void, void> {
  const options = { signal, chunkBytes: CHUNK_BYTES };
  switch (mode) {
    case 'diagonal':
      return yield* run.diagonal('forward', options);
    case 'exact final':
      return yield* run.final('forward', options);
    case 'final':
      return yield* run.final('forward', { ...options, basis: report });
    case 'spectrum':
      yield { mode, result: await run.spectrum('forward', { exponents: directions, warmUp: 0, signal }) };
      return;
    default: {
      const sources = mode === 'state pairs' ? (['state'] as const) : (['input'] as const);
      const isExact = mode === 'exact pairs';
      const sketch = mode === 'sketched pairs' ? { sketch: directions } : {};
      yield* run.pairs('forward', { ...options, ...sketch, sources, isExact, report });
    }
  }
}
