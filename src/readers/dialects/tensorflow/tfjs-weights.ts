/**
 * The weights of a tfjs `model.json`: a manifest of groups, each a list of shards that are read as one, and a list of
 * tensors that lie in it one behind the other.
 *
 * Shards are plain paths inside the model's folder; a URL, or a path that leaves it, is refused.
 * Source: tfjs-core/src/io/types.ts (WeightsManifestConfig) and tfjs-core/src/io/io_utils.ts (decodeWeights).
 */
import { z } from 'zod';
import { TempogradError } from '../../../core/errors';
import { sizeOf } from '../../../core/tensor';
import { sliceSource, type ByteSource } from '../../byte-source';
import { joinSources } from '../../join-sources';
import type { JsonValue } from '../../json';
import { decodeNumbers, itemBytesOf } from '../../stored-numbers';
import type { StoredTensor } from '../../stored-tensor';

/** Each shard is a file that stays open. */
const MAX_SHARDS = 10_000;
const MAX_WEIGHTS = 20_000;
/** A string is its length in four bytes, then its bytes. */
const LENGTH_BYTES = 4;

const sizeSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const weightSchema = z.object({
  name: z.string(),
  shape: z.array(sizeSchema).max(32),
  dtype: z.string(),
  quantization: z
    .object({
      dtype: z.enum(['uint8', 'uint16', 'float16']),
      scale: z.number().optional(),
      min: z.number().optional(),
    })
    .nullish(),
});
const manifestSchema = z
  .array(z.object({ paths: z.array(z.string()), weights: z.array(weightSchema).max(MAX_WEIGHTS) }))
  .max(MAX_SHARDS);

type Weight = z.infer<typeof weightSchema>;
type Group = z.infer<typeof manifestSchema>[number];

/** Where shards come from, and who is told of one that has another name. */
export interface ShardFolder {
  /** Opens a shard by its path inside the model's folder, null when there is none. */
  readonly open: (path: string) => ByteSource | null;
  readonly sayRenamed: (path: string, found: string) => void;
}

/**
 * The tensors that a manifest lists, in its order.
 *
 * @param manifest - `weightsManifest`
 * @param name - The file's name, for messages.
 * @param folder - The model's folder.
 * @throws TempogradError `reader/unsafe` (a path that is none of the folder), `reader/external-data-missing`,
 * `reader/truncated` and `reader/corrupt` (shards that are shorter or longer than the tensors, or a manifest that is
 * none).
 */
export function readTfjsWeights(manifest: JsonValue, name: string, folder: ShardFolder): readonly StoredTensor[] {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new TempogradError(
      'reader/corrupt',
      `The weights of ${name} are not listed as they should be: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`,
    );
  }
  const paths = parsed.data.flatMap((group) => group.paths);
  for (const path of paths) checkInside(path, name);
  if (paths.length > MAX_SHARDS)
    throw new TempogradError('reader/corrupt', `${name} names ${String(paths.length)} shards`);
  return parsed.data.flatMap((group) => readGroup(group, name, folder));
}

/**
 * Nothing when a path stays inside the folder.
 *
 * @param path - As a manifest says it.
 * @param name - The file's name, for messages.
 * @throws TempogradError `reader/unsafe`
 */
function checkInside(path: string, name: string): void {
  const isPlain = path
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\\0:]/.test(part));
  if (isPlain) return;
  throw new TempogradError('reader/unsafe', `${name} names a shard outside its own folder: ${JSON.stringify(path)}`, {
    details: { name: path },
  });
}

function readGroup(group: Group, name: string, folder: ShardFolder): readonly StoredTensor[] {
  const shards = group.paths.map((path) => {
    const shard = folder.open(path) ?? findRenamed(path, group, name, folder);
    if (shard) return shard;
    throw new TempogradError('reader/external-data-missing', `${name} names ${path}, which is not beside it`, {
      details: { file: path },
    });
  });
  const data = joinSources(shards);
  const where = `${name} (${group.paths.join(', ')})`;
  const tensors: StoredTensor[] = [];
  let offset = 0;
  for (const weight of group.weights) {
    const length = byteLength(weight, data, offset, where);
    if (offset + length > data.size) {
      throw new TempogradError(
        'reader/truncated',
        `${where}: tensor ${weight.name} ends at byte ${String(offset + length)}, the shards at ${String(data.size)}`,
        { details: { tensor: weight.name, offset, length, size: data.size } },
      );
    }
    tensors.push(toTensor(weight, sliceSource(data, offset, length)));
    offset += length;
  }
  if (offset < data.size) {
    throw new TempogradError(
      'reader/corrupt',
      `${where}: the tensors end at byte ${String(offset)}, the shards at ${String(data.size)}`,
      { details: { offset, size: data.size } },
    );
  }
  return tensors;
}

/** Names that the only shard of a model gets from TensorFlow.js, from its converters and from browsers. */
const USUAL_NAMES = ['weights.bin', 'model.weights.bin', 'group1-shard1of1.bin', 'group1-shard1of1'];

/**
 * A shard under another name than the manifest's: without its folder, or with or without `.bin`; the only shard of a
 * group also under a usual name, when its size is that of the tensors.
 */
function findRenamed(path: string, group: Group, name: string, folder: ShardFolder): ByteSource | null {
  const bare = path.split('/').at(-1) ?? path;
  const near = [bare, `${bare}.bin`, bare.replace(/\.bin$/, '')];
  const usual = group.paths.length === 1 ? [`${name.replace(/\.json$/i, '')}.weights.bin`, ...USUAL_NAMES] : [];
  for (const candidate of new Set([...near, ...usual])) {
    const shard = candidate === path || candidate === name ? null : folder.open(candidate);
    if (!shard || (group.paths.length === 1 && shard.size !== sizeOfGroup(group))) continue;
    folder.sayRenamed(path, candidate);
    return shard;
  }
  return null;
}

/** Bytes of all tensors of a group; NaN where one has no fixed size. */
function sizeOfGroup({ weights }: Group): number {
  return weights.reduce(
    (sum, { shape, dtype, quantization }) => sum + sizeOf(shape) * (itemBytesOf(quantization?.dtype ?? dtype) ?? NaN),
    0,
  );
}

function byteLength(weight: Weight, data: ByteSource, offset: number, where: string): number {
  const count = sizeOf(weight.shape);
  if (weight.dtype === 'string') return stringsLength(count, data, offset, weight.name);
  const itemBytes = itemBytesOf(weight.quantization?.dtype ?? weight.dtype);
  const length = count * (itemBytes ?? NaN);
  if (Number.isSafeInteger(length)) return length;
  throw new TempogradError(
    'reader/corrupt',
    `${where}: tensor ${weight.name} of the type ${weight.dtype} and shape [${weight.shape.join(', ')}] has no size`,
    { details: { tensor: weight.name } },
  );
}

function stringsLength(count: number, data: ByteSource, offset: number, name: string): number {
  let next = offset;
  for (let index = 0; index < count; index++) {
    if (next + LENGTH_BYTES > data.size) {
      throw new TempogradError('reader/truncated', `Tensor ${name} ends inside a text, at byte ${String(next)}`);
    }
    const bytes = data.read(next, LENGTH_BYTES);
    next += LENGTH_BYTES + new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getUint32(0, true);
  }
  return next - offset;
}

function toTensor({ name, shape, dtype, quantization }: Weight, data: ByteSource): StoredTensor {
  return {
    name,
    shape,
    dtype: quantization ? `${dtype} as ${quantization.dtype}` : dtype,
    read: () => {
      const values = decodeNumbers(data.read(0, data.size), quantization?.dtype ?? dtype, true, name);
      const { scale, min } = quantization ?? {};
      if (quantization && quantization.dtype !== 'float16') {
        return Promise.resolve({ shape, data: dequantize(values, scale ?? 1, min ?? 0) });
      }
      return Promise.resolve({ shape, data: values });
    },
  };
}

/** tfjs computes `value * scale + min` in float32 numbers made from doubles. */
function dequantize(values: Float32Array | Float64Array, scale: number, min: number): Float32Array {
  return Float32Array.from(values, (value) => value * scale + min);
}
