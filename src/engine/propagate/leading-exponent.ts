/**
 * The leading Lyapunov exponent of each sequence: the growth of one tangent under the step state Jacobians.
 *
 * Tangents are pushed on engine memory a few steps at a time; between groups they come to the host, where their norm
 * is taken in float64 and an exact power of two brings them back near 1.
 */
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../../core/linalg/scaling';
import { sliceVectors } from '../cells/step-vectors';
import type { CellRun } from '../cells/run-cell';
import type { StepVectors, TensorCell } from '../cells/tensor-cell';
import type { Ops } from '../ops';
import { Pace } from '../pace';
import { holdsWanted, type SequenceRange } from '../sequence-range';
import { chooseArithmetic, type Arithmetic } from './arithmetic';
import { VECTORS_LENGTH } from './plan';
import { groupLength, isComputed } from './warm-up';
import { uploadPoints } from './step-points';

/** Steps between two looks at the norm. */
const GROUP_STEPS = 8;

/** A group whose tangents end outside 2^-60 .. 2^60 is done again step by step. */
const GROUP_EXPONENT = 60;

/** The tangent of one sequence: the true one is `vector` times 2^exponent. */
interface Tangent {
  /** `[S]` */
  vector: Float64Array;
  exponent: number;
  /** Steps that were not masked, so far. */
  valid: number;
  /** Log norm when the warm-up was over. */
  logAtWarmUp: number;
}

/**
 * Nats per step, `[B]`: the growth of the first unit vector. -Infinity when it becomes exactly zero, NaN when no step
 * is left after the warm-up or the Jacobians are not finite. Masked steps are not counted.
 *
 * Numerics: steps in float64 for small cells, else float32; norms in float64. Source: D12 of method.md; Vogt et al. 2006.14123, Engelken et al. 2006.02427.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param warmUp - The first so many valid steps grow the tangent but are not counted.
 * @param signal - Aborts between groups.
 * @param wanted - Only these sequences; NaN for the others.
 */
export async function leadingExponent(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  warmUp: number,
  signal: AbortSignal,
  wanted?: SequenceRange,
): Promise<Float64Array> {
  const pace = new Pace(signal);
  const arithmetic = chooseArithmetic(ops, cell);
  const exponents = new Float64Array(run.batch).fill(NaN);
  const atOnce = VECTORS_LENGTH[ops.native ? 'native' : 'host'];
  const sequencesAtOnce = Math.max(1, Math.floor(atOnce / (cell.vectorLength * GROUP_STEPS)));
  for (let first = 0; first < run.batch; first += sequencesAtOnce) {
    const count = Math.min(sequencesAtOnce, run.batch - first);
    if (!holdsWanted(wanted, first, count)) continue;
    const tangents = await pushSequences(arithmetic, run, first, count, warmUp, atOnce, pace);
    tangents.forEach((tangent, i) => {
      if (holdsWanted(wanted, first + i, 1)) exponents[first + i] = growth(tangent, warmUp);
    });
  }
  return exponents;
}

function growth({ vector, exponent, valid, logAtWarmUp }: Tangent, warmUp: number): number {
  const largest = largestMagnitude(vector);
  if (largest === 0) return -Infinity;
  if (!Number.isFinite(largest)) return largest;
  if (valid <= warmUp) return NaN;
  return (logNorm(vector) + exponent * Math.LN2 - logAtWarmUp) / (valid - warmUp);
}

/** The tangents of `count` sequences from `first` after the whole run. */
async function pushSequences(
  arithmetic: Arithmetic,
  run: CellRun,
  first: number,
  count: number,
  warmUp: number,
  atOnce: number,
  pace: Pace,
): Promise<readonly Tangent[]> {
  const { ops, cell } = arithmetic;
  const size = cell.stateSize;
  const tangents: Tangent[] = Array.from({ length: count }, () => {
    const vector = new Float64Array(size);
    vector[0] = 1;
    return { vector, exponent: 0, valid: 0, logAtWarmUp: 0 };
  });
  const stepsAtOnce = Math.max(GROUP_STEPS, Math.floor(atOnce / (cell.vectorLength * count)));
  for (let start = 0; start < run.steps; start += stepsAtOnce) {
    const length = Math.min(stepsAtOnce, run.steps - start);
    const steps = Array.from({ length }, (_, i) => start + i);
    const selection = { firstSequence: first, sequences: count, steps, slowest: 'step' } as const;
    const vectors = arithmetic.vectors((ops) => uploadPoints(ops, run, selection));
    try {
      for (let done = 0; done < length;) {
        const group = groupLength(run, first, tangents, start + done, Math.min(GROUP_STEPS, length - done), warmUp);
        const parts = Array.from({ length: group }, (_, i) => done + i);
        pushGroup(arithmetic, run, first, vectors, parts, start, tangents);
        for (const tangent of tangents) {
          if (tangent.valid === warmUp) tangent.logAtWarmUp = logNorm(tangent.vector) + tangent.exponent * Math.LN2;
        }
        done += group;
        await pace.breathe();
      }
    } finally {
      ops.dispose(...Object.values(vectors));
    }
  }
  return tangents;
}

/** Pushes all tangents through steps `start + parts[..]`, in one go or step by step. */
function pushGroup(
  arithmetic: Arithmetic,
  run: CellRun,
  first: number,
  vectors: StepVectors,
  parts: readonly number[],
  start: number,
  tangents: readonly Tangent[],
): void {
  const { ops, cell } = arithmetic;
  const count = tangents.length;
  const size = tangents[0].vector.length;
  const joined = new Float64Array(count * size);
  tangents.forEach((tangent, i) => joined.set(tangent.vector, i * size));
  const result = ops.tidy(() => {
    let value = ops.upload(joined, [count, size]);
    for (const part of parts) {
      const before = value;
      const flags = tangents.map((_, i) => Number(isComputed(run, first + i, start + part)));
      value = ops.tidy(() => {
        const pushed = cell.push(sliceVectors(ops, vectors, part * count, count), before);
        if (flags.every((flag) => flag === 1)) return pushed;
        return ops.select(ops.greater(ops.upload(flags, [count, 1]), ops.constant(0.5)), pushed, before);
      });
    }
    return arithmetic.read(value);
  });
  const next = tangents.map((_, i) => Float64Array.from(result.subarray(i * size, (i + 1) * size)));
  if (parts.length > 1 && tangents.some((tangent, i) => isTooFar(tangent.vector, next[i]))) {
    for (const part of parts) pushGroup(arithmetic, run, first, vectors, [part], start, tangents);
    return;
  }
  tangents.forEach((tangent, i) => {
    for (const part of parts) if (isComputed(run, first + i, start + part)) tangent.valid++;
    normalise(tangent, next[i]);
  });
}

/** Whether a group changed a tangent by more than float32 can follow. */
function isTooFar(before: Float64Array, after: Float64Array): boolean {
  const from = largestMagnitude(before);
  if (from === 0 || !Number.isFinite(from)) return false;
  const to = largestMagnitude(after);
  return to === 0 || !Number.isFinite(to) || Math.abs(binaryExponent(to)) > GROUP_EXPONENT;
}

/** Takes the new vector, its largest entry brought near 1. */
function normalise(tangent: Tangent, vector: Float64Array): void {
  const largest = largestMagnitude(vector);
  tangent.vector = vector;
  if (largest === 0 || !Number.isFinite(largest)) return;
  const shift = binaryExponent(largest);
  for (let at = 0; at < vector.length; at++) vector[at] = scaleByPower(vector[at], -shift);
  tangent.exponent += shift;
}
