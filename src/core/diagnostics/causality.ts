/** D2 and D3: what must not matter does not, bit for bit. Any forward pass can be checked, not the reference alone. */
import type { Direction } from '../jacobian';

/** A forward pass: x `[T, D]` to h (or c) `[T, H]`. */
export type ForwardPass = (x: Float64Array) => ArrayLike<number>;

/** A place where something changed that must not. */
export interface Violation {
  /** The step whose state changed. */
  readonly targetStep: number;
  /** The step whose input was changed. */
  readonly sourceStep: number;
}

/** The outcome of a check. */
export interface CheckResult {
  /** Pairs of steps looked at. */
  readonly checked: number;
  readonly violations: readonly Violation[];
}

const PERTURBATION = 3.7;

/**
 * The pairs (t, s) where the state after step t changes with x_s although s comes later in the order of computing.
 *
 * Every x_s is changed in turn and all earlier states are compared bit for bit. Source: D2 of method.md, J(t,s) = 0 for
 * s > t (forward), s < t (backward).
 *
 * @param run - The forward pass.
 * @param x - `[T, D]`.
 * @param steps - T.
 * @param direction - Direction of the recurrence.
 */
export function checkCausality(run: ForwardPass, x: Float64Array, steps: number, direction: Direction): CheckResult {
  return compareAfterChanges(run, x, steps, [...Array(steps).keys()], (target, source) =>
    direction === 'forward' ? target < source : target > source,
  );
}

/**
 * The pairs (t, s) where any state changes with x_s although step s is masked.
 *
 * Source: D3 of method.md; Keras masking: a masked step copies the state, A = I and B = 0.
 *
 * @param run - The forward pass, with the mask inside.
 * @param x - `[T, D]`.
 * @param mask - `[T]`, 1 = valid.
 */
export function checkMask(run: ForwardPass, x: Float64Array, mask: ArrayLike<number>): CheckResult {
  const masked = [...Array(mask.length).keys()].filter((t) => mask[t] === 0);
  return compareAfterChanges(run, x, mask.length, masked, () => true);
}

function compareAfterChanges(
  run: ForwardPass,
  x: Float64Array,
  steps: number,
  sources: readonly number[],
  isCompared: (target: number, source: number) => boolean,
): CheckResult {
  const before = Float64Array.from(run(x));
  const inputDim = x.length / steps;
  const units = before.length / steps;
  const violations: Violation[] = [];
  let checked = 0;
  for (const sourceStep of sources) {
    const changed = Float64Array.from(x);
    for (let d = 0; d < inputDim; d++) changed[sourceStep * inputDim + d] += PERTURBATION;
    const after = run(changed);
    for (let targetStep = 0; targetStep < steps; targetStep++) {
      if (!isCompared(targetStep, sourceStep)) continue;
      checked++;
      for (let u = targetStep * units; u < (targetStep + 1) * units; u++) {
        if (Object.is(after[u], before[u])) continue;
        violations.push({ targetStep, sourceStep });
        break;
      }
    }
  }
  return { checked, violations };
}
