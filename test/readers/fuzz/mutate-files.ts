/**
 * A model as the set of its files, and seeded changes to one of them: half of them blind, half made with knowledge of what
 * the file is.
 */
import type { RandomSource } from '../../../src/core/random';
import { memorySource } from '../../../src/readers/byte-source';
import { openZip } from '../../../src/readers/containers/zip';
import { detectContainer } from '../../../src/readers/detect';
import { DEFAULT_LIMITS } from '../../../src/readers/limits';
import { writeZip } from '../containers/write-zip';
import { below, mutateBytes, pick } from './mutate-bytes';
import { mutateHdf5 } from './mutate-hdf5';
import { mutateJson } from './mutate-json';
import { mutatePickle } from './mutate-pickle';
import { mutateProtobuf } from './mutate-protobuf';

/** A model's files by their path inside its folder. */
export interface ModelFiles {
  readonly main: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * The files with one of them changed.
 *
 * @param model - The files.
 * @param isBlind - Whether the change knows nothing of the format.
 * @param random - Source of the choices.
 */
export async function mutateFiles(model: ModelFiles, isBlind: boolean, random: RandomSource): Promise<ModelFiles> {
  const others = [...model.files.keys()].filter((name) => name !== model.main);
  const name = others.length > 0 && below(random, 3) === 0 ? pick(random, others) : model.main;
  const bytes = model.files.get(name)!;
  const changed = isBlind ? mutateBytes(bytes, random) : await mutateKnown(bytes, random);
  return { main: model.main, files: new Map([...model.files, [name, changed]]) };
}

async function mutateKnown(bytes: Uint8Array, random: RandomSource): Promise<Uint8Array> {
  switch (detectContainer(memorySource(bytes)).kind) {
    case 'zip':
      return mutateZip(bytes, random);
    case 'hdf5':
      return mutateHdf5(bytes, random);
    case 'json':
      return Buffer.from(mutateJson(Buffer.from(bytes).toString('utf8'), random));
    case 'safetensors':
      return mutateSafetensors(bytes, random);
    case 'pickle':
      return mutatePickle(bytes, random);
    case 'onnx':
    case 'saved-model':
      return mutateProtobuf(bytes, random);
    case 'tensor-index':
      return mutateTable(bytes, random);
    default:
      return mutateBytes(bytes, random, 0, Math.min(bytes.length, 128));
  }
}

/** An archive with one entry changed by what it is, and checksums that are right again. */
async function mutateZip(bytes: Uint8Array, random: RandomSource): Promise<Uint8Array> {
  const archive = await openZip(memorySource(bytes), DEFAULT_LIMITS);
  const telling = archive.names.filter((name) => /\.(json|pkl|h5|npy)$/.test(name));
  const target = pick(random, telling.length > 0 && below(random, 5) > 0 ? telling : archive.names);
  const entries = [];
  for (const name of archive.names) {
    const content = await archive.read(name);
    entries.push({ name, bytes: name === target && content.length > 0 ? await mutateKnown(content, random) : content });
  }
  if (below(random, 12) === 0) entries.splice(below(random, entries.length), 1);
  return writeZip(entries);
}

/** The header changed as the JSON that it is, with a length that fits it; or the length itself. */
function mutateSafetensors(bytes: Uint8Array, random: RandomSource): Uint8Array {
  const copy = Buffer.from(bytes);
  const length = Number(copy.readBigUInt64LE(0));
  if (below(random, 8) === 0) return mutateBytes(copy, random, 0, 16);
  const header = Buffer.from(mutateJson(copy.toString('utf8', 8, 8 + length), random));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, copy.subarray(8 + length)]);
}

/** A table is changed at its end, where its directory is, or in its blocks. */
function mutateTable(bytes: Uint8Array, random: RandomSource): Uint8Array {
  const from = below(random, 2) === 0 ? Math.max(0, bytes.length - 128) : 0;
  return mutateBytes(bytes, random, from, bytes.length);
}
