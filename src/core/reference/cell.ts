/**
 * What a float64 reference cell can do, and the arrays it works on.
 *
 * The cells are the oracle of the tests and the slow, truthful engine: closed forms of method.md 2.2 to 2.4, one
 * sequence, one step at a time. Nothing here allocates in a step, so that small models stay fast.
 */
import { hiddenSize, type CellDescription, type CellKind } from '../model';

/** The state before a step: h `[P]`, and c `[H]` for an LSTM; P = H without a projection. */
export interface CellState {
  readonly h: Float64Array;
  /** null for SimpleRNN and GRU. */
  readonly c: Float64Array | null;
}

/** What one step gives; blocks of `gates` and `preActivations` in the order i f g o, z r n, or h alone. */
export interface CellStep {
  /** `[P]` */
  readonly h: Float64Array;
  /** `[H]`, null for SimpleRNN and GRU. */
  readonly c: Float64Array | null;
  /** `[G*H]`, after their activation; for a SimpleRNN h itself. */
  readonly gates: Float64Array;
  /** `[G*H]`, before their activation. */
  readonly preActivations: Float64Array;
}

/** The step Jacobians; the state s is h, or h then c. */
export interface StepJacobians {
  /** ds_t/ds_{t-1}, `[S, S]` row-major. */
  readonly stateJacobian: Float64Array;
  /** ds_t/dx_t, `[S, D]` row-major. */
  readonly inputJacobian: Float64Array;
}

/** Which step Jacobians are wanted; the array of the other is left as it is. */
export type JacobianPart = 'both' | 'state' | 'input';

/** A cell with its weights in float64, one row per unit. */
export interface ReferenceCell {
  readonly kind: CellKind;
  /** H */
  readonly units: number;
  /** P, the units of h: H but for an LSTM with a projection. */
  readonly hiddenSize: number;
  /** D */
  readonly inputDim: number;
  /** S: P + H for an LSTM, else H. */
  readonly stateSize: number;
  /** True for an LSTM. */
  readonly hasCell: boolean;
  /** Number of gate blocks: 1, 4, 3. */
  readonly gateCount: number;
  /** True where the columns of the state Jacobian that belong to c hold two diagonals only. */
  readonly hasDiagonalCellColumns: boolean;
  /** Computes one step from x `[D]` and the state before it into `out`. */
  step(x: Float64Array, previous: CellState, out: CellStep): void;
  /** Computes ds_t/ds_{t-1} and ds_t/dx_t (or one of them) at x `[D]` and the state before the step into `out`. */
  linearise(x: Float64Array, previous: CellState, out: StepJacobians, part: JacobianPart): void;
}

/**
 * Arrays for the result of `ReferenceCell.step`.
 *
 * @param cell - The cell.
 */
export function newCellStep(cell: ReferenceCell): CellStep {
  return {
    h: new Float64Array(cell.hiddenSize),
    c: cell.hasCell ? new Float64Array(cell.units) : null,
    gates: new Float64Array(cell.gateCount * cell.units),
    preActivations: new Float64Array(cell.gateCount * cell.units),
  };
}

/**
 * Arrays for the result of `ReferenceCell.linearise`.
 *
 * @param cell - The cell.
 */
export function newStepJacobians(cell: ReferenceCell): StepJacobians {
  return {
    stateJacobian: new Float64Array(cell.stateSize * cell.stateSize),
    inputJacobian: new Float64Array(cell.stateSize * cell.inputDim),
  };
}

/**
 * A state of zeros.
 *
 * @param cell - The cell.
 */
export function zeroState(cell: ReferenceCell): CellState {
  return { h: new Float64Array(cell.hiddenSize), c: cell.hasCell ? new Float64Array(cell.units) : null };
}

/**
 * A cell's kernels and biases in float64 with one row per unit and gate.
 *
 * @param cell - The description, kernels `[D, G*H]` and `[P, G*H]`.
 * @param gateCount - G.
 * @returns kernel `[G*H, D]`, recurrentKernel `[G*H, P]`.
 */
export function unitRows(
  cell: CellDescription,
  gateCount: number,
): { readonly kernel: Float64Array; readonly recurrentKernel: Float64Array } {
  const rows = gateCount * cell.units;
  const turn = (data: ArrayLike<number>, columns: number): Float64Array => {
    const turned = new Float64Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) turned[row * columns + column] = data[column * rows + row];
    }
    return turned;
  };
  return {
    kernel: turn(cell.kernel.data, cell.inputDim),
    recurrentKernel: turn(cell.recurrentKernel.data, hiddenSize(cell)),
  };
}
