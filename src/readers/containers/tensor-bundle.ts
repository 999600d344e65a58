/**
 * TensorFlow's checkpoints: an index that says of every tensor its type, shape, shard and offset, and shards of bytes.
 *
 * A tensor may be cut into slices, each with an entry of its own. Nothing but the index says which shards belong to it:
 * a folder may hold those of several saves.
 * Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
 */
import { TempogradError } from '../../core/errors';
import { sizeOf, type RealTensor } from '../../core/tensor';
import { memorySource, sliceSource, type ByteSource } from '../byte-source';
import type { CountedLimits } from '../limits';
import { OBJECT_BYTES } from '../object-count';
import { decodeNumbers, itemBytesOf } from '../stored-numbers';
import type { StoredTensor } from '../stored-tensor';
import { readEntry, sliceKey, type BundleEntry, type Slice } from './bundle-entry';
import { crc32c, maskCrc } from './crc32c';
import { readFields, readText, toInteger } from './protobuf';
import { readSortedTable, toBinary } from './sorted-table';
import { readVarint } from './varint';

/** Each shard is a file that stays open. */
const MAX_SHARDS = 100_000;
/** A tensor, and where it lies. */
const TENSOR_BYTES = 8 * OBJECT_BYTES.record;

/** An open checkpoint. */
export interface TensorBundle {
  /** Tensors by their key, in the order of the index; a sliced one is one tensor. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /**
   * The bytes of a scalar string, null when there is none of this key.
   *
   * @throws TempogradError as reading a tensor does.
   */
  text(key: string): ByteSource | null;
}

/**
 * The checkpoint that an index describes.
 *
 * @param source - The index.
 * @param name - Its name; shards are named after it.
 * @param prefix - What stands before `.data-00000-of-00001` in the names of the shards.
 * @param openBeside - Opens a shard by its path, null when there is none.
 * @param limits - Caps.
 * @throws TempogradError `reader/truncated`, `reader/corrupt`, `reader/limit-exceeded`; reading a tensor also
 * `reader/external-data-missing` when its shard is not there.
 */
export function openTensorBundle(
  source: ByteSource,
  name: string,
  prefix: string,
  openBeside: (path: string) => ByteSource | null,
  limits: CountedLimits,
): TensorBundle {
  const table = readSortedTable(source, name, limits);
  const header = readHeader(table.get(''), name);
  const shards: ShardFolder = {
    prefix,
    count: header.shards,
    littleEndian: header.littleEndian,
    open: openBeside,
    index: name,
  };
  const tensors = new Map<string, StoredTensor>();
  for (const [key, value] of table) {
    if (key === '' || key.startsWith('\0')) continue;
    limits.objects.add(TENSOR_BYTES + value.length);
    const tensor = readEntry(value, `${name}: ${decodeKey(key)}`);
    const parts = tensor.slices.map((slice) => {
      const part = table.get(sliceKey(key, slice));
      if (part) return { slice, entry: readEntry(part, `${name}: a slice of ${decodeKey(key)}`) };
      throw damaged(name, `a slice of ${decodeKey(key)} is not in the index`);
    });
    tensors.set(decodeKey(key), toTensor(decodeKey(key), tensor, parts, shards));
  }
  return {
    tensors,
    text: (key) => {
      const value = table.get(toBinary(new TextEncoder().encode(key)));
      return value ? readString(readEntry(value, `${name}: ${key}`), key, shards) : null;
    },
  };
}

interface ShardFolder {
  readonly prefix: string;
  readonly count: number;
  readonly littleEndian: boolean;
  readonly open: (path: string) => ByteSource | null;
  /** Name of the index, for messages. */
  readonly index: string;
}

/** `BundleHeaderProto` */
function readHeader(
  value: Uint8Array | undefined,
  name: string,
): { readonly shards: number; readonly littleEndian: boolean } {
  if (!value) {
    throw new TempogradError('reader/unknown-format', `${name} is a sorted table, but not the index of a checkpoint`);
  }
  let shards = 0;
  let endianness = 0;
  for (const { number, ...wire } of readFields(memorySource(value), `the header of ${name}`)) {
    if (wire.type !== 'varint') continue;
    if (number === 1) shards = toInteger(wire.value, 'the number of shards');
    if (number === 2) endianness = toInteger(wire.value, 'the byte order');
  }
  if (shards < 1 || shards > MAX_SHARDS || endianness > 1) {
    throw damaged(name, `it names ${String(shards)} shards and the byte order ${String(endianness)}`);
  }
  return { shards, littleEndian: endianness === 0 };
}

function toTensor(
  name: string,
  tensor: BundleEntry,
  parts: readonly { readonly slice: Slice; readonly entry: BundleEntry }[],
  shards: ShardFolder,
): StoredTensor {
  const { shape, dtype } = tensor;
  return {
    name,
    shape,
    dtype,
    read: () =>
      Promise.resolve().then((): RealTensor => {
        if (parts.length === 0) return { shape, data: readNumbers(tensor, name, shards) };
        return { shape, data: joinSlices(tensor, parts, name, shards) };
      }),
  };
}

/** The bytes of an entry where they lie, its size held against its shape and the shard's own size. */
function locate({ shard, offset, size }: BundleEntry, name: string, shards: ShardFolder): ByteSource {
  const number = (value: number): string => String(value).padStart(5, '0');
  const path = `${shards.prefix}.data-${number(shard)}-of-${number(shards.count)}`;
  if (shard < 0 || shard >= shards.count) {
    throw damaged(shards.index, `tensor ${name} is said to be in shard ${String(shard)} of ${String(shards.count)}`);
  }
  const file = shards.open(path);
  if (!file) {
    throw new TempogradError('reader/external-data-missing', `${shards.index} names ${path}, which is not beside it`, {
      details: { file: path, tensor: name },
    });
  }
  if (offset < 0 || size < 0 || offset + size > file.size) {
    throw new TempogradError(
      'reader/truncated',
      `Tensor ${name} takes ${String(size)} bytes at ${String(offset)} of ${path}, which has ${String(file.size)}`,
      { details: { file: path, tensor: name, offset, length: size, size: file.size } },
    );
  }
  return sliceSource(file, offset, size);
}

function readNumbers(entry: BundleEntry, name: string, shards: ShardFolder): RealTensor['data'] {
  const itemBytes = itemBytesOf(entry.dtype);
  if (itemBytes === null) {
    throw new TempogradError('cell/unsupported', `Tensor ${name} has the type ${entry.dtype}, which holds no numbers`);
  }
  if (sizeOf(entry.shape) * itemBytes !== entry.size) {
    throw damaged(
      shards.index,
      `tensor ${name} of the type ${entry.dtype} and shape [${entry.shape.join(', ')}] is said to take ${String(entry.size)} bytes`,
    );
  }
  const place = locate(entry, name, shards);
  const bytes = place.read(0, place.size);
  if (maskCrc(crc32c(bytes)) !== entry.crc) throw damaged(shards.index, `the checksum of tensor ${name} is wrong`);
  return decodeNumbers(bytes, entry.dtype, shards.littleEndian, name);
}

/** A sliced tensor put together; every element must lie in exactly one slice. */
function joinSlices(
  tensor: BundleEntry,
  parts: readonly { readonly slice: Slice; readonly entry: BundleEntry }[],
  name: string,
  shards: ShardFolder,
): RealTensor['data'] {
  const { shape } = tensor;
  const covered = parts.reduce((sum, { entry }) => sum + sizeOf(entry.shape), 0);
  if (covered !== sizeOf(shape)) {
    throw damaged(
      shards.index,
      `the slices of tensor ${name} hold ${String(covered)} numbers of ${String(sizeOf(shape))}`,
    );
  }
  checkBytes(tensor, parts, name, shards);
  const data = tensor.dtype === 'float64' ? new Float64Array(covered) : new Float32Array(covered);
  for (const { slice, entry } of parts) {
    const starts = shape.map((size, axis) => {
      const { start, length } = slice[axis] ?? { start: 0, length: null };
      const own = entry.shape[axis] ?? 0;
      const begin = length === null ? 0 : start;
      if (begin < 0 || own !== (length ?? size) || begin + own > size || slice.length !== shape.length) {
        throw damaged(shards.index, `a slice of tensor ${name} does not lie inside it`);
      }
      return begin;
    });
    place(readNumbers(entry, name, shards), entry.shape, data, shape, starts);
  }
  return data;
}

/** Slices that share their bytes could ask for more memory than there is file. */
function checkBytes(
  tensor: BundleEntry,
  parts: readonly { readonly entry: BundleEntry }[],
  name: string,
  shards: ShardFolder,
): void {
  const wanted = parts.reduce((sum, { entry }) => sum + locate(entry, name, shards).size, 0);
  const end = new Map<number, number>();
  for (const { entry } of parts) end.set(entry.shard, Math.max(end.get(entry.shard) ?? 0, entry.offset + entry.size));
  const present = [...end.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (wanted > present || parts.some(({ entry }) => entry.dtype !== tensor.dtype)) {
    throw damaged(shards.index, `the slices of tensor ${name} overlap, or are of several types`);
  }
}

/** Copies a block row by row into a larger array. */
function place(
  block: RealTensor['data'],
  size: readonly number[],
  data: RealTensor['data'],
  shape: readonly number[],
  starts: readonly number[],
): void {
  const row = size.at(-1) ?? 1;
  const position = size.slice(0, -1).map(() => 0);
  for (let from = 0; from < block.length; from += row) {
    let to = 0;
    for (const [axis, length] of shape.entries()) to = to * length + (starts[axis] ?? 0) + (position[axis] ?? 0);
    data.set(block.subarray(from, from + row), to);
    for (let axis = position.length - 1; axis >= 0; axis--) {
      position[axis] = ((position[axis] ?? 0) + 1) % (size[axis] ?? 1);
      if (position[axis] !== 0) break;
    }
  }
}

/** A scalar string: its length, a checksum of the length, its bytes. */
function readString(entry: BundleEntry, key: string, shards: ShardFolder): ByteSource | null {
  if (entry.dtype !== 'string' || entry.shape.length > 0) return null;
  const whole = locate(entry, key, shards);
  const head = whole.read(0, Math.min(whole.size, 10));
  let bytes = 0;
  const length = readVarint(() => head[bytes++], 10);
  const start = bytes + 4;
  if (length === null || start + length !== whole.size)
    throw damaged(shards.index, `the text ${key} does not fill its ${String(whole.size)} bytes`);
  return sliceSource(whole, start, length);
}

function decodeKey(key: string): string {
  return readText(memorySource(Uint8Array.from(key, (character) => character.charCodeAt(0))), 'the name of a tensor');
}

function damaged(name: string, reason: string): TempogradError {
  return new TempogradError('reader/corrupt', `${name} is damaged: ${reason}`);
}
