/**
 * D24: the gradient of a loss by the parameters of a recurrence, split by the lag at which they acted.
 *
 * One row, dL/ds_T, is pulled back through the steps; at each it gives one term, an outer product that is never formed.
 * The terms are walked twice: once for their sum, once for their part in it.
 */
import { hiddenSize as hiddenSizeOf, type CellDescription } from '../model';
import { binaryExponent, frobeniusNorm, largestMagnitude, logNorm, scaleByPower } from '../linalg/scaling';
import { makePullStep, type PulledStep, type PullStep } from '../reference/pull-step';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../reference/run-cell';

/** The parameters, in the order of the last axis of every array here. */
export const LOSS_PARAMETERS = ['kernel', 'recurrentKernel', 'bias'] as const;

/** One of the parameters. */
export type LossParameter = (typeof LOSS_PARAMETERS)[number];

/** One sequence, and what a loss gives to one of its states. */
export interface LossSequence {
  readonly trajectory: Trajectory;
  /** dL/ds, `[S]`: of h, then of c. */
  readonly row: Float64Array;
  /** The state that the loss reads is that after the n-th computed step. */
  readonly computedStep: number;
}

/** The terms of one sequence by lag, counted in valid steps from the state that the loss reads. */
export interface LagTerms {
  /** `[T, 3]`: ln of the Frobenius norm of each term; -Infinity for none. */
  readonly logNorms: Float64Array;
  /** `[T, 3]`: `<term, whole> / <whole, whole>`; they add up to 1 over lags and sequences. NaN where the whole is 0. */
  readonly shares: Float64Array;
}

/** A row is brought back to about 1 when its largest entry leaves 2^-EXPONENT_ROOM .. 2^EXPONENT_ROOM. */
const EXPONENT_ROOM = 256;

/** One term: what the sums are given, times 2^exponent, and what the kernels multiplied. */
interface Term {
  readonly lag: number;
  readonly pulled: PulledStep;
  readonly exponent: number;
  readonly x: Float64Array;
  readonly h: Float64Array;
}

/**
 * dL/dtheta = sum_k (dL/ds_T) P(T, k) d+s_k/dtheta for kernel, recurrent kernel and bias, and each term of it.
 *
 * First `add` every sequence, then ask for `terms`. Numerics: float64, the pulled row scaled by exact powers of two, so
 * that terms far below 1e-308 have their norm. Source: D24 of method.md; Pascanu et al. 1211.5063, equations 3 to 5.
 */
export class LossGradient {
  /** Sums of all terms: `[G*H, D]`, `[G*H, P]`, `[G*H]` (on W x) and `[G*H]` (on U h). */
  private readonly kernel: Float64Array;
  private readonly recurrentKernel: Float64Array;
  private readonly inputBias: Float64Array;
  private readonly recurrentBias: Float64Array;
  private readonly pullStep: PullStep;
  private readonly hiddenSize: number;
  /** Whether the bias has a row of its own beside U h: a GRU with resetAfter. */
  private readonly hasTwoBiases: boolean;

  /** @param cell - The cell whose parameters are meant. */
  constructor(private readonly cell: CellDescription) {
    this.hiddenSize = hiddenSizeOf(cell);
    const rows = cell.recurrentKernel.shape[1];
    this.kernel = new Float64Array(rows * cell.inputDim);
    this.recurrentKernel = new Float64Array(rows * this.hiddenSize);
    this.inputBias = new Float64Array(rows);
    this.recurrentBias = new Float64Array(rows);
    this.pullStep = makePullStep(cell);
    this.hasTwoBiases = cell.kind === 'GRU' && cell.resetAfter;
  }

  /**
   * Adds the terms of a sequence to the whole; stops after each step.
   *
   * @param sequence - The sequence.
   */
  *add(sequence: LossSequence): Generator<undefined, void, void> {
    const { inputDim } = this.cell;
    for (const { pulled, exponent, x, h } of this.walk(sequence)) {
      const { input, recurrent, resetState } = pulled;
      for (let row = 0; row < input.length; row++) {
        const [onInput, onRecurrent] = [scaleByPower(input[row], exponent), scaleByPower(recurrent[row], exponent)];
        this.inputBias[row] += onInput;
        this.recurrentBias[row] += onRecurrent;
        for (let d = 0, at = row * inputDim; d < inputDim; d++, at++) this.kernel[at] += onInput * x[d];
        const state = this.multipliedBy(row, h, resetState);
        for (let p = 0, at = row * state.length; p < state.length; p++, at++) {
          this.recurrentKernel[at] += onRecurrent * state[p];
        }
      }
      yield;
    }
  }

  /** The whole gradient in the shapes of the parameters: `[D, G*H]`, `[P, G*H]`, and the bias; null without a bias. */
  whole(): { readonly [parameter in LossParameter]: Float64Array | null } {
    const rows = this.inputBias.length;
    const { inputBias, recurrentBias } = this;
    const bias = this.hasTwoBiases ? Float64Array.of(...inputBias, ...recurrentBias) : inputBias.slice();
    return {
      kernel: turned(this.kernel, rows, this.cell.inputDim),
      recurrentKernel: turned(this.recurrentKernel, rows, this.hiddenSize),
      bias: this.cell.bias === null ? null : bias,
    };
  }

  /**
   * The terms of a sequence, once all are added; stops after each step.
   *
   * @param sequence - The sequence.
   */
  *terms(sequence: LossSequence): Generator<undefined, LagTerms, void> {
    const { steps } = sequence.trajectory;
    const count = LOSS_PARAMETERS.length;
    const logNorms = new Float64Array(steps * count).fill(-Infinity);
    const shares = new Float64Array(steps * count);
    const whole = this.whole();
    const squares = LOSS_PARAMETERS.map((name) => (whole[name] === null ? 0 : frobeniusNorm(whole[name]) ** 2));
    for (const term of this.walk(sequence)) {
      const { lag, exponent } = term;
      const norms = this.logNormsOf(term);
      const products = this.productsWithWhole(term);
      LOSS_PARAMETERS.forEach((name, at) => {
        if (whole[name] === null) return;
        logNorms[lag * count + at] = norms[at] + exponent * Math.LN2;
        shares[lag * count + at] = scaleByPower(products[at] / squares[at], exponent);
      });
      yield;
    }
    return { logNorms, shares };
  }

  /** The terms of a sequence, newest first; each is valid until the next. */
  private *walk({ trajectory, row: first, computedStep }: LossSequence): Generator<Term, void, void> {
    const { hiddenSize } = this;
    const { units, inputDim } = this.cell;
    const { direction, steps, x } = trajectory;
    let row = first.slice();
    let exponent = 0;
    let lag = 0;
    for (let n = computedStep; n >= 0; n--) {
      const t = timeIndex(direction, steps, n);
      if (!isValidStep(trajectory, t)) continue;
      const largest = largestMagnitude(row);
      if (largest === 0) return;
      const shift = Number.isFinite(largest) ? binaryExponent(largest) : 0;
      if (Math.abs(shift) > EXPONENT_ROOM) {
        row = row.map((value) => scaleByPower(value, -shift));
        exponent += shift;
      }
      const previous = stateBefore(trajectory, { units, hiddenSize }, n);
      const input = x.subarray(t * inputDim, (t + 1) * inputDim);
      const pulled = this.pullStep(input, previous, row);
      yield { lag, pulled, exponent, x: input, h: previous.h };
      row.set(pulled.state);
      lag++;
    }
  }

  /** What a row of the recurrent kernel multiplied. */
  private multipliedBy(row: number, h: Float64Array, resetState: Float64Array | null): Float64Array {
    return resetState !== null && row >= 2 * this.cell.units ? resetState : h;
  }

  /** ln of the norms of a term, without its exponent. */
  private logNormsOf({ pulled, x, h }: Term): readonly number[] {
    const { input, recurrent, resetState } = pulled;
    const onInput = logNorm(input);
    const gates = 2 * this.cell.units;
    const onState =
      resetState === null
        ? logNorm(recurrent) + logNorm(h)
        : 0.5 *
          logOfSum(
            2 * (logNorm(recurrent, 0, gates) + logNorm(h)),
            2 * (logNorm(recurrent, gates, recurrent.length - gates) + logNorm(resetState)),
          );
    const onBias = this.hasTwoBiases ? 0.5 * logOfSum(2 * onInput, 2 * logNorm(recurrent)) : onInput;
    return [onInput + logNorm(x), onState, onBias];
  }

  /** `<term, whole>` of each parameter, without the term's exponent. */
  private productsWithWhole({ pulled, x, h }: Term): readonly number[] {
    const { input, recurrent, resetState } = pulled;
    const products = [0, 0, 0];
    for (let row = 0; row < input.length; row++) {
      products[0] += input[row] * dot(this.kernel, row * x.length, x);
      const state = this.multipliedBy(row, h, resetState);
      products[1] += recurrent[row] * dot(this.recurrentKernel, row * state.length, state);
      products[2] += input[row] * this.inputBias[row];
      if (this.hasTwoBiases) products[2] += recurrent[row] * this.recurrentBias[row];
    }
    return products;
  }
}

/** ln(exp(a) + exp(b)). */
function logOfSum(a: number, b: number): number {
  const [small, large] = a < b ? [a, b] : [b, a];
  return small === -Infinity ? large : large + Math.log1p(Math.exp(small - large));
}

function dot(matrix: Float64Array, start: number, vector: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < vector.length; j++) sum += matrix[start + j] * vector[j];
  return sum;
}

/** `[columns, rows]` from `[rows, columns]`. */
function turned(data: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column];
  }
  return out;
}
