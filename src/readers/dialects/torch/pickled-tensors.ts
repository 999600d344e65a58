/**
 * PyTorch's objects in a pickle: tensors over storages, NumPy arrays, dictionaries and modules, told from the records of the
 * calls that would make them.
 *
 * Source: torch/_utils.py (`_rebuild_tensor_v2`, `_rebuild_parameter`), torch/serialization.py (persistent ids),
 * numpy/core/multiarray (`_reconstruct`, state of an array).
 */
import { TempogradError } from '../../../core/errors';
import { sizeOf, type RealTensor } from '../../../core/tensor';
import type { ByteSource } from '../../byte-source';
import { memorySource } from '../../byte-source';
import {
  PickleGlobal,
  PickleObject,
  PicklePersistent,
  PickleTuple,
  type PickleValue,
} from '../../containers/pickle-values';
import { decodeNumbers, itemBytesOf } from '../../stored-numbers';
import type { StoredTensor } from '../../stored-tensor';

/** A storage that a pickle refers to. */
export interface TorchStorage {
  readonly key: string;
  /** `float32`; null where only the tensor knows (an untyped storage). */
  readonly dtype: string | null;
  /** Elements, or bytes of an untyped one. */
  readonly count: number;
  /** First element, of a view into another storage (before PyTorch 0.4). */
  readonly viewOffset: number;
}

/** Opens the bytes of a storage. */
export type OpenStorage = (storage: TorchStorage) => Promise<ByteSource>;

/** How the numbers of a file are stored. */
export interface TorchFile {
  readonly name: string;
  readonly littleEndian: boolean;
  readonly open: OpenStorage;
}

const STORAGE_TYPES: Readonly<Record<string, string>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
};

/** dtypes by the names that PyTorch gives them. */
const DTYPES: Readonly<Record<string, string>> = {
  float64: 'float64',
  double: 'float64',
  float32: 'float32',
  float: 'float32',
  float16: 'float16',
  half: 'float16',
  bfloat16: 'bfloat16',
  int64: 'int64',
  int32: 'int32',
  int16: 'int16',
  int8: 'int8',
  uint8: 'uint8',
  bool: 'bool',
};

/**
 * The tensor that a record makes, null when it makes none.
 *
 * @param value - Any value of the pickle.
 * @param name - The tensor's name.
 * @param file - The file.
 * @throws TempogradError `reader/corrupt` for a tensor that contradicts itself.
 */
export function tensorOf(value: PickleValue, name: string, file: TorchFile): StoredTensor | null {
  if (!(value instanceof PickleObject)) return null;
  const made = pathOf(value.callable);
  const args = itemsOf(value.args);
  switch (made) {
    case 'torch._utils._rebuild_parameter':
    case 'torch._utils._rebuild_parameter_with_state':
      return tensorOf(args[0] ?? null, name, file);
    case 'torch._tensor._rebuild_from_type_v2':
      return tensorOf(new PickleObject(args[0] ?? null, args[2] ?? null), name, file);
    case 'torch._utils._rebuild_tensor':
    case 'torch._utils._rebuild_tensor_v2':
      return viewOf(args, null, name, file);
    case 'torch._utils._rebuild_tensor_v3':
      return viewOf(args, dtypeOf(args[6] ?? null), name, file);
    case 'numpy.core.multiarray._reconstruct':
    case 'numpy._core.multiarray._reconstruct':
      return arrayOf(value.state, name, file);
    default:
      return null;
  }
}

/**
 * The storage that a persistent reference names, null when it names none.
 *
 * @param value - Any value.
 */
export function storageOf(value: PickleValue): TorchStorage | null {
  if (!(value instanceof PicklePersistent)) return null;
  const [kind, type, key, , count, view] = itemsOf(value.id);
  if (kind !== 'storage' || !(type instanceof PickleGlobal) || !isCount(count)) return null;
  if (typeof key !== 'string' || !/^[\w.-]{1,64}$/.test(key)) return null;
  const [, viewOffset] = itemsOf(view ?? null);
  return { key, dtype: STORAGE_TYPES[type.name] ?? null, count, viewOffset: isCount(viewOffset) ? viewOffset : 0 };
}

/**
 * The items of a tuple or a list; none for anything else.
 *
 * @param value - Any value.
 */
export function itemsOf(value: PickleValue): readonly PickleValue[] {
  return value instanceof PickleTuple ? value.items : Array.isArray(value) ? value : [];
}

/**
 * The entries of a dictionary of whatever kind with texts for keys; null for anything else.
 *
 * @param value - Any value.
 */
export function entriesOf(value: PickleValue): ReadonlyMap<string, PickleValue> | null {
  const isOrdered =
    value instanceof PickleObject && /^collections\.(OrderedDict|defaultdict)$/.test(pathOf(value.callable));
  const map = value instanceof Map ? value : isOrdered ? orderedEntries(value) : null;
  if (!map) return null;
  const entries = new Map<string, PickleValue>();
  for (const [key, item] of map) {
    if (typeof key === 'string') entries.set(key, item);
    else if (typeof key === 'number') entries.set(String(key), item);
  }
  return entries;
}

/** Python 2 gave an OrderedDict its entries as a list of pairs in the call. */
function orderedEntries(value: PickleObject): ReadonlyMap<PickleValue, PickleValue> {
  const pairs = itemsOf(itemsOf(value.args)[0] ?? null).map((pair) => itemsOf(pair));
  const given = pairs.flatMap((pair): [PickleValue, PickleValue][] =>
    pair.length === 2 ? [[pair[0]!, pair[1]!]] : [],
  );
  return new Map([...given, ...value.entries]);
}

/**
 * The dotted name of what a record would call; empty when it is no import.
 *
 * @param callable - What would be called.
 */
export function pathOf(callable: PickleValue): string {
  return callable instanceof PickleGlobal ? callable.path : '';
}

function dtypeOf(value: PickleValue): string | null {
  return value instanceof PickleGlobal && value.module === 'torch' ? (DTYPES[value.name] ?? null) : null;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** A tensor as a view into a storage. */
function viewOf(
  args: readonly PickleValue[],
  ownType: string | null,
  name: string,
  file: TorchFile,
): StoredTensor | null {
  const storage = storageOf(args[0] ?? null);
  if (!storage) return null;
  const [, offset, size, stride] = args;
  const shape = itemsOf(size ?? null);
  const strides = itemsOf(stride ?? null);
  if (!isCount(offset) || !shape.every(isCount) || !strides.every(isCount) || shape.length !== strides.length) {
    throw corrupt(file, name, 'its size, stride or offset is no whole number from 0 on');
  }
  const dtype = ownType ?? storage.dtype;
  if (dtype === null) throw corrupt(file, name, 'its type is not known');
  return {
    name,
    shape,
    dtype,
    read: () => readView({ ...storage, offset: offset + storage.viewOffset, shape, strides, dtype, name }, file),
  };
}

interface View extends TorchStorage {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly dtype: string;
  readonly name: string;
}

async function readView(view: View, file: TorchFile): Promise<RealTensor> {
  const { shape, strides, offset, dtype, name } = view;
  const itemBytes = itemBytesOf(dtype) ?? 1;
  const source = await file.open(view);
  const present = Math.floor(source.size / itemBytes);
  const count = sizeOf(shape);
  const last = count === 0 ? -1 : shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
  if (last >= present) {
    throw corrupt(file, name, `it ends at element ${String(last)} of a storage that has ${String(present)}`);
  }
  if (count > present) throw corrupt(file, name, 'its elements lie on one another in the storage');
  if (count === 0) return { shape, data: new Float32Array(0) };
  if (isContiguous(shape, strides)) {
    const bytes = source.read(offset * itemBytes, count * itemBytes);
    return { shape, data: decodeNumbers(bytes, dtype, file.littleEndian, name) };
  }
  const span = last - offset + 1;
  const stored = decodeNumbers(source.read(offset * itemBytes, span * itemBytes), dtype, file.littleEndian, name);
  return { shape, data: gather(stored, shape, strides, count) };
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis] ?? 1;
  }
  return true;
}

function gather(
  stored: RealTensor['data'],
  shape: readonly number[],
  strides: readonly number[],
  count: number,
): RealTensor['data'] {
  const data = stored instanceof Float64Array ? new Float64Array(count) : new Float32Array(count);
  const position = shape.map(() => 0);
  for (let index = 0, from = 0; index < count; index++) {
    data[index] = stored[from] ?? NaN;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis] = (position[axis] ?? 0) + 1;
      from += strides[axis] ?? 0;
      if ((position[axis] ?? 0) < (shape[axis] ?? 0)) break;
      from -= (position[axis] ?? 0) * (strides[axis] ?? 0);
      position[axis] = 0;
    }
  }
  return data;
}

const ARRAY_TYPES: Readonly<Record<string, string>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  b1: 'bool',
};

/** A NumPy array by its state: version, shape, type, whether it is in Fortran order, bytes. */
function arrayOf(state: PickleValue, name: string, file: TorchFile): StoredTensor | null {
  const [, size, type, isFortran, raw] = itemsOf(state);
  const shape = itemsOf(size ?? null);
  if (!(type instanceof PickleObject) || !/^numpy\.dtype$/.test(pathOf(type.callable))) return null;
  const code = itemsOf(type.args)[0];
  const dtype = typeof code === 'string' ? ARRAY_TYPES[code] : undefined;
  const bytes = bytesOf(raw ?? null);
  if (dtype === undefined || !bytes || !shape.every(isCount) || isFortran === true) return null;
  const littleEndian = itemsOf(type.state)[1] !== '>';
  if (bytes.length !== sizeOf(shape) * (itemBytesOf(dtype) ?? 0)) {
    throw corrupt(file, name, `it has ${String(bytes.length)} bytes, which is not what its shape needs`);
  }
  const source = memorySource(bytes);
  return {
    name,
    shape,
    dtype,
    read: () => Promise.resolve({ shape, data: decodeNumbers(source.read(0, source.size), dtype, littleEndian, name) }),
  };
}

/** Bytes as they are, or as protocol 2 writes them: `_codecs.encode(text, 'latin1')`. */
function bytesOf(value: PickleValue): Uint8Array | null {
  if (value instanceof Uint8Array) return value;
  if (!(value instanceof PickleObject) || pathOf(value.callable) !== '_codecs.encode') return null;
  const [text, encoding] = itemsOf(value.args);
  if (typeof text !== 'string' || encoding !== 'latin1') return null;
  return Uint8Array.from(text, (sign) => sign.charCodeAt(0));
}

function corrupt({ name: file }: TorchFile, tensor: string, reason: string): TempogradError {
  return new TempogradError('reader/corrupt', `${file}: tensor ${tensor}: ${reason}`, { details: { tensor } });
}
