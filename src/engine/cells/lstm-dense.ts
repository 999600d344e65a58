/** The step Jacobians of an LSTM as full matrices, for activations that mix units. */
import { hiddenSize as hiddenSizeOf, type LstmCell } from '../../core/model';
import { activate } from '../ops/activations';
import type { Ops, Value } from '../ops';
import { DenseStep } from './dense-step';
import { copyVectors } from './step-vectors';
import { asColumn, gateDerivative, identityMatrix, scaledProduct } from './gate-derivative';
import { lstmGates, type LstmWeights } from './lstm-weights';
import type { StepForm, StepPoints, StepVectors } from './tensor-cell';

/**
 * With primes for derivatives, as matrices where they mix units, and m = o psi(c_t), h_t = projection^T m:
 * dc_t = diag(g) I' (K_i + diag(p_i) dc) + diag(c_{t-1}) F' (K_f + diag(p_f) dc) + diag(i) G' K_g + diag(f) dc,
 * dm_t = diag(psi) O' (K_o + diag(p_o) dc_t) + diag(o) Psi' dc_t. State rows are h, then c.
 *
 * Source: method.md 2.3.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param weights - Its weights.
 */
export function denseLstm(ops: Ops, cell: LstmCell, weights: LstmWeights): StepForm {
  const { units, inputDim } = cell;
  const hiddenSize = hiddenSizeOf(cell);
  const dense = new DenseStep(ops, [hiddenSize, units], inputDim);
  const operators = (step: StepVectors): Value => ops.tidy(() => formOperators(ops, cell, weights, step));
  return {
    projection: null,
    vectors: (points) => ops.tidy(() => stepVectors(ops, cell, weights, points)),
    operatorVectors: (step) => copyVectors(ops, step),
    operators,
    carry: () => null,
    stateOperators: (step) => dense.stateOperators(operators(step)),
    inputJacobians: (step) => dense.inputJacobians(operators(step)),
    pushColumns: () => null,
    push: (step, tangent) => dense.push(operators(step), tangent),
    dispose: () => undefined,
  };
}

function stepVectors(ops: Ops, cell: LstmCell, weights: LstmWeights, points: StepPoints): StepVectors {
  const { activation, recurrentActivation, outputActivation, clip, inputForget } = cell;
  const c = points.c as Value;
  const cPrevious = points.cPrevious as Value;
  const sums = ops.split(weights.sums(points), 4, 1);
  const { i, f, g, o } = lstmGates(ops, cell, sums);
  return {
    ...{ i, f, o, psi: activate(ops, outputActivation, c), cPrevious: ops.reshape(cPrevious, cPrevious.shape) },
    throughInput: inputForget ? ops.sub(g, cPrevious) : g,
    dI: gateDerivative(ops, recurrentActivation, clip, sums[0]),
    dF: gateDerivative(ops, recurrentActivation, clip, sums[1]),
    dG: gateDerivative(ops, activation, clip, sums[2]),
    dO: gateDerivative(ops, recurrentActivation, clip, sums[3]),
    dPsi: gateDerivative(ops, outputActivation, null, c),
  };
}

/** `[N, S, S + D]` */
function formOperators(ops: Ops, cell: LstmCell, weights: LstmWeights, step: StepVectors): Value {
  const { units, inputDim, inputForget } = cell;
  const { i, f, o, psi, cPrevious, throughInput, dI, dF, dG, dO, dPsi } = step;
  const hiddenSize = hiddenSizeOf(cell);
  const columns = hiddenSize + inputDim;
  const rows = ops.reshape(weights.joinedRows(), [4, units, columns]);
  const kernels = ops.split(rows, 4, 0).map((kernel) => ops.reshape(kernel, [units, columns]));
  const identity = identityMatrix(ops, units);
  const peepholes = weights.peepholes?.map((peephole) => asColumn(ops, peephole)) ?? null;

  /** What c_t gets from the gates i and f by matrices that act in their place. */
  const fromGates = (toInput: Value, toForget: Value): Value => {
    const fromInput = scaledProduct(ops, throughInput, dI, toInput);
    return inputForget ? fromInput : ops.add(fromInput, scaledProduct(ops, cPrevious, dF, toForget));
  };
  /** What m gets from dc_t. */
  const throughCell = (cellRows: Value): Value => {
    const direct = scaledProduct(ops, o, dPsi, cellRows);
    return peepholes ? ops.add(direct, scaledProduct(ops, psi, dO, ops.mul(peepholes[2], cellRows))) : direct;
  };
  const projected = (memory: Value): Value =>
    weights.projectionRows ? ops.matMul(weights.projectionRows, memory) : memory;

  const cellRows = ops.add(fromGates(kernels[0], kernels[1]), scaledProduct(ops, i, dG, kernels[2]));
  const memoryRows = ops.add(throughCell(cellRows), scaledProduct(ops, psi, dO, kernels[3]));
  const forget = ops.mul(asColumn(ops, f), identity);
  const kept = peepholes
    ? ops.add(forget, fromGates(ops.mul(peepholes[0], identity), ops.mul(peepholes[1], identity)))
    : forget;
  const withCell = (block: Value, cellColumns: Value): Value => {
    const [state, input] = ops.split(block, [hiddenSize, inputDim], 2);
    return ops.concat([state, cellColumns, input], 2);
  };
  return ops.concat([withCell(projected(memoryRows), projected(throughCell(kept))), withCell(cellRows, kept)], 1);
}
