/**
 * The step Jacobians of an LSTM from the derivatives of its gates: method.md 2.3 with every option.
 *
 * Where all derivatives are diagonal the rows are written in one pass; softmax and its kin take full matrices.
 */
import type { RealTensor } from '../tensor';
import { addScaledProduct, addScaledRow, type Gate, type MatrixView } from './gate';

/** The gates of an LSTM and its output activation psi, all with their latest derivative. */
export interface LstmGates {
  readonly input: Gate;
  readonly forget: Gate;
  readonly candidate: Gate;
  readonly output: Gate;
  readonly psi: Gate;
}

/** What the derivative of an LSTM depends on besides its kernels. */
export interface LstmOptions {
  /** H */
  readonly units: number;
  /** P */
  readonly hiddenSize: number;
  /** `[3H]`, blocks i f o. */
  readonly peepholes: RealTensor | null;
  /** `[H, P]` */
  readonly projection: RealTensor | null;
  readonly inputForget: boolean;
}

/** A step at which the gates were differentiated. */
export interface LstmPoint {
  /** `[4H]`, i f g o. */
  readonly gates: Float64Array;
  /** c_{t-1}, `[H]` */
  readonly cBefore: Float64Array;
  /** psi(c_t), `[H]` */
  readonly squashed: Float64Array;
}

/** Writes the parts of the step Jacobians. */
export interface LstmDerivative {
  /** True where dh_t/dc_{t-1} and dc_t/dc_{t-1} are diagonal. */
  readonly hasDiagonalCellColumns: boolean;
  /** The h and c rows of a Jacobian, first `columns` columns, from a kernel `[4H, columns]`. */
  writeRows(target: MatrixView, kernel: Float64Array, columns: number, point: LstmPoint): void;
  /** dh_t/dc_{t-1} and dc_t/dc_{t-1} into the last H columns of zeros `[S, S]`. */
  writeCellColumns(stateJacobian: Float64Array, point: LstmPoint): void;
}

/**
 * The derivative of an LSTM step.
 *
 * With primes for derivatives at the pre-activation and m = o psi(c_t):
 * dc_t = diag(g) I' (K_i + diag(p_i) dc) + diag(c_{t-1}) F' (K_f + diag(p_f) dc) + diag(i) G' K_g + diag(f) dc,
 * dm_t = diag(psi) O' (K_o + diag(p_o) dc_t) + diag(o) Psi' dc_t, h_t = m_t, or P^T m_t with a projection.
 * With f = 1 - i the forget row is gone and diag(g) becomes diag(g - c_{t-1}).
 *
 * Numerics: float64. Source: method.md 2.3; peepholes of Gers and Schmidhuber 2000, projection of Sak et al. 1402.1128,
 * `input_forget` of the ONNX operator LSTM.
 *
 * @param gates - The gates, differentiated before each call.
 * @param options - Options of the cell.
 */
export function makeLstmDerivative(gates: LstmGates, options: LstmOptions): LstmDerivative {
  const { units, hiddenSize, projection, inputForget } = options;
  const peephole = (block: number): Float64Array | null =>
    options.peepholes ? Float64Array.from(options.peepholes.data.subarray(block * units, (block + 1) * units)) : null;
  const [inputPeephole, forgetPeephole, outputPeephole] = [peephole(0), peephole(1), peephole(2)];
  const isElementwise = Object.values(gates).every((gate: Gate) => gate.isElementwise);
  const throughInput = new Float64Array(units);

  /** The factor of I': g, or g - c_{t-1} where the forget gate is 1 - i. */
  const setThroughInput = ({ gates: values, cBefore }: LstmPoint): void => {
    for (let u = 0; u < units; u++) throughInput[u] = values[2 * units + u] - (inputForget ? cBefore[u] : 0);
  };

  /** dm_t/dc_t at unit u, by psi and by the peephole of o. */
  const throughCell = (u: number, { gates: values, squashed }: LstmPoint): number => {
    const direct = values[3 * units + u] * gates.psi.derivative[u];
    return outputPeephole === null ? direct : direct + outputPeephole[u] * squashed[u] * gates.output.derivative[u];
  };

  const writeDiagonalRows = (
    memory: MatrixView,
    cell: MatrixView,
    kernel: Float64Array,
    columns: number,
    point: LstmPoint,
  ): void => {
    const { gates: values, cBefore, squashed } = point;
    const block = units * columns;
    for (let u = 0; u < units; u++) {
      const fromInput = throughInput[u] * gates.input.derivative[u];
      const fromForget = inputForget ? 0 : cBefore[u] * gates.forget.derivative[u];
      const fromCandidate = values[u] * gates.candidate.derivative[u];
      const fromOutput = squashed[u] * gates.output.derivative[u];
      const fromCell = throughCell(u, point);
      const memoryRow = memory.offset + u * memory.stride;
      const cellRow = cell.offset + u * cell.stride;
      for (let j = 0, at = u * columns; j < columns; j++, at++) {
        const toCell =
          fromInput * kernel[at] + fromForget * kernel[at + block] + fromCandidate * kernel[at + 2 * block];
        cell.data[cellRow + j] = toCell;
        memory.data[memoryRow + j] = fromOutput * kernel[at + 3 * block] + fromCell * toCell;
      }
    }
  };

  const writeFullRows = (
    memory: MatrixView,
    cell: MatrixView,
    kernel: Float64Array,
    columns: number,
    point: LstmPoint,
  ): void => {
    const { gates: values, cBefore } = point;
    const block = (k: number): MatrixView => ({ data: kernel, offset: k * units * columns, stride: columns });
    clearRows(memory, units, columns);
    clearRows(cell, units, columns);
    addScaledProduct(cell, throughInput, gates.input, block(0), columns);
    if (!inputForget) addScaledProduct(cell, cBefore, gates.forget, block(1), columns);
    addScaledProduct(cell, values.subarray(0, units), gates.candidate, block(2), columns);
    addScaledProduct(memory, point.squashed, gates.output, block(3), columns);
    addFromCell(memory, cell, columns, point);
  };

  /** memory += (diag(psi) O' diag(p_o) + diag(o) Psi') cell. */
  const addFromCell = (memory: MatrixView, cell: MatrixView, columns: number, point: LstmPoint): void => {
    const { gates: values, squashed } = point;
    if (outputPeephole !== null) {
      const scaled: MatrixView = { data: new Float64Array(units * columns), offset: 0, stride: columns };
      for (let u = 0; u < units; u++) {
        addScaledRow(scaled.data, u * columns, outputPeephole[u], cell.data, cell.offset + u * cell.stride, columns);
      }
      addScaledProduct(memory, squashed, gates.output, scaled, columns);
    }
    addScaledProduct(memory, values.subarray(3 * units), gates.psi, cell, columns);
  };

  /** dc_t/dc_{t-1} as a matrix `[H, H]`. */
  const cellMatrix = ({ gates: values, cBefore }: LstmPoint): MatrixView => {
    const matrix: MatrixView = { data: new Float64Array(units * units), offset: 0, stride: units };
    for (let u = 0; u < units; u++) matrix.data[u * units + u] = values[units + u];
    if (inputPeephole !== null) addScaledProduct(matrix, throughInput, gates.input, diagonal(inputPeephole), units);
    if (forgetPeephole !== null && !inputForget) {
      addScaledProduct(matrix, cBefore, gates.forget, diagonal(forgetPeephole), units);
    }
    return matrix;
  };

  const writeDiagonalColumns = (memory: MatrixView, cell: MatrixView, point: LstmPoint): void => {
    const { gates: values, cBefore } = point;
    for (let u = 0; u < units; u++) {
      let kept = values[units + u];
      if (inputPeephole !== null) kept += inputPeephole[u] * throughInput[u] * gates.input.derivative[u];
      if (forgetPeephole !== null && !inputForget) kept += forgetPeephole[u] * cBefore[u] * gates.forget.derivative[u];
      cell.data[cell.offset + u * cell.stride + u] = kept;
      memory.data[memory.offset + u * memory.stride + u] = throughCell(u, point) * kept;
    }
  };

  const writeFullColumns = (memory: MatrixView, cell: MatrixView, point: LstmPoint): void => {
    const kept = cellMatrix(point);
    for (let u = 0; u < units; u++) {
      addScaledRow(cell.data, cell.offset + u * cell.stride, 1, kept.data, u * units, units);
    }
    addFromCell(memory, kept, units, point);
  };

  /** Where the rows of m go: those of h itself, or a matrix to be projected afterwards. */
  const memoryOf = (target: MatrixView, columns: number): MatrixView =>
    projection === null ? target : { data: new Float64Array(units * columns), offset: 0, stride: columns };

  /** h rows = P^T times the m rows. */
  const project = (target: MatrixView, memory: MatrixView, columns: number): void => {
    if (projection === null) return;
    clearRows(target, hiddenSize, columns);
    for (let u = 0; u < units; u++) {
      for (let p = 0; p < hiddenSize; p++) {
        const weight = projection.data[u * hiddenSize + p];
        addScaledRow(target.data, target.offset + p * target.stride, weight, memory.data, u * columns, columns);
      }
    }
  };

  return {
    hasDiagonalCellColumns:
      projection === null && gates.psi.isElementwise && (options.peepholes === null || gates.output.isElementwise),
    writeRows: (target, kernel, columns, point) => {
      setThroughInput(point);
      const cell = { ...target, offset: target.offset + hiddenSize * target.stride };
      const memory = memoryOf(target, columns);
      (isElementwise ? writeDiagonalRows : writeFullRows)(memory, cell, kernel, columns, point);
      project(target, memory, columns);
    },
    writeCellColumns: (stateJacobian, point) => {
      setThroughInput(point);
      const stride = hiddenSize + units;
      const target: MatrixView = { data: stateJacobian, offset: hiddenSize, stride };
      const cell: MatrixView = { data: stateJacobian, offset: hiddenSize * stride + hiddenSize, stride };
      const memory = memoryOf(target, units);
      (isElementwise ? writeDiagonalColumns : writeFullColumns)(memory, cell, point);
      project(target, memory, units);
    },
  };
}

function diagonal(values: Float64Array): MatrixView {
  const size = values.length;
  const data = new Float64Array(size * size);
  for (let u = 0; u < size; u++) data[u * size + u] = values[u];
  return { data, offset: 0, stride: size };
}

function clearRows(matrix: MatrixView, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) {
    const start = matrix.offset + row * matrix.stride;
    matrix.data.fill(0, start, start + columns);
  }
}
