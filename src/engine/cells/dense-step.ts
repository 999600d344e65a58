/**
 * Step Jacobians that are full matrices: activations that mix units, and the GRU with reset before.
 *
 * The general, slower path: operators hold every column of the state, h then c, and nothing stands apart.
 */
import type { Ops, Value } from '../ops';

/** What can be had from full operators `[N, S, S+D]`. */
export class DenseStep {
  /** S */
  private readonly stateSize: number;

  /**
   * @param ops - Operations.
   * @param blockSizes - Units of h, and of c for an LSTM.
   * @param inputDim - D
   */
  constructor(
    private readonly ops: Ops,
    private readonly blockSizes: readonly number[],
    private readonly inputDim: number,
  ) {
    this.stateSize = blockSizes.reduce((sum, size) => sum + size, 0);
  }

  /**
   * `[N, units, D]` of each block; frees `operators`.
   *
   * @param operators - `[N, S, S+D]`
   */
  inputJacobians(operators: Value): Value[] {
    const { ops, blockSizes, stateSize, inputDim } = this;
    const count = operators.shape[0];
    const jacobians = ops.tidy(() => {
      const input = ops.slice(operators, [0, 0, stateSize], [count, stateSize, inputDim]);
      return ops.split(input, blockSizes, 1);
    });
    ops.dispose(operators);
    return jacobians;
  }

  /**
   * ds_t/ds_{t-1}, `[N, S, S]`; frees `operators`.
   *
   * @param operators - `[N, S, S+D]`
   */
  stateOperators(operators: Value): Value {
    const { ops, stateSize } = this;
    const count = operators.shape[0];
    const state = ops.slice(operators, [0, 0, 0], [count, stateSize, stateSize]);
    ops.dispose(operators);
    return state;
  }

  /**
   * ds_t/ds_{t-1} v, `[B, S]`; frees `operators`.
   *
   * @param operators - `[B, S, S+D]`
   * @param tangent - `[B, S]`
   */
  push(operators: Value, tangent: Value): Value {
    const { ops, stateSize } = this;
    const batch = operators.shape[0];
    const pushed = ops.tidy(() => {
      const state = ops.slice(operators, [0, 0, 0], [batch, stateSize, stateSize]);
      const column = ops.reshape(tangent, [batch, stateSize, 1]);
      return ops.reshape(ops.matMul(state, column), [batch, stateSize]);
    });
    ops.dispose(operators);
    return pushed;
  }
}
