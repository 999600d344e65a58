/** GRU in engine memory, reset after or before, blocks z r h: h_t = z h_{t-1} + (1 - z) n. */
import type { GruCell } from '../../core/model';
import type { Ops, Value } from '../ops';
import { cellSizes } from './cell-sizes';
import { DenseStep } from './dense-step';
import { FactoredStep } from './factored-step';
import { piecesOf, type PieceSource } from './kernel-pieces';
import { copyVectors, stackCoefficients } from './step-vectors';
import { runSteps } from './forward-steps';
import { asColumn, gateDerivative, gateSlope, gateValue, identityMatrix, scaledProduct } from './gate-derivative';
import type { StepPoints, StepVectors, BareCell } from './tensor-cell';
import { uploadWeights, type CellWeights } from './weights';

/** U_z and W_z, U_r and W_r, U_n, W_n, and the identity for diag(z). */
const PIECES: readonly PieceSource[] = [
  { state: 0, input: 0 },
  { state: 1, input: 1 },
  { state: 2, input: null },
  { state: null, input: 2 },
  { state: 'identity', input: null },
];

/** Pre-activations and what the reset gate acts on, each `[N, H]`. */
interface Gates {
  readonly aZ: Value;
  readonly aR: Value;
  readonly aN: Value;
  readonly z: Value;
  readonly r: Value;
  /** U_n h + b_rn with reset after; null before. */
  readonly q: Value | null;
}

/**
 * The cell with its weights uploaded.
 *
 * Numerics: derivatives at the pre-activations, which are computed anew from the states. Source: method.md 2.4.
 *
 * @param ops - Operations.
 * @param description - The cell.
 */
export function openGru(ops: Ops, description: GruCell): BareCell {
  const { activation, recurrentActivation, resetAfter, clip } = description;
  const weights = uploadWeights(ops, description, 3);
  const candidate = candidateWeights(ops, description);
  const sizes = cellSizes(description);

  /** The gates from what the input adds, `[N, 3H]`, and the state before. */
  const gatesOf = (fromInput: Value, h: Value): Gates => {
    const [xZ, xR, xN] = ops.split(fromInput, 3, 1);
    const gate = (a: Value): Value => gateValue(ops, recurrentActivation, clip, a);
    if (resetAfter) {
      const [hZ, hR, hN] = ops.split(ops.matMul(h, weights.recurrentKernel), 3, 1);
      const aZ = ops.add(xZ, hZ);
      const aR = ops.add(xR, hR);
      const r = gate(aR);
      const q = ops.add(hN, candidate.bias);
      return { aZ, aR, aN: ops.add(xN, ops.mul(r, q)), z: gate(aZ), r, q };
    }
    const [hZ, hR] = ops.split(ops.matMul(h, candidate.gateKernel), 2, 1);
    const aZ = ops.add(xZ, hZ);
    const aR = ops.add(xR, hR);
    const r = gate(aR);
    const aN = ops.add(xN, ops.matMul(ops.mul(r, h), candidate.recurrentKernel));
    return { aZ, aR, aN, z: gate(aZ), r, q: null };
  };
  const form = sizes.isFactored
    ? factoredForm(ops, description, weights, gatesOf)
    : denseForm(ops, description, weights, gatesOf);

  return {
    kind: 'GRU',
    isFused: false,
    ...sizes,
    projection: null,
    carry: () => null,
    ...form,
    forward: (x, state) =>
      runSteps(ops, weights.inputPart(x), state, (fromInput, before) => {
        const { aN, z, r } = gatesOf(fromInput, before.h);
        const n = gateValue(ops, activation, clip, aN);
        const h = ops.add(ops.mul(z, before.h), ops.mul(ops.sub(ops.constant(1), z), n));
        return { h, c: null, gates: { z, r, n } };
      }),
    dispose() {
      weights.dispose();
      candidate.dispose();
      form.dispose();
    },
  };
}

type Form = Pick<
  BareCell,
  'vectors' | 'operatorVectors' | 'operators' | 'stateOperators' | 'inputJacobians' | 'push' | 'pushColumns' | 'dispose'
>;
type GatesOf = (fromInput: Value, h: Value) => Gates;

interface CandidateWeights {
  /** b_rn, `[H]`; zeros without resetAfter or bias. */
  readonly bias: Value;
  /** U_z and U_r, `[H, 2H]`. */
  readonly gateKernel: Value;
  /** U_n as Keras keeps it, `[H, H]`. */
  readonly recurrentKernel: Value;
  dispose(): void;
}

function candidateWeights(ops: Ops, cell: GruCell): CandidateWeights {
  const { units, bias } = cell;
  const width = 3 * units;
  const recurrent = new Float64Array(units);
  if (bias && cell.resetAfter) recurrent.set(bias.data.subarray(width + 2 * units, 2 * width));
  const columns = (first: number, count: number): Float64Array =>
    Float64Array.from({ length: units * count }, (_, at) => {
      return cell.recurrentKernel.data[Math.floor(at / count) * width + first + (at % count)];
    });
  const made = {
    bias: ops.keep(ops.upload(recurrent, [units])),
    gateKernel: ops.keep(ops.upload(columns(0, 2 * units), [units, 2 * units])),
    recurrentKernel: ops.keep(ops.upload(columns(2 * units, units), [units, units])),
  };
  return { ...made, dispose: () => ops.dispose(made.bias, made.gateKernel, made.recurrentKernel) };
}

/** W x + b of N steps, `[N, 3H]`. */
function inputRows(ops: Ops, weights: CellWeights, x: Value): Value {
  return ops.add(ops.matMul(x, weights.kernel), weights.bias);
}

/**
 * A = diag(z) + az U_z + e q r' U_r + e r U_n, B = az W_z + e q r' W_r + e W_n, az = (h_{t-1} - n) z', e = (1-z) n'.
 */
function factoredForm(ops: Ops, cell: GruCell, weights: CellWeights, gatesOf: GatesOf): Form {
  const { activation, recurrentActivation, clip } = cell;
  const factored = new FactoredStep(ops, piecesOf(cell, 3, PIECES), 1, false);
  const derivative = (a: Value): Value => gateSlope(ops, recurrentActivation, clip, a);
  return {
    vectors: ({ x, hPrevious }: StepPoints): StepVectors =>
      ops.tidy(() => {
        const { aZ, aR, aN, z, r, q } = gatesOf(inputRows(ops, weights, x), hPrevious);
        const n = gateValue(ops, activation, clip, aN);
        const az = ops.mul(ops.sub(hPrevious, n), derivative(aZ));
        const e = ops.mul(ops.sub(ops.constant(1), z), gateSlope(ops, activation, clip, aN));
        const throughReset = ops.mul(ops.mul(e, q as Value), derivative(aR));
        return { coefficients: stackCoefficients(ops, [[az, throughReset, ops.mul(e, r), e, z]]) };
      }),
    operatorVectors: ({ coefficients }) => ({ entries: factored.entries(coefficients) }),
    operators: ({ entries }) => factored.operators(entries),
    stateOperators: ({ coefficients }) => factored.stateOperators(coefficients),
    inputJacobians: ({ coefficients }) => factored.inputJacobians(coefficients),
    pushColumns: ({ entries }, columns) => factored.pushColumns(entries, columns),
    push: ({ coefficients }, tangent) =>
      ops.tidy(() => ops.reshape(factored.push(coefficients, tangent), tangent.shape)),
    dispose: () => factored.dispose(),
  };
}

/**
 * Reset before, and any form with activations that mix units: with Z', R', N' the derivatives, as matrices,
 * [A | B] = diag(h_{t-1} - n) Z' [U_z|W_z] + diag(1 - z) N' M + [diag(z) | 0], where
 * before: M = U_n (diag(h_{t-1}) R' [U_r|W_r] + [diag(r) | 0]) + [0 | W_n];
 * after: M = diag(q) R' [U_r|W_r] + diag(r) [U_n | 0] + [0 | W_n].
 */
function denseForm(ops: Ops, cell: GruCell, weights: CellWeights, gatesOf: GatesOf): Form {
  const { units, inputDim, activation, recurrentActivation, clip } = cell;
  const columns = units + inputDim;
  const dense = new DenseStep(ops, [units], inputDim);
  /** [diag(value) | 0] */
  const diagonal = (value: Value, identity: Value): Value => {
    const square = ops.mul(asColumn(ops, value), identity);
    return ops.pad(
      square,
      [
        [0, 0],
        [0, 0],
        [0, inputDim],
      ],
      0,
    );
  };

  const operators = ({ update, forget, z, r, throughReset, dZ, dR, dN }: StepVectors): Value =>
    ops.tidy(() => {
      const identity = identityMatrix(ops, units);
      const rows = ops.reshape(weights.joinedRows(), [3, units, columns]);
      const [kernelZ, kernelR, kernelN] = ops.split(rows, 3, 0).map((kernel) => ops.reshape(kernel, [units, columns]));
      const [stateN, inputN] = ops.split(kernelN, [units, inputDim], 1);
      const onlyInputN = ops.pad(
        inputN,
        [
          [0, 0],
          [units, 0],
        ],
        0,
      );
      const reset = scaledProduct(ops, throughReset, dR, kernelR);
      const inner = cell.resetAfter
        ? ops.add(
            reset,
            ops.mul(
              asColumn(ops, r),
              ops.pad(
                stateN,
                [
                  [0, 0],
                  [0, inputDim],
                ],
                0,
              ),
            ),
          )
        : ops.matMul(stateN, ops.add(reset, diagonal(r, identity)));
      const fromUpdate = scaledProduct(ops, update, dZ, kernelZ);
      const fromCandidate = scaledProduct(ops, forget, dN, ops.add(inner, onlyInputN));
      return ops.add(ops.add(fromUpdate, fromCandidate), diagonal(z, identity));
    });

  return {
    vectors: ({ x, hPrevious }: StepPoints): StepVectors =>
      ops.tidy(() => {
        const { aZ, aR, aN, z, r, q } = gatesOf(inputRows(ops, weights, x), hPrevious);
        return {
          update: ops.sub(hPrevious, gateValue(ops, activation, clip, aN)),
          forget: ops.sub(ops.constant(1), z),
          z,
          r,
          throughReset: q ?? ops.reshape(hPrevious, hPrevious.shape),
          dZ: gateDerivative(ops, recurrentActivation, clip, aZ),
          dR: gateDerivative(ops, recurrentActivation, clip, aR),
          dN: gateDerivative(ops, activation, clip, aN),
        };
      }),
    operatorVectors: (vectors) => copyVectors(ops, vectors),
    operators,
    stateOperators: (vectors) => dense.stateOperators(operators(vectors)),
    inputJacobians: (vectors) => dense.inputJacobians(operators(vectors)),
    pushColumns: () => null,
    push: (vectors, tangent) => dense.push(operators(vectors), tangent),
    dispose: () => undefined,
  };
}
