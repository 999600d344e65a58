/** The one sentence with the numbers that stands beside a verdict. */
import type { StateName } from '../jacobian';
import type { VerdictLabel } from '../summary';
import { intervalOf, type Estimate } from './estimate';

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
  return `${Number(steps.toPrecision(3))} step${steps === 1 ? '' : 's'}`;
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
  },
): string {
  const { label, change, slope, halfLife } = reading;
  const [low, high] = intervalOf(change).map(formatFactor);
  const interval = low === high ? '' : ` (95 % interval ${low} to ${high})`;
  const isDoubling = slope !== null && slope > 0;
  const pace = halfLife === null ? '' : `, ${isDoubling ? 'doubling' : 'halving'} every ${formatSteps(halfLife)}`;
  const start = `The norm of ${symbol(reading)} changes by a factor of ${formatFactor(change.mean)}`;
  const ends: Record<VerdictLabel, string> = {
    vanishing: 'less than 1/1000 of it is left',
    carried: 'it stays within a factor of 1000 of lag 0',
    exploding: 'it grows by more than a factor of 1000',
    undetermined: 'the interval does not settle on which side of a factor of 1000 it lies',
  };
  return `${start} ${overSpan(reading)}${interval}${pace}: ${ends[label]}.`;
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
    `in the others its norm changes by a factor of ${formatFactor(change.mean)} ${overSpan(reading)}.`
  );
}

/**
 * Why a short run says nothing.
 *
 * @param context - State and lengths.
 */
export function tooShortSentence(context: SentenceContext): string {
  return `${formatSteps(context.steps)} are too few for a verdict on ${symbol(context)}: it needs at least 10.`;
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
