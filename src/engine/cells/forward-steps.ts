/** The forward pass one step at a time, for every cell and activation. */
import type { Ops, Value } from '../ops';
import type { ForwardSteps, ValueState } from './tensor-cell';

/** One step: states and gates, each `[B, H]`. */
export interface OneStep extends ValueState {
  readonly gates: Readonly<Record<string, Value>>;
}

/**
 * Runs `step` along the first axis.
 *
 * @param ops - Operations.
 * @param inputPart - `[n, B, G*H]`, what x adds to the pre-activations; freed here.
 * @param initial - The state before the first step.
 * @param step - One step from `[B, G*H]` and the state before it.
 */
export function runSteps(
  ops: Ops,
  inputPart: Value,
  initial: ValueState,
  step: (inputPart: Value, state: ValueState) => OneStep,
): ForwardSteps {
  const [steps, batch, width] = inputPart.shape;
  const forward = ops.tidy(() => {
    const done: OneStep[] = [];
    let state = initial;
    for (const part of ops.split(inputPart, steps, 0)) {
      const before = state;
      const next = ops.tidy(() => {
        const { h, c, gates } = step(ops.reshape(part, [batch, width]), before);
        return { h, c, gates };
      });
      done.push(next);
      state = next;
    }
    const stack = (pick: (one: OneStep) => Value): Value => {
      const shape = [1, ...pick(done[0]).shape];
      return ops.concat(
        done.map((one) => ops.reshape(pick(one), shape)),
        0,
      );
    };
    const gates: Record<string, Value> = {};
    for (const name of Object.keys(done[0].gates)) gates[name] = stack((one) => one.gates[name]);
    return { h: stack((one) => one.h), c: initial.c ? stack((one) => one.c as Value) : null, gates };
  });
  ops.dispose(inputPart);
  return forward;
}
