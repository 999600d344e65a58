/**
 * LSTM in engine memory, blocks i f c o.
 *
 * Plain sigmoid and tanh run forward in one fused kernel where the engine has it; everything else step by step.
 */
import type { ActivationDescription } from '../../core/activations';
import type { LstmCell } from '../../core/model';
import { activate, activationDerivative } from '../ops/activations';
import type { Ops, Value } from '../ops';
import { cellSizes, type CellSizes } from './cell-sizes';
import { DenseStep } from './dense-step';
import { copyVectors, FactoredStep, piecesOf, stackCoefficients } from './factored-step';
import { runSteps } from './forward-steps';
import { asColumn, gateDerivative, identityMatrix, scaledProduct } from './gate-derivative';
import type { ForwardSteps, StepPoints, StepVectors, BareCell, ValueState } from './tensor-cell';
import { uploadWeights, type CellWeights } from './weights';

const PIECES = [0, 1, 2, 3].map((gate) => ({ state: gate, input: gate }));

/**
 * The cell with its weights uploaded.
 *
 * Numerics: derivatives at the pre-activations, which are computed anew from the states. Source: method.md 2.3.
 *
 * @param ops - Operations.
 * @param description - The cell.
 */
export function openLstm(ops: Ops, description: LstmCell): BareCell {
  const { activation, recurrentActivation } = description;
  const weights = uploadWeights(ops, description, 4);
  const sizes = cellSizes(description);
  const form = sizes.isFactored ? factoredForm(ops, description, weights) : denseForm(ops, description, weights);
  const isPlain = activation.name === 'tanh' && recurrentActivation.name === 'sigmoid';
  const isFused = isPlain && ops.native !== null;

  const fused = (x: Value, state: ValueState): ForwardSteps => {
    const made = ops.native?.fusedLstm(x, state.h, state.c as Value, weights.joined(), weights.bias);
    if (!made) throw new Error('the fused forward pass needs the native engine');
    const { h, c, i, f, g, o } = made;
    return { h, c, gates: { i, f, g, o } };
  };

  return {
    kind: 'LSTM',
    isFused,
    ...sizes,
    ...form,
    forward: (x, state) =>
      isFused
        ? fused(x, state)
        : runSteps(ops, weights.inputPart(x), state, (fromInput, before) => {
            const a = ops.add(fromInput, ops.matMul(before.h, weights.recurrentKernel));
            const { i, f, g, o } = gateValues(ops, description, ops.split(a, 4, 1));
            const c = ops.add(ops.mul(f, before.c as Value), ops.mul(i, g));
            return { h: ops.mul(o, activate(ops, activation, c)), c, gates: { i, f, g, o } };
          }),
    dispose() {
      weights.dispose();
      form.dispose();
    },
  };
}

type Form = Omit<BareCell, 'kind' | 'isFused' | 'forward' | keyof CellSizes>;

function gateValues(ops: Ops, cell: LstmCell, a: readonly Value[]): Record<'i' | 'f' | 'g' | 'o', Value> {
  const gate = (description: ActivationDescription, at: number): Value => activate(ops, description, a[at]);
  const { activation, recurrentActivation } = cell;
  return {
    i: gate(recurrentActivation, 0),
    f: gate(recurrentActivation, 1),
    g: gate(activation, 2),
    o: gate(recurrentActivation, 3),
  };
}

/**
 * alpha_i = g i', alpha_f = c_{t-1} f', alpha_g = i g', beta = psi(c) o', kappa = o psi'(c): the rows of c are
 * alpha_i U_i + alpha_f U_f + alpha_g U_g, those of h kappa times that + beta U_o; the columns of c hold
 * kappa f and f. Rows of an operator alternate between h and c, so that a group of one step needs no transposition.
 */
function factoredForm(ops: Ops, cell: LstmCell, weights: CellWeights): Form {
  const { units, activation, recurrentActivation } = cell;
  const factored = new FactoredStep(ops, piecesOf(cell, 4, PIECES), 2, true);

  const vectors = (points: StepPoints): StepVectors =>
    ops.tidy(() => {
      const cPrevious = points.cPrevious as Value;
      const c = points.c as Value;
      const a = weights.preActivations(points.x, points.hPrevious);
      const [i, f, , o] = ops.split(activate(ops, recurrentActivation, a), 4, 1);
      const [di, df, , dO] = ops.split(activationDerivative(ops, recurrentActivation, a), 4, 1);
      const candidate = ops.slice(a, [0, 2 * units], [a.shape[0], units]);
      const g = activate(ops, activation, candidate);
      const alphaI = ops.mul(g, di);
      const alphaF = ops.mul(cPrevious, df);
      const alphaG = ops.mul(i, activationDerivative(ops, activation, candidate));
      const beta = ops.mul(activate(ops, activation, c), dO);
      const kappa = ops.mul(o, activationDerivative(ops, activation, c));
      const throughCell = [alphaI, alphaF, alphaG].map((alpha) => ops.mul(kappa, alpha));
      const column = (value: Value): Value => ops.reshape(value, [...value.shape, 1]);
      return {
        coefficients: stackCoefficients(ops, [
          [...throughCell, beta],
          [alphaI, alphaF, alphaG, null],
        ]),
        carry: ops.concat([column(ops.mul(kappa, f)), column(f)], 2),
      };
    });

  return {
    stateRow: (block, unit) => 2 * unit + block,
    vectors,
    operatorVectors: ({ coefficients, carry }) => ({
      entries: factored.entries(coefficients),
      carry: ops.reshape(carry, carry.shape),
    }),
    operators: ({ entries }) => factored.operators(entries),
    carry: ({ carry }) => carry,
    inputJacobians: ({ coefficients }) => factored.inputJacobians(coefficients),
    push: ({ coefficients, carry }, tangent) =>
      ops.tidy(() => {
        const [h, c] = ops.split(tangent, 2, 1);
        const throughCell = ops.transpose(ops.mul(carry, ops.reshape(c, [...c.shape, 1])), [0, 2, 1]);
        return ops.reshape(ops.add(factored.push(coefficients, h), throughCell), tangent.shape);
      }),
    dispose: () => factored.dispose(),
  };
}

/** The same with matrices for the derivatives of activations that mix units; state rows are h, then c. */
function denseForm(ops: Ops, cell: LstmCell, weights: CellWeights): Form {
  const { units, inputDim, activation, recurrentActivation } = cell;
  const dense = new DenseStep(ops, 2 * units, inputDim);
  const columns = units + inputDim;

  const vectors = (points: StepPoints): StepVectors =>
    ops.tidy(() => {
      const c = points.c as Value;
      const parts = ops.split(weights.preActivations(points.x, points.hPrevious), 4, 1);
      const { i, f, g, o } = gateValues(ops, cell, parts);
      const cPrevious = points.cPrevious as Value;
      return {
        ...{ i, f, g, o, psi: activate(ops, activation, c), cPrevious: ops.reshape(cPrevious, cPrevious.shape) },
        dI: gateDerivative(ops, recurrentActivation, parts[0]),
        dF: gateDerivative(ops, recurrentActivation, parts[1]),
        dG: gateDerivative(ops, activation, parts[2]),
        dO: gateDerivative(ops, recurrentActivation, parts[3]),
        dPsi: gateDerivative(ops, activation, c),
      };
    });

  const operators = ({ i, f, g, o, psi, cPrevious, dI, dF, dG, dO, dPsi }: StepVectors): Value =>
    ops.tidy(() => {
      const rows = ops.reshape(weights.joinedRows(), [4, units, columns]);
      const kernels = ops.split(rows, 4, 0).map((kernel) => ops.reshape(kernel, [units, columns]));
      const fromInput = scaledProduct(ops, g, dI, kernels[0]);
      const fromForget = scaledProduct(ops, cPrevious, dF, kernels[1]);
      const cRows = ops.add(ops.add(fromInput, fromForget), scaledProduct(ops, i, dG, kernels[2]));
      const hRows = ops.add(scaledProduct(ops, o, dPsi, cRows), scaledProduct(ops, psi, dO, kernels[3]));
      const forget = ops.mul(asColumn(ops, f), identityMatrix(ops, units));
      const withCell = (block: Value, throughCell: Value): Value => {
        const [state, input] = ops.split(block, [units, inputDim], 2);
        return ops.concat([state, throughCell, input], 2);
      };
      const hAll = withCell(hRows, scaledProduct(ops, o, dPsi, forget));
      return ops.concat([hAll, withCell(cRows, forget)], 1);
    });

  return {
    stateRow: (block, unit) => block * units + unit,
    vectors,
    operatorVectors: (step) => copyVectors(ops, step),
    operators,
    carry: () => null,
    inputJacobians: (step) => dense.inputJacobians(operators(step), 2),
    push: (step, tangent) => dense.push(operators(step), tangent),
    dispose: () => undefined,
  };
}
