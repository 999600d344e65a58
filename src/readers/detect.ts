/**
 * What a file is, found by its content; the extension is never asked.
 */
import { TempogradError } from '../core/errors';
import type { ByteSource } from './byte-source';
import { readFields } from './containers/protobuf';

/** The containers that are told apart. */
export type ContainerKind =
  | 'empty'
  | 'hdf5'
  | 'zip'
  | 'npy'
  | 'json'
  | 'pickle'
  | 'safetensors'
  /** An index of tensors in TensorFlow's table format: `variables.index`, `model.ckpt.index`. */
  | 'tensor-index'
  | 'onnx'
  | 'saved-model'
  | 'other';

/** A container and what it is called to a user. */
export interface Detection {
  readonly kind: ContainerKind;
  /** "an HDF5 file", "a gzip archive". */
  readonly description: string;
  /** What helps, where more is known than that the file is no model. */
  readonly remedy?: string;
}

const HDF5_SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const NPY_SIGNATURE = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** The superblock stands at 0 or, behind a user block, at 512 and its doublings. */
const MAX_USER_BLOCK_BYTES = 1 << 24;

const UNPACK = 'Unpack it first and give the model that is inside.';

/** Signatures of what people drop by mistake, with their names and what helps. */
const OTHER_SIGNATURES: readonly (readonly [readonly number[], string, string?])[] = [
  [[0x1f, 0x8b], 'a gzip archive', UNPACK],
  [[0x42, 0x5a, 0x68], 'a bzip2 archive', UNPACK],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'an xz archive', UNPACK],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7z archive', UNPACK],
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG image'],
  [[0xff, 0xd8, 0xff], 'a JPEG image'],
  [[0x50, 0x41, 0x52, 0x31], 'a Parquet file'],
  [[0x47, 0x47, 0x55, 0x46], 'a GGUF file of a language model, which has no recurrent layers in this form'],
  [[0x67, 0x67, 0x6d, 0x6c], 'a GGML file of a language model, which has no recurrent layers in this form'],
  [[0x67, 0x67, 0x6a, 0x74], 'a GGML file of a language model, which has no recurrent layers in this form'],
];

/**
 * The container that the bytes are, and its name for a message.
 *
 * @param source - The file.
 */
export function detectContainer(source: ByteSource): Detection {
  if (source.size === 0) return { kind: 'empty', description: 'an empty file' };
  const head = source.read(0, Math.min(source.size, 4096));
  if (startsWith(head, HDF5_SIGNATURE)) return { kind: 'hdf5', description: 'an HDF5 file' };
  if (startsWith(head, NPY_SIGNATURE)) return { kind: 'npy', description: 'a NumPy array (.npy)' };
  if (startsWith(head, [0x50, 0x4b, 3, 4]) || startsWith(head, [0x50, 0x4b, 5, 6])) {
    return { kind: 'zip', description: 'a ZIP archive' };
  }
  if (head[0] === 0x80 && head.length > 1 && head[1]! >= 2 && head[1]! <= 5) {
    return { kind: 'pickle', description: 'a Python pickle' };
  }
  if (isSafetensors(head)) return { kind: 'safetensors', description: 'a safetensors file' };
  if (endsWithTableMagic(source)) return { kind: 'tensor-index', description: 'the index of a TensorFlow checkpoint' };
  if (findUserBlock(source) !== null) return { kind: 'hdf5', description: 'an HDF5 file with a user block' };
  for (const [signature, description, remedy] of OTHER_SIGNATURES) {
    if (startsWith(head, signature)) return { kind: 'other', description, ...(remedy && { remedy }) };
  }
  if (startsWith(head.subarray(4), [0x54, 0x46, 0x4c, 0x33])) {
    return { kind: 'other', description: 'a TensorFlow Lite model, whose recurrent layers are fused and quantised' };
  }
  if (startsWith(head.subarray(257), [0x75, 0x73, 0x74, 0x61, 0x72])) {
    return { kind: 'other', description: 'a tar archive', remedy: UNPACK };
  }
  if (isOldPickle(head, source)) {
    return {
      kind: 'other',
      description: 'a Python pickle of protocol 0 or 1',
      remedy: 'Write it again with protocol 2 or newer.',
    };
  }
  return describeText(head) ?? describeMessage(source);
}

/** Eight bytes of length, then the header as JSON; a length has zero bytes, a text has none. */
function isSafetensors(head: Uint8Array): boolean {
  return head.length > 8 && head[8] === 0x7b && head.subarray(0, 8).some((byte) => byte < 9);
}

const TABLE_MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** Block handles and magic at the end of a table. */
const TABLE_FOOTER_BYTES = 48;

function endsWithTableMagic(source: ByteSource): boolean {
  return source.size >= TABLE_FOOTER_BYTES && startsWith(source.read(source.size - 8, 8), TABLE_MAGIC);
}

/** So many fields tell what a message is; a frozen graph has one for each of its nodes. */
const MAX_FIELDS_LOOKED_AT = 64;

/**
 * A binary file named by the fields of its protocol buffer message, if it is one.
 *
 * Source: field numbers of onnx.proto (ModelProto), saved_model.proto, graph.proto (GraphDef) and Core ML's Model.proto.
 */
function describeMessage(source: ByteSource): Detection {
  const unknown: Detection = { kind: 'other', description: 'a file of unknown kind' };
  const fields = new Set<string>();
  try {
    let count = 0;
    for (const { number, type } of readFields(source, 'the file')) {
      fields.add(`${String(number)} ${type}`);
      if (++count === MAX_FIELDS_LOOKED_AT) break;
    }
  } catch (error) {
    if (!(error instanceof TempogradError) || error.code !== 'reader/truncated') return unknown;
    if (startsSavedModel(source)) return SAVED_MODEL;
    // A message that ends early is still told by what stands before its end, and by the field that is cut.
    if (fields.size < 2) return unknown;
    fields.add(`${String(error.details['field'])} bytes`);
  }
  const numbers = [...fields].map((name) => Number(name.split(' ')[0]));
  const isVersioned = fields.has('1 varint');
  if (isVersioned && numbers.some((number) => number >= 200)) {
    return { kind: 'other', description: 'a Core ML model, whose recurrent layers are not read' };
  }
  if ((isVersioned || fields.has('8 bytes')) && numbers.every((number) => number <= 25) && fields.has('7 bytes')) {
    return { kind: 'onnx', description: 'an ONNX model' };
  }
  if (isVersioned && fields.has('2 bytes') && fields.size === 2) {
    return SAVED_MODEL;
  }
  if (fields.has('1 bytes') && numbers.every((number) => number <= 5)) {
    return { kind: 'other', description: 'a frozen TensorFlow graph or another message without named weights' };
  }
  return unknown;
}

const SAVED_MODEL: Detection = { kind: 'saved-model', description: 'the graph of a TensorFlow SavedModel' };

/** Schema version 1, then a graph whose first field is its description: all that is left of a file that is cut. */
const SAVED_MODEL_START = /^\x08\x01\x12[\x80-\xff]{0,9}[\x00-\x7f]\x0a/;
const SAVED_MODEL_START_BYTES = 16;

function startsSavedModel(source: ByteSource): boolean {
  const head = source.read(0, Math.min(source.size, SAVED_MODEL_START_BYTES));
  return SAVED_MODEL_START.test(String.fromCharCode(...head));
}

/** Offset of an HDF5 superblock behind a user block, or null. */
function findUserBlock(source: ByteSource): number | null {
  for (let offset = 512; offset <= MAX_USER_BLOCK_BYTES && offset + 8 <= source.size; offset *= 2) {
    if (startsWith(source.read(offset, 8), HDF5_SIGNATURE)) return offset;
  }
  return null;
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return bytes.length >= signature.length && signature.every((byte, index) => bytes[index] === byte);
}

/** A dictionary, a list or an imported name, remembered or called at once; protocols 0 and 1 have no signature. */
const OLD_PICKLE = /^(\([dl]p\d+\n|[}\]]q|c[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n(p\d+\n|[q()]))/;

function isOldPickle(head: Uint8Array, source: ByteSource): boolean {
  const start = String.fromCharCode(...head.subarray(0, 256));
  return OLD_PICKLE.test(start) && source.read(source.size - 1, 1)[0] === 0x2e;
}

/** A text is named for what it looks like; null for what is no text. */
function describeText(head: Uint8Array): Detection | null {
  const printable = head.every((byte) => byte >= 0x20 || byte === 9 || byte === 10 || byte === 13);
  if (!printable) return null;
  const text = new TextDecoder('utf-8').decode(head).trimStart();
  if (text.startsWith('{')) return { kind: 'json', description: 'a JSON text' };
  if (text.startsWith('<')) return { kind: 'other', description: 'an HTML or XML text' };
  const isScript = /^(#!|import |from |def |class |"""|# )/m.test(text);
  return { kind: 'other', description: isScript ? 'a script or plain text' : 'a plain text' };
}
