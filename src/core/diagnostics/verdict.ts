/**
 * The verdict on one state: vanishing, carried, exploding or undetermined, exactly as method.md 3.1 defines it.
 *
 * It rests on the measured norms of dh_T/dx_s alone, never on the spectral radius. Fitting is in `line-fit.ts`, the
 * sentence in `verdict-sentence.ts`.
 */
import { normalDistribution } from '../activations/error-function';
import type { StateName } from '../jacobian';
import type { StateVerdict, VerdictLabel } from '../summary';
import { combineSequences, intervalOf, type Estimate } from './estimate';
import { HORIZON_THRESHOLD, decayOf, horizonOf } from './horizon';
import { fitLine, type LineFit } from './line-fit';
import { meanReceptiveField } from './receptive-field';
import {
  changeSentence,
  mixedSentence,
  notFiniteSentence,
  tooFewSentence,
  tooShortSentence,
  zeroSentence,
} from './verdict-sentence';

/** What a verdict may be told. */
export interface VerdictOptions {
  readonly state: StateName;
  /** First lag of the fit; null = ceil(T/10). */
  readonly warmUp: number | null;
  /** The memory asked for, in steps; null = max(T, 100). */
  readonly span: number | null;
  /** T with the masked steps, which the series leave out; as many as there are when left out. */
  readonly runSteps?: number;
  /** D12, batch mean, passed through; null when not computed. */
  readonly lyapunovMax: number | null;
}

/** ln delta = ln 1e-3: beyond it a gradient counts as vanished, and beyond its negative as exploded. */
const LIMIT = Math.log(HORIZON_THRESHOLD);
const MIN_STEPS = 10;
const MIN_FINITE = 5;

/** One sequence as the verdict reads it. */
interface SequenceReading {
  /** First lag of the exact zeros at the end of the series, null without. */
  readonly zeroFrom: number | null;
  readonly finite: number;
  readonly fit: LineFit | null;
  /** D_b in nats and the variance of its fit; null when not defined. */
  readonly change: number | null;
  readonly changeVariance: number;
}

/** Everything of a verdict that does not depend on the label. */
type Numbers = Omit<StateVerdict, 'verdict' | 'confidence' | 'why'>;

/**
 * The verdict on one state over all sequences.
 *
 * Readings that method.md 3.1 leaves open: T is the longest sequence, the span is common to all, a warm-up is each
 * sequence's own. The horizon is that of the mean over sequences of ln ||.|| relative to lag 0 (an exact zero counts
 * where all sequences are zero). Sequences that end in exact zeros vanish; when the others do not vanish too, the whole
 * is undetermined, and the confidence is the mean over sequences. Exact zeros that begin behind the span are ignored.
 *
 * Numerics: float64. Source: method.md 3.1.
 *
 * @param sequences - l_k = ln ||ds_T/dx_{T-k}||_F by lag, one array per sequence (`lagSeries`).
 * @param options - Which state, warm-up, span, exponent.
 */
export function stateVerdict(sequences: readonly Float64Array[], options: VerdictOptions): StateVerdict {
  const steps = Math.max(0, ...sequences.map((series) => series.length));
  const span = options.span ?? Math.max(steps, 100);
  const readings = sequences.map((series) => readSequence(series, options.warmUp, span));
  const context = { state: options.state, steps, span };
  const numbers = numbersOf(sequences, readings, options);
  const undetermined = (why: string, confidence: number | null = null): StateVerdict => ({
    verdict: 'undetermined',
    ...numbers,
    confidence,
    why,
  });

  const bad = findNotFinite(sequences);
  if (bad !== null) return { ...undetermined(notFiniteSentence(context, bad)), horizon: null, meanLag: null };
  if (steps < MIN_STEPS) return undetermined(tooShortSentence(context, options.runSteps ?? steps));

  const zeros = readings.filter((reading) => reading.zeroFrom !== null);
  const rest = readings.filter((reading) => reading.zeroFrom === null);
  const lastZero = Math.max(...zeros.map((reading) => reading.zeroFrom ?? 0));
  if (rest.length === 0) {
    return { verdict: 'vanishing', ...numbers, horizon: lastZero, confidence: 1, why: zeroSentence(context, lastZero) };
  }
  const unfit = rest.find((reading) => reading.finite < MIN_FINITE || reading.change === null);
  if (unfit !== undefined) return undetermined(tooFewSentence(context, unfit.finite));

  const change = combineSequences(rest.map((reading) => [reading.change ?? NaN, reading.changeVariance]));
  const { label, confidence } = classify(change);
  if (zeros.length === 0) {
    const measured = meanRelativeSeries(sequences)[steps - 1];
    const { halfLife, slope } = numbers;
    const why = changeSentence({ ...context, label, change, halfLife, slope, measured });
    return { verdict: label, ...numbers, confidence: confidence[label], why };
  }
  const share = zeros.length / readings.length;
  const mixed = {
    vanishing: share + (1 - share) * confidence.vanishing,
    carried: (1 - share) * confidence.carried,
    exploding: (1 - share) * confidence.exploding,
  };
  const why = mixedSentence({ ...context, zeros: zeros.length, sequences: readings.length, lastZero, change });
  if (label !== 'vanishing') return undetermined(why, Math.max(mixed.vanishing, mixed.carried, mixed.exploding));
  return { verdict: 'vanishing', ...numbers, confidence: mixed.vanishing, why };
}

/** Fit, change over the span and trailing zeros of one sequence. */
function readSequence(series: Float64Array, warmUp: number | null, span: number): SequenceReading {
  const steps = series.length;
  let zeroFrom = steps;
  while (zeroFrom > 0 && series[zeroFrom - 1] === -Infinity) zeroFrom--;
  const from = warmUp ?? Math.ceil(steps / 10);
  let finite = 0;
  for (let k = from; k < steps; k++) if (Number.isFinite(series[k])) finite++;
  const fit = finite >= MIN_FINITE ? fitLine(series, from) : null;
  const isDefined = fit !== null && Number.isFinite(series[0]);
  return {
    zeroFrom: zeroFrom < steps && zeroFrom < span ? zeroFrom : null,
    finite,
    fit,
    change: isDefined ? fit.intercept + fit.slope * span - series[0] : null,
    changeVariance: isDefined
      ? fit.interceptVariance + 2 * span * fit.covariance + span * span * fit.slopeVariance
      : NaN,
  };
}

/** The label of a change, and the normal probability of each label's side. */
function classify(change: Estimate): {
  readonly label: VerdictLabel;
  readonly confidence: Readonly<Record<VerdictLabel, number>>;
} {
  const { mean, standardError } = change;
  const [low, high] = intervalOf(change);
  const below = (limit: number): number => normalDistribution((limit - mean) / standardError);
  const vanishing = below(LIMIT);
  const exploding = 1 - below(-LIMIT);
  const carried = Math.max(0, 1 - vanishing - exploding);
  const confidence = { vanishing, carried, exploding, undetermined: Math.max(vanishing, carried, exploding) };
  if (high < LIMIT) return { label: 'vanishing', confidence };
  if (low > -LIMIT) return { label: 'exploding', confidence };
  return { label: low >= LIMIT && high <= -LIMIT ? 'carried' : 'undetermined', confidence };
}

/** Slope, half-life, horizon and mean lag over all sequences. */
function numbersOf(
  sequences: readonly Float64Array[],
  readings: readonly SequenceReading[],
  options: VerdictOptions,
): Numbers {
  const { lyapunovMax } = options;
  const fits = readings.map((reading) => reading.fit).filter((fit) => fit !== null);
  const slope = fits.length > 0 ? combineSequences(fits.map((fit) => [fit.slope, fit.slopeVariance])) : null;
  const interval = slope === null ? null : intervalOf(slope);
  const isCertain = interval !== null && (interval[0] > 0 || interval[1] < 0);
  const decay = slope !== null && isCertain ? decayOf(slope.mean) : null;
  return {
    slope: slope?.mean ?? null,
    slopeInterval: interval,
    lyapunovMax: lyapunovMax !== null && Number.isFinite(lyapunovMax) ? lyapunovMax : null,
    halfLife: decay?.halfLife ?? null,
    timeConstant: decay?.timeConstant ?? null,
    horizon: horizonOf(meanRelativeSeries(sequences)),
    meanLag: meanReceptiveField(sequences)?.mean ?? null,
  };
}

/**
 * The mean over sequences of l_k - l_0, the geometric mean of the norms relative to lag 0.
 *
 * @param sequences - l_k by lag, one per sequence.
 * @returns By lag; -Infinity where every sequence is exactly zero; the mean is over the finite ones elsewhere.
 */
export function meanRelativeSeries(sequences: readonly Float64Array[]): Float64Array {
  const steps = Math.max(0, ...sequences.map((series) => series.length));
  const mean = new Float64Array(steps);
  for (let k = 0; k < steps; k++) {
    let sum = 0;
    let count = 0;
    for (const series of sequences) {
      if (k >= series.length || !Number.isFinite(series[k]) || !Number.isFinite(series[0])) continue;
      sum += series[k] - series[0];
      count++;
    }
    mean[k] = count > 0 ? sum / count : -Infinity;
  }
  return mean;
}

/** The first lag with NaN or +Infinity in any sequence, null without. */
function findNotFinite(sequences: readonly Float64Array[]): number | null {
  const lags = sequences
    .map((series) => series.findIndex((value) => Number.isNaN(value) || value === Infinity))
    .filter((lag) => lag >= 0);
  return lags.length > 0 ? Math.min(...lags) : null;
}
