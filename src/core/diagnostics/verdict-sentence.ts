/** The one sentence with the numbers that stands beside a verdict. */
import type { StateName } from '../jacobian';
import type { VerdictLabel } from '../summary';
import { intervalOf, type Estimate } from './estimate';
import { HORIZON_THRESHOLD } from './horizon';

/** What every sentence names. */
export interface SentenceContext {
  readonly state: StateName;
  /** T */
  readonly steps: number;
  readonly span: number;
}

/**
 * A factor from its natural log, in at most three digits, as a power of ten where it is far from 1.
 *
 * @param nats - Natural log of the factor.
 */
export function formatFactor(nats: number): string {
  const decades = nats / Math.LN10;
  if (Math.abs(decades) < 3) return `${Number(Math.exp(nats).toPrecision(3))}`;
  return `10^${decades.toFixed(1)}`;
}

/** Steps in three digits. */
function formatSteps(steps: number): string {
  const rounded = Number(steps.toPrecision(3));
  return `${rounded} step${rounded === 1 ? '' : 's'}`;
}

function symbol(context: SentenceContext): string {
  return `d${context.state}_T/dx`;
}

function overSpan(context: SentenceContext): string {
  const { steps, span } = context;
  return steps < span ? `over ${span} steps (by extrapolation from ${steps})` : `over ${span} steps`;
}

/**
 * Why a change over the span has the label it has.
 *
 * @param reading - Context, label, change D in nats with its error, slope and half-life where certain.
 */
export function changeSentence(
  reading: SentenceContext & {
    readonly label: VerdictLabel;
    readonly change: Estimate;
    readonly slope: number | null;
    readonly halfLife: number | null;
    /** ln of the last norm over that of lag 0, mean over sequences: what was measured, not fitted. */
    readonly measured: number;
  },
): string {
  const { label, change, slope, halfLife, measured, steps } = reading;
  const bounds = intervalOf(change);
  const [low, high] = bounds.map(formatFactor);
  const details = [
    ...(low === high ? [] : [`95 % interval ${low} to ${high}`]),
    ...(Number.isFinite(measured) ? [`measured at lag ${steps - 1}: ${formatFactor(measured)}`] : []),
  ];
  const interval = details.length === 0 ? '' : ` (${details.join('; ')})`;
  const pace =
    halfLife === null || slope === null
      ? ''
      : `, ${slope > 0 ? 'doubling' : 'halving'} every ${formatSteps(halfLife)} after the first lags`;
  const ends: Record<VerdictLabel, string> = {
    vanishing: 'it vanishes, for less than 1/1000 is left',
    carried: 'it is carried, within a factor of 1000 either way',
    exploding: 'it explodes, by more than a factor of 1000',
    undetermined: `that leaves open whether ${openReadings(bounds)}`,
  };
  return `${capitalised(overSpan(reading))} ${changeOf(reading, change)}${interval}${pace}: ${ends[label]}.`;
}

/** "the norm of dh_T/dx falls, by its fitted line, to 0.2 of its size at lag 0". */
function changeOf(context: SentenceContext, change: Estimate): string {
  const factor = formatFactor(change.mean);
  const verb =
    change.mean < 0 ? `falls, by its fitted line, to ${factor} of` : `grows, by its fitted line, to ${factor} times`;
  return `the norm of ${symbol(context)} ${factor === '1' ? 'keeps, by its fitted line,' : verb} its size at lag 0`;
}

/** The labels that an interval in nats leaves open. */
function openReadings([low, high]: readonly [low: number, high: number]): string {
  const limit = -Math.log(HORIZON_THRESHOLD);
  const readings = [
    ...(low < -limit ? ['vanishes'] : []),
    ...(low < limit && high > -limit ? ['is carried'] : []),
    ...(high > limit ? ['explodes'] : []),
  ];
  const last = readings.pop() ?? '';
  return readings.length === 0 ? `it ${last}` : `it ${readings.join(', ')} or ${last}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Why exact zeros are vanishing.
 *
 * @param context - State and lengths.
 * @param lag - First lag of the zeros.
 */
export function zeroSentence(context: SentenceContext, lag: number): string {
  return `${symbol(context)} is exactly zero from lag ${lag} on: nothing older reaches the last state.`;
}

/**
 * Why some sequences with exact zeros leave the whole undetermined, or vanishing.
 *
 * @param reading - Context, how many sequences end in zeros, the latest first lag of them, the change of the others.
 */
export function mixedSentence(
  reading: SentenceContext & {
    readonly zeros: number;
    readonly sequences: number;
    readonly lastZero: number;
    readonly change: Estimate;
  },
): string {
  const { zeros, sequences, lastZero, change } = reading;
  return (
    `${symbol(reading)} is exactly zero from lag ${lastZero} on in ${zeros} of ${sequences} sequences; ` +
    `in the others ${overSpan(reading)} ${changeOf(reading, change)}.`
  );
}

/**
 * Why a short run says nothing.
 *
 * @param context - State and lengths; T without the masked steps.
 * @param runSteps - T with them.
 */
export function tooShortSentence(context: SentenceContext, runSteps: number): string {
  const { steps } = context;
  const verb = steps === 1 ? 'is' : 'are';
  const counted =
    steps < runSteps ? `${steps} unmasked step${steps === 1 ? '' : 's'} of ${runSteps}` : formatSteps(steps);
  return `${counted} ${verb} too few for a verdict on ${symbol(context)}: it needs at least 10.`;
}

/**
 * Why too few finite norms say nothing.
 *
 * @param context - State and lengths.
 * @param finite - How many there are behind the warm-up in the poorest sequence.
 */
export function tooFewSentence(context: SentenceContext, finite: number): string {
  if (finite >= 5) return `${symbol(context)} is exactly zero at lag 0, so that its change cannot be told.`;
  return `Only ${finite} norms of ${symbol(context)} behind the warm-up are finite: a verdict needs at least 5.`;
}

/**
 * Why NaN or infinity says nothing.
 *
 * @param context - State and lengths.
 * @param lag - The first lag concerned.
 */
export function notFiniteSentence(context: SentenceContext, lag: number): string {
  return `The norm of ${symbol(context)} is not finite from lag ${lag} on, so no verdict can be given.`;
}
