/** What comes out of a case of `tempograd bench`. */
import { cellSizes } from '../../engine/cells/cell-sizes';
import type { Engine } from '../../engine/engine';
import { pushFlop } from '../../engine/propagate/pairs-plan';
import type { BenchError } from './accuracy';
import { benchCell, type BenchCase } from './cases';

/** One measured run. */
export interface BenchRun {
  readonly seconds: number;
  readonly firstChunkSeconds: number;
  /** FLOP/s, the better of before and after; null without a native engine in the case. */
  readonly sgemm: number | null;
  /** (after - before) / before. */
  readonly drift: number | null;
  /** Useful FLOP/s over sgemm. */
  readonly ratio: number | null;
  readonly peakBytes: number;
  /** True when sgemm drifted too far. */
  readonly isVoid: boolean;
}

/** What came out of a case. */
export interface BenchResult {
  readonly id: string;
  readonly what: string;
  readonly engine: string;
  readonly version: string;
  readonly usefulFlop: number;
  readonly resultBytes: number;
  readonly runs: readonly BenchRun[];
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number } | null;
  /** Bytes/s of results over the rate at which fresh memory fills. */
  readonly fillRatio: number | null;
  readonly seconds: number;
  readonly peakBytes: number;
  readonly firstChunkSeconds: number;
  /** From the cancel to the end of the run; null when the run ended first. */
  readonly cancelSeconds: number | null;
  readonly error: Readonly<Record<string, BenchError>>;
  readonly isVoid: boolean;
  readonly isMet: boolean;
}

/**
 * FLOP of formation and pulls of an LSTM, or of pushing every source to the end; the forward pass is in the time and not
 * in the work. Source: method.md 2.5.
 *
 * @param benchCase - The case.
 */
export function usefulFlop({ kind, modes, units, inputDim, steps, batch }: BenchCase): number {
  if (modes.some((mode) => mode.endsWith('pairs'))) {
    const sizes = cellSizes(benchCell(units, inputDim, kind));
    const width = modes.includes('state pairs') ? sizes.stateSize : inputDim;
    return (batch * pushFlop(sizes) * width * steps * (steps - 1)) / 2;
  }
  const rows = 2 * units;
  const pull = 4 * rows * units * (units + inputDim) + 8 * units * units;
  const perStep = (modes.includes('final') ? pull : 0) + 8 * units * inputDim;
  return perStep * steps * batch;
}

/**
 * The figures of a case from its runs; void runs count only where there are no others.
 *
 * @param benchCase - The case.
 * @param engine - The engine that ran it.
 * @param runs - Its runs.
 * @param fill - Bytes/s at which fresh memory fills; null where nothing is held against it.
 * @param error - Errors by mode.
 * @param cancelSeconds - From the cancel to the end; null when the run ended first.
 */
export function summarise(
  benchCase: BenchCase,
  engine: Engine,
  runs: readonly BenchRun[],
  fill: number | null,
  error: Record<string, BenchError>,
  cancelSeconds: number | null,
): BenchResult {
  const { id, what, modes, units, inputDim, steps, batch, target } = benchCase;
  const valid = runs.filter(({ isVoid }) => !isVoid);
  const counted = valid.length > 0 ? valid : runs;
  const ratios = counted.map(({ ratio }) => ratio).filter((ratio) => ratio !== null);
  const seconds = median(counted.map((run) => run.seconds));
  const resultBytes = modes.length * 2 * 4 * batch * steps * units * inputDim;
  const peakBytes = Math.max(...counted.map((run) => run.peakBytes));
  const ratio =
    ratios.length > 0 ? { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) } : null;
  const fillRatio = fill === null ? null : resultBytes / seconds / fill;
  const isMet =
    (target.ratio === null || (ratio?.median ?? 0) >= target.ratio) &&
    (target.fillRatio === null || (fillRatio ?? 0) >= target.fillRatio) &&
    (target.peakBytes === null || peakBytes <= target.peakBytes) &&
    (target.seconds === null || seconds <= target.seconds);
  return {
    id,
    what,
    engine: engine.name,
    version: engine.version,
    usefulFlop: usefulFlop(benchCase),
    resultBytes,
    runs,
    ratio,
    fillRatio,
    seconds,
    peakBytes,
    firstChunkSeconds: median(counted.map((run) => run.firstChunkSeconds)),
    cancelSeconds,
    error,
    isVoid: valid.length < benchCase.repeats,
    isMet,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
