/**
 * A SparseTensorProto: the numbers that are not zero, and their places.
 *
 * Source: onnx.proto, SparseTensorProto: indices `[N]` in the flattened tensor or `[N, rank]`, ascending, none twice.
 */
import { TempogradError } from '../../../core/errors';
import { sizeOf, type RealTensor } from '../../../core/tensor';
import type { ByteSource } from '../../byte-source';
import { readFields, readPackedVarints, toInteger } from '../../containers/protobuf';
import { OBJECT_BYTES } from '../../object-count';
import type { OnnxCount, OnnxTensor } from './onnx-tensor';

/**
 * A sparse tensor's place; it is named as its values are.
 *
 * @param source - The SparseTensorProto.
 * @param readTensor - Reads a TensorProto.
 * @param count - Counts its sizes.
 * @throws TempogradError `reader/corrupt`, `reader/truncated`, `reader/limit-exceeded`.
 */
export function readSparseTensor(
  source: ByteSource,
  readTensor: (source: ByteSource, count: OnnxCount) => OnnxTensor,
  count: OnnxCount,
): OnnxTensor {
  let [values, indices]: (OnnxTensor | null)[] = [null, null];
  const shape: number[] = [];
  for (const field of readFields(source, 'a sparse tensor')) {
    if (field.number === 1 && field.type === 'bytes') values = readTensor(field.source, count);
    else if (field.number === 2 && field.type === 'bytes') indices = readTensor(field.source, count);
    else if (field.number === 3 && field.type === 'varint') {
      count.entry(OBJECT_BYTES.entry);
      shape.push(toInteger(field.value, 'a size of a tensor'));
    } else if (field.number === 3 && field.type === 'bytes') {
      for (const size of readPackedVarints(field.source, 'the sizes of a tensor')) {
        count.entry(OBJECT_BYTES.entry);
        shape.push(toInteger(size, 'a size of a tensor'));
      }
    }
  }
  count.object(OBJECT_BYTES.record);
  const name = values?.name ?? '';
  if (!values || !indices) throw corrupt(`Sparse tensor ${name} lacks its values or their places`);
  if (shape.length === 0 || shape.some((size) => size < 1) || !Number.isSafeInteger(8 * sizeOf(shape))) {
    throw corrupt(`Sparse tensor ${name} has the shape [${shape.join(', ')}]`);
  }
  return { ...values, shape, raw: null, typed: [], external: null, sparse: { values, indices } };
}

/**
 * The tensor with its zeros.
 *
 * @param name - The name by which the graph knows it.
 * @param shape - Its shape, of at least one axis.
 * @param values - Its numbers, `[N]`.
 * @param indices - Their places, `[N]` or `[N, rank]`.
 * @returns The numbers in the type of the values.
 * @throws TempogradError `reader/corrupt` where a place lies outside, or before the one that stands before it.
 */
export function spreadOut(
  name: string,
  shape: readonly number[],
  values: RealTensor,
  indices: RealTensor,
): RealTensor['data'] {
  const count = values.data.length;
  const isLinear = indices.shape.length === 1;
  const width = isLinear ? 1 : (indices.shape[1] ?? 0);
  const fits = values.shape.length === 1 && indices.shape[0] === count && indices.shape.length <= 2;
  if (!fits || (!isLinear && width !== shape.length)) {
    throw corrupt(
      `Sparse tensor ${name} has values [${values.shape.join(', ')}] at places [${indices.shape.join(', ')}]`,
    );
  }
  const size = sizeOf(shape);
  const sizes = isLinear ? [size] : shape;
  const dense = values.data instanceof Float32Array ? new Float32Array(size) : new Float64Array(size);
  let last = -1;
  for (let entry = 0; entry < count; entry++) {
    let place = 0;
    for (const [axis, length] of sizes.entries()) {
      const index = indices.data[entry * width + axis] ?? NaN;
      if (!Number.isInteger(index) || index < 0 || index >= length)
        throw corrupt(`Sparse tensor ${name} has a number at ${String(index)}`);
      place = place * length + index;
    }
    if (place <= last) throw corrupt(`Sparse tensor ${name} has places that do not ascend`);
    dense[place] = values.data[entry] ?? NaN;
    last = place;
  }
  return dense;
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
