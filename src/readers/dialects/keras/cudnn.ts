/**
 * CuDNNLSTM and CuDNNGRU -> LSTM and GRU, as Keras itself converts them on loading.
 *
 * Their kernels are stored gate by gate, the input blocks as the Fortran-ordered reshape of their transpose, the
 * recurrent blocks transposed; their bias is the input bias followed by the recurrent bias.
 * Source: tf_keras/src/saving/legacy/hdf5_format.py, _convert_rnn_weights; keras PR #8307, #9112.
 */
import { PLAIN_LSTM, type CellDescription } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';

const TANH = { name: 'tanh' } as const;
const SIGMOID = { name: 'sigmoid' } as const;

/**
 * The LSTM that a CuDNNLSTM is.
 *
 * @param units - H.
 * @param kernel - `[D, 4H]`
 * @param recurrentKernel - `[H, 4H]`
 * @param bias - `[8H]`, input bias then recurrent bias; an LSTM's is their sum.
 */
export function convertCudnnLstm(
  units: number,
  kernel: RealTensor,
  recurrentKernel: RealTensor,
  bias: RealTensor,
): CellDescription {
  const half = 4 * units;
  const sum = new Float32Array(half).map((_, index) => at(bias, index) + at(bias, half + index));
  return {
    kind: 'LSTM',
    units,
    inputDim: kernel.shape[0] ?? 0,
    kernel: convertInput(kernel, units),
    recurrentKernel: transposeBlocks(recurrentKernel, units),
    bias: { shape: [half], data: sum },
    activation: TANH,
    recurrentActivation: SIGMOID,
    outputActivation: TANH,
    ...PLAIN_LSTM,
  };
}

/**
 * The GRU (reset after) that a CuDNNGRU is.
 *
 * @param units - H.
 * @param kernel - `[D, 3H]`
 * @param recurrentKernel - `[H, 3H]`
 * @param bias - `[6H]`, input bias then recurrent bias: the two rows of a GRU's.
 */
export function convertCudnnGru(
  units: number,
  kernel: RealTensor,
  recurrentKernel: RealTensor,
  bias: RealTensor,
): CellDescription {
  return {
    kind: 'GRU',
    units,
    inputDim: kernel.shape[0] ?? 0,
    kernel: convertInput(kernel, units),
    recurrentKernel: transposeBlocks(recurrentKernel, units),
    bias: { shape: [2, 3 * units], data: bias.data },
    activation: TANH,
    recurrentActivation: SIGMOID,
    clip: null,
    resetAfter: true,
  };
}

/** Each `[D, H]` block k becomes k.T reshaped to `[D, H]` in Fortran order: out[d, h] = flat(k)[h D + d]. */
function convertInput(kernel: RealTensor, units: number): RealTensor {
  const inputDim = kernel.shape[0] ?? 0;
  return mapBlocks(kernel, units, (block, row, column) => {
    const flat = column * inputDim + row;
    return at(kernel, Math.floor(flat / units) * columnsOf(kernel) + block * units + (flat % units));
  });
}

/** Each `[H, H]` block transposed. */
function transposeBlocks(kernel: RealTensor, units: number): RealTensor {
  return mapBlocks(kernel, units, (block, row, column) => at(kernel, column * columnsOf(kernel) + block * units + row));
}

function mapBlocks(
  kernel: RealTensor,
  units: number,
  value: (block: number, row: number, column: number) => number,
): RealTensor {
  const columns = columnsOf(kernel);
  const data = kernel.data.map((_, index) => {
    const column = index % columns;
    return value(Math.floor(column / units), Math.floor(index / columns), column % units);
  });
  return { shape: kernel.shape, data };
}

function columnsOf(kernel: RealTensor): number {
  return kernel.shape[1] ?? 0;
}

function at(tensor: RealTensor, index: number): number {
  return tensor.data[index] ?? NaN;
}
