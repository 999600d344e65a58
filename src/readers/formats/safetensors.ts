/**
 * safetensors: eight bytes of length, a JSON header with name, type, shape and place of every tensor, then the numbers.
 *
 * The header is held to the rules of the reference implementation before a number is read: places lie one behind the other
 * without holes, and fit their shapes.
 * Source: huggingface/safetensors README, "Format", and its Rust reader's checks (`safetensors/src/tensor.rs`).
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import { sizeOf, type RealTensor } from '../../core/tensor';
import { sliceSource, type ByteSource } from '../byte-source';
import { readNamedWeights } from '../dialects/named-weights';
import { field, isArray, isObject, parseJson, type JsonValue } from '../json';
import { checkLimit } from '../limits';
import type { FormatOptions } from '../reading';
import { decodeNumbers } from '../stored-numbers';
import type { ReadRows, StoredTensor } from '../stored-tensor';
import type { ModelFile, ModelFormat } from './format';

/** Types by their names in the header, with the bits of one number; sub-byte types are only listed. */
const TYPES: Readonly<Record<string, { readonly bits: number; readonly dtype: string | null }>> = {
  F64: { bits: 64, dtype: 'float64' },
  F32: { bits: 32, dtype: 'float32' },
  F16: { bits: 16, dtype: 'float16' },
  BF16: { bits: 16, dtype: 'bfloat16' },
  I64: { bits: 64, dtype: 'int64' },
  U64: { bits: 64, dtype: 'uint64' },
  I32: { bits: 32, dtype: 'int32' },
  U32: { bits: 32, dtype: 'uint32' },
  I16: { bits: 16, dtype: 'int16' },
  U16: { bits: 16, dtype: 'uint16' },
  I8: { bits: 8, dtype: 'int8' },
  U8: { bits: 8, dtype: 'uint8' },
  BOOL: { bits: 8, dtype: 'bool' },
  F8_E4M3: { bits: 8, dtype: null },
  F8_E5M2: { bits: 8, dtype: null },
  F8_E8M0: { bits: 8, dtype: null },
  F6_E2M3: { bits: 6, dtype: null },
  F6_E3M2: { bits: 6, dtype: null },
  F4: { bits: 4, dtype: null },
  C64: { bits: 64, dtype: null },
};

const LENGTH_BYTES = 8;
/** The key of remarks among the tensors. */
const METADATA = '__metadata__';
const MAX_SHARDS = 1000;

/** One file, or the index of several. */
export const safetensors: ModelFormat = {
  id: 'safetensors',
  matches: ({ container, json }) => container.kind === 'safetensors' || shardsOf(json) !== null,
  read: readSafetensors,
};

async function readSafetensors(file: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const map = shardsOf(file.json);
  const parts = map ? openShards(map, file.name, options) : [{ name: file.name, source: file.source }];
  const tensors: StoredTensor[] = [];
  const known = new Set<string>();
  let producer = 'safetensors';
  for (const { name, source } of parts) {
    const header = readHeader(source, name, options);
    producer = header.producer ?? producer;
    for (const tensor of header.tensors) {
      if (known.has(tensor.name)) throw corrupt(`Tensor ${tensor.name} is in two shards of ${file.name}`);
      known.add(tensor.name);
      tensors.push(tensor);
    }
  }
  const absent = map ? [...map.keys()].find((name) => !known.has(name)) : undefined;
  if (absent !== undefined) throw corrupt(`${file.name} names tensor ${absent}, which none of its shards holds`);
  return readNamedWeights('safetensors', producer, tensors, options);
}

/** Tensor to shard, of an index whose shards are safetensors files; null for any other JSON. */
function shardsOf(json: JsonValue): ReadonlyMap<string, string> | null {
  const map = field(json, 'weight_map');
  if (!isObject(map)) return null;
  const entries = Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const isOurs =
    entries.length === Object.keys(map).length && entries.some(([, shard]) => /\.safetensors$/.test(shard));
  return isOurs ? new Map(entries) : null;
}

function openShards(
  map: ReadonlyMap<string, string>,
  name: string,
  options: FormatOptions,
): readonly { readonly name: string; readonly source: ByteSource }[] {
  const shards = [...new Set(map.values())].sort();
  if (shards.length > MAX_SHARDS) throw corrupt(`${name} names ${String(shards.length)} shards`);
  return shards.map((shard) => {
    if (!/^[^/\\\0:]+$/.test(shard) || shard === '.' || shard === '..') {
      throw new TempogradError(
        'reader/unsafe',
        `${name} names a shard that is no plain file name: ${JSON.stringify(shard)}`,
        {
          details: { name: shard },
        },
      );
    }
    const source = options.openBeside(shard);
    if (source) return { name: shard, source };
    throw new TempogradError('reader/external-data-missing', `${name} names ${shard}, which is not beside it`, {
      details: { file: shard },
    });
  });
}

interface Header {
  readonly producer: string | null;
  readonly tensors: readonly StoredTensor[];
}

function readHeader(source: ByteSource, file: string, options: FormatOptions): Header {
  if (source.size < LENGTH_BYTES) throw truncated(`${file} ends inside the length of its header`);
  const prefix = source.read(0, LENGTH_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  // No limit helps against a header that is not there.
  if (Number(length) > source.size - LENGTH_BYTES) {
    throw truncated(`${file} says that its header has ${String(length)} bytes, but ends at ${String(source.size)}`);
  }
  checkLimit(`Size of the header of ${file} in bytes`, Number(length), 'maxSafetensorsHeaderBytes', options.limits);
  const bytes = source.read(LENGTH_BYTES, Number(length));
  if (bytes[0] !== 0x7b) throw corrupt(`The header of ${file} does not start with {`);
  const text = decodeUtf8(bytes, file);
  const header = parseJson(text, `the header of ${file}`, options.limits);
  if (!isObject(header)) throw corrupt(`The header of ${file} is no object`);
  const names = Object.keys(header);
  if (countKeys(text) > names.length) throw corrupt(`The header of ${file} names a tensor twice`);
  checkLimit(`Number of tensors in ${file}`, names.length, 'maxNamedTensors', options.limits);
  const data = sliceSource(source, LENGTH_BYTES + Number(length), source.size - LENGTH_BYTES - Number(length));
  const places = names.filter((name) => name !== METADATA).map((name) => readPlace(name, field(header, name), file));
  checkPlaces(places, data.size, file);
  return {
    producer: producerOf(field(header, METADATA), file),
    tensors: places.map((place) => ({
      ...place,
      read: () => Promise.resolve({ shape: place.shape, data: readNumbers(place, data, place.start, place.end) }),
      openRows: () => Promise.resolve(rowsOf(place, data)),
    })),
  };
}

interface Place {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

function readPlace(name: string, value: JsonValue | undefined, file: string): Place {
  const dtype = field(value, 'dtype');
  const shape = field(value, 'shape');
  const offsets = field(value, 'data_offsets');
  if (typeof dtype !== 'string' || !Object.hasOwn(TYPES, dtype)) {
    throw corrupt(`Tensor ${name} of ${file} has an unknown type: ${JSON.stringify(dtype ?? null)}`);
  }
  if (!isArray(shape) || !shape.every(isCount)) throw corrupt(`Tensor ${name} of ${file} has no shape`);
  if (!isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw corrupt(`Tensor ${name} of ${file} has no place`);
  }
  const [start = 0, end = 0] = offsets as readonly number[];
  const bits = sizeOf(shape as readonly number[]) * (TYPES[dtype]?.bits ?? 0);
  if (!Number.isSafeInteger(bits)) throw corrupt(`The shape of tensor ${name} of ${file} has too many numbers`);
  if (end < start || 8 * (end - start) !== bits) {
    throw corrupt(
      `Tensor ${name} of ${file} takes bytes ${String(start)} to ${String(end)}, which is not what its shape needs`,
    );
  }
  return { name, dtype, shape: shape as readonly number[], start, end };
}

function isCount(value: JsonValue): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Tensors lie one behind the other and fill the file: an overlap or a hole could hide something. */
function checkPlaces(places: readonly Place[], size: number, file: string): void {
  let next = 0;
  for (const { name, start, end } of [...places].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== next) {
      const what = start < next ? 'overlaps the one before' : 'leaves a hole before it';
      throw corrupt(`Tensor ${name} of ${file}, at byte ${String(start)}, ${what}`);
    }
    next = end;
  }
  if (next > size)
    throw truncated(`The tensors of ${file} need ${String(next)} bytes, but only ${String(size)} are there`);
  if (next < size) throw corrupt(`${String(size - next)} bytes of ${file} belong to no tensor`);
}

function rowsOf(place: Place, data: ByteSource): ReadRows {
  const rowBytes = (place.end - place.start) / Math.max(place.shape[0] ?? 1, 1);
  return (start, count) =>
    readNumbers(place, data, place.start + start * rowBytes, place.start + (start + count) * rowBytes);
}

/** The numbers of a tensor from one byte to another. */
function readNumbers({ name, dtype }: Place, data: ByteSource, start: number, end: number): RealTensor['data'] {
  const type = TYPES[dtype]?.dtype ?? null;
  if (type === null) {
    throw new TempogradError('cell/unsupported', `Tensor ${name} has the type ${dtype}, which is not read`);
  }
  return decodeNumbers(data.read(start, end - start), type, true, name);
}

/** What wrote the file, as its remarks say. */
function producerOf(metadata: JsonValue | undefined, file: string): string | null {
  if (metadata === undefined) return null;
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw corrupt(`The remarks in the header of ${file} are not texts`);
  }
  const format = field(metadata, 'format');
  return typeof format === 'string' && /^\w{1,20}$/.test(format) ? `safetensors (${format})` : null;
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TempogradError('reader/corrupt', `The header of ${file} is not UTF-8`, { cause });
  }
}

/** Keys of the outermost object; a JSON parser keeps only the last of two that are equal. */
function countKeys(text: string): number {
  let depth = 0;
  let count = 0;
  for (let index = 0; index < text.length; index++) {
    const sign = text[index];
    if (sign === '"') {
      index++;
      while (index < text.length && text[index] !== '"') index += text[index] === '\\' ? 2 : 1;
    } else if (sign === '{' || sign === '[') depth++;
    else if (sign === '}' || sign === ']') depth--;
    else if (sign === ':' && depth === 1) count++;
  }
  return count;
}

function truncated(message: string): TempogradError {
  return new TempogradError('reader/truncated', message);
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
