/**
 * Tensors of PyTorch in a pickle, told from the records of the calls that would make them.
 *
 * Source: torch/_utils.py (`_rebuild_*`), torch/_tensor.py (`_rebuild_from_type_v2`), torch/storage.py
 * (`_load_from_bytes`).
 */
import { TempogradError } from '../../../core/errors';
import type { RealTensor } from '../../../core/tensor';
import type { ByteSource } from '../../byte-source';
import { PickleGlobal, PickleObject, type PickleValue } from '../../containers/pickle-values';
import { unpickle } from '../../containers/pickle';
import type { CountedLimits } from '../../limits';
import type { StoredTensor } from '../../stored-tensor';
import { isLegacyMagic, readLegacy } from './legacy-layout';
import { arrayOf } from './numpy-arrays';
import { bytesOf, isCount, itemsOf, pathOf } from './records';
import { readView, rowsOfView } from './storage-views';
import { bytesOfStorage, storageOf, type NestedStorage, type TorchFile, type TorchStorage } from './storages';

/** dtypes that have two names. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['double', 'float64'],
  ['float', 'float32'],
  ['half', 'float16'],
  ['long', 'int64'],
  ['int', 'int32'],
  ['short', 'int16'],
]);

/** A parameter around a parameter is as deep as any program writes. */
const MAX_WRAPPERS = 8;
/** PyTorch has no tensor of more axes. */
const MAX_AXES = 64;

/**
 * The tensor that a record makes, null when it makes none.
 *
 * @param value - Any value of the pickle.
 * @param nameOf - Gives the tensor's name; asked only where there is a tensor.
 * @param file - The file.
 * @throws TempogradError `reader/corrupt` for a tensor that contradicts itself.
 */
export function tensorOf(value: PickleValue, nameOf: () => string, file: TorchFile): StoredTensor | null {
  const record = unwrap(value);
  if (!record) return null;
  const made = pathOf(record.callable);
  const args = itemsOf(record.args);
  switch (made) {
    case 'torch._utils._rebuild_tensor':
    case 'torch._utils._rebuild_tensor_v2':
      return viewOf(args, null, args[6] ?? null, nameOf(), file);
    case 'torch._utils._rebuild_tensor_v3':
      return viewOf(args, dtypeOf(args[6] ?? null), args[7] ?? null, nameOf(), file);
    case 'torch._utils._rebuild_qtensor':
      return quantized(args, nameOf(), file);
    case 'torch._utils._rebuild_sparse_tensor':
      return unreadable(itemsOf(args[1] ?? null)[2], 'sparse', nameOf());
    case 'torch._utils._rebuild_meta_tensor_no_storage':
      return unreadable(args[1], 'meta', nameOf());
    default:
      return /^numpy\./.test(made) ? arrayOf(record, nameOf(), file) : null;
  }
}

/** The record below parameters, subclasses and tensors that were on another device. */
function unwrap(value: PickleValue): PickleObject | null {
  let record = value;
  for (let depth = 0; depth < MAX_WRAPPERS; depth++) {
    if (!(record instanceof PickleObject)) return null;
    const args = itemsOf(record.args);
    switch (pathOf(record.callable)) {
      case 'torch._utils._rebuild_parameter':
      case 'torch._utils._rebuild_parameter_with_state':
      case 'torch._utils._rebuild_device_tensor_from_numpy':
      case 'torch._utils._rebuild_device_tensor_from_cpu_tensor':
        record = args[0] ?? null;
        break;
      case 'torch._tensor._rebuild_from_type_v2':
        record = new PickleObject(args[0] ?? null, args[2] ?? null);
        break;
      default:
        return record;
    }
  }
  return null;
}

function dtypeOf(value: PickleValue): string | null {
  if (!(value instanceof PickleGlobal) || value.module !== 'torch') return null;
  return OTHER_NAMES.get(value.name) ?? value.name;
}

/** A tensor that is listed by its shape; what it holds are no plain numbers. */
function unreadable(size: PickleValue | undefined, dtype: string, name: string): StoredTensor | null {
  const shape = itemsOf(size ?? null);
  if (!shape.every(isCount) || shape.length > MAX_AXES) return null;
  const read = (): Promise<never> =>
    Promise.reject(
      new TempogradError('cell/unsupported', `Tensor ${name} is a ${dtype} tensor, whose numbers are not read`),
    );
  return { name, shape, dtype, read };
}

/** Whole numbers of a quantized tensor by the types that they are stored as. */
const STORED_TYPES: ReadonlyMap<string, string> = new Map([
  ['qint8', 'int8'],
  ['quint8', 'uint8'],
  ['qint32', 'int32'],
]);

/** A quantized tensor: scale * (q - zero), for all of it or for each entry of an axis. */
function quantized(args: readonly PickleValue[], name: string, file: TorchFile): StoredTensor | null {
  const [reference = null, , size, , quantizer = null] = args;
  const dtype = storageOf(reference)?.dtype ?? '';
  const stored = STORED_TYPES.get(dtype);
  const whole = stored === undefined ? null : viewOf(args, stored, null, name, file);
  const [scheme = null, scale = null, zero = null, axis = null] = itemsOf(quantizer);
  const kind = scheme instanceof PickleGlobal ? scheme.path : '';
  if (!whole) return unreadable(size, 'quantized', name);
  if (kind === 'torch.per_tensor_affine' && typeof scale === 'number' && typeof zero === 'number') {
    const read = async (): Promise<RealTensor> => {
      const { shape, data } = await whole.read();
      return { shape, data: Float32Array.from(data, (value) => scale * (value - zero)) };
    };
    return { name, shape: whole.shape, dtype, read };
  }
  const scales = plainTensorOf(scale, `${name}: its scales`, file);
  const zeros = plainTensorOf(zero, `${name}: its zero points`, file);
  const channels = isCount(axis) ? whole.shape[axis] : undefined;
  const fits = [scales, zeros].every((tensor) => tensor?.shape.length === 1 && tensor.shape[0] === channels);
  if (kind !== 'torch.per_channel_affine' || !scales || !zeros || !isCount(axis) || !fits) {
    return unreadable(size, 'quantized', name);
  }
  const inner = whole.shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const read = async (): Promise<RealTensor> => {
    const { shape, data } = await whole.read();
    const factors = (await scales.read()).data;
    const offsets = (await zeros.read()).data;
    const values = Float32Array.from(data, (value, index) => {
      const channel = Math.floor(index / inner) % factors.length;
      return (factors[channel] ?? NaN) * (value - (offsets[channel] ?? NaN));
    });
    return { shape, data: values };
  };
  return { name, shape: whole.shape, dtype, read };
}

/** A tensor that is no quantized one: a record may hold itself, and would be looked into for ever. */
function plainTensorOf(value: PickleValue, name: string, file: TorchFile): StoredTensor | null {
  const isQuantized = pathOf(unwrap(value)?.callable ?? null) === 'torch._utils._rebuild_qtensor';
  return isQuantized ? null : tensorOf(value, () => name, file);
}

/** A tensor as a view into a storage. */
function viewOf(
  args: readonly PickleValue[],
  ownType: string | null,
  remarks: PickleValue,
  name: string,
  file: TorchFile,
): StoredTensor | null {
  const [reference = null, offset, size, stride] = args;
  const nested = nestedBytes(reference);
  const storage = storageOf(reference);
  if (!storage && !nested) return null;
  const shape = itemsOf(size ?? null);
  const strides = itemsOf(stride ?? null);
  if (!isCount(offset) || !shape.every(isCount) || !strides.every(isCount) || shape.length !== strides.length) {
    throw corrupt(file, name, 'its size, stride or offset is no whole number from 0 on');
  }
  if (shape.length > MAX_AXES) throw corrupt(file, name, `it has ${String(shape.length)} axes`);
  if (remarks instanceof Map && remarks.size > 0) return unreadable(size, 'conjugated or negated', name);
  const place = storage ? { storage, file } : nested ? openNested(reference, nested, file) : null;
  const from = place?.storage ?? null;
  if (!place || !from) return null;
  const dtype = ownType ?? from.dtype ?? 'unknown';
  const { littleEndian } = place.file;
  const view = { name, shape, strides, offset: offset + from.viewOffset, dtype, littleEndian };
  const open = (): Promise<ByteSource> => openStorage(from, place.file, name);
  return {
    name,
    shape,
    dtype,
    read: async () => readView(await open(), view, file.name),
    openRows: async () => rowsOfView(await open(), view, file.name),
  };
}

/** A storage's bytes are as many as the pickle says, or one of the two is damaged. */
async function openStorage(storage: TorchStorage, file: TorchFile, name: string): Promise<ByteSource> {
  const source = await file.open(storage);
  const expected = bytesOfStorage(storage);
  if (expected !== null && source.size !== expected) {
    throw corrupt(
      file,
      name,
      `its storage ${storage.key} has ${String(source.size)} bytes, the pickle says ${String(expected)}`,
    );
  }
  return source;
}

/** A tensor in a bare pickle carries its storage as the bytes of a file of its own. */
function nestedBytes(value: PickleValue): ByteSource | null {
  if (!(value instanceof PickleObject) || pathOf(value.callable) !== 'torch.storage._load_from_bytes') return null;
  return bytesOf(itemsOf(value.args)[0] ?? null);
}

function openNested(record: PickleValue, source: ByteSource, file: TorchFile): NestedStorage | null {
  const known = file.nested.get(record);
  if (known !== undefined) return known;
  const opened = readNested(source, `${file.name}: a storage inside it`, file.limits);
  file.nested.set(record, opened);
  return opened;
}

function readNested(source: ByteSource, what: string, limits: CountedLimits): NestedStorage | null {
  const first = unpickle(source, 0, what, limits);
  if (!isLegacyMagic(first.value)) return null;
  const { value, globals, file } = readLegacy(source, first.end, what, limits);
  return { storage: storageOf(value), file, globals };
}

function corrupt({ name: file }: TorchFile, tensor: string, reason: string): TempogradError {
  return new TempogradError('reader/corrupt', `${file}: tensor ${tensor}: ${reason}`, { details: { tensor } });
}
