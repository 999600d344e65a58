/** SimpleRNN in engine memory: h_t = phi(a_t), a_t = W x_t + U h_{t-1} + b. */
import type { SimpleRnnCell } from '../../core/model';
import type { Ops, Value } from '../ops';
import { cellSizes } from './cell-sizes';
import { FactoredStep } from './factored-step';
import { piecesOf } from './kernel-pieces';
import { stackCoefficients } from './step-vectors';
import { runSteps } from './forward-steps';
import type { StepPoints, StepVectors, BareCell } from './tensor-cell';
import { DenseStep } from './dense-step';
import { gateDerivative, gateSlope, gateValue } from './gate-derivative';
import { uploadWeights } from './weights';

/**
 * The cell with its weights uploaded.
 *
 * d = phi'(a_t): A = diag(d) U, B = diag(d) W; softmax and its kin have their full Jacobian instead of diag(d).
 * Numerics: derivatives at the pre-activation, which is computed anew from the states. Source: method.md 2.2.
 *
 * @param ops - Operations.
 * @param description - The cell.
 */
export function openSimpleRnn(ops: Ops, description: SimpleRnnCell): BareCell {
  const { units, inputDim, activation, clip } = description;
  const weights = uploadWeights(ops, description, 1);
  const sizes = cellSizes(description);
  const isDiagonal = sizes.isFactored;
  const factored = new FactoredStep(ops, piecesOf(description, 1, [{ state: 0, input: 0 }]), 1, false);
  const dense = new DenseStep(ops, [units], inputDim);

  /** phi'(a) [U | W], `[N, H, H+D]`. */
  const denseOperators = ({ derivative }: StepVectors): Value => ops.matMul(derivative, weights.joinedRows());

  return {
    kind: 'SimpleRNN',
    isFused: false,
    ...sizes,
    projection: null,
    forward: (x, state) =>
      runSteps(ops, weights.inputPart(x), state, (fromInput, { h }) => ({
        h: gateValue(ops, activation, clip, ops.add(fromInput, ops.matMul(h, weights.recurrentKernel))),
        c: null,
        gates: {},
      })),
    vectors: (points: StepPoints) =>
      ops.tidy((): StepVectors => {
        const a = weights.preActivations(points.x, points.hPrevious);
        if (!isDiagonal) return { derivative: gateDerivative(ops, activation, clip, a) };
        return { coefficients: stackCoefficients(ops, [[gateSlope(ops, activation, clip, a)]]) };
      }),
    operatorVectors: ({ coefficients, derivative }): StepVectors =>
      isDiagonal
        ? { entries: factored.entries(coefficients) }
        : { derivative: ops.reshape(derivative, derivative.shape) },
    operators: (vectors) => (isDiagonal ? factored.operators(vectors.entries) : denseOperators(vectors)),
    carry: () => null,
    stateOperators: (vectors) =>
      isDiagonal ? factored.stateOperators(vectors.coefficients) : dense.stateOperators(denseOperators(vectors)),
    inputJacobians: (vectors) =>
      isDiagonal ? factored.inputJacobians(vectors.coefficients) : dense.inputJacobians(denseOperators(vectors)),
    pushColumns: (vectors, columns) => (isDiagonal ? factored.pushColumns(vectors.entries, columns) : null),
    push: (vectors, tangent) =>
      isDiagonal
        ? ops.tidy(() => ops.reshape(factored.push(vectors.coefficients, tangent), tangent.shape))
        : dense.push(denseOperators(vectors), tangent),
    dispose() {
      weights.dispose();
      factored.dispose();
    },
  };
}
