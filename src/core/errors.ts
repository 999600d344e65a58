/**
 * The one error class of expected failures, and the closed list of its codes.
 *
 * A code without a title and a remedy does not compile: the table is exhaustive.
 * Bugs are plain `Error`s; a cancelled run is an event, never an error.
 */

/** Every code that a user or a script can meet; docs/cli.md lists the same. */
export const ERROR_CODES = [
  'reader/unknown-format',
  'reader/truncated',
  'reader/corrupt',
  'reader/limit-exceeded',
  'reader/unsafe',
  'reader/external-data-missing',
  'reader/not-readable',
  'cell/none-found',
  'cell/no-such-layer',
  'cell/unsupported',
  'cell/shape-mismatch',
  'input/shape-mismatch',
  'input/not-readable',
  'input/not-finite',
  'engine/native-library-missing',
  'engine/out-of-memory',
  'engine/time-limit',
  'engine/stopped',
  'output/not-writable',
  'output/too-large',
  'usage/bad-option',
  'numerics/not-converged',
  'numerics/not-finite',
] as const;

/** One code of the closed list. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What a code means to a person: a short title, and what can be done. */
export interface ErrorText {
  readonly title: string;
  readonly remedy: string;
}

/** Title and general remedy of every code; a thrower may give a more exact remedy. */
export const ERROR_TEXTS: Readonly<Record<ErrorCode, ErrorText>> = {
  'reader/unknown-format': {
    title: 'Not a model file that can be read',
    remedy:
      'Give a model of Keras, PyTorch, TensorFlow or ONNX, or safetensors; the content decides, not the extension.',
  },
  'reader/truncated': {
    title: 'The file ends too early',
    remedy: 'Copy or download the file again; it is shorter than its own directory says.',
  },
  'reader/corrupt': {
    title: 'The file is damaged',
    remedy: 'Save the model again; the file contradicts itself at the place named.',
  },
  'reader/limit-exceeded': {
    title: 'The file exceeds a safety limit',
    remedy: 'If the file is honest, raise it with --limit NAME=VALUE.',
  },
  'reader/unsafe': {
    title: 'The file would reach outside itself',
    remedy: 'Ask its author for a file without external links, paths or code.',
  },
  'reader/external-data-missing': {
    title: 'A part of the model is in another file',
    remedy: 'Give the folder that holds all parts, or drop them together.',
  },
  'reader/not-readable': {
    title: 'The file cannot be read',
    remedy: 'Check that it exists, is an ordinary file, and that you may read it.',
  },
  'cell/none-found': {
    title: 'No recurrent layer',
    remedy: 'Run `tempograd inspect` on the file to see what it holds.',
  },
  'cell/no-such-layer': {
    title: 'No such layer',
    remedy: 'Take a layer name as `tempograd inspect` prints it.',
  },
  'cell/unsupported': {
    title: 'This layer cannot be analysed',
    remedy: 'Choose another layer, or give its own input with --at-layer.',
  },
  'cell/shape-mismatch': {
    title: 'Weights do not fit the layer',
    remedy: 'Save the model again; its weights and its description disagree.',
  },
  'input/shape-mismatch': {
    title: 'The input does not fit the model',
    remedy: 'Give an input of the shape named in the message.',
  },
  'input/not-readable': {
    title: 'The input file cannot be read',
    remedy: 'Give a .npy, .npz or .csv file with numbers only.',
  },
  'input/not-finite': {
    title: 'The input holds NaN or infinity',
    remedy: 'Fill or remove the missing values at the place named.',
  },
  'engine/native-library-missing': {
    title: 'The native engine is not there',
    remedy: 'Run `npm run setup`, or choose --engine wasm or reference; `tempograd doctor` says what is missing.',
  },
  'engine/out-of-memory': {
    title: 'Not enough memory',
    remedy: 'Use fewer steps or sequences, or raise --max-memory.',
  },
  'engine/time-limit': {
    title: 'The time limit was reached',
    remedy: 'Raise --max-seconds, or use fewer steps.',
  },
  'engine/stopped': {
    title: 'The engine stopped',
    remedy: 'Run again; the engine restarts by itself. If it repeats, try --engine wasm.',
  },
  'output/not-writable': {
    title: 'The result cannot be written',
    remedy: 'Choose a folder that exists, that you may write to, and that has room.',
  },
  'output/too-large': {
    title: 'The result would be too large',
    remedy: 'Ask for fewer modes, steps or sequences.',
  },
  'usage/bad-option': {
    title: 'Wrong use of the command',
    remedy: 'Run the command with --help.',
  },
  'numerics/not-converged': {
    title: 'An iteration did not converge',
    remedy: 'The number concerned is left out; the others stand.',
  },
  'numerics/not-finite': {
    title: 'Numbers are not finite',
    remedy: 'Look at the tensor named; results that depend on it carry NaN.',
  },
};

/** A plain, serialisable description of a failure; what crosses a process border. */
export interface ErrorRecord {
  readonly code: ErrorCode | 'bug';
  readonly message: string;
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** More about one failure than its code says. */
export interface ErrorExtras {
  /** What the user can do here; the code's general remedy when left out. */
  readonly remedy?: string;
  /** Plain data: file, layer, tensor, offset, expected, actual. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An expected failure with its code, its remedy and plain details. */
export class TempogradError extends Error {
  override readonly name = 'TempogradError';
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;

  /**
   * @param code - One code of the closed list.
   * @param message - What happened, with file, layer, tensor, expected and actual; neutral wording.
   * @param extras - A more exact remedy, plain details, and the cause.
   */
  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.remedy = extras.remedy ?? ERROR_TEXTS[code].remedy;
    this.details = extras.details ?? {};
  }
}

/**
 * The serialisable form of anything thrown: a `TempogradError` keeps its code, all else is a bug.
 *
 * @param error - The thrown value.
 * @returns A record that can cross a process border; a bug carries its stack in `details`.
 */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (error instanceof TempogradError) {
    return { code: error.code, message: error.message, remedy: error.remedy, details: error.details };
  }
  const fault = error instanceof Error ? error : new Error(String(error));
  return {
    code: 'bug',
    message: `Internal fault: ${fault.message}`,
    remedy: 'Please report this with the details below; nothing of your files was changed.',
    details: { stack: fault.stack ?? '' },
  };
}

/**
 * The error that a record describes, so that a receiver can throw it again.
 *
 * @param record - What `toErrorRecord` made.
 */
export function fromErrorRecord(record: ErrorRecord): Error {
  if (record.code === 'bug') return new Error(record.message, { cause: record.details });
  return new TempogradError(record.code, record.message, { remedy: record.remedy, details: record.details });
}
