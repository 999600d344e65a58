/**
 * The sizes of a cell that decide how its work is cut into pieces and what it costs; pure, so that a run can be
 * estimated before an engine is loaded.
 */
import { isElementwise } from '../../core/activations';
import type { CellDescription } from '../../core/model';

/** Sizes of a cell. */
export interface CellSizes {
  /** H */
  readonly units: number;
  /** D */
  readonly inputDim: number;
  /** 2 for an LSTM (h and c), else 1; S = H times this. */
  readonly stateBlocks: 1 | 2;
  /** Columns of an operator: H + D where the c columns stand apart, else S + D. */
  readonly operatorColumns: number;
  /** Float32 numbers that the vectors of one step of one sequence take while they are computed, about. */
  readonly vectorLength: number;
  /** False where step Jacobians are formed as full matrices. */
  readonly isFactored: boolean;
}

/**
 * The sizes of a cell.
 *
 * @param cell - The cell.
 */
export function cellSizes(cell: CellDescription): CellSizes {
  const { units, inputDim } = cell;
  const square = units * units;
  const candidate = isElementwise(cell.activation.name) ? 0 : square;
  if (cell.kind === 'SimpleRNN') {
    const vectorLength = 12 * units + 4 * candidate;
    const operatorColumns = units + inputDim;
    return { units, inputDim, stateBlocks: 1, operatorColumns, vectorLength, isFactored: candidate === 0 };
  }
  const gates = isElementwise(cell.recurrentActivation.name) ? 0 : square;
  const isDiagonal = candidate === 0 && gates === 0;
  if (cell.kind === 'LSTM') {
    return {
      units,
      inputDim,
      stateBlocks: 2,
      operatorColumns: isDiagonal ? units + inputDim : 2 * units + inputDim,
      vectorLength: 80 * units + 8 * candidate + 12 * gates,
      isFactored: isDiagonal,
    };
  }
  return {
    units,
    inputDim,
    stateBlocks: 1,
    operatorColumns: units + inputDim,
    vectorLength: 60 * units + 4 * candidate + 8 * gates,
    isFactored: isDiagonal && cell.resetAfter,
  };
}
