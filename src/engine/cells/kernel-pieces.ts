/** The fixed kernels that rows of step Jacobians are combined from, in the layouts that forming needs. */
import { hiddenSize, type CellDescription } from '../../core/model';
import type { RealArray } from '../engine';

/** One fixed kernel: a block of the recurrent kernel, of the kernel, both, or the identity on the state. */
export interface PieceSource {
  /** Gate block of the recurrent kernel, null for zeros, `identity` for the unit matrix. */
  readonly state: number | 'identity' | null;
  /** Gate block of the kernel, null for zeros. */
  readonly input: number | null;
}

/** The fixed kernels of a cell; made when they are asked for, so that nothing of them stays on the host. */
export interface KernelPieces {
  readonly units: number;
  /** Units of h, the columns of the state. */
  readonly stateWidth: number;
  readonly inputDim: number;
  /** P */
  readonly count: number;
  /** `[H, P, width]`: columns of the state, of the input, or of both in this order. */
  gather(columns: 'state' | 'input' | 'both'): RealArray;
}

/**
 * The fixed kernels of a cell in the layout that forming needs.
 *
 * @param cell - Keras kernels `[D, G*H]`, `[H, G*H]`, or fewer rows of the latter with a projection.
 * @param gates - G.
 * @param sources - One entry per piece.
 */
export function piecesOf(cell: CellDescription, gates: number, sources: readonly PieceSource[]): KernelPieces {
  const { units, inputDim, kernel, recurrentKernel } = cell;
  const count = sources.length;
  const stride = gates * units;
  const isDouble = kernel.data instanceof Float64Array || recurrentKernel.data instanceof Float64Array;
  return {
    units,
    stateWidth: hiddenSize(cell),
    inputDim,
    count,
    gather(columns) {
      const stateWidth = columns === 'input' ? 0 : hiddenSize(cell);
      const width = stateWidth + (columns === 'state' ? 0 : inputDim);
      const size = units * count * width;
      const rows = isDouble ? new Float64Array(size) : new Float32Array(size);
      sources.forEach((source, piece) => {
        for (let unit = 0; unit < units; unit++) {
          const row = (unit * count + piece) * width;
          if (source.state === 'identity' && stateWidth > 0) rows[row + unit] = 1;
          if (typeof source.state === 'number') {
            const column = source.state * units + unit;
            for (let v = 0; v < stateWidth; v++) rows[row + v] = recurrentKernel.data[v * stride + column];
          }
          if (source.input === null) continue;
          const column = source.input * units + unit;
          for (let d = stateWidth; d < width; d++) rows[row + d] = kernel.data[(d - stateWidth) * stride + column];
        }
      });
      return rows;
    },
  };
}
