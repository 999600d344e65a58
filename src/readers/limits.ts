/**
 * Every cap of the readers, in one place.
 *
 * Nothing is allocated on a file's word alone: what it declares is held against its own size first, then against these.
 */
import { TempogradError } from '../core/errors';
import { ObjectCount } from './object-count';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** The caps that a caller may raise or lower. */
export interface ReadLimits {
  readonly maxZipEntries: number;
  /** All entries of an archive together, inflated, bytes. */
  readonly maxZipTotalBytes: number;
  /** Inflated size over stored size of one entry; asked only above `ZIP_RATIO_FLOOR_BYTES`. */
  readonly maxZipRatio: number;
  readonly maxJsonBytes: number;
  /** Nesting of arrays and objects. */
  readonly maxJsonDepth: number;
  /** Groups and datasets of one HDF5 file. */
  readonly maxHdf5Objects: number;
  /** Nesting of groups. */
  readonly maxHdf5Depth: number;
  readonly maxAttributeBytes: number;
  /** The index of a TensorFlow checkpoint, and all its keys together, bytes. */
  readonly maxIndexBytes: number;
  /** Tensors, and slices of tensors, of one checkpoint. */
  readonly maxIndexEntries: number;
  readonly maxSafetensorsHeaderBytes: number;
  /** Values that a pickle has open at once; a flat dictionary may be long. */
  readonly maxPickleStack: number;
  /** Marks inside marks. */
  readonly maxPickleDepth: number;
  readonly maxPickleMemo: number;
  /** One text inside a pickle. */
  readonly maxPickleValueBytes: number;
  /** Tensors of a file that names them: a state dict, safetensors, `.npz`. */
  readonly maxNamedTensors: number;
  /** The names of all files of an archive together; those of all tensors of a pickle, whose parts it may repeat for nothing. */
  readonly maxNameBytes: number;
  /** One tensor as it is kept, bytes. */
  readonly maxTensorBytes: number;
  /** All tensors that one model keeps, bytes. */
  readonly maxKeptBytes: number;
  /** What a graph computes from constants, beyond `COMPUTED_RATIO` times the constants that it computes from, bytes. */
  readonly maxComputedBytes: number;
  /** Nodes of an ONNX graph with the functions of the model put in where they are called. */
  readonly maxInlinedNodes: number;
  /** Entries of all lists of an ONNX file: inputs and attributes of nodes, sizes of tensors, numbers one by one. */
  readonly maxListEntries: number;
  /** What the reading of one file makes of its descriptions, as objects in memory (`ObjectCount`), bytes. */
  readonly maxObjectBytes: number;
  /** Layers of a flattened model, calls of shared layers counted. */
  readonly maxLayers: number;
  /** Models inside models. */
  readonly maxModelDepth: number;
  /** Numbers of an input file (.npy, .csv). */
  readonly maxInputValues: number;
  readonly maxCsvBytes: number;
  /** Seconds that reading a file may take, beside one for each 100 MB of it; held by the owner of the reading process. */
  readonly maxParseSeconds: number;
}

/** The caps of one reading, with what it has used of them so far. */
export interface CountedLimits extends ReadLimits {
  readonly objects: ObjectCount;
}

/** Below this inflated size a high ratio is only an empty file, and harmless. */
export const ZIP_RATIO_FLOOR_BYTES = 16 * KIB;

/** Weights that are sliced, joined and turned pass through so many operators, hardly more. */
export const COMPUTED_RATIO = 16;

/** The caps when nothing else is said. */
export const DEFAULT_LIMITS: ReadLimits = {
  maxZipEntries: 10_000,
  maxZipTotalBytes: 4 * GIB,
  maxZipRatio: 200,
  maxJsonBytes: 32 * MIB,
  maxJsonDepth: 200,
  maxHdf5Objects: 200_000,
  maxHdf5Depth: 64,
  maxAttributeBytes: 8 * MIB,
  maxIndexBytes: 64 * MIB,
  maxIndexEntries: 500_000,
  maxSafetensorsHeaderBytes: 24 * MIB,
  maxPickleStack: 10_000_000,
  maxPickleDepth: 1000,
  maxPickleMemo: 1_000_000,
  maxPickleValueBytes: 16 * MIB,
  maxNamedTensors: 200_000,
  maxNameBytes: 16 * MIB,
  maxTensorBytes: 2 * GIB,
  maxKeptBytes: 6 * GIB,
  maxComputedBytes: 64 * MIB,
  maxInlinedNodes: 200_000,
  maxListEntries: 1_000_000,
  maxObjectBytes: 64 * MIB,
  maxLayers: 20_000,
  maxModelDepth: 32,
  maxInputValues: 500_000_000,
  maxCsvBytes: 256 * MIB,
  maxParseSeconds: 5,
};

/**
 * The caps of a new reading, nothing of them used.
 *
 * @param raised - Those that the user set; the others are as usual.
 */
export function limitsOfReading(raised: Partial<ReadLimits> = {}): CountedLimits {
  const limits = { ...DEFAULT_LIMITS, ...raised };
  const check = (bytes: number): void => {
    checkLimit('Size of what the file describes, in bytes of memory', bytes, 'maxObjectBytes', limits);
  };
  return { ...limits, objects: new ObjectCount(check) };
}

/**
 * Whether a text names a cap.
 *
 * @param name - Any text.
 */
export function isLimitName(name: string): name is keyof ReadLimits {
  return Object.hasOwn(DEFAULT_LIMITS, name);
}

/**
 * Nothing while `value` is within a cap.
 *
 * @param what - What is counted, as the user knows it.
 * @param value - The count.
 * @param name - The cap.
 * @param limits - All caps.
 * @throws TempogradError `reader/limit-exceeded` naming the cap.
 */
export function checkLimit(what: string, value: number, name: keyof ReadLimits, limits: ReadLimits): void {
  if (value <= limits[name]) return;
  throw new TempogradError(
    'reader/limit-exceeded',
    `${what}: ${String(value)} exceeds the limit ${name} = ${String(limits[name])}`,
    {
      details: { limit: name, value, allowed: limits[name] },
    },
  );
}
