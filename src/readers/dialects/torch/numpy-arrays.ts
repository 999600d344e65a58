/**
 * NumPy arrays in a pickle.
 *
 * Source: numpy/_core/src/multiarray/methods.c (`__reduce__`, `__setstate__`), numpy/_core/numeric.py (`_frombuffer`).
 */
import { TempogradError } from '../../../core/errors';
import { sizeOf } from '../../../core/tensor';
import { PickleObject, type PickleValue } from '../../containers/pickle-values';
import type { StoredTensor } from '../../stored-tensor';
import { bytesOf, isCount, itemsOf, pathOf } from './records';
import { readView } from './storage-views';
import { elementBytesOf, type TorchFile } from './storages';

const MAX_AXES = 64;

const TYPES: Readonly<Record<string, string>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

/**
 * The array that a record makes; null for one of texts or objects, and for any other record.
 *
 * @param value - The record.
 * @param name - The array's name.
 * @param file - The file.
 * @throws TempogradError `reader/corrupt` for one whose bytes are not what its shape needs.
 */
export function arrayOf(value: PickleObject, name: string, file: TorchFile): StoredTensor | null {
  const path = pathOf(value.callable);
  if (/^numpy\._?core\.multiarray\._reconstruct$/.test(path)) {
    const [, shape, type, isFortran, raw] = itemsOf(value.state);
    return makeArray(shape, type, isFortran === true, raw, name, file);
  }
  if (/^numpy\._?core\.numeric\._frombuffer$/.test(path)) {
    const [raw, type, shape, order] = itemsOf(value.args);
    return makeArray(shape, type, order === 'F', raw, name, file);
  }
  return null;
}

function makeArray(
  size: PickleValue | undefined,
  type: PickleValue | undefined,
  isFortran: boolean,
  raw: PickleValue | undefined,
  name: string,
  file: TorchFile,
): StoredTensor | null {
  const shape = itemsOf(size ?? null);
  if (!(type instanceof PickleObject) || pathOf(type.callable) !== 'numpy.dtype') return null;
  const code = itemsOf(type.args)[0];
  const dtype = typeof code === 'string' && Object.hasOwn(TYPES, code) ? TYPES[code] : undefined;
  const source = bytesOf(raw ?? null);
  if (dtype === undefined || !source || !shape.every(isCount) || shape.length > MAX_AXES) return null;
  if (source.size !== sizeOf(shape) * (elementBytesOf(dtype) ?? 0)) {
    throw new TempogradError(
      'reader/corrupt',
      `${file.name}: array ${name} has ${String(source.size)} bytes, which is not what its shape needs`,
      { details: { tensor: name } },
    );
  }
  const view = {
    name,
    shape,
    strides: isFortran ? stridesOf(shape) : [...stridesOf([...shape].reverse())].reverse(),
    offset: 0,
    dtype,
    littleEndian: itemsOf(type.state)[1] !== '>',
  };
  return { name, shape, dtype, read: () => Promise.resolve(readView(source, view, file.name)) };
}

/** Strides when the first axis moves fastest. */
function stridesOf(shape: readonly number[]): readonly number[] {
  let stride = 1;
  return shape.map((size) => {
    const own = stride;
    stride *= size;
    return own;
  });
}
