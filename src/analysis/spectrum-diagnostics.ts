/** Diagnostics that rest on Lyapunov exponents and singular values; numbers over the batch are means. */
import { entropyRate, kaplanYorkeDimension } from '../core/diagnostics/attractor-dimension';
import { effectiveRank, stableRank } from '../core/diagnostics/channel-rank';
import { conditionNumber } from '../core/diagnostics/condition-number';
import type { Direction } from '../core/jacobian';
import { cellsOf, type Warning } from '../core/model';
import { spectrumSteps } from '../core/reference/lyapunov-spectrum';
import { makeReferenceCell } from '../core/reference/reference-cell';
import type { Diagnostics, SpectrumSummary } from '../core/summary';
import type { SpectrumResult } from '../engine/engine';
import type { Pace } from '../engine/pace';
import { trajectoryOf } from '../engine/trajectories';
import type { SpectrumOfStates } from '../shared/run';
import { MAX_STATES_EIGENVALUES } from './eigenvalues-of-run';
import { fixedPointsOfRun } from './fixed-points-of-run';
import { finiteOrNull } from './finite-or-null';
import type { Gathered } from './gathered';
import { lastSteps } from './last-steps';

/** The short lag of the maps by lag. */
const SHORT_LAG = 10;
/** Work allowed for the singular values at the short lag, FLOP; about a second in plain TypeScript. */
const SHORT_FLOP = 1e9;
const FLOP_PER_CUBE = 7;

/** The diagnostics, and what is to be said of them. */
export interface SpectrumFindings {
  readonly diagnostics: Pick<
    Diagnostics,
    'conditionNumber' | 'effectiveRank' | 'stableRank' | 'kaplanYorkeDimension' | 'entropyRate'
  >;
  readonly spectra: readonly SpectrumSummary[];
  readonly warnings: readonly Warning[];
}

type Maps = Record<'conditionNumber' | 'effectiveRank' | 'stableRank', Record<string, number | null>>;

/**
 * D6, D14 and D23 of a run with the mode spectrum.
 *
 * @param gathered - Everything the run found.
 * @param pace - Lets messages in.
 * @throws `signal.reason` of the pace when it is aborted.
 */
export async function spectrumDiagnostics(gathered: Gathered, pace: Pace): Promise<SpectrumFindings> {
  return readSpectra(gathered.spectra, gathered.run.batch, await spectrumOfStates(gathered, pace));
}

/**
 * What is read off the states of a run beside its spectra, by direction.
 *
 * @param gathered - Everything the run found.
 * @param pace - Lets messages in.
 * @throws `signal.reason` of the pace when it is aborted.
 */
export async function spectrumOfStates(gathered: Gathered, pace: Pace): Promise<readonly SpectrumOfStates[]> {
  const found: SpectrumOfStates[] = [];
  for (const direction of gathered.started.directions) {
    const rows = await shortLagSingularValues(gathered, direction, pace);
    const shortLag = { isKnown: rows.length > 0, ...readingsOf(rows) };
    const eigenvalues = gathered.eigenvalues.get(direction) ?? null;
    found.push({ direction, shortLag, fixedPoints: await fixedPointsOfRun(gathered, direction, pace), eigenvalues });
    await pace.breathe();
  }
  return found;
}

/**
 * The diagnostics of spectra.
 *
 * @param spectra - Of all sequences, by direction.
 * @param batch - B
 * @param ofStates - What `spectrumOfStates` gave.
 */
export function readSpectra(
  spectra: ReadonlyMap<Direction, SpectrumResult>,
  batch: number,
  ofStates: readonly SpectrumOfStates[],
): SpectrumFindings {
  const maps: Maps = { conditionNumber: {}, effectiveRank: {}, stableRank: {} };
  const dimension: Record<string, number | null> = {};
  const entropy: Record<string, number | null> = {};
  const isKnown = new Set<string>();
  const summaries: SpectrumSummary[] = [];
  for (const [direction, result] of spectra) {
    const suffix = spectra.size === 2 ? `_${direction}` : '';
    const { shortLag, fixedPoints, eigenvalues } = ofStates.find((one) => one.direction === direction)!;
    const full = rowsOf(result.logSingularValues, batch);
    const byLag = {
      [`${SHORT_LAG}${suffix}`]: shortLag,
      [`full${suffix}`]: { isKnown: full.length > 0, ...readingsOf(full) },
    };
    for (const [lag, readings] of Object.entries(byLag)) {
      if (readings.isKnown) isKnown.add(lag);
      for (const key of ['conditionNumber', 'effectiveRank', 'stableRank'] as const) maps[key][lag] = readings[key];
    }
    const rows = rowsOf(result.lyapunov, batch);
    dimension[direction] = meanOf(rows.map((row) => kaplanYorkeDimension(row, result.stateSize)));
    entropy[direction] = meanOf(rows.map((row) => entropyRate(row, result.stateSize)));
    summaries.push({ ...summaryOf(direction, result, batch), fixedPoints, eigenvalues });
  }
  return {
    diagnostics: { ...maps, kaplanYorkeDimension: oneOrEach(dimension), entropyRate: oneOrEach(entropy) },
    spectra: summaries,
    warnings: [
      ...[...spectra].flatMap(([direction, result]) => warningsOf(direction, result, batch)),
      ...boundlessWarning(maps.conditionNumber, isKnown),
    ],
  };
}

/** Singular values of the last ten valid steps of each sequence; empty where they would take too long or there are fewer. */
async function shortLagSingularValues(
  { layer, run, input }: Gathered,
  direction: Direction,
  pace: Pace,
): Promise<readonly Float64Array[]> {
  const { cell: description } = cellsOf(layer.operation).find((entry) => entry.direction === direction)!;
  const cell = makeReferenceCell(description);
  if (run.batch * SHORT_LAG * FLOP_PER_CUBE * cell.stateSize ** 3 > SHORT_FLOP) return [];
  const rows: Float64Array[] = [];
  for (let b = 0; b < run.batch; b++) {
    const last = lastSteps(trajectoryOf(run, input, description, direction, b), SHORT_LAG);
    if (last === null) return [];
    const walk = spectrumSteps(cell, last, { count: cell.stateSize, warmUp: 0, hasSingularValues: true });
    let step = walk.next();
    for (; !step.done; step = walk.next()) await pace.breathe();
    rows.push(step.value.logSingularValues!);
  }
  return rows;
}

function readingsOf(rows: readonly Float64Array[]): Omit<SpectrumOfStates['shortLag'], 'isKnown'> {
  return {
    conditionNumber: geometricMean(rows.map(conditionNumber)),
    effectiveRank: meanOf(rows.map(effectiveRank)),
    stableRank: meanOf(rows.map(stableRank)),
  };
}

function rowsOf(values: Float64Array | null, batch: number): Float64Array[] {
  if (values === null) return [];
  const width = values.length / batch;
  return Array.from({ length: batch }, (_, b) => values.subarray(b * width, (b + 1) * width));
}

/** null where there is none, or one is not finite. */
function meanOf(values: readonly (number | null)[]): number | null {
  if (values.length === 0 || values.includes(null)) return null;
  return finiteOrNull((values as readonly number[]).reduce((sum, value) => sum + value, 0) / values.length);
}

function geometricMean(values: readonly number[]): number | null {
  const mean = meanOf(values.map(Math.log));
  return mean === null ? null : finiteOrNull(Math.exp(mean));
}

function oneOrEach(values: Record<string, number | null>): number | null | Record<string, number | null> {
  const list = Object.values(values);
  return list.length === 1 ? list[0]! : values;
}

function summaryOf(
  direction: Direction,
  result: SpectrumResult,
  batch: number,
): Omit<SpectrumSummary, 'fixedPoints' | 'eigenvalues'> {
  const { count, stateSize, lyapunov } = result;
  const columns = Array.from({ length: count }, (_, i) =>
    Array.from({ length: batch }, (_, b) => lyapunov[b * count + i]!),
  );
  const means = columns.map((column) => column.reduce((sum, value) => sum + value, 0) / batch);
  const deviations = columns.map((column, i) =>
    Math.sqrt(column.reduce((sum, value) => sum + (value - means[i]!) ** 2, 0) / batch),
  );
  return {
    direction,
    stateSize,
    lyapunov: means.map(finiteOrNull),
    lyapunovStd: deviations.map(finiteOrNull),
    unresolved: unresolvedOf(result, batch),
    logSingularRange: singularRange(rowsOf(result.logSingularValues, batch)),
  };
}

/** The first and the last of each sequence's values, which fall; averaged. */
function singularRange(rows: readonly Float64Array[]): SpectrumSummary['logSingularRange'] {
  return [meanOf(rows.map((row) => row[0]!)), meanOf(rows.map((row) => row[row.length - 1]!))];
}

/** Exponents that are not resolved in every sequence. */
function unresolvedOf({ count, isResolved }: SpectrumResult, batch: number): number {
  let unresolved = 0;
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < batch; b++) {
      if (isResolved[b * count + i] === 1) continue;
      unresolved++;
      break;
    }
  }
  return unresolved;
}

/** A condition number that no float64 holds, or of a singular matrix. */
function boundlessWarning(
  numbers: Readonly<Record<string, number | null>>,
  isKnown: ReadonlySet<string>,
): readonly Warning[] {
  const lags = Object.keys(numbers).filter((lag) => numbers[lag] === null && isKnown.has(lag));
  if (lags.length === 0) return [];
  return [
    {
      code: 'diagnostics/left-out',
      message: `conditionNumber is null at lag ${lags.join(' and ')}: it is infinite, or beyond what a float64 holds.`,
      remedy: 'singular_values has the logarithms that it is made from.',
    },
  ];
}

function warningsOf(direction: Direction, result: SpectrumResult, batch: number): Warning[] {
  const warnings: Warning[] = [];
  if (result.reason !== null) {
    warnings.push({
      code: 'diagnostics/left-out',
      message: `singular_values, and conditionNumber, effectiveRank and stableRank over the whole run, are left out (${direction}): ${result.reason}.`,
      remedy: 'The Lyapunov exponents do not rest on them.',
    });
  }
  if (result.stateSize > MAX_STATES_EIGENVALUES) {
    warnings.push({
      code: 'diagnostics/left-out',
      message: `The eigenvalues of A_t are left out (${direction}) above ${MAX_STATES_EIGENVALUES} states: this one has ${result.stateSize}.`,
      remedy: 'The Lyapunov exponents and singular values do not rest on them.',
    });
  }
  const unresolved = unresolvedOf(result, batch);
  if (unresolved > 0) {
    warnings.push({
      code: 'numerics/exponent-unresolved',
      message: `${unresolved} of ${result.count} Lyapunov exponents (${direction}) fall so far below the others within a few steps that rounding hides them.`,
      remedy: 'Read them as upper bounds; lyapunov_resolved marks them.',
    });
  }
  return warnings;
}
