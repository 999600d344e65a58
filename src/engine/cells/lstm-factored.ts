/** The step Jacobians of an LSTM whose derivatives are all diagonal. */
import { hiddenSize as hiddenSizeOf, type LstmCell } from '../../core/model';
import { activate, activationDerivative } from '../ops/activations';
import type { Ops, Value } from '../ops';
import { FactoredStep } from './factored-step';
import { piecesOf } from './kernel-pieces';
import { stackCoefficients } from './step-vectors';
import { gateSlope, gateValue } from './gate-derivative';
import type { LstmWeights } from './lstm-weights';
import type { StepForm, StepPoints, StepVectors } from './tensor-cell';

const PIECES = [0, 1, 2, 3].map((gate) => ({ state: gate, input: gate }));

/**
 * alpha_i = g i' (or (g - c_{t-1}) i' where f = 1 - i), alpha_f = c_{t-1} f', alpha_g = i g', beta = psi(c) o',
 * kappa = o psi'(c) + p_o beta, delta = f + p_f alpha_f + p_i alpha_i: the rows of c are alpha_i U_i + alpha_f U_f +
 * alpha_g U_g, those of h kappa times that + beta U_o; the columns of c hold kappa delta and delta. Rows of an operator
 * are those of h, then those of c. With a projection all this holds for m = o psi(c) in the place of h, and
 * h = projection^T m.
 *
 * Source: method.md 2.3.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param weights - Its weights.
 */
export function factoredLstm(ops: Ops, cell: LstmCell, weights: LstmWeights): StepForm {
  const factored = new FactoredStep(ops, piecesOf(cell, 4, PIECES), 2, true);
  const { projection, projectionRows } = weights;
  const hiddenSize = hiddenSizeOf(cell);
  return {
    projection,
    vectors: (points) => ops.tidy(() => stepVectors(ops, cell, weights, points)),
    operatorVectors: ({ coefficients, carry }) => ({
      entries: factored.entries(coefficients),
      carry: ops.reshape(carry, carry.shape),
    }),
    operators: ({ entries }) => factored.operators(entries),
    carry: ({ carry }) => carry,
    stateOperators: ({ coefficients }) => factored.stateOperators(coefficients),
    inputJacobians: ({ coefficients }) => {
      const [memory, c] = factored.inputJacobians(coefficients);
      if (!projectionRows) return [memory, c];
      const h = ops.matMul(projectionRows, memory);
      ops.dispose(memory);
      return [h, c];
    },
    pushColumns: ({ entries }, columns) => factored.pushColumns(entries, columns),
    push: ({ coefficients, carry }, tangent) =>
      ops.tidy(() => {
        const [h, c] = ops.split(tangent, [hiddenSize, cell.units], 1);
        const throughCell = ops.transpose(ops.mul(carry, ops.reshape(c, [...c.shape, 1])), [0, 2, 1]);
        const pushed = ops.add(factored.push(coefficients, h), throughCell);
        const flat = ops.reshape(pushed, [tangent.shape[0], 2 * cell.units]);
        if (!projection) return flat;
        const [memory, next] = ops.split(flat, 2, 1);
        return ops.concat([ops.matMul(memory, projection), next], 1);
      }),
    dispose: () => factored.dispose(),
  };
}

function stepVectors(ops: Ops, cell: LstmCell, weights: LstmWeights, points: StepPoints): StepVectors {
  const { units, activation, recurrentActivation, outputActivation, clip, inputForget } = cell;
  const cPrevious = points.cPrevious as Value;
  const c = points.c as Value;
  const sums = weights.sums(points);
  const [i, ownForget, , o] = ops.split(gateValue(ops, recurrentActivation, clip, sums), 4, 1);
  const [di, df, , dO] = ops.split(gateSlope(ops, recurrentActivation, clip, sums), 4, 1);
  const candidate = ops.slice(sums, [0, 2 * units], [sums.shape[0], units]);
  const g = gateValue(ops, activation, clip, candidate);
  const f = inputForget ? ops.sub(ops.constant(1), i) : ownForget;
  const alphaI = ops.mul(inputForget ? ops.sub(g, cPrevious) : g, di);
  const alphaF = inputForget ? null : ops.mul(cPrevious, df);
  const alphaG = ops.mul(i, gateSlope(ops, activation, clip, candidate));
  const beta = ops.mul(activate(ops, outputActivation, c), dO);
  let kappa = ops.mul(o, activationDerivative(ops, outputActivation, c));
  let delta = f;
  if (weights.peepholes) {
    const [input, forget, output] = weights.peepholes;
    kappa = ops.add(kappa, ops.mul(output, beta));
    delta = ops.add(delta, ops.mul(input, alphaI));
    if (alphaF) delta = ops.add(delta, ops.mul(forget, alphaF));
  }
  const alphas = [alphaI, alphaF, alphaG];
  const throughCell = alphas.map((alpha) => alpha && ops.mul(kappa, alpha));
  const column = (value: Value): Value => ops.reshape(value, [...value.shape, 1]);
  return {
    coefficients: stackCoefficients(ops, [
      [...throughCell, beta],
      [...alphas, null],
    ]),
    carry: ops.concat([column(ops.mul(kappa, delta)), column(delta)], 2),
  };
}
