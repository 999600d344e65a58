/**
 * The sizes of a cell that decide how its work is cut into pieces and what it costs; pure, so that a run can be
 * estimated before an engine is loaded.
 */
import { isElementwise } from '../../core/activations';
import { hiddenSize as hiddenSizeOf, type CellDescription } from '../../core/model';

/** Sizes of a cell. */
export interface CellSizes {
  /** H */
  readonly units: number;
  /** D */
  readonly inputDim: number;
  /** P, the units of h: H but for an LSTM with a projection. */
  readonly hiddenSize: number;
  /** 2 for an LSTM (h and c), else 1. */
  readonly stateBlocks: 1 | 2;
  /** Units of h, and of c for an LSTM: P and H. */
  readonly blockSizes: readonly number[];
  /** S, the sum of them. */
  readonly stateSize: number;
  /** Rows of an operator: S, or 2H where a projection stands apart. */
  readonly operatorRows: number;
  /** Columns of an operator: P + D where the c columns stand apart, else S + D. */
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
  const hiddenSize = hiddenSizeOf(cell);
  const common = { units, inputDim, hiddenSize };
  const oneBlock = { stateBlocks: 1, blockSizes: [units], stateSize: units, operatorRows: units } as const;
  const square = units * units;
  const candidate = isElementwise(cell.activation.name) ? 0 : square;
  if (cell.kind === 'SimpleRNN') {
    const vectorLength = 12 * units + 4 * candidate;
    const operatorColumns = units + inputDim;
    return { ...common, ...oneBlock, operatorColumns, vectorLength, isFactored: candidate === 0 };
  }
  const gates = isElementwise(cell.recurrentActivation.name) ? 0 : square;
  const isDiagonal = candidate === 0 && gates === 0;
  if (cell.kind === 'LSTM') {
    const output = isElementwise(cell.outputActivation.name) ? 0 : square;
    const isFactored = isDiagonal && output === 0;
    const stateSize = hiddenSize + units;
    return {
      ...common,
      stateBlocks: 2,
      blockSizes: [hiddenSize, units],
      stateSize,
      operatorRows: isFactored ? 2 * units : stateSize,
      operatorColumns: (isFactored ? hiddenSize : stateSize) + inputDim,
      vectorLength: 80 * units + 4 * (candidate + output) + 12 * gates,
      isFactored,
    };
  }
  return {
    ...common,
    ...oneBlock,
    operatorColumns: units + inputDim,
    vectorLength: 60 * units + 4 * candidate + 8 * gates,
    isFactored: isDiagonal && cell.resetAfter,
  };
}
