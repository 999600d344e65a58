/**
 * How the cost of `final` and of all pairs grows with T and with H, in bounded time, on the LSTM of C3: a contracting one, whose
 * leading exponent is about -0.19 nats per step.
 *
 * A point that would by the law so far end after the time there is for all is left out and named.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spreadOf, type BenchRun } from './bench-result';
import type { BenchCase } from './cases';
import type { GrowthCurve, GrowthPoint } from './growth-curve';
import { growthPlot } from './growth-plot';
import { timeCase } from './run-case';

/** What is varied, and where. */
const GROWTH_AXES = {
  T: { values: [250, 500, 1000, 2000, 4000, 8000], fixed: { units: 256, inputDim: 64 } },
  H: { values: [32, 64, 128, 256, 512, 1024], fixed: { steps: 1000, inputDim: 64 } },
} as const;

/** What is not varied. */
const MIDDLE_SIZES = { steps: 1000, units: 256 } as const;

/** The exponent of T that each may have. */
const MOST_EXPONENTS = { final: 1, pairs: 1.5 } as const;

/** How far a fitted exponent may lie above its bound by the scatter of a few runs. */
const EXPONENT_SCATTER = 0.05;

/** Points up to here are short and measured three times. */
const FEW = 256;

/** All points together, seconds. */
const TIME_LIMIT = 1500;

/** What was measured. */
export interface Growth {
  readonly curves: readonly GrowthCurve[];
}

/** Ways to measure, for tests. */
export interface GrowthOptions {
  readonly limitSeconds?: number;
  readonly measure?: (benchCase: BenchCase, signal: AbortSignal) => Promise<readonly BenchRun[]>;
}

/**
 * The curves.
 *
 * @param signal - Ends it.
 * @param say - Gets a line for each point.
 * @param options - How.
 */
export async function measureGrowth(
  signal: AbortSignal,
  say: (text: string) => void,
  { limitSeconds = TIME_LIMIT, measure = timeCase }: GrowthOptions = {},
): Promise<Growth> {
  const end = performance.now() + limitSeconds * 1000;
  const curves: GrowthCurve[] = [];
  for (const axis of ['T', 'H'] as const) {
    for (const mode of ['final', 'pairs'] as const) {
      const points: GrowthPoint[] = [];
      const leftOut: number[] = [];
      for (const value of GROWTH_AXES[axis].values) {
        if (predicted(points, value) > (end - performance.now()) / 1000) {
          leftOut.push(value);
          continue;
        }
        const point = pointOf(value, await measure(growthCase(axis, mode, value), signal));
        points.push(point);
        const note = point.isVoid ? '  (void: the machine is busy)' : '';
        say(`${mode}  ${axis}=${value}  ${point.seconds.toFixed(3)} s${note}`);
      }
      const most = axis === 'T' ? MOST_EXPONENTS[mode] : null;
      curves.push({ axis, mode, points, leftOut, exponent: fitExponent(points), most });
    }
  }
  return { curves };
}

/** The median of the runs that count, or of all where none does. */
function pointOf(value: number, runs: readonly BenchRun[]): GrowthPoint {
  const valid = runs.filter(({ isVoid }) => !isVoid);
  const counted = valid.length > 0 ? valid : runs;
  const middle = spreadOf(counted.map((run) => run.seconds)).median;
  const { ratio, residentBytes } = counted.find(({ seconds }) => seconds === middle)!;
  return { value, seconds: middle, ratio, residentBytes, isVoid: valid.length === 0 };
}

function growthCase(axis: 'T' | 'H', mode: 'final' | 'pairs', value: number): BenchCase {
  const sizes = { ...MIDDLE_SIZES, ...GROWTH_AXES[axis].fixed };
  const own = axis === 'T' ? { steps: value } : { units: value };
  return {
    ...{ id: `G-${mode}-${axis}${value}`, what: 'contracting LSTM', engine: 'tensorflow', kind: 'LSTM', modes: [mode] },
    ...{ ...sizes, ...own, batch: 1, layers: 0, directions: 0 },
    ...{ repeats: value <= FEW ? 3 : 1, isCold: false, isWritten: false, target: {} },
  };
}

/** Seconds of the next point by the law of the last two, all that is around a run included; 0 before there are two. */
function predicted(points: readonly GrowthPoint[], value: number): number {
  const [before, last] = points.slice(-2);
  if (!last) return 0;
  const slope = Math.log(last.seconds / before.seconds) / Math.log(last.value / before.value);
  return 2 * last.seconds * (value / last.value) ** slope;
}

/**
 * The slope of ln seconds by ln value.
 *
 * @param points - The points.
 */
export function fitExponent(points: readonly Pick<GrowthPoint, 'value' | 'seconds'>[]): number {
  const xs = points.map(({ value }) => Math.log(value));
  const ys = points.map(({ seconds }) => Math.log(seconds));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x0, y0] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, x, i) => sum + (x - x0) * (ys[i] - y0), 0);
  return covariance / xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
}

/**
 * The exponents as text.
 *
 * @param growth - What was measured.
 */
export function growthText({ curves }: Growth): string {
  return curves
    .map(({ axis, mode, exponent, most, leftOut }) => {
      const verdict = exponent <= (most ?? Infinity) + EXPONENT_SCATTER ? 'met' : 'missed';
      const bound = most === null ? '' : `, at most ${most}: ${verdict}`;
      const rest = leftOut.length > 0 ? `; left out for time: ${leftOut.join(', ')}` : '';
      return `${mode} grows as ${axis}^${exponent.toFixed(2)}${bound}${rest}`;
    })
    .join('\n');
}

/**
 * Writes `growth.json` and `growth.svg`.
 *
 * @param folder - Made where it is missing.
 * @param growth - What was measured, and on what.
 * @returns The files.
 */
export function writeGrowth(folder: string, growth: Growth & { readonly machine: unknown }): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const files = [join(folder, 'growth.json'), join(folder, 'growth.svg')];
  writeFileSync(files[0], `${JSON.stringify({ schema: 1, ...growth }, null, 2)}\n`);
  writeFileSync(files[1], growthPlot(growth.curves));
  return files;
}
