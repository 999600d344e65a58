/**
 * What each cap of the readers counts and what it protects from, for the one who is asked to raise it; and the cap that
 * a failure is about.
 */
import { formatBytes, formatCount } from '../../charts/number-format';
import type { ErrorRecord } from '../../core/errors';
import type { RaisedLimits } from '../../shared/contract';

/** A cap in words. */
interface LimitText {
  readonly counts: string;
  readonly unit: 'bytes' | 'count';
  readonly protects: string;
}

const MEMORY = 'Keeps a file from taking all memory of this machine.';
const BOMB = 'Keeps a small archive from unpacking to more than this machine can hold (a “zip bomb”).';
const CLAIM = 'Keeps a file from having memory set aside on its mere word.';
const NESTING = 'Keeps a file that nests endlessly from exhausting the program that reads it.';
const STALLING = 'Keeps a file from stalling the program that reads it.';
const COUNTING = 'Keeps a file of endless parts from stalling the program that reads it.';

const bytes = (counts: string, protects: string): LimitText => ({ counts, unit: 'bytes', protects });
const count = (counts: string, protects: string): LimitText => ({ counts, unit: 'count', protects });

/** Every cap in words, by its name; a test holds the names against those of the readers, which no page may load. */
export const LIMIT_TEXTS: Readonly<Record<string, LimitText>> = {
  maxZipEntries: count('Files inside an archive', COUNTING),
  maxZipTotalBytes: bytes('All files of an archive together, unpacked', BOMB),
  maxZipRatio: count('How many times larger a file of an archive becomes when it is unpacked', BOMB),
  maxJsonBytes: bytes('The text that describes the model', MEMORY),
  maxJsonDepth: count('Levels of that text inside one another', NESTING),
  maxHdf5Objects: count('Groups and datasets of an HDF5 file', COUNTING),
  maxHdf5Depth: count('Groups of an HDF5 file inside one another', NESTING),
  maxAttributeBytes: bytes('One attribute of an HDF5 file', CLAIM),
  maxIndexBytes: bytes('The index of a TensorFlow checkpoint', MEMORY),
  maxIndexEntries: count('Tensors of a TensorFlow checkpoint', COUNTING),
  maxSafetensorsHeaderBytes: bytes('The header of a safetensors file', CLAIM),
  maxPickleStack: count('Values that a pickle has open at once', MEMORY),
  maxPickleDepth: count('Values of a pickle inside one another', NESTING),
  maxPickleMemo: count('Values that a pickle remembers', MEMORY),
  maxPickleValueBytes: bytes('One text inside a pickle', CLAIM),
  maxNamedTensors: count('Tensors that the file names', COUNTING),
  maxNameBytes: bytes('The names of all tensors together', MEMORY),
  maxTensorBytes: bytes('One tensor', CLAIM),
  maxKeptBytes: bytes('All tensors of the model together', MEMORY),
  maxComputedBytes: bytes('What the model computes from its constants while it is read', BOMB),
  maxInlinedNodes: count('Nodes of an ONNX model with its functions where they are called', BOMB),
  maxListEntries: count('Entries of the lists of an ONNX file: inputs of nodes, attributes, sizes of tensors', MEMORY),
  maxObjectBytes: bytes('What the file describes, as the program keeps it: names, lists, nodes', MEMORY),
  maxLayers: count('Layers of the model', COUNTING),
  maxModelDepth: count('Models inside models', NESTING),
  maxInputValues: count('Numbers of an input file', MEMORY),
  maxCsvBytes: bytes('A table as input', MEMORY),
  maxParseSeconds: count('Seconds that reading may take, beside one for each 100 MB of the file', STALLING),
};

/** A cap that a file has exceeded, and what is needed to open that file with a higher one. */
export interface ExceededLimit {
  readonly name: string;
  readonly text: LimitText;
  readonly allowed: number;
  /** What the reader met when it stopped; there may be more. */
  readonly found: number;
  /** What was given. */
  readonly paths: readonly string[];
  /** Caps that were raised for it before. */
  readonly raised: RaisedLimits;
}

/**
 * The cap that a failure is about, or null when it is about none that could be raised here.
 *
 * @param error - The failure.
 */
export function exceededLimit({ code, details }: ErrorRecord): ExceededLimit | null {
  const { limit, allowed, value, paths, limits } = details as Readonly<Record<string, unknown>>;
  const text = typeof limit === 'string' && Object.hasOwn(LIMIT_TEXTS, limit) ? LIMIT_TEXTS[limit] : undefined;
  if (code !== 'reader/limit-exceeded' || text === undefined) return null;
  if (typeof allowed !== 'number' || typeof value !== 'number' || !Array.isArray(paths)) return null;
  return {
    name: limit as string,
    text,
    allowed,
    found: value,
    paths: paths as readonly string[],
    raised: (limits ?? {}) as RaisedLimits,
  };
}

/**
 * A value of a cap with its unit: `2.1 GB`, `1 032`.
 *
 * @param limit - The cap.
 * @param value - The value.
 */
export function limitValueText({ text }: ExceededLimit, value: number): string {
  return text.unit === 'bytes' ? formatBytes(value) : formatCount(value);
}

/**
 * The value that is proposed: room for what was found, and twice the cap where the reader stopped counting at it.
 *
 * @param limit - The cap.
 */
export function proposedLimit({ allowed, found }: ExceededLimit): number {
  return Math.max(Math.ceil(found), 2 * allowed);
}
