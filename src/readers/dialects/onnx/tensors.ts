/**
 * A TensorProto where it lies: raw bytes, typed fields, or a range of a file beside the model.
 *
 * Source: onnx.proto, TensorProto and its DataType; onnx/docs/ExternalData.md.
 */
import { TempogradError } from '../../../core/errors';
import { sizeOf, type RealTensor } from '../../../core/tensor';
import { sliceSource, type ByteSource } from '../../byte-source';
import { readFields, readPackedVarints, readText, toInteger, type WireField } from '../../containers/protobuf';
import { OBJECT_BYTES } from '../../object-count';
import type { FormatOptions } from '../../reading';
import { decodeNumbers, itemBytesOf } from '../../stored-numbers';
import type { StoredTensor } from '../../stored-tensor';
import type { OnnxCount, OnnxTensor } from './onnx-tensor';
import { spreadOut } from './sparse-tensors';

/** Names of the data types that hold real numbers, with the field that holds them where they are not raw. */
const TYPES: Readonly<Record<number, { readonly dtype: string; readonly field: number }>> = {
  1: { dtype: 'float32', field: 4 },
  2: { dtype: 'uint8', field: 5 },
  3: { dtype: 'int8', field: 5 },
  4: { dtype: 'uint16', field: 5 },
  5: { dtype: 'int16', field: 5 },
  6: { dtype: 'int32', field: 5 },
  7: { dtype: 'int64', field: 7 },
  9: { dtype: 'bool', field: 5 },
  10: { dtype: 'float16', field: 5 },
  11: { dtype: 'float64', field: 10 },
  12: { dtype: 'uint32', field: 11 },
  13: { dtype: 'uint64', field: 11 },
  16: { dtype: 'bfloat16', field: 5 },
};

const FLOAT_FIELD = 4;
const DOUBLE_FIELD = 10;
const TYPED_FIELDS: ReadonlySet<number> = new Set([4, 5, 7, 10, 11]);

/** A tensor, and what its graph keeps to find it. */
const TENSOR_BYTES = 7 * OBJECT_BYTES.record;
/** A field with bytes of its own, be they only four. */
const FIELD_BYTES = 4 * OBJECT_BYTES.record;
const NOWHERE: ReadonlyMap<string, string> = new Map();

/**
 * A tensor's place.
 *
 * @param source - The TensorProto.
 * @param count - Counts it, its sizes, and its numbers where they stand one by one.
 * @throws TempogradError `reader/corrupt`, `reader/truncated`, `reader/limit-exceeded`.
 */
export function readOnnxTensor(source: ByteSource, count: OnnxCount): OnnxTensor {
  let name = '';
  let dataType = 0;
  let raw: ByteSource | null = null;
  let isExternal = false;
  const shape: number[] = [];
  const typed: WireField[] = [];
  let external: Map<string, string> | null = null;
  count.object(TENSOR_BYTES);
  for (const field of readFields(source, 'a tensor')) {
    if (field.number === 1) {
      for (const size of integersOf(field)) {
        count.entry(OBJECT_BYTES.entry);
        shape.push(toInteger(size, 'a size of a tensor'));
      }
    } else if (field.number === 2 && field.type === 'varint') dataType = toInteger(field.value, 'the type of a tensor');
    else if (field.number === 8 && field.type === 'bytes') {
      count.object(OBJECT_BYTES.text + field.source.size);
      name = readText(field.source, 'the name of a tensor');
    } else if (field.number === 9 && field.type === 'bytes') raw = field.source;
    else if (field.number === 13 && field.type === 'bytes') {
      external ??= new Map<string, string>();
      count.object(OBJECT_BYTES.pair + 2 * OBJECT_BYTES.text + field.source.size);
      external.set(...readEntry(field.source));
    } else if (field.number === 14 && field.type === 'varint') isExternal = field.value === 1n;
    else if (TYPED_FIELDS.has(field.number)) {
      count.entry(FIELD_BYTES);
      typed.push(field);
    }
  }
  if (shape.some((size) => size < 0) || !Number.isSafeInteger(8 * sizeOf(shape))) {
    throw corrupt(`Tensor ${name} has the shape [${shape.join(', ')}]`);
  }
  return { name, shape, dataType, raw, typed, external: isExternal ? (external ?? NOWHERE) : null, sparse: null };
}

/**
 * A tensor as readers take it.
 *
 * @param tensor - The tensor.
 * @param name - The name by which the graph knows it.
 * @param options - Opens files beside the model.
 */
export function storeOnnxTensor(tensor: OnnxTensor, name: string, options: FormatOptions): StoredTensor {
  const { shape, dataType } = tensor;
  const dtype = TYPES[dataType]?.dtype ?? `type ${String(dataType)}`;
  return { name, shape, dtype, read: () => Promise.resolve({ shape, data: readNumbers(tensor, name, options) }) };
}

function readNumbers(tensor: OnnxTensor, name: string, options: FormatOptions): RealTensor['data'] {
  const type = TYPES[tensor.dataType];
  if (!type) {
    throw new TempogradError(
      'cell/unsupported',
      `Tensor ${name} has the ONNX data type ${String(tensor.dataType)}, which holds no real numbers that are read`,
    );
  }
  if (tensor.sparse) {
    const [values, indices] = [tensor.sparse.values, tensor.sparse.indices].map((part) => ({
      shape: part.shape,
      data: readNumbers(part, name, options),
    }));
    if (values && indices) return spreadOut(name, tensor.shape, values, indices);
  }
  const count = sizeOf(tensor.shape);
  const bytes = count * (itemBytesOf(type.dtype) ?? 1);
  const raw = tensor.external ? openExternal(tensor.external, name, bytes, options) : tensor.raw;
  if (raw) {
    if (raw.size !== bytes || tensor.typed.length > 0) {
      throw corrupt(
        `Tensor ${name} has ${String(raw.size)} bytes of numbers, its shape [${tensor.shape.join(', ')}] needs ${String(bytes)}`,
      );
    }
    return decodeNumbers(raw.read(0, bytes), type.dtype, true, name);
  }
  return readTyped(tensor, name, type, count);
}

function checkCount(found: number, count: number, shape: readonly number[], name: string): void {
  if (found === count) return;
  throw corrupt(
    `Tensor ${name} holds ${found > count ? 'more' : 'fewer'} numbers than its shape [${shape.join(', ')}] has`,
  );
}

/** float_data and double_data are fixed-size numbers, the others varints; each stands packed or one by one. */
function readTyped(
  tensor: OnnxTensor,
  name: string,
  { dtype, field: wanted }: { readonly dtype: string; readonly field: number },
  count: number,
): RealTensor['data'] {
  const stray = tensor.typed.find(({ number }) => number !== wanted);
  if (stray) throw corrupt(`Tensor ${name} of type ${dtype} has numbers in field ${String(stray.number)}`);
  const isFixed = wanted === FLOAT_FIELD || wanted === DOUBLE_FIELD;
  const [only] = tensor.typed;
  if (only && isFixed && tensor.typed.length === 1) {
    const values = fixedOf(only, dtype);
    checkCount(values.length, count, tensor.shape, name);
    return values;
  }
  // Each number takes a byte or more: what the shape claims is not made without them.
  const bytes = tensor.typed.reduce((sum, field) => sum + (field.type === 'bytes' ? field.source.size : 8), 0);
  if (bytes < count) checkCount(bytes, count, tensor.shape, name);
  const numbers = dtype === 'float32' ? new Float32Array(count) : new Float64Array(count);
  let found = 0;
  for (const field of tensor.typed) {
    for (const value of isFixed ? fixedOf(field, dtype) : variable(field)) {
      numbers[found++] = value;
      if (found > count) break;
    }
  }
  checkCount(found, count, tensor.shape, name);
  if (dtype !== 'float16' && dtype !== 'bfloat16') return numbers;
  // The sixteen bits of each number stand in an int32.
  return decodeNumbers(new Uint8Array(Uint16Array.from(numbers).buffer), dtype, true, name);
}

function fixedOf(field: WireField, dtype: string): RealTensor['data'] {
  const bytes =
    field.type === 'bytes' ? field.source.read(0, field.source.size) : field.type === 'varint' ? null : field.bytes;
  const width = dtype === 'float32' ? 4 : 8;
  if (!bytes || bytes.length % width !== 0) throw corrupt('The numbers of a tensor do not end with a whole one');
  return decodeNumbers(bytes, dtype, true, 'of numbers');
}

function* variable(field: WireField): Generator<number> {
  for (const value of integersOf(field)) yield Number(BigInt.asIntN(64, value));
}

function* integersOf(field: WireField): Generator<bigint> {
  if (field.type === 'varint') yield field.value;
  else if (field.type === 'bytes') yield* readPackedVarints(field.source, 'the integers of a tensor');
  else throw corrupt(`The integers of a tensor have the wire type ${field.type}`);
}

function readEntry(source: ByteSource): readonly [string, string] {
  let [key, value] = ['', ''];
  for (const field of readFields(source, 'the place of external data')) {
    if (field.type !== 'bytes') continue;
    if (field.number === 1) key = readText(field.source, 'a key of external data');
    else if (field.number === 2) value = readText(field.source, 'a value of external data');
  }
  return [key, value];
}

function openExternal(
  place: ReadonlyMap<string, string>,
  name: string,
  bytes: number,
  options: FormatOptions,
): ByteSource {
  const location = place.get('location') ?? '';
  const parts = location.split('/');
  if (/[\\\0:]/.test(location) || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new TempogradError(
      'reader/unsafe',
      `Tensor ${name} lies outside the model's folder: ${JSON.stringify(location)}`,
      { details: { tensor: name, location } },
    );
  }
  const source = options.openBeside(location);
  if (!source) {
    throw new TempogradError(
      'reader/external-data-missing',
      `Tensor ${name} lies in ${location}, which is not beside the model`,
      { details: { tensor: name, file: location } },
    );
  }
  const offset = placeNumber(place.get('offset') ?? '0', name);
  const length = placeNumber(place.get('length') ?? String(bytes), name);
  if (offset + length > source.size) {
    throw new TempogradError(
      'reader/truncated',
      `Tensor ${name} lies at byte ${String(offset)} of ${location}, which has only ${String(source.size)} bytes`,
      { details: { tensor: name, offset, length, size: source.size } },
    );
  }
  return sliceSource(source, offset, length);
}

function placeNumber(text: string, name: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw corrupt(`Tensor ${name} has the place ${JSON.stringify(text.slice(0, 40))} in external data`);
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
