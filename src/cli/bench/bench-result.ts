/** What comes out of a case of `tempograd bench`. */
import type { Engine, PairsReport } from '../../engine/engine';
import type { BenchError } from './accuracy';
import type { BenchCase, BenchMode, BenchTarget } from './cases';
import type { Sgemm } from './machine-rates';
import { usefulFlop } from './useful-flop';

/** One measured run. */
export interface BenchRun {
  readonly seconds: number;
  readonly firstChunkSeconds: number;
  /** FLOP/s before and after the run; null without a native engine in the case. */
  readonly sgemm: { readonly before: Sgemm; readonly after: Sgemm } | null;
  /** The larger of (after - before) / before of the two shapes. */
  readonly drift: number | null;
  /** Useful FLOP/s over the best of sgemm. */
  readonly ratio: number | null;
  /** Above the loaded engine. */
  readonly peakBytes: number;
  /** Of the whole process. */
  readonly residentBytes: number;
  /** True when sgemm drifted too far. */
  readonly isVoid: boolean;
}

/** A median with what it lies between. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What came out of a case. */
export interface BenchResult {
  readonly id: string;
  readonly what: string;
  readonly engine: string;
  readonly version: string;
  readonly size: Pick<BenchCase, 'kind' | 'steps' | 'units' | 'inputDim' | 'batch' | 'layers' | 'directions'>;
  readonly modes: readonly BenchMode[];
  readonly usefulFlop: number;
  readonly resultBytes: number;
  readonly runs: readonly BenchRun[];
  readonly ratio: Spread | null;
  /** Time over (useful FLOP / sgemm), the direct ideal; below 1 where less is computed than that. */
  readonly ofIdeal: number | null;
  /** Bytes/s of results over the rate at which fresh memory fills. */
  readonly fillRatio: number | null;
  readonly seconds: number;
  readonly spread: Spread;
  readonly peakBytes: number;
  readonly residentBytes: number;
  readonly firstChunkSeconds: number;
  /** From the cancel to the end of the run; null when the run ended first. */
  readonly cancelSeconds: number | null;
  readonly error: Readonly<Record<string, BenchError>>;
  /** How pairs were computed, and the largest difference of a basis from its probe. */
  readonly ways: PairsReport;
  /** Blocks of `final` whose norm is zero although the true one is not. */
  readonly lostBlocks: number | null;
  readonly target: BenchTarget;
  readonly isVoid: boolean;
  readonly isMet: boolean;
}

/** What was measured of a case. */
export interface Measured {
  readonly engine: Pick<Engine, 'name' | 'version'>;
  readonly runs: readonly BenchRun[];
  /** Bytes/s at which fresh memory fills; null where nothing is held against it. */
  readonly fill: number | null;
  /** Bytes of results of one run. */
  readonly resultBytes: number;
  readonly error: Readonly<Record<string, BenchError>>;
  readonly ways: PairsReport;
  readonly lostBlocks: number | null;
  readonly cancelSeconds: number | null;
}

/**
 * The figures of a case from its runs; void runs count only where there are no others.
 *
 * @param benchCase - The case.
 * @param measured - What was measured.
 * @param others - Results of cases before it in the same run.
 */
export function summarise(benchCase: BenchCase, measured: Measured, others: readonly BenchResult[]): BenchResult {
  const { id, what, modes, target, kind, steps, units, inputDim, batch, layers, directions } = benchCase;
  const { engine, runs, fill, resultBytes, error, ways, lostBlocks, cancelSeconds } = measured;
  const valid = runs.filter(({ isVoid }) => !isVoid);
  const counted = valid.length > 0 ? valid : runs;
  const ratios = counted.map(({ ratio }) => ratio).filter((ratio) => ratio !== null);
  const spread = spreadOf(counted.map(({ seconds }) => seconds));
  const ratio = ratios.length > 0 ? spreadOf(ratios) : null;
  const figures = {
    ratio,
    ofIdeal: ratio === null ? null : 1 / ratio.median,
    fillRatio: fill === null ? null : resultBytes / spread.median / fill,
    seconds: spread.median,
    spread,
    peakBytes: Math.max(...counted.map((run) => run.peakBytes)),
    residentBytes: Math.max(...counted.map((run) => run.residentBytes)),
    firstChunkSeconds: spreadOf(counted.map((run) => run.firstChunkSeconds)).median,
  };
  return {
    ...{ id, what, engine: engine.name, version: engine.version },
    size: { kind, steps, units, inputDim, batch, layers, directions },
    ...{ modes, usefulFlop: usefulFlop(benchCase), resultBytes, runs, ...figures },
    ...{ cancelSeconds, error, ways, lostBlocks, target },
    isVoid: valid.length < benchCase.repeats,
    isMet:
      isReached(target, figures, others) &&
      (lostBlocks ?? 0) === 0 &&
      Object.values(error).every(({ isWithin }) => isWithin),
  };
}

/** Whether every bound is kept; one that rests on a case that was not measured is not. */
function isReached(
  target: BenchTarget,
  figures: Pick<BenchResult, 'ratio' | 'fillRatio' | 'peakBytes' | 'residentBytes' | 'seconds' | 'firstChunkSeconds'>,
  others: readonly BenchResult[],
): boolean {
  const { timesOf } = target;
  const other = others.find(({ id }) => id === timesOf?.id);
  return (
    (figures.ratio?.median ?? 0) >= (target.ratio ?? 0) &&
    (figures.fillRatio ?? 0) >= (target.fillRatio ?? 0) &&
    figures.peakBytes <= (target.peakBytes ?? Infinity) &&
    figures.residentBytes <= (target.residentBytes ?? Infinity) &&
    figures.seconds <= (target.seconds ?? Infinity) &&
    figures.firstChunkSeconds <= (target.firstSeconds ?? Infinity) &&
    (!timesOf || (other !== undefined && figures.seconds <= timesOf.factor * other.seconds))
  );
}

/**
 * Median and limits.
 *
 * @param values - At least one.
 */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted[sorted.length - 1] };
}
