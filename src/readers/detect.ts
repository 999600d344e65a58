/**
 * What a file is, found by its content; the extension is never asked.
 */
import type { ByteSource } from './byte-source';

/** The containers that are told apart. */
export type ContainerKind = 'empty' | 'hdf5' | 'zip' | 'npy' | 'json' | 'other';

/** A container and what it is called to a user. */
export interface Detection {
  readonly kind: ContainerKind;
  /** "an HDF5 file", "a gzip archive". */
  readonly description: string;
}

const HDF5_SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const NPY_SIGNATURE = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** The superblock stands at 0 or, behind a user block, at 512 and its doublings. */
const MAX_USER_BLOCK_BYTES = 1 << 24;

/** Signatures of what people drop by mistake, with their names. */
const OTHER_SIGNATURES: readonly (readonly [readonly number[], string])[] = [
  [[0x1f, 0x8b], 'a gzip archive'],
  [[0x42, 0x5a, 0x68], 'a bzip2 archive'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'an xz archive'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7z archive'],
  [[0x80, 0x02], 'a Python pickle'],
  [[0x80, 0x03], 'a Python pickle'],
  [[0x80, 0x04], 'a Python pickle'],
  [[0x80, 0x05], 'a Python pickle'],
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG image'],
  [[0xff, 0xd8, 0xff], 'a JPEG image'],
  [[0x50, 0x41, 0x52, 0x31], 'a Parquet file'],
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
  if (findUserBlock(source) !== null) return { kind: 'hdf5', description: 'an HDF5 file with a user block' };
  for (const [signature, description] of OTHER_SIGNATURES) {
    if (startsWith(head, signature)) return { kind: 'other', description };
  }
  return describeText(head);
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

/** A text is named for what it looks like, all else is "a file of unknown kind". */
function describeText(head: Uint8Array): Detection {
  const printable = head.every((byte) => byte >= 0x20 || byte === 9 || byte === 10 || byte === 13);
  if (!printable) return { kind: 'other', description: 'a file of unknown kind' };
  const text = new TextDecoder('utf-8').decode(head).trimStart();
  if (text.startsWith('{')) return { kind: 'json', description: 'a JSON text' };
  if (text.startsWith('<')) return { kind: 'other', description: 'an HTML or XML text' };
  const isScript = /^(#!|import |from |def |class |"""|# )/m.test(text);
  return { kind: 'other', description: isScript ? 'a script or plain text' : 'a plain text' };
}
